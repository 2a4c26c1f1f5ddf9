"""Settings of finetuning and of merging."""

from typing import Annotated, Literal

from pydantic import Field

from maple.definitions.frame import Frame
from maple.definitions.record import Count, CountOrZero, Distinct, Number, Positive, Record, Share


class EarlyStopping(Record):
    """When a training ends before its steps do, by the mean of held-out bits per byte over languages."""

    patience: Count
    """Measurements in a row without an improvement, after which training ends; the one before training is not one."""
    min_delta: Annotated[Number, Field(ge=0)] = 0
    """Bits per byte by which a measurement must be below the best one to be an improvement; 0 if it is left out."""


class TrainingSettings(Record):
    """The config's `finetune:` block; a method's `training:` may change some of its keys."""

    steps: Count
    """Optimizer steps, the same for all runs, so that runs can be compared."""
    batch_tokens: Count
    """Tokens per optimizer step, prompts included."""
    micro_batch_tokens: Count
    """Tokens per micro-batch, padding included; lower it when memory is short: an optimizer step stays as large."""
    packing: bool
    """True: several examples per row, none attends to another, where the model can; else, and False: rows padded."""
    learning_rate: Positive
    """Peak learning rate, after warm-up."""
    warmup: Share
    """Share of the steps in which the learning rate rises."""
    max_length: Count
    """Tokens of prompt and completion; longer examples are left out and counted."""
    weight_decay: Annotated[Number, Field(ge=0)]
    """Weight decay of AdamW."""
    max_grad_norm: Positive
    """Norm to which gradients are clipped."""
    held_out_rows: CountOrZero
    """Held-out rows per language on which bits per byte are measured."""
    held_out_steps: Count
    """Steps between two measurements of bits per byte."""
    frame: Frame | None = None
    """Frame of finetuned runs, in training and in evaluation; null: the model's. A baseline has the model's."""
    class_weights: Literal["none", "balanced"] = "none"
    """For models that learn labels. balanced: losses of a label are multiplied by n / (k n_c), of n examples in k
    labels, n_c of this one (King and Zeng 2001, as scikit-learn has it); none: all count alike."""
    label_smoothing: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    """Share e of a label that is given to all labels alike, in training: the loss is (1 - e) times -ln p of the label,
    plus e times the mean of -ln p over the vocabulary, or over a task's labels (Szegedy et al. 2016)."""
    early_stopping: EarlyStopping | None = None
    """Ends a run early if its held-out bits per byte, or per label, rise; runs then learn from different numbers of
    examples."""
    keep: Literal["last", "best"] = "last"
    """The adapter that is saved: of the last step, or of the measurement with the fewest held-out bits per byte."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the base in training: auto is bfloat16 on a GPU, else float32; the adapter is float32 in any.
    float16 is not there: it needs loss scaling, which leaves steps out where a gradient overflows."""
    liger: Literal["auto"] | bool = "auto"
    """Liger's kernels: auto uses them on a GPU if they are installed and know the architecture."""
    compile: bool = False
    """True: each layer is compiled by torch.compile; only with packing: false, or with flash attention."""

    def model_post_init(self, _: object) -> None:
        """Refuse decisions by held-out text without any."""
        if self.measures_decide and not self.held_out_rows:
            key = "early_stopping" if self.early_stopping else "keep: best"
            raise ValueError(f"{key} needs held-out text; write 1 or more for held_out_rows")

    @property
    def measures_decide(self) -> bool:
        """True if measurements on held-out text decide when training ends or what is saved."""
        return self.early_stopping is not None or self.keep == "best"


class TrackingSettings(Record):
    """Where curves of a training go while it runs. They decide nothing of what is learnt."""

    to: Annotated[
        list[Literal["tensorboard", "wandb"]], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct
    ]
    """tensorboard writes to logs/tensorboard/; wandb to logs/wandb/, and sends only if WANDB_MODE is online."""
    project: Annotated[str, Field(min_length=1)] = ""
    """Name of the study in both; left out: the environment's WANDB_PROJECT, else maple."""


class MergeSettings(Record):
    """How an adapter is folded into weights, and how the merge is checked."""

    into: Literal["dequantized", "original"]
    """The weights that an adapter is folded into: those it was trained beside, or those before quantization."""
    bound: Positive
    """Largest KL divergence from the trained model, in the worst language, that a merge may have; nats per token."""
    rows: Count
    """Held-out examples per language to compare on."""
    tokens: Count
    """Tokens of each completion to compare on."""


class MergeBlock(MergeSettings):
    """The config's `merge:` block."""

    keep: bool
    """False: merged weights are removed once their run's completions are there. It changes no weights."""

    @property
    def settings(self) -> MergeSettings:
        """The settings that decide the merged weights and their check."""
        return MergeSettings(**self.model_dump(include=set(MergeSettings.model_fields)))
