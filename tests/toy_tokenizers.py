"""Toy tokenizers of several kinds, as Hub-style folders; their ids 0 to 3 are <unk>, <s>, </s> and <pad>."""

import json
from pathlib import Path

SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]
TURNS = ["<|im_start|>", "<|im_end|>"]
WORDS = ["say", "yes", "no", "hm", "How", "many", "user", "assistant", "Question", "Answer"]
KINDS = ("llama", "gpt2", "unigram")

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MARKED = (
    "{% for message in messages %}{% if message.role == 'assistant' %}<|im_start|>assistant\n"
    "{% generation %}{{ message.content }}<|im_end|>{% endgeneration %}\n"
    "{% else %}<|im_start|>user\n{{ message.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# As LLaMA-2's, which writes the BOS before each turn of the user, and spaces around what is said.
LLAMA = (
    "{% for message in messages %}{% if message.role == 'system' %}{{ raise_exception('no system role') }}"
    "{% elif message.role == 'user' %}{{ bos_token }}[INST] {{ message.content | trim }} [/INST]"
    "{% else %} {{ message.content | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)
ONE_TURN = "{% if messages | length > 1 %}{{ raise_exception('one message only') }}{% endif %}{{ messages[0].content }}"


def _pieces(text: str) -> list[tuple[str, str]]:
    """Return the merges that build a text from the left."""
    return [(text[:end], text[end]) for end in range(1, len(text))]


def _bpe(space: str, byte_tokens: list[str], characters: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return vocabulary and merges of a BPE in which words are tokens, alone and after a space."""
    merges = list(dict.fromkeys(pair for word in WORDS for pair in _pieces(word))) + [(space, word) for word in WORDS]
    tokens = [*SPECIAL, *byte_tokens, space, *characters, *("".join(pair) for pair in merges)]
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}, merges


def _tokenizer(kind: str):
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    characters = "".join(chr(number) for number in range(33, 127))
    if kind == "unigram":
        pieces = [*SPECIAL, "▁", *characters, "\n", *(f"▁{word}" for word in WORDS)]
        scores = [0.0 if piece in SPECIAL else -float(5 if len(piece) == 1 else 2) for piece in pieces]
        tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=0, byte_fallback=False))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    elif kind == "llama":
        vocabulary, merges = _bpe("▁", [f"<0x{number:02X}>" for number in range(256)], characters)
        tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        tokenizer.decoder = decoders.Sequence(steps)
    else:
        vocabulary, merges = _bpe("Ġ", sorted(pre_tokenizers.ByteLevel.alphabet()), "")
        tokenizer = Tokenizer(models.BPE(vocabulary, merges))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def saved(
    kind: str,
    folder: Path,
    *,
    template: str | None = None,
    end: bool = False,
    picture: bool = False,
    **names: str | None,
) -> Path:
    """Write a tokenizer to `folder`: llama and unigram put one BOS before a text (and with `end` an EOS after it).

    With `picture` its last token is a special one that no template writes.
    """
    from tokenizers import AddedToken
    from tokenizers.processors import TemplateProcessing

    tokenizer = _tokenizer(kind)
    tokenizer.add_special_tokens([*SPECIAL, *TURNS])
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    if kind == "gpt2":
        tokenizer.add_tokens([AddedToken("    ", special=False, normalized=False)])
    else:
        single = "<s> $A </s>" if end else "<s> $A"
        tokenizer.post_processor = TemplateProcessing(single=single, special_tokens=[("<s>", 1), ("</s>", 2)])
    if picture:
        tokenizer.add_special_tokens(["<picture>"])
    folder.mkdir(exist_ok=True, parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    stated = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"} | names
    stated |= {"tokenizer_class": "PreTrainedTokenizerFast", "additional_special_tokens": TURNS}
    (folder / "tokenizer_config.json").write_text(json.dumps(stated))
    # By default one that writes the markup of thoughts, which is no special token.
    (folder / "chat_template.jinja").write_text(template or "<think>{{ messages[0].content }}")
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": tokenizer.get_vocab_size()}))
    return folder
