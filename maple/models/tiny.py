"""Tiny models: a tokenizer and a causal language model, pretrained on the spot."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

# The order of the ids, 0 to 3; LLaMA's names, so that every tool knows them.
SPECIAL_TOKENS = ("<unk>", "<s>", "</s>", "<pad>")


class BaseError(ValueError):
    """A base model that cannot be had; the message says which file to change."""


def train_tokenizer(documents: Iterable[str], vocabulary: int):
    """Train a byte-level BPE tokenizer with `vocabulary` tokens on `documents`."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE(unk_token=None))
    # As in LLaMA's, a text starts with a space: an answer then starts with the token that the word has in a sentence.
    bpe.normalizer = normalizers.Prepend(" ")
    # Words with their vowel signs and joiners: ByteLevel's own pattern is GPT-2's and cuts Indic words at every sign.
    # Digits stand alone, as LLaMA has them; what is left is bytes, so that no script is ever unknown.
    words = Regex(r" ?[\p{L}\p{M}\u200c\u200d]+| ?\p{N}| ?[^\s\p{L}\p{M}\p{N}]+|\s+")
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bpe.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(documents, trainer)
    unk, bos, eos, pad = SPECIAL_TOKENS
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, unk_token=unk, bos_token=bos, eos_token=eos, pad_token=pad, padding_side="left"
    )


def blocks(tokenizer, documents: list[str], length: int) -> "list[list[int]]":
    """Return the documents' tokens, each `<s> text </s>`, cut into full blocks of `length`."""
    stream: list[int] = []
    for ids in tokenizer(documents, add_special_tokens=False)["input_ids"]:
        stream += [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    return [stream[start : start + length] for start in range(0, len(stream) - length + 1, length)]


def build(
    definition: dict,
    documents: Iterator[str],
    folder: Path,
    *,
    known: Sequence[str] = (),
    threads: int,
    progress: Callable[[Iterable], Iterable],
) -> dict:
    """Pretrain a small model from scratch on `documents` and save it as a Hub-style folder in 16-bit weights.

    `definition` is the `build:` block of a model's file: `vocabulary` (tokens), `architecture` (the keys of the
    transformers config class, `model_type` among them), `training` (steps, batch in blocks, length in tokens,
    learning_rate, seed); `known` are texts that the tokenizer shall have words for. Returns the card: parameters, loss
    in nats a token, tokens seen.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

    from maple.runtime.devices import device, prepare
    from maple.runtime.run_cards import timed

    training = definition["training"]
    prepare(threads, training["seed"])
    with timed({}) as card:
        texts = list(documents)
        # A hundred times each (our choice), so that their words are merged although the documents hold few of them.
        tokenizer = train_tokenizer([*texts, *(text for text in known for _ in range(100))], definition["vocabulary"])
        tokens = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}
        config = AutoConfig.for_model(**definition["architecture"], vocab_size=len(tokenizer), **tokens)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).to(device())
        data = torch.tensor(blocks(tokenizer, texts, training["length"]))
        generator = torch.Generator().manual_seed(training["seed"])
        optimizer = torch.optim.AdamW(model.parameters(), lr=training["learning_rate"], weight_decay=0.01, fused=True)
        steps = training["steps"]
        losses = []
        model.train()
        for step in progress(range(steps)):
            batch = data[torch.randint(len(data), (training["batch"],), generator=generator)].to(model.device)
            for group in optimizer.param_groups:
                group["lr"] = training["learning_rate"] * _schedule(step, steps)
            loss = model(input_ids=batch, labels=batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise BaseError(f"the loss became {losses[-1]}; lower learning_rate under build.training")
        model.generation_config = GenerationConfig(**tokens)
        model.to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        card |= {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "tokens": steps * training["batch"] * training["length"],
            "first_loss": round(losses[0], 4),
            "last_loss": round(sum(losses[-20:]) / len(losses[-20:]), 4),
        }
    (folder / "build.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def _schedule(step: int, steps: int, warmup: float = 0.05) -> float:
    """Return the share of the learning rate at a step: a linear rise, then half a cosine down to a tenth."""
    rise = max(1, int(steps * warmup))
    if step < rise:
        return (step + 1) / rise
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
