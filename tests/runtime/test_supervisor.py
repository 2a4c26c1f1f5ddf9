"""A job, what it has started, and the Snakemake that wants it: processes that end together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import ROOT

SUPERVISOR = ROOT / "maple/runtime/supervisor.py"
# A program whose descendants escape in every way: another group, another session, a parent that has ended, deaf ears.
ESCAPES = """
import os, signal, subprocess, sys, time
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(99)"
sleep = [sys.executable, "-S", "-c", deaf]
pids = [os.getpid(), subprocess.Popen(sleep).pid, subprocess.Popen(sleep, start_new_session=True).pid]
pids.append(int(subprocess.run(["sh", "-c", "sleep 98 >/dev/null 2>&1 & echo $!"], capture_output=True).stdout))
print(*pids, flush=True)
"""
WAITS = ESCAPES + "time.sleep(97)\n"
# Holds the GIL: code in C that no thread of the program interrupts.
BUSY = ESCAPES + "import ctypes\nctypes.PyDLL(None).sleep(96)\n"


def snakemake_like(program: str) -> subprocess.Popen:
    """Start a process that runs `program` as Snakemake runs a script, with a shell between."""
    code = (
        "import os, subprocess, sys\n"
        f"job = [sys.executable, '-I', '-S', {str(SUPERVISOR)!r}, str(os.getpid()), {str(ROOT)!r}, "
        f"sys.executable, '-S', '-c', {program!r}]\n"
        "import shlex; sys.exit(subprocess.run(shlex.join(job) + '; exit $?', shell=True).returncode)"
    )
    return subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE, text=True)


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if (stat := Path(f"/proc/{pid}/stat")).exists() and " Z " not in stat.read_text()]


def gone(pids: list[int], seconds: float = 20) -> bool:
    """Wait until none of the processes is left."""
    deadline = time.monotonic() + seconds
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pids)


@pytest.mark.parametrize("program", [WAITS, BUSY], ids=["a job that waits", "a job that holds the interpreter"])
def test_all_that_a_job_has_started_ends_with_its_snakemake(program):
    snakemake = snakemake_like(program)
    pids = [int(word) for word in snakemake.stdout.readline().split()]
    assert len(pids) == 4 and alive(pids) == pids
    snakemake.kill()
    assert gone(pids)
    snakemake.wait()


def test_what_a_job_leaves_behind_ends_with_the_job():
    snakemake = snakemake_like(ESCAPES + "sys.exit(7)")
    assert snakemake.wait(timeout=60) == 7
    assert alive([int(word) for word in snakemake.stdout.read().split()]) == []


def test_a_killed_job_takes_its_processes_with_it_and_says_by_what_it_ended():
    snakemake = snakemake_like(WAITS)
    job, *others = [int(word) for word in snakemake.stdout.readline().split()]
    os.kill(job, signal.SIGKILL)
    assert snakemake.wait(timeout=60) == 128 + signal.SIGKILL
    assert gone(others)


def test_a_killed_supervisor_takes_the_job_with_it():
    snakemake = snakemake_like("import os, time; print(os.getpid(), os.getppid(), flush=True); time.sleep(95)")
    job, supervisor = [int(word) for word in snakemake.stdout.readline().split()]
    os.kill(supervisor, signal.SIGKILL)
    assert gone([job])
    assert snakemake.wait(timeout=60)


def test_a_request_to_end_reaches_the_job():
    says = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); "
    snakemake = snakemake_like(says + "import os; print(os.getppid(), flush=True); time.sleep(94)")
    os.kill(int(snakemake.stdout.readline()), signal.SIGTERM)
    assert snakemake.wait(timeout=60) == 5


def test_a_job_whose_snakemake_has_ended_already_does_not_go_on():
    ended = subprocess.Popen(["true"])  # nobody has waited for it yet: its number is still its own
    time.sleep(0.5)
    job = [sys.executable, SUPERVISOR, str(ended.pid), str(ROOT), sys.executable, "-c", "import time; time.sleep(93)"]
    assert subprocess.run(job, timeout=60).returncode == 128 + signal.SIGKILL
    ended.wait()


def supervised(*arguments: str, **environment: str) -> str:
    job = [sys.executable, "-I", "-S", SUPERVISOR, str(os.getpid()), str(ROOT), sys.executable, *arguments]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        job, env=clean | environment, text=True, capture_output=True, check=True, encoding="utf-8"
    ).stdout


def test_a_job_imports_the_checkout_s_package_whatever_else_is_called_maple(tmp_path):
    (tmp_path / "maple").mkdir()
    (tmp_path / "maple/__init__.py").write_text("raise SystemExit('another maple')")
    code = "import os, maple, maple.runtime.logs as logs; print(maple.__file__, os.environ[logs.CHECKOUT], sep='\\n')"
    printed = supervised("-c", code, PYTHONPATH=str(tmp_path))
    assert printed.splitlines() == [str(ROOT / "maple/__init__.py"), str(ROOT)]


@pytest.mark.parametrize(
    "locale", [{"LANG": "C"}, {"LC_ALL": "POSIX"}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0"}]
)
def test_a_job_writes_utf_8_whatever_the_locale(locale, tmp_path):
    code = f"open({str(tmp_path / 'text')!r}, 'w').write('Yorùbá'); print('Yorùbá')"
    assert supervised("-c", code, **locale) == "Yorùbá\n"
    assert (tmp_path / "text").read_bytes() == "Yorùbá".encode()
