"""The grid: its runs and method variants, spelt out."""

import itertools
from collections.abc import Mapping

from maple.definitions.loading import DefinitionError, pick
from maple.definitions.run import BASELINE
from maple.methods.capabilities import KINDS


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
