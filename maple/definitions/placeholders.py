"""Placeholders: texts that stand where there is none. One block a language of config/placeholders.yaml."""

from typing import Self

from maple.definitions.record import Record, Words


class Placeholders(Record):
    """The placeholders of a language; one counts for whole texts, without case, punctuation and brackets."""

    none: Words = []
    """Words for "none"; as an output they are an answer if the instruction asks a question or the task has the word."""
    missing: Words = []
    """What says that a text is missing; as an output it is an answer if the task has the same words."""
    input: Words = []
    """What counts as an input only."""

    def joined(self, other: Self) -> Self:
        """Return the placeholders of both languages."""
        names = type(self).model_fields
        return type(self)(**{name: [*dict.fromkeys((*getattr(self, name), *getattr(other, name)))] for name in names})
