"""Locks: one writer per log and per output, and nothing that a killed process leaves behind."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from project import ROOT

from maple.runtime.files import write_text
from maple.runtime.locks import LockedError, lock

HOLDER = re.compile(rf"process (\d+) on {re.escape(socket.gethostname())}")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def another(code: str, **pipes) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code], env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, **pipes)


def holding(block: str) -> subprocess.Popen:
    """Start a process that stays in a block until its input ends."""
    process = another(
        "import sys\nfrom maple.runtime.files import *\nfrom maple.runtime.locks import *\n"
        f"out = sys.stdout\nwith {block} as aside:\n"
        "    print('in', file=out, flush=True)\n    sys.stdin.read()\n    aside and Path(aside).write_text('theirs')\n",
        stdin=subprocess.PIPE,
    )
    assert process.stdout.readline() == "in\n"
    return process


def test_a_second_holder_is_told_who_has_the_lock(tmp_path):
    path = tmp_path / "results/.lock"
    process = holding(f"lock({str(path)!r}, 'runs')")
    with pytest.raises(LockedError, match=HOLDER) as refused, lock(path, "runs a study", wait=False):
        pass
    assert str(refused.value) == f"process {process.pid} on {socket.gethostname()} runs a study"
    process.communicate("")
    with lock(path, "runs a study", wait=False):
        assert path.exists()
    assert list(path.parent.iterdir()) == []


def test_a_killed_holder_locks_nobody_out(tmp_path):
    path = tmp_path / ".lock"
    process = holding(f"lock({str(path)!r}, 'runs')")
    process.send_signal(signal.SIGKILL)
    process.wait()
    with lock(path, "runs", wait=False):
        pass


def test_a_program_that_the_holder_has_started_does_not_keep_the_lock(tmp_path):
    path = tmp_path / ".lock"
    with lock(path, "runs"):
        sleeper = subprocess.Popen(["sleep", "60"], close_fds=False)
    with lock(path, "runs", wait=False):
        sleeper.kill()
    sleeper.wait()


def test_a_second_writer_of_a_file_waits_and_says_for_whom(tmp_path):
    path = tmp_path / "scores"
    first = holding(f"written_aside({str(path)!r})")
    second = another(f"from maple.runtime.files import *; write_text('ours', {str(path)!r})", stderr=subprocess.PIPE)
    said = second.stderr.readline()
    assert said == f"waiting until process {first.pid} on {socket.gethostname()}, which writes {path}, has ended\n"
    assert not path.exists()
    first.communicate("")
    second.communicate()
    assert path.read_text() == "ours" and list(tmp_path.iterdir()) == [path]


def test_a_second_writer_of_a_folder_waits(tmp_path):
    path = tmp_path / "adapter"
    first = holding(f"folder_written_aside({str(path)!r})".replace(" as aside", ""))
    second = another(
        f"from maple.runtime.files import *\nwith folder_written_aside({str(path)!r}) as new: (new / 'w').touch()",
        stderr=subprocess.PIPE,
    )
    assert f"process {first.pid} on" in second.stderr.readline()
    first.send_signal(signal.SIGKILL)
    first.wait()
    second.communicate()
    assert {file.name for file in path.iterdir()} == {"w", "BLAKE2SUMS"} and list(tmp_path.iterdir()) == [path]


def test_two_writers_at_once_leave_what_one_of_them_wrote(tmp_path):
    path = tmp_path / "scores"
    writes = "for _ in range(200): write_text(sys.argv[1] * 9999, sys.argv[2])"
    code = f"import sys\nfrom maple.runtime.files import write_text\n{writes}"
    writers = [
        subprocess.Popen([sys.executable, "-c", code, word, path], env=ENVIRONMENT, stderr=subprocess.DEVNULL)
        for word in "ab"
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert path.read_text() in ("a" * 9999, "b" * 9999) and list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_has_left_goes_with_the_next(tmp_path):
    path = tmp_path / "scores"
    killed = holding(f"written_aside({str(path)!r})")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    write_text("whole", path)
    assert list(tmp_path.iterdir()) == [path]


def test_two_jobs_never_share_a_log_even_if_snakemake_has_removed_it(tmp_path):
    log = tmp_path / "logs/mix.log"
    code = f"from maple.runtime.logs import log_to; import sys; log_to({str(log)!r}); print(sys.argv); sys.stdin.read()"
    first = subprocess.Popen([sys.executable, "-c", code, "first"], env=ENVIRONMENT, stdin=subprocess.PIPE)
    while not (log.exists() and log.stat().st_size):
        assert first.poll() is None
    log.unlink()
    second = subprocess.run(
        [sys.executable, "-c", "import threading, os; threading.Timer(3, os._exit, [9]).start()\n" + code, "second"],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert second.returncode == 9 and f"process {first.pid} on" in second.stderr and not log.exists()
    first.communicate(b"")
    assert (
        subprocess.run([sys.executable, "-c", code, "third"], env=ENVIRONMENT, stdin=subprocess.DEVNULL).returncode == 0
    )
    assert log.read_text() == "['-c', 'third']\n" and list(log.parent.iterdir()) == [log]


def test_a_full_disk_takes_the_holder_s_name_alone(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    path = tmp_path / ".lock"
    refused = pytest.raises(LockedError, match="another process runs")
    with lock(path, "runs"), refused, lock(path, "runs", wait=False):
        pass
