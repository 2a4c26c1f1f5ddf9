"""How a run's prompts are completed."""

from typing import Annotated, Literal

from pydantic import Field

from maple.definitions.record import DECIDES, Count, CountOrZero, Number, Positive, Record


class BeamSearch(Record):
    """How seq2seq models search for a translation; nothing is taken from a model's own generation_config.json."""

    beams: Annotated[Count, DECIDES] = 5
    """Hypotheses that are kept at each step; 1 is greedy."""
    length_penalty: Annotated[Number, DECIDES] = 1.0
    """Exponent of the length by which the log-probability of a hypothesis is divided: above 0 favours long ones."""
    early_stopping: Annotated[bool | Literal["never"], DECIDES] = True
    """True ends with as many finished hypotheses as beams; false once no unfinished one is likely to be better; never
    once none can be."""
    no_repeat_ngram: Annotated[CountOrZero, DECIDES] = 0
    """Tokens of an n-gram that a translation may not repeat; 0: it may repeat all."""
    repetition_penalty: Annotated[Positive, DECIDES] = 1.0
    """Factor on the log-probabilities of tokens that a translation has already (arXiv 1909.05858); 1: none."""
    batch_tokens: Count = 8192
    """Tokens of sources at once, those of padding too and each as often as there are beams."""

    @property
    def stated(self) -> dict[str, float | int | str]:
        """Every value, also those that the config leaves to their defaults."""
        return self.model_dump()

    @property
    def decoding(self) -> dict[str, float | int | str]:
        """The values that decide a translation; 1 and 1.0 are one number."""
        decides = {name: value for name, value in self.stated.items() if self._decides(name)}
        return decides | {name: float(decides[name]) for name in ("length_penalty", "repetition_penalty")}


class EngineSettings(Record):
    """The settings of an engine that decide its completions or its speed."""

    engine: str
    """vllm, transformers, or auto: vLLM if it is installed, can be loaded and serves the model. ctranslate2 is for
    merged and whole seq2seq models: other models are asked as with auto, adapters of seq2seq models by transformers."""
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
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Arithmetic: auto is bfloat16 on a GPU, else float32; GPUs older than Ampere need float16 for vLLM."""


class GenerateSettings(EngineSettings):
    """The engine settings of one method variant."""

    engine_reason: str | None = None
    """Why the engine is not the config's; None if it is."""
    beam_search: BeamSearch | None = None
    """Of a seq2seq model; None for models of other kinds, so that a change of it is none of theirs."""


class GenerateBlock(EngineSettings):
    """The config's `generate:` block."""

    adapters: Literal["merged", "attached"]
    """merged: adapters are folded into 16-bit weights; attached: they stay beside the weights."""
    compare_attached: CountOrZero
    """Completions per merged LoRA run that are computed again with the adapter attached."""
    gpu_memory_utilization: Annotated[Number, Field(gt=0, le=1)] | None = None
    """Share of a GPU's memory that vLLM takes for weights and cache; null: vLLM's own. Decides no completion."""
    max_loras: Count | None = None
    """Adapters that vLLM holds in GPU memory at once, if they are attached; null: one. Decides no completion."""
    beam_search: BeamSearch = BeamSearch()
    """How seq2seq models answer, which models of other kinds do not read."""

    @property
    def memory(self) -> dict:
        """The limits of vLLM's memory that the config states, as plain values: they say how, not what is computed."""
        limits = {"gpu_memory_utilization": self.gpu_memory_utilization, "max_loras": self.max_loras}
        return {name: value for name, value in limits.items() if value is not None}

    @property
    def settings(self) -> GenerateSettings:
        """The engine settings without the other keys of the block."""
        return GenerateSettings(**self.model_dump(include=set(EngineSettings.model_fields), exclude_unset=True))
