"""The study, read and checked once, and the functions with which several rules look things up in it."""

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

# Planning makes little garbage. To look for it among all jobs and imports took a third of a small study's planning, a
# fifth of a large one's.
gc.freeze()
gc.set_threshold(100_000)

ROOT = Path(workflow.basedir)
RUN = RunKey("{model}", "{dataset}", "{method}", "{seed}").path

try:
    for path in workflow.configfiles:
        read_yaml(path)  # refuses a key that is said twice, of which Snakemake would keep the last
    STUDY = read_study(config, ROOT / "config")
except DefinitionError as error:
    raise WorkflowError(str(error)) from None

CODES = STUDY.languages.codes
# Where the fetched repositories of the Hub lie, and local rows.
FETCHED = "results/hub"
FOLDERS = RowFolders(data=STUDY.config.data, fetched=FETCHED)
# The runs that one engine serves, by base model.
SHARED = {
    model: [run for run in STUDY.finetuned if run.model == model and STUDY.methods[run.method].shares_engine]
    for model in STUDY.models
}

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


@cache
def code_of(file):
    """The digest of a file of the project and of the project modules behind it."""
    return fingerprint_of(ROOT / file, ROOT)


def fingerprint(script):
    """The digest of a script and of the project modules behind it."""
    return code_of(f"workflow/scripts/{script}")


def run_of(wildcards):
    """The run of a job, as scores and cards name it."""
    return run_key(wildcards).params()


def run_key(wildcards):
    """The record of a job's run."""
    return RunKey(wildcards.model, wildcards.dataset, wildcards.method, int(wildcards.seed))


def identity_of(wildcards):
    """Code, name, iso639_1 and script of a job's language."""
    return STUDY.languages.identity(wildcards.language).params()


def for_runs(path, runs=STUDY.runs):
    """A path's files for all runs; `{run}` in it stands for a run's own path."""
    return [path.replace("{run}", run.path) for run in runs]


def task_places(wildcards):
    """Where a task's rows lie in the language, and in those that repair them."""
    return STUDY.tasks[wildcards.task].places(wildcards.language, STUDY.languages, FOLDERS)


def phrases_of_task(wildcards):
    """The words of which the embedded source makes its rows."""
    return STUDY.languages.phrases.get(wildcards.language) if STUDY.tasks[wildcards.task].embedded else None


def limits_of(wildcards):
    """The limits of a dataset's curation, spelt out for the language."""
    return STUDY.datasets[wildcards.dataset].limits(wildcards.language).params()


def decontamination(wildcards):
    """The test rows that a dataset's examples may not overlap with, and the length of the n-gram that counts."""
    return STUDY.datasets[wildcards.dataset].decontamination(wildcards.language, STUDY.languages, FOLDERS)


def guarded(wildcards):
    """The test rows of the study's tasks, and the field of a passage that no dataset may hold."""
    return STUDY.guarded(wildcards.language, FOLDERS)


def test_files(tests):
    """The files, or fetched folders, of test rows."""
    return [source.path for test in tests.values() for source in test.sources]


def clearances(wildcards):
    """What says that a run's dataset holds no passage, and how many rows, that the run will be tested on."""
    dataset = STUDY.datasets.get(wildcards.dataset)
    codes = dataset.languages if dataset and STUDY.tests else []
    return [f"results/cleared/{wildcards.dataset}/{code}.json" for code in codes]


def weights(wildcards):
    """What a run generates with: its merged model, or the base itself; nothing of a model behind an endpoint."""
    run = run_key(wildcards)
    if STUDY.endpoint(run.model):
        return []
    base = run.is_baseline or STUDY.methods[run.method].attached
    return f"results/base/{run.model}" if base else f"results/merged/{run.path}"
