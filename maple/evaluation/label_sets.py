"""The set of labels that a line of an answer names. Nothing is guessed: a line with a doubtful entry names no set."""

from collections.abc import Sequence

from maple.definitions.language import UNKNOWN_WRITING, Writing
from maple.evaluation.label_parsing import label_of
from maple.text.lists import NOTHING, entries

# Forms of an answer that names nothing, whatever the task says.
NOTHING_FORMS = (NOTHING, "–", "—", "[]")


def labels_of(
    line: str,
    labels: Sequence[str],
    verbalizers: Sequence[Sequence[str]],
    language: str,
    writing: Writing = UNKNOWN_WRITING,
) -> list[str] | None:
    """Return the labels that a line names, in the order of `labels`; None if an entry of its list is no label.

    `verbalizers` has for each label the forms that count as it and, last, those of an answer that names none, beside
    dashes; `writing` is as for label_of. Each entry is read as the label of a line is
    (maple.evaluation.label_parsing.label_of); a form that contains a comma or "and" itself may be an entry. What stands
    behind the last label is a reason if it would be behind a single one, as in "anger, because ...".

    >>> emotions = ["anger", "joy", "fear"]
    >>> forms = [["anger"], ["joy"], ["fear"], ["none"]]
    >>> labels_of("Joy and anger.", emotions, forms, "eng_Latn"), labels_of("None.", emotions, forms, "eng_Latn")
    (['anger', 'joy'], [])
    >>> labels_of("anger, not joy", emotions, forms, "eng_Latn") is None
    True
    """
    known = [*labels, NOTHING]
    forms = [*verbalizers[:-1], [*verbalizers[-1], *NOTHING_FORMS]]
    most = max(len(entries(form, language)) for each in forms for form in each)
    places, named, at = entries(line, language), [], 0
    while at < len(places):
        start = places[at][0]
        ends = range(min(at + most, len(places)), at, -1)
        spans = [(end, line[start : places[end - 1][1]]) for end in ends]
        found = [(end, label) for end, span in spans if (label := label_of(span, known, forms, writing))]
        if not found:
            before = line[places[at - 1][0] :] if at else line
            if not named or label_of(before, known, forms, writing) != named[-1]:
                return None
            break
        at = found[0][0]
        named.append(found[0][1])
    if not named or (NOTHING in named and len(set(named)) > 1):
        return None
    return [label for label in labels if label in named]
