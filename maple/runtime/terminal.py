"""The progress of a study on the terminal: a line per finished job, and one that says what is left.

Snakemake logs several lines per job, with lists of a hundred files; they stay in its own log file. Its logger plugins
are packages that must be installed, and the one that draws with rich says neither seconds nor the time left (0.5.1).
"""

import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

# Snakemake's name of the handler that writes to the terminal.
_STREAM = "DefaultStreamHandler"
_RUN = ("model", "dataset", "method", "seed")
# Snakemake's events, by which a line is replaced; the others are shown as Snakemake writes them.
_REPLACED = {"job_info", "job_finished", "progress", "job_started", "shellcmd", "resources_info", "group_info"}
_HIDDEN = ("Select jobs to execute",)
# Rules whose jobs print for the user: the line of progress makes room for them.
_PRINTING = {"forecast", "plan", "settled"}
_STYLES = {logging.ERROR: "red", logging.WARNING: "yellow"}


def in_words(seconds: float) -> str:
    """Return a time in two units at most: 42 -> "42 s", 250 -> "4 min 10 s", 7,500 -> "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def job_name(rule: str, wildcards: Mapping[str, str]) -> str:
    """Return what a job computes: its rule, the path of its run, and its other wildcards."""
    values = dict(wildcards)
    run = []
    if values.keys() >= set(_RUN):
        *parts, seed = (values.pop(name) for name in _RUN)
        run = ["/".join([*parts, f"seed{seed}"])]
    return " ".join([rule, *run, *map(str, values.values())])


@dataclass
class Pace:
    """How fast the jobs of each rule have been, and how many are left."""

    left: Counter[str]
    """The jobs that are not finished, by rule."""
    started: float
    """When the first job could start, in seconds of a monotonic clock."""
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of each finished job, by rule."""

    def finish(self, rule: str, seconds: float) -> None:
        """Count a job as finished."""
        self.left[rule] -= 1
        self.seconds.setdefault(rule, []).append(seconds)

    def told(self, now: float) -> str:
        """Return the time left in words: "about 4 min 10 s left", and the jobs of rules of which none has finished yet.

        Jobs are taken to run as many at once as they have until now.
        """
        remaining = {rule: count for rule, count in self.left.items() if count > 0 and rule != "all"}
        unknown = sum(count for rule, count in remaining.items() if rule not in self.seconds)
        busy = sum(map(sum, self.seconds.values()))
        work = sum(
            count * sum(known) / len(known) for rule, count in remaining.items() if (known := self.seconds.get(rule))
        )
        at_once = max(1.0, busy / max(now - self.started, 1e-9))
        parts = [f"about {in_words(work / at_once)} left"] if work else []
        return ", and ".join([*parts, f"{unknown} not timed yet"] if unknown else parts)


class StudyProgress(logging.Handler):
    """Shows the progress in the place of Snakemake's own lines; without a terminal, only the lines of finished jobs."""

    def __init__(self, jobs: Mapping[str, int], snakemake: logging.Handler, console: Console) -> None:
        """Show `jobs`, the number to run by rule; `snakemake` formats what is shown as Snakemake writes it."""
        super().__init__()
        self._snakemake, self._console = snakemake, console
        self._pace = Pace(Counter(jobs), time.monotonic())
        self._running: dict[int, tuple[str, str, float]] = {}
        self._bar = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("jobs,"),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=sum(jobs.values()))
        self._bar.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record of Snakemake's logger, whose events have fields of their own."""
        try:
            self._show(getattr(record, "event", None), record)
        except Exception:  # a line that cannot be shown must not end a study
            self.handleError(record)

    def _show(self, event: str | None, record: Any) -> None:
        if event == "job_info":
            name = job_name(record.rule_name, record.wildcards)
            self._running[record.jobid] = (record.rule_name, name, time.monotonic())
            if record.rule_name in _PRINTING:
                self._bar.stop()
        elif event == "job_finished" and record.job_id in self._running:
            rule, name, started = self._running.pop(record.job_id)
            seconds = time.monotonic() - started
            self._pace.finish(rule, seconds)
            self._print(f"{in_words(seconds):>12}  {name}")
        elif event == "progress":
            told = self._pace.told(time.monotonic())
            self._bar.update(self._task, completed=record.done, total=record.total, description=told)
        elif event not in _REPLACED and not str(record.msg).startswith(_HIDDEN) and self._snakemake.filter(record):
            self._print(self._snakemake.format(record).strip(), _STYLES.get(record.levelno, ""))

    def _print(self, text: str, style: str = "") -> None:
        if text:
            self._console.print(Text(text, style=style), soft_wrap=True)

    def close(self) -> None:
        """Take the line of progress away."""
        self._bar.stop()
        super().close()


def follow(logger: logging.Logger, jobs: Mapping[str, int]) -> None:
    """Show the progress of `jobs`, their number by rule, in the place of what Snakemake's `logger` writes.

    Snakemake's own lines stay if there is no handler that writes them to the terminal.
    """
    stream = next((handler for handler in logger.handlers if handler.name == _STREAM), None)
    if stream is not None:
        logger.removeHandler(stream)
        logger.addHandler(StudyProgress(jobs, stream, Console(stderr=True, log_path=False)))


def leave(logger: logging.Logger) -> None:
    """End what `follow` has begun: what is printed next has the terminal for itself."""
    for handler in [handler for handler in logger.handlers if isinstance(handler, StudyProgress)]:
        handler.close()
