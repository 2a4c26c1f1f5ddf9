import polars as pl
import pytest

from maple.data.examples import PARALLEL_COLUMNS, RAW_LABELLED_SCHEMA
from maple.data.parallel import OverlapError, curate_parallel, part_of
from maple.definitions.curation import ParallelCuration
from maple.definitions.language import LanguageIdentity

LANGUAGES = {
    "eng_Latn": LanguageIdentity("eng_Latn", "English", "en", "Latn"),
    "hin_Deva": LanguageIdentity("hin_Deva", "Hindi", "hi", "Deva"),
}
LONG = "one two three four five six seven eight nine ten"
HINDI = "एक दो तीन"
SCHEMA = {**RAW_LABELLED_SCHEMA, **PARALLEL_COLUMNS}


def pairs(*rows, **common):
    """Rows of (source, target), or of (source, target, split)."""
    blank = dict.fromkeys(SCHEMA, "") | {"seed": 0, "label": None, "language": "hin_Deva", "domain": "news"}
    named = []
    for number, (source, target, *split) in enumerate(rows):
        sides = {"texts": [source], "output": target, "source_language": "eng_Latn", "target_language": "hin_Deva"}
        of_split = split[0] if split else "train"
        named.append(blank | sides | {"id": f"{of_split}-{number}", "split": of_split} | common)
    return pl.DataFrame(named, schema=SCHEMA)


def reasons(rows, tests=None, in_test_sets=(), **limits):
    _, dropped = curate_parallel(rows, tests or {}, ParallelCuration(**limits), LANGUAGES, in_test_sets)
    return dropped["reason"].to_list()


def test_a_row_of_which_either_side_is_that_of_a_test_row_is_dropped_with_the_test_s_domain():
    rows = pairs(("Good day", "एक"), ("Rain", "दो"), ("Sun", "तीन"))
    tests = {"translate-news": ["good DAY!", "कल"], "translate-bible": ["Snow", "दो।"]}
    assert reasons(rows, tests) == ["a side is a test row: translate-news", "a side is a test row: translate-bible"]


def test_a_source_that_is_the_target_of_a_test_row_counts_too():
    assert reasons(pairs(("Rain", "दो")), {"back": ["दो", "Rain"]}) == ["a side is a test row: back"]


def test_of_ten_words_one_may_differ_from_a_test_row_for_a_side_to_be_near_it():
    rows = pairs((LONG.replace("ten", "zehn"), HINDI))
    assert reasons(rows, {"news": [LONG]}) == ["a side is near a test row: news"]
    assert reasons(rows, {"news": [LONG]}, near=None) == []


def test_the_same_text_counts_before_a_near_one():
    rows = pairs((LONG, HINDI))
    tests = {"first": [LONG.replace("ten", "zehn")], "second": [LONG]}
    assert reasons(rows, tests) == ["a side is a test row: second"]


def test_overlap_may_be_refused_with_the_number_of_each_domain():
    rows = pairs(("Rain", "दो"), ("Sun", "तीन"), ("Snow", "चार"))
    with pytest.raises(OverlapError, match=r"hin_Deva: 2 rows .* \(bible 1, news 1\), the first are train-0, train-1"):
        reasons(rows, {"news": ["Rain"], "bible": ["Sun"]}, overlap="refuse")
    assert reasons(rows, {"news": ["Wind"]}, overlap="refuse") == []


@pytest.mark.parametrize(
    ("row", "limits", "reason"),
    [
        (("Rain.", "rain"), {}, "identical sides"),
        (("Rain", "एक दो तीन चार पाँच छह"), {"length_ratio": 3.0}, "length ratio"),
        (("बारिश", "दो"), {"script_share": 0.5}, "wrong script: source"),
        (("Rain", "deux"), {"script_share": 0.5}, "wrong script: target"),
        (
            ("Alle Kinder gingen heute früh zur Schule und lernten dort lesen.", "एक"),
            {"language": True},
            "wrong language: source",
        ),
    ],
)
def test_a_pair_beyond_a_limit_is_dropped_with_its_reason_and_kept_without_the_limit(row, limits, reason):
    assert reasons(pairs(row), **limits) == [reason]
    assert reasons(pairs(row)) == ([reason] if not limits else [])


def test_a_repeated_pair_is_dropped_and_another_translation_of_a_text_is_kept():
    assert reasons(pairs(("Rain", "दो"), ("rain!", "दो"), ("Rain", "तीन"))) == ["duplicate"]


def test_the_same_pair_in_another_domain_is_no_duplicate():
    rows = pl.concat([pairs(("Rain", "दो")), pairs(("Rain", "दो"), domain="bible", id="other")])
    assert reasons(rows) == []


def test_a_dev_row_that_shares_a_side_with_a_train_row_after_it_is_dropped():
    rows = pairs(("Rain", "एक", "dev"), ("Sun", "दो", "dev"), ("Rain", "तीन"))
    kept, dropped = curate_parallel(rows, {}, ParallelCuration(), LANGUAGES)
    assert dropped.select("id", "reason").rows() == [("dev-0", "a side is a train row")]
    assert kept["id"].to_list() == ["dev-1", "train-2"]


def test_a_fault_and_another_task_s_passage_keep_their_names():
    rows = pl.concat([pairs(("Rain", "दो"), fault="no gold answer"), pairs(("Sun", "तीन"), id="other")])
    assert reasons(rows, in_test_sets=["", "belebele"]) == ["no gold answer", "in a test set: belebele"]


def test_kept_rows_have_the_languages_and_the_domain_and_no_fault():
    kept, dropped = curate_parallel(pairs(("Rain", "दो")), {}, ParallelCuration(), LANGUAGES)
    assert set(SCHEMA) - set(kept.columns) == {"fault", "completion"} and dropped.is_empty()
    assert kept.select(*PARALLEL_COLUMNS).rows() == [("eng_Latn", "hin_Deva", "news")]


def test_a_part_is_the_rows_of_a_domain_and_a_direction():
    there, back = pairs(("Rain", "दो")), pairs(("दो", "Rain"), id="back", domain="bible")
    back = back.with_columns(source_language=pl.lit("hin_Deva"), target_language=pl.lit("eng_Latn"))
    both = pl.concat([there, back])
    assert part_of(both, None, None)["id"].to_list() == ["train-0", "back"]
    assert (
        part_of(both, "bible", None)["id"].to_list() == part_of(both, None, "own-eng_Latn")["id"].to_list() == ["back"]
    )
    assert part_of(both, "news", "own-eng_Latn").is_empty()
