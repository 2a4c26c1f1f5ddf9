"""The study's definitions, read and checked once, and the few functions with which rules look them up."""

from pathlib import Path

from snakemake.exceptions import WorkflowError

from maple import benchmarks
from maple.curation import limits_in
from maple.definitions import BASELINE, DefinitionError, run_path
from maple.examples import PIVOT
from maple.fingerprint import fingerprint as fingerprint_of
from maple.sources import resolve
from maple.study import read_study
from maple.tasks import task_words

ROOT = Path(workflow.basedir)
RUN = run_path({key: f"{{{key}}}" for key in ("model", "dataset", "method", "seed")})

try:
    STUDY = read_study(config, ROOT / "config", ROOT / "workflow" / "schemas")
except DefinitionError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    model="[^/]+",
    dataset="[^/]+",
    method="[^/]+",
    seed=r"\d+",
    task="[^/]+",
    language="[a-z]{3}_[A-Z][a-z]{3}",


def fingerprint(script):
    """The digest of a script and of the project modules behind it."""
    return fingerprint_of(ROOT / "workflow" / "scripts" / script, ROOT)


def run_of(wildcards):
    """The run of a job, as scores and cards name it."""
    names = ("model", "dataset", "method")
    return {**{name: wildcards[name] for name in names}, "seed": int(wildcards.seed)}


def for_runs(path, runs=STUDY.runs):
    """A path's files for all runs; `{run}` in it stands for a run's own path."""
    return [path.replace("{run}", run_path(run)) for run in runs]


def local_file(source):
    """The file of a resolved source, for a rule to look at its date; none for rows that lie elsewhere."""
    return source["local"]["path"] if "local" in source else []


def limits_of(wildcards):
    """The limits of a dataset's curation, spelt out for the language."""
    return limits_in(STUDY.limits[wildcards.dataset], wildcards.language, STUDY.refusals)


def recipe_of(wildcards):
    """A dataset's recipe, its limits and the paths of its rows spelt out for the language."""
    recipe = STUDY.recipes[wildcards.dataset]
    if recipe["recipe"] == "self_instruct":  # its pool of demonstrations is curated between rounds
        return {**recipe, "limits": limits_of(wildcards)}
    if recipe["recipe"] != "load":
        return recipe
    return {**recipe, "load": resolve(recipe["load"], STUDY.identities[wildcards.language], config["data"])}


def loaded_rows(wildcards):
    """The file that the recipe `load` reads."""
    return local_file(recipe_of(wildcards).get("load", {}))


def english_examples(wildcards):
    """The curated English examples that the recipe `translate_respond` translates."""
    source = STUDY.recipes[wildcards.dataset].get("translate_respond", {}).get("instructions")
    return f"results/examples/{source}/{PIVOT}.parquet" if source else []


def teacher_phrases(wildcards):
    """The words of the embedded teacher or seed tasks, in the language to write and in the one translated from."""
    recipe = STUDY.recipes[wildcards.dataset]
    if "embedded" not in (recipe.get("teacher"), recipe.get("seed_tasks")):
        return {}
    return {code: STUDY.phrases[code] for code in (PIVOT, wildcards.language) if code in STUDY.phrases}


def teacher_service(wildcards, resources):
    """How a dataset's teacher is asked over the network. It decides no answer, so that a change must buy none anew.

    Snakemake takes what is made of `resources` for no reason to run a job again.
    """
    return STUDY.services[wildcards.dataset]


def examples_of_dataset(wildcards):
    """A dataset's curated examples in all its languages."""
    codes = STUDY.dataset_languages[wildcards.dataset]
    return [f"results/examples/{wildcards.dataset}/{code}.parquet" for code in codes]


def task_places(wildcards):
    """Where a task's rows lie in the language, and in those that mend them."""
    return benchmarks.places(
        STUDY.sources[wildcards.task],
        STUDY.identities,
        wildcards.language,
        data=config["data"],
        mend=STUDY.tasks[wildcards.task].get("repair"),
        dev=STUDY.asked[wildcards.task]["shots"] > 0,
    )


def task_files(wildcards):
    """The files of a task's rows where they lie on disk."""
    return benchmarks.files(task_places(wildcards))


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
    """What a run generates with: its merged model, or the base itself."""
    untouched = wildcards.dataset == BASELINE["dataset"]
    return f"results/base/{wildcards.model}" if untouched else f"results/merged/{run_path(wildcards)}"


def metrics_in_language(wildcards):
    """The metrics of each task that has the language."""
    return {
        name: task["metrics"] for name, task in STUDY.tasks.items() if wildcards.language in STUDY.task_languages[name]
    }


def guarded_passages(wildcards):
    """Where the passages lie that examples in a language may not hold: {task: {"sources", "field"}}.

    They are looked for in the language itself and in English, which stands in examples to translate.
    """
    codes = dict.fromkeys((wildcards.language, PIVOT))
    return {
        task: {
            "field": guard["field"],
            "sources": [
                resolve(guard["source"], STUDY.identities[code], config["data"], "test")
                for code in codes
                if code in STUDY.task_languages[task]
            ],
        }
        for task, guard in STUDY.guards.items()
    }


def guarded_files(wildcards):
    """The files of the passages that no dataset may hold, where they lie on disk."""
    sources = [source for guard in guarded_passages(wildcards).values() for source in guard["sources"]]
    return [path for source in sources if (path := local_file(source))]


def clearances(wildcards):
    """What says that a run's dataset holds no passage that the run will be tested on."""
    codes = STUDY.dataset_languages.get(wildcards.dataset, []) if STUDY.guards else []
    return [f"results/cleared/{wildcards.dataset}/{code}.json" for code in codes]
