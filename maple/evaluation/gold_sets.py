"""Gold answers that are sets, of labels or of named entities: read from a row, and written as an answer should be."""

from collections.abc import Mapping, Sequence

from maple.data.templates import TemplateFault
from maple.definitions.task import PromptSpec
from maple.text.entities import Entity, written_entities
from maple.text.lists import NOTHING, joined


def entities_of(gold: object, types: Sequence[str]) -> tuple[str, ...]:
    """Return the entities of a row, as `PER: Amina`; `gold` is the value of the task's `targets`.

    Raises TemplateFault for what is no list of pairs of a type and a text, for another type than the task's, and for a
    text that could not be told from the rest of a list, as one with a semicolon.
    """
    pairs = gold if isinstance(gold, list) else [gold]
    entities = []
    for pair in pairs:
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):
            raise TemplateFault("targets", f"gold {pair!r} is no pair of a type and a text, as [PER, Amina]")
        entity = Entity(pair[0], " ".join(pair[1].split()))
        if entity.type not in types:
            raise TemplateFault("targets", f"gold has the type {entity.type}, and answer.types has {', '.join(types)}")
        if [each.key for each in written_entities(str(entity), types) or ()] != [entity.key]:
            raise TemplateFault("targets", f"gold {entity.text!r} cannot be an entry of a list")
        entities.append(str(entity))
    return tuple(entities)


def gold_answer(targets: Sequence[str], choices: Mapping[str, Sequence[str]], spec: PromptSpec, language: str) -> str:
    """Return the gold label's first form, or the first gold answer; of a set all of it, as a list in a language.

    Entities stand between semicolons, as names may have commas. An empty set is the first of the task's forms of
    nothing, and a dash without such forms.
    """
    forms = [choices[target][0] for target in targets] if choices else targets
    if not (spec.multi or spec.answer.types):
        return forms[0]
    return joined(forms, language, strong=bool(spec.answer.types)) or next(iter(spec.answer.none), NOTHING)
