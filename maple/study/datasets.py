"""The datasets of a study: their languages, who makes them, and what decides their examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from maple.data.contamination import OVERLAP
from maple.data.curation import limits_in
from maple.data.sources import resolve
from maple.definitions.dataset import (
    Dataset,
    DatasetSeeds,
    LoadedDataset,
    SelfInstructDataset,
    TaughtDataset,
    TranslateRespondDataset,
)
from maple.definitions.errors import DefinitionError
from maple.definitions.language import ENGLISH, Language
from maple.definitions.model import EndpointModel, Model
from maple.definitions.reading import pick
from maple.definitions.teacher import EndpointSettings, LocalTeacherSettings, TranslatorSettings
from maple.study.languages import Languages
from maple.study.tasks import TestSet
from maple.synthesis.self_instruct import prompt_in

Block = EndpointSettings | LocalTeacherSettings | TranslatorSettings


@dataclass(frozen=True)
class Wordings:
    """What files say by language for all datasets."""

    prompts: Mapping[str, str]
    """Prompts of self_instruct."""
    refusals: Mapping[str, list[str]]
    """How an output begins that refuses its instruction."""
    unservable: Mapping[str, list[str]]
    """Words of instructions that text cannot serve."""


@dataclass(frozen=True)
class StudyDataset:
    """A dataset as a study makes it."""

    name: str
    definition: Dataset
    languages: list[str]
    """The codes that it is made in."""
    makers: dict[str, str]
    """Models of config/models/ that make it, by role: teacher, translator."""
    trusted: dict[str, bool]
    """Of these models, trust_remote_code."""
    tests: dict[str, TestSet]
    """Test rows that no example may overlap with, by task."""
    overlap: int
    """Words in a row that are an overlap."""
    wordings: Wordings

    @property
    def file(self) -> str:
        """The file that defines it."""
        return f"config/datasets/{self.name}.yaml"

    @property
    def embedded(self) -> bool:
        """True if it needs the words of the embedded world."""
        definition = self.definition
        seeds = definition.seed_tasks if isinstance(definition, SelfInstructDataset) else None
        return "embedded" in (seeds, getattr(definition, "teacher", None))

    @property
    def translated_from(self) -> str | None:
        """The dataset whose English examples are translated."""
        definition = self.definition
        return definition.translate_respond.instructions if isinstance(definition, TranslateRespondDataset) else None

    @property
    def seeded_from(self) -> str | None:
        """The dataset whose examples are the seed tasks."""
        seeds = self.definition.seed_tasks if isinstance(self.definition, SelfInstructDataset) else None
        return seeds.dataset if isinstance(seeds, DatasetSeeds) else None

    @property
    def path(self) -> str:
        """The path template of local rows that are loaded; empty for none."""
        local = self.definition.load.local if isinstance(self.definition, LoadedDataset) else None
        return local.path if local else ""

    @property
    def hub_name(self) -> str | None:
        """The Hub's id of the dataset that is loaded; None for one that does not come from there."""
        hub = self.definition.load.hub if isinstance(self.definition, LoadedDataset) else None
        return hub.dataset if hub else None

    def limits(self, code: str) -> dict:
        """Return the limits of curation, spelt out for a language."""
        return limits_in(self.definition.curate.limits, code, self.wordings.refusals, self.wordings.unservable)

    def recipe(self, code: str, languages: Languages, data: str | None) -> dict:
        """Return what decides the examples of a language; limits, prompt and paths of rows are spelt out for it."""
        recipe, definition = self.recipe_of_all, self.definition
        if isinstance(definition, SelfInstructDataset):  # its pool of demonstrations is curated between rounds
            english = definition.prompt_language == "english"
            prompts = {ENGLISH: self.wordings.prompts[ENGLISH]} if english else dict(self.wordings.prompts)
            return {**recipe, "limits": self.limits(code), "prompt": prompt_in(prompts, code)}
        if isinstance(definition, LoadedDataset):
            source = {kind: place for kind, place in recipe["load"].items() if kind in ("local", "hub")}
            rows = resolve(source, languages.identity(code).params(), data)
            return {**recipe, "load": {**recipe["load"], **(rows or {})}}
        return recipe

    @property
    def recipe_of_all(self) -> dict:
        """The part of the definition that decides what is synthesized, the same in all languages."""
        kept = ("recipe", "teacher", "seed", "seed_tasks", self.definition.recipe)
        recipe = {key: value for key, value in self.definition.params().items() if key in kept}
        for role, (name, block) in blocks(self.definition).items():
            recipe[name] = block.deciding()
            if role in self.trusted:
                recipe[name]["trust_remote_code"] = self.trusted[role]
        return recipe

    @property
    def request_settings(self) -> dict:
        """How teacher and translator are asked, and the file that says so; it decides no answer."""
        return {
            role: {**block.not_deciding(), "file": self.file} for role, (_, block) in blocks(self.definition).items()
        }

    def decontamination(self, code: str, languages: Languages, data: str | None) -> dict:
        """Return the test rows that examples may not overlap with, and by how many words: {"tests", "words"}.

        The dataset names the tasks, so that its examples are the same whatever tasks and languages a study has.
        """
        tests = {task: test.rows(code, test.offered, languages, data) for task, test in self.tests.items()}
        return {"tests": tests, "words": self.overlap}


def blocks(definition: Dataset) -> dict[str, tuple[str, Block]]:
    """Return the blocks that say who makes a dataset, with their names, by role: teacher, translator."""
    if not isinstance(definition, TaughtDataset):
        return {}
    named = {}
    if definition.teacher in definition.BLOCKS:
        named["teacher"] = (definition.teacher, getattr(definition, definition.teacher))
    if isinstance(definition, TranslateRespondDataset) and definition.translator:
        named["translator"] = ("translator", definition.translator)
    return named


def makers(name: str, definition: Dataset, models: Mapping[str, Model]) -> dict[str, str]:
    """Return the models on this machine that make a dataset, by role.

    Raises DefinitionError for one that no file defines, and for one behind an endpoint.
    """
    roles = {}
    for role, (key, block) in blocks(definition).items():
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
        roles[role] = block.model
    return roles


def stated_languages(
    definition: Dataset, codes: Sequence[str], table: Mapping[str, Language], source: str
) -> list[str]:
    """Return the codes under `languages:` of a dataset; `codes` for `all`, or where none are stated.

    Raises DefinitionError for a code that config/languages.tsv lacks.
    """
    if definition.languages == "all":
        return list(codes)
    for code in definition.languages:
        if code not in table:
            raise DefinitionError(f"{source}: languages names {code!r}, which config/languages.tsv lacks; add its row")
    return list(definition.languages)


def _sources(definition: Dataset) -> dict[str, str]:
    """Return the datasets that one is made from, by the keys that name them."""
    if isinstance(definition, TranslateRespondDataset):
        return {"translate_respond.instructions": definition.translate_respond.instructions}
    if isinstance(definition, SelfInstructDataset) and isinstance(definition.seed_tasks, DatasetSeeds):
        return {"seed_tasks.dataset": definition.seed_tasks.dataset}
    return {}


def datasets_needed(
    datasets: Mapping[str, Dataset], grid: set[str], codes: list[str], table: Mapping[str, Language]
) -> dict[str, list[str]]:
    """Return the languages in which each dataset is made.

    Those of the grid are made in all that they state; those that they are made from in what that takes: English to
    translate, the languages themselves for seed tasks. Raises DefinitionError where that cannot be.
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
            needed[name] = list(dict.fromkeys((*needed.get(name, ()), *wanted)))
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


def overlap_of(definition: Dataset) -> int:
    """Return how many words in a row are an overlap with a test row."""
    limit = definition.curate.decontaminate
    return limit.words if limit else OVERLAP
