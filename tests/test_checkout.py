"""A checkout wherever it lies, in whatever environment, and what is asked of it that it does not have."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from project import ROOT, Project

from maple.runtime.logs import check_checkout
from maple.runtime.supervisor import PathError, prefix

PROMPTS = "results/prompts/xnli/swh_Latn.parquet"
FORBIDDEN = ["it's", "a$b", "a(b)", "a&b", "x[1]", 'q"q', "h#h", "b\\s", "st*r", "{a,b}"]


@pytest.mark.parametrize("name", ["plain", "a b", "a  b c", "Büyük çalışma 一", *FORBIDDEN])
def test_make_says_at_once_where_it_cannot_work(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    done = subprocess.run(["make", "-n", "clean"], cwd=folder, text=True, capture_output=True)
    if name in FORBIDDEN:
        assert done.returncode and "move this folder to a path without quotes, brackets" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    else:
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", FORBIDDEN)
def test_so_does_snakemake(monkeypatch, name):
    monkeypatch.setattr(sys, "executable", f"/home/{name}/.venv/bin/python")
    with pytest.raises(PathError, match="move the folder to a path without it"):
        prefix(ROOT)


def python_in(folder: Path) -> str:
    """Return a Python below `folder` that has the packages of this one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    packages = next((folder / ".venv/lib").glob("*/site-packages"))
    (packages / "these.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return str(folder / ".venv/bin/python")


@pytest.mark.heavy
def test_a_path_with_spaces_a_bare_environment_and_other_packages_of_the_name_end_in_the_same_prompts(tmp_path):
    checkout, study, elsewhere = (tmp_path / name for name in ("my study/the checkout", "a working  folder", "else"))
    checkout.mkdir(parents=True)
    study.mkdir()
    project = Project.made_in(checkout)
    shutil.move(checkout / "study.yaml", study)
    for folder in (study, elsewhere):
        (folder / "maple").mkdir(parents=True)
        (folder / "maple/__init__.py").write_text("raise SystemExit('another maple')")
    (study / "results").mkdir()
    (study / "results/leaderboard.txt").write_text("Yorùbá ± 1\n", encoding="utf-8")
    (study / "results/report.html").touch()
    command = [python_in(checkout), *project.command("--directory", study, "-s", checkout / "Snakefile", PROMPTS)[1:]]
    bare = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "HOME": "/proc/none"}
    done = subprocess.run(
        command,
        cwd=study,
        env=bare | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(elsewhere)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert (study / PROMPTS).is_file() and not (checkout / "results").exists()
    assert "Yor?b? ? 1" in done.stdout and f"Report: {study / 'results/report.html'}" in done.stdout


def test_a_job_that_imported_another_package_of_the_name_says_so_and_stops(tmp_path):
    check_checkout(None)
    check_checkout(f"{ROOT}/tests/..")
    with pytest.raises(SystemExit, match=f"this job belongs to {tmp_path} and has imported maple from {ROOT}: "):
        check_checkout(str(tmp_path))


@pytest.mark.parametrize(
    ("encoding", "printed"), [("ascii", "Yor?b?\n"), ("latin-1", "Yor?bá\n"), ("utf-8", "Yorụbá\n")]
)
def test_a_terminal_shows_what_it_can(encoding, printed):
    code = "from maple.runtime.logs import show; show('Yor\\u1ee5b\\xe1')"
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert done.stdout.decode(encoding) == printed


def test_a_terminal_that_is_gone_is_no_error():
    code = "import os, sys; from maple.runtime.logs import show; show('x' * 99999); os._exit(0)"
    with open("/dev/full", "w") as full:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        assert subprocess.run([sys.executable, "-c", code], env=environment, stdout=full).returncode == 0


UNKNOWN = [
    "xyz_Latn",
    "deu_Latn",
    "results/scores/other/little/lora-r2-16bit/seed1/swh_Latn.parquet",
    "results/adapters/toy/little/lora-r3-16bit/seed1",
    "results/mixtures/none.parquet",
    "results/prompts/other/swh_Latn.parquet",
    "results/prompts/xnli/deu_Latn.parquet",
    "results/hub/other",
]


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    return Project.made_in(tmp_path_factory.mktemp("planned"))


@pytest.mark.heavy
@pytest.mark.parametrize("target", UNKNOWN)
def test_what_the_config_does_not_have_is_answered_by_one_line(planned, target):
    printed = planned.snakemake("-n", target, fails=True)
    answer = printed.partition("Building DAG of jobs...\n")[2]
    assert f"No rule to produce {target}" in answer and "Error" not in answer and "Traceback" not in answer
    assert len(answer.splitlines()) == 3, answer  # the kind of error, the answer, and which profile was used


@pytest.mark.heavy
def test_another_working_folder_may_have_a_default_study_of_its_own(planned, tmp_path):
    (tmp_path / "config").mkdir()
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    (tmp_path / "config/config.yaml").write_text(
        yaml.safe_dump(default | {"tasks": ["xquad"], "languages": ["swh_Latn"]})
    )
    command = [sys.executable, "-m", "snakemake", "-n", "-s", planned.folder / "Snakefile", "--directory", tmp_path]
    done = subprocess.run([*command, "--quiet", "rules"], text=True, capture_output=True)
    assert re.search(r"^render_prompts +1$", done.stderr + done.stdout, re.M)
