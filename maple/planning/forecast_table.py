"""The forecast as a table for a terminal."""

import math
from collections.abc import Mapping


def figure(value: float) -> str:
    """Return a number with the three digits that matter."""
    if not value:
        return "-"
    if value < 0.001:
        return "<0.001"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f}"


def table(made: Mapping) -> str:
    """Return a forecast as text: a line a stage, the totals, and what is left out."""
    columns = {
        "stage": "stage",
        "jobs": "jobs",
        "tokens": "tokens (M)",
        "device_hours": "device h",
        "core_hours": "core h",
        "disk_gb": "disk GB",
        "download_gb": "download GB",
        "kwh": "kWh",
        "basis": "basis",
    }

    def cells(line: Mapping) -> list[str]:
        told = {**line, "tokens": line["tokens"] / 1e6, "jobs": f"{line['jobs']:,}"}
        return [value if isinstance(value := told[key], str) else figure(value) for key in columns]

    total = {"stage": "all", "tokens": 0, "basis": "", **made["total"]}
    rows = [list(columns.values()), *map(cells, made["stages"]), cells(total)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *numbers, last = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join([first.strip().ljust(widths[0]), *numbers, last.strip()]).rstrip())
    study = made["study"]
    head = f"{study['runs']:,} runs, {study['answers']:,} answers, on {study['devices']} x {study['hardware']}"
    foot = [
        f"At most {figure(made['peak_disk_gb'])} GB of disk; {figure(made['days'])} days if no device ever waits.",
        "Energy is that of devices at full power, without their hosts.",
        *made["notes"],
    ]
    return "\n".join([f"{head} (config: forecast; config/hardware.tsv)", "", *lines, "", *foot]) + "\n"
