"""What a study is made of: languages, models, datasets, methods and tasks, read from files and checked first."""

import csv
import itertools
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource

from maple.methods import KINDS

BASELINE = {"dataset": "none", "method": "none", "seed": 0}
# What the language table says of a language besides its words, and the class of one that Joshi et al. (2020) lack.
LANGUAGE_COLUMNS = ("code", "name", "iso639_1", "script", "family", "joshi_class")
JOSHI_CLASSES = (*"012345", "unknown")
# The words that answer XNLI.
ANSWERS = ("true", "neither", "false")


# Safe, and where libyaml is at hand ten times as fast: every job of a cluster reads all definitions again.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DefinitionError(ValueError):
    """A file of the study says something that cannot be; the message names file and key, and what to write."""


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


def read_languages(path: str | Path) -> dict[str, dict[str, str]]:
    """Read the language table: one row a language, every cell filled, keyed by its code (`swh_Latn`)."""
    with open(path, encoding="utf-8", newline="") as table:
        reader = csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
        head = next(reader, [])
        rows = [(reader.line_num, cells) for cells in reader if cells]
    if lacking := [name for name in LANGUAGE_COLUMNS if name not in head]:
        raise DefinitionError(f"{path}: line 1, the head, lacks {', '.join(lacking)}; cells are parted by tabs")
    languages = {}
    for number, cells in rows:
        line = f"{path}: line {number} ({cells[0][:8]})"  # of a row whose tabs were lost, the code alone
        if len(cells) != len(head):
            raise DefinitionError(f"{line} has {len(cells)} cells, the head {len(head)}; cells are parted by tabs")
        row = dict(zip(head, cells, strict=True))
        if empty := [name for name, cell in row.items() if not cell]:
            raise DefinitionError(f"{line}: fill the column(s) {', '.join(empty)}")
        if not re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", row["code"]):
            raise DefinitionError(f"{line}: code is {row['code']!r}; write it as FLORES-200 does, as in swh_Latn")
        if row["code"] in languages:
            raise DefinitionError(f"{line} stands there twice; keep one row")
        if row["joshi_class"] not in JOSHI_CLASSES:
            raise DefinitionError(f"{line}: joshi_class is {row['joshi_class']!r}; write 0 to 5, or unknown")
        answers = {name: row[name].casefold() for name in ANSWERS if name in row}
        if len(set(answers.values())) < len(answers):
            raise DefinitionError(f"{line}: two of {', '.join(answers)} are one word; answers could not be told apart")
        languages[row["code"]] = row
    return languages


def pick(names: list[str], known: Mapping[str, dict], place: str, where: str) -> dict[str, dict]:
    """Return the definitions called `names`; a DefinitionError names the place, file and key, of one not there."""
    for name in names:
        if name not in known:
            raise DefinitionError(f"{place} names {name!r}, which {where} lacks; it has {', '.join(known)}")
    return {name: known[name] for name in names}


def method_cells(name: str, definition: dict, axes: Mapping[str, list] | None = None) -> dict[str, dict]:
    """Spell out one method over its axes.

    `axes` (from the grid) narrows or widens the values of the method's own axes. Returns {cell name: {"peft", "rank",
    "bits", "adapter", "training"}}; "adapter" is what the config class of PEFT's type "peft" is called with, and "rank"
    is None for a method without that axis.
    """
    values = {**definition["axes"], **(axes or {})}
    if unknown := set(values) - set(definition["axes"]):
        raise DefinitionError(
            f"config: grid: method {name} has no axis {sorted(unknown)}; its axes are {sorted(definition['axes'])}"
        )
    kind = KINDS[definition["peft"]]
    cells = {}
    for rank, bits in itertools.product(values.get("rank", [None]), values["bits"]):
        adapter = dict(definition["adapter"])
        if rank is not None:
            adapter |= {key: round(factor * rank) for key, factor in kind.rank.items()}
        if "alpha_over_rank" in definition:
            adapter[kind.alpha] = definition["alpha_over_rank"] * rank
        cells[f"{name}-{bits}bit" if rank is None else f"{name}-r{rank}-{bits}bit"] = {
            "peft": definition["peft"],
            "rank": rank,
            "bits": bits,
            "adapter": adapter,
            "training": definition.get("training", {}),
        }
    return cells


def expand_grid(
    grid: list[dict], models: Mapping, datasets: Mapping, methods: Mapping
) -> tuple[list[dict], dict[str, dict]]:
    """Spell out the grid: every run (an untouched base of each model first), and every method cell that occurs.

    A run is {"model", "dataset", "method", "seed", "family", "rank", "bits"}; its family is the file of methods/ that
    its method comes from. Rank is None for a method without one, rank and bits are None for an untouched base.
    """
    runs, cells = {}, {}
    for part in grid:
        for model in pick(part["models"], models, "config: grid: models", "config/models/"):
            runs[model, *BASELINE.values()] = {
                "model": model,
                **BASELINE,
                "family": BASELINE["method"],
                "rank": None,
                "bits": None,
            }
    for part in grid:
        pick(part["datasets"], datasets, "config: grid: datasets", "config/datasets/")
        pick(list(part["methods"]), methods, "config: grid: methods", "config/methods/")
        spelt, families = {}, {}
        for family, axes in part["methods"].items():
            of_family = method_cells(family, methods[family], axes)
            spelt.update(of_family)
            families.update(dict.fromkeys(of_family, family))
        cells.update(spelt)
        for model, dataset, method, seed in itertools.product(part["models"], part["datasets"], spelt, part["seeds"]):
            runs[model, dataset, method, seed] = {
                "model": model,
                "dataset": dataset,
                "method": method,
                "seed": seed,
                "family": families[method],
                "rank": spelt[method]["rank"],
                "bits": spelt[method]["bits"],
            }
    return list(runs.values()), cells


def stated_languages(definition: Mapping, grid: list[str], table: Mapping, source: str) -> list[str]:
    """Return the codes under `languages:` of a dataset; the grid's for `all` or none stated.

    A DefinitionError names a code that config/languages.tsv lacks.
    """
    stated = definition.get("languages", "all")
    if stated == "all":
        return list(grid)
    for code in stated:
        if code not in table:
            raise DefinitionError(f"{source}: languages names {code!r}, which config/languages.tsv lacks; add its row")
    return list(stated)


def run_path(run: Mapping) -> str:
    """Return a run's path: `{model}/{dataset}/{method}/seed{seed}`."""
    return f"{run['model']}/{run['dataset']}/{run['method']}/seed{run['seed']}"
