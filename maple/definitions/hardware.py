"""Hardware: rows of config/hardware.tsv, which the forecast reckons with."""

import csv
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Hardware:
    """A device and what it reaches."""

    device: str
    """Its name in the config."""
    reported: str
    """How the name begins that torch gives the device."""
    peak_tflops: float
    """Dense arithmetic in the type that models are computed in, 10^12 operations per second."""
    memory_gb_s: float
    """Bandwidth of the memory, 10^9 bytes per second."""
    memory_gb: float
    """Size of the memory, 10^9 bytes."""
    watts: float
    """Full power."""
    weight_bytes: float
    """Bytes per weight of that type."""
    train_16: float
    """Share of the peak that finetuning on a 16-bit base reaches."""
    train_8: float
    """The same on 8 bits."""
    train_4: float
    """The same on 4 bits."""
    prefill: float
    """Share of the peak that reading prompts reaches."""
    decode: float
    """Share of the bandwidth that writing answers reaches."""
    job_s: float
    """Seconds to start a job with its model."""
    engine_s: float
    """Seconds to start an engine."""
    disk_gb_s: float
    """Speed of the disk, 10^9 bytes per second."""
    source: str
    """Where the figures are from."""

    def train_share(self, bits: int | None) -> float:
        """Return the share of the peak that finetuning on a base of so many bits reaches."""
        return {16: self.train_16, 8: self.train_8, 4: self.train_4}[bits or 16]


TEXTS = ("device", "reported", "source")


def read_hardware(path: str | Path) -> dict[str, Hardware]:
    """Read the table of hardware, by device; all columns are numbers but three."""
    with open(path, encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {row["device"]: _hardware(row) for row in rows}


def _hardware(row: dict[str, str]) -> Hardware:
    values: dict[str, Any] = {
        field.name: row[field.name] if field.name in TEXTS else float(row[field.name]) for field in fields(Hardware)
    }
    return Hardware(**values)
