"""A tiny encoder, pretrained here by masked language modelling (BERT, Devlin et al. 2019, arXiv 1810.04805)."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from maple.models.tiny import train_bpe

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

# The order of the ids, 0 to 4; BERT's names.
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, _, CLS, SEP, MASK = range(len(SPECIAL_TOKENS))
# Section 3.1 of the paper: 15 % of the tokens are to be told; of these 80 % are hidden by [MASK], 10 % stand as another
# token, and 10 % stay.
TOLD, HIDDEN, REPLACED = 0.15, 0.8, 0.1


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
    """Return a row `[CLS] text [SEP]` for each text, as a classifier reads it, cut and padded to `length` tokens."""
    encoded = tokenizer(list(texts), truncation=True, max_length=length, padding="max_length")
    return encoded["input_ids"]


def masked_token_loss(model: "PreTrainedModel", batch: "Tensor", generator: "Generator") -> "Tensor":
    """Return the mean loss of telling the masked tokens of a batch from those around them.

    The output layer is computed at these alone: at this size it is half of the work.
    """
    from torch.nn.functional import cross_entropy

    batch = batch[:, : int((batch != PAD).sum(1).max())]
    inputs, told = masked(batch, model.config.vocab_size, generator)
    network: Any = model
    states = network.base_model(input_ids=inputs, attention_mask=(batch != PAD).long()).last_hidden_state
    return cross_entropy(network.cls(states[told]), batch[told])


def masked(batch: "Tensor", vocabulary: int, generator: "Generator") -> "tuple[Tensor, Tensor]":
    """Return a batch [rows, tokens] with tokens masked, and which of its tokens are to be told.

    Special tokens are none of them.
    """
    import torch

    chance = torch.rand(batch.shape, generator=generator).to(batch.device)
    others = torch.randint(len(SPECIAL_TOKENS), vocabulary, batch.shape, generator=generator).to(batch.device)
    told = (chance < TOLD) & (batch >= len(SPECIAL_TOKENS))
    inputs = batch.masked_fill(told & (chance < TOLD * HIDDEN), MASK)
    replaced = told & (chance >= TOLD * HIDDEN) & (chance < TOLD * (HIDDEN + REPLACED))
    return torch.where(replaced, others, inputs), told
