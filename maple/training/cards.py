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
    trained_by_part: dict[str, int] = field(default_factory=dict)
    """Trained parameters {language_model, connector, vision_tower, lm_head}; empty for a model without such parts."""
    loss: list[dict]
    """A curve of {step, loss}, nats per label that is learnt: a token of a completion, or the label of a text."""
    held_out_examples: int
    held_out: list[dict]
    """Measurements {step, measure: {language: bits}}."""
    measure: str
    """What is measured on held-out text: bits_per_byte, or bits_per_label of a classifier."""
    steps: int
    """Optimizer steps that were made."""
    stopped_early: bool
    """True if early stopping ended the training before `training.steps`; it has seen fewer examples than other runs."""
    best_step: int | None
    """The step with the fewest held-out bits, mean over languages; None if nothing was measured."""
    kept_step: int
    """The step whose adapter was saved."""
    resumed_from: int | None
    """The step of the checkpoint that the training went on from."""
    timed_steps: int
    """Optimizer steps that this call made and timed: all but its first two. A training that resumes makes the rest."""
    step_seconds: float
    """What they took, the update included; no tokenizing, padding, measuring, saving or start of the job."""
    step_cpu_seconds: float
    """Seconds of the processor in them, all threads; on a busy machine `step_seconds` are more than these on a core."""
    tokens_per_second: float | None
    """Tokens that they learnt from per second, without padding; None if no step was timed."""
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
    """How far a model is from the one that was trained, on what is learnt of held-out examples: tokens, or labels."""

    kl: float
    """Kullback-Leibler divergence, trained model || this one, mean over tokens or examples, nats per each."""
    agreement: float
    """Share of them for which both find the same token or label likeliest."""
    bits: float
    """Loss of this model on them, in the card's measure."""
    bits_change: float
    """From the trained model's; positive: this model finds them less likely."""
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
    measure: str
    """bits_per_byte of completions, or bits_per_label of a classifier."""
    bound: float
    """The largest kl that a language may have."""
    rows: int
    tokens: int
    """Completion tokens, or labels, that were compared."""
    dtype: str
    ways: dict[str, Comparison]
    """By name: both folds (the saved one read back from its files), the adapter attached to either base, and the base
    without adapter (untouched), which shows how far training has moved it."""
