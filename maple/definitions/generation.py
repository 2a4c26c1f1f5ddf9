"""How a run's prompts are completed."""

from typing import Annotated, Literal

from pydantic import Field

from maple.definitions.record import Count, CountOrZero, Record


class GenerateSettings(Record):
    """What an engine is started with: the config's `generate:` block, less what concerns the grid."""

    engine: str
    """vllm, transformers, or auto: vLLM where it is installed and can be loaded."""
    batch: Count
    """Sequences at once."""
    max_length: Annotated[int, Field(ge=2)]
    """Tokens of prompt and completion; a prompt is never cut."""
    cpu_cache_gib: Count
    """vLLM's key-value cache on a CPU, GiB."""
    flip_sample: CountOrZero
    """Completions per run that are computed a second time, each alone in its batch."""
    batch_invariant: bool
    """vLLM's kernels whose results do not depend on the batch: slower, GPUs only."""
    tensor_parallel: Count
    """GPUs that hold one copy of the model."""
    engine_reason: str | None = None
    """Why another engine than the config's is taken; set by the study, not in files."""


class GenerateBlock(Record):
    """The config's `generate:` block."""

    engine: str
    """vllm, transformers, or auto: vLLM where it is installed and can be loaded."""
    adapters: Literal["merged", "attached"]
    """merged: adapters are folded into 16-bit weights; attached: they stay beside them."""
    compare_attached: CountOrZero
    """Completions per merged LoRA run that are computed again with the adapter attached."""
    batch: Count
    """Sequences at once."""
    max_length: Annotated[int, Field(ge=2)]
    """Tokens of prompt and completion; a prompt is never cut."""
    cpu_cache_gib: Count
    """vLLM's key-value cache on a CPU, GiB."""
    flip_sample: CountOrZero
    """Completions per run that are computed a second time, each alone in its batch."""
    batch_invariant: bool
    """vLLM's kernels whose results do not depend on the batch: slower, GPUs only."""
    tensor_parallel: Count
    """GPUs that hold one copy of the model."""

    @property
    def settings(self) -> GenerateSettings:
        """What an engine is started with."""
        block = {key: value for key, value in self.params().items() if key not in ("adapters", "compare_attached")}
        return GenerateSettings(**block)
