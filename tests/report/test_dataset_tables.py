import json

import polars as pl
import pytest
from project import ROOT

from maple.data.examples import EXAMPLE_SCHEMA, raw_rows
from maple.definitions.language import LanguageIdentity, read_languages
from maple.report import dataset_tables as module
from maple.report.dataset_tables import Lengths, dataset_tables, lengths, read_datasets, sample, samples_to_read
from maple.runtime.files import write_parquet
from maple.text.segmentation import tokens

LANGUAGES = {
    "eng_Latn": LanguageIdentity("eng_Latn", "English", "en", "Latn"),
    "arb_Arab": LanguageIdentity("arb_Arab", "Arabic", "ar", "Arab"),
}
NOTHING = {"answers": 0, "failures": 0, "prompt_tokens": 0, "completion_tokens": 0, "usd": 0.0}


def row(name, reason="", **fields):
    said = {"instruction": "Name it.", "output": "A stone.", "recipe": "self_instruct", "teacher": "parrot"}
    return {
        **dict.fromkeys(EXAMPLE_SCHEMA, ""),
        "fault": "",
        "completion": "",
        "seed": 1,
        "id": name,
        **said,
        **fields,
    } | {"reason": reason}


def rows(*reasons, **fields):
    return pl.DataFrame([row(f"{number}", reason, **fields) for number, reason in enumerate(reasons)])


class Results:
    """A folder of results, as the rules leave it."""

    def __init__(self, folder):
        self.folder, self.sets, self.mixtures, self.cleared = folder, [], [], []

    def path(self, name):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def add(self, dataset, code, kept, dropped=(), **card):
        """Write a dataset in one language: its kept and its dropped rows, and what its synthesis cost."""
        raw = raw_rows([])
        schema = {**raw.schema, "reason": pl.String}
        paths = [self.path(f"{stage}/{dataset}/{code}.parquet") for stage in ("examples", "dropped")]
        write_parquet(pl.DataFrame(kept, schema=schema).select(list(EXAMPLE_SCHEMA)), paths[0])
        write_parquet(pl.DataFrame(list(dropped), schema=schema), paths[1])
        paths.append(self.path(f"cards/{dataset}/{code}.json"))
        paths[2].write_text(json.dumps({"stage": "synthesize", "rows": 0, "faults": {}, **NOTHING, **card}))
        self.sets.append(paths)
        return self

    def json(self, kind, name, content):
        path = self.path(f"{kind}/{name}.json")
        path.write_text(json.dumps(content))
        getattr(self, kind).append(path)
        return self

    def read(self):
        return read_datasets(*zip(*self.sets, strict=True), self.mixtures, self.cleared, LANGUAGES)


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path)


def test_every_row_made_is_kept_or_has_a_fault_or_was_dropped(results):
    dropped = [row("b", "cut off", fault="cut off"), row("c", "duplicate"), row("d", "duplicate")]
    (one,) = results.add("mine", "eng_Latn", [row("a")], dropped).read()
    assert (one.rows, one.kept) == (4, 1)
    assert (one.faults, one.dropped) == ({"cut off": 1}, {"duplicate": 2})
    assert (one.recipe, one.teacher) == ("self_instruct", "parrot")


def test_a_set_of_nothing_is_counted_as_that(results):
    (one,) = results.add("mine", "eng_Latn", []).read()
    assert (one.rows, one.recipe, one.kept_rows, one.dropped_rows) == (0, None, [], [])
    assert one.lengths["output"] == Lengths(0, None)
    assert dataset_tables([one])[0].lines[1].lengths["output"].at == []


def test_the_language_of_a_text_is_told_as_browsers_know_it(results):
    assert results.add("mine", "arb_Arab", [row("a")]).read()[0].lang == "ar-Arab"


def test_the_mixture_and_what_guard_found_are_told_where_they_are(results):
    of = {"available": 9, "learnt": 5, "held_out": 1, "words": 40, "characters": 200, "bytes": 200}
    results.add("mixed", "eng_Latn", [row("a")]).add("mixed", "arb_Arab", []).add("translated", "eng_Latn", [row("a")])
    results.json("mixtures", "mixed", {"stage": "mix", "dataset": "mixed", "rows": 5, "languages": {"eng_Latn": of}})
    results.json("cleared", "mixed/eng_Latn", {"xquad": {"items": 7, "examples": 1, "overlapping": 1, "first": ["a"]}})
    mixed, unmixed, only_translated = results.read()
    assert mixed.mixture == {"learnt": 5, "words": 40, "held_out": 1}
    assert unmixed.mixture == {"learnt": 0, "words": 0, "held_out": 0}
    assert only_translated.mixture is None
    assert [one.overlapping for one in (mixed, unmixed, only_translated)] == [{"xquad": 1}, {}, {}]


def test_words_are_counted_as_they_are_cut_elsewhere_in_every_language():
    table = read_languages(ROOT / "config" / "languages.tsv")
    cells = [cell for row in table.values() for cell in row.params().values() if cell]
    texts = ["今天是 ABC公司。", "3.5 km", "¿?", *cells]
    for text in texts:
        assert lengths(rows("", instruction=text))["instruction"].five == [len(tokens(text))] * 5, text


def test_lengths_are_five_numbers_of_the_rows_that_have_the_field():
    said = pl.DataFrame([row(str(n), input="it " * (n % 2), output="so " * n) for n in range(1, 6)])
    found = lengths(said)
    assert found["output"] == Lengths(5, [1, 2, 3, 4, 5])
    assert found["input"] == Lengths(3, [1, 1, 1, 1, 1])


def test_a_handful_is_drawn_of_many():
    assert len(sample(rows(*[""] * 100))) == module.SAMPLES


def test_every_reason_is_drawn_however_rare():
    rare = [f"reason {number}" for number in range(2 * module.SAMPLES)]
    drawn = sample(rows(*["duplicate"] * 100, *rare))
    assert sorted(row.reason for row in drawn) == sorted(["duplicate", *rare])


def test_where_reasons_are_few_they_take_turns():
    drawn = [row.reason for row in sample(rows(*["duplicate"] * 50, "refusal", "empty"))]
    assert sorted(drawn[:3]) == ["duplicate", "empty", "refusal"] and drawn[3:] == ["duplicate"] * (module.SAMPLES - 3)


def test_the_order_of_the_rows_does_not_matter_and_one_more_changes_one_at_most():
    many = rows(*[""] * 100)
    assert sample(many) == sample(many.reverse())
    before, after = ({row.id for row in sample(frame)} for frame in (many, many.vstack(pl.DataFrame([row("new")]))))
    assert len(before - after) <= 1


def test_translations_of_one_row_are_drawn_together():
    english, arabic = (
        pl.DataFrame([row(f"e{n}:{code}", parent=f"e{n}", recipe="translate_respond") for n in order])
        for code, order in (("eng_Latn", range(50)), ("arb_Arab", range(49, -1, -1)))
    )
    drawn = [[row.id.split(":")[0] for row in sample(frame)] for frame in (english, arabic)]
    assert drawn[0] == drawn[1]


def test_a_table_adds_languages_up_and_tells_the_most_frequent_reason_first(results):
    results.add("mine", "eng_Latn", [row("a")], [row("b", "empty"), row("c", "refusal")])
    results.add("mine", "arb_Arab", [row("a"), row("b")], [row("c", "refusal")])
    (table,) = dataset_tables(results.read())
    assert table.columns == {"rows": ["made", "kept"], "dropped by curation": ["refusal", "empty"]}
    every, english, arabic = table.lines
    assert every.counts["rows"] == {"made": 6, "kept": 3}
    assert every.counts["dropped by curation"] == {"refusal": 2, "empty": 1}
    assert (every.name, english.name, arabic.name) == (None, "English", "Arabic")
    assert table.makers == ["self_instruct", "parrot"]


def test_rows_of_an_existing_set_are_called_loaded(results):
    (table,) = dataset_tables(results.add("mine", "eng_Latn", [row("a", recipe="load", teacher="")]).read())
    assert table.columns["rows"] == ["loaded", "kept"] and table.makers == ["load"]


def test_costs_are_told_where_a_teacher_answered(results):
    spent = {"answers": 3, "failures": 0, "prompt_tokens": 30, "completion_tokens": 60, "usd": 0.25}
    results.add("free", "eng_Latn", [row("a")]).add("paid", "eng_Latn", [row("a")], **spent)
    free, paid = dataset_tables(results.add("paid", "arb_Arab", [row("a")], **spent).read())
    assert "requests to the teacher" not in free.columns
    asked = {"answered": 6, "failed": 0, "tokens in": 60, "tokens out": 120, "USD": 0.5}
    assert paid.lines[0].counts["requests to the teacher"] == asked


def test_lengths_share_one_scale_from_nothing_to_the_longest_text_of_all_datasets(results):
    results.add("short", "eng_Latn", [row("a", instruction="so " * 9, output="so")])
    results.add("long", "eng_Latn", [row("a", output="so " * 99)])
    short, long = (table.lines[1].lengths for table in dataset_tables(results.read()))
    assert long["output"].at == [100] * 5
    assert short["instruction"].at == [50] * 5  # 10 lies halfway from 1 to 100


def test_what_is_to_be_read_names_its_reason_and_how_many_there_are(results):
    lost = row("b", "cut off", fault="cut off", instruction="", output="", completion="1. Instr")
    found = samples_to_read(results.add("mine", "eng_Latn", [row("a", input="A pebble.")], [lost]).read())
    assert found.languages == {"eng_Latn": ("English", "en-Latn")}
    kept, dropped, listed = found.datasets["mine"]["eng_Latn"]
    assert (kept, dropped) == (1, 1)
    assert listed == [["", "a", "Name it.", "A pebble.", "A stone.", ""], ["cut off", "b", "", "", "", "1. Instr"]]


def test_a_long_text_ends_in_an_ellipsis(results):
    found = samples_to_read(results.add("mine", "eng_Latn", [row("a", output="x" * 5000)]).read())
    assert found.datasets["mine"]["eng_Latn"][2][0][4] == "x" * found.cut + "…"


def test_a_large_study_shows_less_of_each_row_and_fewer_rows_but_every_reason(results, monkeypatch):
    reasons = ["duplicate", "empty", "refusal", "web link", "cut off"]
    lost = [row(f"d{n}", reason, output="so " * 1000) for n, reason in enumerate(reasons * 2)]
    sets = results.add("mine", "eng_Latn", [row("a")] * 9, lost).add("mine", "arb_Arab", [row("a")], lost[:1]).read()
    whole = samples_to_read(sets)
    monkeypatch.setattr(module, "BUDGET", 1200)
    small = samples_to_read(sets)
    assert len(json.dumps(small.datasets)) < 1200 < len(json.dumps(whole.datasets))
    assert small.cut < whole.cut
    listed = [row for _, _, rows in small.datasets["mine"].values() for row in rows]
    assert {row[0] for row in listed} == {"", *reasons}
    assert sum(not row[0] for row in small.datasets["mine"]["eng_Latn"][2]) < module.SAMPLES
