"""Hardware: rows of config/hardware.tsv, for the forecast."""

import csv
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from maple.definitions.errors import DefinitionError


@dataclass(frozen=True)
class Hardware:
    """A device: its peak figures, and what share of them jobs reach."""

    device: str
    """Its name in the config."""
    reported: str
    """Beginning of the device's name in torch."""
    peak_tflops: float
    """Peak of dense arithmetic in the data type of models, 10^12 operations per second."""
    memory_gb_s: float
    """Bandwidth of the memory, 10^9 bytes per second."""
    memory_gb: float
    """Size of the memory, 10^9 bytes."""
    watts: float
    """Power under full load, watts."""
    weight_bytes: float
    """Bytes per weight in the data type of models."""
    train_16: float
    """Share of the peak that finetuning on a 16-bit base reaches."""
    train_8: float
    """The same on an 8-bit base."""
    train_4: float
    """The same on a 4-bit base."""
    prefill: float
    """Share of the peak that prefill (reading prompts) reaches."""
    decode: float
    """Share of the bandwidth that decoding (writing completions) reaches."""
    job_s: float
    """Seconds to start a job with its model."""
    engine_s: float
    """Seconds to start an engine."""
    disk_gb_s: float
    """Speed of the disk, 10^9 bytes per second."""
    source: str
    """Source of the figures."""

    def train_share(self, bits: int | None) -> float:
        """Return the share of the peak that finetuning reaches on a base in `bits` bits; None counts as 16."""
        return {16: self.train_16, 8: self.train_8, 4: self.train_4}[bits or 16]


TEXTS = ("device", "reported", "source")


def read_hardware(path: str | Path) -> dict[str, Hardware]:
    """Read the table of hardware, by device. All columns except TEXTS are numbers.

    Raises DefinitionError, which names file, device and column.
    """
    with open(path, encoding="utf-8-sig", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    devices: dict[str, Hardware] = {}
    for row in rows:
        device = row.get("device") or ""
        if device in devices:
            raise DefinitionError(f"{path}: {device} stands there twice; keep one row")
        devices[device] = _hardware(row, f"{path}: {device}")
    return devices


def _hardware(row: dict[str, str], place: str) -> Hardware:
    values: dict[str, Any] = {
        field.name: row.get(field.name)
        if field.name in TEXTS
        else _number(row.get(field.name), f"{place}: {field.name}")
        for field in fields(Hardware)
    }
    return Hardware(**values)


def _number(cell: str | None, place: str) -> float:
    try:
        number = float(cell or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DefinitionError(f"{place}: {cell!r} is no number; write one")
    return number
