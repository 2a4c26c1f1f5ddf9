"""Tiny models: a tokenizer and a network, pretrained here."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.definitions.local_model import BuildSettings, PretrainingSettings
from maple.runtime.devices import device, prepare
from maple.runtime.run_cards import timed

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Generator, Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

# The order of the ids, 0 to 3; LLaMA's names, so that every tool knows them.
SPECIAL_TOKENS = ("<unk>", "<s>", "</s>", "<pad>")


class BaseError(ValueError):
    """A base model cannot be prepared; the message says which file to change."""


@dataclass(frozen=True)
class Pretraining:
    """How a tiny model of one kind is pretrained."""

    auto_class: Any
    """transformers' Auto class of the network that is pretrained."""
    tokenizer: Callable[[Iterable[Any], int], "PreTrainedTokenizerFast"]
    """Trains the tokenizer on texts or translations, with so many tokens."""
    rows: Callable[["PreTrainedTokenizerFast", Sequence[Any], int], list[list[int]]]
    """Returns the rows of tokens to learn from, each of so many tokens."""
    loss: Callable[["PreTrainedModel", "Tensor", "Generator"], "Tensor"]
    """Returns the loss of a batch [rows, tokens], in nats per token; random numbers are the generator's."""


def train_bpe(texts: Iterable[str], vocabulary: int, special_tokens: Sequence[str]) -> "Tokenizer":
    """Train a byte-level BPE with `vocabulary` tokens on `texts`; the special tokens have the first ids."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE(unk_token=None))
    # As LLaMA's: a text starts with a space, so that a word at the start of an answer is the same token as within one.
    bpe.normalizer = normalizers.Prepend(" ")
    # Words with their vowel signs and joiners: ByteLevel's own pattern is GPT-2's and cuts Indic words at every sign.
    # Each digit is a token, as in LLaMA's; all other characters are bytes, so that no script is unknown.
    words = Regex(r" ?[\p{L}\p{M}\u200c\u200d]+| ?\p{N}| ?[^\s\p{L}\p{M}\p{N}]+|\s+")
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bpe.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(special_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return bpe


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> "PreTrainedTokenizerFast":
    """Train a byte-level BPE tokenizer with `vocabulary` tokens on `texts`, for a model that continues texts."""
    from transformers import PreTrainedTokenizerFast

    unk, bos, eos, pad = SPECIAL_TOKENS
    return PreTrainedTokenizerFast(
        tokenizer_object=train_bpe(texts, vocabulary, SPECIAL_TOKENS),
        unk_token=unk,
        bos_token=bos,
        eos_token=eos,
        pad_token=pad,
        padding_side="left",
        add_bos_token=True,
    )


def token_blocks(tokenizer: "PreTrainedTokenizerFast", texts: Sequence[str], length: int) -> list[list[int]]:
    """Return the texts' tokens, each `<s> text </s>`, cut into full blocks of `length`."""
    stream: list[int] = []
    for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]:
        stream += [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    return [stream[start : start + length] for start in range(0, len(stream) - length + 1, length)]


def next_token_loss(model: "PreTrainedModel", batch: "Tensor", generator: "Generator") -> "Tensor":
    """Return the mean loss of predicting each token from those before it."""
    return model(input_ids=batch, labels=batch).loss


def pretrain(
    way: Pretraining,
    settings: BuildSettings,
    texts: Sequence[Any],
    folder: Path,
    *,
    prompt_words: Sequence[str] = (),
    threads: int,
    progress: Callable[[Iterable], Iterable],
) -> dict:
    """Pretrain a small model from scratch and save it as a Hub-style folder in 16-bit weights.

    `texts` are those of the kind's corpus: strings, or translations. `prompt_words` are texts whose words become single
    tokens, although the model never reads these texts. Returns what is also written to build.json: parameters, tokens
    seen (without padding, by the mean of the rows), the first and the last loss in nats per token, and what `timed`
    measures. Raises BaseError if the loss is not finite.
    """
    import torch
    from transformers import AutoConfig, GenerationConfig

    training = settings.training
    prepare(threads, training.seed)
    with timed({}) as card:
        # A hundred times each (our choice): the texts hold few of these words, and rare words are not merged.
        tokenizer = way.tokenizer([*texts, *(words for words in prompt_words for _ in range(100))], settings.vocabulary)
        tokens = _special_ids(tokenizer)
        config = AutoConfig.for_model(**settings.architecture, vocab_size=len(tokenizer), **tokens)
        if config.is_encoder_decoder:
            tokens["decoder_start_token_id"] = config.decoder_start_token_id = tokenizer.eos_token_id  # fairseq's
        model = way.auto_class.from_config(config, dtype=torch.float32).to(device())
        rows = torch.tensor(way.rows(tokenizer, texts, training.length))
        padding: Any = tokenizer.pad_token_id
        losses = _train(model, rows, way.loss, training, progress)
        if not math.isfinite(losses[-1]):
            raise BaseError(f"the loss became {losses[-1]}; lower learning_rate under build.training")
        if model.can_generate():
            model.generation_config = GenerationConfig(**tokens)
        model.to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        card |= {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "tokens": round(training.steps * training.batch * rows.ne(padding).sum().item() / len(rows)),
            "first_loss": round(losses[0], 4),
            "last_loss": round(sum(losses[-20:]) / len(losses[-20:]), 4),
        }
    (folder / "build.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def _special_ids(tokenizer: "PreTrainedTokenizerFast") -> dict[str, Any]:
    """Return the ids of the special tokens by the keys of a config, which has defaults for those of every model."""
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad", "cls", "sep")}
    return {key: number for key, number in ids.items() if number is not None or key in ("bos_token_id", "eos_token_id")}


def _train(
    model: "PreTrainedModel",
    data: "Tensor",
    loss_of: Callable[["PreTrainedModel", "Tensor", "Generator"], "Tensor"],
    training: PretrainingSettings,
    progress: Callable,
) -> list[float]:
    """Train on random rows of `data`, [rows, tokens]; return the loss of every step in nats per token."""
    import torch

    generator = torch.Generator().manual_seed(training.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=training.learning_rate, weight_decay=0.01, fused=True)
    losses = []
    model.train()
    for step in progress(range(training.steps)):
        batch = data[torch.randint(len(data), (training.batch,), generator=generator)].to(model.device)
        for group in optimizer.param_groups:
            group["lr"] = training.learning_rate * _schedule(step, training.steps)
        loss = loss_of(model, batch, generator)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return losses


def _schedule(step: int, steps: int, warmup: float = 0.05) -> float:
    """Return the share of the learning rate at a step: a linear rise, then half a cosine down to a tenth."""
    rise = max(1, int(steps * warmup))
    if step < rise:
        return (step + 1) / rise
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
