"""Settings of the summary and of the report."""

from typing import Annotated

from pydantic import Field

from maple.definitions.record import Distinct, Number, Record

JoshiClasses = Annotated[
    list[Annotated[int, Field(ge=0, le=5)]], Field(min_length=1, json_schema_extra={"uniqueItems": True}), Distinct
]


class ReportSettings(Record):
    """The config's `report:` block."""

    confidence: Annotated[Number, Field(gt=0, lt=1)]
    """Confidence level of every interval; claims are tested at 1 - confidence, corrected for the number of claims."""
    low_resource_classes: JoshiClasses
    """Joshi classes (0 to 5) of the languages called low-resource; the other known classes are high-resource."""
    smallest_effect: Annotated[Number, Field(ge=0)]
    """Points (for rank and bits: points per doubling) that the whole interval of an effect must exceed to count."""
    english_bound: Annotated[Number, Field(ge=0)]
    """Points of English that a run may lose before the report names it."""
