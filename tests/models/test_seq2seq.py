"""Translators: what they read and write, how languages are marked, and what is learnt of a translation."""

import json
import shutil

import pytest
from toy_letters import EOS, PAD, START, TAGGED, TAGS, build, pairs, tag_ids

from maple.models import seq2seq
from maple.models.architectures import ARCHITECTURES, TRANSLATOR
from maple.models.language_tags import M2M100, MBART50, NLLB200, Tags, UnknownTagError, published_tags, tag_of, tags_in
from maple.models.limits import LIKE_T5
from maple.models.sentencepiece_files import write_tokenizer_json
from maple.models.tiny import BaseError
from maple.models.translation_text import Seq2SeqEncoder, prepare_translation_tokenizer
from maple.training.batches import encode, masked, micro_batches

A, B, C = 4, 5, 6
NAMES = list(TAGS)
EACH = pytest.mark.parametrize("name", NAMES)
BOTH = pytest.mark.parametrize("name", TAGGED)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A tiny translator of each architecture, by its name."""
    folder = tmp_path_factory.mktemp("translators")
    return {name: build(name, folder / name) for name in NAMES}


def example(base, source="aab", target="ba", **languages):
    return seq2seq.encode(pairs((source, target), **languages).row(0, named=True), Seq2SeqEncoder.of(base))


def test_every_architecture_of_the_table_that_translates_is_measured():
    translators = {name for name, facts in ARCHITECTURES.items() if facts is TRANSLATOR}
    assert translators == {*TAGGED, *LIKE_T5} and set(NAMES) == {*TAGGED, "t5"}


@pytest.mark.parametrize(
    ("code", "tags"),
    [
        ("eng_Latn", ("en_XX", "__en__", "eng_Latn")),
        ("tel_Telu", ("te_IN", None, "tel_Telu")),
        ("isl_Latn", (None, "__is__", "isl_Latn")),
        ("zho_Hant", (None, "__zh__", "zho_Hant")),
        ("nob_Latn", (None, "__no__", "nob_Latn")),
        ("xyz_Latn", (None, None, None)),
    ],
)
def test_a_language_has_the_tag_of_each_family_or_none(code, tags):
    families = (MBART50, [f"__{short}__" for short in M2M100.values()], NLLB200)
    for family, tag in zip(families, tags, strict=True):
        if tag is None:
            with pytest.raises(
                UnknownTagError, match=rf"no tag of {code}; write the tag of a related language .* under tags"
            ):
                tag_of(code, {}, family.__contains__)
        else:
            assert tag_of(code, {}, family.__contains__) == tag


def test_a_language_borrows_the_tag_that_the_file_names_and_no_other():
    assert tag_of("kan_Knda", {"kan_Knda": "te_IN"}, MBART50.__contains__) == "te_IN"
    assert tag_of("kan_Knda", {"kan_Knda": "en"}, {"__en__"}.__contains__) == "__en__"
    with pytest.raises(UnknownTagError, match=r"tags\.kan_Knda: 'te' is no tag of the model"):
        tag_of("kan_Knda", {"kan_Knda": "te"}, MBART50.__contains__)


def test_published_models_are_known_by_their_type_and_the_size_of_their_vocabulary():
    assert published_tags({"model_type": "mbart", "vocab_size": 250054}) == Tags(frozenset(MBART50))
    assert published_tags({"model_type": "m2m_100", "vocab_size": 256206}) == Tags(frozenset(NLLB200))
    assert published_tags({"model_type": "mbart", "vocab_size": 250027}) is None
    madlad, mt5 = (
        published_tags({"model_type": name, "vocab_size": size}) for name, size in (("t5", 256000), ("mt5", 9))
    )
    assert [madlad.of(code, {}) for code in ("swh_Latn", "tgl_Latn", "tir_Ethi")] == ["<2sw>", "<2fil>", "<2ti>"]
    assert mt5.of("swh_Latn", {"swh_Latn": "translate to Swahili:"}) == "translate to Swahili:"
    with pytest.raises(UnknownTagError, match="no tag of swh_Latn; write under tags what stands in front of a source"):
        mt5.of("swh_Latn", {})


@pytest.mark.heavy
def test_the_lists_of_tags_are_those_of_transformers():
    from transformers.models.m2m_100 import tokenization_m2m_100
    from transformers.models.mbart50 import tokenization_mbart50
    from transformers.models.nllb import tokenization_nllb

    assert list(M2M100.values()) == tokenization_m2m_100.FAIRSEQ_LANGUAGE_CODES["m2m100"]
    assert list(MBART50) == tokenization_mbart50.FAIRSEQ_LANGUAGE_CODES
    assert list(NLLB200) == tokenization_nllb.FAIRSEQ_LANGUAGE_CODES


@pytest.mark.heavy
@BOTH
def test_a_source_has_its_tag_in_front_and_the_decoder_begins_with_its_start_and_the_tag_of_the_target(name, bases):
    eng, swh, _ = tag_ids(name).values()
    encoder = Seq2SeqEncoder.of(bases[name])
    assert encoder.source("ab", "eng_Latn", "kan_Knda") == [eng, A, B, EOS]
    assert encoder.forced_start("swh_Latn") == [EOS, swh]
    encoded = example(bases[name])
    assert encoded.input_ids.tolist() == [eng, A, A, B, EOS]
    assert encoded.decoder_ids.tolist() == [EOS, swh, B, A]
    assert encoded.labels.tolist() == [-100, B, A, EOS], "the tag has no label, and the end has one"
    assert (len(encoded), encoded.completion_tokens, encoded.units) == (9, 3, 2)
    assert encoder.text([swh, B, A, EOS]) == "ba"


@pytest.mark.heavy
def test_t5_s_source_says_what_to_translate_it_into_and_its_decoder_begins_with_its_start_alone(bases):
    eng, swh, _ = tag_ids("t5").values()
    encoder = Seq2SeqEncoder.of(bases["t5"])
    assert (
        encoder.source("ab", "eng_Latn", "swh_Latn") == encoder.source("ab", "tel_Telu", "swh_Latn") == [swh, A, B, EOS]
    )
    assert encoder.source("ab", "swh_Latn", "eng_Latn") == [eng, A, B, EOS]
    assert encoder.forced_start("swh_Latn") == [START]
    encoded = example(bases["t5"])
    assert encoded.input_ids.tolist() == [swh, A, A, B, EOS]
    assert encoded.decoder_ids.tolist() == [START, B, A]
    assert encoded.labels.tolist() == [B, A, EOS], "all is learnt: no tag stands before it"
    assert (len(encoded), encoded.completion_tokens, encoded.units) == (8, 3, 2)


@pytest.mark.heavy
def test_words_of_the_model_s_file_may_stand_in_front_of_a_source_of_t5(bases):
    encoder = Seq2SeqEncoder.of(bases["t5"], {"deu_Latn": "to b:", "swh_Latn": "a"})
    assert encoder.source("ab", "eng_Latn", "deu_Latn") == [*encoder.piece("to b: ab"), EOS]
    assert encoder.source("ab", "eng_Latn", "swh_Latn") == [*encoder.piece("a ab"), EOS]
    for read in (encoder.forced_start, lambda code: encoder.source("ab", "eng_Latn", code)):
        with pytest.raises(
            UnknownTagError, match="no tag of kan_Knda; write under tags what stands in front of a source"
        ):
            read("kan_Knda")


@pytest.mark.heavy
def test_madlad_s_tags_are_pieces_of_its_sentencepiece_model(tmp_path):
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
    from transformers import AutoTokenizer, T5Config

    texts = ["The sun rises over the hill.", "Jua linachomoza juu ya kilima.", "Taja nyota moja, tafadhali!"] * 30
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix=str(tmp_path / "spiece"), vocab_size=400, hard_vocab_limit=False,
        user_defined_symbols=["<2en>", "<2sw>"], byte_fallback=True, unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
        minloglevel=2,
    )  # fmt: skip
    pieces = SentencePieceProcessor(model_file=str(tmp_path / "spiece.model"))
    names = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "pad_token": "<s>", "eos_token": "</s>", "legacy": False}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**names, "unk_token": "<unk>"}))
    T5Config(vocab_size=len(pieces), decoder_start_token_id=0, pad_token_id=1, eos_token_id=2).save_pretrained(tmp_path)
    write_tokenizer_json(tmp_path)
    prepare_translation_tokenizer(tmp_path, {})
    encoder, theirs = Seq2SeqEncoder.of(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    text = "The sun rises, moja!"
    assert encoder.source(text, "eng_Latn", "swh_Latn") == theirs(f"<2sw> {text}")["input_ids"]
    assert pieces.piece_to_id("<2sw>") in encoder.source(text, "eng_Latn", "swh_Latn")
    assert encoder.text(encoder.target(text)) == text
    with pytest.raises(UnknownTagError, match="no tag of deu_Latn"):
        encoder.source(text, "eng_Latn", "deu_Latn")
    assert tags_in(tmp_path).of("swh_Latn", {}) == "<2sw>"
    with pytest.raises(UnknownTagError, match="no tag of deu_Latn"):
        tags_in(tmp_path).of("deu_Latn", {})


@pytest.mark.heavy
@EACH
def test_a_text_that_spells_a_tag_is_text(name, bases):
    encoder, tag = Seq2SeqEncoder.of(bases[name]), TAGS[name]["eng_Latn"]
    assert tag_ids(name)["eng_Latn"] not in encoder.piece(f"a{tag} {tag}")


@pytest.mark.heavy
@BOTH
def test_a_language_without_a_tag_is_no_unknown_token(name, bases):
    with pytest.raises(UnknownTagError, match="no tag of kan_Knda"):
        Seq2SeqEncoder.of(bases[name]).source("ab", "kan_Knda", "eng_Latn")
    borrowed = Seq2SeqEncoder.of(bases[name], {"kan_Knda": TAGS[name]["tel_Telu"]})
    assert borrowed.tag("kan_Knda") == borrowed.tag("tel_Telu") == tag_ids(name)["tel_Telu"]


@pytest.mark.heavy
@EACH
def test_padding_and_neighbours_change_no_loss(name, bases):
    import torch

    model = seq2seq.load(bases[name], 16).eval()
    examples = [example(bases[name]), example(bases[name], "ccccccccc", "b"), example(bases[name], "c", "abcabcabc")]
    batch = seq2seq.collate(examples, PAD)
    assert batch["input_ids"].shape == (3, 11)
    assert batch["decoder_input_ids"].shape == batch["labels"].shape == (3, 10 + (name in TAGGED))
    with torch.no_grad():
        losses, rows = seq2seq.losses(model, batch)
        together = [losses[rows == row] for row in range(3)]
        alone = [seq2seq.losses(model, seq2seq.collate([each], PAD))[0] for each in examples]
        whole = [
            -seq2seq.completion_logits(model, each).log_softmax(-1)[
                range(each.completion_tokens), each.labels[-each.completion_tokens :]
            ]
            for each in examples
        ]
    for one, other, logits in zip(together, alone, whole, strict=True):
        assert (one - other).abs().max() < 1e-5 and (one - logits).abs().max() < 1e-5


@pytest.mark.heavy
@EACH
def test_the_loss_is_that_of_the_model_itself_on_the_words_and_a_masked_row_has_none(name, bases):
    import torch

    model = seq2seq.load(bases[name], 16)
    batch = seq2seq.collate([example(bases[name]), example(bases[name], "c", "abc")], PAD)
    with torch.no_grad():
        losses, _ = seq2seq.losses(model, batch)
        # transformers' own loss, with the decoder's tokens that we give it and no label for tags and padding
        expected = model(**batch).loss
    assert losses.mean().item() == pytest.approx(expected.item(), abs=1e-5)
    losses, rows = seq2seq.losses(model, seq2seq.collate([masked(example(bases[name]))], PAD))
    losses.sum().backward()
    assert rows.tolist() == [] and not any(each.grad is not None and each.grad.any() for each in model.parameters())


@pytest.mark.heavy
@EACH
def test_label_smoothing_is_its_formula_and_leaves_the_tag_out(name, bases):
    import torch

    model, encoded = seq2seq.load(bases[name], 16), example(bases[name])
    with torch.no_grad():
        losses, _ = seq2seq.losses(model, seq2seq.collate([encoded], PAD), 0.2)
        logs = seq2seq.completion_logits(model, encoded).log_softmax(-1)
    assert len(losses) == 3, "b, a and the end"
    by_hand = [-0.8 * row[label].item() - 0.2 * row.mean().item() for row, label in zip(logs, [B, A, EOS], strict=True)]
    assert losses.tolist() == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.heavy
def test_no_layer_is_dropped_in_training_whatever_the_config_says(tmp_path):
    base = build("m2m_100", tmp_path / "base", encoder_layerdrop=0.5, decoder_layerdrop=0.5, dropout=0.3)
    model = seq2seq.load(base, 16)
    assert [module.layerdrop for module in model.modules() if hasattr(module, "layerdrop")] == [0.0, 0.0]
    assert model.config.encoder_layerdrop == 0.5 and model.config.dropout == 0.3


@pytest.mark.heavy
@pytest.mark.parametrize("bits", [16, 8, 4])
@EACH
def test_a_translator_loads_in_every_precision_and_its_embeddings_stay_tied(name, bits, bases):
    model = seq2seq.load(bases[name], bits)
    embedding, output = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert model.get_decoder().embed_tokens.weight is embedding and (embedding is output) == (name in TAGGED)
    quantized = [module for module in model.modules() if type(module).__name__ in ("Linear8bitLt", "Linear4bit")]
    assert bool(quantized) == (bits < 16)
    losses, _ = seq2seq.losses(model, seq2seq.collate([example(bases[name])], PAD))
    assert losses.isfinite().all() and len(losses) == 3


@pytest.mark.heavy
def test_an_over_long_row_is_left_out_whole_and_counted_and_padding_of_both_sides_counts(bases):
    encoder = Seq2SeqEncoder.of(bases["mbart"])
    rows = pairs(("a", "b"), ("a" * 20, "b"), ("a", "b" * 20), ("abc", "ab"))
    fitting, too_long = encode(rows, seq2seq, encoder, max_length=12)
    assert (len(fitting), too_long) == (2, 2)
    assert [each.lengths for each in fitting] == [(3, 3), (5, 4)]
    whole, _ = encode(rows, seq2seq, encoder, max_length=100)
    # 22 + 3 tokens and 3 + 22 would be padded to 2 x (22 + 22); 3 + 22 and 5 + 4 are, to 2 x (5 + 22)
    batches = micro_batches(whole, tokens=60, packing=False)
    assert [[each.lengths for each in batch] for batch in batches] == [[(22, 3)], [(3, 22), (5, 4)], [(3, 3)]]


@pytest.mark.heavy
@BOTH
def test_a_prepared_tokenizer_stays_as_it_is_and_needs_tags(name, bases, tmp_path):
    folder = shutil.copytree(bases[name], tmp_path / "base")
    before = (folder / "tokenizer.json").read_bytes()
    prepare_translation_tokenizer(folder, {})
    assert (folder / "tokenizer.json").read_bytes() == before
    with pytest.raises(BaseError, match="eos: the texts of a translator begin and end as its tokenizer says"):
        prepare_translation_tokenizer(folder, {"eos": "</s>"})
    names = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**names, "tokenizer_class": "MBartTokenizer"}))
    with pytest.raises(BaseError, match="MBartTokenizer puts the tag behind the text"):
        prepare_translation_tokenizer(folder, {})


@pytest.mark.heavy
def test_a_model_that_marks_languages_otherwise_is_refused_by_name(bases, tmp_path):
    folder = shutil.copytree(bases["mbart"], tmp_path / "base")
    (folder / "config.json").write_text(json.dumps({"model_type": "marian", "vocab_size": 50}))
    with pytest.raises(
        BaseError, match="a marian model marks languages otherwise than mBART-50, M2M100, NLLB and MADLAD"
    ):
        prepare_translation_tokenizer(folder, {})


@pytest.mark.heavy
def test_nllb_s_tokenizer_without_its_tags_is_refused(tmp_path):
    from seq2seq import nllb_tokenizer
    from transformers import M2M100Config, NllbTokenizer

    whole = nllb_tokenizer()
    vocabulary = {token: number for token, number in whole.get_vocab().items() if token not in NLLB200}
    NllbTokenizer(vocab=vocabulary, merges=[], extra_special_tokens=[]).save_pretrained(tmp_path)
    M2M100Config(vocab_size=400).save_pretrained(tmp_path)
    with pytest.raises(BaseError, match="no tags of languages, so that every language would be the unknown token"):
        prepare_translation_tokenizer(tmp_path, {})


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "code"), [("nllb", "swh_Latn"), ("m2m100", "deu_Latn")])
def test_texts_have_the_tokens_that_the_model_s_own_tokenizer_gives_them(name, code, request):
    from transformers import AutoTokenizer

    folder = request.getfixturevalue(name)
    prepare_translation_tokenizer(folder, {})
    ours, theirs = Seq2SeqEncoder.of(folder), AutoTokenizer.from_pretrained(folder)
    for text in ("The sun rises.", "Name a moon, unseen ①!"):
        theirs.src_lang = "eng_Latn" if name == "nllb" else "en"
        assert ours.source(text, "eng_Latn", code) == theirs(text)["input_ids"]
        theirs.tgt_lang = code if name == "nllb" else "de"
        assert [ours.tag(code), *ours.target(text)] == theirs(text_target=text)["input_ids"]
    assert ours.text(ours.target("The sun rises.")) == "The sun rises."
