"""A run: one cell of the grid, and the path of its files."""

from collections.abc import Mapping

BASELINE = {"dataset": "none", "method": "none", "seed": 0}


def run_path(run: Mapping) -> str:
    """Return a run's path: `{model}/{dataset}/{method}/seed{seed}`."""
    return f"{run['model']}/{run['dataset']}/{run['method']}/seed{run['seed']}"
