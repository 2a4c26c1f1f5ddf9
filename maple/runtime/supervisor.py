"""Runs a job's program, and ends what it has started as soon as the program, or the Snakemake that wants it, has ended.

A program of its own between Snakemake and every script. It knows the standard library alone, since it starts before the
environment of the job is known.
"""

import ctypes
import os
import re
import shlex
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

CHECKOUT = "MAPLE_CHECKOUT"  # the environment variable by which maple/runtime/logs.py knows the checkout of its job
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2), Linux


class PathError(ValueError):
    """A path holds what a shell would not read as it stands."""


def prefix(checkout: Path) -> str:
    """Return the prefix of Snakemake's shell commands that puts this program before each of them.

    Raises PathError for the path of Python.
    """
    if special := re.search(r"""["'`$&;|<>(){}*?!#~^\[\]\\\t\n]""", sys.executable):
        raise PathError(
            f"{sys.executable}: Snakemake starts jobs by a shell, which reads {special[0]!r} as more than a letter: "
            "move the folder to a path without it"
        )
    words = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(checkout)]
    # Snakemake formats it once more, and a path may hold braces.
    return f"exec {shlex.join(words)} ".replace("{", "{{").replace("}", "}}")


def start_time(process: int) -> str | None:
    """Return when a process was started, in ticks; None if it has ended, even if nobody has waited for it."""
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else fields[18]


def _children() -> list[int]:
    """Return the children of this process, among them those whose parents have ended."""
    numbers = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            if stat.read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                numbers.append(int(stat.parent.name))
    return numbers


def end_children(seconds: float = 10) -> None:
    """Kill all children and what they leave behind; give up on those that the system does not let go in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for child in _children():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        time.sleep(0.005)


def supervise(snakemake: int, program: list[str]) -> int:
    """Run `program` until it or the process `snakemake` has ended; return its exit status.

    Every descendant counts as started by it, whatever group, session or parent it has chosen.
    """
    since = start_time(snakemake)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    # Ctrl-C reaches the program by itself: a terminal sends it to all processes of the command.
    signals = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    job = os.fork()
    if job == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execvp(program[0], program)
    try:
        # Looked at five times a second: a system older than Linux 5.3 cannot wait for a process that is no child.
        while since and start_time(snakemake) == since:
            if (received := signal.sigtimedwait(signals, 0.2)) and received.si_signo == signal.SIGTERM:
                os.kill(job, signal.SIGTERM)
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == job:
                    code = os.waitstatus_to_exitcode(ended[1])
                    return 128 - code if code < 0 else code
        return 128 + signal.SIGKILL
    finally:
        end_children()


def main() -> None:
    """Run the program of the arguments for the Snakemake and the checkout that they name."""
    snakemake, checkout, *program = sys.argv[1:]
    words = sys.executable.split()
    if program[: len(words)] == words:  # Snakemake does not quote Python's path: the shell has split it at its spaces
        program[: len(words)] = [sys.executable]
    # PyPI has another maple, and a user's PYTHONPATH may have one too.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [checkout, os.environ.get("PYTHONPATH")]))
    os.environ[CHECKOUT] = checkout
    os.environ.update(PYTHONUTF8="1", PYTHONIOENCODING="utf-8")  # whatever the locale, files and logs are UTF-8
    sys.exit(supervise(int(snakemake), program))


if __name__ == "__main__":
    main()
