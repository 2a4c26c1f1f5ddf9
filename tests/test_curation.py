from pathlib import Path

import polars as pl
import pytest

from maple.curation import counts, curate, script_share
from maple.examples import raw_rows
from maple.load import load

ENGLISH = {"code": "eng_Latn", "name": "English", "iso639_1": "en", "script": "Latn"}
LIMITS = {
    "instruction_words": [3, 150],
    "script_share": 0.5,
    "instruction_input_rouge_l": 0.5,
    "novelty": {"fields": ["instruction"], "below": 0.7},
}
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


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
    ],
)
def test_a_bad_row_is_dropped_for_its_reason(bad, reason):
    assert reasons(bad) == [reason]


def test_a_row_said_twice_is_kept_once():
    assert reasons(row(), row()) == ["duplicate"]


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


def test_drops_are_counted_by_dataset_language_and_reason(tmp_path):
    for stage, frame in zip(("kept", "dropped"), curate(raw_rows([row(), row()]), ENGLISH, LIMITS), strict=True):
        (tmp_path / stage / "mine").mkdir(parents=True)
        frame.write_parquet(tmp_path / stage / "mine" / "eng_Latn.parquet")
    paths = [[tmp_path / stage / "mine" / "eng_Latn.parquet"] for stage in ("kept", "dropped")]
    assert counts(*paths).rows() == [("mine", "eng_Latn", "duplicate", 1), ("mine", "eng_Latn", "kept", 1)]


@pytest.mark.parametrize(("code", "iso639_1", "script"), [("jpn_Jpan", "ja", "Jpan"), ("por_Latn", "pt", "Latn")])
def test_real_rows_are_not_dropped_for_their_script(code, iso639_1, script):
    if not SHARED.is_dir():
        pytest.skip(f"real rows are not there: {SHARED}")
    language = {"code": code, "iso639_1": iso639_1, "script": script}
    path = SHARED / "instruct" / "multialpaca" / f"{iso639_1}.jsonl"
    raw = load({"local": {"path": str(path)}}, language)
    kept, dropped = curate(raw, language, LIMITS)
    print(code, kept.height, dropped.group_by("reason").len().rows())
    assert raw.height == 2000
    shares = [
        script_share(f"{row['instruction']} {row['output']}", "Latn")
        for row in dropped.filter(pl.col("reason") == "wrong script").to_dicts()
    ]
    if script != "Latn":  # rows in romanized or English letters, and not a row for being Japanese
        assert sum(share > 0.5 for share in shares) >= 0.99 * len(shares)
    assert kept.height > 0.8 * raw.height
