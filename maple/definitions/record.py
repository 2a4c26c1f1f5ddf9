"""What all records of config files have in common: no unknown keys, no changes, numbers as they are written."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WrapValidator


class Marker:
    """A mark on a field, found again in `model_fields[name].metadata`."""


# Marks the fields of a block that decide an answer; the others say where or how something is computed.
DECIDES = Marker()


def _as_written(value: object, handler: Any) -> object:
    handler(value)
    return value


def _without_repeats(values: list) -> list:
    if any(value in values[:place] for place, value in enumerate(values)):
        raise ValueError(f"{values} has non-unique elements")
    return values


# A float that stays the number that the file has: 2 and 2.0 differ in params, keys and PEFT's configs.
Number = Annotated[float, WrapValidator(_as_written)]
Share = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[Number, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
Distinct = AfterValidator(_without_repeats)
Names = Annotated[list[str], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct]
# What files say by language: words, at least one each.
Words = Annotated[
    list[Annotated[str, Field(min_length=1)]], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct
]
WordsByLanguage = dict[str, Words]
Commit = Annotated[
    str, Field(pattern="^[0-9a-f]{40}$", description="the commit of the Hub's repository, 40 hex digits")
]


class Record(BaseModel):
    """A typed part of a config file. Strict: "16" is no number, and an unknown key is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, protected_namespaces=(), use_attribute_docstrings=True
    )

    def params(self) -> dict:
        """Return the record as plain values, only the keys that were written.

        Snakemake compares `params:` by value and silently ignores anything but builtins.
        """
        return self.model_dump(exclude_unset=True, by_alias=True)

    def deciding(self) -> dict:
        """Return the part of `params` that decides an answer: the fields marked DECIDES."""
        return {name: value for name, value in self.params().items() if self._decides(name)}

    def not_deciding(self) -> dict:
        """Return the rest of `params`: where and how an answer is computed."""
        return {name: value for name, value in self.params().items() if not self._decides(name)}

    def changed(self, **values: object) -> Self:
        """Return a copy with other values, checked as if they had been written."""
        return type(self).model_validate(self.params() | values)

    def _decides(self, name: str) -> bool:
        return DECIDES in type(self).model_fields[name].metadata
