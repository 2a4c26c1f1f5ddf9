"""Tiny translators with random weights: an mBART-50, an NLLB and a MADLAD, whose tokens are letters."""

import json
from pathlib import Path
from typing import Any

import polars as pl
from toy_training import variant

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
START, PAD, EOS, UNK = range(4)
LETTERS = [*"abcdefghijklmnopqrstuvwxyz ._LXENIT"]
# The tags of each, by language; their ids are those behind the letters. T5's architecture has them in front of sources.
TAGS = {
    "mbart": {"eng_Latn": "en_XX", "swh_Latn": "sw_KE", "tel_Telu": "te_IN"},
    "m2m_100": {"eng_Latn": "eng_Latn", "swh_Latn": "swh_Latn", "tel_Telu": "tel_Telu"},
    "t5": {"eng_Latn": "<2en>", "swh_Latn": "<2sw>", "tel_Telu": "<2te>"},
}
TAGGED = ("mbart", "m2m_100")
SIZE: dict[str, Any] = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 64,
    "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "init_std": 0.2,
    "decoder_start_token_id": EOS,
}  # fmt: skip
SIZE_OF_T5: dict[str, Any] = {
    "d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "dropout_rate": 0.0, "n_positions": 8,
    "decoder_start_token_id": START, "pad_token_id": PAD, "eos_token_id": EOS, "tie_word_embeddings": False,
    "feed_forward_proj": "gated-gelu",
}  # fmt: skip
TEXTS = {"aab": "bba", "abc": "cba", "bbc": "cbb", "cab": "bac", "acc": "cca", "bca": "acb"}


def tag_ids(name: str) -> dict[str, int]:
    """Return the ids of the tags, by language."""
    first = len(SPECIAL) + len(LETTERS)
    return {code: first + place for place, code in enumerate(TAGS[name])}


def build(name: str, folder: Path, **config: Any) -> Path:
    """Save a tiny translator of an architecture and a tokenizer of letters (a is 4, b is 5) as a Hub-style folder."""
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    torch.manual_seed(1)
    folder.mkdir(parents=True, exist_ok=True)
    size = len(SPECIAL) + len(LETTERS) + len(TAGS[name])
    settings = {"vocab_size": size, **(SIZE_OF_T5 if name == "t5" else SIZE), **config}
    model = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model(name, **settings))
    if name == "t5":  # its config does not tie them, and transformers ties what is equal in a file
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight))
    if hasattr(model, "final_logits_bias"):
        model.final_logits_bias.normal_(std=0.1)
    model.to(torch.bfloat16).save_pretrained(folder)
    save_letters(folder, list(TAGS[name].values()))
    return folder


def save_letters(folder: Path, tags: list[str]) -> None:
    """Save a tokenizer whose tokens are letters."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *LETTERS, *tags])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([*SPECIAL, *tags])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **names}))


def pairs(*texts: tuple[str, str], target: str = "swh_Latn", source: str = "eng_Latn") -> pl.DataFrame:
    """Return examples of translations."""
    return pl.DataFrame(
        [
            {
                "id": f"{source}-{number}", "language": target, "instruction": text, "input": "", "output": translation,
                "texts": [text], "source_language": source, "target_language": target, "domain": "letters",
            }
            for number, (text, translation) in enumerate(texts)
        ]
    )  # fmt: skip


ROWS = pl.concat([pairs(*TEXTS.items()), pairs(*TEXTS.items(), source="swh_Latn", target="eng_Latn")])


def lora(bits: int = 16, **training):
    adapter = {"r": 4, "lora_alpha": 8, "target_modules": r".*\.(q|v|q_proj|v_proj)"}
    return variant(
        "LORA", bits, adapter, **({"batch_tokens": 120, "micro_batch_tokens": 60, "max_length": 40} | training)
    )


def trained(base: Path, folder: Path, method, *, rows: pl.DataFrame = ROWS, save_steps: int = 50, processes=1, **model):
    """Train on the rows to `folder`/adapter, with its checkpoints beside it; return the run card."""
    from functools import partial

    from maple.definitions.local_model import PathModel
    from maple.runtime.files import write_parquet
    from maple.runtime.processes import on_processes
    from maple.training.checkpoints import CheckpointPlan
    from maple.training.finetuning import finetune

    (folder / "adapter").mkdir(parents=True, exist_ok=True)
    write_parquet(rows, folder / "mixture.parquet")
    write_parquet(ROWS, folder / "held_out.parquet")
    return (finetune if processes == 1 else partial(on_processes, processes, finetune))(
        base,
        folder / "mixture.parquet",
        folder / "held_out.parquet",
        folder / "adapter",
        method=method,
        model=PathModel(path="toy", kind="seq2seq", **model),
        seed=1,
        threads=1,
        checkpoints=CheckpointPlan(folder / "checkpoints", save_steps),
        code=["toy"],
    )
