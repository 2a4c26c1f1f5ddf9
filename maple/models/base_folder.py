"""Base models: linked from what was fetched from the Hub, or built from scratch, as ordinary Hub-style folders."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from maple.definitions.local_model import HubModel, LocalModel
from maple.embedded.corpus import documents
from maple.models.behaviour import behaviour_of
from maple.models.encoding import FRAME
from maple.models.tiny import BaseError
from maple.runtime.files import check_folder


def prepare_base(
    model: LocalModel,
    folder: Path,
    *,
    fetched: str | Path | None,
    ignored: Iterable[str] = (),
    phrases: dict[str, dict[str, str]],
    threads: int,
    progress: Callable[[Iterable], Iterable],
) -> None:
    """Put a base model into `folder`: that of the Hub in the folder `fetched`, or one that is built from scratch.

    `ignored` are names of files in `fetched` that are not the model's; `phrases` are the embedded world's words in the
    languages to pretrain on, {code: words}. Raises BaseError if there are no safetensors.
    """
    if isinstance(model, HubModel):
        link_fetched_model(Path(fetched or ""), folder, ignored)
        return
    settings = model.build
    texts = list(documents(phrases, count=settings.documents, seed=settings.training.seed))
    # Prompt words are in the tokenizer's training text, so that they become single tokens; the model itself never sees
    # the prompts.
    prompt_words = [FRAME, *(text for words in phrases.values() for text in words.values())]
    behaviour_of(model.kind).build(
        settings, texts, folder, prompt_words=prompt_words, threads=threads, progress=progress
    )


def link_fetched_model(fetched: Path, folder: Path, ignored: Iterable[str] = ()) -> None:
    """Hard-link the files of a fetched model into `folder`, or copy them if the disk has no hard links.

    A tokenizer that is only a sentencepiece model is written out as tokenizer.json as well. `ignored` are names of
    files that are left out. Raises BaseError if there are no safetensors, DamagedFileError if a file has changed.
    """
    check_folder(fetched)
    if not list(fetched.glob("*.safetensors")):
        raise BaseError(f"{fetched}: the revision has no safetensors; pickled weights are refused")
    for path in (path for path in fetched.iterdir() if path.is_file() and path.name not in set(ignored)):
        try:
            os.link(path, folder / path.name)
        except OSError:  # a file system without hard links, or another disk
            shutil.copyfile(path, folder / path.name)
    if not (folder / "tokenizer.json").is_file():
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        for path in folder.glob("*.json"):  # linked files share their bytes with `fetched`: saving must not change it
            path.unlink()
            shutil.copyfile(fetched / path.name, path)
        tokenizer.save_pretrained(folder)
