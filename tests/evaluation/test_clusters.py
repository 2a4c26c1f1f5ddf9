import polars as pl
import pytest
from project import ROOT

from maple.data.sources import LocalSource, RowFile, read_rows
from maple.definitions.reading import read_definitions
from maple.definitions.task import Clustering, Task
from maple.evaluation.clusters import CLUSTER_SCHEMA, cluster_items, cluster_numbers, read_clusters
from maple.runtime.files import write_parquet

BY_CONTEXT = Clustering(item="id", cluster="context")
TASKS = read_definitions(ROOT / "config/tasks", Task)
SHARED = ROOT.parent / "shared" / "data"


def clusters_of(*rows, clustering=BY_CONTEXT):
    return cluster_items(clustering, rows, task="toy", language="eng_Latn")


def test_two_questions_on_one_passage_have_one_cluster():
    clusters = clusters_of(
        {"id": 1, "context": "Snow."}, {"id": 2, "context": " Snow.\n"}, {"id": 3, "context": "Rain."}
    )
    assert clusters["item"].to_list() == ["1", "2", "3"]
    first, second, third = clusters["cluster"]
    assert first == second != third and len(first) == 16


def test_a_faulty_row_has_no_cluster():
    clusters = clusters_of({"id": 1, "context": None}, {"context": "No id."}, {"id": 2, "context": "Snow."})
    assert clusters["item"].to_list() == ["2"] and clusters.schema == CLUSTER_SCHEMA


def test_rows_with_an_empty_text_do_not_share_one():
    clusters = clusters_of({"id": 1, "context": ""}, {"id": 2, "context": " "}, {"id": 3, "context": "Snow."})
    assert clusters["item"].to_list() == ["3"]


def test_a_column_named_number_is_not_the_position():
    rows = [{"context": "a", "number": 5}, {"context": "b", "number": 5}]
    assert clusters_of(*rows, clustering=Clustering(item="number", cluster="context"))["item"].to_list() == ["0", "1"]


def test_an_item_may_be_its_position():
    assert clusters_of({"context": "a"}, {"context": "b"}, clustering=Clustering(item="number", cluster="context"))[
        "item"
    ].to_list() == ["0", "1"]


def test_without_files_there_are_no_clusters(tmp_path):
    assert read_clusters([]).schema == CLUSTER_SCHEMA
    write_parquet(clusters_of({"id": 1, "context": "Snow."}), tmp_path / "one.parquet")
    assert read_clusters([tmp_path / "one.parquet"]).height == 1


@pytest.mark.parametrize(("task", "folders"), [("xquad", ("en", "th")), ("xnli", ("en", "sw"))])
def test_real_items_have_the_same_clusters_in_every_language(task, folders):
    if not SHARED.is_dir():
        pytest.skip(f"real rows are not there: {SHARED}")
    columns = TASKS[task].sources.local.columns
    clusters = {}
    for folder in folders:
        rows = read_rows(LocalSource(local=RowFile(path=str(SHARED / task / folder / "test.jsonl"), columns=columns)))
        clusters[folder] = cluster_items(TASKS[task].clustering, rows, task=task, language=folder)
    items = (
        pl.concat(clusters.values()).with_columns(number=pl.col("item").rank("dense").cast(pl.Int64)).drop("cluster")
    )
    parts = [cluster_numbers(items.filter(language=folder), clusters[folder]).to_list() for folder in folders]
    numbers = cluster_numbers(items, pl.concat(clusters.values()))
    print(task, items["item"].n_unique(), "items on", numbers.n_unique(), "texts")
    assert numbers.n_unique() < items["item"].n_unique()
    assert parts[0] + parts[1] == numbers.to_list()


def test_an_expression_names_the_article_where_rows_have_one():
    by_article = Clustering(item="number", cluster="title | default(context)")
    rows = ({"title": "Nile", "context": "a"}, {"title": "Nile", "context": "b"}, {"context": "b"}, {"title": None})
    frame = clusters_of(*rows, clustering=by_article)
    assert frame["item"].to_list() == ["0", "1", "2"]  # a row without a text becomes no prompt
    assert frame["cluster"].n_unique() == 2 and frame["cluster"][0] == frame["cluster"][1]
