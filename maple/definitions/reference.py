"""Generate files from the records: JSON schemas for editors, and docs/configuration.md.

Run `python -m maple.definitions.reference` after a change of a record; a test fails if the files are old.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from maple.definitions.config import Config
from maple.definitions.dataset import Dataset
from maple.definitions.extending import EXTENDS
from maple.definitions.method import Method
from maple.definitions.model import Model
from maple.definitions.question import Question
from maple.definitions.schema import schema_of
from maple.definitions.task import Task

FILES = {"config": Config, "model": Model, "dataset": Dataset, "method": Method, "task": Task, "question": Question}
HEADINGS = {
    "config": ("A study: `config/config.yaml` and its overlays", "An overlay states only what differs."),
    "model": ("A model: `config/models/*.yaml`", "One of five sources, by the key that names it."),
    "dataset": ("A dataset: `config/datasets/*.yaml`", "One of six recipes."),
    "method": ("A method: `config/methods/*.yaml`", "Of two kinds, by the key `peft` or `trains`."),
    "task": (
        "A task: `config/tasks/*.yaml`",
        "A task with `extends: xnli` states only what differs from the file `xnli.yaml`: a key takes the place of that "
        "file's, under `sources` and `words` key by key; null takes a key out.",
    ),
    "question": ("A question: `config/questions/*.yaml`", "One of nine shapes; [questions.md](questions.md) has each."),
}
INTRODUCTION = """# Configuration

Every key of the files in `config/`. This page is generated from the records in `maple/definitions/`
(`python -m maple.definitions.reference`). An unknown key, a repeated key or a value of another type is refused before
any job starts; the error names file and key and says what to write. A key in **bold** is required.
"""


def generated(root: Path) -> dict[Path, str]:
    """Return the content of every generated file, by its path under the project's folder `root`."""
    schemas = {name: schema_of(TypeAdapter(kind)) for name, kind in FILES.items()}
    of_editors = {**schemas, "task": _extendable(schemas["task"])}
    files = {
        root / f"workflow/schemas/{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in of_editors.items()
    }
    pages = [_page(name, schema) for name, schema in schemas.items()]
    return {**files, root / "docs/configuration.md": "\n".join([INTRODUCTION, *pages])}


def _extendable(schema: dict) -> dict:
    """Return a schema of files that may extend another one, whose keys are then not required."""
    extends = {
        "type": "string",
        "description": "The file, without its ending, from which this one states what differs.",
    }
    rest = {key: value for key, value in schema.items() if key != "required"}
    alternatives = [{"required": [EXTENDS]}, {"required": schema["required"]}]
    return {**rest, "properties": {EXTENDS: extends, **schema["properties"]}, "anyOf": alternatives}


def _page(name: str, schema: dict) -> str:
    heading, text = HEADINGS[name]
    records = [part["$ref"].rsplit("/", 1)[1] for part in schema["oneOf"]] if "oneOf" in schema else []
    tops = [schema["$defs"][record] for record in records] or [schema]
    lines = [f"## {heading}", "", *([text, ""] if text else [])]
    rest: list[str] = []
    for top in tops:
        if records:
            lines += [f"### {top['title'][0].upper()}{top['title'][1:]}", "", top["description"], ""]
        lines += [*_table(top), ""]
        rest += [record for record in _mentioned(top, schema) if record not in rest]
    for record in rest:
        part = schema["$defs"][record]
        lines += [f"### {_spaced(record)}", "", part.get("description", ""), "", *_table(part), ""]
    return "\n".join(lines)


def _table(record: dict) -> list[str]:
    required = set(record.get("required", [])) | set(record.get("dependentRequired", {}))
    rows = [
        f"| {_key(key, key in required)} | {_type(value)} | {_cell(value.get('description', ''))} |"
        for key, value in record.get("properties", {}).items()
    ]
    return ["| key | value | meaning |", "|---|---|---|", *rows]


def _key(key: str, required: bool) -> str:
    return f"**`{key}`**" if required else f"`{key}`"


def _type(value: dict) -> str:
    if "$ref" in value:
        record = value["$ref"].rsplit("/", 1)[1]
        return f"[{_spaced(record)}](#{_spaced(record).lower().replace(' ', '-')})"
    if parts := value.get("anyOf") or value.get("oneOf"):
        return " or ".join(dict.fromkeys(_type(part) for part in parts))
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    kinds = value.get("type", "anything")
    names = [_named(kind, value) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return " or ".join(names) + _limits(value)


def _named(kind: str, value: dict) -> str:
    if kind == "array" and "items" in value:
        return f"list of {_type(value['items'])}"
    if kind == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"{{name: {_type(value['additionalProperties'])}}}"
    plain = {"string": "text", "object": "mapping", "array": "list", "boolean": "true or false"}
    return plain.get(kind, kind)


def _limits(value: dict) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {value[key]}" for key, sign in signs.items() if key in value]
    return f", {', '.join(limits)}" if limits else ""


def _mentioned(part: Any, schema: dict) -> list[str]:
    """Return the records that a part of a schema names, and those that they name, in order."""
    names: list[str] = []
    if isinstance(part, dict):
        if "$ref" in part:
            name = part["$ref"].rsplit("/", 1)[1]
            return [name, *_mentioned(schema["$defs"][name], schema)]
        part = [value for key, value in part.items() if key not in ("$defs", "discriminator")]
    if isinstance(part, list):
        for each in part:
            names += [name for name in _mentioned(each, schema) if name not in names]
    return names


def _spaced(record: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in record).strip().capitalize()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write the generated files of this project."""
    for path, content in generated(Path(__file__).parents[2]).items():
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
