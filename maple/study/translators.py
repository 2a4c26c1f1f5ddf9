"""What translators of a study can be taught and asked: translations, between languages that they have tags of."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from maple.definitions.dataset import Dataset, ParallelDataset
from maple.definitions.errors import DefinitionError
from maple.definitions.language import Language
from maple.definitions.local_model import BuiltModel, LocalModel, PathModel
from maple.definitions.method import MethodVariant, PeftVariant
from maple.definitions.model import EndpointModel, Model
from maple.definitions.reading import pick
from maple.definitions.run import Run
from maple.definitions.task import Task
from maple.methods.peft_config_keys import config_keys
from maple.models.kind import KINDS
from maple.models.language_tags import BUILT_TAGS, Tags, UnknownTagError, forms, published_tags, tag_of, tags_in
from maple.study.architectures import known_architecture
from maple.study.datasets import StudyDataset

KEY = "trainable_token_indices"  # PEFT's


def check_tags(models: Mapping[str, Model]) -> None:
    """Refuse tags of languages in the file of a model that reads none."""
    for name, model in models.items():
        for key in ("tags", "new_tags"):
            if getattr(model, key) and not KINDS[model.kind].translates:
                raise DefinitionError(
                    f"config/models/{name}.yaml: {key}: a model of the kind {model.kind} reads no tags of languages; "
                    "leave it out, or write kind: seq2seq"
                )


def check_translations(
    runs: Iterable[Run], models: Mapping[str, Model], datasets: Mapping[str, Dataset], tasks: Mapping[str, Task]
) -> None:
    """Refuse a dataset and a task of a translator that are no translations; `datasets` by the runs' dataset."""
    for run in runs:
        kind = models[run.model].kind
        if not KINDS[kind].translates:
            continue
        what = f"{run.model} is of the kind {kind}, which learns and answers translations alone"
        if not run.is_baseline and (recipe := datasets[run.dataset].recipe) != "parallel":
            raise DefinitionError(
                f"config: grid: datasets: {run.dataset}: {what}, and the dataset's recipe is {recipe}; name one of "
                f"recipe: parallel, or give {run.model} a part of the grid of its own"
            )
        for task in run.tasks:
            if tasks[task].pair is None:
                raise DefinitionError(
                    f"config: grid: {what}, and config/tasks/{task}.yaml has a prompt and no pair of languages; name "
                    f"tasks with `pair` under `tasks` of the part of the grid of {run.model}"
                )


def check_built(models: Mapping[str, Model], table: Mapping[str, Language]) -> None:
    """Refuse a model that is to be built from a language without a row in the table, or a translator without a tag."""
    for name, model in models.items():
        if not isinstance(model, BuiltModel) or not model.build.languages:
            continue
        where = f"config/models/{name}.yaml: build.languages"
        pick(model.build.languages, table, where, "config/languages.tsv")
        if not KINDS[model.kind].translates:
            continue
        known = BUILT_TAGS[model.build.architecture["model_type"]]
        for code in model.build.languages:
            try:
                tag_of(code, {}, known.__contains__)
            except UnknownTagError:
                raise DefinitionError(
                    f"{where}: a {model.build.architecture['model_type']} model has no tag of {code}; leave it out"
                ) from None


def check_languages(
    runs: Sequence[Run],
    models: Mapping[str, Model],
    tasks: Mapping[str, Task],
    asked: Mapping[str, Sequence[str]],
    learnt: Mapping[str, Sequence[str]],
    results: Path,
) -> None:
    """Refuse a language that a translator has no tag of; `asked` are the languages by task, `learnt` those by dataset.

    Of a model whose tags are not known before it is fetched, finetuning and generation refuse it.
    """
    for name in dict.fromkeys(run.model for run in runs):
        model = models[name]
        if isinstance(model, EndpointModel) or not KINDS[model.kind].translates:
            continue
        if (known := known_tags(name, model, results)) is None:
            continue
        for code, tag in model.new_tags.items():
            if known.in_source:
                raise DefinitionError(
                    f"config/models/{name}.yaml: new_tags: the model reads what to translate into in front of a "
                    f"source, where words can stand; write tags: {{{code}: words}}"
                )
            if not any(form in known.known for form in forms(tag)):
                raise DefinitionError(
                    f"config/models/{name}.yaml: new_tags.{code}: {tag!r} is no tag of the model; name one that it has"
                )
        for code, where in _languages([run for run in runs if run.model == name], tasks, asked, learnt).items():
            if code in model.new_tags:
                continue
            try:
                known.of(code, model.tags)
            except UnknownTagError as error:
                raise DefinitionError(f"config/models/{name}.yaml: {error} ({where})") from None


def _languages(
    runs: Sequence[Run],
    tasks: Mapping[str, Task],
    asked: Mapping[str, Sequence[str]],
    learnt: Mapping[str, Sequence[str]],
) -> dict[str, str]:
    """Return the languages that runs translate between, and what asks for each: {code: task or dataset}."""
    languages: dict[str, str] = {}
    for run in runs:
        for task in run.tasks:
            pair = tasks[task].pair
            for code in asked[task]:
                for language in pair.languages(code) if pair else ():
                    languages.setdefault(language, f"which task {task} asks")
        for code in () if run.is_baseline else learnt[run.dataset]:
            languages.setdefault(code, f"which dataset {run.dataset} teaches")
    return languages


def check_back_translators(datasets: Mapping[str, StudyDataset], models: Mapping[str, Model], results: Path) -> None:
    """Refuse a translator of targets that has no tag of a language, or one that it has yet to learn.

    Of a model whose tags are not known before it is fetched, the job refuses it.
    """
    for name, dataset in datasets.items():
        definition = dataset.definition
        if not isinstance(definition, ParallelDataset) or definition.back_translate is None:
            continue
        translator = dataset.makers["translator"]
        model = models[translator]
        if isinstance(model, EndpointModel) or (known := known_tags(translator, model, results)) is None:
            continue
        pairs = [task.definition.pair for task in dataset.learnt if task.name in definition.back_translate.tasks]
        sides = [pair.languages(code) for pair in pairs if pair for code in dataset.languages]
        for language in dict.fromkeys(code for of_pair in sides for code in of_pair):
            try:
                known.of(language, model.tags)
            except UnknownTagError as error:
                raise DefinitionError(
                    f"config/datasets/{name}.yaml: back_translate.translator.model: {translator}: {error}; or name "
                    "another translator"
                ) from None


def languages_of(dataset: StudyDataset) -> list[str]:
    """Return the languages that the translations of a dataset are in, both sides; its own if it has none."""
    pairs = [task.definition.pair for task in dataset.learnt]
    sides = (pair.languages(code) if pair else (code,) for pair in pairs for code in dataset.languages)
    return list(dict.fromkeys(language for side in sides for language in side))


def check_new_tags(runs: Iterable[Run], models: Mapping[str, Model], variants: Mapping[str, MethodVariant]) -> None:
    """Refuse a method that would not train the new tags of a model; `runs` are finetuned ones."""
    for run in runs:
        variant, new_tags = variants[run.method], models[run.model].new_tags
        if not new_tags:
            continue
        if isinstance(variant, PeftVariant):
            keys = config_keys(variant.peft)
            trains = keys is None or KEY in keys
        else:
            trains = variant.trains == "all"
        if not trains:
            raise DefinitionError(
                f"config/models/{run.model}.yaml: new_tags: {run.family} trains no row of the embedding, so that the "
                f"tag of {min(new_tags)} would stay as it begins; borrow one by tags, or take a method that has "
                f"{KEY}, as lora, or full"
            )


def known_tags(name: str, model: LocalModel, results: Path) -> Tags | None:
    """Return the tags of a translator as far as planning knows them; None if they are not known yet."""
    if isinstance(model, BuiltModel):
        return Tags(frozenset(BUILT_TAGS[model.build.architecture["model_type"]]))
    if isinstance(model, PathModel):
        return tags_in(Path(model.path))
    return published_tags(known_architecture(name, model, results))
