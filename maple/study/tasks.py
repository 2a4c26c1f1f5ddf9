"""The tasks of a study: prompts, places of the rows, settings and metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from maple.data.contamination import BenchmarkTexts
from maple.data.sources import HubSource, LocalSource, RowFolders, resolve
from maple.data.templates import names_used, wrong_template
from maple.definitions.config import Config
from maple.definitions.errors import DefinitionError
from maple.definitions.language import Language, LanguagePair
from maple.definitions.model import Model
from maple.definitions.task import (
    OWN,
    AnswerMode,
    Clustering,
    EmbeddedRows,
    HubRows,
    LocalRows,
    PromptSpec,
    Task,
    TaskMetrics,
    TaskSettings,
)
from maple.embedded.pictures import words_of_task
from maple.evaluation.benchmark_rows import RowPlaces, row_places
from maple.evaluation.prompt_words import VOICES, task_words, word_names, word_templates
from maple.evaluation.prompts import NUMBER
from maple.evaluation.scoring import rank_metrics
from maple.metrics.registry import (
    BLIND,
    METRICS,
    RANKED,
    ROUND_TRIPPED,
    gold_of,
    is_binary,
    is_of_labels,
    is_of_texts,
    metric_of,
)
from maple.metrics.translation import missing_model
from maple.study.answer_modes import answer_modes, reason_against_classifying
from maple.study.language_codes import check_codes
from maple.study.languages import Languages

TaskSource = EmbeddedRows | LocalRows | HubRows
# What the gold answers of a row are, in messages.
_GOLD = {
    "alternatives": "gold answers each of which is right",
    "labels": "sets of labels (`multi`)",
    "entities": "named entities (answer.read: spans)",
}


@dataclass(frozen=True)
class TestSet:
    """Test rows of a task, which datasets must not contain."""

    source: TaskSource
    """The source of rows that the config chose."""
    fields: list[str]
    """Fields whose texts are searched for."""
    passage: str
    """The field whose text no dataset may contain; empty if there is none."""
    offered: list[str]
    """Codes of all languages that the source offers."""

    def rows(self, code: str, codes: Sequence[str], languages: Languages, folders: RowFolders) -> BenchmarkTexts:
        """Return the test rows to search for in examples of a language.

        These are the rows in the language and in English, which examples to translate contain; each only if `codes` has
        it.
        """
        among = [each for each in dict.fromkeys((code, languages.english.code)) if each in codes]
        resolved = [resolve(self.source, languages.identity(each), folders, "test") for each in among]
        sources = [source for source in resolved if isinstance(source, LocalSource | HubSource)]
        return BenchmarkTexts(fields=self.fields, sources=sources)


@dataclass(frozen=True)
class StudyTask:
    """A benchmark in a study."""

    name: str
    definition: Task
    source: TaskSource
    """The source of rows that the config chose."""
    settings: TaskSettings
    """Demonstrations, and how many items."""
    answers: dict[str, list[AnswerMode]]
    """Answer modes by model, of the models that are asked."""
    prompt_spec: PromptSpec
    """The part that decides prompts and gold answers."""
    languages: list[str]
    """Codes of the study's languages that the source offers."""
    embedded: bool
    """True if the rows are those of the embedded world."""

    @property
    def modes(self) -> set[AnswerMode]:
        """The answer modes of all models that are asked."""
        return {mode for modes in self.answers.values() for mode in modes}

    @property
    def metrics(self) -> TaskMetrics:
        """The metrics of the task's answer modes, with headline, chance and languages.

        The task's own are those of completions and of labels that a classifier gives; all of them come again for blind
        answers. Those of the corpora of translations come a second time, against the references as the model's
        tokenizer gives them back.
        """
        only_ranked, headline = self.modes == {"rank"}, self.definition.headline
        ranked = rank_metrics(self.definition.metrics) if "rank" in self.modes else []
        blind = [BLIND + metric for metric in self.definition.metrics] if "blind" in self.modes else []
        if only_ranked:
            headline = RANKED + headline if RANKED + headline in ranked else ranked[0]
        metrics = [*([] if only_ranked else self.definition.metrics), *ranked, *blind]
        if self.definition.pair:
            metrics += [metric + ROUND_TRIPPED for metric in metrics if is_of_texts(metric)]
        return TaskMetrics(
            metrics=metrics,
            headline=headline,
            chance=self.definition.chance,
            languages=self.languages,
            lower_is_better=[metric for metric in metrics if metric_of(metric).scale.lower_is_better],
            domain=self.definition.domain,
            direction=self.definition.pair.direction if self.definition.pair else "",
        )

    @property
    def most_items(self) -> int | dict[str, int] | None:
        """How many items the source that is read has per language; None if it has no end, or if that is not known."""
        size = self.definition.size
        return size.items if size and not self.embedded else None

    @property
    def clustering(self) -> Clustering | None:
        """How items that share a text are found; None if no items share a text."""
        return self.definition.clustering

    def places(self, code: str, languages: Languages, folders: RowFolders) -> RowPlaces:
        """Return the places of the rows in a language, and in the languages from which wrong rows are repaired.

        Raises DefinitionError if demonstrations are asked for, and the source has no rows for them.
        """
        repair, dev = self.prompt_spec.repair, self.settings_in(code).shots > 0
        places = row_places(self.source, languages.table, code, folders, repair=repair, dev=dev)
        if places.dev and places.dev.source is None:
            file = f"config/tasks/{self.name}.yaml"
            raise DefinitionError(
                f"config: shots.{self.name}: {file} has no demonstrations apart from the test rows; name their "
                f"split under `splits.dev` and {{split}} in the path, write 0, or {code} under `without_dev`"
            )
        return places

    def settings_in(self, code: str) -> TaskSettings:
        """Return the settings in a language: no demonstrations where the source says that it has none."""
        has_none = not isinstance(self.source, EmbeddedRows) and code in self.source.without_dev
        return self.settings.changed(shots=0) if has_none else self.settings

    def pair(self, code: str, languages: Languages) -> LanguagePair | None:
        """Return the languages of a translation of rows in a language; None for another task."""
        pair = self.definition.pair
        return LanguagePair(*map(languages.identity, pair.languages(code))) if pair else None

    def sentences(self, code: str, languages: Languages) -> Mapping[str, str] | None:
        """Return what the embedded world makes rows from in a language: phrases, or the words of pictures.

        None for rows of another source, and for a language without them.
        """
        if not self.embedded:
            return None
        if self.definition.pictures:
            return words_of_task(self.name, languages.pictures[code])
        return languages.phrases.get(code)

    def words(self, code: str, languages: Languages, prompt_language: str) -> dict:
        """Return the words of a language and of English that the task's file names.

        Raises DefinitionError for a word that neither the language table nor the task has.
        """
        words = task_words(self.definition, languages.table[code], languages.english, prompt_language)
        english = languages.english.code
        spoken = {"own": code, "english": english, "words": code if prompt_language == "own" else english}
        for voice, language in spoken.items():
            if missing := [name for name, word in words[voice].items() if not word]:
                raise DefinitionError(
                    f"config/languages.tsv: {language} has no {', '.join(missing)}, which "
                    f"config/tasks/{self.name}.yaml asks with; fill them, or write in the task's file `words: "
                    f"{{{language}: {{{missing[0]}: ...}}}}`, or `words: {{{language}: english}}` to ask in English"
                )
        return words


def chosen_source(name: str, task: Task, kind: str) -> TaskSource:
    """Return the source of rows that the config's task_source names.

    Raises DefinitionError for a task without this source.
    """
    source = getattr(task.sources, kind)
    if source is None:
        raise DefinitionError(
            f"config/tasks/{name}.yaml: has no source {kind!r}, which the config's task_source asks "
            f"for; it has {', '.join(task.sources.params())}"
        )
    return source


def offered_languages(source: TaskSource, table: Mapping[str, Language]) -> list[str]:
    """Return the codes of the table that a source offers."""
    return [code for code in table if source.languages == "all" or code in source.languages]


def study_task(name: str, task: Task, config: Config, languages: Languages, models: Mapping[str, Model]) -> StudyTask:
    """Return a task with the config's settings, for the models that are asked, by name."""
    source = chosen_source(name, task, config.task_source)
    offered = offered_languages(source, languages.table)
    share, sampled = config.all_looks.share, config.items and not isinstance(source, EmbeddedRows)
    settings = TaskSettings(
        shots=config.shots.get(name, 0),
        items=config.items,
        # Only where some rows are sampled, else another cluster would render all prompts again.
        cluster=task.cluster if sampled or share < 1 else "",
        **({"share": share} if share < 1 else {}),
    )
    return StudyTask(
        name=name,
        definition=task,
        source=source,
        settings=settings,
        answers={model: answer_modes(name, task, definition, config) for model, definition in models.items()},
        prompt_spec=task.prompt_spec(config.max_new_tokens.get(name)),
        languages=[code for code in languages.codes if code in offered],
        embedded=config.task_source == "embedded",
    )


def check_task(name: str, task: Task, config: Config, table: Mapping[str, Language]) -> None:
    """Refuse a task with a wrong template, or a metric, field or word that does not exist."""
    file = f"config/tasks/{name}.yaml"
    _check_templates(file, task)
    _check_metrics(file, task)
    _check_fields(file, task.fields)
    if task.cluster.isidentifier() and task.cluster not in task.fields:
        raise DefinitionError(f"{file}: cluster {task.cluster!r} must be one of its fields")
    if "rank" in config.answers.get(name, []) and not task.one_label:
        reason = "several labels in a row (`multi`), and ranking finds one" if task.multi else "no choices to rank"
        raise DefinitionError(f"config: answers.{name}: {file} has {reason}; write generate")
    if task.choice_prompts and "generate" in config.answers.get(name, []):
        raise DefinitionError(
            f"config: answers.{name}: {file} has a prompt for each choice, which says already which one is meant, and "
            "none to generate from; write [rank]"
        )
    if "blind" in config.answers.get(name, []) and not task.pictures:
        raise DefinitionError(f"config: answers.{name}: {file} has no pictures to hide; leave blind out")
    if "classify" in config.answers.get(name, []) and (reason := reason_against_classifying(task)):
        mend = "write generate" if task.multi else "write them there, or generate"
        raise DefinitionError(f"config: answers.{name}: {file} has {reason} to classify; {mend}")
    columns = set(next(iter(table.values())).params())
    columns |= {name for words in task.words.values() if words != "english" for name in words}
    names = (word_names(*word_templates(task), voice=voice) for voice in VOICES)
    if unknown := set().union(*names) - columns:
        raise DefinitionError(f"{file}: words {sorted(unknown)} are no column of config/languages.tsv; add them there")
    check_codes(file, task, table, config.languages)
    _check_pair(file, task, table)
    if task.answer_language and (task.pair or task.answer_language not in table):
        reason = "`pair` says it" if task.pair else "config/languages.tsv lacks it; add its row"
        raise DefinitionError(f"{file}: answer_language {task.answer_language!r}: {reason}")
    for code in task.repair.from_ if task.repair else []:
        if code not in table:
            raise DefinitionError(f"{file}: repair.from names {code!r}, which config/languages.tsv lacks; add its row")


def _check_pair(file: str, task: Task, table: Mapping[str, Language]) -> None:
    """Refuse a translation of an unknown language or of a language into itself, and one without its source text."""
    if task.pair is None:
        return
    for side, code in task.pair.params().items():
        if code != OWN and code not in table:
            raise DefinitionError(f"{file}: pair.{side} names {code!r}, which config/languages.tsv lacks; add its row")
        for kind, source in task.sources:
            if source and code in offered_languages(source, table):
                raise DefinitionError(
                    f"{file}: sources.{kind}.languages: {code} is the {side} language of all rows and cannot be "
                    "translated into itself; leave it out, or list the others"
                )
    if len(task.texts) != 1 or task.choices:
        raise DefinitionError(
            f"{file}: pair: a translation has one text, its source, and no choices; write `texts` with one template"
        )


def _check_metrics(file: str, task: Task) -> None:
    """Refuse a metric that is unknown or that the task cannot have, and a headline that no gain raises."""
    for metric in (*task.metrics, task.headline):
        if metric not in METRICS:
            raise DefinitionError(f"{file}: metric {metric!r} is unknown; write one of {', '.join(METRICS)}")
        if gold_of(metric) != task.gold:
            raise DefinitionError(
                f"{file}: metric {metric!r} is of {_GOLD[gold_of(metric)]}, and the task has {_GOLD[task.gold]}; write "
                f"{', '.join(name for name in METRICS if gold_of(name) == task.gold)}"
            )
        if not task.choices and is_of_labels(metric):
            raise DefinitionError(f"{file}: metric {metric!r} is of labels, and the task has no choices; name another")
        if task.one_label and is_of_texts(metric):
            raise DefinitionError(f"{file}: metric {metric!r} is of texts, and the task has choices; name another")
        if is_binary(metric) and len(task.choices) != 2:
            raise DefinitionError(
                f"{file}: metric {metric!r} is of two choices, the first of which is the positive one, and the task "
                f"has {len(task.choices)}; name another"
            )
        if missing := missing_model(metric):
            raise DefinitionError(
                f"{file}: metric {metric!r} needs sacrebleu's model {missing}, which is not there and is not "
                "downloaded; put it there, set SACREBLEU to the folder above its `models`, or name another metric"
            )
    if task.headline not in task.metrics:
        raise DefinitionError(f"{file}: headline {task.headline!r} must be one of its metrics")
    if METRICS[task.headline].scale.lower_is_better:
        raise DefinitionError(f"{file}: headline {task.headline!r} is better if lower; name another of its metrics")
    if METRICS[task.headline].scale.neutral:
        raise DefinitionError(f"{file}: headline {task.headline!r} has no better end; name another of its metrics")


def _check_fields(file: str, fields: Sequence[str]) -> None:
    """Refuse a field of a name that templates have for something else."""
    for field in fields:
        if field in (*VOICES, NUMBER):
            meaning = "the position of a row" if field == NUMBER else "words of a language"
            raise DefinitionError(
                f"{file}: fields: templates call {meaning} {field!r}; give the set's column another name under "
                f"`columns` of its source, as in `columns: {{row_{field}: {field}}}`"
            )


def _check_templates(file: str, task: Task) -> None:
    templates = [("prompt", task.prompt)]
    templates += [(f"choices.{label}", form) for label, forms in task.choices.items() for form in forms]
    templates += [(f"choice_prompts.{label}", prompt) for label, prompt in task.choice_prompts.items()]
    templates += [("layout.description", task.layout.description)] if task.layout else []
    templates += [("texts", text) for text in task.texts]
    templates += [("answer.demonstration", task.answer.demonstration)]
    expressions = [("item", f"{{{{ {task.item} }}}}"), ("targets", f"{{{{ {task.targets} }}}}")]
    expressions += [("cluster", f"{{{{ {task.cluster} }}}}")] if task.cluster else []
    expressions += [("pictures", f"{{{{ {picture} }}}}") for picture in task.pictures]
    if task.layout and (named := sorted(names_used(task.layout.description) - set(VOICES))):
        raise DefinitionError(
            f"{file}: layout.description: {{{{ {named[0]} }}}} differs from row to row, and a description is the same "
            "before all prompts; write words alone, as own.question"
        )
    for label, other in combinations([] if task.choice_prompts else task.choices, 2):
        if task.choices[label][0] == task.choices[other][0]:
            raise DefinitionError(
                f"{file}: choices: {label} and {other} are both written {task.choices[label][0]!r}; answers could not "
                "be told apart: write another first form of one"
            )
    for key, template in templates + expressions:
        if reason := wrong_template(template):
            raise DefinitionError(
                f"{file}: {key}: {reason}; its placeholders are {', '.join(task.fields)} and number, in "
                f"prompt and choices also {', '.join(f'{voice}.NAME' for voice in VOICES)}, there as {{{{ NAME }}}}"
            )
    for key, template in templates:
        if voices := sorted(names_used(template) & set(VOICES)):
            raise DefinitionError(
                f"{file}: {key}: {{{{ {voices[0]} }}}} stands for all words of a language; name one, as "
                f"{voices[0]}.question, or give the set's column another name under `columns` of its source, as in "
                f"`columns: {{row_{voices[0]}: {voices[0]}}}`"
            )
