"""The study's definitions, read and checked once, and the few functions with which rules look them up."""

from pathlib import Path

from snakemake.exceptions import WorkflowError

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
