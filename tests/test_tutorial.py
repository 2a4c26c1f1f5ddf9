"""docs/tutorial.md, done as it says: its files saved, its commands run in order, in a fresh copy of the project."""

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT, Project
from rich.text import Text
from terminal import picture, shown_lines, typed_in_terminal

PICTURE = ROOT / "docs/terminal.svg"
# Set to 1, it draws the picture anew from what the terminal shows in this run.
DRAW = "MAPLE_DRAW_TERMINAL"
RUN = "$ snakemake --cores all --configfile swahili.yaml"
FINISHED = re.compile(r" *(\d+ min )?\d+ s  (?P<rule>[a-z_]+)( \S+)*")
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
    printed = shown = ""
    for kind, title, text in BLOCKS:
        if title:
            (tmp_path / title).write_text(text, encoding="utf-8")
        elif kind == "console":
            for line in text.splitlines():
                if line == RUN:
                    status, shown = typed_in_terminal(line.removeprefix("$ "), tmp_path, environment)
                    assert status == 0, shown
                    continue
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
    in_the_terminal(shown)


def in_the_terminal(shown):
    # Until the line of progress last said what is left.
    *finished, progress = shown_lines(shown[: shown.rindex(" left") + len(" left")])
    said = Text.from_ansi(progress).plain
    assert re.search(r"\d+/25 jobs, 0:\d\d:\d\d about .* left$", said), said
    rules = [match["rule"] for line in finished if (match := FINISHED.fullmatch(line.rstrip()))]
    assert rules.count("finetune") == rules.count("merge") == 2, finished
    if os.environ.get(DRAW) == "1":
        PICTURE.write_text(picture([RUN, *finished[-18:], progress], "The terminal"), encoding="utf-8")
    drawn = html.unescape(re.sub(r"<[^>]+>", "", PICTURE.read_text(encoding="utf-8"))).replace("\xa0", " ")
    assert RUN in drawn and "finetune quick-llama/generated/lora-r16-4bit/seed1" in drawn and "25 jobs," in drawn
