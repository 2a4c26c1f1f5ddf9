"""Definitions that state only what differs from another one: `extends`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maple.definitions.errors import DefinitionError

EXTENDS = "extends"
# Mappings that are taken over key by key, to so many levels: of `sources` the keys of each kind.
LEVELS = {"sources": 2, "words": 1}


def bases(contents: Mapping[str, Mapping[str, Any]], path: Path) -> list[str]:
    """Return the names of the file `path` and of those that it takes over from, the nearest first.

    `contents` are those of all files of the folder, by name. Raises DefinitionError for a file that is not there, and
    for one that extends itself.
    """
    line = [path.stem]
    while (base := contents[line[-1]].get(EXTENDS)) is not None:
        if base in line or base not in contents:
            reason = "extends itself" if base in line else f"names {base!r}, which the folder lacks"
            raise DefinitionError(
                f"{path}: extends: {' -> '.join(line)} {reason}; name another file, without its ending"
            )
        line.append(base)
    return line


def extended(contents: Mapping[str, Mapping[str, Any]], path: Path) -> dict[str, Any]:
    """Return the content of the file `path` with what it takes over from the file that it `extends`.

    A key that it states takes the place of the other's, under `sources` and `words` key by key; null takes a key out.
    Arguments and errors are those of `bases`.
    """
    content: dict[str, Any] = {}
    for name in reversed(bases(contents, path)):
        content = _merged(content, contents[name], 0)
    content.pop(EXTENDS, None)
    return content


def _merged(base: Mapping[str, Any], stated: Mapping[str, Any], levels: int) -> dict[str, Any]:
    merged = dict(base)
    for key, value in stated.items():
        deeper = LEVELS.get(key, 0) if levels == 0 else levels - 1
        if value is None and key in base:
            del merged[key]
        elif deeper and isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            merged[key] = _merged(base[key], value, deeper)
        else:
            merged[key] = value
    return merged
