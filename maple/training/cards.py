"""The run cards of finetuning and merging."""

from dataclasses import dataclass, field

from maple.runtime.run_cards import RunCard


@dataclass(frozen=True, kw_only=True)
class FinetuneCard(RunCard):
    """What a run was trained on and how it went."""

    base: dict
    """The model's definition."""
    bits: int
    method: dict
    """What adapts the base: {peft, adapter}, a type and what its config class was called with, or {trains}."""
    training: dict
    """TrainingSettings."""
    examples: int
    """Examples that fit max_length."""
    too_long: int
    """Examples that were left out."""
    epochs: float
    mean_tokens: float
    """Tokens per example."""
    tokens: dict
    """Tokens that were seen: {all, completion, language: {code: {all, completion}}}."""
    trainable_parameters: int
    all_parameters: int
    trainable_share: float
    loss: list[dict]
    """A curve of {step, loss}, nats per token."""
    held_out_examples: int
    held_out: list[dict]
    """Measurements {step, bits_per_byte: {language: bits per byte}}."""
    steps: int
    """Optimizer steps that were made."""
    stopped_early: bool
    """True if early stopping ended the training before `training.steps`; it has seen fewer examples than other runs."""
    best_step: int | None
    """The step with the fewest held-out bits per byte, mean over languages; None if nothing was measured."""
    kept_step: int
    """The step whose adapter was saved."""
    resumed_from: int | None
    """The step of the checkpoint that the training went on from."""
    packed: bool
    """True if the examples of a micro-batch shared a row."""
    padded_because: str | None
    """Why they did not, although the run asked for it."""
    adapted: dict[str, int]
    """Layers that the adapter changes, by name without their numbers."""
    attention: str
    optimizer: str
    dtype: str
    """Of the base's arithmetic: bfloat16 or float32."""
    gradient_checkpointing: bool
    liger: bool
    """True if Liger's kernels were used."""
    compiled: bool
    """True if torch.compile compiled the layers."""
    processes: int
    sharded: bool


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """How far a model is from the one that was trained, on completion tokens of held-out examples."""

    kl: float
    """Kullback-Leibler divergence, trained model || this one, mean over completion tokens, nats per token."""
    agreement: float
    """Share of the tokens for which both find the same token likeliest."""
    bits_per_byte: float
    """Loss of this model on the completions, bits per byte of UTF-8."""
    bits_per_byte_change: float
    """From the trained model's; positive: this model finds the completions less likely."""
    largest_logit_difference: float


@dataclass(frozen=True, kw_only=True)
class Comparison(Divergence):
    """A divergence averaged over languages (of logit differences the largest), and that of each language."""

    worst_kl: float
    worst_language: str
    languages: dict[str, Divergence] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MergeCard(RunCard):
    """How far a merged model is from the one that was trained."""

    bits: int
    into: str
    """The weights that the adapter was folded into: dequantized or original."""
    bound: float
    """The largest kl that a language may have."""
    rows: int
    tokens: int
    """Completion tokens that were compared."""
    dtype: str
    ways: dict[str, Comparison]
    """By name: both folds (the saved one read back from its files), the adapter attached to either base, and the base
    without adapter (untouched), which shows how far training has moved it."""
