"""JSON schemas of the records: editors complete keys with them, and error messages are derived from them."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

# Names of limits in JSON schema. pydantic writes its own names if a field has a custom validator, as Number has.
LIMITS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "min_length": "minLength",
    "pattern": "pattern",
}


def schema_of(adapter: TypeAdapter) -> dict:
    """Return the JSON schema (draft 2020-12) of a type, without pydantic's titles and defaults of fields."""
    return _tidied(adapter.json_schema(schema_generator=GenerateJsonSchema))


def _tidied(schema: Any, name: str = "", field: bool = False) -> Any:
    if isinstance(schema, list):
        return [_tidied(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            tidied[key] = {name: _tidied(part, name, field=key == "properties") for name, part in value.items()}
        elif key == "default" or (key == "title" and (field or value == name)):
            continue
        elif key in LIMITS:
            tidied[LIMITS[key]] = value
        else:
            tidied[key] = _tidied(value)
    return _joined(tidied)


def _joined(schema: dict) -> dict:
    """Write `X or null`, and a number that may be an integer, as one list of types."""
    parts = schema.get("anyOf", [])
    plain = [part for part in parts if part != {"type": "null"}]
    if len(plain) == len(parts) or len(plain) != 1 or "type" not in plain[0]:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**plain[0], **rest, "type": [plain[0]["type"], "null"]}
