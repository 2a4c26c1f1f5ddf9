"""Translate, then respond, as Bactrian-X was made (arXiv 2305.15011).

English instructions and inputs are translated, by a translator or by the teacher; the answer is not: the teacher
answers in the language itself.
"""

import random
from collections.abc import Callable, Iterable

import polars as pl

from maple.data.examples import raw_rows
from maple.definitions.tables import PIVOT
from maple.synthesis.teachers import Request, Teacher, Translator, Unfinished

TRANSLATE = "Translate this text from English to {language}. Write the translation and nothing else.\n\n{text}\n"
RESPOND = "Answer this in {language}. Write the answer and nothing else.\n\n{instruction}\n{input}\n"


def translate_respond(
    recipe: dict,
    language: dict,
    english: pl.DataFrame,
    teacher: Teacher,
    seed: int,
    progress: Callable[[Iterable], Iterable],
    translator: Translator | None = None,
) -> pl.DataFrame:
    """Make raw rows in one language from curated English examples; ids are parallel over languages.

    `recipe` has max_rows (of the English examples, the first ones; None for all). A row whose translation or answer is
    empty has a fault, and so has one whose answer repeats its prompt. English itself is answered anew and not
    translated; without a translator the teacher translates.
    """
    code = language["code"]
    sources = english.head(recipe.get("max_rows") or english.height).to_dicts()
    texts = {(row["id"], field): row[field] for row in sources for field in ("instruction", "input") if row[field]}

    def request(id: str, purpose: str, prompt: str, fields: dict) -> Request:
        # A seed of its own: with the same one for all, a model that draws would draw alike in every answer.
        own = random.Random(f"{seed} {code} {purpose} {id}").getrandbits(32)
        return Request(id, purpose, language, prompt.format(language=language["name"], **fields), own, fields)

    if code != PIVOT:
        if translator is not None:
            said = translator.translate(list(texts.values()), language)
        else:
            said = teacher.complete(
                [
                    request(f"{id}:{field}", "translate", TRANSLATE, {"text": text})
                    for (id, field), text in texts.items()
                ]
            )
        texts = dict(zip(texts, said, strict=True))
    translated = {place: _whole(said, "empty translation") for place, said in texts.items()}
    rows = []
    for row in progress(sources):
        instruction, fault = translated[row["id"], "instruction"]
        input, input_fault = translated.get((row["id"], "input"), ("", ""))
        rows.append(
            {
                "id": f"{row['id']}:{code}",
                "parent": row["id"],
                "instruction": instruction,
                "input": input,
                "fault": fault or input_fault,
            }
        )
    asked = [row for row in rows if not row["fault"]]
    requests = [
        request(row["id"], "respond", RESPOND, {"instruction": row["instruction"], "input": row["input"]})
        for row in asked
    ]
    for row, sent, answer in zip(asked, requests, teacher.complete(requests), strict=True):
        row["output"], row["fault"] = _whole(answer, "empty answer")
        if sent.prompt.strip() in row["output"]:
            row["fault"] = "repeats the prompt"
    return raw_rows(rows, language=code, recipe="translate_respond", teacher=teacher.name, seed=seed)


def _whole(said: str | Unfinished, empty: str) -> tuple[str, str]:
    """Return the text of an answer and its fault: half a text is no example, and none is the fault `empty`."""
    if isinstance(said, Unfinished):
        return said.text.strip(), said.fault
    text = said.strip()
    return text, "" if text else empty
