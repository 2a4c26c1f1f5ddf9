import shutil
from dataclasses import replace

import pytest
import yaml
from project import ROOT
from studies import CONFIG, study

from maple.analysis.training_noise import LEAST_DF, Trainings
from maple.data.curation import curate
from maple.data.sources import EmbeddedSource, SourceError
from maple.definitions.errors import DefinitionError
from maple.definitions.reading import read_yaml
from maple.definitions.task import TaskSettings
from maple.engines.machine import Machine
from maple.evaluation.benchmark_rows import task_rows
from maple.runtime.files import write_parquet
from maple.runtime.journal import Journal
from maple.study.reading import read_study
from maple.study.tasks import check_task
from maple.synthesis.recipe import read_recipe
from maple.synthesis.synthesize import RecipeInputs, synthesize


def overlay(name, **changes):
    content = read_yaml(ROOT / "config" / name)
    merged = {key: CONFIG[key] | value if isinstance(value, dict) else value for key, value in content.items()}
    return study(**merged | changes)


def test_the_embedded_default_is_a_square_two_runs_of_another_model_and_two_anchors():
    default = study()
    assert len(default.runs) == 2 + 8 + 2 + 2
    assert [run.path for run in default.runs if run.seed > 1] == [
        "tiny-llama/generated/lora-r16-4bit/seed2",
        "tiny-llama/translated/lora-r16-4bit/seed2",
    ]
    assert Trainings.of(default.runs).between_seeds.df == LEAST_DF
    square = [run for run in default.runs if run.model == "tiny-llama" and run.axis("rank") and run.seed == 1]
    assert {(run.dataset, run.axis("rank"), run.axis("bits")) for run in square} == {
        (dataset, rank, bits) for dataset in ("generated", "translated") for rank in (4, 16) for bits in (4, 16)
    }
    assert len(default.languages.codes) >= 10
    assert len({row.script for row in default.languages.rows}) >= 6


def test_the_paper_s_overlay_is_sixty_runs_two_bases_and_eight_anchors():
    paper = overlay("paper.yaml", data="rows")
    assert len(paper.runs) == 60 + 2 + 8
    assert {run.method for run in paper.runs if run.seed > 1} == {"lora-r16-4bit"}
    assert Trainings.of(paper.runs).between_seeds.df == 8
    assert {model.hub for model in paper.models.values()} == {
        "meta-llama/Llama-2-7b-hf",
        "mistralai/Mistral-7B-v0.1",
    }
    assert len(paper.languages.codes) >= 40
    assert len(paper.tasks["belebele"].languages) >= 40 and len(paper.tasks["mlqa"].languages) == 7
    assert paper.tasks["xnli"].settings == TaskSettings(shots=8, items=None)
    assert paper.tasks["xlsum"].prompt_spec.max_new_tokens == 400
    assert set(paper.tests) == set(CONFIG["tasks"])
    assert len(paper.datasets["multialpaca"].languages) == 11 and len(paper.datasets["bactrian-x"].languages) == 32
    assert paper.methods["lora-r64-8bit"].variant.adapter["r"] == 64


def test_what_is_ranked_is_measured_by_its_own_metrics():
    both, alone = (study(answers={"xcopa": ways}).tasks["xcopa"].metrics for ways in (["generate", "rank"], ["rank"]))
    assert both.metrics == ["accuracy", "rank_accuracy", "rank_accuracy_per_byte"]
    assert (both.headline, alone.headline) == ("accuracy", "rank_accuracy")
    assert alone.metrics == ["rank_accuracy", "rank_accuracy_per_byte"]


def checked_task(name, **changes):
    plan = study()
    check_task(name, plan.tasks[name].definition.changed(**changes), plan.config, plan.languages.table)


def test_a_task_s_metrics_must_suit_its_answers_and_its_headline_must_grow_with_them():
    checked_task("xnli", metrics=["accuracy", "macro_f1", "ece"], headline="macro_f1")
    with pytest.raises(DefinitionError, match=r"xnli\.yaml: headline 'ece' is better if lower"):
        checked_task("xnli", metrics=["accuracy", "ece"], headline="ece")
    with pytest.raises(
        DefinitionError, match=r"xquad\.yaml: metric 'macro_f1' is of labels, and the task has no choices"
    ):
        checked_task("xquad", metrics=["f1", "macro_f1"], headline="f1")


def test_a_corpus_metric_is_of_texts_and_spbleu_needs_its_model(monkeypatch, tmp_path):
    checked_task("xquad", metrics=["f1", "corpus_bleu", "corpus_chrf++"], headline="corpus_bleu")
    with pytest.raises(DefinitionError, match=r"xnli\.yaml: metric 'corpus_bleu' is of texts, and the task has"):
        checked_task("xnli", metrics=["accuracy", "corpus_bleu"], headline="accuracy")
    monkeypatch.setenv("SACREBLEU", str(tmp_path))
    missing = f"{tmp_path}/models/flores200sacrebleuspm, which is not there and is not downloaded"
    with pytest.raises(DefinitionError, match=missing):
        checked_task("xquad", metrics=["spbleu"], headline="spbleu")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/flores200sacrebleuspm").touch()
    checked_task("xquad", metrics=["spbleu"], headline="spbleu")


def test_sets_of_labels_and_entities_have_metrics_of_their_own():
    sets = {"multi": True, "metrics": ["multilabel_macro_f1", "subset_accuracy"], "headline": "subset_accuracy"}
    checked_task("xnli", **sets)
    named = {"answer": {"read": "spans", "types": ["PER"]}, "metrics": ["entity_f1"], "headline": "entity_f1"}
    checked_task("xquad", **named)
    with pytest.raises(DefinitionError, match=r"'accuracy' is of gold answers each .* has sets of labels"):
        checked_task("xnli", **sets | {"metrics": ["accuracy"], "headline": "accuracy"})
    with pytest.raises(DefinitionError, match=r"'f1' is .* has named entities .* write entity_f1, entity_prec"):
        checked_task("xquad", **named | {"metrics": ["f1"], "headline": "f1"})
    with pytest.raises(DefinitionError, match=r"'entity_f1' is of named entities .* has gold answers each of which"):
        checked_task("xquad", metrics=["entity_f1"], headline="entity_f1")


@pytest.mark.parametrize(
    ("task", "changes", "reason"),
    [
        ("xquad", {"multi": True}, "`multi` is for a task with `choices`"),
        ("xnli", {"multi": True, "answer": {"read": "label"}}, "whose labels stand in one line"),
        ("xnli", {"answer": {"none": ["none"]}}, r"answer\.none is for a list of labels"),
        ("xquad", {"answer": {"read": "spans"}}, "`read: spans` and `types` go together"),
        ("xquad", {"answer": {"types": ["PER"]}}, "`read: spans` and `types` go together"),
        ("xnli", {"answer": {"read": "spans", "types": ["PER"]}}, "spans is for a task without `choices`"),
    ],
)
def test_sets_that_a_task_cannot_have_are_refused(task, changes, reason):
    with pytest.raises(ValueError, match=reason):
        checked_task(task, **changes)


@pytest.mark.parametrize("mode", ["rank", "classify"])
def test_a_set_of_labels_is_neither_ranked_nor_classified(mode):
    plan = study()
    sets = {"multi": True, "metrics": ["samples_f1"], "headline": "samples_f1", "texts": ["{{ premise }}"]}
    task = plan.tasks["xnli"].definition.changed(**sets)
    config = plan.config.changed(answers={"xnli": [mode]})
    with pytest.raises(DefinitionError, match=r"answers\.xnli: .* in a row \(`multi`\).*; write generate"):
        check_task("xnli", task, config, plan.languages.table)


def test_cider_is_of_texts_and_may_be_the_headline():
    checked_task("xquad", metrics=["f1", "cider"], headline="cider")
    with pytest.raises(DefinitionError, match=r"xnli\.yaml: metric 'cider' is of texts, and the task has choices"):
        checked_task("xnli", metrics=["accuracy", "cider"], headline="accuracy")


def test_metrics_of_yes_are_of_two_choices_and_the_share_of_yes_is_no_headline():
    metrics = ["accuracy", "yes_f1", "yes_rate"]
    checked_task("xcopa", metrics=metrics, headline="yes_f1")
    with pytest.raises(DefinitionError, match=r"xcopa\.yaml: headline 'yes_rate' has no better end"):
        checked_task("xcopa", metrics=metrics, headline="yes_rate")
    says = r"xnli\.yaml: metric 'yes_f1' is of two choices, the first of which is the positive one, and the task has 3"
    with pytest.raises(DefinitionError, match=says):
        checked_task("xnli", metrics=metrics, headline="accuracy")


def test_corpus_metrics_of_a_translation_come_a_second_time_against_round_tripped_references():
    task = study().tasks["xquad"]
    pair = {"source": "eng_Latn", "target": "own"}
    definition = task.definition.changed(metrics=["bleu", "corpus_bleu"], headline="corpus_bleu", pair=pair)
    metrics = replace(task, definition=definition).metrics
    assert metrics.metrics == ["bleu", "corpus_bleu", "corpus_bleu_round_tripped"]
    assert metrics.headline == "corpus_bleu"


def test_a_ranked_task_has_its_metrics_of_classes_under_names_of_their_own():
    task = study(answers={"xcopa": ["rank"]}).tasks["xcopa"]
    definition = task.definition.changed(metrics=["accuracy", "macro_f1"], headline="macro_f1")
    metrics = replace(task, definition=definition).metrics
    assert metrics.metrics == ["rank_accuracy", "rank_accuracy_per_byte", "rank_macro_f1"]
    assert metrics.headline == "rank_macro_f1"


def test_each_language_that_no_task_offers_is_refused():
    asked = {"tasks": ["xcopa", "xnli"], "task_source": "hub"}
    says = "config: languages: sin_Sinh, yor_Latn: none of the tasks xcopa, xnli offers it from `hub`; leave it out"
    with pytest.raises(DefinitionError, match=says):
        study(languages=["swh_Latn", "sin_Sinh", "yor_Latn"], **asked)
    assert study(languages=["swh_Latn", "deu_Latn"], **asked).tasks["xcopa"].languages == ["swh_Latn"]


@pytest.mark.parametrize("empty", [{"seeds": []}, {"methods": {}}, {"methods": {}, "seeds": []}])
def test_a_part_of_the_grid_that_finetunes_nothing_by_mistake_is_refused(empty):
    full, second, _ = CONFIG["grid"]
    says = f"config: grid: part 2 finetunes nothing, for it has no {' and no '.join(empty)}; write some"
    with pytest.raises(DefinitionError, match=says):
        study(grid=[full, second | empty])
    bases = study(grid=[full | {"datasets": [], "methods": {}, "seeds": []}])
    assert [run.method for run in bases.runs] == ["none"]


def test_a_device_of_the_forecast_is_a_row_of_the_table():
    with pytest.raises(DefinitionError, match=r"forecast\.hardware: config/hardware\.tsv has no 'tpu'; it has h100"):
        study(forecast={"hardware": "tpu", "devices": 1})


@pytest.fixture
def slip(tmp_path):
    """Make a slip in a copy of config/, and read a study there."""
    shutil.copytree(ROOT / "config", tmp_path / "config")

    def made(file, old, new, **changes):
        path = tmp_path / "config" / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        return read_study(CONFIG | changes, tmp_path / "config")

    return made


TODAY = '  today: "Heute ist {day}."\n'
PHRASES = [
    ("sin_Sinh:", "sin_Sinhala:", "sin_Sinhala is no code of config/languages.tsv; write one, or add its row there"),
    ("sin_Sinh:", "hau_Latn:", "has no sin_Sinh; add its block, as eng_Latn's"),
    (TODAY, TODAY.replace("today", "todya"), "deu_Latn: unknown key 'todya'; write the keys of eng_Latn"),
    (TODAY, "", "deu_Latn: today is missing"),
    (TODAY, TODAY.replace("day}", "dya}"), r"deu_Latn: today has the slots \['dya'\]; write each of \['day'\] once"),
    (TODAY, TODAY.replace("}", ""), "deu_Latn: today: expected '}' before end of string; braces stand around slots"),
]


@pytest.mark.parametrize(("old", "new", "says"), PHRASES)
def test_a_slip_in_the_phrase_table_is_refused_where_phrases_are_needed(slip, old, new, says):
    with pytest.raises(DefinitionError, match=rf"config/phrases\.yaml: {says}"):
        slip("phrases.yaml", old, new)


def test_who_needs_phrases_is_asked_for_them():
    rows = {"languages": ["eng_Latn", "tur_Latn"], "task_source": "hub"}
    remote = [{"models": ["gpt-4.1"], "datasets": [], "methods": {}, "seeds": []}]
    built = [remote[0] | {"models": ["tiny-llama"]}]  # is pretrained on what languages have phrases
    for grid in (remote, built):
        assert study(grid=grid, answers={}, **rows).tasks["xnli"].languages == ["eng_Latn", "tur_Latn"]
    taught = [CONFIG["grid"][0] | {"models": ["llama-2-7b"]}]
    for grid, source in ((remote, "embedded"), (taught, "hub")):
        with pytest.raises(DefinitionError, match=r"config/phrases\.yaml: has no tur_Latn"):
            study(**rows | {"grid": grid, "task_source": source, "answers": {}})


PLACES = [
    (
        "datasets/multialpaca.yaml",
        "{iso639_1}",
        "{iso}",
        r"load\.local\.path: unknown placeholder {iso}; known are {code}, {name}, {iso639_1}, {script}, {data}$",
    ),
    ("datasets/multialpaca.yaml", "{iso639_1}", "{iso639_1", r"load\.local\.path: expected '}' before end of string"),
    (
        "tasks/xnli.yaml",
        "{data}/xnli/{iso639_1}",
        "{data}/xnli/{key}",
        r"sources\.local\.path: unknown placeholder {key}",
    ),
    (
        "tasks/xnli.yaml",
        "{{ premise }}",
        "{{ premise }",
        "prompt: .*; its placeholders are premise, hypothesis, label and",
    ),
    (
        "tasks/xnli.yaml",
        "{{ own.true }}",
        "{{ own.true }",
        r"choices\.entailment: .*also words\.NAME, own\.NAME, english",
    ),
    ("tasks/xnli.yaml", "item: id if id is", "item: id if if id is", "item: .*; its placeholders are premise"),
]


@pytest.mark.parametrize(("file", "old", "new", "says"), PLACES)
def test_a_placeholder_that_is_none_is_named_with_its_file_and_key(slip, file, old, new, says):
    with pytest.raises(DefinitionError, match=rf"config/{file}: {says}"):
        slip(file, old, new, grid=[CONFIG["grid"][0] | {"datasets": ["multialpaca"]}])


def test_rows_made_here_are_looked_for_in_no_dataset():
    grid = [CONFIG["grid"][0] | {"datasets": ["generated", "multialpaca"]}]
    embedded = study(grid=grid)
    assert embedded.tests == {} and [dataset.tests for dataset in embedded.datasets.values()] == [{}, {}]


def test_the_tasks_that_a_dataset_is_decontaminated_of_are_its_own_and_no_limit_of_its_recipe():
    paper = overlay("paper.yaml", data="rows", tasks=["xnli"], languages=["eng_Latn"])
    assert list(paper.datasets["multialpaca"].tests) == ["xquad", "mlqa", "xnli", "xcopa", "xlsum", "belebele"]
    assert "decontaminate" not in paper.datasets["multialpaca"].limits("eng_Latn").params()
    assert set(paper.tests) == set(CONFIG["tasks"])
    assert paper.tests["xquad"].fields == ["id", "context", "question", "answers"]
    assert "tha_Thai" in paper.tests["xquad"].offered
    assert {task.name: task.languages for task in paper.tasks.values()} == {"xnli": ["eng_Latn"]}


@pytest.mark.parametrize(
    ("tasks", "removed", "says"),
    [
        (["xnil"], None, "curate.decontaminate.tasks names 'xnil', which config/tasks/ lacks"),
        (["xcopa"], "hub", r"config/tasks/xcopa\.yaml: has no source 'hub'"),
    ],
)
def test_a_dataset_is_decontaminated_of_tasks_that_can_be_read(tmp_path, tasks, removed, says):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    path = tmp_path / "config/datasets/multialpaca.yaml"
    dataset = read_yaml(path)
    dataset["curate"]["decontaminate"]["tasks"] = tasks
    path.write_text(yaml.safe_dump(dataset))
    path = tmp_path / "config/tasks/xcopa.yaml"
    task = read_yaml(path)
    task["sources"].pop(removed, None)
    path.write_text(yaml.safe_dump(task))
    grid = [CONFIG["grid"][0] | {"datasets": ["multialpaca"]}]
    config = CONFIG | {"grid": grid, "task_source": "hub", "tasks": ["xnli"], "answers": {}}
    with pytest.raises(DefinitionError, match=says):
        read_study(config, tmp_path / "config")


@pytest.mark.parametrize("name", ["words", "own", "english", "number"])
def test_a_field_has_no_name_that_templates_have(tmp_path, name):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    path = tmp_path / "config/tasks/xquad.yaml"
    path.write_text(path.read_text().replace("fields: [id,", f"fields: [{name}, id,"))
    with pytest.raises(DefinitionError, match=rf"xquad\.yaml: fields: .* `columns: {{row_{name}: {name}}}`"):
        read_study(CONFIG, tmp_path / "config")


def test_a_cluster_is_a_field_that_every_row_has(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    path = tmp_path / "config/tasks/xquad.yaml"
    path.write_text(path.read_text().replace("cluster: context", "cluster: passage"))
    with pytest.raises(DefinitionError, match=r"xquad\.yaml: cluster 'passage' must be one of its fields"):
        read_study(CONFIG, tmp_path / "config")
    assert study().tasks["xquad"].clustering.params() == {"item": "id", "cluster": "context"}
    assert study().tasks["xcopa"].clustering is None


def test_a_licence_is_known_and_decides_nothing_that_is_computed():
    paper = overlay("paper.yaml")
    assert {name: model.license for name, model in paper.models.items()} == {
        "llama-2-7b": "llama2",
        "mistral-7b": "apache-2.0",
    }
    assert all("license" not in model.params() for model in paper.models.values())


def test_a_dataset_that_is_translated_is_made_too():
    grid = [CONFIG["grid"][0] | {"datasets": ["translated"]}]
    assert set(study(grid=grid).datasets) == {"generated", "translated"}


def test_a_dataset_of_seed_tasks_is_made_too():
    grid = [CONFIG["grid"][0] | {"datasets": ["self-instruct", "translate-respond"]}]
    datasets = study(grid=grid, languages=["deu_Latn", "yor_Latn"], data="rows").datasets
    made = {name: dataset.languages for name, dataset in datasets.items()}
    own = {"self-instruct", "translate-respond", "seeds-translated"}
    assert made == {name: ["deu_Latn", "yor_Latn"] if name in own else ["eng_Latn"] for name in made}
    assert set(made) == own | {"seeds", "bactrian-x"}


def test_what_a_method_changes_of_training_is_in_its_cells():
    methods = study().methods.values()
    assert all(method.variant.training.params() == CONFIG["finetune"] for method in methods)


def test_a_language_of_the_grid_alone_decides_what_tasks_offer():
    assert all(task.languages == ["swh_Latn"] for task in study(languages=["swh_Latn"]).tasks.values())
    real = overlay("real.yaml", data="rows")
    assert real.tasks["xcopa"].languages == ["eng_Latn", "zho_Hans", "tha_Thai", "swh_Latn"]  # as the table
    assert {name: dataset.languages for name, dataset in real.datasets.items()} == {
        "multialpaca-sample": ["spa_Latn", "por_Latn", "jpn_Jpan"]
    }


def test_local_rows_need_a_folder():
    with pytest.raises(DefinitionError, match="data: write the folder"):
        study(task_source="local")


def test_both_recipes_make_parallel_rows_with_the_embedded_teacher(tmp_path):
    default = study()
    made = {}
    for code in ("eng_Latn", "swh_Latn"):
        identity = default.languages.identity(code)
        options = {"language": identity, "phrases": default.languages.phrases, "progress": iter}
        options |= {"journal": Journal(tmp_path / "journal.jsonl"), "machine": Machine()}
        recipes = {
            name: read_recipe(dataset.recipe(code, default.languages, None))
            for name, dataset in default.datasets.items()
        }
        generated = synthesize(recipes["generated"], inputs=RecipeInputs(), **options)
        kept, _ = curate(generated, identity, default.datasets["generated"].limits(code))
        assert kept.height >= 200
        if code == "eng_Latn":
            write_parquet(kept, tmp_path / "english.parquet")
        made[code] = synthesize(
            recipes["translated"], inputs=RecipeInputs(english=tmp_path / "english.parquet"), **options
        )
    assert made["eng_Latn"]["parent"].equals(made["swh_Latn"]["parent"])
    assert not made["swh_Latn"]["instruction"].equals(made["eng_Latn"]["instruction"])
    assert made["swh_Latn"]["fault"].unique().to_list() == [""]


def test_embedded_rows_are_parallel_over_languages():
    phrases = study().languages.phrases
    rows = {
        code: task_rows("xquad", EmbeddedSource(), phrases=phrases[code], items=5) for code in ("eng_Latn", "amh_Ethi")
    }
    ids = [[row["id"] for row in of_language] for of_language in rows.values()]
    assert ids[0] == ids[1] and len(ids[0]) == 5


def test_a_language_without_phrases_has_no_embedded_rows():
    with pytest.raises(SourceError, match=r"config/phrases\.yaml lacks the language"):
        task_rows("xquad", EmbeddedSource(), phrases=None, items=5)


def test_the_order_of_languages_in_a_config_decides_nothing():
    codes = list(CONFIG["languages"])
    one, other = study(languages=codes), study(languages=codes[::-1])
    assert all(str(one.corpus(model)) == str(other.corpus(model)) for model in one.models)
    assert one.languages.codes == other.languages.codes == codes
    assert {name: dataset.languages for name, dataset in one.datasets.items()} == {
        name: dataset.languages for name, dataset in other.datasets.items()
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"looks": [0.3, 0.1, 1.0]}, r"config: looks: \[0.3, 0.1, 1.0\] must ascend to 1.0"),
        ({"looks": [0.1, 0.3]}, r"config: looks: \[0.1, 0.3\] must ascend to 1.0"),
        ({"looks": [0.1, 1.0], "look": 3}, r"config: look: 3 is none of 2 looks; write 1 to 2"),
        ({"look": 1}, r"config: look: there is one look alone; write `looks: \[0.1, 0.3, 1.0\]`"),
        ({"futility": 0.1}, r"config: futility: with one look alone .*; write `looks: \[0.1, 0.3, 1.0\]`"),
        ({"looks": [1.0], "futility": 0.1}, r"config: futility: with one look alone"),
        ({"looks": [0.1, 1.0], "futility": 1.5}, r"config: futility: 1.5"),
    ],
)
def test_looks_that_are_none_are_refused(change, says):
    with pytest.raises(DefinitionError, match=says):
        study(**change)


def test_the_last_look_asks_what_a_study_without_looks_asks():
    alone, last, first = (study(**change) for change in ({}, {"looks": [0.1, 1]}, {"looks": [0.1, 1], "look": 1}))
    assert alone.tasks["xnli"].settings.params() == last.tasks["xnli"].settings.params()
    assert first.tasks["xnli"].settings == TaskSettings(shots=0, items=20, cluster="premise", share=0.1)
