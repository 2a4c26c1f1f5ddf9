"""docs/tutorial.md, done as it says: its files saved, its commands run in order, in a fresh copy of the project."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT, Project

BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.M | re.S)
BLOCKS = BLOCK.findall((ROOT / "docs/tutorial.md").read_text(encoding="utf-8"))


def test_each_block_is_a_file_to_save_or_commands_to_run_or_what_one_prints():
    for kind, title, text in BLOCKS:
        assert bool(title) == (kind in ("yaml", "python")), text
        assert kind in ("yaml", "python", "console", "text"), text
        assert kind != "console" or all(line.startswith("$ ") for line in text.splitlines()), text


@pytest.mark.heavy
def test_every_command_of_the_tutorial_runs_and_plans_the_jobs_that_it_shows(tmp_path):
    Project.made_in(tmp_path)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    printed = ""
    for kind, title, text in BLOCKS:
        if title:
            (tmp_path / title).write_text(text, encoding="utf-8")
        elif kind == "console":
            for line in text.splitlines():
                done = subprocess.run(
                    line.removeprefix("$ "),
                    shell=True,
                    cwd=tmp_path,
                    env=environment,
                    text=True,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
                printed = done.stdout
                assert done.returncode == 0, f"{line}\n{printed}"
        elif text.startswith("job "):  # other figures depend on the machine's arithmetic
            assert text in printed, printed
    answers = json.loads((tmp_path / "results/questions.json").read_text())["questions"]
    assert [answer["question"] for answer in answers if "effect" in answer] == ["bits"]
    assert (tmp_path / "results/report.html").is_file()
