"""Which GPU a job takes, on machines whose nvidia-smi is a script."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT

SCRIPT = """
import os, sys
from maple.runtime.gpu_locks import claim
claim(int(sys.argv[1]))
print("sees", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
print("counts by", os.environ.get("CUDA_DEVICE_ORDER"), flush=True)
sys.stdin.read()
"""


class Machine:
    """Where jobs see the GPUs that are called by these UUIDs."""

    def __init__(self, folder: Path, *uuids: str):
        self.folder = folder
        self.jobs: list[subprocess.Popen] = []
        self.has(*uuids)

    def has(self, *uuids: str) -> None:
        """Show jobs from now on these GPUs; locks stay where they were."""
        (self.folder / "bin").mkdir(exist_ok=True)
        lines = [f"echo 'GPU {number}: Toy (UUID: {uuid})'" for number, uuid in enumerate(uuids)]
        nvidia_smi = self.folder / "bin" / "nvidia-smi"
        nvidia_smi.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
        nvidia_smi.chmod(0o755)

    def environment(self, **variables: str) -> dict[str, str]:
        own = {"PATH": f"{self.folder / 'bin'}:/bin:/usr/bin", "TMPDIR": str(self.folder)}
        return {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"} | own | variables

    def job(self, gpus: int = 1, **variables: str) -> subprocess.Popen:
        """Start a job that takes GPUs and computes until it is stopped."""
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


def said(job: subprocess.Popen) -> str:
    """Return the next line of a job; it is waited for."""
    return job.stdout.readline().rstrip("\n")


def seen(job: subprocess.Popen) -> str:
    """Return what a job that has taken its GPUs lets CUDA see."""
    while not (line := said(job)).startswith("sees "):
        assert line and "Error" not in line, line
    return line.removeprefix("sees ")


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path, "GPU-a", "GPU-b")
    yield machine
    machine.stop(*machine.jobs)


def test_cuda_counts_gpus_as_nvidia_smi_does(machine):
    job = machine.job()
    assert seen(job) == "0" and said(job) == "counts by PCI_BUS_ID"


def test_two_jobs_side_by_side_take_different_gpus(machine):
    assert {seen(machine.job()), seen(machine.job())} == {"0", "1"}


def test_a_third_job_waits_until_one_of_two_has_ended(machine):
    first, second = machine.job(), machine.job()
    seen(first), seen(second)
    third = machine.job()
    assert said(third) == "waiting for 1 of the GPUs 0, 1: other jobs have them"
    machine.stop(second)
    assert said(third).startswith("GPU ")


def test_the_gpu_of_a_killed_job_is_free_again(machine):
    machine.has("GPU-a")
    first = machine.job()
    assert seen(first) == "0"
    machine.stop(first)  # by SIGKILL
    assert said(machine.job()) == "GPU 0"


def test_a_job_of_two_gpus_holds_none_while_it_waits_for_both(machine):
    first = machine.job()
    seen(first)
    greedy = machine.job(gpus=2)
    assert said(greedy).startswith("waiting for 2")
    second = machine.job()
    assert seen(second) != ""
    machine.stop(first, second)
    assert seen(greedy) == "0,1"


def test_gpus_that_are_named_already_are_the_only_ones_to_take(machine):
    assert seen(machine.job(CUDA_VISIBLE_DEVICES="1")) == "1"
    assert said(machine.job(CUDA_VISIBLE_DEVICES="1")).startswith("waiting for 1 of the GPUs 1:")
    assert seen(machine.job(CUDA_VISIBLE_DEVICES="GPU-a")) == "GPU-a"
    assert said(machine.job(CUDA_VISIBLE_DEVICES="0")).startswith("waiting")


def test_two_jobs_of_slurm_that_both_call_their_gpu_0_do_not_wait_for_each_other(machine):
    machine.has("GPU-a")
    assert seen(machine.job(CUDA_VISIBLE_DEVICES="0")) == "0"
    machine.has("GPU-b")
    assert seen(machine.job(CUDA_VISIBLE_DEVICES="0")) == "0"


@pytest.mark.parametrize("hidden", ["", "-1", "NoDevFiles"])
def test_hidden_gpus_are_neither_taken_nor_waited_for(machine, hidden):
    job = machine.job(CUDA_VISIBLE_DEVICES=hidden)
    assert said(job) == "no NVIDIA GPU: the CPU computes"
    assert seen(job) == hidden


def test_without_a_gpu_nothing_is_set_or_waited_for(machine):
    machine.has()
    jobs = [machine.job(), machine.job()]
    assert [said(job) for job in jobs] == ["no NVIDIA GPU: the CPU computes"] * 2
    (machine.folder / "bin" / "nvidia-smi").unlink()
    assert [seen(job) for job in (*jobs, machine.job())] == ["None"] * 3


def test_a_job_of_no_gpu_sees_none(machine):
    assert seen(machine.job(gpus=0)) == ""


def test_more_gpus_than_there_are_is_an_error_that_says_what_to_lower(machine):
    output = machine.job(gpus=3).stdout.read()
    assert "the job wants 3 GPUs and may use 0, 1 alone; lower its resource gpu" in output


@pytest.mark.heavy
def test_a_job_of_the_workflow_takes_the_gpu_that_is_free(finished, machine, monkeypatch):
    project = finished.copy_to(machine.folder / "project")
    (project.folder / "results/generations/toy/none/none/seed0/swh_Latn.parquet").unlink()
    for name, value in machine.environment(PATH=f"{machine.folder / 'bin'}:{os.environ['PATH']}").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert seen(machine.job()) == "0"
    project.snakemake("results/generations/toy/none/none/seed0/swh_Latn.parquet")
    assert "GPU 1\n" in (project.folder / "logs/generate/toy/none/none/seed0.log").read_text()
