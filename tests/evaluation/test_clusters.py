import polars as pl
import pytest
from project import ROOT

from maple.data.sources import read_rows
from maple.definitions.loading import read_definitions
from maple.evaluation.clusters import CLUSTER_SCHEMA, cluster_items, joined, read_clusters

TASK = {"item": "id", "cluster": "context"}
TASKS = read_definitions(ROOT / "config/tasks", ROOT / "workflow/schemas/task.schema.yaml")
SHARED = ROOT.parent / "shared" / "data"


def of(*rows, task=TASK):
    return cluster_items(task, rows, "toy", "eng_Latn")


def test_two_questions_on_one_passage_have_one_cluster():
    found = of({"id": 1, "context": "Snow."}, {"id": 2, "context": " Snow.\n"}, {"id": 3, "context": "Rain."})
    assert found["item"].to_list() == ["1", "2", "3"]
    first, second, third = found["cluster"]
    assert first == second != third and len(first) == 16


def test_a_row_that_cannot_be_asked_has_no_cluster():
    found = of({"id": 1, "context": None}, {"context": "No id."}, {"id": 2, "context": "Snow."})
    assert found["item"].to_list() == ["2"] and found.schema == CLUSTER_SCHEMA


def test_an_item_may_be_its_place():
    assert of({"context": "a"}, {"context": "b"}, task=TASK | {"item": "number"})["item"].to_list() == ["0", "1"]


def test_no_file_is_no_cluster(tmp_path):
    assert read_clusters([]).schema == CLUSTER_SCHEMA
    of({"id": 1, "context": "Snow."}).write_parquet(tmp_path / "one.parquet")
    assert read_clusters([tmp_path / "one.parquet"]).height == 1


@pytest.mark.parametrize(("task", "folders"), [("xquad", ("en", "th")), ("xnli", ("en", "sw"))])
def test_real_passages_part_the_items_alike_in_every_language(task, folders):
    if not SHARED.is_dir():
        pytest.skip(f"real rows are not there: {SHARED}")
    columns = TASKS[task]["sources"]["local"].get("columns", {})
    found = {
        folder: cluster_items(
            TASKS[task],
            read_rows({"local": {"path": str(SHARED / task / folder / "test.jsonl"), "columns": columns}}),
            task,
            folder,
        )
        for folder in folders
    }
    items = pl.concat(found.values()).with_columns(number=pl.col("item").rank("dense").cast(pl.Int64)).drop("cluster")
    parts = [joined(items.filter(language=folder), found[folder]).to_list() for folder in folders]
    numbers = joined(items, pl.concat(found.values()))
    print(task, items["item"].n_unique(), "items on", numbers.n_unique(), "texts")
    assert numbers.n_unique() < items["item"].n_unique()
    assert parts[0] + parts[1] == numbers.to_list()
