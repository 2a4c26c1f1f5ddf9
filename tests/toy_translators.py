"""Toy translators as Hub-style folders: mBART, M2M100 (NLLB's class) and T5 of random weights, over twenty words."""

import json
from pathlib import Path

WORDS = [
    "the", "sun", "rises", "sets", "in", "east", "west", "good", "bad", "day",
    "jua", "la", "asubuhi", "siku", "njema", "mbaya", "mashariki", "magharibi", "na", "kwa",
]  # fmt: skip
TAGS = ("eng_Latn", "swh_Latn", "deu_Latn")
BOS, PAD, EOS, UNKNOWN = range(4)
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
VOCABULARY = [*SPECIAL, *WORDS, *TAGS]
ARCHITECTURES = ("mbart", "m2m_100")
POSITIONS = 32
SIZES = {
    "vocab_size": len(VOCABULARY), "d_model": 32, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
    "max_position_embeddings": POSITIONS, "bos_token_id": BOS, "pad_token_id": PAD, "eos_token_id": EOS,
    "decoder_start_token_id": EOS, "scale_embedding": True,
    "init_std": 0.3,  # far apart, so that texts differ in their translations
}  # fmt: skip
SIZES_OF_T5 = {
    "vocab_size": len(VOCABULARY), "d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2,
    "pad_token_id": PAD, "eos_token_id": EOS, "decoder_start_token_id": BOS, "initializer_factor": 4.0,
    "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False,
}  # fmt: skip


def save_tokenizer(folder: Path) -> None:
    """Write a tokenizer of words, whose special tokens are those of NLLB and three tags of languages."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {token: number for number, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([*SPECIAL, *TAGS])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "NllbTokenizer", **names}))


def saved(folder: Path, model_type: str = "mbart", ends: float = 0.2, seed: int = 0) -> Path:
    """Write a translator of random weights to `folder`; the larger `ends`, the earlier its translations end."""
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    folder.mkdir(parents=True, exist_ok=True)
    save_tokenizer(folder)
    torch.manual_seed(seed)
    sizes = SIZES_OF_T5 if model_type == "t5" else SIZES
    model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(model_type, **sizes))
    if model_type == "t5":
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight))
        model.save_pretrained(folder)
        return folder
    with torch.no_grad():
        # The logits are products with the embedding: this adds to that of EOS.
        model.model.decoder.layer_norm.bias.add_(ends * model.get_input_embeddings().weight[EOS])
    model.save_pretrained(folder)
    return folder
