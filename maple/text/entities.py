"""Named entities: read from the tags of tokens, and written and read as a text."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

import regex

from maple.text.lists import SEMICOLON
from maple.text.segmentation import normalize

# What may stand around a name in an answer: spaces, and marks that end sentences or quote.
_AROUND = regex.compile(r"^[\p{Z}\p{P}\p{C}`]+|[\p{Z}\p{P}\p{C}`]+$")
_SPACE = regex.compile(r"[\p{Z}\s]+")
_COLON = r"\s*[:：∶៖፡፥፦]\s*"


class Entity(NamedTuple):
    """A named entity."""

    type: str
    """Its type, as PER."""
    text: str
    """Its words, as they stand in the sentence."""

    def __str__(self) -> str:
        return f"{self.type}: {self.text}"

    @classmethod
    def of(cls, written: str) -> "Entity":
        """Return the entity that __str__ wrote."""
        return cls(*written.split(": ", 1))

    @property
    def key(self) -> tuple[str, str]:
        """What two equal entities have in common: the type and the text without case, spaces and marks around it.

        Spaces within it do not count either: a set has its tokens apart ("O ' Brien"), and a writer puts them together.
        """
        text = normalize(self.text)
        return self.type.casefold(), _SPACE.sub("", _AROUND.sub("", text)) or _SPACE.sub("", text)


def tagged_entities(tokens: Sequence[str], tags: Sequence[str | int], names: Sequence[str] = ()) -> list[Entity]:
    """Return the entities of a sentence whose tokens have tags in IOB2, as B-PER, I-PER and O.

    Tags may be places in `names`, as datasets of the Hub store them.

    An entity begins with B- and goes on with I- of the same type (Tjong Kim Sang and De Meulder 2003, W03-0419; the
    scheme IOB2 of seqeval in its strict mode). An I- that continues nothing is no entity. Raises ValueError if the
    numbers of tokens and tags differ, and for a tag of another form.

    >>> tokens, tags = ["Amina", "Mohammed", "a", "Lagos"], ["B-PER", "I-PER", "O", "B-LOC"]
    >>> [str(entity) for entity in tagged_entities(tokens, tags)]
    ['PER: Amina Mohammed', 'LOC: Lagos']
    """
    if len(tokens) != len(tags):
        raise ValueError(f"{len(tokens)} tokens have {len(tags)} tags")
    found: list[tuple[str, list[str]]] = []
    inside = ""
    for token, place in zip(tokens, tags, strict=True):
        tag = names[place] if isinstance(place, int) and place < len(names) else str(place)
        if not regex.fullmatch(r"O|[BI]-\w+", tag):
            raise ValueError(f"tag {tag!r} is none of IOB2, as B-PER, I-PER or O")
        kind = tag[2:]
        if tag.startswith("B-"):
            found.append((kind, [token]))
            inside = kind
        elif tag != "O" and kind == inside:
            found[-1][1].append(token)
        else:
            inside = ""
    return [Entity(kind, " ".join(words)) for kind, words in found]


def written_entities(text: str, types: Sequence[str]) -> list[Entity] | None:
    """Return the entities of an answer as `PER: Amina Mohammed; LOC: Lagos`; None if it is no such list.

    An entity begins with its type, in any case, and a colon of any script, and ends at a semicolon, at the end of the
    line or where the next type begins. A part without a type has that of the part before it: `LOC: Lagos; Abuja` names
    two places. A comma belongs to a name: `LOC: Washington, D.C.` is one. What begins with anything but a type is no
    list: nothing is guessed. Lines after the first one count as long as each of them begins with a type.

    >>> written_entities("PER: Amina; LOC: Lagos; Abuja.", ["PER", "LOC"])[-1].key
    ('loc', 'abuja')
    """
    pattern = _type_pattern(tuple(types))
    lines = [line for line in text.strip().splitlines() if line.strip()]
    text = "\n".join(takewhile(lambda line: _begins(pattern, line), lines))
    begins = list(pattern.finditer(text))
    if not begins:
        return None
    canonical = {kind.casefold(): kind for kind in types}
    ends = [match.start() for match in begins[1:]] + [len(text)]
    found = []
    for match, end in zip(begins, ends, strict=True):
        for part in regex.split(rf"{SEMICOLON}|\n", text[match.end() : end]):
            if _AROUND.sub("", part):
                found.append(Entity(canonical[match[1].casefold()], part.strip(" ,，、،፣၊\t")))
    return found or None


def _begins(pattern: regex.Pattern, line: str) -> bool:
    """Return True if a line begins with a type, but for marks as those of a list."""
    first = pattern.search(line)
    return first is not None and not _AROUND.sub("", line[: first.start()])


@lru_cache(maxsize=64)
def _type_pattern(types: tuple[str, ...]) -> regex.Pattern:
    names = "|".join(map(regex.escape, sorted(types, key=len, reverse=True)))
    before = r"(?:^|(?<=[\p{P}\p{Z}\p{S}\n]))"
    return regex.compile(rf"(?im){before}[*_`]*({names})[*_`]*{_COLON}[*_`]*\s*")
