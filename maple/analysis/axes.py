"""Axes of a grid: what its runs differ in, beside model, dataset, method and seed."""

from collections.abc import Iterable

from maple.definitions.run import AxisValue, Run


def axis_values(runs: Iterable[Run]) -> dict[str, list[AxisValue]]:
    """Return the different values of each axis, axes and values in the order in which the runs bring them."""
    values: dict[str, list[AxisValue]] = {}
    for run in runs:
        for name, value in run.axes.items():
            found = values.setdefault(name, [])
            if value is not None and value not in found:
                found.append(value)
    return {name: found for name, found in values.items() if found}


def varying_axes(runs: Iterable[Run]) -> list[str]:
    """Return the axes of which the runs of one model, dataset and method have at least two values, numbers or words.

    An axis whose value is that of the method, as a learning rate for each, is none of them.
    """
    runs = list(runs)
    alike: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        alike.setdefault((run.model, run.dataset_family, run.family), []).append(run)
    varying = {name for group in alike.values() for name, values in axis_values(group).items() if len(values) > 1}
    return [name for name in axis_values(runs) if name in varying]


def drawn_axes(runs: Iterable[Run]) -> list[str]:
    """Return the axes in the order in which a chart gives them colour and dash: first those that vary."""
    runs = list(runs)
    varying = varying_axes(runs)
    return [*varying, *(name for name in axis_values(runs) if name not in varying)]


def numeric_axes(runs: Iterable[Run]) -> list[str]:
    """Return the axes over which a curve can be drawn: those that vary, all of whose values are numbers."""
    runs = list(runs)
    values = axis_values(runs)
    return [name for name in varying_axes(runs) if not any(isinstance(value, str) for value in values[name])]


def have_bases(runs: Iterable[Run]) -> dict[bool, list[Run]]:
    """Return the finetuned runs with an untouched base among the runs (True), and those without one (False)."""
    runs = list(runs)
    models = {run.model for run in runs if run.is_baseline}
    found: dict[bool, list[Run]] = {True: [], False: []}
    for run in runs:
        if not run.is_baseline:
            found[run.model in models].append(run)
    return found
