"""Explain an error in a config file in one sentence that says what to write instead."""

import json
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema import ValidationError as SchemaError
from jsonschema.exceptions import best_match
from pydantic import TypeAdapter, ValidationError

from maple.definitions.reading import LOADER
from maple.definitions.schema import schema_of


def explain(error: ValidationError, adapter: TypeAdapter, content: Any, source: str | Path) -> str:
    """Return the place of an error and what to write there.

    `error` is pydantic's. The sentence comes from JSON schema: it reports one error for a key with several possible
    types, where pydantic reports one per type.
    """
    first, schema = error.errors()[0], schema_of(adapter)
    if "oneOf" in schema:  # a discriminated union
        if not first["loc"]:
            return _untagged(first, schema)
        tag, *place = first["loc"]
        schema = _variant(schema, tag)
    else:
        place = list(first["loc"])
    slips = list(Draft202012Validator(schema).iter_errors(content))
    slip = next((slip for slip in slips if slip.validator == "required"), None) or best_match(slips)
    if slip is None and place[-1:] == ["[key]"]:
        return f"{'.'.join(map(str, place[:-2]))}: the key {place[-2]} is not text; put quotes around it"
    if slip is None:  # a check of ours, beyond JSON schema
        return f"{'.'.join(map(str, place)) or 'top level'}: {first['msg'].removeprefix('Value error, ')}"
    while slip.parent is not None and not slip.path:  # an error in one possible type says nothing about the others
        slip = slip.parent
    return _sentence(_within(slip), source)


def _within(slip: SchemaError) -> SchemaError:
    """Return the error inside an optional block, whose schema is `a record or null`.

    The outer error would only say that neither fits, and print the block, which may contain an API key.
    """
    if slip.validator != "anyOf" or not isinstance(_instance(slip), dict):
        return slip
    schema: Any = slip.schema
    records = [place for place, part in enumerate(schema["anyOf"]) if part != {"type": "null"}]
    if len(records) != 1:
        return slip
    inner = [error for error in slip.context or () if error.schema_path[0] == records[0]]
    return _within(best_match(inner)) if inner else slip


def _untagged(first: Any, schema: dict) -> str:
    """Return what is wrong if the content does not say which record of a union it is."""
    if first["type"] == "union_tag_not_found":
        return f"top level: {first['ctx']['discriminator']} is a required property of {schema['title']}"
    if first["type"] == "union_tag_invalid":
        key, tags = first["ctx"]["discriminator"].strip("'"), first["ctx"]["expected_tags"]
        return f"{key}: {first['ctx']['tag']!r} is not one of [{tags}]"
    return f"top level: {first['msg']}"


def _variant(schema: dict, tag: object) -> dict:
    names = [part["$ref"].rsplit("/", 1)[1] for part in schema["oneOf"]]
    mapping = schema.get("discriminator", {}).get("mapping") or {
        schema["$defs"][name].get("x-tag"): f"#/$defs/{name}" for name in names
    }
    return {**schema["$defs"][mapping[tag].rsplit("/", 1)[1]], "$defs": schema["$defs"]}


def _sentence(slip: SchemaError, source: str | Path) -> str:
    where = ".".join(str(part) for part in slip.absolute_path) or "top level"
    schema: Any = slip.schema
    if slip.validator == "additionalProperties":
        names = sorted(schema.get("properties", {}))
        unknown = ", ".join(map(repr, sorted(set(_instance(slip)) - set(names))))
        return f"unknown key {unknown} at {where}; known keys are {', '.join(names)}"
    return f"{where}: {_advice(slip, schema, source)}"


def _instance(slip: SchemaError) -> Any:
    return slip.instance


def _advice(slip: SchemaError, schema: Any, source: str | Path) -> str:
    kind, value = slip.validator, _instance(slip)
    if kind in ("oneOf", "anyOf") and "description" in schema:  # the message would print all that stands there
        return f"what stands there is not valid; write {schema['description']}"
    if kind == "required" and "title" in schema:
        return f"{slip.message} of {schema['title']}"
    if kind == "dependentRequired":
        return f"{slip.message}; write both"
    if kind == "pattern" and "description" in schema:  # the value may contain an API key: not printed
        return f"write {schema['description']}"
    if kind not in ("type", "enum"):
        return slip.message
    fits = Draft202012Validator({kind: slip.validator_value}).is_valid
    if isinstance(value, str) and fits(_unquoted(value)):
        plain = yaml.safe_dump(_unquoted(value), default_flow_style=True).splitlines()[0]
        typed = "; on the command line numbers within [] and {} become text: write it in a file and give that with "
        return f"{slip.message}; write {plain} without quotes" + (typed + "--configfile" if source == "config" else "")
    if kind == "type" and not isinstance(value, list | dict | None):
        if fits([]):
            return f"{slip.message}; write [{value}]"
        if fits(""):
            return f"{slip.message}; put quotes around it"
    return slip.message


def _unquoted(text: str) -> Any:
    """Return the value of a text without its quotes; also of numbers such as 5e-3, which YAML takes for text."""
    try:
        value = LOADER(text).get_single_data()
        value = json.loads(text) if isinstance(value, str) else value
    except (yaml.YAMLError, ValueError):
        return text
    return int(value) if isinstance(value, float) and value.is_integer() else value
