"""Choices are ranked as lm-eval ranks them."""

import subprocess
import sys

import pytest
from project import ROOT

SHARED = ROOT.parent / "shared" / "data"


@pytest.mark.heavy
def test_choices_are_ranked_item_by_item_as_lm_eval_ranks_them():
    if not SHARED.is_dir():
        pytest.skip(f"real rows are not there: {SHARED}")
    if not (ROOT / ".lm-eval/done").is_file():
        pytest.skip("lm-eval is not installed: make .lm-eval/done")
    script = [sys.executable, "benchmarks/lm_eval_agreement.py", "--data", str(SHARED), "--items", "40"]
    done = subprocess.run(script, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("items answered differently: 0") >= 2
