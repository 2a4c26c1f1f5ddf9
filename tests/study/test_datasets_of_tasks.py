"""Studies whose datasets are train rows of tasks: what they are made of, and what is refused while planning."""

import shutil

import pytest
import yaml
from project import ROOT
from studies import CONFIG, study

from maple.data.sources import EmbeddedSource, RowFolders
from maple.definitions.errors import DefinitionError
from maple.definitions.reading import read_yaml
from maple.study.reading import read_study

FOLDERS = RowFolders(data="rows", fetched="hub")


def grid(*datasets):
    part = {"models": ["tiny-llama"], "methods": {"lora": {"rank": [4], "bits": [16]}}, "seeds": [1]}
    return [part | {"datasets": list(datasets)}]


def embedded(*datasets, **changes):
    values = {"tasks": ["kind-of-name"], "answers": {}, "languages": ["eng_Latn", "swh_Latn"]} | changes
    return study(grid=grid(*datasets), **values)


def local(*datasets, **changes):
    values = {"tasks": ["mahasent"], "answers": {}, "languages": ["mar_Deva"], "task_source": "local", "data": "rows"}
    return study(grid=grid(*datasets), items=None, **values | changes)


def changed(tmp_path, file, **keys):
    """Return a copy of config/ in which a file has other keys; None takes a key out."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    path = tmp_path / "config" / file
    content = {key: value for key, value in (read_yaml(path) | keys).items() if value is not None}
    path.write_text(yaml.safe_dump(content))
    return tmp_path / "config"


def test_a_dataset_of_a_task_reads_the_source_that_the_study_reads():
    dataset = local("mahasent").datasets["mahasent"]
    (places,) = dataset.training_places("mar_Deva", local("mahasent").languages, FOLDERS)
    assert [place.path for place in (places.train, places.dev, places.test)] == [
        f"rows/mahasent_gt/{split}.csv" for split in ("train", "valid", "test")
    ]
    of_world = embedded("kinds-of-names").datasets["kinds-of-names"]
    languages = embedded("kinds-of-names").languages
    (places,) = of_world.training_places("swh_Latn", languages, FOLDERS)
    assert isinstance(places.train, EmbeddedSource)


def test_its_languages_are_those_of_the_study_that_the_task_offers():
    languages = ["eng_Latn", "swh_Latn", "yor_Latn"]
    assert embedded("kinds-of-names", languages=languages, tasks=["kind-of-name", "xnli"]).datasets[
        "kinds-of-names"
    ].languages == ["eng_Latn", "swh_Latn"]


def test_a_task_that_offers_none_of_the_study_s_languages_is_no_dataset():
    with pytest.raises(DefinitionError, match=r"datasets/nusax\.yaml: languages: task nusax does not offer mar_Deva"):
        local("nusax")


def test_a_dataset_may_be_of_a_task_that_no_run_is_asked():
    assert local("mahasent", tasks=["mahanews"]).datasets["mahasent"].task.name == "mahasent"


def test_a_task_without_train_rows_is_refused_by_name(tmp_path):
    folder = changed(tmp_path, "datasets/mahasent.yaml", task={"name": "xnli"})
    values = CONFIG | {"tasks": ["xnli"], "answers": {}, "languages": ["swh_Latn"], "grid": grid("mahasent")}
    with pytest.raises(
        DefinitionError, match=r"mahasent\.yaml: task\.name: the embedded world has no train rows of xnli"
    ):
        read_study(values, folder)
    with pytest.raises(DefinitionError, match=r"config/tasks/xnli\.yaml names no train rows .* under `splits\.train`"):
        read_study(values | {"task_source": "local", "data": "rows"}, folder)


def test_embedded_train_rows_need_a_number(tmp_path):
    folder = changed(tmp_path, "datasets/kinds-of-names.yaml", task={"name": "kind-of-name"})
    values = {"tasks": ["kind-of-name"], "answers": {}, "languages": ["swh_Latn"], "grid": grid("kinds-of-names")}
    with pytest.raises(DefinitionError, match=r"task\.max_rows: embedded rows have no end; write a number"):
        read_study(CONFIG | values, folder)


def test_an_unknown_task_is_named(tmp_path):
    folder = changed(tmp_path, "datasets/mahasent.yaml", task={"name": "mahasant"})
    values = {"tasks": ["xnli"], "answers": {}, "languages": ["swh_Latn"], "grid": grid("mahasent")}
    with pytest.raises(
        DefinitionError, match=r"mahasent\.yaml: task\.name names 'mahasant', which config/tasks/ lacks"
    ):
        read_study(CONFIG | values, folder)


def test_rows_of_a_mixture_stand_in_one_place(tmp_path):
    mix = {"rows": 10, "alpha": 1.0, "seed": 1, "held_out": 1}
    folder = changed(tmp_path, "datasets/mahasent.yaml", mix=mix)
    with pytest.raises(DefinitionError, match=r"mix\.rows: write null, since axes\.rows says"):
        read_study(CONFIG, folder)


def test_each_size_is_a_mixture_of_one_dataset():
    of_study = embedded("kinds-of-names")
    assert set(of_study.datasets) == {"kinds-of-names"}
    assert set(of_study.mixtures) == {"kinds-of-names", "kinds-of-names-100rows", "kinds-of-names-250rows"}
    assert {run.dataset for run in of_study.finetuned} == set(of_study.mixtures)


def test_a_dataset_that_names_a_task_under_decontaminate_is_compared_with_it():
    dataset = local("sib200", tasks=["sib200"], languages=["swh_Latn"]).datasets["sib200"]
    assert list(dataset.tests) == ["belebele"] and dataset.ngram_words == 13
