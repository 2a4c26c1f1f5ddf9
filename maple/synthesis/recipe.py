"""A dataset's recipe as a job gets it: the settings that decide its rows in one language, and request settings."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from maple.data.curation import LanguageLimits
from maple.data.sources import HubSource, LocalSource, RowFile, RowFiles
from maple.definitions.dataset import DatasetSeeds, SelfInstructSettings, TranslateRespondSettings
from maple.definitions.dataset import Teacher as TeacherName
from maple.definitions.record import Record
from maple.engines.blocks import EndpointBlock, LocalBlock, TranslatorBlock


class InstructionPrompt(Record):
    """The prompt of self_instruct."""

    language: str
    """The code of the language that it is in."""
    text: str
    """With braces for the name of the language and the values of the settings."""


class TaughtRecipe(Record):
    """A recipe with a teacher."""

    teacher: TeacherName
    seed: int
    openai: EndpointBlock | None = None
    vllm: LocalBlock | None = None
    transformers: LocalBlock | None = None

    @property
    def block(self) -> EndpointBlock | LocalBlock | None:
        """The teacher's own block; None for the embedded teacher."""
        return None if self.teacher == "embedded" else getattr(self, self.teacher)


class SelfInstructRecipe(TaughtRecipe):
    """A teacher continues lists of tasks."""

    recipe: Literal["self_instruct"]
    seed_tasks: Literal["embedded"] | DatasetSeeds | RowFile
    self_instruct: SelfInstructSettings
    prompt: InstructionPrompt
    limits: LanguageLimits
    """What a row must be like to be a demonstration in later rounds."""


class TranslateRespondRecipe(TaughtRecipe):
    """English examples are translated and answered."""

    recipe: Literal["translate_respond"]
    translate_respond: TranslateRespondSettings
    translator: TranslatorBlock | None = None


class LoadedRows(Record):
    """Rows of an existing set in one language; either local or hub."""

    local: RowFile | None = None
    hub: RowFiles | None = None
    max_rows: int | None = None
    """The first ones; None: all."""
    leave_out: list[str] = Field(default_factory=list)
    """Ids of rows that are not wanted."""

    @property
    def source(self) -> LocalSource | HubSource:
        """Where the rows lie."""
        if self.local:
            return LocalSource(local=self.local)
        assert self.hub is not None, "refused while planning"
        return HubSource(hub=self.hub)


class LoadRecipe(Record):
    """An existing set is read."""

    recipe: Literal["load"]
    load: LoadedRows


Recipe = Annotated[SelfInstructRecipe | TranslateRespondRecipe | LoadRecipe, Field(discriminator="recipe")]


def read_recipe(params: Mapping[str, Any], service: Mapping[str, Mapping] | None = None) -> Recipe:
    """Return the recipe of a rule's params.

    `service` has the request settings by role (teacher, translator). They are a param of their own, since they change
    no answer and no job may run again because of them; here they join the role's block.
    """
    names = {"teacher": params.get("teacher"), "translator": "translator"}
    blocks = {names[role]: {**params[names[role]], **settings} for role, settings in (service or {}).items()}
    return TypeAdapter(Recipe).validate_python({**params, **blocks})
