import pytest
import yaml
from jsonschema import Draft202012Validator
from project import ROOT

from maple.definitions.errors import DefinitionError
from maple.definitions.reading import read_definitions, read_yaml
from maple.definitions.task import Task


def tasks_of(folder, **files):
    (folder / "xnli.yaml").write_text((ROOT / "config/tasks/xnli.yaml").read_text())
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return read_definitions(folder, Task)


def test_a_task_states_only_what_differs(tmp_path):
    local = {"languages": ["yor_Latn"], "path": "{data}/afrixnli/{code}.tsv"}
    tasks = tasks_of(
        tmp_path,
        afrixnli={
            "extends": "xnli",
            "size": None,
            "words": {"yor_Latn": {"premise": "P"}},
            "sources": {"embedded": None, "hub": None, "local": local},
        },
        shorter={"extends": "afrixnli", "max_new_tokens": 3, "words": {"hau_Latn": "english"}},
    )
    base, afrixnli, shorter = (tasks[name] for name in ("xnli", "afrixnli", "shorter"))
    assert (afrixnli.prompt, afrixnli.choices) == (base.prompt, base.choices)
    assert afrixnli.size is None and base.size
    assert afrixnli.sources.local.languages == ["yor_Latn"] and afrixnli.sources.hub is None
    assert afrixnli.sources.local.columns == base.sources.local.columns
    assert shorter.max_new_tokens == 3 and shorter.sources == afrixnli.sources
    assert shorter.words == {"yor_Latn": {"premise": "P"}, "hau_Latn": "english"}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a": {"extends": "xnly"}}, r"a\.yaml: extends: a names 'xnly', which the folder lacks"),
        ({"a": {"extends": "b"}, "b": {"extends": "a"}}, r"a\.yaml: extends: a -> b extends itself"),
        ({"a": {"extends": "xnli", "prompts": "x"}}, r"a\.yaml: unknown key 'prompts'"),
    ],
)
def test_what_cannot_be_extended_is_refused(tmp_path, files, says):
    with pytest.raises(DefinitionError, match=says):
        tasks_of(tmp_path, **files)


def test_an_editor_takes_a_file_that_extends_another_one():
    schema = Draft202012Validator(read_yaml(ROOT / "workflow/schemas/task.schema.json"))
    assert schema.is_valid({"extends": "xnli", "max_new_tokens": 3})
    assert not schema.is_valid({"max_new_tokens": 3}) and not schema.is_valid({"extends": "xnli", "prompts": "x"})


def test_the_variant_of_the_document_is_a_task(tmp_path):
    text = (ROOT / "docs/extending.md").read_text(encoding="utf-8").split("AfriXNLI in Yoruba is\n\n```yaml\n")[1]
    tasks = tasks_of(tmp_path, afrixnli=yaml.safe_load(text.split("```")[0]))
    assert tasks["afrixnli"].sources.params().keys() == {"local"} and tasks["afrixnli"].words == {"yor_Latn": "english"}
