"""The study, read and checked once, and the lookup functions that several rules use."""

import gc
import os
import re
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

from maple.data.sources import HubSource, RowFolders
from maple.definitions.errors import DefinitionError
from maple.definitions.language import ENGLISH
from maple.definitions.local_model import BuiltModel, PackageModel, PathModel, prepared, trained
from maple.definitions.reading import read_yaml
from maple.definitions.run import NONE, RunKey
from maple.evaluation.training_rows import only_test_places
from maple.methods.method import modules_of
from maple.models.kind import KINDS
from maple.runtime.code_digests import CodeDigests
from maple.runtime.content_digests import ContentDigests
from maple.runtime.records import keep_records
from maple.runtime.supervisor import PathError, prefix
from maple.study.local_rows import local_files, refusal_of_missing_rows
from maple.study.pictures import pictured_tasks, places_of_pictures
from maple.study.repositories import repository_of
from maple.study.reading import read_study
from maple.synthesis.teachers import modules
from maple.text.plain import plain

# Planning makes little garbage, but the collector walked all jobs and imports again and again: a third of the planning
# time of a small study, a fifth of a large one's.
gc.freeze()
gc.set_threshold(100_000)

ROOT = Path(workflow.basedir)
RUN = RunKey("{model}", "{dataset}", "{method}", "{seed}").path

try:
    # Every job runs below a program that ends it when this Snakemake has ended, and that puts this `maple` first.
    shell.prefix(prefix(ROOT))
    for path in workflow.configfiles:
        read_yaml(path)  # refuses a repeated key, of which Snakemake would silently keep the last
    STUDY = read_study(config, ROOT / "config")
except (DefinitionError, PathError) as error:
    raise WorkflowError(plain(str(error))) from None

CODES = STUDY.languages.codes
# The folders of what is fetched, and of local rows.
HUB = "results/hub"
FOLDERS = RowFolders(data=STUDY.config.data, fetched=HUB)
# What local rows and models are counts, and not where they lie or from when they are. So no rule has them as input,
# which Snakemake would compare by path and date: a rule compares the digest of their content, among its params, and gets
# their path by a param that is computed from `resources`, which Snakemake does not compare.
DIGESTS = ContentDigests(Path(".snakemake/digests_of_rows.json"))
# The digest of a file of the project and of the project modules that it imports, directly or indirectly.
code_of = CodeDigests(ROOT, Path(".snakemake/digests_of_code.json"))
# The datasets that consist of a task's labelled rows, of the parallel rows of translation tasks, and of rows with
# pictures; other rules read and curate them.
LABELLED, PARALLEL, PICTURED = (
    [dataset.name for dataset in STUDY.datasets.values() if dataset.definition.recipe == recipe]
    for recipe in ("task", "parallel", "pictures")
)
# Those of parallel rows for which a model translates targets back.
BACK_TRANSLATED = [name for name in PARALLEL if STUDY.datasets[name].makers]
# The tasks with pictures that are asked or learnt.
PICTURED_TASKS = pictured_tasks(STUDY)
RUN_BY_PATH = {run.path: run for run in STUDY.runs}
# The runs of each base model that one engine generates for, with their adapters attached in turn.
RUNS_ON_ONE_ENGINE = {model: STUDY.runs_on_one_engine(model) for model in STUDY.models}

KEPT_RECORDS = Path("results/.records")
keep_records(Path(".snakemake"), KEPT_RECORDS)

# For all jobs, on a cluster too, since each of them reads this file. Only `fetch` downloads (maple/data/hub.py), and only
# `upload` uploads (maple/report/publishing.py).
os.environ.update(HF_HUB_OFFLINE="1")


def one_of(*names):
    """The pattern of a wildcard that takes these names alone: what the study lacks is no rule's file."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    model=one_of(*STUDY.models),
    dataset=one_of(*STUDY.datasets, *STUDY.mixtures),
    method=one_of(*STUDY.methods),
    seed=r"\d+",
    task=one_of(*STUDY.tasks, *PICTURED_TASKS),
    repository=one_of(*STUDY.repositories),
    language=one_of(*sorted({ENGLISH, *CODES, *(code for each in STUDY.datasets.values() for code in each.languages)})),


def fingerprint(script):
    """The digest of a script and of the project modules that it imports, directly or indirectly."""
    return code_of(f"workflow/scripts/{script}")


def run_of(wildcards):
    """The run of a job: model, dataset, method and seed, as in scores and run cards."""
    return run_key(wildcards).params()


def run_key(wildcards):
    """The record of a job's run."""
    return RunKey(wildcards.model, wildcards.dataset, wildcards.method, int(wildcards.seed))


def model_of(wildcards):
    """The record of a job's model, by content: a folder on disk is known by the digest of its files."""
    return STUDY.model_params(wildcards.model, DIGESTS)


def asked_model(wildcards):
    """The same, as a run's model is asked."""
    return STUDY.asked_as(run_key(wildcards), DIGESTS)


def identity_of(wildcards):
    """Code, name, iso639_1 and script of a job's language."""
    return STUDY.languages.identity(wildcards.language).params()


def for_runs(path, runs=STUDY.runs):
    """One file per run: `{run}` in the path stands for model, dataset, method and seed."""
    return [path.replace("{run}", run.path) for run in runs]


def unrecorded(rule):
    """An input function of no inputs that ends Snakemake if a rule's outputs are there without a record (keep_records).

    Such files were brought from elsewhere, and Snakemake would take them for this study's, whatever the config says.
    """

    def no_inputs(wildcards):
        files, _ = rule.expand_output(dict(wildcards.items()))
        records, settings = workflow.persistence, workflow.dag_settings
        forced = settings.forceall or not {rule.name, *files}.isdisjoint(settings.forcerun)
        if files and workflow.is_main_process and not forced and all(Path(file).exists() for file in files):
            unknown = [file for file in files if records.metadata(file) is None]
            # A killed job may have written its files: they are marked as unfinished, and made again.
            if unknown and not records._filter_incomplete_keys([records._get_key(file) for file in files]):
                sys.exit(
                    f"{unknown[0]}: {KEPT_RECORDS}/ has no record of what it was made from; make it again by "
                    f"`snakemake --cores all --forcerun {unknown[0]}`, or if this very config made all results here, "
                    "record that by `snakemake --cores all --touch --forceall`"
                )
        return []

    return no_inputs


def task_places(wildcards):
    """The places of a task's rows in the language, and in the languages from which wrong rows are repaired."""
    return STUDY.tasks[wildcards.task].places(wildcards.language, STUDY.languages, FOLDERS)


def phrases_of_task(wildcards):
    """The phrases from which the embedded source makes a task's rows; None for other sources."""
    return STUDY.tasks[wildcards.task].sentences(wildcards.language, STUDY.languages)


def pair_of_task(wildcards):
    """The source and the target language of a translation task's rows; None for another task."""
    pair = STUDY.tasks[wildcards.task].pair(wildcards.language, STUDY.languages)
    return pair and pair.params()


def pictures_of(tasks, part):
    """The folders of the pictures of some tasks: of the rows that are `asked`, or of those that are `learnt`."""
    return [f"results/pictures/{task}/{part}" for task in tasks if task in PICTURED_TASKS]


def limits_of(wildcards):
    """The limits of a dataset's curation in the language."""
    return STUDY.datasets[wildcards.dataset].limits(wildcards.language).params()


def fetched_rows(sources, reader, language):
    """The fetched repositories among the places of a job's rows; ends Snakemake if local rows are not there.

    Not by an error of Snakemake's own: those it drops while there is an output of an earlier study, and takes that for
    this study's.
    """
    if workflow.is_main_process and not all(file.readable for file in local_files(sources, reader, language)):
        sys.exit(refusal_of_missing_rows(STUDY, FOLDERS))
    return list(dict.fromkeys(source.path for source in sources if isinstance(source, HubSource)))


def decontamination(wildcards):
    """The test rows that a dataset's examples must not overlap with, and the n-gram length that counts as overlap."""
    return STUDY.datasets[wildcards.dataset].decontamination(wildcards.language, STUDY.languages, FOLDERS)


def guarded(wildcards):
    """The test rows of the study's tasks, and for each task the field of a passage that no dataset may contain."""
    return STUDY.guarded(wildcards.language, FOLDERS)


def fetched_tests(tests, language):
    """The fetched repositories that hold test rows; ends Snakemake if local test rows are not there."""
    return [path for task, test in tests.items() for path in fetched_rows(test.sources, f"task {task}", language)]


def clearances(wildcards):
    """Results of `guard` for a run's dataset, one per language: no forbidden passage is in it, n examples overlap."""
    mixture = STUDY.mixtures.get(wildcards.dataset)
    codes = STUDY.datasets[mixture.dataset].languages if mixture and STUDY.tests else []
    return [f"results/cleared/{mixture.dataset}/{code}.json" for code in codes]


def base_of(wildcards):
    """The folder that a run is adapted from: the base, or the base with the head of the run's task and seed."""
    run = RUN_BY_PATH[run_key(wildcards).path]
    task = STUDY.head_task(run)
    return f"results/heads/{run.model}/{task}/seed{run.seed}" if task else f"results/base/{run.model}"


def weights(wildcards):
    """The folder of weights that a run generates with: what it trained or merged, or its base; none for an endpoint."""
    run = run_key(wildcards)
    if STUDY.endpoint(run.model):
        return []
    if run.is_baseline or STUDY.methods[run.method].attached:
        return base_of(wildcards)
    return f"results/{'merged' if STUDY.methods[run.method].merged else 'trained'}/{run.path}"
