"""A tiny translator, pretrained here by translation, with the tags of mBART-50 or of NLLB-200."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from maple.definitions.local_model import BuildSettings
from maple.embedded.translations import Translation
from maple.models.example import MASKED
from maple.models.language_tags import BUILT_TAGS, tag_of
from maple.models.tiny import Pretraining, train_bpe

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

# The order of the ids, 0 to 3, in all of fairseq's models; transformers' configs have it as their default.
SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")
ROWS = 16  # computed at once, those of like length: with all rows of a step at once most tokens were padding
BOS, PAD, EOS, UNK = range(len(SPECIAL_TOKENS))


def pretraining(settings: BuildSettings) -> Pretraining:
    """Return how a translator of the architecture of `settings` is pretrained."""
    from transformers import AutoModelForSeq2SeqLM

    tags = BUILT_TAGS[settings.architecture["model_type"]]
    return Pretraining(AutoModelForSeq2SeqLM, partial(train_tokenizer, tags), pair_rows, translation_loss)


def train_tokenizer(
    tags: Sequence[str], texts: Iterable[Translation | str], vocabulary: int
) -> "PreTrainedTokenizerFast":
    """Train a byte-level BPE tokenizer with `vocabulary` tokens, tags included, on both sides of translations."""
    from transformers import PreTrainedTokenizerFast

    sides = (side for text in texts for side in ((text,) if isinstance(text, str) else (text.source, text.target)))
    bos, pad, eos, unk = SPECIAL_TOKENS
    return PreTrainedTokenizerFast(
        tokenizer_object=train_bpe(sides, vocabulary, (*SPECIAL_TOKENS, *tags)),
        bos_token=bos,
        eos_token=eos,
        pad_token=pad,
        unk_token=unk,
        additional_special_tokens=list(tags),
        padding_side="right",
    )


def pair_rows(tokenizer: "PreTrainedTokenizerFast", texts: Sequence[Translation], length: int) -> list[list[int]]:
    """Return a row per translation: `tag source </s>`, then `</s> tag target </s>`, each padded to `length` tokens.

    A translation of which a side is longer is left out.
    """
    known = tokenizer.get_vocab()

    def tag(language: str) -> int:
        return known[tag_of(language, {}, known.__contains__)]

    sources, targets = (
        tokenizer([getattr(text, side) for text in texts], add_special_tokens=False)["input_ids"]
        for side in ("source", "target")
    )
    rows = (
        ([tag(text.source_language), *source, EOS], [EOS, tag(text.target_language), *target, EOS])
        for text, source, target in zip(texts, sources, targets, strict=True)
    )
    return [
        [*source, *[PAD] * (length - len(source)), *target, *[PAD] * (length - len(target))]
        for source, target in rows
        if max(len(source), len(target)) <= length
    ]


def translation_loss(model: "PreTrainedModel", batch: "Tensor", generator: "Generator") -> "Tensor":
    """Return the mean loss of the words of the targets and of their ends; tags are not learnt."""
    from torch.nn.functional import cross_entropy

    by_length = batch[(batch != PAD).sum(1).argsort()]
    losses, learnt = [], 0
    for part in by_length.split(ROWS):
        source, target = ((side[:, : int((side != PAD).sum(1).max())]) for side in part.chunk(2, dim=1))
        labels = target[:, 1:].masked_fill(target[:, 1:] == PAD, MASKED)
        labels[:, 0] = MASKED
        logits = model(input_ids=source, attention_mask=(source != PAD).long(), decoder_input_ids=target[:, :-1]).logits
        losses.append(cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=MASKED, reduction="sum"))
        learnt += int((labels != MASKED).sum())
    return sum(losses[1:], losses[0]) / learnt
