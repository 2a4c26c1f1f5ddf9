"""How the files of config/ are read: safe YAML, checked against a record, with an error that says what to write."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from maple.definitions.errors import DefinitionError

# Safe, and where libyaml is at hand ten times as fast: every job of a cluster reads all definitions again.
LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Known = TypeVar("Known")


class _UniqueKeys(LOADER):
    """Refuses a mapping with a repeated key, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in keys:
                place = f"line {key.start_mark.line + 1}"
                raise yaml.YAMLError(f"{place}: the key {key.value!r} stands there twice; keep one")
            keys.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> dict:
    """Read one YAML mapping with the safe loader.

    Raises DefinitionError, which names file and line, for what is not YAML, no mapping, or says a key twice.
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

    Raises DefinitionError, one line with file, key and what to write.
    """
    adapter = TypeAdapter(kind)
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        from maple.definitions.slips import explain  # needed after a slip only

        raise DefinitionError(f"{source}: {explain(error, adapter, content, source)}") from None


def read_definitions(folder: str | Path, kind: Any) -> dict[str, Any]:
    """Read every `*.yaml` of `folder` as a record of type `kind`; a file's name is the name of what it defines."""
    return {path.stem: parse(kind, read_yaml(path), path) for path in sorted(Path(folder).glob("*.yaml"))}


def pick(names: list[str], known: Mapping[str, Known], place: str, where: str) -> dict[str, Known]:
    """Return the definitions called `names`.

    Raises DefinitionError for a name that is not there; the message names the place (file and key) that asks for it.
    """
    for name in names:
        if name not in known:
            raise DefinitionError(f"{place} names {name!r}, which {where} lacks; it has {', '.join(known)}")
    return {name: known[name] for name in names}
