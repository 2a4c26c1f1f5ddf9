"""What goes wrong on machines, and in files that others made: nothing is lost or stale, and a message tells it."""

import json
import os
import random
import re
import resource
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from project import Project

from maple.data.sources import LocalSource, RowFile, SourceError, read_rows

RUN = "toy/little/lora-r2-16bit/seed1"
# How often a study's Snakemake is killed before the study may end; MAPLE_KILLS=20 takes some ten minutes.
KILLS = int(os.environ.get("MAPLE_KILLS", "4"))
# What the rules of a run write, the last one first: what a stage needs is there when its turn comes.
STAGES = {
    "report": ["report.html"],
    "summarize": [
        *("summary.parquet", "summary.csv", "groups.parquet", "groups_by_task.parquet"),
        *("domains.parquet", "methods.parquet"),
        *("questions.json", "leaderboard.parquet", "leaderboard.txt"),
    ],
    "score": [f"scores/{RUN}/swh_Latn.parquet"],
    "generate": [f"generations/{RUN}/{code}.parquet" for code in ("eng_Latn", "swh_Latn")],
    "cluster": ["clusters/xquad/swh_Latn.parquet"],
    "render_prompts": ["prompts/xquad/swh_Latn.parquet"],
    "merge": [f"merged/{RUN}", f"cards/{RUN}/merge.json"],
    "finetune": [f"adapters/{RUN}", f"cards/{RUN}/finetune.json"],
    "mix": ["mixtures/little.parquet", "held_out/little.parquet", "cards/mix/little.json"],
    "curate": ["examples/little/swh_Latn.parquet", "dropped/little/swh_Latn.parquet"],
    "synthesize": ["synthesized/little/swh_Latn.parquet", "cards/synthesize/little/swh_Latn.json"],
    "base": ["base/toy"],
}


def summary(project: Project) -> pl.DataFrame:
    return pl.read_parquet(project.folder / "results/summary.parquet")


def leftovers(project: Project) -> list[Path]:
    results = project.folder / "results"
    return [*results.rglob("*.part"), *results.rglob("journal*")]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 MB in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small disk to be had, which takes root: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.heavy
def test_a_full_disk_is_named_by_every_stage_and_the_same_command_goes_on(finished, small_disk, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    shutil.move(project.folder / "results", small_disk / "results")
    (project.folder / "results").symlink_to(small_disk / "results")
    filler = small_disk / "filler"
    for stage, outputs in STAGES.items():
        for path in (small_disk / "results" / output for output in outputs):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        with open(filler, "wb") as file:
            file.write(bytes(shutil.disk_usage(small_disk).free))
        printed = project.snakemake(f"results/{outputs[0]}", fails=True)
        assert f"Error in rule {stage}" in printed and "No space left on device" in printed, printed
        filler.unlink()
    project.snakemake()
    assert_frame_equal(summary(project), summary(finished))
    assert leftovers(project) == []


@pytest.mark.heavy
def test_a_job_that_reaches_the_limit_of_memory_fails_and_the_same_command_goes_on(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    project.study(items=5)
    project.snakemake("--until", "render_prompts")
    limit = 1_500_000_000  # bytes of addresses: snakemake has enough, torch has not
    done = subprocess.run(
        project.command("swh_Latn"),
        cwd=project.folder,
        text=True,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode and "Error in rule generate" in done.stdout + done.stderr
    # What the job would have replaced is back, and not taken for new.
    assert project.jobs("swh_Latn") == {"generate": 2, "score": 2, "swh_Latn": 1}
    project.snakemake()
    assert 5 in set(summary(project)["n"]) and project.jobs() == {} and leftovers(project) == []


def processes_in(folder: Path) -> list[str]:
    """Return the commands of the processes whose working folder is `folder` or below."""
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if (process / "cwd").readlink().is_relative_to(folder):
                commands.append((process / "cmdline").read_text().replace("\0", " "))
    return commands


def killed(project: Project, moments: random.Random) -> str:
    """Start the study, kill Snakemake alone while it plans or runs some job, and return its words."""
    words = project.folder / "words"
    jobs = moments.randrange(-1, 60 // KILLS)  # so many of thirty are to finish first; -1: it plans

    def ready() -> bool:
        text = words.read_text()
        return jobs < 0 or ("Select jobs to execute" in text and text.count("Finished jobid") >= jobs)

    with words.open("w") as file:
        process = subprocess.Popen(project.command(), cwd=project.folder, stdout=file, stderr=file)
    while process.poll() is None and not ready():
        time.sleep(0.02)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=moments.uniform(0, 5))
    process.kill()
    process.wait()
    return words.read_text()


def outputs_of_jobs(words: str) -> tuple[set[str], set[str]]:
    """Return what Snakemake has said: the outputs of the jobs that it has started, and of those that have finished."""
    blocks = re.findall(r"^(?:local)?rule \w+:\n((?:    .*\n)+)", words, re.M)
    fields = [dict(re.findall(r"^    (output|jobid): (.*)$", block, re.M)) for block in blocks]
    outputs = {job["jobid"]: job["output"] for job in fields if "output" in job}
    finished = set(re.findall(r"^Finished jobid: (\d+)", words, re.M))
    return set(outputs.values()), {output for job, output in outputs.items() if job in finished}


@pytest.mark.heavy
def test_a_study_whose_snakemake_is_killed_at_random_moments_ends_in_the_same_summary(finished, tmp_path):
    project = Project.made_in(tmp_path)
    moments = random.Random(KILLS)
    done: set[str] = set()
    for _ in range(KILLS):
        words = killed(project, moments)
        deadline = time.monotonic() + 30
        while (left := processes_in(tmp_path)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left == [], words
        started, ended = outputs_of_jobs(words)
        assert not started & done, words
        done |= ended
    words = project.snakemake()
    assert not outputs_of_jobs(words)[0] & done, words
    assert_frame_equal(summary(project), summary(finished))
    assert leftovers(project) == []
    assert project.jobs() == {}


@pytest.mark.heavy
def test_a_second_workflow_in_the_same_folder_is_told_who_is_there_and_a_killed_one_locks_nobody_out(
    finished, tmp_path
):
    project = finished.copy_to(tmp_path / "project")
    process = subprocess.Popen(
        project.command("--forcerun", "finetune"),
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (project.folder / "results/.lock").exists():
        assert process.poll() is None
        time.sleep(0.02)
    printed = project.snakemake("--forcerun", "score", fails=True)
    holder = f"process {process.pid} on {socket.gethostname()} runs a study in this folder"
    assert f"{holder}: wait until it has ended, or end it" in printed and "Traceback" not in printed
    assert project.jobs("--forcerun", "score")  # a plan writes nothing
    process.kill()
    process.wait()
    project.snakemake("--until", "summarize")
    assert_frame_equal(summary(project), summary(finished))


def shift(project: Project, hours: float) -> None:
    """Date everything as if the clock had been wrong by so many hours when it was made."""
    for path in sorted(project.folder.rglob("*"), key=lambda path: len(path.parts), reverse=True):
        seconds = path.stat().st_mtime + 3600 * hours
        os.utime(path, (seconds, seconds))


@pytest.mark.heavy
def test_a_folder_of_results_is_current_wherever_it_is_moved_and_whatever_its_clock_said(finished, tmp_path):
    project = finished.copy_to(tmp_path / "Büyük çalışma 一")
    assert project.jobs() == {}
    shift(project, -9000)
    assert project.jobs() == {}
    project.study(items=5)
    project.snakemake()
    assert 5 in set(summary(project)["n"]) and project.jobs() == {}


@pytest.mark.heavy
def test_results_from_the_future_are_refused_until_they_are_dated_anew(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    shift(project, 1)
    assert project.jobs() == {}
    project.study(items=5)
    assert "This could indicate a clock skew" in project.snakemake(fails=True)
    yesterday = time.time() - 24 * 3600  # to be older than what is made now
    for path in (path for path in project.folder.rglob("*") if path.stat().st_mtime > time.time()):
        os.utime(path, (yesterday, yesterday))
    assert "finetune" not in project.jobs()
    project.snakemake()
    assert 5 in set(summary(project)["n"]) and project.jobs() == {}


@pytest.mark.heavy
def test_rows_in_a_folder_that_cannot_be_written_are_read(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    data = tmp_path / "data"
    data.mkdir()
    rows = [
        {"instruction": f"Count to {number}.", "input": "", "output": f"I count to {number}."} for number in range(9)
    ]
    (data / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (data / "rows.jsonl").chmod(0o444)
    data.chmod(0o555)
    project.write(
        "config/datasets/loaded.yaml",
        {
            "recipe": "load",
            "languages": ["eng_Latn"],
            "load": {"local": {"path": "{data}/rows.jsonl"}},
            "curate": {},
            "mix": {"rows": None, "alpha": 1.0, "seed": 1, "held_out": 1},
        },
    )
    grid = {"models": ["toy"], "datasets": ["loaded"], "methods": {"lora": {"rank": [2], "bits": [16]}}, "seeds": [1]}
    project.study(data=str(data), grid=[grid])
    command = project.command("results/mixtures/loaded.parquet")
    if os.geteuid() == 0:  # root writes anywhere, unless it is told not to
        drop = ["setpriv", "--bounding-set", "-dac_override", "--inh-caps", "-dac_override"]
        command = [*drop, *command]
    done = subprocess.run(command, cwd=project.folder, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert pl.read_parquet(project.folder / "results/synthesized/loaded/eng_Latn.parquet").height == len(rows)
    assert [path.name for path in data.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "line 2 is not JSON"),
        ('{"a": ' + "9" * 10_000 + "}", "line 2 is not JSON"),
        ('{"a": "' + "x" * 2_000_000 + '"}', "row 2: a has 2,000,000 characters"),
        ('{"a": "\\ud800"}', "row 2: a is no text"),
    ],
    ids=[
        "nested a hundred thousand deep",
        "a number of ten thousand digits",
        "two million characters",
        "half a character",
    ],
)
def test_a_row_of_absurd_size_or_shape_is_named(tmp_path, line, says):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "b"}\n' + line + "\n")
    with pytest.raises(SourceError, match=says):
        read_rows(LocalSource(local=RowFile(path=str(path))), ["a"])


def test_a_file_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes('{"a": "é"}\n'.encode("latin-1"))
    with pytest.raises(SourceError, match="is not UTF-8 in line 1"):
        read_rows(LocalSource(local=RowFile(path=str(path))), ["a"])


@pytest.mark.heavy
def test_a_folder_of_pickled_weights_is_no_model(toy_base, tmp_path):
    import torch
    from safetensors.torch import load_file

    from maple.models.causal import load

    folder = tmp_path / "pickled"
    shutil.copytree(toy_base, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match="safetensors"):
        load(folder, bits=16)


@pytest.mark.heavy
def test_code_in_a_model_s_folder_is_not_run(toy_base, tmp_path):
    from maple.models.causal import load

    folder = tmp_path / "coded"
    shutil.copytree(toy_base, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(ValueError, match="trust_remote_code"):
        load(folder, bits=16)
    assert not (tmp_path / "ran").exists()
