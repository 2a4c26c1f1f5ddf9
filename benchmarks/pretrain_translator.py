"""Pretrain a tiny translator of NLLB's architecture on real parallel rows, for config/translation-news.yaml.

    python benchmarks/pretrain_translator.py --data FOLDER --out models/tiny-nllb-pairs [--steps 500] [--threads 1]

FOLDER holds parallel/{source}-{target}/{domain}.train.jsonl, with the keys source and target. The translator learns, in
both directions, the rows of all pairs but those of the study's languages (`--without`). Its tokenizer has read those
as well, as that of NLLB-200 has. Prints the facts of build.json.
"""

# ruff: noqa: E402 (modules of the project are found once its folder is in the path)

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from maple.definitions.local_model import BuildSettings
from maple.definitions.reading import read_yaml
from maple.embedded.translations import Translation
from maple.models.tiny import pretrain
from maple.models.tiny_seq2seq import pretraining
from maple.runtime.files import folder_written_aside

# Real sentences are longer and have more words than those of the embedded world.
CHANGES = {"vocabulary": 8192}
TRAINING = {"batch": 24, "length": 160, "learning_rate": 2e-3}
STUDY = "amh_Ethi,som_Latn,tir_Ethi,gaz_Latn"


def rows(data: Path) -> Iterator[Translation]:
    """Yield all train rows of a folder."""
    for file in sorted(data.glob("parallel/*/*.train.jsonl")):
        source, target = file.parent.name.split("-")
        for row in pl.read_ndjson(file).iter_rows(named=True):
            yield Translation(row["source"], row["target"], source, target)


def main() -> None:
    """Pretrain the translator and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("models/tiny-nllb-pairs"))
    parser.add_argument("--without", default=STUDY, help="languages whose rows are not learnt")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    left_out = set(arguments.without.split(","))
    learnt, unread = [], []
    for row in rows(arguments.data):
        if {row.source_language, row.target_language} & left_out:
            unread += [row.source, row.target]
        else:
            learnt += [row, row.turned]
    build = read_yaml(ROOT / "config/models/tiny-nllb.yaml")["build"]
    training = build["training"] | TRAINING | {"steps": arguments.steps}
    settings = BuildSettings(**build | CHANGES | {"training": training})
    way = pretraining(settings)

    def tokenizer(texts: Iterable[Any], vocabulary: int) -> Any:
        return way.tokenizer([*texts, *unread], vocabulary)

    with folder_written_aside(arguments.out) as folder:
        facts = pretrain(
            replace(way, tokenizer=tokenizer), settings, learnt, folder, threads=arguments.threads, progress=tqdm
        )
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
