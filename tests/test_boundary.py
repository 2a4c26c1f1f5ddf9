"""What comes from outside a study, or is left of another one: rows on disk, and files in results/."""

import base64
import json
import os
import re
import shutil

import pytest
from project import TOY_STUDY, Project

pytestmark = pytest.mark.heavy

PROMPTS = "results/prompts/xnli/eng_Latn.parquet"
EXAMPLES = "results/examples/mine/eng_Latn.parquet"
CLUSTERS = "results/clusters/xnli/eng_Latn.parquet"
LABELS = ("entailment", "neutral", "contradiction")
SAYINGS = ["The sun rises.", "Water is wet.", "Birds can fly.", "Snow is cold."]


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def xnli(count=4):
    return [
        {"premise": SAYINGS[at % 4], "hypothesis": f"Sentence {at}.", "label": LABELS[at % 3], "id": at}
        for at in range(count)
    ]


def mine(project):
    dataset = {
        "recipe": "load",
        "load": {"local": {"path": "{data}/mine.jsonl"}},
        "curate": {},
        "mix": {"rows": None, "alpha": 1.0, "seed": 1, "held_out": 1},
        "languages": ["eng_Latn"],
    }
    project.write("config/datasets/mine.yaml", dataset)
    project.replace("config/tasks/xnli.yaml", "    columns: {id: row, premise: sentence1", "    # columns: {id: row")
    project.study(
        languages=["eng_Latn"],
        tasks=["xnli"],
        task_source="local",
        data="rows",
        grid=[TOY_STUDY["grid"][0] | {"datasets": ["mine"]}],
    )
    write_lines(project.folder / "rows/xnli/en/test.jsonl", xnli())
    write_lines(
        project.folder / "rows/mine.jsonl",
        [{"instruction": f"Say: {text}", "input": "", "output": text} for text in SAYINGS],
    )


@pytest.fixture(scope="session")
def read(tmp_path_factory):
    """A project that has read rows on disk: prompts, clusters and examples."""
    project = Project.made_in(tmp_path_factory.mktemp("read"))
    mine(project)
    project.snakemake(PROMPTS, CLUSTERS, EXAMPLES)
    return project


@pytest.fixture
def project(read, tmp_path):
    return read.copy_to(tmp_path / "project")


def jobs(project, *options):
    return project.jobs(*options, "--", PROMPTS, CLUSTERS, EXAMPLES)


def another_mount(project):
    shutil.move(project.folder / "rows", project.folder / "elsewhere")
    project.study(data=str(project.folder / "elsewhere"))


def a_link(project):
    shutil.move(project.folder / "rows", project.folder / "real")
    (project.folder / "rows").symlink_to("real")


def a_slash_at_the_end(project):
    project.study(data="./rows/")


def another_name(project):
    (project.folder / "rows/mine.jsonl").rename(project.folder / "rows/ours.jsonl")
    project.replace("config/datasets/mine.yaml", "mine.jsonl", "ours.jsonl")


def a_newer_date(project):
    for path in (project.folder / "rows").rglob("*.jsonl"):
        os.utime(path)


@pytest.mark.parametrize("change", [another_mount, a_link, a_slash_at_the_end, another_name, a_newer_date])
def test_rows_by_another_path_or_date_are_the_same_rows(project, change):
    change(project)
    assert jobs(project) == {}


def test_rows_of_an_older_date_and_the_same_size_are_other_rows(project):
    path = project.folder / "rows/mine.jsonl"
    before = path.stat()
    path.write_text(path.read_text().replace("Snow is cold.", "Snow is warm."))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert jobs(project) == {"synthesize": 1, "curate": 1}
    write_lines(project.folder / "rows/xnli/en/test.jsonl", xnli(3))
    os.utime(project.folder / "rows/xnli/en/test.jsonl", (1, 1))
    assert jobs(project) == {"synthesize": 1, "curate": 1, "render_prompts": 1, "cluster": 1}


def test_other_columns_of_the_same_rows_are_other_rows(project):
    project.replace(
        "config/datasets/mine.yaml",
        "path: '{data}/mine.jsonl'",
        "path: '{data}/mine.jsonl'\n    columns: {output: input}",
    )
    assert jobs(project) == {"synthesize": 1, "curate": 1}


MISSING = [
    ({"task_source": "local", "data": "/not/there"}, ["`data` names /not/there, which is no folder"]),
    (
        {"task_source": "local", "data": "rows"},
        ["task xnli, eng_Latn: rows/xnli/en/test.jsonl", "task xquad, eng_Latn: rows/xquad/en/test.jsonl"],
    ),
]


@pytest.mark.parametrize(("change", "says"), MISSING)
@pytest.mark.parametrize("target", ["all", "results/report.html"])
def test_rows_that_are_not_there_are_refused_whatever_an_earlier_study_left(finished, tmp_path, change, says, target):
    project = finished.copy_to(tmp_path / "project")
    write_lines(project.folder / "rows/xnli/sw/test.jsonl", xnli())
    project.study(**change)
    said = project.snakemake("-n", "--", target, fails=True)
    assert all(text in said for text in says) and "Traceback" not in said
    assert project.jobs("forecast") == {"forecast": 1}


def test_examples_and_seed_tasks_that_are_not_there_are_refused_too(project):
    (project.folder / "rows/mine.jsonl").unlink()
    said = project.snakemake("-n", "--", EXAMPLES, fails=True)
    assert "1 file of rows cannot be read" in said and "dataset mine, eng_Latn: rows/mine.jsonl" in said
    project.study(data=None, task_source="embedded")
    said = project.snakemake("-n", "--", EXAMPLES, fails=True)
    assert "the config has no `data`" in said and "dataset mine, eng_Latn: {data}/mine.jsonl" in said


def test_the_content_of_a_file_of_seed_tasks_counts_and_its_path_does_not(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    project.replace("config/datasets/little.yaml", "seed_tasks: embedded", "seed_tasks: seeds/{code}.jsonl")
    assert "dataset little, swh_Latn: seeds/swh_Latn.jsonl" in project.snakemake("-n", fails=True)


LEFT = ["results/tables/xquad.tex", "results/tables/xquad.md", "results/figures/english.svg"]


def test_a_study_without_a_task_and_a_run_leaves_no_file_of_theirs(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    run = "toy/little/lora-r2-16bit/seed1"
    of_run = [f"results/lm_eval/{run}/results_maple.json", f"results/model_cards/merged/{run}/README.md"]
    assert all((project.folder / path).is_file() for path in [*LEFT, *of_run])
    (project.folder / "results/tables/notes.txt").touch()
    bases = {"models": ["toy"], "datasets": [], "methods": {}, "seeds": []}
    project.study(tasks=["xnli"], grid=[bases])
    project.snakemake()
    assert not any((project.folder / path).exists() for path in [*LEFT, *of_run])
    assert not (project.folder / "results/lm_eval/toy/little").exists()
    assert (project.folder / "results/tables/notes.txt").exists()
    for path in ("results/report.html", "results/summary.csv", "results/tables/all.md"):
        assert "xquad" not in (project.folder / path).read_text().lower(), path


def test_a_changed_config_counts_although_snakemakes_folder_is_lost(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    shutil.rmtree(project.folder / ".snakemake")
    assert project.jobs() == {}
    shutil.rmtree(project.folder / ".snakemake")
    project.study(finetune={"steps": 5})
    assert project.jobs()["finetune"] == 1
    project.study(finetune={"steps": 4}, note="Another toy.")
    assert project.jobs() == {"report": 1, "describe": 1}


@pytest.mark.parametrize("path", ["results/summary.parquet", "results/cards/toy/none/none/seed0/generate.json"])
def test_results_without_a_record_are_refused_until_they_are_made_again_or_accepted(finished, tmp_path, path):
    project = finished.copy_to(tmp_path / "project")
    record = project.folder / "results/.records/metadata" / base64.urlsafe_b64encode(path.encode()).decode()
    record.unlink()
    said = project.snakemake("-n", fails=True)
    assert "has no record of what it was made from" in said and "Traceback" not in said
    forced = re.search(r"--forcerun (\S+)`", said)[1]
    assert project.jobs("--forcerun", forced)["summarize"] == 1
    assert project.jobs("forecast") == {"forecast": 1}
    project.snakemake("--touch", "--forceall")
    assert project.jobs() == {}


def test_the_order_of_languages_in_the_config_computes_nothing_again(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    project.study(languages=["swh_Latn", "eng_Latn"])
    assert project.jobs() == {}
