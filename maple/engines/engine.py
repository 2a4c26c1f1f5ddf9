"""The protocol of all engines, and the options that an engine is started with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from maple.models.picture_file import PictureFile


class Completion(NamedTuple):
    """The completion of one prompt.

    `tokens` are the new tokens without EOS; `finish_reason` is "stop" or "length"; `log_probability` is the model's
    natural log-probability of the tokens, with that of EOS if it was generated.
    """

    tokens: list[int]
    finish_reason: str
    log_probability: float


@dataclass(frozen=True)
class PromptPictures:
    """The pictures of one prompt."""

    files: tuple[PictureFile, ...]
    """In the order in which the prompt shows them."""
    short: list[int]
    """The prompt with one placeholder per picture, as vLLM asks; the prompt itself has all of their tokens."""


# The pictures of each prompt of a call; empty if no prompt of the call has any.
Pictures = Sequence[PromptPictures | None]
# The texts that end each completion of a call; empty if none of the call ends with a text.
Stops = Sequence[Sequence[str]]


@dataclass(frozen=True)
class EngineOptions:
    """What an engine is started with.

    `model` is a Hub-style folder of the `kind` (maple.models.kind), `adapters` are folders of PEFT adapters that `use`
    may attach; `eos` and `pad` are tokens, `threads` those of a processor. `batch` counts sequences that are computed
    at once, `max_length` tokens of prompt and completion. `cpu_cache_gib` is vLLM's key-value cache on a CPU (GiB),
    `tensor_parallel` the devices that hold one copy of the model; `batch_invariant` asks for kernels whose results do
    not depend on the batch. `dtype` is that of the arithmetic (maple.runtime.devices.compute_dtype).
    `gpu_memory_utilization` and `max_loras` are vLLM's: the share of a GPU's memory that it takes, and the adapters
    that it holds there at once; None leaves them to vLLM.
    """

    model: str | Path
    batch: int
    max_length: int
    eos: int
    pad: int
    threads: int
    adapters: Sequence[str | Path] = ()
    cpu_cache_gib: float = 1
    tensor_parallel: int = 1
    batch_invariant: bool = False
    gpu_memory_utilization: float | None = None
    max_loras: int | None = None
    dtype: str = "auto"
    trust_remote_code: bool = False
    kind: str = "causal"


class Engine(Protocol):
    """Generates completions, greedy or sampled, and returns log-likelihoods of given continuations."""

    @property
    def info(self) -> Mapping[str, str | int]:
        """The dtype and the attention backend, for the run card; they can change an answer."""
        ...

    @property
    def cached_tokens(self) -> int | None:
        """The prompt tokens so far that were found in the prefix cache; None if they are not counted."""
        ...

    def use(self, adapter: str | Path) -> None:
        """Attach one of the adapters of the engine's settings in place of the one before."""
        ...

    def complete(
        self, prompts: Sequence[list[int]], limits: Sequence[int], pictures: Pictures = (), stops: Stops = ()
    ) -> list[Completion]:
        """Complete each prompt (token ids) greedily with at most its limit of new tokens, in the order given.

        A completion whose text has one of its `stops` ends with the token that completes it; `finish_reason` is "stop".
        The completions of a call do not depend on earlier calls. Pictures are opened as they are needed; raises
        maple.runtime.pictures.PictureError for one that is missing or has changed.
        """
        ...

    def sample(
        self,
        prompts: Sequence[list[int]],
        limits: Sequence[int],
        seeds: Sequence[int],
        temperature: float,
        top_p: float,
    ) -> Iterator[tuple[int, Completion]]:
        """Yield (place of the prompt, completion) as completions end; each is sampled by its own seed alone.

        The temperature is applied before top_p, the share of probability that is sampled from; 0 is greedy.
        """
        ...

    def log_likelihoods(
        self, prompts: Sequence[list[int]], continuations: Sequence[list[int]], pictures: Pictures = ()
    ) -> list[float]:
        """Return for each prompt the natural log-probability of its continuation (token ids, at least one)."""
        ...


class EngineError(ValueError):
    """An engine that is unknown, not installed or cannot run the model; the message says what to write instead."""
