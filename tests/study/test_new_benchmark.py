"""A benchmark that no file names, in a language that the table lacks: the steps of docs/extending.md, as written."""

import json
import re
import shutil
from textwrap import dedent

import polars as pl
import pytest
import yaml
from project import ROOT
from studies import CONFIG

from maple.data.sources import RowFolders
from maple.definitions.errors import DefinitionError
from maple.definitions.run import RunKey
from maple.evaluation.benchmark_rows import read_task
from maple.evaluation.prompts import render
from maple.evaluation.scoring import score_items
from maple.study.first_rows import check_first_rows
from maple.study.reading import read_study

SECTION = (ROOT / "docs/extending.md").read_text().split("## A benchmark in a new language\n")[1].split("\n## ")[0]
FILES = {title: dedent(text) for title, text in re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', SECTION, re.S)}
TOPICS = ("farm", "market", "school")


@pytest.fixture
def project(tmp_path):
    """The files of config/ with those of the page, and three test rows of digits."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    with open(tmp_path / "config/languages.tsv", "a", encoding="utf-8") as table:
        table.write(FILES["config/languages.tsv"])
    (tmp_path / "config/tasks/wolof-topics.yaml").write_text(FILES["config/tasks/wolof-topics.yaml"])
    (tmp_path / "wolof").mkdir()
    rows = [{"text": f"70{number}", "topic": topic} for number, topic in enumerate(TOPICS)]
    (tmp_path / "wolof/test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def study_of(project):
    changes = yaml.safe_load(FILES["wolof.yaml"]) | {"data": str(project)}
    return read_study(CONFIG | changes, project / "config")


def test_one_row_and_one_file_are_planned_asked_and_scored(project):
    study, folders = study_of(project), RowFolders(str(project), "hub")
    task, wolof = study.tasks["wolof-topics"], study.languages.identity("wol_Latn")
    check_first_rows(task, "wol_Latn", study.languages, folders, "own")
    rows = read_task(
        task.name, task.places("wol_Latn", study.languages, folders), repair=None, phrases=None, items=None
    )
    words = task.words("wol_Latn", study.languages, "own")
    prompts = render(task.prompt_spec, task.settings, task=task.name, language="wol_Latn", rows=rows.test, words=words)
    assert prompts["prompt"][1].endswith("farm, market or school.\nSentence: 701")
    common = {"answer": "generate", "finish_reason": "stop", "completion_tokens": 1, "prompt_tokens": 9}
    common |= {"log_likelihoods": [], "item_tokens": 9, "shots": 0, "shots_dropped": 0}
    answers = ["Farm.", "school", "**School**"]
    frame = pl.DataFrame(
        [{**prompt, "completion": text, **common} for prompt, text in zip(prompts.to_dicts(), answers, strict=True)]
    )
    scores = score_items(frame, {task.name: task.definition.metrics}, RunKey("m", "d", "lora-r8-4bit", 1), wolof)
    assert scores.filter(metric="accuracy")["value"].to_list() == [1, 0, 1]


def test_a_label_that_the_file_lacks_is_refused_while_planning(project):
    (project / "wolof/test.jsonl").write_text('{"text": "701", "topic": "sea"}\n')
    study = study_of(project)
    with pytest.raises(DefinitionError, match="targets: gold 'sea' is none of farm, market, school, in the first rows"):
        task = study.tasks["wolof-topics"]
        check_first_rows(task, "wol_Latn", study.languages, RowFolders(str(project), "hub"), "own")
