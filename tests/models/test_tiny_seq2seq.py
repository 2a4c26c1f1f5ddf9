"""Tiny translators: what they are pretrained on, and that they are bases like others."""

import pytest

from maple.definitions.local_model import BuiltModel
from maple.embedded.translations import Translation, documents
from maple.models import seq2seq
from maple.models.translation_text import Seq2SeqEncoder
from maple.runtime.files import read_json

WORDS = {
    code: {"code": code, "iso639_1": short, "script": "Latn"}
    for code, short in (("eng_Latn", "en"), ("deu_Latn", "de"), ("spa_Latn", "es"))
}
SIZE = {
    "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64,
    "tie_word_embeddings": True,
}  # fmt: skip


def model(model_type="mbart", **keys):
    build = {
        "vocabulary": 600,
        "architecture": {"model_type": model_type, **SIZE},
        "documents": 120,
        "languages": ["eng_Latn", "deu_Latn", "spa_Latn"],
        "training": {"steps": 4, "batch": 8, "length": 32, "learning_rate": 1e-3, "seed": 1},
    }
    return BuiltModel(kind="seq2seq", build=build, **keys)


def test_a_corpus_has_both_directions_of_every_language_and_the_same_each_time():
    pairs = list(documents(WORDS, 240, 1))
    assert 220 <= len(pairs) <= 240 and pairs == list(documents(WORDS, 240, 1))
    directions = {(pair.source_language, pair.target_language) for pair in pairs}
    assert directions == {(a, b) for a in WORDS for b in WORDS if (a == "eng_Latn") != (b == "eng_Latn")}
    said = {(pair.source_language, pair.source, pair.target) for pair in pairs}
    assert ("eng_Latn", "Germany", "Deutschland") in said or ("deu_Latn", "Deutschland", "Germany") in said


def test_a_corpus_says_nothing_that_a_test_row_says():
    learnt, asked = (
        {text for pair in documents(WORDS, 1200, 1, split) for text in (pair.source, pair.target)}
        for split in ("train", "test")
    )
    alone = {"German", "Germany", "Euro", "Monday"}  # names that stand alone are in all splits
    texts = {text for text in learnt & asked if text.startswith("1") or "," in text}
    assert alone <= learnt and not texts


def test_a_pair_turned_twice_is_the_same():
    pair = Translation("yes", "ja", "eng_Latn", "deu_Latn")
    assert pair.turned == Translation("ja", "yes", "deu_Latn", "eng_Latn") and pair.turned.turned == pair


@pytest.mark.heavy
def test_the_pretraining_loss_is_that_of_finetuning_whatever_the_order_of_the_rows(tmp_path):
    import torch

    from maple.models.base_folder import prepare_base
    from maple.models.tiny_seq2seq import pair_rows, translation_loss

    settings = {"fetched": None, "lengths": {}, "threads": 1, "progress": iter}
    prepare_base(model(), tmp_path, phrases=WORDS, **settings)
    encoder, network = Seq2SeqEncoder.of(tmp_path), seq2seq.load(tmp_path, 16).eval()
    pairs = list(documents(WORDS, 40, 2))
    rows = torch.tensor(pair_rows(tokenizer_of(tmp_path), pairs, 60))
    examples = [
        seq2seq.encode(
            {
                "language": pair.target_language, "texts": [pair.source], "output": pair.target,
                "source_language": pair.source_language, "target_language": pair.target_language,
            },
            encoder,
        )
        for pair in pairs
    ]  # fmt: skip
    with torch.no_grad():
        expected = seq2seq.losses(network, seq2seq.collate(examples, encoder.pad))[0].mean()
        for batch in (rows, rows.flip(0)):
            assert translation_loss(network, batch, torch.Generator()).item() == pytest.approx(expected.item(), 1e-4)


def tokenizer_of(folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.heavy
@pytest.mark.parametrize(("model_type", "tag"), [("mbart", "de_DE"), ("m2m_100", "deu_Latn")])
def test_a_tiny_translator_is_a_base_with_the_tags_of_its_family_and_may_get_a_new_one(model_type, tag, tmp_path):
    from maple.models.base_folder import prepare_base

    definition = model(model_type, new_tags={"xyz_Latn": tag})
    prepare_base(definition, tmp_path, phrases=WORDS, fetched=None, lengths={}, threads=1, progress=iter)
    encoder = seq2seq.encoder_of(tmp_path, definition)
    assert encoder.tokenizer.token(encoder.tag("deu_Latn")) == tag
    assert encoder.tag("xyz_Latn") == read_json(tmp_path / "config.json")["vocab_size"] - 1 == 600
    assert encoder.forced_start("deu_Latn") == [encoder.eos, encoder.tag("deu_Latn")]
    network = seq2seq.load(tmp_path, 16)
    assert network.get_input_embeddings().weight.shape[0] == 601
    made = read_json(tmp_path / "build.json")
    assert made["tokens"] > 0 and made["last_loss"] < 10
    text = "Zürich 125 天 ፫"
    assert encoder.text(encoder.target(text)) == text, "bytes: no character is unknown"
