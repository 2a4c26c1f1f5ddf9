"""The study, read and checked once, and the lookup functions that several rules use."""

import gc
import os
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

from maple.data.sources import RowFolders, repository_folder
from maple.definitions.errors import DefinitionError
from maple.definitions.language import ENGLISH
from maple.definitions.local_model import HubModel
from maple.definitions.reading import read_yaml
from maple.definitions.run import RunKey
from maple.methods.method import PEFT
from maple.runtime.fingerprint import fingerprint as fingerprint_of
from maple.study.study import read_study
from maple.synthesis.teachers import modules
from maple.text.plain import plain

# Planning makes little garbage, but the collector walked all jobs and imports again and again: a third of the planning
# time of a small study, a fifth of a large one's.
gc.freeze()
gc.set_threshold(100_000)

ROOT = Path(workflow.basedir)
RUN = RunKey("{model}", "{dataset}", "{method}", "{seed}").path

try:
    for path in workflow.configfiles:
        read_yaml(path)  # refuses a repeated key, of which Snakemake would silently keep the last
    STUDY = read_study(config, ROOT / "config")
except DefinitionError as error:
    raise WorkflowError(plain(str(error))) from None

CODES = STUDY.languages.codes
# The folders of fetched Hub repositories and of local rows.
HUB = "results/hub"
FOLDERS = RowFolders(data=STUDY.config.data, fetched=HUB)
# The runs of each base model that one engine generates for, with their adapters attached in turn.
RUNS_ON_ONE_ENGINE = {
    model: [run for run in STUDY.finetuned if run.model == model and STUDY.methods[run.method].shares_engine]
    for model in STUDY.models
}

# For all jobs, on a cluster too, since each of them reads this file. Only `fetch` downloads (maple/data/hub.py).
os.environ.update(HF_HUB_OFFLINE="1")


wildcard_constraints:
    model="[^/]+",
    dataset="[^/]+",
    method="[^/]+",
    seed=r"\d+",
    task="[^/]+",
    repository="[^/]+",
    language="[a-z]{3}_[A-Z][a-z]{3}",


@cache
def code_of(file):
    """The digest of a file of the project and of the project modules that it imports, directly or indirectly."""
    return fingerprint_of(ROOT / file, ROOT)


def fingerprint(script):
    """The digest of a script and of the project modules that it imports, directly or indirectly."""
    return code_of(f"workflow/scripts/{script}")


def run_of(wildcards):
    """The run of a job: model, dataset, method and seed, as in scores and run cards."""
    return run_key(wildcards).params()


def run_key(wildcards):
    """The record of a job's run."""
    return RunKey(wildcards.model, wildcards.dataset, wildcards.method, int(wildcards.seed))


def identity_of(wildcards):
    """Code, name, iso639_1 and script of a job's language."""
    return STUDY.languages.identity(wildcards.language).params()


def for_runs(path, runs=STUDY.runs):
    """One file per run: `{run}` in the path stands for model, dataset, method and seed."""
    return [path.replace("{run}", run.path) for run in runs]


def task_places(wildcards):
    """The places of a task's rows in the language, and in the languages from which wrong rows are repaired."""
    return STUDY.tasks[wildcards.task].places(wildcards.language, STUDY.languages, FOLDERS)


def phrases_of_task(wildcards):
    """The phrases from which the embedded source makes a task's rows; None for other sources."""
    return STUDY.languages.phrases.get(wildcards.language) if STUDY.tasks[wildcards.task].embedded else None


def limits_of(wildcards):
    """The limits of a dataset's curation in the language."""
    return STUDY.datasets[wildcards.dataset].limits(wildcards.language).params()


def decontamination(wildcards):
    """The test rows that a dataset's examples must not overlap with, and the n-gram length that counts as overlap."""
    return STUDY.datasets[wildcards.dataset].decontamination(wildcards.language, STUDY.languages, FOLDERS)


def guarded(wildcards):
    """The test rows of the study's tasks, and for each task the field of a passage that no dataset may contain."""
    return STUDY.guarded(wildcards.language, FOLDERS)


def test_files(tests):
    """The files, or folders of fetched repositories, that hold test rows."""
    return [source.path for test in tests.values() for source in test.sources]


def clearances(wildcards):
    """Results of `guard` for a run's dataset, one per language: no forbidden passage is in it, n examples overlap."""
    dataset = STUDY.datasets.get(wildcards.dataset)
    codes = dataset.languages if dataset and STUDY.tests else []
    return [f"results/cleared/{wildcards.dataset}/{code}.json" for code in codes]


def weights(wildcards):
    """The folder of weights that a run generates with: its merged model or the base; none for an endpoint's model."""
    run = run_key(wildcards)
    if STUDY.endpoint(run.model):
        return []
    base = run.is_baseline or STUDY.methods[run.method].attached
    return f"results/base/{run.model}" if base else f"results/merged/{run.path}"
