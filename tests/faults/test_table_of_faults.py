"""Each stage meets each fault: it refuses with the file's name, heals, or the fault does no harm; nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT

FAULTS = ["torn", "zero", "flipped", "missing", "read-only", "full", "killed", "two at once", "clock"]
LIGHT = [
    *("synthesize", "curate", "mix", "render_prompts", "cluster", "score", "summarize", "count_labels"),
    *("report", "tabulate", "draw", "export", "describe"),
]
# `fetch` and `upload` need a Hub, `guard` real test rows, the rules of attached adapters, of labelled data, of
# translations and of pictures another study; `forecast`, `plan` and `settled` write logs.
ELSEWHERE = {
    *("fetch", "guard", "generate_attached", "compare_attached", "forecast", "plan", "settled", "upload"),
    *("head", "label", "curate_labelled", "curate_parallel", "round_trip", "back_translate"),
    *("pictures", "curate_pictures", "sample_answers"),
}
WITH_MODELS = ["base", "finetune", "merge", "generate"]


def table(rows: list[list[str]]) -> str:
    """Return the outcomes as lines of text: a line per stage and file, a column per fault."""
    cells = {(rule, name): {} for rule, name, _, _ in rows}
    for rule, name, fault, outcome in rows:
        cells[rule, name][fault] = outcome
    lines = [f"{'stage: file':44}" + "".join(f"{fault:13}" for fault in FAULTS)]
    for (rule, name), outcomes in cells.items():
        lines.append(f"{rule + ': ' + name:44}" + "".join(f"{outcomes.get(fault, '-'):13}" for fault in FAULTS))
    return "\n".join(line.rstrip() for line in lines)


def test_the_table_has_every_rule():
    assert {path.stem for path in (ROOT / "workflow/scripts").glob("*.py")} == {*LIGHT, *WITH_MODELS, *ELSEWHERE}


@pytest.mark.heavy
@pytest.mark.parametrize("rules", [LIGHT, WITH_MODELS], ids=["without models", "with models"])
def test_every_fault_in_every_stage_is_refused_by_name_healed_or_harmless(finished, tmp_path, rules, record_property):
    project = finished.copy_to(tmp_path / "project")
    plan, outcomes = tmp_path / "plan.pickle", tmp_path / "outcomes.json"
    environment = os.environ | {"PYTHONPATH": str(project.folder)}
    for program in (
        ["plan.py", plan, "--configfile", "study.yaml", "--cores", "2"],
        ["jobs.py", plan, outcomes, *rules],
    ):
        command = [sys.executable, Path(__file__).with_name(program[0]), *program[1:]]
        done = subprocess.run(
            command, cwd=project.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert done.returncode == 0, done.stdout
    rows = json.loads(outcomes.read_text())
    record_property("table of faults", table(rows))  # tests/conftest.py prints it at the end
    assert {rule for rule, *_ in rows} == set(rules)
    assert [row for row in rows if row[3] not in ("refused", "healed", "harmless")] == []
