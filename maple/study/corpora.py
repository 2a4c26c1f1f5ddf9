"""What the models of a study that are built here are pretrained on."""

from collections.abc import Mapping
from dataclasses import dataclass

from maple.definitions.errors import DefinitionError
from maple.definitions.local_model import BuiltModel
from maple.definitions.model import Model
from maple.embedded.pictures import PICTURES, words_of_task
from maple.study.languages import Languages


@dataclass(frozen=True)
class PicturedCorpus:
    """What a tiny vision-language model is pretrained on."""

    tasks: list[str]
    """Tasks of the embedded world with pictures whose questions it reads, with pictures or without."""
    languages: list[str]
    """Codes of the languages that it reads."""

    def words(self, languages: Languages) -> dict[str, dict]:
        """Return the words of these tasks with the identity of their language, by code."""
        of_task = [
            (code, words_of_task(task, languages.pictures[code])) for code in self.languages for task in self.tasks
        ]
        words: dict[str, dict] = {}
        for code, some in of_task:
            words[code] = words.get(code, {}) | some
        return words


def pictured_corpora(models: Mapping[str, Model], languages: Languages) -> dict[str, PicturedCorpus]:
    """Return what the models that see and are built here are pretrained on.

    Raises DefinitionError for a task without train rows in the embedded world.
    """
    learnable = [name for name, task in PICTURES.items() if "train" in task.splits]
    corpora = {}
    for name, model in models.items():
        if not isinstance(model, BuiltModel) or not model.build.tasks:
            continue
        build = model.build
        for key, tasks in (("tasks", build.tasks), ("read", build.read)):
            if unknown := [task for task in tasks if task not in learnable]:
                raise DefinitionError(
                    f"config/models/{name}.yaml: build.{key}: the embedded world has no train rows of {unknown[0]}; of "
                    f"tasks with pictures it has those of {', '.join(learnable)}"
                )
        codes = dict.fromkeys([*build.languages, *languages.codes])
        corpora[name] = PicturedCorpus([*build.tasks, *build.read], list(codes))
    return corpora


def words_of_corpus(name: str, model: Model, languages: Languages) -> dict[str, dict]:
    """Return the words from which the corpus of a model is made, by language; none if it is not built here.

    A model that sees needs the words of the tasks with pictures that it learns, in its file's languages and in those of
    the study. A translator needs no more than who its languages are; others need the phrases of the study's.
    """
    if not isinstance(model, BuiltModel):
        return {}
    if corpus := pictured_corpora({name: model}, languages).get(name):
        return corpus.words(languages)
    named = {code: languages.identity(code).params() for code in model.build.languages}
    return named or languages.spoken
