"""Prompts of a table become requests to an engine: tokens, limit and key."""

from collections.abc import Mapping, Sequence
from functools import cache

import polars as pl

from maple.data.examples import PICTURE_FIELD
from maple.definitions.task import GENERATED, STOP
from maple.engines.engine import PromptPictures
from maple.evaluation.completions import PromptRequest, completion_key
from maple.models.encoding import Encoder
from maple.models.picture_file import PictureFile
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
    tokens. Thinking may take `thinking_tokens` more.
    """

    @cache
    def answers(texts: tuple[str, ...]) -> list[list[int]]:
        return encoder.answers(texts)

    requests = []
    encoded = zip(_prompts(rows, encoder), encoder.pieces(rows["prompt"].to_list()), strict=True)
    for row, ((alone, pictures), text) in zip(rows.iter_rows(named=True), encoded, strict=True):
        choices = answers(tuple(forms[0] for forms in row["verbalizers"]))
        longest = max(map(len, choices), default=0) + 1
        limits = {"rank": longest, **dict.fromkeys(GENERATED, max(row["max_new_tokens"], longest) + thinking_tokens)}
        limit = limits[row["answer"]]
        # All answer modes get the same demonstrations, so that they can be compared.
        room = max_length - max(limits[mode] for mode in row["answers"])
        tokens, shots = (
            (alone, 0) if pictures else encoder.demonstrated(row["prompt"], alone, row["demonstrations"], room)
        )
        ranked = choices if row["answer"] == "rank" else []
        # A text may stand in a thought as well, which it must not end.
        stop = () if row["answer"] == "rank" or thinking_tokens else tuple(row.get(STOP) or ())
        decoding: Mapping = {"choices": choices} if row["answer"] == "rank" else {"temperature": 0.0}
        if stop:
            decoding = {**decoding, "stop": stop}
        requests.append(
            PromptRequest(
                key=completion_key(weights, tokens, limit, decoding, engine, _identities(pictures, encoder))
                if len(alone) <= room
                else "",
                item=f"{row['task']}, {row['language']}, item {row['item']}",
                tokens=tokens,
                limit=limit,
                choices=ranked,
                item_tokens=len(text),
                shots=shots,
                shots_dropped=len(row["demonstrations"]) - shots,
                pictures=pictures,
                stop=stop,
            )
        )
    return requests


def _prompts(rows: pl.DataFrame, encoder: Encoder | VisionEncoder) -> list[tuple[list[int], PromptPictures | None]]:
    """Return the tokens of each row's prompt, without demonstrations, and its pictures."""
    if isinstance(encoder, Encoder):
        return [(tokens, None) for tokens in encoder.prompts(rows["prompt"].to_list())]
    prompts = []
    for row in rows.iter_rows(named=True):
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
