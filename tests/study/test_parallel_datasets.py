"""Studies whose datasets are parallel rows: their parts, and what is refused while planning."""

import shutil
from collections import defaultdict

import polars as pl
import pytest
import yaml
from project import ROOT
from studies import CONFIG

from maple.data.parallel import curate_parallel
from maple.data.sources import RowFolders
from maple.definitions.curation import ParallelCuration
from maple.definitions.errors import DefinitionError
from maple.definitions.reading import read_yaml
from maple.evaluation.training_rows import TrainedTask, labelled_rows, only_test_places, sides_of_tests
from maple.study.reading import read_study

SHARED = ROOT.parent / "shared" / "data"
PART = {"models": ["tiny-llama"], "methods": {"lora": {"rank": [4], "bits": [16]}}, "seeds": [1]}
EMBEDDED = {"tasks": ["translate-units", "translate-lists"], "answers": {}, "languages": ["deu_Latn", "swh_Latn"]}
LOCAL = {
    "tasks": ["translate-news", "translate-wikipedia", "translate-medical"],
    "answers": {},
    "languages": ["amh_Ethi", "som_Latn"],
    "task_source": "local",
    "data": str(SHARED),
    "items": None,
}


def study(datasets, folder=ROOT / "config", **values):
    return read_study(CONFIG | EMBEDDED | {"grid": [PART | {"datasets": datasets}]} | values, folder)


def changed(tmp_path, file, **keys):
    """Return a copy of config/ in which a file has other keys; None takes a key out."""
    shutil.copytree(ROOT / "config", tmp_path / "config", dirs_exist_ok=True)
    path = tmp_path / "config" / file
    content = {key: value for key, value in (read_yaml(path) | keys).items() if value is not None}
    path.write_text(yaml.safe_dump(content))
    return tmp_path / "config"


def test_each_point_of_the_axes_is_a_mixture_named_by_its_values():
    of_study = study({"cldr-pairs": {"domain": ["units", None], "rows": [64]}})
    assert list(of_study.mixtures) == ["cldr-pairs-units-eng_Latn-own-64rows", "cldr-pairs-eng_Latn-own-64rows"]
    run, together = of_study.finetuned
    assert run.axes == {"rank": 4, "bits": 16, "domain": "units", "direction": "eng_Latn-own", "rows": 64}
    assert "domain" not in together.axes and {run.dataset_family, together.dataset_family} == {"cldr-pairs"}


def test_axes_that_the_grid_does_not_name_are_those_of_the_file():
    of_study = study({"cldr-pairs": {"rows": [64]}})
    assert [mixture.domain for mixture in of_study.mixtures.values()] == ["units", "dates", "lists", "names"]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"domain": ["news"]}, r"axes\.domain: 'news' is the domain of none .* they have units, dates, lists, names"),
        ({"direction": ["own-eng_Latn"]}, r"axes\.direction: 'own-eng_Latn' .* they have eng_Latn-own"),
        ({"domain": ["units"], "rows": [2401]}, r"axes\.rows: 2401: there are at most 2400 rows, .*max_rows is 1200"),
    ],
)
def test_a_part_that_no_task_has_and_a_size_above_the_data_are_refused(axes, message):
    with pytest.raises(DefinitionError, match=rf"config/datasets/cldr-pairs\.yaml: {message}"):
        study({"cldr-pairs": axes})


def test_domains_are_no_axis_of_labelled_rows():
    with pytest.raises(DefinitionError, match=r"kinds-of-names: domain: only datasets of recipe parallel"):
        study({"kinds-of-names": {"domain": ["units"]}}, tasks=["kind-of-name"], languages=["swh_Latn"])


def test_a_task_of_another_kind_and_one_without_a_domain_are_no_parallel_rows(tmp_path):
    parallel = {"tasks": ["kind-of-name"], "max_rows": 10}
    folder = changed(tmp_path, "datasets/cldr-pairs.yaml", parallel=parallel, axes=None)
    with pytest.raises(
        DefinitionError, match=r"cldr-pairs\.yaml: parallel\.tasks: kind-of-name .* no pair and no domain"
    ):
        study(["cldr-pairs"], folder)
    folder = changed(tmp_path, "datasets/kinds-of-names.yaml", task={"name": "translate-units", "max_rows": 10})
    with pytest.raises(DefinitionError, match=r"translate-units is a translation task; write recipe: parallel"):
        study(["kinds-of-names"], folder)


def test_embedded_pairs_need_a_number(tmp_path):
    folder = changed(tmp_path, "datasets/cldr-pairs.yaml", parallel={"tasks": ["translate-units"]}, axes=None)
    with pytest.raises(DefinitionError, match=r"parallel\.max_rows: embedded rows have no end; write a number"):
        study(["cldr-pairs"], folder)


def test_a_domain_without_test_or_train_rows_is_refused(tmp_path):
    source = read_yaml(ROOT / "config/tasks/translate-news.yaml")["sources"]["local"]
    folder = changed(
        tmp_path, "tasks/translate-news.yaml", sources={"local": source | {"splits": {"test": "", "train": "train"}}}
    )
    with pytest.raises(DefinitionError, match=r"translate-news\.yaml names no test rows .* \(news\)"):
        study(["parallel-news"], folder, **LOCAL)
    folder = changed(tmp_path, "datasets/parallel-news.yaml", parallel={"tasks": ["translate-wikipedia"]})
    with pytest.raises(DefinitionError, match=r"translate-wikipedia\.yaml names no train rows"):
        study(["parallel-news"], folder, **LOCAL)


def test_an_unknown_language_of_a_pair_and_a_translation_into_itself_are_refused(tmp_path):
    folder = changed(tmp_path, "tasks/translate-units.yaml", pair={"source": "eng_Latin", "target": "own"})
    with pytest.raises(
        DefinitionError, match=r"translate-units\.yaml: pair\.source names 'eng_Latin', which config/lang"
    ):
        study(["cldr-pairs"], folder)
    folder = changed(tmp_path, "tasks/translate-units.yaml", pair={"source": "swh_Latn", "target": "own"})
    with pytest.raises(DefinitionError, match=r"sources\.embedded\.languages: swh_Latn is the source language of all"):
        study(["cldr-pairs"], folder)


BACK = {"tasks": ["translate-dates"], "translator": {"model": "tiny-nllb"}, "max_rows": 30}


def test_a_dataset_may_learn_targets_that_a_translator_of_the_models_translates_back():
    of_study = study(["cldr-pairs-back"])
    dataset = of_study.datasets["cldr-pairs-back"]
    assert [task.name for task in dataset.learnt] == ["translate-units", "translate-dates", "translate-lists"]
    assert dataset.makers == {"translator": "tiny-nllb"} and "tiny-nllb" in of_study.models
    assert dataset.recipe_of_all["translator"]["max_length"] == 96
    assert dataset.definition.most_rows == 1200 + 2 * 300
    tested = of_study.translations_tested("cldr-pairs-back", "swh_Latn")
    assert "translate-dates" in {task.name for task, _ in tested}


def test_a_dataset_without_back_translation_needs_no_model_and_has_the_same_params():
    dataset = study(["cldr-pairs"]).datasets["cldr-pairs"]
    assert dataset.makers == dataset.request_settings == {} and dataset.max_rows == 1200
    assert set(dataset.recipe_of_all) == {"recipe", "parallel"}


@pytest.mark.parametrize(
    ("back", "message"),
    [
        ({"max_rows": None}, r"back_translate\.max_rows: embedded rows have no end; write a number"),
        ({"tasks": ["translate-date"]}, r"back_translate\.tasks names 'translate-date'"),
        ({"tasks": ["kind-of-name"]}, r"back_translate\.tasks: kind-of-name is no translation task"),
        (
            {"tasks": ["translate-units-into-english"]},
            r"back_translate\.tasks: translate-units-into-english translates into eng_Latn: only targets in the rows'",
        ),
        ({"translator": {"model": "tiny-llama"}}, r"back_translate\.translator\.model names 'tiny-llama', .* seq2seq"),
        (
            {"translator": {"model": "tiny-bert"}},
            r"back_translate\.translator\.model names 'tiny-bert', .* writes no t",
        ),
        (
            {"translator": {"model": "nobody"}},
            r"back_translate\.translator\.model names 'nobody', which config/models/",
        ),
        (
            {"translator": {"model": "tiny-mbart"}},
            r"back_translate\.translator\.model: tiny-mbart: the model has no tag of amh_Ethi; .*another translator",
        ),
    ],
)
def test_targets_that_cannot_be_translated_back_are_refused(tmp_path, back, message):
    keys = {key: value for key, value in (BACK | back).items() if value is not None}
    folder = changed(tmp_path, "datasets/cldr-pairs-back.yaml", back_translate=keys)
    with pytest.raises(DefinitionError, match=rf"config/datasets/cldr-pairs-back\.yaml: {message}"):
        study(["cldr-pairs-back"], folder, languages=["swh_Latn", "amh_Ethi"])


def test_a_task_that_renders_its_source_otherwise_is_not_translated_back(tmp_path):
    folder = changed(tmp_path, "tasks/translate-dates.yaml", texts=["{{ id }} {{ source }}"])
    with pytest.raises(DefinitionError, match=r"takes the place of the field 'source', .*write texts: \[\"\{\{ source"):
        study(["cldr-pairs-back"], folder)


def test_a_size_above_pairs_and_translated_targets_together_is_refused():
    study({"cldr-pairs-back": {"rows": [3600]}})
    with pytest.raises(DefinitionError, match=r"at most 3600 rows, since parallel\.max_rows is 1200 and back_trans"):
        study({"cldr-pairs-back": {"rows": [3601]}})


def test_pairs_are_compared_with_the_test_rows_of_every_translation_task_of_study_and_dataset():
    of_study = study(["parallel-news"], **LOCAL)
    tested = of_study.translations_tested("parallel-news", "amh_Ethi")
    assert {(task.name, code) for task, code in tested} == {
        (task, code) for task in LOCAL["tasks"] for code in ("amh_Ethi", "som_Latn")
    }
    embedded = study(["cldr-pairs"]).translations_tested("cldr-pairs", "swh_Latn")
    assert [(task.name, code) for task, code in embedded][2:] == [
        ("translate-dates", "swh_Latn"),
        ("translate-names", "swh_Latn"),
    ]


def test_test_rows_in_languages_that_a_dataset_lacks_are_compared_too(tmp_path):
    folder = changed(tmp_path, "datasets/parallel-news.yaml", languages=["amh_Ethi"])
    of_study = study(["parallel-news"], folder, **LOCAL)
    assert of_study.datasets["parallel-news"].languages == ["amh_Ethi"]
    tested = {(task.name, code) for task, code in of_study.translations_tested("parallel-news", "amh_Ethi")}
    assert ("translate-news", "som_Latn") in tested


@pytest.mark.skipif(not (SHARED / "parallel").is_dir(), reason="the shared parallel rows are not on this machine")
def test_of_real_rows_none_is_a_test_row_and_one_that_is_put_there_is_dropped():
    of_study, code, folders = study(["parallel-news"], **LOCAL), "som_Latn", RowFolders(str(SHARED), "hub")
    languages, dataset = of_study.languages, of_study.datasets["parallel-news"]

    def trained(task, code):
        words = task.words(code, languages, "own")
        pair, domain = task.pair(code, languages), task.definition.domain
        return TrainedTask(task.name, task.prompt_spec, words, languages.identity(code), None, pair, domain)

    (task,), (places,) = dataset.learnt, dataset.training_places(code, languages, folders)
    rows = labelled_rows(trained(task, code), places, None)
    assert rows.group_by("split").len().sort("split").rows() == [("dev", 99), ("train", 1528)]
    tests = defaultdict(list)
    for tested, of_code in of_study.translations_tested("parallel-news", code):
        tests[tested.name] += sides_of_tests(
            trained(tested, of_code), only_test_places(tested.source, languages.identity(of_code), folders)
        )
    stolen = rows.head(1).with_columns(id=pl.lit("stolen"), output=pl.lit(tests["translate-medical"][1]))
    limits = ParallelCuration(**dataset.definition.curate.params()).changed(near=None, language=None)
    identities = {each: languages.identity(each) for each in (code, "eng_Latn")}
    _, dropped = curate_parallel(pl.concat([rows, stolen]), tests, limits, identities)
    of_tests = dropped.filter(pl.col("reason").str.contains("test row"))
    assert of_tests.select("id", "reason").rows() == [("stolen", "a side is a test row: translate-medical")]
