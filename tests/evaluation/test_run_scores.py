import polars as pl
import pytest

from maple.definitions.language import LanguageIdentity, LanguagePair
from maple.definitions.run import RunKey
from maple.definitions.task import Reading
from maple.evaluation.run_scores import AskedLanguage, AskedTranslation, score_run
from maple.evaluation.scoring import ScoringError
from maple.runtime.files import DamagedFileError, write_parquet

RUN = RunKey("m", "d", "lora-r8-4bit", 1)
LANGUAGES = [
    LanguageIdentity("eng_Latn", "English", "en", "Latn"),
    LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn"),
]
METRICS = {language.code: {"xquad": ["f1"]} for language in LANGUAGES}


def answer(folder, code, completion):
    row = {
        "task": "xquad", "language": code, "item": "1", "completion": completion, "targets": ["Nairobi"], "words": 1,
        "answer": "generate", "finish_reason": "stop", "prompt_tokens": 9, "item_tokens": 6, "shots": 0,
        "shots_dropped": 0, "completion_tokens": 2, "log_likelihoods": [], "labels": [], "verbalizers": [],
    }  # fmt: skip
    write_parquet(pl.DataFrame([row]), folder / f"answers/{code}.parquet")


@pytest.fixture
def folder(tmp_path):
    answer(tmp_path, "eng_Latn", "Nairobi")
    answer(tmp_path, "swh_Latn", "Mombasa")
    assert scored(tmp_path) == ["eng_Latn", "swh_Latn"]
    return tmp_path


def scored(folder, **changes):
    answers, outputs = (
        {language.code: folder / f"{name}/{language.code}.parquet" for language in LANGUAGES}
        for name in ("answers", "scores")
    )
    languages = [AskedLanguage(language) for language in LANGUAGES]
    options = {"metrics": METRICS, "run": RUN, "languages": languages, "code": "1"} | changes
    return score_run(answers, outputs, **options)


def values(folder, code):
    return pl.read_parquet(folder / f"scores/{code}.parquet")["value"].to_list()


def test_an_unchanged_run_writes_nothing(folder):
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("scores/*")}
    assert scored(folder) == []
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("scores/*")} == before


def test_one_language_s_answers_cost_its_scores_alone(folder):
    english = folder / "scores/eng_Latn.parquet"
    before = english.stat().st_mtime_ns, english.read_bytes()
    answer(folder, "swh_Latn", "Nairobi")
    assert scored(folder) == ["swh_Latn"]
    assert values(folder, "swh_Latn") == [1.0]
    assert (english.stat().st_mtime_ns, english.read_bytes()) == before


def test_answers_that_come_back_the_same_cost_nothing(folder):
    answer(folder, "swh_Latn", "Mombasa")
    assert scored(folder) == []


def test_the_metrics_of_a_language_cost_its_scores_alone(folder):
    assert scored(folder, metrics=METRICS | {"eng_Latn": {"xquad": ["exact_match"]}}) == ["eng_Latn"]


def test_the_order_of_tasks_costs_nothing(folder):
    two = {"xquad": ["f1"], "xnli": ["accuracy"]}
    metrics = {code: two for code in METRICS}
    assert len(scored(folder, metrics=metrics)) == 2
    assert scored(folder, metrics={code: dict(reversed(two.items())) for code in METRICS}) == []


@pytest.mark.parametrize(
    "change",
    [
        {"code": "2"},
        {"run": RunKey("m", "d", "lora-r8-4bit", 2)},
        {"languages": [AskedLanguage(LanguageIdentity(row.code, row.name, row.iso639_1, "Arab")) for row in LANGUAGES]},
    ],
    ids=["code", "run", "script of the language"],
)
def test_what_decides_all_scores_costs_all(folder, change):
    assert scored(folder, **change) == ["eng_Latn", "swh_Latn"]


def test_a_language_more_is_scored_alone(folder):
    more = LanguageIdentity("kin_Latn", "Kinyarwanda", "rw", "Latn")
    answer(folder, "kin_Latn", "Kigali")
    LANGUAGES.append(more)
    try:
        assert scored(folder, metrics=METRICS | {"kin_Latn": {"xquad": ["f1"]}}) == ["kin_Latn"]
    finally:
        LANGUAGES.remove(more)


def test_a_job_that_was_killed_goes_on_where_it_was(folder):
    (folder / "scores/swh_Latn.parquet").unlink()
    assert scored(folder) == ["swh_Latn"]


@pytest.mark.parametrize("length", [0, 100, -1], ids=["nothing", "the beginning", "all but the last byte"])
def test_scores_of_which_is_left_only_a_part_are_made_again(folder, length):
    path = folder / "scores/swh_Latn.parquet"
    before = path.read_bytes()
    path.write_bytes(before[:length])
    assert scored(folder) == ["swh_Latn"]
    assert path.read_bytes() == before


def test_scores_that_another_program_has_written_are_made_again(folder):
    path = folder / "scores/swh_Latn.parquet"
    pl.read_parquet(path).with_columns(value=1.0).write_parquet(path)
    assert scored(folder) == ["swh_Latn"]
    assert values(folder, "swh_Latn") == [0.0]


def test_answers_that_are_damaged_are_refused_by_name(folder):
    path = folder / "answers/swh_Latn.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(
        DamagedFileError, match=r"answers/swh_Latn.parquet is damaged: .*--forcerun .*swh_Latn.parquet`"
    ):
        scored(folder)


def prompts(folder, source, returned=None):
    path = folder / "prompts.parquet"
    write_parquet(pl.DataFrame([{"item": "1", "texts": [source]}]), path)
    return [AskedTranslation("xquad", "swh_Latn", LanguagePair(*LANGUAGES), path, returned)]


def test_a_translation_is_scored_again_if_its_source_or_its_round_trip_changed(folder):
    assert scored(folder, translations=prompts(folder, "Mombasa")) == ["swh_Latn"]
    assert pl.read_parquet(folder / "scores/swh_Latn.parquet")["copied"].to_list() == [True]
    assert scored(folder, translations=prompts(folder, "Mombasa")) == []
    assert scored(folder, translations=prompts(folder, "the coast")) == ["swh_Latn"]
    returned = folder / "round_trips.parquet"
    row = {"task": "xquad", "language": "swh_Latn", "item": "1", "targets": ["Nai robi"]}
    write_parquet(pl.DataFrame([row]), returned)
    assert scored(folder, translations=prompts(folder, "the coast", returned)) == ["swh_Latn"]
    assert scored(folder, translations=prompts(folder, "the coast", returned)) == []


def test_another_way_of_reading_a_task_s_answers_costs_its_scores_alone(folder):
    reading = {"xquad": Reading(read="line", stop=["."])}
    assert scored(folder, readings=reading) == ["eng_Latn", "swh_Latn"]
    assert scored(folder, readings=reading) == []
    assert scored(folder, readings=reading | {"xnli": Reading(read="label")}) == []


def test_a_translation_without_its_source_is_refused(folder):
    lacking = prompts(folder, "Mombasa")
    write_parquet(pl.DataFrame([{"item": "2", "texts": ["Mombasa"]}]), folder / "prompts.parquet")
    with pytest.raises(ScoringError, match=r"swh_Latn\.parquet: xquad, item 1: the prompts lack this item"):
        scored(folder, translations=lacking)


def test_answers_are_scored_by_the_rules_of_their_own_language(folder):
    answer(folder, "swh_Latn", "the Nairobi")
    assert scored(folder) == ["swh_Latn"] and values(folder, "swh_Latn") == [pytest.approx(2 / 3)]  # "the" is a word
    english, swahili = LANGUAGES
    languages = [AskedLanguage(english), AskedLanguage(swahili, {"xquad": english, "other": swahili})]
    assert scored(folder, languages=languages) == ["swh_Latn"]
    assert values(folder, "swh_Latn") == [1.0]
    assert scored(folder, languages=languages) == []
