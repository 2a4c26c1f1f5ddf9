"""The forecast as a table for a terminal."""

import math
from dataclasses import asdict

from maple.analysis.questions.records import ONLY
from maple.planning.forecast import Forecast

COLUMNS = {
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


def figure(value: float) -> str:
    """Return a number with three significant digits.

    >>> figure(1234.5), figure(0.0123), figure(0)
    ('1,234', '0.0123', '-')
    """
    if not value:
        return "-"
    if value < 0.001:
        return "<0.001"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f}"


def _cells(line: dict) -> list[str]:
    values = {**line, "tokens": line["tokens"] / 1e6, "jobs": f"{line['jobs']:,}"}
    return [value if isinstance(value := values[key], str) else figure(value) for key in COLUMNS]


def table(forecast: Forecast) -> str:
    """Return a forecast as text: one line per stage, the totals, and notes."""
    basis = f"without {', '.join(forecast.left_out)}" if forecast.left_out else ""
    total = {"stage": "all", "tokens": 0, "basis": basis, **asdict(forecast.total)}
    rows = [list(COLUMNS.values()), *(_cells(asdict(stage)) for stage in forecast.stages), _cells(total)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *numbers, last = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join([first.strip().ljust(widths[0]), *numbers, last.strip()]).rstrip())
    study = forecast.study
    head = f"{study.runs:,} runs, {study.answers:,} answers, on {study.devices} x {study.hardware}"
    foot = [
        f"At most {figure(forecast.peak_disk_gb)} GB of disk; {figure(forecast.days)} days if no device ever waits.",
        "Energy is that of devices at full power, without their hosts.",
        *forecast.notes,
    ]
    asked = _questions(forecast)
    return "\n".join([f"{head} (config: forecast; config/hardware.tsv)", "", *lines, "", *foot, "", *asked]) + "\n"


def _questions(forecast: Forecast) -> list[str]:
    """Return the lines about the study's questions: what each will be able to detect."""
    if not forecast.questions:
        return []
    width = max(len(one.question) for one in forecast.questions)
    lines = [
        "The smallest effect that each question would detect with probability 0.8, if scores vary between seeds by",
        "forecast.noise points (config), and answers are right with even chances and correlate between runs at 0.5:",
    ]
    for one in forecast.questions:
        told = f"not asked on this grid: {one.missing}"
        if one.of is not None:
            told = f"{'no interval' if one.mde is None else f'{one.mde:.2f}'}  {one.unit}{ONLY[one.of]}"
        lines.append(f"  {one.question.ljust(width)}  {told}")
    return lines
