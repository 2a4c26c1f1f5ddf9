"""A copy of the project in a folder of its own, small enough to run, and what Snakemake says about it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "config", "maple", "workflow", "profiles", "envs")

TOY_MODEL = {
    "build": {
        "vocabulary": 1000,
        "architecture": {
            "model_type": "llama",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "tie_word_embeddings": True,
        },
        "documents": 500,
        "training": {"steps": 10, "batch": 8, "length": 64, "learning_rate": 3e-3, "seed": 1},
    }
}
TOY_STUDY = {
    "note": "A toy.",
    "languages": ["eng_Latn", "swh_Latn"],
    "tasks": ["xnli", "xquad"],
    "answers": {"xnli": ["generate"]},
    "items": 4,
    "grid": [
        {"models": ["toy"], "datasets": ["little"], "methods": {"lora": {"rank": [2], "bits": [16]}}, "seeds": [1]}
    ],
    "finetune": {"steps": 4},
    "generate": {"engine": "transformers", "batch": 4},
}
# What any new score makes anew.
AFTER_SCORE = dict.fromkeys(("summarize", "report", "tabulate", "draw", "export", "describe"), 1)
# What any new answer makes anew, beside its score.
AFTER_ANSWER = {"count_labels": 1, **AFTER_SCORE}


class Project:
    """A copy of the project with a toy study: one toy model, one small dataset, two languages, two tasks."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def made_in(cls, folder: Path) -> "Project":
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(ROOT / part, folder / part)
        project = cls(folder)
        project.write("config/models/toy.yaml", TOY_MODEL)
        little = yaml.safe_load((ROOT / "config/datasets/generated.yaml").read_text())
        little["self_instruct"] |= {"rounds": 1, "first_round_requests": 2}
        project.write("config/datasets/little.yaml", little)
        project.write("study.yaml", TOY_STUDY)
        return project

    def copy_to(self, folder: Path) -> "Project":
        """Copy everything, results and dates too."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def write(self, path: str, content: dict) -> None:
        (self.folder / path).write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace the first `old` in a file."""
        text = (self.folder / path).read_text()
        assert old in text, f"{path} has no {old!r}"
        (self.folder / path).write_text(text.replace(old, new, 1))

    def study(self, **changes) -> None:
        """Change keys of the toy study."""
        self.write("study.yaml", yaml.safe_load((self.folder / "study.yaml").read_text()) | changes)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", "2", *arguments]

    def snakemake(self, *arguments: str, fails: bool = False) -> str:
        """Run snakemake in the project; return what it printed."""
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, env=environment, text=True, capture_output=True, check=False
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, output
        return output

    def jobs(self, *targets: str) -> dict[str, int]:
        """Return what a run would do: {rule: jobs}."""
        table = re.search(r"Job stats:\n.*?\n-.*?\n(.*?)\ntotal", self.snakemake("-n", *targets), re.S)
        if table is None:
            return {}
        rows = (line.split() for line in table.group(1).splitlines())
        return {name: int(count) for name, count in rows if name != "all"}
