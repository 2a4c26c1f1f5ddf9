"""Prompts of a table become requests to an engine: tokens, limit and key."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import polars as pl

from maple.data.examples import PICTURE_FIELD
from maple.definitions.task import GENERATED, STOP
from maple.engines.engine import PromptPictures
from maple.evaluation.asked_tokens import AskedTokens, FramedPrompt, LaidOutPrompt
from maple.evaluation.completions import PromptRequest, completion_key
from maple.evaluation.prompt_layout import LAYOUT, layout_of
from maple.models.encoding import Encoder
from maple.models.picture_file import PictureFile
from maple.models.plain_frame import PlainFrame
from maple.models.vision_text import VisionEncoder


def prompt_requests(
    rows: pl.DataFrame,
    encoder: Encoder | VisionEncoder,
    weights: str,
    engine: str,
    max_length: int,
    thinking_tokens: int = 0,
) -> list[PromptRequest]:
    """Return one request per row.

    `rows` are those of maple.evaluation.completions.rows_by_answer, to generate (also blindly) or to rank; `weights` is
    a digest, `engine` name and version, `max_length` the tokens of prompt and completion. Prompts of a task begin with
    the same tokens, those of its demonstrations, of which a prompt with pictures has none. The demonstrations that do
    not fit with the prompt and its answer are left out, from the end. A completion may have `max_new_tokens` tokens, or
    as many as the longest label takes, and one more to end: in some scripts a tokenizer cuts each letter into several
    tokens. Thinking may take `thinking_tokens` more. A task with a layout is asked in it, and not in the frame of the
    encoder.
    """

    @cache
    def answers(texts: tuple[str, ...]) -> list[list[int]]:
        return encoder.answers(texts)

    requests = []
    encoded = zip(_prompts(rows, encoder), encoder.pieces(rows["prompt"].to_list()), strict=True)
    for row, ((alone, pictures), text) in zip(rows.iter_rows(named=True), encoded, strict=True):
        layout = layout_of(row)
        if layout:
            prompt = LaidOutPrompt(PlainFrame(encoder.tokenizer, layout), row)
        else:
            choices = answers(tuple(forms[0] for forms in row["verbalizers"]))
            prompt = FramedPrompt(encoder, row, AskedTokens(alone, choices), pictures)
        longest = max(map(len, prompt.alone.choices), default=0) + 1
        limits = {"rank": longest, **dict.fromkeys(GENERATED, max(row["max_new_tokens"], longest) + thinking_tokens)}
        limit = limits[row["answer"]]
        # All answer modes get the same demonstrations, so that they can be compared.
        room = max_length - max(limits[mode] for mode in row["answers"])
        asked = prompt.within(room)
        # A text may stand in a thought as well, which it must not end.
        stop = () if row["answer"] == "rank" or thinking_tokens else tuple(row.get(STOP) or ())
        fits = len(prompt.alone.tokens) <= room
        key = completion_key(
            weights, asked.tokens, limit, _decoding(row["answer"], asked, stop), engine, _identities(pictures, encoder)
        )
        requests.append(
            PromptRequest(
                key=key if fits else "",
                item=f"{row['task']}, {row['language']}, item {row['item']}",
                tokens=asked.tokens,
                limit=limit,
                choices=asked.choices if row["answer"] == "rank" else [],
                item_tokens=len(text),
                shots=asked.shots,
                shots_dropped=len(row["demonstrations"]) - asked.shots,
                pictures=pictures,
                stop=stop,
                choice_prompts=asked.choice_prompts,
            )
        )
    return requests


def _decoding(answer: str, asked: AskedTokens, stop: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the part of a completion's key that says how it is made."""
    if answer != "rank":
        return {"temperature": 0.0, **({"stop": stop} if stop else {})}
    return {"choices": asked.choices, **({"prompts": asked.choice_prompts} if asked.choice_prompts else {})}


def _prompts(rows: pl.DataFrame, encoder: Encoder | VisionEncoder) -> list[tuple[list[int], PromptPictures | None]]:
    """Return the tokens of each row's prompt in the frame of the model, without demonstrations, and its pictures.

    A task with a layout is not asked in this frame, which a chat template may refuse it.
    """
    if isinstance(encoder, Encoder):
        laid_out = [layout is not None for layout in rows[LAYOUT]] if LAYOUT in rows.columns else [False] * rows.height
        framed = iter(encoder.prompts([text for text, own in zip(rows["prompt"], laid_out, strict=True) if not own]))
        return [([] if own else next(framed), None) for own in laid_out]
    prompts = []
    for row in rows.iter_rows(named=True):
        if layout_of(row):
            prompts.append(([], None))
            continue
        blind = row["answer"] == "blind"
        files = tuple(PictureFile(each["file"], each["digest"], blind) for each in row.get(PICTURE_FIELD) or ())
        pictures = PromptPictures(files, encoder.short_prompt(row["prompt"], files)) if files else None
        prompts.append((encoder.prompt(row["prompt"], files), pictures))
    return prompts


def _identities(pictures: PromptPictures | None, encoder: Encoder | VisionEncoder) -> list[str]:
    """Return what each picture of a prompt is, for its key; of grey, the size is all."""
    if pictures is None or isinstance(encoder, Encoder):
        return []
    return [
        "grey {} x {}".format(*encoder.pictures.size(file)) if file.grey else file.digest for file in pictures.files
    ]


def print_raised_limits(rows: pl.DataFrame, requests: Sequence[PromptRequest], thinking_tokens: int = 0) -> None:
    """Print the tasks and languages whose labels take more of the model's tokens than `max_new_tokens`."""
    raised = (
        rows.with_columns(limit=pl.Series([request.limit - thinking_tokens for request in requests], dtype=pl.Int32))
        .filter(pl.col("answer").is_in(GENERATED), pl.col("limit") > pl.col("max_new_tokens"))
        .group_by("task", "language", maintain_order=True)
        .agg(pl.first("max_new_tokens"), pl.max("limit"))
    )
    for task, language, stated, limit in raised.iter_rows():
        print(f"{task}, {language}: {limit} new tokens instead of {stated}, so that the longest label can be written")
