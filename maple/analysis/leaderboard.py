"""The leaderboard: settings by their mean score over seeds, with the ranks that each may have; for a terminal as well.

A setting is a model, dataset and method variant, whatever its seed. So the luckiest seed of many does not lead.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import polars as pl

from maple.analysis.item_scores import DECIMALS, IS_BASELINE, Comparison, ItemScores
from maple.analysis.simultaneous import pairs_of, rank_sets
from maple.analysis.summary import run_schema, setting_means, with_runs
from maple.analysis.training_noise import SCOPES, SEEDS
from maple.definitions.language import ENGLISH
from maple.definitions.looks import Looks
from maple.definitions.run import Run
from maple.text.plain import plain

ALL = ("language", "all")
# The groups of languages over which settings are ranked: kind and group, as in maple.analysis.language_groups.
LEVELS = (ALL, ("resource", "high"), ("resource", "low"), ("language", ENGLISH))
_MEANS = ["mean", "se", "low", "high", "base", "change", "change_se", "change_low", "change_high"]
RANKS = ["rank_low", "rank_high", "rank_low_in_model", "rank_high_in_model"]


def setting_of(row: Mapping) -> tuple[str, str, str]:
    """Return the model, the dataset and the method variant of a row with the columns of a run."""
    return row["model"], row["dataset"], row["method"]


def leaderboard_schema(runs: Iterable[Run]) -> pl.Schema:
    """Return the columns of leaderboard and their types."""
    return pl.Schema(
        {
            **run_schema(runs),
            "asked": pl.String,
            "kind": pl.String,
            "group": pl.String,
            **dict.fromkeys(("seeds", "cells", "n"), pl.Int64),
            **dict.fromkeys(_MEANS, pl.Float64),
            "of": pl.String,
            **dict.fromkeys(RANKS, pl.Int64),
            "confidence": pl.Float64,
        }
    )


def leaderboard(scores: ItemScores, groups: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """Return the mean headline score of each setting over each of LEVELS, and its confidence set of ranks.

    Columns: those of a run (seed is null for a mean of several); asked, its tasks in one text; kind, group; seeds;
    cells and n (item scores) in the mean; mean, se, low, high; base, change, change_se, change_low, change_high, as in
    summarize_groups; of, what the intervals of the mean hold (training_noise.SCOPES); rank_low and rank_high among all
    finetuned settings that are asked the same tasks, and rank_low_in_model and rank_high_in_model among those of the
    same model, null for a base; confidence, of each interval and of all ranks of a level together
    (maple.analysis.simultaneous.rank_sets).

    `groups` are those of maple.analysis.language_groups. Rows are sorted by level and tasks, then model by model, each
    base first, then the highest score.
    """
    schema = leaderboard_schema(scores.runs)
    languages = {(row["kind"], row["group"]): row["languages"] for row in groups.iter_rows(named=True)}
    rows = [
        found.with_columns(kind=pl.lit(level[0]), group=pl.lit(level[1]), set=pl.lit(number), level=pl.lit(place))
        for place, level in enumerate(LEVELS)
        if level == ALL or level in languages
        for number, compared in enumerate(scores.comparisons)
        if (found := _ranked(compared, languages.get(level), confidence)) is not None
    ]
    if not rows:
        return pl.DataFrame(schema=schema)
    return (
        with_runs(pl.concat(rows, how="vertical_relaxed"), scores.runs)
        .with_columns(
            seed=pl.when(pl.col("seeds") == 1).then("seed"),
            of=pl.col("of").replace_strict(dict(enumerate(SCOPES)), return_dtype=pl.String),
            confidence=pl.lit(confidence),
        )
        .sort(
            "level", "set", "model", ~IS_BASELINE, "mean",
            descending=[False, False, False, False, True], maintain_order=True,
        )
        .select(schema.keys())
        .cast(schema)
    )  # fmt: skip


def _ranked(compared: Comparison, languages: Sequence[str] | None, confidence: float) -> pl.DataFrame | None:
    """Return the means and ranks of the settings of a comparison in some languages, None: all; None without a cell."""
    scores = compared.scores
    chosen = pl.lit(True) if languages is None else pl.col("language").is_in(languages)
    cells = scores.cells.filter("shared", "headline", chosen)["cell"].to_list()
    if not cells:
        return None
    joint = scores.average_shared_items(cells, np.full(len(cells), 1 / len(cells)))
    setting = np.where(scores.seed_groups >= 0, scores.seed_groups, np.arange(len(scores.runs)))
    firsts = np.unique(setting)
    members = setting[:, None] == firsts
    rows = setting_means(scores, cells, joint, members, confidence)
    tuned = np.flatnonzero(scores.seed_groups[firsts] >= 0)
    weights = members[:, tuned] / members[:, tuned].sum(axis=0)
    first, second = pairs_of(len(tuned))
    differences = joint.contrast(weights[:, first] - weights[:, second])
    sets = rank_sets(differences, joint.covariance(weights), len(tuned), 1 - confidence)
    models = np.array([scores.runs[number].model for number in firsts[tuned]])
    in_model = np.zeros((2, len(tuned)), dtype=int)
    for model in set(models.tolist()):
        own = np.flatnonzero(models == model)
        among = sets.among(own)
        in_model[:, own] = among.low, among.high
    ranks = dict(zip(RANKS, (sets.low, sets.high, *in_model), strict=True))
    rows = rows.join(pl.DataFrame({"run": firsts[tuned], **ranks}), on="run", how="left", maintain_order="left")
    return compared.rows_of_members(rows.with_columns(asked=pl.lit(", ".join(compared.tasks))))


def decimals(number: float, places: int, signed: bool = False) -> str:
    """Return a number with some decimals and the typographic minus: -0.618 -> "−0.62"; zero has no sign.

    Half of the last place is rounded away from zero, as browsers do, so that all places show the same number.
    """
    rounded = Decimal(str(round(number, DECIMALS - 2))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{rounded:+}".replace("-", "−") if rounded and (signed or rounded < 0) else f"{abs(rounded)}"


def in_points(share: float) -> float:
    """Return a share of 1 in points of 100, rounded only where a product of floats has noise: for charts."""
    return round(100 * share, DECIMALS - 2)


def points(share: float | None, signed: bool = False) -> str:
    """Return a share of 1 in points of 100 with one decimal: 0.4123 -> "41.2"; an en dash for None."""
    return "–" if share is None else decimals(100 * share, 1, signed)


def rank_set(low: int | None, high: int | None) -> str:
    """Return the ranks that a setting may have: 1 and 3 -> "1–3"; an en dash for None."""
    if low is None or high is None:
        return "–"
    return str(low) if low == high else f"{low}–{high}"


def _line(setting: Mapping, means: list[float | None]) -> list[str]:
    """Return the line of a row of the leaderboard; `means` are its setting's means over groups of languages."""
    half = (setting["high"] - setting["low"]) / 2 if setting["low"] is not None else None
    change = points(setting["change"], signed=True)
    if setting["change_low"] is not None:
        change += f" [{points(setting['change_low'], signed=True)}, {points(setting['change_high'], signed=True)}]"
    names = [plain(str(setting[name])) for name in ("model", "dataset", "method")]
    seeds = "–" if setting["rank_low"] is None else str(setting["seeds"])
    rank = rank_set(setting["rank_low"], setting["rank_high"])
    return [*names, seeds, rank, f"{points(setting['mean'])} ± {points(half)}", change, *map(points, means)]


def terminal_table(board: pl.DataFrame, looks: Looks | None = None) -> str:
    """Return a plain-text table with one line per setting, in points of 100, for the end of a study.

    `board` is the leaderboard. Settings that are asked different tasks have tables of their own. rank is the ranks
    that a setting may have; score is the mean headline score over seeds, with half the width of its interval; change is
    the difference from the same model's base, with its interval. The last columns are the means over English and over
    the low-resource languages. At one of several `looks` a line says which.
    """
    rows = board.filter(kind=ALL[0], group=ALL[1])
    if rows.is_empty():
        return "No task and language is scored in every run, so the runs cannot be compared.\n"
    columns = {"English": ("language", ENGLISH), "low-resource": ("resource", "low")}
    by_column = {
        name: {setting_of(row): row["mean"] for row in board.filter(kind=kind, group=group).iter_rows(named=True)}
        for name, (kind, group) in columns.items()
    }
    several = rows["asked"].n_unique() > 1
    look = f"{looks.in_words}; `snakemake settled` says what is known\n" if looks and looks.are_several else ""
    return look.capitalize() + "\n".join(
        _table(rows_of_set.to_dicts(), by_column, str(asked) if several else "")
        for (asked,), rows_of_set in rows.group_by("asked", maintain_order=True)
    )


def _table(settings: Sequence[Mapping], means: Mapping[str, Mapping], asked: str) -> str:
    """Return the table of settings that are asked the same tasks, which its head names if `asked` does."""
    lines = [["model", "dataset", "method", "seeds", "rank", "score", "change against base", *means]]
    lines += [_line(one, [of_group.get(setting_of(one)) for of_group in means.values()]) for one in settings]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    first = settings[0]
    tasks = f"Asked {plain(asked)}. " if asked else ""
    level = f"{100 * first['confidence']:g} %"
    cells = "one cell" if first["cells"] == 1 else f"{first['cells']} cells"
    tuned = [one for one in settings if one["rank_low"] is not None]
    held = "items and seeds" if tuned and all(one["of"] == SCOPES[SEEDS] for one in tuned) else "items"
    note = f"{tasks}Mean headline score of {cells}, task by language, of 100; {level} intervals over {held}."
    ranks = f"Ranks are those that a finetuned setting may have, with {level} confidence for all of them together."
    return "\n".join([note, *([ranks] if tuned else []), "", *table]) + "\n"
