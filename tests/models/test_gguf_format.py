"""A tiny LLaMA in a GGUF file becomes a folder of the Hub's form."""

import json

import numpy as np
import pytest

from maple.models import causal
from maple.models.gguf_format import convert
from maple.models.stored_weights import check_stored_weights
from maple.models.tiny import BaseError

pytestmark = pytest.mark.heavy

WIDTH, INNER, TOKENS = 32, 64, ["<unk>", "<s>", "</s>", "a", "b", "ab", "Ġ"]


@pytest.fixture
def file(tmp_path):
    """Return a function that writes the file, which says of a BOS what it is told to."""
    from gguf import GGUFWriter

    def write(add_bos):
        path = tmp_path / "fetched/toy.gguf"
        path.parent.mkdir()
        writer = GGUFWriter(path, "llama")
        writer.add_name("Somebody's title")
        writer.add_block_count(1)
        writer.add_context_length(64)
        writer.add_embedding_length(WIDTH)
        writer.add_feed_forward_length(INNER)
        writer.add_head_count(2)
        writer.add_head_count_kv(2)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_freq_base(10000.0)
        writer.add_vocab_size(len(TOKENS))
        writer.add_tokenizer_model("gpt2")
        writer.add_token_list(TOKENS)
        writer.add_token_types([3, 3, 3, 1, 1, 1, 1])
        writer.add_token_merges(["a b"])
        writer.add_unk_token_id(0)
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_add_bos_token(add_bos)
        shapes = {"token_embd": (len(TOKENS), WIDTH), "output_norm": (WIDTH,), "output": (len(TOKENS), WIDTH)}
        squares = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (WIDTH, WIDTH))
        others = {"attn_norm": (WIDTH,), "ffn_norm": (WIDTH,), "ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH)}
        layer = {f"blk.0.{name}": shape for name, shape in {**squares, **others, "ffn_down": (WIDTH, INNER)}.items()}
        for name, shape in {**shapes, **layer}.items():
            writer.add_tensor(f"{name}.weight", weight(shape))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return write


def weight(shape):
    """Eighths, which bfloat16 has exactly."""
    return (np.arange(np.prod(shape), dtype=np.float32).reshape(shape) % 15 - 7) / 8


@pytest.mark.parametrize("add_bos", [True, False])
def test_weights_config_and_tokenizer_are_those_of_the_file(file, tmp_path, add_bos):
    from transformers import AutoTokenizer

    folder = tmp_path / "hub"
    convert(file(add_bos), folder, name="toy==1.0")
    check_stored_weights(folder, causal)
    model = causal.load(folder, 16)
    assert (model.model.layers[0].mlp.up_proj.weight.detach().float().numpy() == weight((INNER, WIDTH))).all()
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "llama" and config["max_position_embeddings"] == 64 and config["eos_token_id"] == 2
    assert "title" not in (folder / "config.json").read_text()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("ab")["input_ids"] == ([1, 5] if add_bos else [5])
    assert tokenizer.eos_token == "</s>"


def test_what_is_no_gguf_file_is_refused(tmp_path):
    (tmp_path / "toy.gguf").write_bytes(b"E5S1" * 10)
    with pytest.raises(BaseError, match=r"toy.gguf: transformers cannot read it"):
        convert(tmp_path / "toy.gguf", tmp_path / "hub", name="toy==1.0")
