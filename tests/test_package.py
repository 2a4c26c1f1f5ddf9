"""The project as a package: what is installed, which licence it has, and that its parts say the same."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import PurePath

import pytest
import yaml
from project import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_wheel_holds_every_module_and_template_and_the_licence(tmp_path):
    for part in ("maple", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        copy(ROOT / part, tmp_path / part)
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", "out", "."]
    subprocess.run(wheel, cwd=tmp_path, check=True, capture_output=True)
    (file,) = (tmp_path / "out").glob("maple-*.whl")
    held = set(zipfile.ZipFile(file).namelist())
    source = (path.relative_to(ROOT) for path in (ROOT / "maple").rglob("*") if path.suffix in (".py", ".jinja"))
    assert {path.as_posix() for path in source} <= held
    assert [name for name in held if PurePath(name).name == "LICENSE"]


def test_the_citation_names_the_version_and_the_licence_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = PYPROJECT["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert [{"name": author["name"]} for author in project["authors"]] == citation["authors"]
    assert citation["references"][0]["identifiers"][0]["value"] == "arXiv:2401.07598"


def test_every_tool_of_the_dev_group_is_pinned():
    pins = {line.partition("==")[0] for line in (ROOT / "requirements/dev.txt").read_text().splitlines()}
    assert {name.partition("[")[0] for name in PYPROJECT["dependency-groups"]["dev"]} <= pins


@pytest.mark.parametrize("name", ["cpu", "gpu", "dev", "lm_eval", "uv"])
def test_every_file_that_is_installed_has_a_hash_in_the_lock(name):
    entries = re.split(r"\n(?=\S)", (ROOT / f"requirements/{name}.txt").read_text().strip())
    for entry in entries:
        first, *hashes = entry.replace("\\\n", " ").split()
        assert re.fullmatch(r"[\w.-]+==[\w.+!]+", first)
        assert hashes and all(re.fullmatch("--hash=sha256:[0-9a-f]{64}", each) for each in hashes), first
    make = (ROOT / "Makefile").read_text()
    installs = [line for line in make.splitlines() if " -r requirements/" in line and "torch.txt" not in line]
    assert len(installs) == 4 and all("--no-deps --require-hashes" in line for line in installs)
    assert "--generate-hashes" in make


def test_every_hook_runs_a_tool_of_the_lock_and_make_lint_runs_it_too():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in hooks] == ["local"]
    lint = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0].splitlines()[1:]
    tools = {line.split()[0] for line in lint}
    assert {hook["entry"].split()[0] for hook in hooks[0]["hooks"]} <= tools
    assert {hook["language"] for hook in hooks[0]["hooks"]} == {"system"}


def test_the_workflow_of_ci_calls_make_and_nothing_that_make_does_not_know():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = {command.split()[1] for command in commands if command.startswith("make ")}
    assert targets == {"lint", "test", "run"}
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in targets)
