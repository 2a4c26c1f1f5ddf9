"""Curation: which examples are worth learning from, and why the others are not.

The rules are those of PolyLM's appendix (arXiv 2307.06018, steps 4 to 7) and Alpaca's generator, made to work in every
script: words are counted without relying on spaces, and nothing is dropped for not being ASCII. Two rules of Alpaca's
are left out (our choice): no instruction may begin with punctuation, as one in Spanish may, or with "Write a program",
which text can serve.
"""

import zlib
from collections.abc import Mapping, Sequence
from functools import cache

import polars as pl
import regex

from maple.data.examples import EXAMPLE_SCHEMA, RAW_SCHEMA
from maple.definitions.tables import PIVOT
from maple.text.identification import in_language, script_share
from maple.text.segmentation import normalize, tokens
from maple.text.similarity import Novelty, rouge_l

LINK = regex.compile(r"https?://|www\.", regex.I)


def limits_in(
    limits: Mapping, code: str, refusals: Mapping[str, Sequence[str]], unservable: Mapping[str, Sequence[str]]
) -> dict:
    """Return a dataset's limits spelt out for one language.

    `instruction_input_rouge_l` may name languages beside its `default`; `refusals: true` becomes the openings of
    config/refusals.yaml in the language and in English; `unservable: true` the words of config/unservable.yaml in the
    language alone, as a word of one is another word of the next.
    """
    spelt = dict(limits)
    if isinstance(most := limits.get("instruction_input_rouge_l"), Mapping):
        spelt["instruction_input_rouge_l"] = most.get(code, most["default"])
    openings = dict.fromkeys((*refusals.get(code, ()), *refusals.get(PIVOT, ())))
    if limits.get("unservable"):
        spelt["unservable"] = list(unservable.get(code, ()))
    return {**spelt, "refusals": list(openings) if limits.get("refusals") else []}


def curate(
    rows: pl.DataFrame, language: Mapping, limits: Mapping, found_in: Sequence[str] = ()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split raw rows (RAW_SCHEMA) into kept ones (EXAMPLE_SCHEMA) and dropped ones (RAW_SCHEMA and `reason`).

    `limits` are the `curate:` block of a dataset, as limits_in spells it: compression_ratio, the most bytes of a text
    to one of its zlib compression; instruction_words [fewest, most]; unservable, words that no instruction may hold;
    script_share, the least share of letters of the language's script in instruction and output together; language, are
    these to be in the language and neither of them in English, where that can be said (a task that asks for English
    goes too); instruction_input_rouge_l, the most ROUGE-L between the two; echo_rouge_l, the most between instruction
    and output (an output may well repeat its input, to edit it); refusals, how an output may not begin; novelty
    {"fields": names, "below": ROUGE-L with every row kept before}. A limit that is null or not there is off. `found_in`
    names for each row the task in whose test set it was found, "" for none. An input that the instruction contains is
    emptied, and the row kept. Of rows that differ by case, spaces and punctuation alone the first is kept. The first
    reason counts.
    """
    novelty = limits.get("novelty")
    pool = Novelty(novelty["below"]) if novelty else None
    seen: set[tuple[str, ...]] = set()
    kept, dropped = [], []
    for row, task in zip(rows.iter_rows(named=True), found_in or [""] * rows.height, strict=True):
        if row["input"] and row["input"] in row["instruction"]:
            row["input"] = ""
        reason = row["fault"] or _reason(row, language, limits) or (f"in a test set: {task}" if task else "")
        if not reason:
            pair = (*tokens(row["instruction"]), "\n", *tokens(row["input"]))
            said = tokens(" ".join(row[field] for field in novelty["fields"])) if novelty else []
            if pair in seen:
                reason = "duplicate"
            elif pool and not pool.is_new(said):
                reason = "not novel"
            else:
                seen.add(pair)
                if pool:
                    pool.add(said)
        if reason:
            dropped.append({**row, "reason": reason})
        else:
            kept.append({column: row[column] for column in EXAMPLE_SCHEMA})
    return pl.DataFrame(kept, schema=EXAMPLE_SCHEMA), pl.DataFrame(dropped, schema={**RAW_SCHEMA, "reason": pl.String})


def _reason(row: Mapping, language: Mapping, limits: Mapping) -> str:
    texts = [row["instruction"], row["input"], row["output"]]
    if not row["instruction"].strip() or not row["output"].strip():
        return "empty"
    most = limits.get("compression_ratio")
    if most is not None and any(_compression_ratio(text) > most for text in texts):
        return "repetition"
    if any(LINK.search(text) for text in texts):
        return "web link"
    if words := limits.get("instruction_words"):
        count = len(tokens(row["instruction"]))
        if not words[0] <= count <= words[1]:
            return "instruction too short" if count < words[0] else "instruction too long"
    if unservable := limits.get("unservable"):
        asked = " ".join(["", *tokens(row["instruction"]), ""])
        if any(_as_tokens(words) in asked for words in unservable):
            return "needs more than text"
    said = f"{row['instruction']} {row['output']}"
    share = limits.get("script_share")
    if share and script_share(said, language["script"]) < share:
        return "wrong script"
    if limits.get("language"):
        if in_language(said, language["iso639_1"]) is False:
            return "wrong language"
        # The longer of two hides that the other is in English, which is what a teacher leaves or falls back to.
        if language["iso639_1"] != "en" and any(in_language(row[field], "en") for field in ("instruction", "output")):
            return "in English"
    most = limits.get("instruction_input_rouge_l")
    if most is not None and rouge_l(tokens(row["instruction"]), tokens(row["input"])) > most:
        return "input repeats instruction"
    most = limits.get("echo_rouge_l")
    if most is not None and rouge_l(tokens(row["instruction"]), tokens(row["output"])) > most:
        return "output repeats instruction"
    begun = normalize(row["output"]).lstrip()
    if any(begun.startswith(normalize(opening)) for opening in limits.get("refusals") or ()):
        return "refusal"
    return ""


def _compression_ratio(text: str) -> float:
    written = text.encode()
    return len(written) / len(zlib.compress(written))


@cache
def _as_tokens(words: str) -> str:
    """Return words as they stand among tokens with a space around each; the last of what ends in * may go on."""
    return " ".join(["", *tokens(words)]) + ("" if words.endswith("*") else " ")
