"""New tags of a translator: a token for a language that it has none of, whose embedding starts as another tag's.

A base gets them once, by the rule `base`; a run learns them. The embedding is tied to the output layer, so that the new
row is in both.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maple.models.language_tags import default_forms, forms
from maple.models.limits import LIKE_T5
from maple.models.special_tokens import json_of
from maple.models.text_tokenizer import TextTokenizer
from maple.models.tiny import BaseError
from maple.models.tokenizer_folder import load_tokenizer, write_tokenizer


def add_new_tags(folder: Path, new_tags: Mapping[str, str], *, trust_remote_code: bool = False) -> None:
    """Add a token per language of `new_tags`, {code: tag from which it starts}, to the model in a base's folder.

    Its text is the code of the language. All other weights stay as they are, to the bit. Raises BaseError for a
    language that the model has a tag of, for a tag that it lacks, for M2M100, whose tokenizer has no place for one, and
    for a model that reads words in front of a source.
    """
    if not (folder / "tokenizer.json").is_file():
        raise BaseError(
            f"{folder}: new_tags: M2M100's tokenizer gives the ids behind its pieces to its own languages, and has no "
            "place for another one; borrow a tag instead, by tags in the model's file"
        )
    if json_of(folder / "config.json").get("model_type") in LIKE_T5:
        raise BaseError(
            f"{folder}: new_tags: the model reads what to translate into in front of a source, where words can stand; "
            f"write tags: {{{min(new_tags)}: words}} in the model's file"
        )
    control = TextTokenizer.of(folder).control
    starts = {}
    for code, tag in new_tags.items():
        if known := next(filter(control.__contains__, default_forms(code)), None):
            raise BaseError(f"{folder}: new_tags.{code}: the model has a tag of it, {known}; leave it out")
        start = next(filter(control.__contains__, forms(tag)), None)
        if start is None:
            raise BaseError(f"{folder}: new_tags.{code}: {tag!r} is no tag of the model; name one that it has")
        starts[code] = control[start]
    ids = _add_tokens(folder, list(starts), trust_remote_code)
    _add_rows(folder, {ids[code]: start for code, start in starts.items()}, trust_remote_code)


def _add_tokens(folder: Path, codes: list[str], trust_remote_code: bool) -> dict[str, int]:
    """Add the codes to the folder's tokenizer as special tokens; return their ids."""
    from tokenizers import AddedToken

    tokenizer: Any = load_tokenizer(folder, trust_remote_code)
    tokenizer.add_tokens([AddedToken(code, special=True, normalized=False) for code in codes], special_tokens=True)
    write_tokenizer(tokenizer, folder)
    written, ours = load_tokenizer(folder, trust_remote_code), TextTokenizer.of(folder)
    ids = {code: ours.control.get(code) for code in codes}
    if ids != {code: written.convert_tokens_to_ids(code) for code in codes}:
        raise BaseError(f"{folder}: new_tags: transformers gives the new tags other ids than its tokenizer.json")
    return {code: number for code, number in ids.items() if number is not None}


def _add_rows(folder: Path, starts: Mapping[int, int], trust_remote_code: bool) -> None:
    """Give each new token, {id: id of the tag from which it starts}, its row of the embedding."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, GenerationConfig

    model: Any = AutoModelForSeq2SeqLM.from_pretrained(
        folder, dtype="auto", use_safetensors=True, trust_remote_code=trust_remote_code
    )
    if max(starts) >= model.get_input_embeddings().num_embeddings:  # NLLB has rows to spare
        model.resize_token_embeddings(max(starts) + 1, mean_resizing=False)
    rows = [end.weight for end in (model.get_input_embeddings(), model.get_output_embeddings())]
    rows += [model.final_logits_bias[0]] if hasattr(model, "final_logits_bias") else []  # mBART's
    with torch.no_grad():
        for new, start in starts.items():
            for each in rows:
                each[new] = each[start]
    model.generation_config = GenerationConfig()  # the base's own file stays
    written = folder / ".new_tags"
    model.save_pretrained(written)
    for path in folder.glob("*.safetensors*"):  # a hard link to what was fetched: removed, and not written into
        path.unlink()
    for path in written.iterdir():
        if path.name != "generation_config.json":
            path.replace(folder / path.name)
    shutil.rmtree(written)
