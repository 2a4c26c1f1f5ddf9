"""What an engine is: the protocol that all engines follow."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    pass


class Completion(NamedTuple):
    """What an engine made of one prompt.

    tokens: the new ones, EOS left out; finish_reason: why it stopped, "stop" or "length"; log_probability: the model's
    natural one of the tokens, EOS included where it was written.
    """

    tokens: list[int]
    finish_reason: str
    log_probability: float


class Engine(Protocol):
    """Completes prompts, greedily or by drawing, and says how likely a completion is.

    `facts` says what its arithmetic depends on, beside the settings; `cached_tokens` counts the prompt tokens that it
    did not have to read again, None where it keeps no count.
    """

    facts: dict[str, str]
    cached_tokens: int | None

    def use(self, adapter: str | Path) -> None:
        """Attach one of the adapters that it was started for, in place of the one before."""

    def complete(self, prompts: Sequence[list[int]], limits: Sequence[int]) -> list[Completion]:
        """Complete each prompt (token ids) with at most its limit of new tokens, in the order given.

        What a call answers does not depend on the calls before it.
        """

    def sample(
        self,
        prompts: Sequence[list[int]],
        limits: Sequence[int],
        seeds: Sequence[int],
        temperature: float,
        top_p: float,
    ) -> Iterator[tuple[int, Completion]]:
        """Yield (place of the prompt, completion) as completions end; each draws by its own seed, whatever runs beside.

        The temperature comes before top_p, the share of probability that is drawn from; 0 is greedy.
        """

    def log_likelihoods(self, prompts: Sequence[list[int]], continuations: Sequence[list[int]]) -> list[float]:
        """Return for each prompt the natural log-probability of its continuation (token ids, at least one)."""


class EngineError(ValueError):
    """An engine that is unknown or not installed; the message says what to write instead."""
