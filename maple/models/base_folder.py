"""Base models: taken from what was fetched from the Hub, or built from scratch as ordinary Hub-style folders."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from maple.models.encoding import FRAME
from maple.models.tiny import BaseError, build


def make(
    definition: dict,
    folder: Path,
    *,
    fetched: str | Path | None,
    phrases: dict,
    threads: int,
    progress: Callable[[Iterable], Iterable],
) -> None:
    """Put a base model into `folder`: of the Hub's repository in `fetched` if there is one, else built from scratch.

    `phrases` are the embedded world's words in the languages to pretrain on, {code: words}.
    """
    if fetched:
        adopt(Path(fetched), folder)
        return
    from maple.embedded.corpus import documents

    recipe = definition["build"]
    texts = documents(phrases, count=recipe["documents"], seed=recipe["training"]["seed"])
    # The tokenizer knows the words of prompts, as every real one does; the model has not read the sentences.
    known = [FRAME, *(text for words in phrases.values() for text in words.values())]
    build(recipe, texts, folder, known=known, threads=threads, progress=progress)


def adopt(fetched: Path, folder: Path) -> None:
    """Put a fetched model's safetensors weights and tokenizer into `folder`, without a copy where the disk allows it.

    A tokenizer that is a sentencepiece model alone is written out as tokenizer.json as well.
    """
    if not list(fetched.glob("*.safetensors")):
        raise BaseError(f"{fetched}: the revision has no safetensors; pickled weights are refused")
    for path in (path for path in fetched.iterdir() if path.is_file() and path.name != ".snakemake_timestamp"):
        try:
            os.link(path, folder / path.name)
        except OSError:  # a file system without hard links, or another one
            shutil.copyfile(path, folder / path.name)
    if not (folder / "tokenizer.json").is_file():
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        for path in folder.glob("*.json"):  # what is written over must not change what was fetched
            path.unlink()
            shutil.copyfile(fetched / path.name, path)
        tokenizer.save_pretrained(folder)
