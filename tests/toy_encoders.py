"""Tiny encoders of several architectures, as masked language models: bases without the head of a classifier."""

import json
from pathlib import Path
from typing import Any

SIZE: dict[str, Any] = {
    "vocab_size": 40, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "max_position_embeddings": 64, "pad_token_id": 0, "initializer_range": 0.2,
}  # fmt: skip
DISENTANGLED = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
# The keys of each config, by model_type.
ENCODERS: dict[str, dict[str, Any]] = {
    "albert": SIZE | {"embedding_size": 16},
    "bert": SIZE,
    "deberta": SIZE | DISENTANGLED,
    "deberta-v2": SIZE | DISENTANGLED | {"position_buckets": 8},
    "distilbert": {
        "vocab_size": 40, "dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 64,
        "pad_token_id": 0, "initializer_range": 0.2,
    },
    "electra": SIZE | {"embedding_size": 16},
    "modernbert": SIZE
    | {"global_attn_every_n_layers": 2, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3},
    "roberta": SIZE | {"type_vocab_size": 1},
    "xlm-roberta": SIZE | {"type_vocab_size": 1},
}  # fmt: skip
# The modules of each head.
HEADS = {
    "albert": ["albert.pooler", "classifier"],
    "bert": ["bert.pooler", "classifier"],
    "deberta": ["classifier", "pooler"],
    "deberta-v2": ["classifier", "pooler"],
    "distilbert": ["classifier", "pre_classifier"],
    "electra": ["classifier"],
    "modernbert": ["classifier", "head"],
    "roberta": ["classifier"],
    "xlm-roberta": ["classifier"],
}
LABELS = ["sad", "glad", "odd"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def build(name: str, folder: Path) -> Path:
    """Save a tiny base and a tokenizer of letters (a is 5, b is 6) as a Hub-style folder, in bfloat16."""
    import torch
    from transformers import AutoConfig, AutoModelForMaskedLM

    torch.manual_seed(1)
    folder.mkdir(parents=True, exist_ok=True)
    model = AutoModelForMaskedLM.from_config(AutoConfig.for_model(name, **ENCODERS[name]))
    model.to(torch.bfloat16).save_pretrained(folder)
    save_letters(folder)
    return folder


def save_letters(folder: Path) -> None:
    """Save a tokenizer that makes `[CLS] a [SEP] b [SEP]` of a pair, each letter a token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *"abcdefghijklmnopqrstuvwxyz []CLS"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {f"{name[1:-1].lower()}_token": name for name in SPECIAL}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **names}))


def with_head(base: Path, folder: Path, labels: list[str] | None = None, seed: int = 1) -> Path:
    """Draw a head for the labels; return its folder."""
    from maple.models import encoder
    from maple.models.head_folder import draw_head

    folder.mkdir(parents=True)
    draw_head(base, folder, kind=encoder, labels=labels or LABELS, seed=seed, threads=1)
    return folder
