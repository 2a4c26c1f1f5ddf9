"""Choices are ranked as lm-eval ranks them."""

import subprocess
import sys

import pytest
from project import ROOT

SHARED = ROOT.parent / "shared" / "data"


def compared(script, items):
    """Run a comparison on the first rows of each task and language; return what it printed."""
    if not SHARED.is_dir():
        pytest.skip(f"real rows are not there: {SHARED}")
    if not (ROOT / ".lm-eval/done").is_file():
        pytest.skip("lm-eval is not installed: make .lm-eval/done")
    command = [sys.executable, f"benchmarks/{script}.py", "--data", str(SHARED), "--items", str(items)]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.heavy
def test_a_base_is_asked_the_tasks_of_lm_eval_as_it_asks_them():
    printed = compared("lm_eval_shipped_tasks", 2)
    assert printed.startswith("68 items") and printed.endswith("texts, tokens or answers that differ: 0\n")


@pytest.mark.heavy
def test_choices_are_ranked_item_by_item_as_lm_eval_ranks_them():
    printed = compared("lm_eval_agreement", 40)
    assert printed.count("items answered differently: 0") >= 2
