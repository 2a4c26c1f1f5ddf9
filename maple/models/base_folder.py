"""Base models: linked from what was fetched from the Hub, or built from scratch, as ordinary Hub-style folders."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from maple.definitions.local_model import HubModel, LocalModel
from maple.embedded.corpus import documents
from maple.models.behaviour import behaviour_of
from maple.models.frames import FRAME
from maple.models.limits import reason_against_lengths
from maple.models.stored_weights import INDEX, SINGLE, check_stored_weights, weight_files
from maple.models.tiny import BaseError
from maple.models.tokenizer_folder import prepare_tokenizer
from maple.runtime.files import check_folder, read_json


def prepare_base(
    model: LocalModel,
    folder: Path,
    *,
    fetched: str | Path | None,
    ignored: Iterable[str] = (),
    lengths: Mapping[str, int],
    phrases: dict[str, dict[str, str]],
    threads: int,
    progress: Callable[[Iterable], Iterable],
) -> None:
    """Put a base model into `folder`: that of the Hub in the folder `fetched`, or one that is built from scratch.

    `ignored` are names of files in `fetched` that are not the model's; `lengths` are the longest texts that the model
    must take, {key of the config: tokens}; `phrases` are the embedded world's words in the languages to pretrain on,
    {code: words}. Raises BaseError if the weights are not all there or are quantized, and for a model that takes no
    texts as long as these.
    """
    kind = behaviour_of(model.kind)
    if isinstance(model, HubModel):
        check_stored_weights(Path(fetched or ""), kind, trust_remote_code=model.trust_remote_code)
        if reason := reason_against_lengths(read_json(Path(fetched or "") / "config.json"), lengths):
            raise BaseError(f"{fetched}: config: {reason}, or leave the model out of the grid")
        link_fetched_model(Path(fetched or ""), folder, ignored, trust_remote_code=model.trust_remote_code)
        prepare_tokenizer(folder, model.special_tokens, trust_remote_code=model.trust_remote_code)
        return
    settings = model.build
    texts = list(documents(phrases, count=settings.documents, seed=settings.training.seed))
    # Prompt words are in the tokenizer's training text, so that they become single tokens; the model itself never sees
    # the prompts.
    prompt_words = [FRAME, *(text for words in phrases.values() for text in words.values())]
    kind.build(settings, texts, folder, prompt_words=prompt_words, threads=threads, progress=progress)
    check_stored_weights(folder, kind)
    prepare_tokenizer(folder, model.special_tokens)


def link_fetched_model(
    fetched: Path, folder: Path, ignored: Iterable[str] = (), *, trust_remote_code: bool = False
) -> None:
    """Hard-link the files of a fetched model into `folder`, or copy them if the disk has no hard links.

    Weights in a second form are left out: vLLM would read them, too. A tokenizer that is only a sentencepiece model is
    written out as tokenizer.json as well. `ignored` are names of files that are left out. Raises BaseError if there are
    no safetensors, DamagedFileError if a file has changed.
    """
    check_folder(fetched)
    files = weight_files(fetched)
    weights = {path.name for path in files} | ({INDEX} if files != [fetched / SINGLE] else set())
    for path in (path for path in fetched.iterdir() if path.is_file() and path.name not in set(ignored)):
        if ".safetensors" in path.name and path.name not in weights:
            continue
        try:
            os.link(path, folder / path.name)
        except OSError:  # a file system without hard links, or another disk
            shutil.copyfile(path, folder / path.name)
    if not (folder / "tokenizer.json").is_file():
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
        for path in folder.glob("*.json"):  # linked files share their bytes with `fetched`: saving must not change it
            path.unlink()
            shutil.copyfile(fetched / path.name, path)
        tokenizer.save_pretrained(folder)
