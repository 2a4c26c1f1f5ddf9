"""Translators: toy NLLB and M2M100 models that know three sentences."""

import os
import signal
import subprocess
import sys
import time
from itertools import product

import polars as pl
import pytest
from project import ROOT
from seq2seq import SENTENCES

from maple.definitions.dataset import TranslateRespondSettings
from maple.definitions.language import LanguageIdentity
from maple.engines.blocks import TranslatorBlock
from maple.engines.ledger import ledger
from maple.models.base_folder import link_model
from maple.models.tiny import BaseError
from maple.runtime.files import read_json, write_parquet
from maple.runtime.journal import Journal
from maple.synthesis.local_translator import LocalTranslator, Translation, joined, lines_of
from maple.synthesis.teachers import IncompleteAnswer, TeacherError
from maple.synthesis.translate_respond import translate_respond

SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
ENGLISH = LanguageIdentity("eng_Latn", "English", "en", "Latn")
GERMAN = LanguageIdentity("deu_Latn", "German", "de", "Latn")
CHINESE = LanguageIdentity("zho_Hans", "Chinese", "zh", "Hans")
TRANSLATE = TranslateRespondSettings(instructions="d")


def sentences(text):
    return [line.sentences for line in lines_of(text)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Add one. Then stop! Why? It is done.", [["Add one.", "Then stop!", "Why?", "It is done."]]),
        ("Ask Dr. Smith of the U.S. Army, e.g. by mail.", [["Ask Dr. Smith of the U.S. Army, e.g. by mail."]]),
        ('He said "Go." She went.', [['He said "Go."', "She went."]]),
        ("It costs 3.50. 20 are left.", [["It costs 3.50.", "20 are left."]]),
        ("one\n\ntwo ", [["one"], [], ["two"]]),
        ("", [[]]),
    ],
)
def test_a_text_is_cut_where_a_sentence_ends(text, parts):
    assert sentences(text) == parts


@pytest.mark.parametrize("mark", ["  ", "- ", "* ", "12. ", "  3) ", "(a) ", "b) "])
def test_what_stands_before_a_line_s_first_sentence_is_no_part_of_it(mark):
    assert lines_of(f"{mark}Go on. Stop.") == [(mark, ["Go on.", "Stop."])]


def test_a_sentence_that_begins_with_a_number_or_an_article_keeps_it():
    assert [line.mark for line in lines_of("3 apples\nA pear\n10.5 is more")] == ["", "", ""]


def translator(model, path, **changes):
    settings = TranslatorBlock(**{"model": "toy", "max_length": 30, "batch": 2, **changes})
    return LocalTranslator(settings, model, Journal(path / "journal.jsonl"), threads=1, progress=iter)


@pytest.mark.heavy
@pytest.mark.parametrize("model", ["nllb", "m2m100"])
def test_the_language_asked_for_is_the_one_written(model, tmp_path, request):
    toy = translator(request.getfixturevalue(model), tmp_path)
    for language in (SWAHILI, GERMAN):
        translations = [others[language.iso639_1] for others in SENTENCES.values()]
        assert toy.translate(list(SENTENCES), language) == translations


@pytest.mark.heavy
@pytest.mark.parametrize("model", ["nllb", "m2m100"])
def test_a_language_that_the_tokenizer_does_not_know_is_named_with_the_model(model, tmp_path, request):
    toy = translator(request.getfixturevalue(model), tmp_path)
    with pytest.raises(TeacherError, match=r"config/models/toy\.yaml: the model has no tag of xyz_Latn"):
        toy.translate(["Name a star."], LanguageIdentity("xyz_Latn", "Unknown", "xy", "Latn"))


def test_a_text_that_is_not_english_is_cut_at_its_lines_alone():
    assert lines_of("- Jua ni zuri. Nenda.\nBasi.", "swh_Latn") == [("- ", ["Jua ni zuri. Nenda."]), ("", ["Basi."])]


@pytest.mark.heavy
def test_a_source_in_another_language_is_read_with_its_tag(nllb, tmp_path):
    toy = translator(nllb, tmp_path)
    toy.translate(["Taja nyota."], ENGLISH, "swh_Latn")
    toy.translate(["Taja nyota."], ENGLISH, "deu_Latn")
    assert len(Journal(tmp_path / "journal.jsonl").read()) == 2  # two tags are two sources
    with pytest.raises(TeacherError, match="no tag of xyz_Latn"):
        toy.translate(["Taja nyota."], ENGLISH, "xyz_Latn")


@pytest.mark.heavy
def test_lines_marks_and_what_has_no_letters_stay(nllb, tmp_path):
    text = "The sun rises. Name a star.\n\n  - The moon sets.\n1. Name a star.\n12 + 5 = ?\n"
    (said,) = translator(nllb, tmp_path).translate([text], SWAHILI)
    assert said == "Jua linachomoza. Taja nyota.\n\n  - Mwezi unatua.\n1. Taja nyota.\n12 + 5 = ?\n"


def test_chinese_sentences_follow_each_other_without_a_space():
    lines = lines_of("Name a star. The moon sets.")
    translations = {sentence: Translation("好。") for sentence in lines[0].sentences}
    assert joined(lines, translations, CHINESE) == "好。好。"
    assert joined(lines, translations, SWAHILI) == "好。 好。"


@pytest.mark.heavy
def test_a_sentence_too_long_is_a_fault_and_is_not_cut(nllb, tmp_path):
    long = "The sun rises and " * 9 + "sets."
    whole, fault = translator(nllb, tmp_path).translate(["Name a star.", f"Name a star. {long}"], SWAHILI)
    assert whole == "Taja nyota."
    assert isinstance(fault, IncompleteAnswer) and fault.fault == "no answer"
    assert len((tmp_path / "journal.jsonl").read_text().splitlines()) == 1


@pytest.mark.heavy
def test_a_translation_that_does_not_end_is_cut_off(nllb, tmp_path):
    toy = translator(nllb, tmp_path)
    sentence = next(iter(SENTENCES))
    read, written = (
        len(toy.encoder.source(text, "eng_Latn", "deu_Latn")) for text in (sentence, SENTENCES[sentence]["de"])
    )
    assert read < written
    (cut,) = translator(nllb, tmp_path, max_length=written - 1).translate([sentence], GERMAN)
    assert cut.fault == "cut off" and SENTENCES[sentence]["de"].startswith(cut.text)
    assert translator(nllb, tmp_path, max_length=written).translate([sentence], GERMAN) == [SENTENCES[sentence]["de"]]


@pytest.mark.heavy
def test_a_beam_of_one_and_of_three_agree_on_what_is_certain(nllb, tmp_path):
    toy = translator(nllb, tmp_path, beams=3)
    assert toy.translate(list(SENTENCES), GERMAN) == translator(nllb, tmp_path).translate(list(SENTENCES), GERMAN)


@pytest.mark.heavy
def test_what_the_journal_holds_is_not_translated_again_and_costs_no_teacher_anything(nllb, tmp_path, monkeypatch):
    first = translator(nllb, tmp_path).translate(list(SENTENCES), SWAHILI)
    again = translator(nllb, tmp_path)
    monkeypatch.setattr(again, "load", lambda *_: pytest.fail("the model was loaded"))
    assert again.translate([*SENTENCES, "12"], SWAHILI) == [*first, "12"]
    spent = ledger(again.rows.values())
    assert spent.answers == spent.prompt_tokens == 0


@pytest.mark.heavy
def test_targets_are_translated_back_after_an_end_without_those_that_the_journal_holds(nllb, tmp_path, monkeypatch):
    texts = [*SENTENCES, "The sun rises and " * 9 + "sets."]
    first = translator(nllb, tmp_path).texts_and_faults(texts, SWAHILI, "eng_Latn")
    assert first == [*((others["sw"], "") for others in SENTENCES.values()), ("", "no answer")]
    again = translator(nllb, tmp_path)
    monkeypatch.setattr(again, "load", lambda *_: pytest.fail("the model was loaded"))
    assert again.texts_and_faults(texts, SWAHILI, "eng_Latn") == first


class Scribe:
    """A teacher who answers every request with its purpose."""

    name = "scribe"

    def __init__(self):
        self.asked = []

    def complete(self, requests):
        self.asked += requests
        return [request.purpose for request in requests]


@pytest.mark.heavy
def test_the_translator_translates_and_the_teacher_answers_in_the_language(nllb, tmp_path):
    english = pl.DataFrame(
        {"id": ["a", "b"], "instruction": ["Name a star.", "Go " * 40], "input": ["The sun rises.", ""]}
    )
    scribe = Scribe()
    rows = translate_respond(TRANSLATE, SWAHILI, english, scribe, 1, iter, translator(nllb, tmp_path))
    assert rows["instruction"].to_list() == ["Taja nyota.", ""]
    assert rows["input"].to_list() == ["Jua linachomoza.", ""]
    assert rows["output"].to_list() == ["respond", ""]
    assert rows["fault"].to_list() == ["", "no answer"]
    assert [request.fields["instruction"] for request in scribe.asked] == ["Taja nyota."]


def test_no_two_requests_draw_by_the_same_seed_and_the_same_study_by_the_same_ones():
    english = pl.DataFrame({"id": ["a", "b"], "instruction": ["x", "y"], "input": ["z", ""]})
    seeds = []
    for seed in (1, 1, 2):
        scribe = Scribe()
        translate_respond(TRANSLATE, SWAHILI, english, scribe, seed, iter)
        seeds.append([request.seed for request in scribe.asked])
    assert len(set(seeds[0])) == 5 and seeds[0] == seeds[1] and not set(seeds[0]) & set(seeds[2])


@pytest.mark.heavy
def test_a_fetched_repository_with_its_sentencepiece_model_becomes_a_base(m2m100, tmp_path):
    (tmp_path / "model").mkdir()
    before = {path.name: path.read_bytes() for path in m2m100.iterdir()}
    assert "tokenizer.json" not in before
    link_model(m2m100, tmp_path / "model")
    assert translator(tmp_path / "model", tmp_path).translate(["Name a star."], GERMAN) == ["Nenne einen Stern."]
    assert {path.name: path.read_bytes() for path in m2m100.iterdir()} == before


def test_pickled_weights_become_no_base(tmp_path):
    (tmp_path / "fetched").mkdir()
    (tmp_path / "fetched/pytorch_model.bin").write_bytes(b"")
    with pytest.raises(BaseError, match="fetched: no safetensors are there; pickled weights are refused"):
        link_model(tmp_path / "fetched", tmp_path / "refused")


PROGRAM = """
import sys
from maple.definitions.language import LanguageIdentity
from maple.engines.machine import Machine
from maple.runtime.files import write_json, write_parquet
from maple.runtime.journal import Journal
from maple.synthesis.recipe import read_recipe
from maple.synthesis.card import card
from maple.synthesis.synthesize import RecipeInputs, synthesize
language = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
base, nllb, folder = sys.argv[1:]
recipe = {
    "recipe": "translate_respond", "teacher": "transformers", "seed": 1, "translate_respond": {"instructions": "d"},
    "transformers": {"model": "toy", "max_tokens": 6}, "translator": {"model": "nllb", "max_length": 30},
}
file = {"file": "d.yaml"}
journal = Journal(folder + "/journal.jsonl")
rows = synthesize(
    read_recipe(recipe, {"teacher": {"batch": 2, **file}, "translator": {"batch": 2, **file}}),
    language=language, phrases={}, journal=journal, machine=Machine(), progress=iter,
    inputs=RecipeInputs(english=folder + "/english.parquet", teacher=base, translator=nllb),
)
write_parquet(rows, folder + "/rows.parquet")
write_json(card(rows, journal).values(), folder + "/card.json")
"""


@pytest.mark.heavy
def test_a_killed_job_goes_on_with_translations_and_answers_to_the_same_bytes(toy_base, nllb, tmp_path):
    words = product(("The", "Name"), ("sun", "moon", "star"), ("a", "sun", "star"), ("rises", "sets"))
    texts = [f"{' '.join(drawn)}." for drawn in words]
    english = pl.DataFrame({"id": list(map(str, range(36))), "instruction": texts, "input": [""] * 36, "output": "x"})

    def folder(name):
        (tmp_path / name).mkdir()
        write_parquet(english, tmp_path / name / "english.parquet")
        return [sys.executable, "-c", PROGRAM, str(toy_base), str(nllb), str(tmp_path / name)]

    whole, killed = folder("whole"), folder("killed")
    subprocess.run(whole, cwd=ROOT, check=True, capture_output=True)
    journal = tmp_path / "killed/journal.jsonl"
    for lines in (6, 44):  # while translating, while answering
        running = subprocess.Popen(killed, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not journal.exists() or journal.read_bytes().count(b"\n") < lines:
            assert running.poll() is None
            time.sleep(0.001)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        assert not (tmp_path / "killed/rows.parquet").exists()
    kinds = ["translation" in row for row in Journal(journal).read()]
    assert True in kinds and False in kinds
    subprocess.run(killed, cwd=ROOT, check=True, capture_output=True)
    assert (tmp_path / "killed/rows.parquet").read_bytes() == (tmp_path / "whole/rows.parquet").read_bytes()
    card = read_json(tmp_path / "killed/card.json")
    assert card == read_json(tmp_path / "whole/card.json")
    assert card["sentences_translated"] == 36 and card["answers"] > 0
