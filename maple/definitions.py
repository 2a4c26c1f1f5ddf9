"""What a study is made of: languages, models, datasets, methods and tasks, read from files and checked first."""

import csv
import itertools
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from maple.methods import KINDS

BASELINE = {"dataset": "none", "method": "none", "seed": 0}


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
    where = ".".join(str(part) for part in error.absolute_path) or "top level"
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known))
        raise DefinitionError(
            f"{source}: unknown key {', '.join(map(repr, unknown))} at {where}; known keys are {', '.join(known)}"
        )
    raise DefinitionError(f"{source}: {where}: {error.message}")


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
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    languages = {}
    for number, row in enumerate(rows, start=2):
        empty = [key for key, value in row.items() if key is None or not value]
        if empty:
            raise DefinitionError(f"{path}: line {number} ({row.get('code')}): fill the column(s) {empty}")
        if row["code"] in languages:
            raise DefinitionError(f"{path}: line {number}: {row['code']} stands there twice; keep one row")
        languages[row["code"]] = row
    return languages


def pick(names: list[str], known: Mapping[str, dict], key: str, where: str) -> dict[str, dict]:
    """Return the definitions called `names`; a DefinitionError names the key of the one that is not there."""
    for name in names:
        if name not in known:
            raise DefinitionError(f"config: {key} names {name!r}, which {where} lacks; it has {', '.join(known)}")
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
        for model in pick(part["models"], models, "grid: models", "config/models/"):
            runs[model, *BASELINE.values()] = {
                "model": model,
                **BASELINE,
                "family": BASELINE["method"],
                "rank": None,
                "bits": None,
            }
    for part in grid:
        pick(part["datasets"], datasets, "grid: datasets", "config/datasets/")
        pick(list(part["methods"]), methods, "grid: methods", "config/methods/")
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
