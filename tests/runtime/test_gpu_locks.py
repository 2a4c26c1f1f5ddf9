"""GPUs that jobs reserve, on machines whose nvidia-smi is a script."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from project import ROOT

from maple.runtime import devices

SCRIPT = """
import os, sys
from maple.runtime.gpu_locks import claim
claim(int(sys.argv[1]))
print("sees", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
print("counts by", os.environ.get("CUDA_DEVICE_ORDER"), flush=True)
sys.stdin.read()
"""


class Machine:
    """A machine whose jobs see GPUs; each is named by a letter, which ends its UUID."""

    def __init__(self, folder: Path, *letters: str):
        self.folder = folder
        self.name = uuid4().hex  # locks are those of the whole machine, on which other tests may run
        self.jobs: list[subprocess.Popen] = []
        self.has(*letters)

    def uuid(self, letter: str) -> str:
        return f"GPU-{letter}-{self.name}"

    def has(self, *letters: str) -> None:
        """Show these GPUs to later jobs; the locks stay."""
        self.says(*(f"GPU {number}: Toy (UUID: {self.uuid(letter)})" for number, letter in enumerate(letters)))

    def says(self, *lines: str, status: int = 0) -> None:
        """Let nvidia-smi print these lines."""
        (self.folder / "bin").mkdir(exist_ok=True)
        nvidia_smi = self.folder / "bin" / "nvidia-smi"
        nvidia_smi.write_text("\n".join(["#!/bin/sh", *(f"echo '{line}'" for line in lines), f"exit {status}"]) + "\n")
        nvidia_smi.chmod(0o755)

    def environment(self, **variables: str) -> dict[str, str]:
        overrides = {"PATH": f"{self.folder / 'bin'}:/bin:/usr/bin", "TMPDIR": str(self.folder)}
        return (
            {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
            | overrides
            | variables
        )

    def job(self, gpus: int = 1, **variables: str) -> subprocess.Popen:
        """Start a job that reserves GPUs and runs until it is stopped."""
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", SCRIPT, str(gpus)],
            cwd=ROOT,
            env=self.environment(**variables),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.jobs.append(process)
        return process

    def stop(self, *jobs: subprocess.Popen) -> None:
        for job in jobs:
            job.kill()
            job.wait()
            job.stdin.close()
            job.stdout.close()


def next_line(job: subprocess.Popen) -> str:
    """Wait for the next line that a job prints, and return it."""
    return job.stdout.readline().rstrip("\n")


def visible_gpus(job: subprocess.Popen) -> str:
    """Return CUDA_VISIBLE_DEVICES of a job that has reserved its GPUs."""
    while not (line := next_line(job)).startswith("sees "):
        assert line and "Error" not in line, line
    return line.removeprefix("sees ")


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path, "a", "b")
    yield machine
    machine.stop(*machine.jobs)


def test_cuda_counts_gpus_as_nvidia_smi_does(machine):
    job = machine.job()
    assert visible_gpus(job) == "0" and next_line(job) == "counts by PCI_BUS_ID"


def test_two_parallel_jobs_reserve_different_gpus(machine):
    assert {visible_gpus(machine.job()), visible_gpus(machine.job())} == {"0", "1"}


def test_a_third_job_waits_until_one_of_two_has_ended(machine):
    first, second = machine.job(), machine.job()
    visible_gpus(first), visible_gpus(second)
    third = machine.job()
    assert next_line(third) == "waiting for 1 of the GPUs 0, 1: other jobs have them"
    machine.stop(second)
    assert next_line(third).startswith("GPU ")


def test_the_gpu_of_a_killed_job_is_free_again(machine):
    machine.has("a")
    first = machine.job()
    assert visible_gpus(first) == "0"
    machine.stop(first)  # by SIGKILL
    assert next_line(machine.job()) == "GPU 0"


def test_a_job_of_two_gpus_holds_none_while_it_waits_for_both(machine):
    first = machine.job()
    visible_gpus(first)
    greedy = machine.job(gpus=2)
    assert next_line(greedy).startswith("waiting for 2")
    second = machine.job()
    assert visible_gpus(second) != ""
    machine.stop(first, second)
    assert visible_gpus(greedy) == "0,1"


def test_only_gpus_in_cuda_visible_devices_are_reserved(machine):
    assert visible_gpus(machine.job(CUDA_VISIBLE_DEVICES="1")) == "1"
    assert next_line(machine.job(CUDA_VISIBLE_DEVICES="1")).startswith("waiting for 1 of the GPUs 1:")
    assert visible_gpus(machine.job(CUDA_VISIBLE_DEVICES=machine.uuid("a"))) == machine.uuid("a")
    assert next_line(machine.job(CUDA_VISIBLE_DEVICES="0")).startswith("waiting")


def test_a_short_uuid_is_the_gpu_that_begins_with_it(machine):
    assert visible_gpus(machine.job(CUDA_VISIBLE_DEVICES="GPU-b")) == machine.uuid("b")
    assert next_line(machine.job(CUDA_VISIBLE_DEVICES="1")).startswith("waiting")
    assert next_line(machine.job(CUDA_VISIBLE_DEVICES=f"GPU-b-{machine.name[:5]}")).startswith("waiting")


def test_a_gpu_that_is_named_twice_is_one(machine):
    assert visible_gpus(machine.job(CUDA_VISIBLE_DEVICES="0,GPU-a")) in ("0", machine.uuid("a"))
    assert "the job wants 2 GPUs and may use" in machine.job(gpus=2, CUDA_VISIBLE_DEVICES="1,GPU-b").stdout.read()


@pytest.mark.parametrize("name", ["7", "GPU-c", "GPU-", "MIG-1"])
def test_a_name_that_no_gpu_has_or_several_is_told_with_those_that_there_are(machine, name):
    told = machine.job(CUDA_VISIBLE_DEVICES=name).stdout.read()
    assert f"GPUError: CUDA_VISIBLE_DEVICES: {name!r} is " in told
    assert f"nvidia-smi -L lists: 0 ({machine.uuid('a')}), 1 ({machine.uuid('b')})" in told


def test_the_parts_of_a_divided_gpu_are_reserved_one_by_one(machine):
    parts = [f"MIG-{part}-{machine.name}" for part in "xy"]
    machine.says(
        f"GPU 0: Toy (UUID: {machine.uuid('a')})",
        *(f"  MIG 3g.20gb     Device  {number}: (UUID: {part})" for number, part in enumerate(parts)),
        f"GPU 1: Toy (UUID: {machine.uuid('b')})",
    )
    assert {visible_gpus(machine.job()) for _ in range(3)} == {*parts, "1"}
    assert next_line(machine.job(CUDA_VISIBLE_DEVICES="MIG-x")) == f"waiting for 1 of the GPUs {parts[0]}: " + (
        "other jobs have them"
    )


def test_jobs_with_temporary_folders_of_their_own_do_not_share_a_gpu(machine, tmp_path):
    (tmp_path / "other").mkdir()
    assert visible_gpus(machine.job(CUDA_VISIBLE_DEVICES="0")) == "0"
    second = machine.job(CUDA_VISIBLE_DEVICES="0", TMPDIR=str(tmp_path / "other"))
    assert next_line(second).startswith("waiting")
    assert next_line(machine.job(CUDA_VISIBLE_DEVICES="0", TMPDIR="/not/there")).startswith("waiting")


@pytest.mark.parametrize("status", [1, 9, 255])
def test_a_driver_that_does_not_answer_stops_the_job(machine, status):
    machine.says("NVIDIA-SMI has failed because it couldn-t communicate with the NVIDIA driver.", status=status)
    told = machine.job().stdout.read()
    assert f"GPUError: nvidia-smi -L fails with status {status} (NVIDIA-SMI has failed" in told
    assert "export CUDA_VISIBLE_DEVICES= (empty) for the CPU to compute" in told
    assert "sees" not in told
    assert visible_gpus(machine.job(CUDA_VISIBLE_DEVICES="")) == ""
    assert visible_gpus(machine.job(gpus=0)) == ""


def test_an_nvidia_smi_that_cannot_be_started_stops_the_job(machine):
    (machine.folder / "bin" / "nvidia-smi").write_text("no program")
    assert "GPUError: nvidia-smi cannot be started (" in machine.job().stdout.read()


def test_a_gpu_that_the_driver_cannot_read_is_told_until_the_others_are_named(machine):
    broken = "Unable to determine the device handle for gpu 0000:04:00.0: Unknown Error"
    machine.says(f"GPU 0: Toy (UUID: {machine.uuid('a')})", broken)
    assert f"nvidia-smi -L cannot read a GPU ({broken}); name the others in CUDA" in machine.job().stdout.read()
    assert visible_gpus(machine.job(CUDA_VISIBLE_DEVICES="0")) == "0"


def test_a_machine_whose_driver_has_no_gpu_computes_on_the_cpu_unless_one_was_given(machine):
    machine.says("No devices were found", status=6)
    assert next_line(machine.job()) == "no NVIDIA GPU: the CPU computes"
    assert (
        "'0' is no GPU of those that nvidia-smi -L lists: none" in machine.job(CUDA_VISIBLE_DEVICES="0").stdout.read()
    )


@pytest.mark.heavy
@pytest.mark.parametrize(("given", "told"), [("0", "the GPUs 0"), ("GPU-a,1", "the GPUs GPU-a, 1")])
def test_a_gpu_that_torch_does_not_find_stops_whatever_computes(monkeypatch, given, told):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    for compute in (devices.device, devices.compute_dtype, lambda: devices.prepare(1, 1)):
        with pytest.raises(
            devices.DeviceError, match=f"the job was given {told} .*CUDA_VISIBLE_DEVICES= .empty"
        ) as error:
            compute()
        assert "\n" not in str(error.value)


@pytest.mark.heavy
@pytest.mark.parametrize("given", ["", "-1", "NoDevFiles"])
def test_a_job_without_a_gpu_computes_on_the_cpu(monkeypatch, given):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert devices.device() == "cpu"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert devices.visible_names() is None


def test_two_jobs_of_slurm_that_both_call_their_gpu_0_do_not_wait_for_each_other(machine):
    machine.has("a")
    assert visible_gpus(machine.job(CUDA_VISIBLE_DEVICES="0")) == "0"
    machine.has("b")
    assert visible_gpus(machine.job(CUDA_VISIBLE_DEVICES="0")) == "0"


@pytest.mark.parametrize("hidden", ["", "-1", "NoDevFiles"])
def test_hidden_gpus_are_neither_reserved_nor_waited_for(machine, hidden):
    job = machine.job(CUDA_VISIBLE_DEVICES=hidden)
    assert next_line(job) == "no NVIDIA GPU: the CPU computes"
    assert visible_gpus(job) == hidden


def test_without_a_gpu_nothing_is_set_or_waited_for(machine):
    machine.has()
    jobs = [machine.job(), machine.job()]
    assert [next_line(job) for job in jobs] == ["no NVIDIA GPU: the CPU computes"] * 2
    (machine.folder / "bin" / "nvidia-smi").unlink()
    assert [visible_gpus(job) for job in (*jobs, machine.job())] == ["None"] * 3


def test_a_job_with_zero_gpus_sees_none(machine):
    assert visible_gpus(machine.job(gpus=0)) == ""


def test_more_gpus_than_there_are_is_an_error_that_says_what_to_lower(machine):
    output = machine.job(gpus=3).stdout.read()
    assert "the job wants 3 GPUs and may use 0, 1 alone; lower its resource gpu" in output


@pytest.mark.heavy
def test_a_job_of_the_workflow_reserves_the_gpu_that_is_free(finished, machine, monkeypatch):
    project = finished.copy_to(machine.folder / "project")
    (project.folder / "results/generations/toy/none/none/seed0/swh_Latn.parquet").unlink()
    for name, value in machine.environment(PATH=f"{machine.folder / 'bin'}:{os.environ['PATH']}").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("MAPLE_ALLOW_CPU", "1")
    assert visible_gpus(machine.job()) == "0"
    project.snakemake("results/generations/toy/none/none/seed0/swh_Latn.parquet")
    assert "GPU 1\n" in (project.folder / "logs/generate/toy/none/none/seed0.log").read_text()
