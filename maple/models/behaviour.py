"""The protocol of the module of a kind of model in maple.models."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from maple.definitions.frame import Frame
from maple.definitions.local_model import BuildSettings, LocalModel
from maple.definitions.parts import NetworkParts
from maple.models.example import EncodedExample

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel


class Vocabulary(Protocol):
    """The tokens of a model by their texts."""

    def token_id(self, text: str) -> int | None:
        """Return the id of a token by its text; None for a text that is no token."""
        ...

    def token(self, id: int) -> str | None:
        """Return the text of a token by its id."""
        ...


class ExampleEncoder(Protocol):
    """What turns the examples of a kind of model into tokens."""

    @property
    def tokenizer(self) -> Vocabulary:
        """The model's tokenizer."""
        ...

    @property
    def pad(self) -> int:
        """The token that fills a micro-batch."""
        ...

    def piece(self, text: str) -> list[int]:
        """Return the tokens of a text alone, without special tokens."""
        ...


class ModelKind(Protocol):
    """How models of one kind are loaded, encoded for, trained and built."""

    AUTO_CLASS: str
    """Auto class of transformers that loads it."""
    PEFT_TASK: str
    """PEFT's task type."""
    NEW_HEADS: tuple[str, ...]
    """Names of modules that a base may lack, heads that finetuning starts anew; a name is a whole part of a module's.
    They are trained and saved with every method (maple.models.heads)."""
    MEASURE: str
    """The measure on held-out text: -ln p / ln 2 of what is learnt, per unit of an example (EncodedExample.units)."""
    PACKS: bool
    """True if several examples may share a row."""
    CORPUS: str
    """The module of maple.embedded whose `documents` a tiny one is pretrained on."""

    def load(
        self,
        folder: str | Path,
        bits: int,
        *,
        trust_remote_code: bool = False,
        sharded: bool = False,
        dtype: str = "auto",
    ) -> "PreTrainedModel":
        """Load a model in 4, 8 or 16 bits; `sharded`: for FSDP, which spreads it over GPUs; `dtype` of arithmetic."""
        ...

    def prepare_tokenizer(self, folder: Path, tokens: Mapping[str, str], *, trust_remote_code: bool = False) -> None:
        """Make the tokenizer of a base's folder agree with itself; `tokens`: bos, eos and pad of the model's file."""
        ...

    def encoder_of(self, folder: str | Path, model: LocalModel, frame: Frame | None = None) -> ExampleEncoder:
        """Return the text encoding of a model, in the frame of a run; None: that of the model's file."""
        ...

    def encode(self, example: Mapping[str, Any], encoder: Any) -> EncodedExample:
        """Return the tokens of an example, a row of a dataset with its columns as keys."""
        ...

    def separate_packed_examples(self, model: "PreTrainedModel", max_length: int) -> str | None:
        """Change the model's attention so that no example of a packed row attends to another.

        Returns why examples of up to `max_length` tokens cannot share a row, None if they can.
        """
        ...

    def collate(self, examples: Sequence[EncodedExample], pad: int, *, packing: bool) -> dict:
        """Return a micro-batch as the model reads it; `weights` in it, [rows], weigh the losses of training."""
        ...

    def losses(
        self, model: "PreTrainedModel | PeftModel", batch: dict, smoothing: float = 0.0
    ) -> "tuple[Tensor, Tensor]":
        """Return -ln p of every label of a micro-batch that is learnt, and the row of each.

        With `smoothing` e, (1 - e) times it plus e times the mean of -ln p over all labels there are (label smoothing,
        Szegedy et al. 2016, arXiv 1512.00567, section 7).
        """
        ...

    def parts_of(self, network: "PreTrainedModel") -> NetworkParts | None:
        """Return the parts of a loaded model that methods can address, before anything is attached; None for one part.

        With parts, adapters are in the language model alone, unless the method says otherwise.
        """
        ...

    def completion_logits(self, model: "PreTrainedModel | PeftModel", example: EncodedExample) -> "Tensor":
        """Return the logits of what an example learns, [labels, vocabulary or classes] in float32."""
        ...

    def build(
        self,
        settings: BuildSettings,
        texts: Sequence[Any],
        folder: Path,
        *,
        prompt_words: Sequence[str] = (),
        threads: int,
        progress: Callable[[Iterable], Iterable],
    ) -> dict:
        """Pretrain a tiny model from scratch on `texts`, of the kind's CORPUS, and save it as a Hub-style folder.

        Returns facts for build.json.
        """
        ...


def behaviour_of(kind: str) -> ModelKind:
    """Return the module of a kind of model.

    It is imported by name, so that the digest of a job's code (maple.runtime.code_digests) contains no other kind. The
    rule adds the digest of this module to its params.
    """
    return cast(ModelKind, import_module(f"maple.models.{kind}"))
