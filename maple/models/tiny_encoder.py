"""A tiny encoder, pretrained here by masked language modelling (BERT, Devlin et al. 2019, arXiv 1810.04805)."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from maple.models.example import MASKED
from maple.models.tiny import train_bpe

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

# The order of the ids, 0 to 4; BERT's names.
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, _, CLS, SEP, MASK = range(len(SPECIAL_TOKENS))
# 30 % of the tokens are to be told, as for ModernBERT (Warner et al. 2024, arXiv 2412.13663); of these
# 80 % are hidden by [MASK], 10 % stand as another token, and 10 % stay (Devlin et al., section 3.1).
TOLD, HIDDEN, REPLACED = 0.3, 0.8, 0.1


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> "PreTrainedTokenizerFast":
    """Train a byte-level BPE tokenizer with `vocabulary` tokens, which makes `[CLS] a [SEP] b [SEP]` of a pair."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    bpe = train_bpe(texts, vocabulary, SPECIAL_TOKENS)
    bpe.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        padding_side="right",
    )


def text_rows(tokenizer: "PreTrainedTokenizerFast", texts: Sequence[str], length: int) -> list[list[int]]:
    """Return rows `[CLS] text [SEP] text [SEP] ...` of as many whole texts as fit into `length` tokens, padded to it.

    A text that is longer is cut.
    """
    rows: list[list[int]] = []
    for ids in tokenizer(list(texts), truncation=True, max_length=length)["input_ids"]:
        if rows and len(rows[-1]) + len(ids) - 1 <= length:
            rows[-1] += ids[1:]
        else:
            rows.append(ids)
    return [row + [PAD] * (length - len(row)) for row in rows]


def masked_token_loss(model: "PreTrainedModel", batch: "Tensor", generator: "Generator") -> "Tensor":
    """Return the mean loss of telling the masked tokens of a batch from those around them."""
    inputs, labels = masked(batch, model.config.vocab_size, generator)
    return model(input_ids=inputs, attention_mask=(batch != PAD).long(), labels=labels).loss


def masked(batch: "Tensor", vocabulary: int, generator: "Generator") -> "tuple[Tensor, Tensor]":
    """Return a batch [rows, tokens] with tokens masked, and its labels: the tokens to be told, -100 for the others.

    Special tokens are not to be told.
    """
    import torch

    chance = torch.rand(batch.shape, generator=generator).to(batch.device)
    others = torch.randint(len(SPECIAL_TOKENS), vocabulary, batch.shape, generator=generator).to(batch.device)
    told = (chance < TOLD) & (batch >= len(SPECIAL_TOKENS))
    inputs = batch.masked_fill(told & (chance < TOLD * HIDDEN), MASK)
    replaced = told & (chance >= TOLD * HIDDEN) & (chance < TOLD * (HIDDEN + REPLACED))
    return torch.where(replaced, others, inputs), batch.masked_fill(~told, MASKED)
