"""Tiny models of many architectures, with random weights that are far from zero, so that all parts matter."""

import json
from pathlib import Path
from typing import Any

SIZE: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 32, "max_position_embeddings": 128,
}  # fmt: skip
TOKENS = {"vocab_size": 100, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}
GPT = {"n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 128}
WINDOW = {"sliding_window": 6}  # the toy texts are longer
MOE = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64}
FALCON = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
YARN = {
    "rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0, "original_max_position_embeddings": 64, "beta_fast": 32.0,
    "beta_slow": 1.0, "truncate": False,
}  # fmt: skip
MAMBA = {"hidden_size": 64, "num_hidden_layers": 2, "state_size": 4}
MLA = {
    "n_routed_experts": 8, "n_group": 1, "topk_group": 1, "q_lora_rank": 16, "kv_lora_rank": 16, "head_dim": 8,
    "qk_rope_head_dim": 8, "qk_nope_head_dim": 24, "v_head_dim": 32, "num_key_value_heads": 2,
    "first_k_dense_replace": 1, "n_shared_experts": 1,
}  # fmt: skip
# The keys of each config, by model_type; the second Falcon is named by its variant.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "apertus": SIZE,
    "arcee": SIZE,
    "bamba": SIZE
    | {"attn_layer_indices": [1], "mamba_n_heads": 4, "mamba_d_head": 32, "mamba_d_state": 4, "mamba_n_groups": 1,
       "mamba_chunk_size": 8},
    "bloom": {"hidden_size": 64, "n_layer": 2, "n_head": 2},
    "cohere": SIZE | {"logit_scale": 1.0},
    "cohere2": SIZE | WINDOW | {"logit_scale": 1.0},
    "deepseek_v3": SIZE | MOE | MLA,
    "ernie4_5": SIZE,
    "exaone4": SIZE | WINDOW,
    "falcon": FALCON | {"alibi": False},
    "falcon-rw": FALCON | {"alibi": True, "new_decoder_architecture": False, "multi_query": False},
    "falcon_h1": SIZE
    | {"mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 4, "mamba_n_groups": 1,
       "mamba_chunk_size": 8},
    "falcon_mamba": MAMBA,
    "gemma": SIZE,
    "gemma2": SIZE
    | WINDOW
    | {"query_pre_attn_scalar": 32, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
    "gemma3_text": SIZE | WINDOW | {"query_pre_attn_scalar": 32},
    "glm": SIZE,
    "glm4": SIZE,
    "gpt2": GPT,
    "gpt_bigcode": GPT,
    "gpt_neo": {"hidden_size": 64, "num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]],
                "window_size": 6, "max_position_embeddings": 128},
    "gpt_neox": {key: value for key, value in SIZE.items() if key not in ("head_dim", "num_key_value_heads")},
    "gpt_oss": SIZE | MOE | WINDOW | {"rope_parameters": YARN},
    "gptj": GPT | {"rotary_dim": 16},
    "granite": SIZE,
    "granitemoe": SIZE | MOE,
    "helium": SIZE,
    "hunyuan_v1_dense": SIZE,
    "jamba": SIZE
    | MOE
    | {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1,
       "use_mamba_kernels": False, "mamba_d_state": 4, "mamba_dt_rank": 4},
    "lfm2": SIZE | {"layer_types": ["conv", "full_attention"], "block_multiple_of": 8},
    "llama": SIZE,
    "llama4_text": SIZE
    | MOE
    | {"intermediate_size_mlp": 64, "attention_chunk_size": 6, "moe_layers": [0, 1], "no_rope_layers": [1, 0],
       "layer_types": ["chunked_attention", "full_attention"]},
    "mamba": MAMBA,
    "mamba2": MAMBA | {"num_heads": 4, "head_dim": 32, "n_groups": 1, "chunk_size": 8},
    "mistral": SIZE | WINDOW,
    "mixtral": SIZE | MOE | {"sliding_window": None},
    "mpt": {"d_model": 64, "n_layers": 2, "n_heads": 2, "max_seq_len": 128},
    "nemotron": SIZE,
    "olmo2": SIZE,
    "olmo3": SIZE | WINDOW,
    "olmoe": SIZE | MOE,
    "opt": {"hidden_size": 64, "word_embed_proj_dim": 64, "ffn_dim": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "max_position_embeddings": 128},
    "phi": SIZE,
    "phi3": SIZE,
    "qwen2": SIZE,
    "qwen2_moe": SIZE | MOE | {"shared_expert_intermediate_size": 64},
    "qwen3": SIZE,
    "qwen3_moe": SIZE | MOE,
    "qwen3_next": SIZE
    | MOE
    | {"layer_types": ["linear_attention", "full_attention"], "shared_expert_intermediate_size": 64,
       "linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 16, "linear_value_head_dim": 16},
    "seed_oss": SIZE | {"attention_dropout": 0.0, "residual_dropout": 0.0},
    "smollm3": SIZE,
    "stablelm": SIZE,
    "starcoder2": SIZE,
    "xglm": {"d_model": 64, "ffn_dim": 64, "num_layers": 2, "attention_heads": 2, "max_position_embeddings": 128},
}  # fmt: skip


def model_type_of(name: str) -> str:
    """Return transformers' model_type of a toy architecture."""
    return name.split("-")[0]


def build(name: str, folder: Path) -> None:
    """Save a tiny model and a tokenizer of letters as a Hub-style folder, its weights as bfloat16 has them."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(1)
    config = AutoConfig.for_model(model_type_of(name), **ARCHITECTURES[name], **TOKENS)
    for key in ("initializer_range", "init_std"):
        if hasattr(config, key):
            setattr(config, key, 0.15)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    generator = torch.Generator().manual_seed(7)
    for part, parameter in model.named_parameters():
        if part.endswith(("bias", "sinks")):  # which start at 0
            parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    model.to(torch.bfloat16).save_pretrained(folder)
    _save_letters(folder)


def _save_letters(folder: Path) -> None:
    """Save a tokenizer that knows letters: a..z are tokens 4..29."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    special = ["<unk>", "<s>", "</s>", "<pad>"]
    vocabulary = {token: number for number, token in enumerate([*special, *"abcdefghijklmnopqrstuvwxyz \n#:"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
