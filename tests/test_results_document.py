"""docs/results.md names every column that there is, and none that there is not."""

import re

import polars as pl
from project import ROOT
from toy_questions import CELLS, LANGUAGES, QUESTIONS, SETTINGS, base, scores_of, tuned
from toy_scores import BASE, LORA, board_of, groups_of, in_both, summary_of

from maple.analysis.domain_scores import DOMAIN_SCHEMA, METHOD_SCHEMA
from maple.analysis.questions.answer import answer_questions
from maple.data.picture_index import INDEX_SCHEMA
from maple.definitions.looks import Looks
from maple.evaluation.clusters import CLUSTER_SCHEMA
from maple.evaluation.label_tables import CONFUSION_SCHEMA, RELIABILITY_SCHEMA
from maple.evaluation.scoring import SCORE_SCHEMA
from maple.evaluation.tokenizer_ceiling import CEILING_SCHEMA, ROUND_TRIP_SCHEMA

DOCUMENT = (ROOT / "docs/results.md").read_text(encoding="utf-8")
FRAMES = [in_both(BASE, [1, 0, 0, 0, 1]), in_both(LORA, [1, 1, 1, 0, 1])]


def documented(heading):
    """The names in the first column of each table under a heading, table by table."""
    text = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", text + "\n", re.M)
    return [
        [name for line in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", line.split("|")[1])]
        for table in tables
    ]


def columns_of(table):
    """The columns of a table but those of the axes, which differ from study to study."""
    return [name for name in table.columns if name not in LORA.axes]


def test_the_columns_of_the_summary_are_those_described():
    assert documented("summary.parquet, summary.csv") == [columns_of(summary_of(*FRAMES))]


def test_the_columns_of_groups_are_those_described():
    assert documented("groups.parquet") == [columns_of(groups_of(*FRAMES))]


def test_the_columns_of_the_leaderboard_are_those_described():
    assert sorted(*documented("leaderboard.parquet")) == sorted(columns_of(board_of(*FRAMES)))


def test_the_columns_of_scores_are_those_described():
    (described,) = documented("scores/{run}/{language}.parquet")
    assert sorted(described) == sorted(SCORE_SCHEMA)


def test_the_columns_of_clusters_are_those_described():
    assert documented("clusters/{task}/{language}.parquet") == [list(CLUSTER_SCHEMA)]


def test_the_columns_of_domains_and_methods_are_those_described():
    assert documented("domains.parquet") == [list(DOMAIN_SCHEMA)]
    assert documented("methods.parquet") == [list(METHOD_SCHEMA)]


def test_the_columns_of_labels_are_those_described():
    assert documented("confusion.parquet") == [list(CONFUSION_SCHEMA)]
    assert documented("reliability.parquet") == [list(RELIABILITY_SCHEMA)]


def test_the_columns_of_ceilings_and_round_trips_are_those_described():
    (described,) = documented("ceilings/{model}.parquet")
    assert sorted(described) == sorted(CEILING_SCHEMA)
    assert documented("round_trips/{model}.parquet") == [list(ROUND_TRIP_SCHEMA)]


def test_the_columns_of_pictures_are_those_described():
    assert documented("pictures/{task}/{part}/index.parquet") == [list(INDEX_SCHEMA)]


def test_a_run_is_described_by_the_columns_that_every_table_begins_with():
    assert documented("A run") == [summary_of(*FRAMES).columns[:6]]


def test_the_keys_of_questions_are_those_described():
    runs = [base(), base("other"), *(tuned(rank, bits, model, data) for rank in (8, 16) for bits in (4, 16)
            for model in ("toy", "other") for data in ("made", "taken"))]  # fmt: skip
    scores = scores_of(runs, CELLS, lambda run, *_: 0.5 + 0.01 * (run.axis("rank") or 0))
    scores.parsed[0] = False
    first = Looks(shares=[0.1, 1.0], now=1, spending="pocock")
    found = answer_questions(scores, LANGUAGES, SETTINGS, QUESTIONS, {}, looks=first).content()
    asked = {key for answer in found["questions"] for key in answer}
    none = scores_of([base()], CELLS, lambda *_: 0.5)
    missing = {
        key
        for answer in answer_questions(none, LANGUAGES, SETTINGS, QUESTIONS, {}).content()["questions"]
        for key in answer
    }
    whole, described = documented("questions.json")
    assert (sorted(whole), sorted(described)) == (sorted(found), sorted(asked | missing))


def test_the_csv_says_what_the_parquet_says(tmp_path):
    summary = summary_of(*FRAMES)
    (tmp_path / "summary.csv").write_text(summary.write_csv(), encoding="utf-8")
    read = pl.read_csv(tmp_path / "summary.csv", schema=summary.schema)
    assert read.equals(summary)
