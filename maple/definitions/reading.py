"""Reading files of config/: safe YAML, checked against a record; an error says what to write."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from maple.definitions.errors import DefinitionError

# The safe loader, in C if libyaml is installed: it is ten times as fast, and every job on a cluster reads all files.
LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Known = TypeVar("Known")


class _UniqueKeys(LOADER):
    """Refuses a repeated key in a mapping; PyYAML would silently keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            place = f"line {key.start_mark.line + 1}"
            if key.tag == "tag:yaml.org,2002:bool":  # yes, no, on and off are true and false
                raise yaml.YAMLError(f"{place}: the key {key.value} is read as a truth value; put quotes around it")
            if key.value in keys:
                raise yaml.YAMLError(f"{place}: the key {key.value!r} stands there twice; keep one")
            keys.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> dict:
    """Read one YAML mapping with the safe loader.

    Raises DefinitionError, which names file and line, for a file that is not YAML, is no mapping or repeats a key.
    """
    try:
        content = _UniqueKeys(Path(path).read_text(encoding="utf-8")).get_single_data()
    except yaml.YAMLError as error:
        raise DefinitionError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(content, dict):
        raise DefinitionError(f"{path}: must be a mapping `key: value`, found {type(content).__name__}")
    return content


def parse(kind: Any, content: object, source: str | Path) -> Any:
    """Return the content of the file `source` as a record of type `kind`, or as another type that pydantic knows.

    Raises DefinitionError: one line with file, key and what to write.
    """
    adapter = TypeAdapter(kind)
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        from maple.definitions.slips import explain  # loads jsonschema, which only an error needs

        raise DefinitionError(f"{source}: {explain(error, adapter, content, source)}") from None


def read_definitions(folder: str | Path, kind: Any) -> dict[str, Any]:
    """Read every `*.yaml` of `folder` as a record of type `kind`, by the file's name without its ending."""
    return {path.stem: parse(kind, read_yaml(path), path) for path in sorted(Path(folder).glob("*.yaml"))}


def pick(names: list[str], known: Mapping[str, Known], place: str, where: str) -> dict[str, Known]:
    """Return the entries of `known` with these names.

    Raises DefinitionError for a name that is not there. The message says which file and key have the name (`place`),
    and where it must be defined (`where`).
    """
    for name in names:
        if name not in known:
            raise DefinitionError(f"{place} names {name!r}, which {where} lacks; it has {', '.join(known)}")
    return {name: known[name] for name in names}
