"""Toy scores: a base and one finetuned run of it, two tasks, three languages, and the summary of what they score."""

import polars as pl

from maple.analysis.item_scores import item_scores
from maple.analysis.language_groups import language_groups
from maple.analysis.leaderboard import leaderboard
from maple.analysis.summary import summarize, summarize_groups
from maple.definitions.language import Language
from maple.definitions.run import Run
from maple.definitions.task import TaskMetrics
from maple.evaluation.scoring import SCORE_SCHEMA

OFFERED = ["eng_Latn", "deu_Latn", "swh_Latn", "yor_Latn", "xxx_Latn"]
TASKS = {
    "xnli": TaskMetrics(metrics=["accuracy"], headline="accuracy", chance=0.3333, languages=OFFERED),
    "xquad": TaskMetrics(metrics=["f1", "exact_match"], headline="f1", chance=None, languages=OFFERED),
}
BASE = Run.baseline("toy", tuple(TASKS))
LORA = Run("toy", "little", "lora-r2-4bit", 1, family="lora", axes={"rank": 2, "bits": 4}, tasks=tuple(TASKS))
# The last columns of scores: those of metrics of a corpus and of translations.
UNTRANSLATED = (None,) * 7


def language(code, joshi_class, name="", iso639_1="", family="unknown"):
    return Language(code, name or code, iso639_1 or code[:3], code[-4:], family, joshi_class, words={})


LANGUAGES = [
    language("eng_Latn", "5", "English", "en", "Indo-European"),
    language("swh_Latn", "2", "Swahili", "sw", "Atlantic-Congo"),
    language("xxx_Latn", "unknown", "Other"),
]
LOW = (0, 1, 2)


def scored(run, values, task="xnli", language="eng_Latn", metric="accuracy", **columns):
    keys = run.key.params()
    rows = [
        {
            **keys, "task": task, "language": language, "item": str(item), "metric": metric, "value": float(value),
            "parsed": True, "prediction": "x", "finish_reason": "stop", "prompt_tokens": 10, "completion_tokens": 2,
            "wrong_language": None, "wrong_script": None, "thinking": False, "unfinished_thinking": False,
            "thinking_tokens": None, "tokens_per_word": 2.0, "shots": 0, "shots_dropped": 0,
            **columns,
        }
        for item, value in enumerate(values)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCORE_SCHEMA)


def together(*frames, runs=(BASE, LORA)):
    return item_scores(pl.concat(frames), runs, TASKS)


def summary_of(*frames, **options):
    return summarize(together(*frames), **options)


def groups_of(*frames, runs=(BASE, LORA), finetuned_in=None):
    return summarize_groups(together(*frames, runs=runs), language_groups(LANGUAGES, LOW, finetuned_in or {}))


def board_of(*frames, runs=(BASE, LORA)):
    return leaderboard(together(*frames, runs=runs), language_groups(LANGUAGES, LOW, {}))


def in_both(run, values, **columns):
    """The same values in English and in Swahili."""
    return pl.concat(scored(run, values, language=code, **columns) for code in ("eng_Latn", "swh_Latn"))
