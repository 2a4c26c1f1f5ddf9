import json
from dataclasses import replace
from pathlib import Path

import pytest
from project import ROOT
from snakemake.utils import update_config

from maple.data.sources import RowFolders
from maple.definitions.errors import DefinitionError
from maple.definitions.reading import parse, read_yaml
from maple.definitions.task import LocalRows, Task
from maple.study.first_rows import check_first_rows
from maple.study.reading import read_study

ROW = {"id": 1, "text": "It rains.", "answers": {"text": ["rain"]}, "label": "good"}
TASK = {
    "item": "id",
    "prompt": "{{ text }}",
    "targets": "answers.text",
    "fields": ["text"],
    "metrics": ["f1"],
    "headline": "f1",
    "max_new_tokens": 8,
    "sources": {"local": {"path": "{data}/{iso639_1}/{split}.jsonl", "languages": "all"}},
}


def study_of(folder, task, **config):
    """The default study with one task of local rows in English, and its definition."""
    content = read_yaml(ROOT / "config/config.yaml")
    update_config(content, {"languages": ["eng_Latn"], "answers": {}, "shots": {}, "data": str(folder)})
    content = {**content, "tasks": ["xquad"], "task_source": "local", "languages": ["eng_Latn"], "answers": {}} | config
    study = read_study(content, ROOT / "config")
    definition = parse(Task, TASK | task, "config/tasks/xquad.yaml")
    settings = study.tasks["xquad"].settings
    toy = replace(
        study.tasks["xquad"],
        definition=definition,
        prompt_spec=definition.prompt_spec(),
        source=definition.sources.local,
        settings=settings,
    )
    return toy, study.languages


def check(folder, task=None, rows=(ROW,), split="test", **config):
    toy, languages = study_of(folder, task or {}, **config)
    if rows:
        (folder / "en").mkdir(exist_ok=True)
        (folder / f"en/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    check_first_rows(toy, "eng_Latn", languages, RowFolders(str(folder), "hub"), "own")


CHOICES = {"targets": "label", "choices": {"good": ["good"], "bad": ["bad"]}}


def test_templates_that_fit_pass_and_rows_that_are_not_there_yet_are_not_looked_at(tmp_path):
    check(tmp_path)
    check(tmp_path, CHOICES)
    check(tmp_path / "nowhere", {"prompt": "{{ txt }}"}, rows=())


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ({"prompt": "{{ txt }}"}, "prompt: 'txt' is undefined"),
        ({"prompt": "{{ text.upper }}"}, "prompt: a template prints builtin_function_or_method"),
        ({"prompt": "{{ answers }}"}, "prompt: a template prints dict"),
        ({"targets": "answers.txt"}, "targets: 'dict object' has no attribute 'txt'"),
        ({"targets": "answer.text"}, "targets: 'answer' is undefined"),
        ({"targets": "answers"}, "targets: gold is dict"),
        ({"item": "ident"}, "item: 'ident' is undefined"),
        ({"fields": ["text", "premise"]}, "fields: no column premise"),
        (CHOICES | {"choices": {"Good": ["good"], "bad": ["bad"]}}, "targets: gold 'good' is none of Good, bad"),
        ({"targets": "label.x"}, "targets: 'str object' has no attribute 'x'"),
        (CHOICES | {"targets": "[label, 'bad']"}, "targets: gold has several labels (good, bad)"),
        (
            CHOICES | {"choices": {"good": ["{{ text }}"], "bad": ["{{ text | lower }}"]}},
            "choices: two choices of one text",
        ),
        (CHOICES | {"choices": {"good": ["{{ txt }}"], "bad": ["bad"]}}, "choices.good: 'txt' is undefined"),
        ({"prompt": "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}"}, "prompt: "),
    ],
)
def test_a_template_that_fits_no_row_is_refused_with_file_key_and_the_columns_that_are_there(tmp_path, task, reason):
    with pytest.raises(DefinitionError) as error:
        check(tmp_path, task)
    message = str(error.value)
    assert message.startswith(f"config/tasks/xquad.yaml: {reason}")
    assert f"{tmp_path}/en/test.jsonl" in message and "id, text, answers, label" in message


def test_a_column_under_another_name_than_the_mapping_s_is_refused(tmp_path):
    local = {"path": "{data}/{iso639_1}/{split}.jsonl", "languages": "all", "columns": {"text": "sentence"}}
    task = {"sources": {"local": local}}
    check(tmp_path, task)  # its own name serves as well
    check(tmp_path, task, rows=[{"sentence": "It rains.", **{key: ROW[key] for key in ("id", "answers")}}])
    with pytest.raises(
        DefinitionError, match=r"fields: no column text, .* columns id, premise, answers; mend it, or map"
    ):
        check(tmp_path, task, rows=[{"id": 1, "premise": "It rains.", "answers": ROW["answers"]}])


def test_a_first_row_that_lacks_a_value_refuses_no_template(tmp_path):
    check(tmp_path, rows=[ROW | {"text": None}, ROW | {"answers": None}, ROW])
    check(tmp_path, rows=[ROW | {"text": None}] * 9)


def test_dev_rows_that_are_not_there_are_refused_unless_the_language_may_have_none(tmp_path):
    with pytest.raises(DefinitionError, match=r"en/dev\.jsonl: no such file, of which shots\.xquad takes"):
        check(tmp_path, shots={"xquad": 2})
    local = {**TASK["sources"]["local"], "without_dev": ["eng_Latn"]}
    check(tmp_path, {"sources": {"local": local}}, shots={"xquad": 2})
    check(tmp_path, split="dev", shots={"xquad": 2})


def test_templates_are_held_against_dev_rows_too(tmp_path):
    check(tmp_path, rows=[ROW | {"premise": "It pours."}])
    with pytest.raises(DefinitionError, match=r"prompt: 'premise' is undefined, in the first rows of .*/dev\.jsonl"):
        check(tmp_path, {"prompt": "{{ premise }}"}, split="dev", rows=[ROW], shots={"xquad": 1})


@pytest.mark.parametrize(
    ("source", "shots"),
    [({"path": "{data}/{iso639_1}.jsonl"}, 1), ({"path": "{data}/{split}", "splits": {"test": "test"}}, 8)],
)
def test_a_source_without_dev_rows_is_refused_if_demonstrations_are_asked_for(tmp_path, source, shots):
    toy, languages = study_of(tmp_path, {"sources": {"local": {"languages": "all", **source}}}, shots={"xquad": shots})
    with pytest.raises(DefinitionError, match=r"config: shots\.xquad: config/tasks/xquad\.yaml has no demonstrations"):
        toy.places("eng_Latn", languages, RowFolders(str(tmp_path), "hub"))


def test_xquad_of_the_hub_which_has_one_split_gives_no_demonstrations():
    content = read_yaml(ROOT / "config/config.yaml")
    update_config(content, {"tasks": ["xquad"], "task_source": "hub", "shots": {"xquad": 2}, "answers": {}})
    content["languages"] = ["eng_Latn"]
    with pytest.raises(DefinitionError, match=r"config: shots\.xquad: config/tasks/xquad\.yaml has no demonstrations"):
        read_study(content, ROOT / "config")


def test_every_task_of_the_embedded_world_fits_its_rows():
    study = read_study(read_yaml(ROOT / "config/config.yaml"), ROOT / "config")
    for task in study.tasks.values():
        check_first_rows(task, "eng_Latn", study.languages, RowFolders(None, "hub"), "own")
        assert task.settings_in("eng_Latn") == task.settings


@pytest.mark.parametrize("key", ["yes", "no", "on", "Off", "true"])
def test_a_label_that_yaml_reads_as_a_truth_value_is_refused_with_file_and_line(tmp_path, key):
    path = Path(tmp_path / "toy.yaml")
    path.write_text(f"item: id\nchoices:\n  {key}: [a]\n")
    with pytest.raises(DefinitionError, match=rf"toy\.yaml: .*line 3: the key {key} is a truth value to YAML"):
        read_yaml(path)
    for content, place in (({"yes": [True]}, "choices.yes.0"), ({"1": ["x", False]}, "choices.1.1")):
        with pytest.raises(DefinitionError, match=rf"toy: {place}: .*put quotes around it"):
            parse(Task, TASK | {"choices": content}, "toy")
    with pytest.raises(DefinitionError, match="toy: choices: the key 2 is not text; put quotes around it"):
        parse(Task, TASK | {"choices": {2: ["x"]}}, "toy")


def test_without_dev_is_a_key_of_a_source():
    assert LocalRows(path="a", languages="all", without_dev=["lao_Laoo"]).without_dev == ["lao_Laoo"]


def test_a_column_with_the_name_of_the_position_is_refused_where_a_template_names_it(tmp_path):
    rows = [ROW | {"number": 18}]
    check(tmp_path, rows=rows)
    with pytest.raises(
        DefinitionError, match=r"templates name 'number', the position .*`columns: {row_number: number}`"
    ):
        check(tmp_path, {"targets": "number"}, rows=rows)
    check(tmp_path, {"item": "number"})


COT = {"targets": "result", "fields": ["text", "result"], "metrics": ["number"], "headline": "number"}
SUM = {"id": 1, "text": "2 + 3?", "result": 5, "steps": "2 and 3 make 5."}


def test_a_demonstration_that_is_not_read_as_its_gold_is_refused_with_task_language_and_row(tmp_path):
    read = {"read": "number", "demonstration": "{{ steps }} The answer is {{ result }}."}
    check(tmp_path, COT | {"answer": read}, rows=[SUM], split="dev", shots={"xquad": 1})
    rows = [SUM, SUM | {"id": 2, "result": 6, "steps": "2 times 3"}]
    wrong = read | {"demonstration": "{{ result }}: {{ steps }}"}
    with pytest.raises(DefinitionError) as error:
        check(tmp_path, COT | {"answer": wrong}, rows=rows, split="dev", shots={"xquad": 1})
    assert str(error.value) == (
        "config/tasks/xquad.yaml: eng_Latn, row 2 of its dev rows: the answer '6: 2 times 3' is read as '3', and gold "
        "is '6'; mend `answer`, `choices` or `targets`, so that an answer as it is shown is right"
    )


@pytest.mark.parametrize(
    ("task", "row", "says"),
    [
        ({"answer": {"after": ["The answer is"]}}, ROW, "the answer 'rain' is read as no answer, and gold is 'rain'"),
        ({"answer": {"stop": ["a"]}}, ROW, "the answer 'rain' is read as 'r', and gold is 'rain'"),
        ({}, ROW | {"answers": {"text": ["rain\nand snow"]}}, "is read as 'rain', and gold is"),
        (CHOICES | {"choices": {"good": ["\u200b\n"], "bad": ["bad"]}}, ROW, "read as no answer, and gold is 'good'"),
    ],
)
def test_a_gold_answer_that_no_completion_could_give_is_refused_without_demonstrations_too(tmp_path, task, row, says):
    with pytest.raises(DefinitionError, match=rf"xquad\.yaml: eng_Latn, row 1 of its test rows: .*{says}"):
        check(tmp_path, task, rows=[row])


def test_sets_and_a_label_behind_a_chain_of_thought_are_read(tmp_path):
    check(tmp_path, {"targets": "[['KIND', label], ['KIND', text]]", "answer": {"read": "spans", "types": ["KIND"]}})
    check(tmp_path, CHOICES | {"targets": "['good', 'bad']", "multi": True})
    check(tmp_path, CHOICES | {"targets": "[]", "multi": True})
    check(tmp_path, CHOICES | {"answer": {"read": "label"}})
    check(tmp_path, {"answer": {"after": ["Answer:"], "demonstration": "Answer: rain"}})
