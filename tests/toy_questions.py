"""Toy runs of any model, dataset, rank, bits and seed, and scores from which the questions of a study are answered."""

import numpy as np
import polars as pl
from project import ROOT
from toy_scores import TASKS, UNTRANSLATED, language

from maple.analysis.item_scores import item_scores
from maple.definitions.question import Question
from maple.definitions.reading import read_definitions
from maple.definitions.report import ReportSettings
from maple.definitions.run import Run
from maple.evaluation.scoring import SCORE_SCHEMA

FILES = read_definitions(ROOT / "config/questions", Question)
QUESTIONS = {name: FILES[name] for name in ("rank", "bits", "english", "exchange", "data")}
CLASSES = {"eng_Latn": "5", "deu_Latn": "5", "swh_Latn": "2", "yor_Latn": "1"}
LANGUAGES = [language(code, joshi_class) for code, joshi_class in CLASSES.items()]
SETTINGS = ReportSettings(confidence=0.95, low_resource_classes=[0, 1, 2], smallest_effect=0.0, english_bound=2.0)
LOW = ("swh_Latn", "yor_Latn")
CELLS = tuple(("xnli", code) for code in CLASSES)


def base(model="toy"):
    return Run.baseline(model)


def tuned(rank=8, bits=4, model="toy", dataset="made", seed=1):
    return Run(model, dataset, f"lora-r{rank}-{bits}bit", seed, family="lora", axes={"rank": rank, "bits": bits})


def of(method, seed=1, model="toy", dataset="made", **axes):
    """A finetuned run of a method: the variant's name is the method's, with the values of its axes."""
    name = "-".join([method, *(f"{axis}{value}" for axis, value in axes.items())])
    return Run(model, dataset, name, seed, family=method, axes=axes)


def scores_of(runs, cells, score, items=12, tasks=TASKS):
    """Item scores of runs in cells, (task, language): `score` of run, language and task, and what items add.

    What an item adds differs by run and language, else no difference of either would vary; over the items it is zero.
    A score may also be given item by item. A run that names tasks has scores in these alone.
    """
    spread = [np.random.default_rng(number).permutation(np.linspace(-0.02, 0.02, items)) for number in range(len(runs))]
    rows = [
        (
            *run.key.params().values(), task, language, str(item), tasks[task].headline,
            float(np.broadcast_to(score(run, language, task), items)[item]) + spread[number][(item - place) % items],
            True, "x", None, None, False, False, None, "stop", 10, 2, 1.5, 0, 0,
            *UNTRANSLATED,
        )
        for number, run in enumerate(runs) for place, (task, language) in enumerate(cells) for item in range(items)
        if not run.tasks or task in run.tasks
    ]  # fmt: skip
    return item_scores(pl.DataFrame(rows, schema=SCORE_SCHEMA, orient="row"), runs, tasks)
