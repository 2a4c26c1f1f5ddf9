"""The datasets of a study: their languages, the models that make them, and what decides their examples."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from maple.data.contamination import NGRAM_WORDS, DecontaminationTests
from maple.data.curation import LanguageLimits, limits_in
from maple.data.sources import LocalSource, RowFile, RowFolders, RowSource, resolve
from maple.definitions.dataset import (
    Dataset,
    DatasetAxes,
    DatasetSeeds,
    LearntDataset,
    LoadedDataset,
    MixSettings,
    ParallelDataset,
    PicturesDataset,
    SelfInstructDataset,
    TaskDataset,
    TaughtDataset,
    TranslateRespondDataset,
)
from maple.definitions.errors import DefinitionError
from maple.definitions.language import ENGLISH, Language
from maple.definitions.model import EndpointModel, Model
from maple.definitions.placeholders import Placeholders
from maple.definitions.reading import pick
from maple.definitions.run import AxisValue, mixture_name
from maple.definitions.teacher import EndpointSettings, LocalTeacherSettings, TranslatorSettings
from maple.evaluation.training_rows import TrainingPlaces, training_places
from maple.models.kind import KINDS
from maple.study.languages import Languages
from maple.study.tasks import StudyTask, TestSet
from maple.synthesis.self_instruct import prompt_in

Block = EndpointSettings | LocalTeacherSettings | TranslatorSettings


@dataclass(frozen=True)
class Wordings:
    """Texts by language that all datasets share."""

    prompts: Mapping[str, str]
    """Prompts of self_instruct."""
    refusals: Mapping[str, list[str]]
    """First words of outputs that refuse their instruction."""
    unservable: Mapping[str, list[str]]
    """Words of instructions that a text model cannot follow."""
    placeholders: Mapping[str, Placeholders] = field(default_factory=dict)
    """Texts that stand where there is none."""


@dataclass(frozen=True)
class StudyDataset:
    """A dataset in a study."""

    name: str
    definition: Dataset
    languages: list[str]
    """Codes of the languages that it is made in."""
    makers: dict[str, str]
    """Models on this machine that make it, by role: teacher, translator."""
    trusted: dict[str, bool]
    """trust_remote_code of these models, by role."""
    tests: dict[str, TestSet]
    """Test rows that no example may overlap with, by task."""
    ngram_words: int
    """Length of the n-gram that counts as an overlap with a test row."""
    wordings: Wordings
    teaching: Mapping[str, dict] = field(default_factory=dict)
    """Room for thinking and switches of the chat template of a teacher, tags of languages of a translator, as far as
    these models' files have them; by role."""
    learnt: tuple[StudyTask, ...] = ()
    """The tasks whose train rows it consists of: one, or several translations; none for instruction sets."""

    @property
    def file(self) -> str:
        """The file that defines the dataset."""
        return f"config/datasets/{self.name}.yaml"

    @property
    def embedded(self) -> bool:
        """True if teacher, seed tasks or the task's rows are those of the embedded world."""
        definition = self.definition
        if self.learnt:
            return self.learnt[0].embedded
        seeds = definition.seed_tasks if isinstance(definition, SelfInstructDataset) else None
        return "embedded" in (seeds, getattr(definition, "teacher", None))

    @property
    def task(self) -> StudyTask | None:
        """The task whose labelled rows it consists of; None for other recipes."""
        return self.learnt[0] if isinstance(self.definition, TaskDataset) and self.learnt else None

    @property
    def max_rows(self) -> int | None:
        """The number of train rows to keep per task and language; None for all, or for instruction sets."""
        definition = self.definition
        if isinstance(definition, ParallelDataset):
            return definition.parallel.max_rows
        if isinstance(definition, PicturesDataset):
            return definition.pictures.max_rows
        return definition.task.max_rows if isinstance(definition, TaskDataset) else None

    @property
    def shuffle(self) -> int | None:
        """The seed by which train rows get the pictures of others; None if they keep theirs."""
        definition = self.definition
        is_shuffled = isinstance(definition, PicturesDataset) and definition.pictures.shuffled
        return definition.mix.seed if is_shuffled else None

    @property
    def translated_from(self) -> str | None:
        """The dataset whose English examples are translated; None for other recipes."""
        definition = self.definition
        return definition.translate_respond.instructions if isinstance(definition, TranslateRespondDataset) else None

    @property
    def seeded_from(self) -> str | None:
        """The dataset whose examples are the seed tasks; None without such a dataset."""
        seeds = self.definition.seed_tasks if isinstance(self.definition, SelfInstructDataset) else None
        return seeds.dataset if isinstance(seeds, DatasetSeeds) else None

    @property
    def hub_name(self) -> str | None:
        """The Hub's id of the dataset; None for one that does not come from the Hub."""
        hub = self.definition.load.hub if isinstance(self.definition, LoadedDataset) else None
        return hub.dataset if hub else None

    def limits(self, code: str) -> LanguageLimits:
        """Return the limits of an instruction set's curation in a language."""
        words = self.wordings
        assert not isinstance(self.definition, LearntDataset), "their rows have limits of their own"
        return limits_in(self.definition.curate, code, words.refusals, words.unservable, words.placeholders)

    def rows(self, code: str, languages: Languages, folders: RowFolders) -> RowSource | None:
        """Return the place of the rows to load, or of the seed tasks; None for other recipes."""
        definition, identity = self.definition, languages.identity(code)
        if isinstance(definition, SelfInstructDataset):
            seeds = definition.seed_tasks
            if isinstance(seeds, DatasetSeeds) or seeds == "embedded":
                return None
            return LocalSource(local=RowFile(path=seeds.format_map(identity.params())))
        load = definition.load if isinstance(definition, LoadedDataset) else None
        source = load and (load.local or load.hub)
        return resolve(source, identity, folders) if source else None

    def recipe(
        self, code: str, languages: Languages, folders: RowFolders, digest: Callable[[str], str] | None = None
    ) -> dict:
        """Return the settings that decide a language's examples, with its limits, its prompt and its paths of rows.

        With `digest` these paths are replaced, as in Record.params.
        """
        recipe, definition = self.recipe_of_all, self.definition
        rows = self.rows(code, languages, folders)
        place = rows.params(digest) if rows else {}
        if isinstance(definition, SelfInstructDataset):  # its pool of demonstrations is curated between rounds
            english = definition.prompt_language == "english"
            prompts = {ENGLISH: self.wordings.prompts[ENGLISH]} if english else dict(self.wordings.prompts)
            seeds = {"seed_tasks": place["local"]} if place else {}
            return {**recipe, **seeds, "limits": self.limits(code).params(), "prompt": prompt_in(prompts, code)}
        return {**recipe, "load": {**recipe["load"], **place}} if place else recipe

    @property
    def recipe_of_all(self) -> dict:
        """The part of the definition that decides what is synthesized, the same in all languages."""
        kept = ("recipe", "teacher", "seed", "seed_tasks", self.definition.recipe)
        recipe = {key: value for key, value in self.definition.params().items() if key in kept}
        for role, (name, block) in blocks(self.definition).items():
            recipe[name] = block.deciding()
            if role in self.trusted:
                recipe[name]["trust_remote_code"] = self.trusted[role]
            recipe[name] |= self.teaching.get(role, {})
        return recipe

    @property
    def request_settings(self) -> dict:
        """How requests are sent to teacher and translator, and the file with these settings; they change no answer."""
        return {
            role: {**block.not_deciding(), "file": self.file} for role, (_, block) in blocks(self.definition).items()
        }

    def training_places(self, code: str, languages: Languages, folders: RowFolders) -> list[TrainingPlaces]:
        """Return the places of the learnt tasks' rows in a language, in the order of the tasks."""
        return [training_places(task.source, languages.identity(code), folders) for task in self.learnt]

    def decontamination(self, code: str, languages: Languages, folders: RowFolders) -> DecontaminationTests:
        """Return the test rows that examples may not overlap with.

        Their tasks come from the dataset's file, so that its examples do not depend on a study's tasks and languages.
        """
        tests = {task: test.rows(code, test.offered, languages, folders) for task, test in self.tests.items()}
        return DecontaminationTests(tests=tests, words=self.ngram_words)


@dataclass(frozen=True)
class StudyMixture:
    """A dataset at one size, as runs are trained on it."""

    dataset: str
    """The dataset whose examples are mixed, a file of config/datasets/."""
    rows: int | None
    """Rows of the mixture; None: as many as the dataset's file says."""
    domain: str | None = None
    """The domain of its rows; None: all."""
    direction: str | None = None
    """The direction of its rows, as eng_Latn-own; None: all."""

    def settings(self, definition: Dataset) -> MixSettings:
        """Return how it is mixed."""
        return definition.mix if self.rows is None else definition.mix.changed(rows=self.rows)

    @property
    def axes(self) -> dict[str, AxisValue]:
        """The values of its axes; all rows are no value, for their number is known once they are curated."""
        values = {"domain": self.domain, "direction": self.direction, "rows": self.rows}
        return {axis: value for axis, value in values.items() if value is not None}

    @property
    def name(self) -> str:
        """The name of the mixture's files, as pairs-units-eng_Latn-own-64rows; the dataset's own for all rows."""
        return mixture_name(self.dataset, self.axes)


def dataset_variants(name: str, definition: Dataset, axes: DatasetAxes | None) -> dict[str, StudyMixture]:
    """Return a dataset at all its sizes and parts, by name: mahasent-250rows, or mahasent for all rows.

    `axes` (from the grid) replaces those of the dataset's file. Raises DefinitionError for axes that a dataset of its
    recipe does not have.
    """
    of_rows = axes is None or axes.model_fields_set <= {"rows"}
    recipes = ["task", "parallel", "pictures"] if of_rows else ["parallel"]
    if axes and definition.recipe not in recipes:
        raise DefinitionError(
            f"config: grid: datasets: {name}: {', '.join(axes.params())}: only datasets of recipe "
            f"{' or '.join(recipes)} have these axes, and config/datasets/{name}.yaml has recipe "
            f"{definition.recipe}; write {name}: null"
        )
    if not isinstance(definition, LearntDataset):
        return {name: StudyMixture(name, None)}
    values = axes.over(definition.axes) if axes else definition.axes
    points = itertools.product(values.domain, values.direction, values.rows)
    mixtures = [StudyMixture(name, rows, domain, direction) for domain, direction, rows in points]
    return {mixture.name: mixture for mixture in mixtures}


def blocks(definition: Dataset) -> dict[str, tuple[str, Block]]:
    """Return the settings of a dataset's teacher and translator with the name of their block, by role."""
    if isinstance(definition, ParallelDataset) and definition.back_translate:
        return {"translator": ("translator", definition.back_translate.translator)}
    if not isinstance(definition, TaughtDataset):
        return {}
    roles = {}
    if definition.teacher in definition.BLOCKS:
        roles["teacher"] = (definition.teacher, getattr(definition, definition.teacher))
    if isinstance(definition, TranslateRespondDataset) and definition.translator:
        roles["translator"] = ("translator", definition.translator)
    return roles


def makers(name: str, definition: Dataset, models: Mapping[str, Model]) -> dict[str, str]:
    """Return the models on this machine that make a dataset, by role.

    Raises DefinitionError for a model without a file, for one behind an endpoint, and for one that writes no text.
    """
    roles = {}
    within = "back_translate." if isinstance(definition, ParallelDataset) else ""
    for role, (block_key, block) in blocks(definition).items():
        key = within + block_key
        if isinstance(block, EndpointSettings):
            continue
        if block.model not in models:
            raise DefinitionError(
                f"config/datasets/{name}.yaml: {key}.model names {block.model!r}, which config/models/ lacks; "
                f"it has {', '.join(models)}"
            )
        if isinstance(models[block.model], EndpointModel):
            raise DefinitionError(
                f"config/datasets/{name}.yaml: {key}.model names {block.model!r}, which is behind an endpoint; write "
                "`teacher: openai` with a block of its own"
            )
        if "generate" not in KINDS[models[block.model].kind].answer_modes:
            raise DefinitionError(
                f"config/datasets/{name}.yaml: {key}.model names {block.model!r}, a model of the kind "
                f"{models[block.model].kind}, which writes no text; name another"
            )
        if KINDS[models[block.model].kind].translates != (role == "translator"):
            needed = "only translates" if role == "teacher" else "translates by prompts alone; its kind must be seq2seq"
            raise DefinitionError(
                f"config/datasets/{name}.yaml: {key}.model names {block.model!r}, a model of the kind "
                f"{models[block.model].kind}, which {needed}; name another, or correct kind in its file"
            )
        roles[role] = block.model
    return roles


def stated_languages(
    definition: Dataset, codes: Sequence[str], table: Mapping[str, Language], source: str
) -> list[str]:
    """Return the codes under `languages:` of a dataset, in the table's order; `codes` for `all`.

    Raises DefinitionError for a code that config/languages.tsv lacks.
    """
    if definition.languages == "all":
        return list(codes)
    for code in definition.languages:
        if code not in table:
            raise DefinitionError(f"{source}: languages names {code!r}, which config/languages.tsv lacks; add its row")
    return [code for code in table if code in definition.languages]


def _sources(definition: Dataset) -> dict[str, str]:
    """Return the datasets that a dataset is made from, by the key that names each."""
    if isinstance(definition, TranslateRespondDataset):
        return {"translate_respond.instructions": definition.translate_respond.instructions}
    if isinstance(definition, SelfInstructDataset) and isinstance(definition.seed_tasks, DatasetSeeds):
        return {"seed_tasks.dataset": definition.seed_tasks.dataset}
    return {}


def datasets_needed(
    datasets: Mapping[str, Dataset], grid: set[str], codes: list[str], table: Mapping[str, Language]
) -> dict[str, list[str]]:
    """Return the languages in which each dataset is made, by its name.

    Datasets of the grid are made in all languages that their files state. Datasets that they are made from are made in
    the languages that this needs: in English to be translated, in the same languages to be seed tasks. Raises
    DefinitionError if such a dataset is not made in these languages, and for a dataset that is made from itself.
    """
    needed: dict[str, list[str]] = {}
    queue: list[tuple[str, list[str], tuple[str, ...]]] = [
        (name, stated_languages(datasets[name], codes, table, f"config/datasets/{name}.yaml"), ())
        for name in sorted(grid)
    ]
    while queue:
        name, wanted, users = queue.pop(0)
        file = f"config/datasets/{name}.yaml"
        if name in users:
            circle = " from ".join((*users[users.index(name) :], name))
            raise DefinitionError(f"{file}: no dataset can be made from itself: {circle}; let one name another dataset")
        if name not in grid or not users:
            needed[name] = [code for code in table if code in {*needed.get(name, ()), *wanted}]
        for key, source in _sources(datasets[name]).items():
            pick([source], datasets, f"{file}: {key}", "config/datasets/")
            of_source = [ENGLISH] if key == "translate_respond.instructions" else wanted
            stated = stated_languages(datasets[source], of_source, table, f"config/datasets/{source}.yaml")
            if missing := [code for code in of_source if code not in stated]:
                raise DefinitionError(
                    f"{file}: {key}: {source} is not made in {', '.join(missing)}; add to its `languages`, or state "
                    "fewer here"
                )
            queue.append((source, of_source, (*users, name)))
    return needed


def learnt_task(definition: Dataset) -> str | None:
    """Return the task of which a dataset has the train rows; None for instruction sets."""
    return definition.task.name if isinstance(definition, TaskDataset) else None


def ngram_words_of(definition: Dataset) -> int:
    """Return the length of the n-gram that counts as an overlap with a test row."""
    limit = definition.curate.decontaminate
    return limit.words if limit else NGRAM_WORDS
