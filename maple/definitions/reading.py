"""Reading files of config/: safe YAML, checked against a record; an error says what to write."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from maple.definitions.errors import DefinitionError
from maple.definitions.extending import bases, extended
from maple.text.plain import plain

# The safe loader, in C if libyaml is installed: it is ten times as fast, and every job on a cluster reads all files.
LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Known = TypeVar("Known")
# The name of a definition becomes a part of paths, of wildcards, and of cells of tables.
NAME = re.compile("[A-Za-z0-9_][A-Za-z0-9._-]*")
# `none` stands for what a baseline lacks, `all` for the mean over all.
RESERVED = {"all", "none"}


class _StrictLoader(LOADER):
    """Refuses a repeated key in a mapping, of which PyYAML would silently keep the last, and what is no number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(f"{_line(key)}: a list or a mapping is no key; write a word")
            if key.tag == "tag:yaml.org,2002:bool":  # yes, no, on and off are true and false
                raise yaml.YAMLError(
                    f"{_line(key)}: the key {key.value} is a truth value to YAML; put quotes around it"
                )
            if key.value in keys:
                raise yaml.YAMLError(f"{_line(key)}: the key {key.value!r} stands there twice; keep one")
            keys.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        number = super().construct_yaml_float(node)
        if not math.isfinite(number):
            raise yaml.YAMLError(f"{_line(node)}: {node.value} cannot be calculated with; write a number")
        return number


_StrictLoader.add_constructor("tag:yaml.org,2002:float", _StrictLoader.construct_yaml_float)


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"


def read_yaml(path: str | Path) -> dict:
    """Read one YAML mapping with the safe loader.

    Raises DefinitionError, which names file and line, for a file that is not YAML or no mapping, or that repeats a key
    or has NaN or an infinity for a number.
    """
    try:
        content = _StrictLoader(Path(path).read_text(encoding="utf-8")).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DefinitionError(f"{path}: not readable as YAML: {plain(str(error))}") from None
    except OSError as error:
        raise DefinitionError(f"{path}: {error.strerror}; a definition is a file of text") from None
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
    """Read every `*.yaml` of `folder` as a record of type `kind`, by the file's name without its ending.

    A file that `extends` another one of the folder states only what differs from it. Raises DefinitionError also for a
    name that could not be a part of paths, tables and commands.
    """
    paths = sorted(Path(folder).glob("*.yaml"))
    for path in paths:
        check_name(path.stem, path)
    contents = {path.stem: read_yaml(path) for path in paths}
    # A file before those that extend it: a fault is told of the file that has it.
    in_turn = sorted(paths, key=lambda path: len(bases(contents, path)))
    records = {path.stem: parse(kind, extended(contents, path), path) for path in in_turn}
    return {path.stem: records[path.stem] for path in paths}


def check_name(name: str, path: str | Path) -> None:
    """Refuse a name of a definition that is none; `path` is the file that bears it."""
    if not NAME.fullmatch(name) or name.casefold() in RESERVED:
        raise DefinitionError(
            f"{plain(str(path))}: {plain(name)!r} is no name; rename the file: English letters, digits, and . _ -, of "
            f"which . and - do not stand in front; not {' or '.join(sorted(RESERVED))}"
        )


def pick(names: list[str], known: Mapping[str, Known], place: str, where: str) -> dict[str, Known]:
    """Return the entries of `known` with these names.

    Raises DefinitionError for a name that is not there. The message says which file and key have the name (`place`),
    and where it must be defined (`where`).
    """
    for name in names:
        if name not in known:
            raise DefinitionError(f"{place} names {name!r}, which {where} lacks; it has {', '.join(known)}")
    return {name: known[name] for name in names}
