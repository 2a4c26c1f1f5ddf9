"""A kind of model is one module and one line of facts, added to a copy of the project and trained by its rules."""

import json

import pytest
import yaml
from project import Project

# A kind that reads the input of an example from its end; all else is that of causal models.
MODULE = '''"""Causal models that read backwards."""

from maple.models import causal
from maple.models.causal import (
    AUTO_CLASS, CORPUS, MEASURE, NEW_HEADS, PACKS, PEFT_TASK, build, collate, completion_logits, encoder_of, load,
    losses, parts_of, prepare_tokenizer, separate_packed_examples,
)


def encode(example, encoder):
    return causal.encode({**example, "input": example["input"][::-1]}, encoder)
'''
FACTS = 'KINDS["backwards"] = KINDS["causal"]\n'


@pytest.mark.heavy
def test_a_new_kind_is_one_module_and_one_line_and_is_trained(wide_base, tmp_path):
    project = Project.made_in(tmp_path)
    (tmp_path / "maple/models/backwards.py").write_text(MODULE)
    with open(tmp_path / "maple/models/kind.py", "a") as table:
        table.write(FACTS)
    project.write("config/models/toy.yaml", {"path": str(wide_base), "kind": "backwards"})
    run = "toy/little/lora-r2-16bit/seed1"
    project.snakemake(f"results/adapters/{run}")
    card = json.loads((tmp_path / f"results/cards/{run}/finetune.json").read_text())
    assert card["base"]["kind"] == "backwards" and card["steps"] == 4
    reasons = project.snakemake("-n", f"results/adapters/{run}")
    assert "Nothing to be done" in reasons
    (tmp_path / "maple/models/backwards.py").write_text(MODULE.replace("[::-1]", "[::-2]"))
    assert project.jobs(f"results/adapters/{run}")["finetune"] == 1, "an edit of the module trains its runs anew"
    study = yaml.safe_load((tmp_path / "study.yaml").read_text())
    study["grid"][0]["models"] = ["tiny-llama"]
    project.study(grid=study["grid"])
    assert "toy" not in project.snakemake("-n", "results/adapters/tiny-llama/little/lora-r2-16bit/seed1")
