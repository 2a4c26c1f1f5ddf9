"""A tiny LLaMA in a GGUF file, whose weights are eighths, which bfloat16 has exactly."""

import numpy as np

WIDTH, INNER, TOKENS = 32, 64, ["<unk>", "<s>", "</s>", "a", "b", "ab", "Ġ"]


def weight(shape):
    return (np.arange(np.prod(shape), dtype=np.float32).reshape(shape) % 15 - 7) / 8


def write_gguf(path, add_bos):
    """Write the file; `add_bos` is what it says of a BOS before a text."""
    from gguf import GGUFWriter

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
