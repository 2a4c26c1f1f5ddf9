"""What a translator cannot learn or be asked is refused while a study is planned, with file and key."""

import json

import pytest
import yaml
from project import ROOT
from toy_training import lora, trains, variant

from maple.definitions.dataset import LoadedDataset
from maple.definitions.errors import DefinitionError
from maple.definitions.local_model import HubModel, PathModel
from maple.definitions.model import Model
from maple.definitions.reading import parse
from maple.definitions.run import Run
from maple.definitions.task import Pair
from maple.study.reading import read_study
from maple.study.translators import (
    check_built,
    check_languages,
    check_new_tags,
    check_tags,
    check_translations,
    known_tags,
)

HUB = {"hub": "a/b", "revision": "0" * 40}
MBART = {"model_type": "mbart", "vocab_size": 250054}
NLLB = {"model_type": "m2m_100", "vocab_size": 256206}


def translator(architecture=MBART, **keys):
    return HubModel(**HUB, kind="seq2seq", architecture=architecture, **keys)


BUILD = {
    "vocabulary": 400,
    "architecture": {"model_type": "mbart"},
    "documents": 9,
    "training": {"steps": 1, "batch": 1, "length": 8, "learning_rate": 1e-3, "seed": 1},
}


class Task:
    """A task, as far as these checks read it."""

    def __init__(self, pair=None):
        self.pair = pair and Pair(**pair)


TASKS = {"xnli": Task(), "flores": Task({"source": "eng_Latn", "target": "own"})}
LOADED = LoadedDataset.model_construct(recipe="load")
PARALLEL = LoadedDataset.model_construct(recipe="parallel")


def run(tasks=("flores",), dataset="news", method="lora", model="mbart"):
    return Run(model, dataset, method, 1, method, tasks=tuple(tasks))


def check(model, *codes, learnt=(), folder=None, runs=None):
    runs = runs or [run()]
    check_languages(runs, {"mbart": model}, TASKS, {"flores": codes}, {"news": learnt}, folder)


def test_a_translator_learns_translations_alone(tmp_path):
    models = {"mbart": translator()}
    check_translations([run()], models, {"news": PARALLEL}, TASKS)
    with pytest.raises(
        DefinitionError,
        match=r"datasets: news: mbart is of the kind seq2seq, .* recipe is load; name one of recipe: p",
    ):
        check_translations([run()], models, {"news": LOADED}, TASKS)
    with pytest.raises(DefinitionError, match=r"config/tasks/xnli\.yaml has a prompt and no pair of languages"):
        check_translations([run(["flores", "xnli"])], models, {"news": PARALLEL}, TASKS)
    with pytest.raises(DefinitionError, match="has a prompt and no pair"):
        check_translations([Run.baseline("mbart", ("xnli",))], models, {}, TASKS)
    check_translations([run(["xnli"])], {"mbart": HubModel(**HUB)}, {"news": LOADED}, TASKS)


def test_a_language_without_a_tag_is_refused_with_the_file_and_what_asks_for_it(tmp_path):
    check(translator(), "swh_Latn", "sin_Sinh", folder=tmp_path)
    with pytest.raises(
        DefinitionError,
        match=r"config/models/mbart\.yaml: the model has no tag of kan_Knda; .* \(which task flores asks\)",
    ):
        check(translator(), "swh_Latn", "kan_Knda", folder=tmp_path)
    with pytest.raises(DefinitionError, match=r"no tag of kan_Knda; .* \(which dataset news teaches\)"):
        check(translator(), "swh_Latn", learnt=["kan_Knda"], folder=tmp_path)
    check(translator(NLLB), "kan_Knda", folder=tmp_path)


def test_a_borrowed_or_new_tag_is_one_and_comes_from_one_that_the_model_has(tmp_path):
    check(translator(tags={"kan_Knda": "te_IN"}), "kan_Knda", folder=tmp_path)
    check(translator(new_tags={"kan_Knda": "te_IN"}), "kan_Knda", folder=tmp_path)
    with pytest.raises(DefinitionError, match=r"mbart\.yaml: tags\.kan_Knda: 'te' is no tag of the model"):
        check(translator(tags={"kan_Knda": "te"}), "kan_Knda", folder=tmp_path)
    with pytest.raises(DefinitionError, match=r"mbart\.yaml: new_tags\.kan_Knda: 'te' is no tag of the model"):
        check(translator(new_tags={"kan_Knda": "te"}), "kan_Knda", folder=tmp_path)


def test_the_tags_of_a_folder_are_those_of_its_tokenizer(tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"content": "swh_Latn"}]}))
    model = PathModel(path=str(tmp_path), kind="seq2seq")
    assert known_tags("own", model, tmp_path).known == {"swh_Latn"}
    with pytest.raises(DefinitionError, match="no tag of eng_Latn"):
        check(model, "swh_Latn", folder=tmp_path)


def test_nothing_is_refused_of_a_model_whose_tags_are_not_known_yet(tmp_path):
    check(translator({}), "kan_Knda", folder=tmp_path)


def test_only_translators_have_tags():
    with pytest.raises(DefinitionError, match=r"config/models/a\.yaml: tags: a model of the kind causal reads no tags"):
        check_tags({"a": HubModel(**HUB, tags={"kan_Knda": "te_IN"})})
    check_tags({"a": translator(tags={"kan_Knda": "te_IN"})})


def test_a_language_has_one_tag_in_a_file_and_is_written_as_flores_does():
    with pytest.raises(DefinitionError, match="new_tags: kan_Knda is in tags, too"):
        content = {"kind": "seq2seq", "tags": {"kan_Knda": "te_IN"}, "new_tags": {"kan_Knda": "te_IN"}}
        parse(Model, HUB | content, "m.yaml")
    with pytest.raises(DefinitionError, match=r"m\.yaml: tags"):
        parse(Model, HUB | {"kind": "seq2seq", "tags": {"kn": "te_IN"}}, "m.yaml")


def test_a_built_translator_names_its_languages_and_others_do_not():
    def build(model_type, kind, **keys):
        settings = BUILD | {"architecture": {"model_type": model_type}, **keys}
        return parse(Model, {"kind": kind, "build": settings}, "m.yaml")

    build("mbart", "seq2seq", languages=["eng_Latn", "deu_Latn"])
    with pytest.raises(DefinitionError, match="languages: write eng_Latn and the others"):
        build("mbart", "seq2seq")
    with pytest.raises(DefinitionError, match="languages: only a translator and a model that reads"):
        build("llama", "causal", languages=["eng_Latn", "deu_Latn"])
    with pytest.raises(DefinitionError, match="m2m_100 is of the kind seq2seq; write kind: seq2seq"):
        build("m2m_100", "causal", languages=["eng_Latn", "deu_Latn"])


def test_a_built_translator_learns_languages_that_have_a_row_and_a_tag():
    def built(model_type, *codes):
        model = parse(Model, {"kind": "seq2seq", "build": BUILD | {"languages": ["eng_Latn", *codes]}}, "m.yaml")
        model.build.architecture["model_type"] = model_type
        return {"own": model}

    table = dict.fromkeys(("eng_Latn", "swh_Latn", "yor_Latn"))
    check_built(built("mbart", "swh_Latn"), table)
    check_built(built("m2m_100", "yor_Latn"), table)
    with pytest.raises(DefinitionError, match=r"own\.yaml: build\.languages: a mbart model has no tag of yor_Latn"):
        check_built(built("mbart", "yor_Latn"), table)
    with pytest.raises(DefinitionError, match=r"own\.yaml: build\.languages names .deu_Latn., which config"):
        check_built(built("mbart", "deu_Latn"), table)


def test_a_new_tag_needs_a_method_that_trains_it():
    models = {"mbart": translator(new_tags={"kan_Knda": "te_IN"})}
    variants = {
        "lora": lora(),
        "full": trains("all"),
        "houlsby": variant("HOULSBY", 16, {}),
        "bitfit": trains("biases"),
    }
    for method in ("lora", "full"):
        check_new_tags([run(method=method)], models, variants)
    for method in ("houlsby", "bitfit"):
        with pytest.raises(DefinitionError, match=rf"new_tags: {method} trains no row of the embedding"):
            check_new_tags([run(method=method)], models, variants)
        check_new_tags([run(method=method)], {"mbart": translator()}, variants)


def test_one_engine_translates_for_all_adapters_of_a_base_whatever_their_type():
    from snakemake.utils import update_config

    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / "config/translation-tiny.yaml").read_text()))
    study = read_study(config, ROOT / "config")
    together = {run.family for run in study.runs_on_one_engine("tiny-nllb")}
    assert together == {"houlsby", "houlsby-inversion", "pfeiffer", "lora"}
