"""Translate, then respond, as Bactrian-X was made (arXiv 2305.15011).

English instructions and inputs are translated, by a translator or by the teacher; outputs are not translated: the
teacher answers in the language itself.
"""

import random
from collections.abc import Callable, Iterable

import polars as pl

from maple.data.examples import check_ids, raw_rows
from maple.data.sampling import sampled_positions
from maple.definitions.dataset import TranslateRespondSettings
from maple.definitions.language import ENGLISH, LanguageIdentity
from maple.synthesis.teachers import IncompleteAnswer, Purpose, Request, Teacher, Translator, text_and_fault

TRANSLATE = "Translate this text from English to {language}. Write the translation and nothing else.\n\n{text}\n"
RESPOND = "Answer this in {language}. Write the answer and nothing else.\n\n{instruction}\n{input}\n"
PROMPTS: dict[Purpose, str] = {"translate": TRANSLATE, "respond": RESPOND}


def translate_respond(
    settings: TranslateRespondSettings,
    language: LanguageIdentity,
    english: pl.DataFrame,
    teacher: Teacher,
    seed: int,
    progress: Callable[[Iterable], Iterable],
    translator: Translator | None = None,
) -> pl.DataFrame:
    """Return raw rows in one language, made from curated English examples; ids are parallel over languages.

    A row whose translation or answer is empty has a fault, and so has one whose answer repeats its prompt. For English
    itself nothing is translated, and the answers are new; without a translator the teacher translates. Raises
    ValueError for an id that two examples have.
    """
    code = language.code
    check_ids(english["id"], ENGLISH)
    sources = english[sampled_positions(english["id"].to_list(), settings.max_rows)].to_dicts()

    def request(id: str, purpose: Purpose, fields: dict[str, str]) -> Request:
        # Each request has a seed of its own: with one seed for all, a model that samples would repeat itself.
        request_seed = random.Random(f"{seed} {code} {purpose} {id}").getrandbits(31)
        prompt = PROMPTS[purpose].format(language=language.name, **fields)
        return Request(id, purpose, language, prompt, request_seed, fields)

    texts = {(row["id"], field): row[field] for row in sources for field in ("instruction", "input") if row[field]}
    translations: list[str | IncompleteAnswer] = list(texts.values())
    if code != ENGLISH:
        if translator is not None:
            translations = translator.translate(list(texts.values()), language)
        else:
            translations = teacher.complete(
                [request(f"{id}:{field}", "translate", {"text": text}) for (id, field), text in texts.items()]
            )
    translated = {
        place: text_and_fault(translation, "empty translation")
        for place, translation in zip(texts, translations, strict=True)
    }
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
    whole = [row for row in rows if not row["fault"]]
    requests = [
        request(row["id"], "respond", {"instruction": row["instruction"], "input": row["input"]}) for row in whole
    ]
    for row, sent, answer in zip(whole, requests, teacher.complete(requests), strict=True):
        row["output"], row["fault"] = text_and_fault(answer, "empty answer")
        if sent.prompt.strip() in row["output"]:
            row["fault"] = "repeats the prompt"
    return raw_rows(rows, language=code, recipe="translate_respond", teacher=teacher.name, seed=seed)
