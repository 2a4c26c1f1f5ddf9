"""Runs one job of each rule again and again, each time with a fault, and writes what came of it, as JSON.

A program of its own, in the folder of a finished study: it loads the libraries once and forks, which a process with
threads of its own could not. Its arguments are the jobs that plan.py wrote, a file for the outcomes, and the rules.
"""

import ast
import ctypes
import errno
import gc
import importlib
import json
import os
import pickle
import runpy
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

SECONDS = 300  # for one job
ALIKE = (".parquet", ".svg", ".html", ".txt", ".csv", ".tex", ".md", ".safetensors")  # cards tell seconds, these do not


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


FILE_FAULTS: dict[str, Callable[[Path], None]] = {
    "torn": halved,
    "zero": emptied,
    "flipped": flipped,
    "missing": Path.unlink,
}


def no_room(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full() -> None:
    os.fsync = no_room


def killed() -> None:
    os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)


def clock() -> None:
    time.time = lambda: 0.0


def without_root() -> None:
    """Take from root the right to write where nobody may (capset(2); 1 is CAP_DAC_OVERRIDE)."""
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None)
    libc.capget(header, sets)
    sets[0] &= ~(1 << 1)
    libc.capset(header, sets)


class Job:
    """A job, and what it writes when nothing disturbs it."""

    def __init__(self, rule: str, given, script: str, kept: list[str]):
        self.rule, self.given, self.kept = rule, given, list(map(Path, kept))
        self.script = Path("workflow/rules") / script
        self.outputs, self.log = list(map(Path, given.output)), Path(given.log[0])
        params = dict(given.params.items())
        unfinished = [params.get("journal"), params.get("checkpoints", {}).get("folder")]
        self.unfinished = [Path(path) for path in unfinished if path]
        self.undisturbed: dict[Path, bytes] = {}

    def load(self) -> None:
        """Import what the script imports."""
        for node in ast.parse(self.script.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                importlib.import_module(node.module)

    def start(self, fault: Callable[[], None] = lambda: None) -> int:
        """Start the script in a process of its own."""
        if child := os.fork():
            return child
        try:
            signal.alarm(SECONDS)
            fault()
            runpy.run_path(str(self.script), {"snakemake": self.given})
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def run(self, fault: Callable[[], None] = lambda: None) -> bool:
        """Run the script; return True if it ended well."""
        return ended(self.start(fault))

    def clear(self) -> None:
        """Remove what the job has written."""
        for path in (*self.outputs, *self.unfinished):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def files(self) -> list[Path]:
        return [file for path in self.outputs for file in (path.rglob("*") if path.is_dir() else [path])]

    def written(self) -> dict[Path, bytes]:
        """Return the files of the job by their path, as far as each run of it writes the same."""
        return {path: path.read_bytes() for path in self.files() if path.suffix in ALIKE and path.is_file()}

    def inputs(self) -> Iterator[tuple[str, Path]]:
        """Yield the first file of each input, and all files of a folder, with a name for the table."""
        for name in dict(self.given.input.items()):
            value = getattr(self.given.input, name)
            path = Path(value if isinstance(value, str) else value[0]) if value else None
            if path is None:
                continue
            files = (
                sorted(file for file in path.iterdir() if file.suffix in (".json", ".safetensors"))
                if path.is_dir()
                else [path]
            )
            yield from ((f"{name}/{file.name}" if path.is_dir() else name, file) for file in files)

    def names(self, paths: list[Path]) -> bool:
        """Return whether the last lines of the log name one of the files."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.is_file() else []
        told = "\n".join(lines[-8:])
        return any(str(path) in told for path in paths)


def ended(child: int) -> bool:
    return os.waitpid(child, 0)[1] == 0


def outcome(job: Job, good: bool, culprits: list[Path]) -> str:
    """Return what came of a fault: harmless, refused (with the file's name), or what must not be."""
    if good:
        return "harmless" if job.written() == job.undisturbed else "WRONG"
    if any(job.undisturbed.get(path) != content for path, content in job.written().items()):
        return "left a file that is not whole"
    return "refused" if job.names(culprits) else "refused, but names no file"


def with_damaged(job: Job, path: Path, damage: Callable[[Path], None], own: bool = False) -> str:
    """Run a job of which a file is damaged, an input or one of its `own` outputs that it may keep."""
    before, dates = path.read_bytes(), path.stat()
    if not own:
        job.clear()
    damage(path)
    folder = [path.parent] if (path.parent / "BLAKE2SUMS").is_file() else []
    result = outcome(job, job.run(), [path, *folder])
    if own:
        return "healed" if result == "harmless" else result
    path.write_bytes(before)
    os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    return result


def read_only(job: Job) -> str:
    job.clear()
    folder = job.outputs[0].parent
    mode = folder.stat().st_mode
    folder.chmod(0o555)
    good = job.run(without_root)
    folder.chmod(mode)
    return outcome(job, good, [*job.outputs, *job.unfinished])


def full_disk(job: Job) -> str:
    job.clear()
    return outcome(job, job.run(full), [*job.outputs, *job.unfinished])


def killed_at_its_first_write(job: Job) -> str:
    job.clear()
    if job.run(killed):
        return "was not killed"
    result = outcome(job, job.run(), job.outputs)
    leftovers = [part for path in job.outputs for part in path.parent.glob(".*.part")]
    return "healed" if result == "harmless" and not leftovers else f"{result}, left {leftovers}"


def two_at_once(job: Job) -> str:
    job.clear()
    children = [job.start(), job.start()]
    good = [ended(child) for child in children]
    return outcome(job, all(good), job.outputs)


def clock_set_back(job: Job) -> str:
    job.clear()
    return outcome(job, job.run(clock), job.outputs)


MACHINE_FAULTS = {
    "read-only": read_only,
    "full": full_disk,
    "killed": killed_at_its_first_write,
    "two at once": two_at_once,
    "clock": clock_set_back,
}


def outcomes(job: Job) -> Iterator[tuple[str, str, str]]:
    """Yield the name of what is faulty, the fault and its outcome, for all faults of a job."""
    job.clear()
    if not job.run():
        sys.exit(f"{job.rule} fails undisturbed:\n{job.log.read_text()}")
    job.undisturbed = job.written()
    for name, path in job.inputs():
        yield from ((name, fault, with_damaged(job, path, damage)) for fault, damage in FILE_FAULTS.items())
    job.clear()
    job.run()
    for path in job.kept[-1:]:
        yield from (
            ("own output", fault, with_damaged(job, path, damage, True)) for fault, damage in FILE_FAULTS.items()
        )
    yield from (("machine", fault, run(job)) for fault, run in MACHINE_FAULTS.items())
    job.clear()
    job.run()


def main() -> None:
    plan = pickle.loads(Path(sys.argv[1]).read_bytes())
    rules = sys.argv[3:]
    jobs = [Job(rule, *plan[rule]) for rule in plan if rule in rules]
    for job in jobs:
        job.load()
    if any((Path(path) / "model.safetensors").is_file() for job in jobs for path in job.given.input):
        from maple.models import causal

        causal.load(Path("results/base/toy"), 16)  # imports what every child needs
    gc.freeze()
    rows = [(job.rule, *row) for job in jobs for row in outcomes(job)]
    Path(sys.argv[2]).write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
