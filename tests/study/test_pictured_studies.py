"""Studies with tasks about pictures: who is asked, where the pictures come from, and what is refused while planning."""

import json
import shutil
from dataclasses import replace

import pytest
import yaml
from project import ROOT
from studies import CONFIG
from toy_pictures import painted

from maple.data.sources import RowFolders
from maple.definitions.errors import DefinitionError
from maple.definitions.reading import read_yaml
from maple.models.kind import KINDS
from maple.study.first_rows import check_first_rows
from maple.study.local_rows import refusal_of_missing_rows
from maple.study.pictures import parts_of_pictures, pictured_tasks, places_of_pictures
from maple.study.reading import read_study

PART = {"models": ["tiny-llama"], "methods": {"lora": {"rank": [4], "bits": [16]}}, "seeds": [1]}
DRAWN = {"tasks": ["name-thing", "object-presence-popular"], "answers": {}, "shots": {}, "languages": ["swh_Latn"]}
FOLDERS = RowFolders(data=None, fetched="hub")


@pytest.fixture
def seeing(monkeypatch):
    """Causal models that see."""
    monkeypatch.setitem(KINDS, "causal", replace(KINDS["causal"], inputs=frozenset({"text", "image"})))


def study(datasets=("pictures",), folder=ROOT / "config", **values):
    return read_study(CONFIG | DRAWN | {"grid": [PART | {"datasets": list(datasets)}]} | values, folder)


def changed(tmp_path, **files):
    """A copy of config/ in which the files of {folder__name: keys} have other keys; None takes a key out."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    for file, keys in files.items():
        path = tmp_path / "config" / f"{file.replace('__', '/').replace('_', '-')}.yaml"
        content = read_yaml(path) if path.exists() else {}
        path.write_text(yaml.safe_dump({key: value for key, value in (content | keys).items() if value is not None}))
    return tmp_path / "config"


def test_a_model_that_sees_nothing_is_not_asked_about_pictures_and_learns_none():
    says = r"config: grid: tiny-llama is of the kind causal, which sees no pictures, and config/tasks/name-thing\.yaml"
    with pytest.raises(DefinitionError, match=says):
        study(["generated"])
    says = r"tiny-llama is of the kind causal, which sees no pictures, and the dataset pictures-1000rows has"
    with pytest.raises(DefinitionError, match=says):
        study(tasks=["xnli"])


def test_a_model_that_sees_is_asked_both_and_others_in_the_study_are_asked_texts_alone(seeing):
    reads = {"models": ["tiny-bert"], "datasets": {"day-opinions": {"rows": [100]}}, "methods": {"full": None}}
    grid = [PART | {"datasets": ["pictures"]}, reads | {"seeds": [1], "tasks": ["day-sentiment"]}]
    both = study(tasks=["name-thing", "day-sentiment"], grid=grid)
    asked = {run.model: list(run.tasks) for run in both.runs}
    assert asked == {"tiny-llama": ["name-thing", "day-sentiment"], "tiny-bert": ["day-sentiment"]}


def test_sizes_of_a_dataset_with_pictures_are_an_axis(seeing):
    of_study = study()
    assert list(of_study.mixtures) == ["pictures-1000rows", "pictures-4000rows", "pictures"]
    assert {run.axes.get("rows") for run in of_study.finetuned} == {1000, 4000, None}
    dataset = of_study.datasets["pictures"]
    assert dataset.task is None and dataset.embedded and dataset.definition.most_rows == 6 * 800


def test_pictures_of_items_that_are_asked_lie_apart_from_those_that_are_learnt(seeing):
    def places(part, **values):
        of_study = study(items=30, **values)
        task = pictured_tasks(of_study)["name-thing"]
        return [place.params() for place in places_of_pictures(of_study, task, part, FOLDERS)]

    assert places("asked") == [{"language": "", "split": "test", "source": {"embedded": {}}, "items": 30}]
    learnt = {place["split"]: place["items"] for place in places("learnt")}
    assert learnt == {"train": 800, "dev": 200, "test": 200}
    assert places("asked", languages=["swh_Latn", "deu_Latn"]) == places("asked")


def test_a_study_needs_the_pictures_of_what_it_asks_and_learns(seeing):
    needed = {(task.name, part) for task, part in parts_of_pictures(study(tasks=["name-thing", "name-pair"]))}
    learnt = ["name-thing", "count-things", "place-thing", "true-false", "object-presence-random", "clock-hour"]
    assert needed == {("name-thing", "asked"), ("name-pair", "asked"), *((task, "learnt") for task in learnt)}


def test_a_study_of_texts_has_no_pictures_and_reads_no_words_of_them():
    of_study = study(["generated"], tasks=["xnli"])
    assert pictured_tasks(of_study) == {} and parts_of_pictures(of_study) == [] and of_study.languages.pictures == {}


def test_a_task_reads_the_words_of_its_pictures_and_no_others(seeing):
    of_study = study()
    sentences = of_study.tasks["name-thing"].sentences("swh_Latn", of_study.languages)
    assert sentences["red_circle"] == "mduara mwekundu" and "hour_3" not in sentences
    for task in of_study.tasks.values():
        check_first_rows(task, "swh_Latn", of_study.languages, FOLDERS, "own")


def test_a_language_without_words_is_refused_with_the_file_that_lacks_them(seeing, tmp_path):
    folder = changed(tmp_path, pictures={"swh_Latn": None})
    with pytest.raises(DefinitionError, match=r"config/pictures\.yaml: has no swh_Latn; add its block, as eng_Latn's"):
        study(folder=folder)


def test_demonstrations_are_refused_for_they_would_have_no_pictures(seeing):
    with pytest.raises(DefinitionError, match=r"config: shots\.name-thing: a demonstration has no picture.*; write 0"):
        study(shots={"name-thing": 2})


@pytest.mark.parametrize(
    ("file", "keys", "says"),
    [
        ("datasets__pictures", {"pictures": {"tasks": ["name-thing"]}}, r"pictures\.max_rows: embedded rows have no"),
        (
            "datasets__pictures",
            {"pictures": {"tasks": ["name-pair"], "max_rows": 9}},
            r"pictures\.tasks: the embedded world has no train rows of name-pair; it has those of name-thing, count-",
        ),
        (
            "datasets__pictures",
            {"pictures": {"tasks": ["kind-of-name"], "max_rows": 9}},
            r"pictures\.tasks: kind-of-name asks about no pictures: config/tasks/kind-of-name\.yaml has no `pictures`",
        ),
        (
            "datasets__pictures",
            {"recipe": "task", "task": {"name": "name-thing", "max_rows": 9}, "pictures": None},
            r"task\.name: name-thing asks about pictures; write recipe: pictures",
        ),
        ("datasets__pictures", {"axes": {"domain": ["units"]}}, r"axes: only datasets of recipe parallel have domains"),
        ("tasks__name_thing", {"pictures": ["id +"]}, r"tasks/name-thing\.yaml: pictures: .*its placeholders are"),
    ],
)
def test_what_cannot_be_learnt_or_asked_is_refused(seeing, tmp_path, file, keys, says):
    with pytest.raises(DefinitionError, match=says):
        study(folder=changed(tmp_path, **{file: keys}))


@pytest.fixture
def real(seeing, tmp_path):
    """A study of xGQA and MaRVL on rows of a folder, learning German questions of xGQA."""
    recipe = {"recipe": "pictures", "pictures": {"tasks": ["xgqa"]}, "languages": ["deu_Latn"]}
    mix = {"rows": None, "alpha": 1.0, "seed": 1, "held_out": 2}
    folder = changed(tmp_path, datasets__questions=recipe | {"mix": mix})
    question = {"question_id": "1", "imageId": "n1", "question": "Was?", "answer": "bat"}
    for code in ("de", "bn"):
        for split in ("train", "dev", "test"):
            file = tmp_path / f"data/xgqa/{code}/{split}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(question) + "\n")
    marvl = {"id": "1", "concept": "6-x", "caption": "?", "left_img": "1.jpg", "right_img": "2.jpg", "label": False}
    (tmp_path / "data/marvl/sw").mkdir(parents=True)
    (tmp_path / "data/marvl/sw/test.jsonl").write_text(json.dumps(marvl) + "\n")
    values = {"task_source": "local", "data": str(tmp_path / "data"), "items": None, "tasks": ["xgqa", "marvl"]}
    return study(["questions"], folder, **values, languages=["ben_Beng", "swh_Latn"])


def test_pictures_of_published_rows_lie_in_the_folder_that_the_source_names(real, tmp_path):
    data = str(tmp_path / "data")
    folders, tasks = RowFolders(data=data, fetched="hub"), pictured_tasks(real)

    def places(name, part):
        found = places_of_pictures(real, tasks[name], part, folders)
        return [(place.language, place.split, place.folder.removeprefix(data)) for place in found]

    assert places("marvl", "asked") == [("swh_Latn", "test", "/marvl/sw/images")]
    assert places("xgqa", "learnt") == [("deu_Latn", split, "/gqa/images") for split in ("train", "dev")]
    assert places("xgqa", "asked") == [(code, "test", "/gqa/images") for code in ("ben_Beng", "deu_Latn")]


def test_all_test_pictures_of_the_study_are_compared_with_those_that_are_learnt(real):
    needed = [(task.name, part) for task, part in parts_of_pictures(real)]
    assert sorted(needed) == [("marvl", "asked"), ("xgqa", "asked"), ("xgqa", "learnt")]


def test_a_folder_of_pictures_that_is_not_there_is_named_with_task_and_language(real, tmp_path):
    folders = RowFolders(data=str(tmp_path / "data"), fetched="hub")
    painted(tmp_path / "data/gqa/images/n1.png", "red")
    message = refusal_of_missing_rows(real, folders)
    assert message.startswith("1 file of rows cannot be read: put them there, or mend the config's `data`")
    assert message.endswith(f"task marvl, swh_Latn: {tmp_path}/data/marvl/sw/images")


def test_a_picture_that_no_column_names_is_found_while_planning(real, tmp_path):
    folders = RowFolders(data=str(tmp_path / "data"), fetched="hub")
    check_first_rows(real.tasks["marvl"], "swh_Latn", real.languages, folders, "own")
    rows = tmp_path / "data/xgqa/bn/test.jsonl"
    rows.write_text(rows.read_text().replace("imageId", "image_id"))
    with pytest.raises(DefinitionError, match=r"config/tasks/xgqa\.yaml: .*imageId"):
        check_first_rows(real.tasks["xgqa"], "ben_Beng", real.languages, folders, "own")


def base(tmp_path, **build):
    """A study of texts with a tiny model that sees, which is built here."""
    keys = read_yaml(ROOT / "config/models/tiny-llava.yaml")
    keys |= {"build": {key: value for key, value in (keys["build"] | build).items() if value is not None}}
    folder = changed(tmp_path, models__tiny_seeing=keys)
    grid = [PART | {"models": ["tiny-seeing"], "datasets": ["generated"]}]
    return lambda **values: study(["generated"], folder, **{"grid": grid, "tasks": ["xnli"]} | values)


def test_a_base_that_sees_learns_the_words_of_its_tasks_in_its_languages(tmp_path):
    made = base(tmp_path, languages=["deu_Latn"], tasks=["name-thing"], read=["clock-hour"])
    words = made(languages=["swh_Latn"]).corpus("tiny-seeing")
    assert list(words) == ["deu_Latn", "swh_Latn"] and words["deu_Latn"]["iso639_1"] == "de"
    needed = {"what_is_it", "which_hour", "red_circle", "hour_3"}
    assert needed < words["deu_Latn"].keys() and not {"how_many", "yes", "left"} & words["deu_Latn"].keys()


def test_without_languages_of_its_own_a_base_that_sees_learns_those_of_the_study(tmp_path):
    of_study = base(tmp_path, languages=None)(languages=["swh_Latn", "eng_Latn"])
    assert list(of_study.corpus("tiny-seeing")) == ["eng_Latn", "swh_Latn"]


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (
            {"languages": ["fra_Latn"]},
            r"pictures\.yaml: has no fra_Latn; .* out of `build\.languages` in config/models/tiny",
        ),
        ({"languages": ["xx"]}, r"tiny-seeing\.yaml: build\.languages names 'xx', which config/languages"),
        ({"tasks": ["name-pair"]}, r"build\.tasks: the embedded world has no train rows of name-pair; of tasks with"),
        ({"read": ["xnli"]}, r"build\.read: the embedded world has no train rows of xnli; of tasks with pictures it"),
    ],
)
def test_a_base_that_sees_is_not_built_from_what_is_not_there(tmp_path, build, says):
    with pytest.raises(DefinitionError, match=says):
        base(tmp_path, **build)()


def test_a_base_that_sees_is_made_again_if_words_that_it_learns_change_and_for_no_others(tmp_path):
    made, path = base(tmp_path, tasks=["name-thing"], read=None), tmp_path / "config/pictures.yaml"
    before, words = made().corpus("tiny-seeing"), read_yaml(path)
    words["swh_Latn"]["hour_3"], words["yor_Latn"]["red_circle"] = "saa", "pupa"
    path.write_text(yaml.safe_dump(words))
    assert made().corpus("tiny-seeing") == before
    words["swh_Latn"]["red_circle"] = "mwekundu"
    path.write_text(yaml.safe_dump(words))
    assert made().corpus("tiny-seeing") != before


def test_a_control_has_the_rows_of_its_dataset_and_shuffles_pictures_by_the_seed_of_its_mixture(seeing):
    name, control = "things-and-flags", "things-and-flags-shuffled"
    of_study = study([name, control])
    assert {name: one.shuffle for name, one in of_study.datasets.items()} == {name: None, control: 1}
    true, shuffled = (of_study.datasets[one].definition for one in (name, control))
    assert shuffled.changed(pictures=true.pictures) == true
    assert shuffled.pictures.changed(shuffled=False) == true.pictures.changed(shuffled=False)


def shipped(name, **values):
    content = read_yaml(ROOT / "config" / name)
    merged = {key: CONFIG[key] | value if isinstance(value, dict) else value for key, value in content.items()}
    return read_study(CONFIG | merged | values, ROOT / "config")


def test_the_tiny_study_asks_every_task_blindly_as_well_and_attaches_lora_by_one_engine():
    tiny = shipped("vision-tiny.yaml")
    assert all(tiny.answers(run)[task] == ["generate", "blind"] for run in tiny.runs for task in run.tasks)
    together = tiny.runs_on_one_engine("tiny-idefics3")
    assert {(run.family, run.axis("connector")) for run in together} == {("lora", "frozen")}
    assert {run.axis("location") for run in tiny.runs if run.family == "lora"} == {"attention", "mlp"}


def test_the_large_study_learns_english_alone_and_asks_it_in_every_language():
    large = shipped("vision.yaml", data="rows")
    assert large.datasets["english-pictures"].languages == ["eng_Latn"] and len(large.languages.codes) == 15
    methods = {model: {run.family for run in large.runs if run.model == model} for model in large.models}
    assert "prefix-zhou" not in methods["qwen2.5-vl-7b-instruct"], "PEFT cannot give it one"
    assert "houlsby-zhou" not in methods["gemma-3-4b-it"], "its places there are not known"
    assert methods["llava-1.5-7b"] > {"lora-zhou", "houlsby-zhou", "ia3-zhou", "prefix-zhou", "full-connector"}
