"""The tasks of a study: what is rendered, where the rows lie, how each is asked and what is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import TemplateSyntaxError

from maple.data.sources import resolve
from maple.definitions.config import Config
from maple.definitions.errors import DefinitionError
from maple.definitions.language import Language
from maple.definitions.task import Clustering, PromptSpec, Task, TaskMetrics, TaskSettings
from maple.evaluation.benchmark_rows import files, places
from maple.evaluation.prompts import ENVIRONMENT, VOICES, task_words, worded, words_named
from maple.evaluation.scoring import RANK_METRICS
from maple.metrics.registry import METRICS
from maple.study.languages import Languages


@dataclass(frozen=True)
class TestSet:
    """Test rows of a task, which datasets must not contain."""

    source: dict
    """The source of rows that the config chose, {kind: place}."""
    fields: list[str]
    """Fields whose texts are looked for."""
    passage: str
    """The field whose text no dataset may hold; empty for none."""
    offered: list[str]
    """Codes of all languages that the source offers."""

    def rows(self, code: str, codes: Sequence[str], languages: Languages, data: str | None) -> dict:
        """Return where the rows lie that examples in a language may hold: {"fields", "sources"}.

        They are looked for in the language itself and in English, which stands in examples to translate, where `codes`
        has them.
        """
        among = [each for each in dict.fromkeys((code, languages.english.code)) if each in codes]
        return {
            "fields": self.fields,
            "sources": [resolve(self.source, languages.identity(each).params(), data, "test") for each in among],
        }


@dataclass(frozen=True)
class StudyTask:
    """A benchmark as a study asks it."""

    name: str
    definition: Task
    source: dict
    """The source of rows that the config chose, {kind: place}."""
    settings: TaskSettings
    """Demonstrations, and the ways of answering."""
    prompt_spec: PromptSpec
    """What decides prompts and gold answers."""
    languages: list[str]
    """The study's codes that the source offers."""
    embedded: bool
    """True if the rows are those of the embedded world."""

    @property
    def metrics(self) -> TaskMetrics:
        """What is measured: the metrics of each way of answering, the headline among them, chance, the languages."""
        generated = "generate" in self.settings.answers
        ranked = RANK_METRICS if "rank" in self.settings.answers else ()
        return TaskMetrics(
            metrics=[*(self.definition.metrics if generated else []), *ranked],
            headline=self.definition.headline if generated else next(iter(RANK_METRICS)),
            chance=self.definition.chance,
            languages=self.languages,
        )

    @property
    def clustering(self) -> Clustering | None:
        """What tells which items stand on the same text; None where each stands on its own."""
        return self.definition.clustering

    def places(self, code: str, languages: Languages, data: str | None) -> dict[str, dict]:
        """Return where the rows lie in a language, and in the languages that mend them."""
        return places(
            self.source,
            languages.identities,
            code,
            data=data,
            mend=self.prompt_spec.params().get("repair"),
            dev=self.settings.shots > 0,
        )

    def files(self, code: str, languages: Languages, data: str | None) -> list[str]:
        """Return the files of the rows where they lie on disk."""
        return files(self.places(code, languages, data))

    def words(self, code: str, languages: Languages, prompt_language: str) -> dict:
        """Return the words of a language, and of English, that the task's file names, and no other."""
        own, english = languages.table[code].params(), languages.english.params()
        return task_words(self.definition.params(), own, english, prompt_language)


def chosen_source(name: str, task: Task, kind: str) -> dict:
    """Return the source of rows that the config's task_source names, {kind: place}.

    Raises DefinitionError for a task without it.
    """
    sources = task.sources.params()
    if kind not in sources:
        raise DefinitionError(
            f"config/tasks/{name}.yaml: has no source {kind!r}, which the config's task_source asks "
            f"for; it has {', '.join(sources)}"
        )
    return {kind: sources[kind]}


def offered_languages(source: dict, table: Mapping[str, Language]) -> list[str]:
    """Return the codes of the table that a source offers."""
    ((_, place),) = source.items()
    return [code for code in table if place["languages"] == "all" or code in place["languages"]]


def study_task(name: str, task: Task, config: Config, languages: Languages) -> StudyTask:
    """Return a task as the config asks it."""
    source = chosen_source(name, task, config.task_source)
    offered = offered_languages(source, languages.table)
    settings = TaskSettings(shots=config.shots.get(name, 0), answers=config.answers.get(name, ["generate"]))
    return StudyTask(
        name=name,
        definition=task,
        source=source,
        settings=settings,
        prompt_spec=task.prompt_spec(config.max_new_tokens.get(name)),
        languages=[code for code in languages.codes if code in offered],
        embedded=config.task_source == "embedded",
    )


def check_task(name: str, task: Task, config: Config, table: Mapping[str, Language]) -> None:
    """Refuse a task with a template, metric, field or word that does not exist."""
    file = f"config/tasks/{name}.yaml"
    _check_templates(file, task)
    for metric in (*task.metrics, task.headline):
        if metric not in METRICS:
            raise DefinitionError(f"{file}: metric {metric!r} is unknown; write one of {', '.join(METRICS)}")
    if task.headline not in task.metrics:
        raise DefinitionError(f"{file}: headline {task.headline!r} must be one of its metrics")
    if task.cluster and task.cluster not in task.fields:
        raise DefinitionError(f"{file}: cluster {task.cluster!r} must be one of its fields")
    if "rank" in config.answers.get(name, []) and not task.choices:
        raise DefinitionError(f"config: answers.{name}: {file} has no choices to rank; write generate")
    columns = set(next(iter(table.values())).params())
    named = (words_named(*worded(task.params()), voice=voice) for voice in VOICES)
    if unknown := set().union(*named) - columns:
        raise DefinitionError(f"{file}: words {sorted(unknown)} are no column of config/languages.tsv; add them there")
    for code in task.repair.from_ if task.repair else []:
        if code not in table:
            raise DefinitionError(f"{file}: repair.from names {code!r}, which config/languages.tsv lacks; add its row")


def _check_templates(file: str, task: Task) -> None:
    templates = [("prompt", task.prompt)]
    templates += [(f"choices.{label}", form) for label, forms in task.choices.items() for form in forms]
    expressions = [("item", f"{{{{ {task.item} }}}}"), ("targets", f"{{{{ {task.targets} }}}}")]
    for key, template in templates + expressions:
        try:
            ENVIRONMENT.parse(template)
        except TemplateSyntaxError as error:
            raise DefinitionError(
                f"{file}: {key}: {error.message}; its placeholders are {', '.join(task.fields)} and number, in "
                f"prompt and choices also {', '.join(f'{voice}.NAME' for voice in VOICES)}, there as {{{{ NAME }}}}"
            ) from None
