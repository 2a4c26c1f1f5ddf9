"""The run cards of generation: what a run's completions cost, and what can change an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maple.definitions.generation import GenerateSettings
from maple.engines.ledger import Ledger
from maple.runtime.files import read_json, write_json


@dataclass(frozen=True, kw_only=True)
class CompletionCounts:
    """How many prompts a run has, and how many of them were computed."""

    prompts: int
    distinct: int
    """Prompts that differ and fit; the next two add up to it."""
    carried_over: int
    computed: int
    too_long: int
    """Prompts without a completion, as they do not fit even without demonstrations."""
    compared_alone: int
    """Completions that were computed a second time, each alone in its batch."""
    flipped: int
    """Of these, completions that were others when computed alone."""


@dataclass(frozen=True)
class EngineComparison:
    """Translations of one engine that another one has made again."""

    engine: str
    """The other one, name and version."""
    compared: int
    different: int
    """Of these, translations with another token."""


@dataclass(frozen=True)
class EngineUse:
    """What an engine did for one run."""

    energy_joules: float | None
    """Energy of the GPUs; None without a meter."""
    start_seconds: float | None
    """Of the start, None if the engine was running already."""
    info: dict[str, str | int]
    """The dtype, the attention backend and the number of copies; they can change an answer."""
    cached_prompt_tokens: int | None
    """Prompt tokens that were found in the prefix cache; None if the engine does not count them."""


@dataclass(frozen=True, kw_only=True)
class GenerateCard:
    """The card of a run that an engine completed."""

    engine: str
    """Name and version."""
    settings: GenerateSettings
    attached: bool
    """True if an adapter was attached to the model, False for a merged model or a base."""
    weights: str
    """The digest of the weights that answered; with an attached adapter that of the base, "+", that of the adapter."""
    use: EngineUse | None
    """None if every completion was there already."""
    counts: CompletionCounts
    seconds: float
    rows_per_second: float | None = None
    """Of a run that classifies or translates, while its model computes; None for another, and if every answer was there
    already."""
    engines_differ: EngineComparison | None = None
    """Of a run that CTranslate2 has translated: a sample again by transformers. None for another, and if nothing was
    new."""
    schema_version: int = 1

    @property
    def started(self) -> bool:
        """True if the engine was started for this run."""
        return self.use is not None and self.use.start_seconds is not None

    def values(self) -> dict[str, Any]:
        """Return the card as JSON values; what does not apply to the run is left out."""
        use: dict[str, Any] = {}
        if self.use is not None:
            use["energy_joules"] = self.use.energy_joules
            if self.use.start_seconds is not None:
                use["start_seconds"] = self.use.start_seconds
            use |= {**self.use.info, "cached_prompt_tokens": self.use.cached_prompt_tokens}
        return {
            "engine": self.engine,
            "settings": self.settings.params(),
            "started": self.started,
            **({"adapter": "attached"} if self.attached else {}),
            "weights": self.weights,
            **use,
            **asdict(self.counts),
            "seconds": self.seconds,
            **({} if self.rows_per_second is None else {"rows_per_second": self.rows_per_second}),
            **({} if self.engines_differ is None else {"engines_differ": asdict(self.engines_differ)}),
            "schema_version": self.schema_version,
        }


@dataclass(frozen=True, kw_only=True)
class CompareCard:
    """The card of a comparison of merged completions with those of the attached adapter."""

    generated: GenerateCard
    """Of the completions with the adapter attached."""
    compared: int
    different: int

    def values(self) -> dict[str, Any]:
        """Return the card as JSON values."""
        differ = {"compared": self.compared, "different": self.different}
        return {**self.generated.values(), "attached_differ": differ}


@dataclass(frozen=True, kw_only=True)
class EndpointCounts:
    """How many prompts a run behind an endpoint has, and how many of them were sent."""

    prompts: int
    distinct: int
    """Prompts that differ; the next two add up to it."""
    carried_over: int
    computed: int
    not_ranked: int
    """Rows whose choices would be ranked by an engine; an endpoint returns no likelihoods of them."""


@dataclass(frozen=True, kw_only=True)
class EndpointCard:
    """The card of a run that an endpoint completed."""

    identity: dict[str, str | float | None]
    """Address, model and sampling."""
    counts: EndpointCounts
    ledger: Ledger
    seconds: float
    schema_version: int = 1

    def values(self) -> dict[str, Any]:
        """Return the card as JSON values."""
        return {
            "engine": "openai",
            **self.identity,
            "started": self.counts.computed > 0,
            **asdict(self.counts),
            **self.ledger._asdict(),
            "seconds": self.seconds,
            "schema_version": self.schema_version,
        }


def write_shared_card(
    stage: str, runs: Sequence[Mapping[str, Any]], cards: Sequence[GenerateCard], path: str | Path
) -> None:
    """Write the cards of runs that one job has completed, {"stage", "runs"}, as JSON."""
    values = [{"run": run, **card.values()} for run, card in zip(runs, cards, strict=True)]
    write_json({"stage": stage, "runs": values}, path)


def card_values(
    card: GenerateCard | EndpointCard, run: Mapping[str, Any], shared: str | Path | None = None
) -> dict[str, Any]:
    """Return the values of a run's card; those of the job that completed it with others if nothing was left to do.

    `shared` is the file that `write_shared_card` wrote, if the run was completed so.
    """
    if not shared or card.counts.computed:
        return card.values()
    (of_run,) = (each for each in read_json(shared)["runs"] if each["run"] == run)
    return {key: value for key, value in of_run.items() if key != "run"}
