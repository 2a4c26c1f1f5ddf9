"""The study's definitions, read and checked once, and the few functions with which rules look them up."""

import gc
import os
from pathlib import Path

from snakemake.exceptions import WorkflowError

from maple.evaluation import benchmark_rows
from maple.data.curation import limits_in
from maple.definitions.loading import DefinitionError
from maple.definitions.run import BASELINE, run_path
from maple.definitions.tables import PIVOT
from maple.runtime.fingerprint import fingerprint as fingerprint_of
from maple.synthesis.self_instruct import prompt_in
from maple.data.sources import FETCHED, folder_of, resolve
from maple.methods.method import PEFT
from maple.study.study import read_study
from maple.evaluation.prompts import task_words
from maple.synthesis.teachers import modules

# Planning makes little garbage. To look for it among all jobs and imports took a third of a small study's planning, a
# fifth of a large one's.
gc.freeze()
gc.set_threshold(100_000)

ROOT = Path(workflow.basedir)
RUN = run_path({key: f"{{{key}}}" for key in ("model", "dataset", "method", "seed")})

try:
    STUDY = read_study(config, ROOT / "config", ROOT / "workflow" / "schemas")
except DefinitionError as error:
    raise WorkflowError(str(error)) from None

# For every job: on a cluster, too, each of them reads this file. `fetch` alone goes online (maple/data/hub.py).
os.environ.update(HF_HUB_OFFLINE="1")


wildcard_constraints:
    model="[^/]+",
    dataset="[^/]+",
    method="[^/]+",
    seed=r"\d+",
    task="[^/]+",
    repository="[^/]+",
    language="[a-z]{3}_[A-Z][a-z]{3}",


def fingerprint(script):
    """The digest of a script and of the project modules behind it."""
    return fingerprint_of(ROOT / "workflow" / "scripts" / script, ROOT)


def run_of(wildcards):
    """The run of a job, as scores and cards name it."""
    names = ("model", "dataset", "method")
    return {**{name: wildcards[name] for name in names}, "seed": int(wildcards.seed)}


def identity_of(wildcards):
    """The identity of a job's language. `lookup` would walk through those of all languages, for thousands of jobs."""
    return STUDY.identities[wildcards.language]


def for_runs(path, runs=STUDY.runs):
    """A path's files for all runs; `{run}` in it stands for a run's own path."""
    return [path.replace("{run}", run_path(run)) for run in runs]


def local_file(source):
    """The file, or fetched folder, of a resolved source, for a rule to look at its date; none of rows made here."""
    return source["local"]["path"] if "local" in source else source["hub"]["folder"] if "hub" in source else []


def fetched_model(wildcards):
    """The fetched repository of a model of the Hub; none of a model that is built."""
    definition = STUDY.models[wildcards.model]
    return f"{FETCHED}/{folder_of('model', definition['hub'], definition['revision'])}" if "hub" in definition else []


def limits_of(wildcards):
    """The limits of a dataset's curation, spelt out for the language."""
    return limits_in(STUDY.limits[wildcards.dataset], wildcards.language, STUDY.refusals, STUDY.unservable)


def recipe_of(wildcards):
    """A dataset's recipe, its limits, its prompt and the paths of its rows spelt out for the language."""
    recipe = STUDY.recipes[wildcards.dataset]
    if recipe["recipe"] == "self_instruct":  # its pool of demonstrations is curated between rounds
        prompt = prompt_in(STUDY.prompts[wildcards.dataset], wildcards.language)
        return {**recipe, "limits": limits_of(wildcards), "prompt": prompt}
    if recipe["recipe"] != "load":
        return recipe
    source = {kind: place for kind, place in recipe["load"].items() if kind in ("local", "hub")}
    found = resolve(source, STUDY.identities[wildcards.language], config["data"])
    return {**recipe, "load": {**recipe["load"], **found}}


def loaded_rows(wildcards):
    """The file that the recipe `load` reads."""
    path = STUDY.recipes[wildcards.dataset].get("load", {}).get("local", {}).get("path", "")
    if config["data"] is None and "{data}" in path:  # only here: a forecast needs no rows
        raise WorkflowError(
            f"config: data: write the folder in which the local rows lie; config/datasets/{wildcards.dataset}.yaml reads "
            f"{path}"
        )
    return local_file(recipe_of(wildcards).get("load", {}))


def english_examples(wildcards):
    """The curated English examples that the recipe `translate_respond` translates."""
    source = STUDY.recipes[wildcards.dataset].get("translate_respond", {}).get("instructions")
    return f"results/examples/{source}/{PIVOT}.parquet" if source else []


def seed_examples(wildcards):
    """The curated examples of another dataset that are the seed tasks of the recipe `self_instruct`."""
    seeds = STUDY.recipes[wildcards.dataset].get("seed_tasks")
    return f"results/examples/{seeds['dataset']}/{wildcards.language}.parquet" if isinstance(seeds, dict) else []


def teacher_phrases(wildcards):
    """The words of the embedded teacher or seed tasks, in the language to write and in the one translated from."""
    recipe = STUDY.recipes[wildcards.dataset]
    if "embedded" not in (recipe.get("teacher"), recipe.get("seed_tasks")):
        return {}
    return {code: STUDY.phrases[code] for code in (PIVOT, wildcards.language) if code in STUDY.phrases}


def models_of_dataset(wildcards):
    """The folders of the models that make a dataset: teacher and translator, where they are models on this machine."""
    return {role: f"results/base/{model}" for role, model in STUDY.dataset_models[wildcards.dataset].items()}


def gpus_of_dataset(wildcards):
    """The GPUs that a dataset's synthesis computes on: one where a model on this machine makes it."""
    return int(bool(STUDY.dataset_models[wildcards.dataset]))


def makers_code(wildcards):
    """The digests of a dataset's own teacher and translator: an edit of another one makes nothing anew."""
    files = [f"{module.replace('.', '/')}.py" for module in modules(STUDY.recipes[wildcards.dataset])]
    return [fingerprint_of(ROOT / file, ROOT) for file in files]


def kind_code(wildcards):
    """The digest of the module of a model's kind: an edit of another kind makes nothing anew."""
    kind = STUDY.models[wildcards.model].get("kind", "causal")
    return [fingerprint_of(ROOT / f"maple/models/{kind}.py", ROOT)]


def model_and_method_code(wildcards):
    """The digests of the modules of a run's kind of model and of its method: an edit of another trains nothing anew."""
    return [*kind_code(wildcards), fingerprint_of(ROOT / f"maple/methods/{PEFT}.py", ROOT)]


def teacher_service(wildcards, resources):
    """How a dataset's teacher and translator are asked. It decides no answer, so that a change must make none anew.

    Snakemake takes what is made of `resources` for no reason to run a job again.
    """
    return STUDY.services[wildcards.dataset]


def examples_of_dataset(wildcards):
    """A dataset's curated examples in all its languages."""
    codes = STUDY.dataset_languages[wildcards.dataset]
    return [f"results/examples/{wildcards.dataset}/{code}.parquet" for code in codes]


def task_places(wildcards):
    """Where a task's rows lie in the language, and in those that mend them."""
    return benchmark_rows.places(
        STUDY.sources[wildcards.task],
        STUDY.identities,
        wildcards.language,
        data=config["data"],
        mend=STUDY.tasks[wildcards.task].get("repair"),
        dev=STUDY.asked[wildcards.task]["shots"] > 0,
    )


def task_files(wildcards):
    """The files of a task's rows where they lie on disk."""
    return benchmark_rows.files(task_places(wildcards))


def test_source(wildcards):
    """Where the rows lie that a task asks about in the language."""
    return task_places(wildcards)["test"]["source"]


def rows_of_task(wildcards):
    """The file, or fetched folder, of the rows that a task asks about in the language."""
    return local_file(test_source(wildcards))


def words_of_task(wildcards):
    """The words of the language, and of English, that the task's file names, and no other."""
    own, english = STUDY.languages[wildcards.language], STUDY.english
    return task_words(STUDY.tasks[wildcards.task], own, english, config["prompt_language"])


def phrases_of_task(wildcards):
    """The words of which the embedded source makes its rows."""
    return STUDY.phrases.get(wildcards.language) if config["task_source"] == "embedded" else None


def checkpoints_of(wildcards, resources):
    """Where a run's checkpoints lie while it trains, and the steps between two. They decide nothing of what is learnt.

    Snakemake takes what is made of `resources` for no reason to run a job again.
    """
    return {"folder": f"results/checkpoints/{run_path(wildcards)}", "steps": config["checkpoint_steps"]}


def weights(wildcards):
    """What a run generates with: its merged model, or the base itself; nothing of a model behind an endpoint."""
    if wildcards.model in STUDY.endpoints:
        return []
    base = wildcards.method == BASELINE["method"] or wildcards.method in STUDY.attached
    return f"results/base/{wildcards.model}" if base else f"results/merged/{run_path(wildcards)}"


def model_service(wildcards, resources):
    """How a model behind an endpoint is asked; as with `teacher_service`, a change makes nothing anew."""
    return STUDY.endpoints.get(wildcards.model)


def merged_folder(path):
    """A run's merged weights, which may go once they have answered: completions are known by their digest."""
    return directory(path) if config["merge"]["keep"] else temp(directory(path))


def attached_adapter(wildcards):
    """The adapter that a run generates with beside the base; none where there is none, or where it is merged."""
    return f"results/adapters/{run_path(wildcards)}" if wildcards.method in STUDY.attached else []


def metrics_in_language(wildcards):
    """The metrics of each task that has the language."""
    return {
        name: task["metrics"] for name, task in STUDY.tasks.items() if wildcards.language in STUDY.task_languages[name]
    }


def test_rows(tasks, code, languages):
    """Where the test rows of tasks lie that examples in a language may hold: {task: {"sources", "fields"}}.

    They are looked for in the language itself and in English, which stands in examples to translate, where `languages`
    lists them for the task.
    """
    return {
        task: {
            "fields": STUDY.tested[task]["fields"],
            "sources": [
                resolve(STUDY.tested[task]["source"], STUDY.identities[each], config["data"], "test")
                for each in dict.fromkeys((code, PIVOT))
                if each in languages[task]
            ],
        }
        for task in tasks
    }


def test_files(tests):
    """The files, or fetched folders, of test rows."""
    return [path for test in tests.values() for source in test["sources"] if (path := local_file(source))]


def decontamination(wildcards):
    """The test rows that a dataset's examples may not overlap with, and by how many words: {"tests", "words"}.

    The dataset names the tasks, and has the same examples whatever the grid's tasks and languages are.
    """
    named = STUDY.decontaminated[wildcards.dataset]
    languages = {task: test["languages"] for task, test in STUDY.tested.items()}
    return {"tests": test_rows(named["tasks"], wildcards.language, languages), "words": named["words"]}


def decontamination_files(wildcards):
    """The files of the test rows that a dataset's examples may not overlap with."""
    return test_files(decontamination(wildcards)["tests"])


def guarded(wildcards):
    """The test rows of the grid's tasks, and the field of a passage that no dataset may hold."""
    tests = test_rows([task for task in STUDY.tasks if task in STUDY.tested], wildcards.language, STUDY.task_languages)
    return {task: {**test, "passage": STUDY.tasks[task].get("passage")} for task, test in tests.items()}


def guarded_files(wildcards):
    """The files of the test rows of the grid's tasks."""
    return test_files(guarded(wildcards))


def clearances(wildcards):
    """What says that a run's dataset holds no passage, and how many rows, that the run will be tested on."""
    dataset = wildcards["dataset"]
    codes = STUDY.dataset_languages.get(dataset, []) if STUDY.tested else []
    return [f"results/cleared/{dataset}/{code}.json" for code in codes]
