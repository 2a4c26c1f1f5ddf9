"""What a study is made of: languages, models, datasets, methods and tasks, read from files and checked first."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource

from maple.definitions.errors import DefinitionError

# Safe, and where libyaml is at hand ten times as fast: every job of a cluster reads all definitions again.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: str | Path) -> dict:
    """Read one YAML mapping with the safe loader; a DefinitionError names file and line of a slip."""
    try:
        content = LOADER(Path(path).read_text(encoding="utf-8")).get_single_data()
    except yaml.YAMLError as error:
        raise DefinitionError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(content, dict):
        raise DefinitionError(f"{path}: must be a mapping `key: value`, found {type(content).__name__}")
    return content


@cache
def _validator(schema: Path) -> Draft202012Validator:
    beside = Registry(retrieve=lambda name: Resource.from_contents(read_yaml(schema.with_name(name))))
    return Draft202012Validator(read_yaml(schema), registry=beside)


def check(content: Mapping, schema: str | Path, source: str | Path) -> None:
    """Check `content` of the file `source` against a JSON schema; raise a DefinitionError of one line.

    A schema refers to others by their file's name.
    """
    error = best_match(_validator(Path(schema)).iter_errors(content))
    if error is None:
        return
    while error.parent is not None and not error.path:  # one of several that could stand there is not the one meant
        error = error.parent
    where = ".".join(str(part) for part in error.absolute_path) or "top level"
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known))
        raise DefinitionError(
            f"{source}: unknown key {', '.join(map(repr, unknown))} at {where}; known keys are {', '.join(known)}"
        )
    raise DefinitionError(f"{source}: {where}: {_said(error, source)}")


def _meant(text: str) -> object:
    """Return what a text is without its quotes; also for numbers such as 5e-3, which YAML takes for text."""
    try:
        read = LOADER(text).get_single_data()
        read = json.loads(text) if isinstance(read, str) else read
    except (yaml.YAMLError, ValueError):
        return text
    return int(read) if isinstance(read, float) and read.is_integer() else read


def _said(error: ValidationError, source: str | Path) -> str:
    """Return what is wrong and, where the schema tells, what to write."""
    kind, found, schema = error.validator, error.instance, error.schema
    if kind == "oneOf" and "description" in schema:  # the message would print all that stands there
        return f"what stands there is not valid; write {schema['description']}"
    if kind == "required" and "title" in schema:
        return f"{error.message} of {schema['title']}"
    if kind == "dependentRequired":
        return f"{error.message}; write both"
    if kind == "pattern" and "description" in schema:  # what stands there may hold a key, and is not repeated
        return f"write {schema['description']}"
    if kind not in ("type", "enum"):
        return error.message
    fits = Draft202012Validator({kind: error.validator_value}).is_valid
    if isinstance(found, str) and fits(_meant(found)):
        plain = yaml.safe_dump(_meant(found), default_flow_style=True).splitlines()[0]
        typed = "; on the command line numbers within [] and {} become text: write it in a file and give that with "
        return f"{error.message}; write {plain} without quotes" + (typed + "--configfile" if source == "config" else "")
    if kind == "type" and not isinstance(found, list | dict | None):
        if fits([]):
            return f"{error.message}; write [{found}]"
        if fits(""):
            return f"{error.message}; put quotes around it"
    return error.message


def read_definitions(folder: str | Path, schema: str | Path) -> dict[str, dict]:
    """Read every `*.yaml` of `folder`; the name of a file is the name of what it defines."""
    definitions = {}
    for path in sorted(Path(folder).glob("*.yaml")):
        definitions[path.stem] = read_yaml(path)
        check(definitions[path.stem], schema, path)
    return definitions


def pick(names: list[str], known: Mapping[str, dict], place: str, where: str) -> dict[str, dict]:
    """Return the definitions called `names`; a DefinitionError names the place, file and key, of one not there."""
    for name in names:
        if name not in known:
            raise DefinitionError(f"{place} names {name!r}, which {where} lacks; it has {', '.join(known)}")
    return {name: known[name] for name in names}
