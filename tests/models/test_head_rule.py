"""The rule `head`, and the folders from which the runs of an encoder start."""

import json

import pytest
from project import Project

BERT = {
    "kind": "encoder",
    "build": {
        "vocabulary": 1000,
        "architecture": {
            "model_type": "bert",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        },
        "documents": 100,
        "training": {"steps": 5, "batch": 4, "length": 32, "learning_rate": 1e-3, "seed": 1},
    },
}
LABELS = {
    "recipe": "task",
    "task": {"name": "day-sentiment", "max_rows": 40},
    "curate": {},
    "mix": {"rows": None, "alpha": 1.0, "seed": 1, "held_out": 4},
}


@pytest.mark.heavy
def test_each_seed_has_a_head_for_the_labels_of_the_task_and_runs_start_from_it(tmp_path):
    project = Project.made_in(tmp_path)
    project.write("config/models/toy.yaml", BERT)
    project.write("config/datasets/little.yaml", LABELS)
    project.study(tasks=["day-sentiment"], finetune={"steps": 4, "max_length": 128, "batch_tokens": 700})
    head = "results/heads/toy/day-sentiment/seed1"
    project.snakemake(head)
    card = json.loads((tmp_path / head / "head.json").read_text())
    assert card["labels"] == ["negative", "neutral", "positive"] and card["seed"] == 1
    assert card["drawn"] == [
        "bert.pooler.dense.bias", "bert.pooler.dense.weight", "classifier.bias", "classifier.weight",
    ]  # fmt: skip
    assert "Nothing to be done" in project.snakemake("-n", head)
    project.replace("config/tasks/day-sentiment.yaml", "  neutral:", "  unknown:")
    assert project.jobs(head) == {"head": 1}, "other labels are another head"
