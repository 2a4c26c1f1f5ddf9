"""The study on a real Slurm: its jobs are cancelled, run out of time and lose their node, and nothing is done twice."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
from cluster import NODES, Cluster, lacking
from project import TOY_STUDY

pytestmark = pytest.mark.heavy
# What a Slurm of one machine lacks: accounting, files that take time to be seen, and the time to be asked seldom.
ONE_MACHINE = (
    *("--slurm-no-account", "--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5"),
)
BASE, RANK_4 = "toy/none/none/seed0", "toy/little/lora-r4-16bit/seed1"
SECONDS = 900  # a machine with other work needs many times the two minutes of a free one


class Study:
    """The toy study, finished on one machine, that goes on in a cluster."""

    def __init__(self, folder, cluster: Cluster):
        self.results, self.logs, self.cluster = folder / "results", folder / "logs", cluster
        command = (
            str(Path(__file__).with_name("often.py")),
            "--configfile",
            "study.yaml",
            "--workflow-profile",
            "slurm",
            *ONE_MACHINE,
        )
        self.output = folder / "output.txt"
        with open(self.output, "w") as output:
            self.snakemake = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env=cluster.environment | {"PYTHONDONTWRITEBYTECODE": "1"},
                stdout=output,
                stderr=output,
            )

    def wait(self, ready) -> None:
        deadline = time.monotonic() + SECONDS
        while not ready():
            assert time.monotonic() < deadline and self.snakemake.poll() is None, self.output.read_text()
            time.sleep(0.02)

    def job(self, run: str) -> dict[str, str]:
        """Return Slurm's newest job that generates a run: its id, state, limit of time, and memory."""
        wildcards = run.replace("/seed", "/").replace("/", "_")
        listed = self.cluster.run("squeue", "--states=all", "--sort=-i", "--noheader", "--format=%k|%i|%T|%l|%m")
        jobs = [line.split("|") for line in listed.splitlines()]
        rows = [row[1:] for row in jobs if row[0] == f"rule_generate_wildcards_{wildcards}"]
        return dict(zip(("id", "state", "time", "memory"), rows[0], strict=True)) if rows else {}

    def journal(self, run: str) -> list[str]:
        path = self.results / "generations" / run / "journal.jsonl"
        return [json.loads(line)["key"] for line in path.read_text().splitlines()] if path.is_file() else []

    def freeze(self, *runs: str) -> dict[str, list[str]]:
        """Stop the work of runs once it has added to their journals; Slurm takes them for running. Return the keys."""
        before = {run: len(self.journal(run)) for run in runs}
        jobs = {}

        def frozen() -> bool:
            for run in before.keys() - jobs.keys():
                if len(self.journal(run)) > before[run] and (job := self.job(run)):
                    jobs[run] = job["id"]
                    for process in self.cluster.processes(job["id"], ".generate.py"):
                        os.kill(process, signal.SIGSTOP)
            return before.keys() == jobs.keys()

        self.wait(frozen)
        return {run: self.journal(run) for run in runs}

    def card(self, run: str) -> dict:
        return json.loads((self.results / "cards" / run / "generate.json").read_text())


@pytest.fixture(scope="module")
def cluster():
    if programs := lacking():
        pytest.skip(f"no Slurm to start here: {', '.join(programs)} not installed")
    if os.geteuid():
        pytest.skip("no Slurm to start here: its daemons were tried as root alone")
    with Cluster() as cluster:
        yield cluster


def test_jobs_that_lose_their_node_or_their_time_or_are_cancelled_go_on_where_they_were(finished, cluster, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    before = {path: path.stat().st_mtime_ns for path in project.folder.glob("results/*/**/*") if path.is_file()}
    project.study(
        items=100,  # 400 prompts a run, four a line of the journal
        generate=TOY_STUDY["generate"] | {"batch": 1},
        grid=[TOY_STUDY["grid"][0] | {"methods": {"lora": {"rank": [4], "bits": [16]}}}],
    )
    study = Study(project.folder, cluster)
    lost = study.freeze(BASE, RANK_4)
    gpus = {(study.logs / f"generate/{run}.log").read_text().splitlines()[0] for run in lost}
    assert gpus == {"GPU 0", "GPU 1"}
    assert study.job(RANK_4)["time"] == "8:00:00"
    gone = [study.job(run)["id"] for run in lost]
    cluster.run("scontrol", "update", f"NodeName={NODES[0]}", "State=DOWN", "Reason=test")
    for process in (process for job in gone for process in cluster.processes(job, "")):
        with suppress(ProcessLookupError):  # a node that is down computes nothing more
            os.kill(process, signal.SIGKILL)

    kept = study.freeze(BASE, RANK_4)
    assert all(set(lost[run]) < set(kept[run]) for run in kept)
    cancelled, late = (study.job(run)["id"] for run in (BASE, RANK_4))
    cluster.run("scancel", cancelled)
    cluster.run("scontrol", "update", f"JobId={late}", "EndTime=now")
    assert study.snakemake.wait(timeout=SECONDS) == 0, study.output.read_text()
    output = study.output.read_text()
    assert output.count("failed due to a node failure, SLURM status is: 'NODE_FAIL'") == 2
    assert f"SLURM-job '{cancelled}' failed, SLURM status is: 'CANCELLED'" in output
    assert f"SLURM-job '{late}' failed, SLURM status is: 'TIMEOUT'" in output
    assert (study.job(RANK_4)["time"], study.job(RANK_4)["memory"]) == ("1-00:00:00", "96000M")
    for run, keys in kept.items():
        card = study.card(run)
        assert len(keys) == len(set(keys)) <= card["carried_over"] < card["distinct"], run
        assert card["computed"] == card["distinct"] - card["carried_over"]
    summary = pl.read_parquet(project.folder / "results/summary.parquet")
    assert set(summary["method"]) == {"none", "lora-r4-16bit"}
    # Of what one machine had computed, only what has to do with the new items is made anew; what nobody asks for goes.
    kept = [path for path in before if path.is_file()]
    anew = {path.relative_to(study.results).parts[0] for path in kept if path.stat().st_mtime_ns != before[path]}
    assert anew.isdisjoint({"base", "synthesized", "examples", "mixtures", "held_out", "adapters", "merged"})
    assert len(list((study.logs / "slurm/rule_generate").rglob("*.log"))) == 6
    assert project.jobs() == {}
