"""What the models of a study that are built here are pretrained on."""

from collections.abc import Mapping
from typing import NamedTuple

from maple.definitions.errors import DefinitionError
from maple.definitions.local_model import BuiltModel
from maple.definitions.model import Model
from maple.embedded.pictures import PICTURES, words_of_task
from maple.study.languages import Languages


class PicturedCorpus(NamedTuple):
    """What a tiny vision-language model is pretrained on."""

    tasks: list[str]
    """Tasks of the embedded world with pictures."""
    languages: list[str]
    """Codes."""


def pictured_corpora(models: Mapping[str, Model], languages: Languages) -> dict[str, PicturedCorpus]:
    """Return what the models that see and are built here are pretrained on.

    Raises DefinitionError for a task without train rows in the embedded world.
    """
    learnable = [name for name, task in PICTURES.items() if "train" in task.splits]
    corpora = {}
    for name, model in models.items():
        if not isinstance(model, BuiltModel) or not model.build.tasks:
            continue
        if unknown := [task for task in model.build.tasks if task not in learnable]:
            raise DefinitionError(
                f"config/models/{name}.yaml: build.tasks: the embedded world has no train rows of {unknown[0]}; of "
                f"tasks with pictures it has those of {', '.join(learnable)}"
            )
        corpora[name] = PicturedCorpus(model.build.tasks, model.build.languages or languages.codes)
    return corpora


def words_of_corpus(name: str, model: Model, languages: Languages) -> dict[str, dict]:
    """Return the words from which the corpus of a model is made, by language; none if it is not built here.

    Its languages are those of its file, else those of the study. A translator needs no more than who they are, a model
    that sees the words of the tasks with pictures that it learns, and others the phrases.
    """
    if not isinstance(model, BuiltModel):
        return {}
    if corpus := pictured_corpora({name: model}, languages).get(name):
        return {
            code: {
                key: text
                for task in corpus.tasks
                for key, text in words_of_task(task, languages.pictures[code]).items()
            }
            for code in corpus.languages
        }
    named = {code: languages.identity(code).params() for code in model.build.languages}
    return named or languages.spoken
