import polars as pl
import pytest
from project import ROOT

from maple.curation import curate, limits_in, script_share
from maple.definitions import read_yaml
from maple.examples import raw_rows
from maple.load import load

ENGLISH = {"code": "eng_Latn", "name": "English", "iso639_1": "en", "script": "Latn"}
LIMITS = {
    "instruction_words": [3, 150],
    "script_share": 0.5,
    "language": True,
    "instruction_input_rouge_l": 0.5,
    "echo_rouge_l": 0.9,
    "refusals": ["As an AI"],
    "novelty": {"fields": ["instruction"], "below": 0.7},
}
SHARED = ROOT.parent / "shared" / "data"


def row(instruction="Name the capital.", input="", output="Nairobi", **other):
    return {"id": "1", "instruction": instruction, "input": input, "output": output, **other}


def reasons(*rows, language=ENGLISH, limits=LIMITS):
    kept, dropped = curate(raw_rows(list(rows), language=language["code"]), language, limits)
    assert kept.height + dropped.height == len(rows)
    return dropped["reason"].to_list()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(fault="not parsed"), "not parsed"),
        (row(output=" "), "empty"),
        (row(input="see https://example.org"), "web link"),
        (row("Name it."), "instruction too short"),
        (row("Назови столицу Кении.", output="Найроби"), "wrong script"),
        (row("Name the capital of Kenya.", "Name the capital of Kenya please"), "input repeats instruction"),
        (row("Nenne die Hauptstadt von Kenia.", output="Das ist die Stadt Nairobi."), "wrong language"),
        (row(output="Name the capital!"), "output repeats instruction"),
        (row(output="as an ai, I do not know."), "refusal"),
    ],
)
def test_a_bad_row_is_dropped_for_its_reason(bad, reason):
    assert reasons(bad) == [reason]


def test_an_output_may_repeat_its_input_to_edit_it():
    assert reasons(row("Write it in capitals.", "The sun rises.", "THE SUN RISES.")) == []


def test_a_row_said_twice_is_kept_once():
    assert reasons(row(), row()) == ["duplicate"]


def test_rows_that_differ_by_case_and_punctuation_alone_are_one():
    assert reasons(row(), row("name the capital"), row("Name the Capital!", output="Mombasa")) == ["duplicate"] * 2


def test_limits_are_spelt_out_for_a_language():
    limits = {"instruction_input_rouge_l": {"default": 0.5, "arb_Arab": 0.2}, "refusals": True}
    known = {"eng_Latn": ["As an AI"], "arb_Arab": ["x"]}
    assert limits_in(limits, "arb_Arab", known) == {"instruction_input_rouge_l": 0.2, "refusals": ["x", "As an AI"]}
    assert limits_in(limits, "tha_Thai", known) == {"instruction_input_rouge_l": 0.5, "refusals": ["As an AI"]}
    assert limits_in({}, "tha_Thai", known) == {"refusals": []}


def test_a_row_like_a_kept_one_is_not_novel():
    assert reasons(row("Name the capital of Kenya."), row("Name the capital of Peru.")) == ["not novel"]


def test_an_input_that_the_instruction_contains_is_emptied():
    kept, _ = curate(raw_rows([row("Name the capital of Kenya.", "Kenya")]), ENGLISH, LIMITS)
    assert kept["input"].to_list() == [""]


def test_a_limit_that_is_null_is_off():
    assert reasons(row("Hi", output="x"), limits={"instruction_words": None}) == []


def test_words_are_counted_where_no_spaces_are_written():
    chinese = ENGLISH | {"code": "zho_Hans", "script": "Hans"}
    assert reasons(row("请写一首关于秋天的诗。", output="秋风起"), language=chinese) == []


@pytest.mark.parametrize(
    ("text", "script", "share"),
    [("ሰኞ ab", "Ethi", 0.5), ("東京とtokyo", "Jpan", 3 / 8), ("123", "Latn", 1.0), ("星期", "Hans", 1.0)],
)
def test_the_share_of_a_script_is_of_letters(text, script, share):
    assert script_share(text, script) == pytest.approx(share)


REAL = {
    "multialpaca/pt": ("por_Latn", "pt", "Latn", 2000),
    "multialpaca/es": ("spa_Latn", "es", "Latn", 2000),
    "multialpaca/ja": ("jpn_Jpan", "ja", "Jpan", 2000),
    "alpaca/en": ("eng_Latn", "en", "Latn", 2000),
    "dolly/en": ("eng_Latn", "en", "Latn", 1000),
}


@pytest.mark.parametrize("name", REAL)
def test_no_rule_drops_real_rows_for_their_script(name):
    path = SHARED / "instruct" / f"{name}.jsonl"
    if not path.is_file():
        pytest.skip(f"real rows are not there: {path}")
    code, iso639_1, script, rows = REAL[name]
    language = {"code": code, "iso639_1": iso639_1, "script": script}
    limits = limits_in(
        read_yaml(ROOT / "config/datasets/multialpaca.yaml")["curate"], code, read_yaml(ROOT / "config/refusals.yaml")
    )
    columns = {"columns": {"output": "response"}} if name.startswith("dolly") else {}
    raw = load({"local": {"path": str(path), **columns}}, language)
    kept, dropped = curate(raw, language, limits)
    assert raw.height == rows == kept.height + dropped.height
    drops = dict(dropped.group_by("reason").len().sort("len", descending=True).iter_rows())
    print(f"{name}: " + ", ".join(f"{reason} {count / rows:.1%}" for reason, count in drops.items()))
    # What is in the wrong script is so for its Latin letters, never for having others.
    wrong = dropped.filter(pl.col("reason") == "wrong script").select("instruction", "output").rows()
    foreign = [script_share(" ".join(texts), "Latn") for texts in wrong]
    assert sum(share > 0.5 for share in foreign) >= (0.99 * len(wrong) if script != "Latn" else 0)
    assert len(wrong) < (0.01 if script == "Latn" else 0.1) * rows
    assert drops.get("wrong language", 0) < 0.05 * rows
    assert kept.height > 0.7 * rows
