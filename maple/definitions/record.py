"""The base of all config records: unknown keys are errors, records are frozen, numbers stay as the file has them."""

from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WrapValidator


class Marker:
    """A mark on a field; pydantic keeps it in `model_fields[name].metadata`."""


# Marks the fields that decide an answer. The other fields say where or how it is computed; their change reruns nothing.
DECIDES = Marker()


def _as_written(value: object, handler: Any) -> object:
    handler(value)
    return value


def _without_repeats(values: list) -> list:
    if any(value in values[:place] for place, value in enumerate(values)):
        raise ValueError(f"{values} has non-unique elements")
    return values


# A float that stays as the file has it: 2 would become 2.0, which differs in params, in keys and in PEFT's configs.
Number = Annotated[float, Field(allow_inf_nan=False), WrapValidator(_as_written)]
Share = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[Number, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
# What every receiver takes: NumPy takes no seed below 0 or from 2^32, and some endpoints none from 2^31.
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Distinct = AfterValidator(_without_repeats)
Names = Annotated[list[str], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct]
# Words by language, at least one per language.
Words = Annotated[
    list[Annotated[str, Field(min_length=1)]], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct
]
WordsByLanguage = dict[str, Words]
Commit = Annotated[
    str, Field(pattern="^[0-9a-f]{40}$", description="the commit of the Hub's repository, 40 hex digits")
]


class Record(BaseModel):
    """A typed part of a config file. Strict: "16" is not a number, and an unknown key is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, protected_namespaces=(), use_attribute_docstrings=True
    )

    def params(self, digest: Callable[[str], str] | None = None) -> dict:
        """Return the record as plain values, only with the keys that the file has.

        Plain, since Snakemake compares `params:` by value and silently ignores values that are not builtins. With
        `digest`, each path of rows that others made is replaced by what it returns for the path: what rows are decides
        a result, and not where they lie.
        """
        return self.model_dump(exclude_unset=True, by_alias=True, context=digest)

    def deciding(self) -> dict:
        """Return the part of `params` that decides an answer: the fields with the mark DECIDES."""
        return {name: value for name, value in self.params().items() if self._decides(name)}

    def not_deciding(self) -> dict:
        """Return the rest of `params`: where and how an answer is computed."""
        return {name: value for name, value in self.params().items() if not self._decides(name)}

    def changed(self, **values: object) -> Self:
        """Return a copy with other values, checked like those of a file."""
        return type(self).model_validate(self.params() | values)

    def _decides(self, name: str) -> bool:
        return DECIDES in type(self).model_fields[name].metadata
