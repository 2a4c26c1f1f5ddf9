"""The format of answers, told apart from the answers: how many can be parsed, and how right those are that can.

An answer that cannot be parsed scores 0. So a score is the share of the answers that are parsed, times the mean score
of these. An untouched base that answers in a form of its own scores 0, whatever it knows, and finetuning that teaches
the form alone raises its score.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from maple.analysis.item_scores import CELL, ItemScores, shared_cells
from maple.metrics.registry import BLIND, RANKED, is_of_items, zero_if_unparsed

# With fewer parsed answers in a cell, in number or as a share of all, a run has no score of them: what is right among a
# few says nothing of the rest, and their spread is not known. Both are our choice.
LEAST_PARSED, LEAST_SHARE = 10, 0.1
# The metric of ranked choices where the headline has none of its own.
_RANKED_ACCURACY = f"{RANKED}accuracy"


@dataclass(frozen=True)
class ParsedAnswers:
    """The parsed answers of some cells."""

    number: np.ndarray
    """(cells, columns) How many there are."""
    share: np.ndarray
    """(cells, columns) Their share of all answers; nan without any answer."""
    mean: np.ndarray
    """(cells, columns) Their mean score; nan if none is parsed, and where only some are and the score is one of a set,
    which is no mean over answers."""

    @classmethod
    def of(cls, values: np.ndarray, parsed: np.ndarray, cell: np.ndarray, splits: np.ndarray) -> "ParsedAnswers":
        """Return those of scores and of whether they are parsed, (rows, columns), in sorted cells, (rows,).

        `splits`, (cells,), is True for a cell of which an unparsed answer adds 0 to a mean over answers.
        """
        scored, first = ~np.isnan(values), np.flatnonzero(np.diff(cell, prepend=-1))
        counted = parsed & scored
        answers, number = (np.add.reduceat(each, first, dtype=float) for each in (scored, counted))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = number / answers
            mean = np.add.reduceat(np.where(counted, values, 0.0), first) / number
        return cls(number, share, np.where(splits[:, None] | (share == 1), mean, np.nan))


def _splits(cells: pl.DataFrame) -> np.ndarray:
    return np.array([zero_if_unparsed(metric) for metric in cells["metric"]], dtype=bool)


def parsed_columns(scores: ItemScores, cells: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of the summary that tell format from answers, averaged over some cells: a row per run.

    Columns: run; if_parsed, the mean score of the parsed answers, and base_if_parsed, that of the base on the shared
    items; change_by_parsing and change_by_answers, which add up to the change. Each is the difference of one factor,
    the share that is parsed or the score of these, times the mean of the other, so that neither comes first (the
    decomposition of Kitagawa 1955, Journal of the American Statistical Association 50). Null where a side parsed
    nothing, in any of the cells: how right it would have been is unknown.
    """
    numbers = cells["cell"].to_list()
    (values, items), parsed = scores.select(numbers), scores.parsed[scores.rows_of(numbers)]
    splits = _splits(cells)
    tuned = np.flatnonzero(scores.bases >= 0)
    bases = scores.bases[tuned]
    shared = ~np.isnan(values[:, tuned]) & ~np.isnan(values[:, bases])
    own, base = (
        ParsedAnswers.of(np.where(shared, values[:, runs], np.nan), parsed[:, runs], items.cell, splits)
        for runs in (tuned, bases)
    )
    by_parsing = (own.share - base.share) * (own.mean + base.mean) / 2
    by_answers = (own.mean - base.mean) * (own.share + base.share) / 2
    every = ParsedAnswers.of(values, parsed, items.cell, splits)
    against = pl.DataFrame(
        {
            "run": tuned,
            "base_if_parsed": base.mean.mean(axis=0),
            "change_by_parsing": by_parsing.mean(axis=0),
            "change_by_answers": by_answers.mean(axis=0),
        }
    )
    own_means = pl.DataFrame({"run": range(len(scores.runs)), "if_parsed": every.mean.mean(axis=0)})
    return own_means.join(against, on="run", how="left", maintain_order="left")


def if_parsed(values: np.ndarray, parsed: np.ndarray, cell: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """Return pseudo-values of the mean score of the parsed answers, (rows, columns); the arguments as ParsedAnswers.of.

    The mean is a ratio, of the mean score to the share of parsed answers. The pseudo-value of an item is the ratio plus
    the item's influence on it: q + (y - q * parsed) / p, with its score y, the ratio q and the share p. The mean of the
    pseudo-values is q, and their variance is that of the linearised ratio (Cochran 1977, Sampling Techniques, section
    6.4), also between runs. A run that parsed all keeps its scores; one that parsed hardly anything (LEAST_PARSED,
    LEAST_SHARE) has none.
    """
    answers = ParsedAnswers.of(values, parsed, cell, splits)
    enough = (answers.number >= LEAST_PARSED) & (answers.share >= LEAST_SHARE)
    mean, share = np.where(enough | (answers.share == 1), answers.mean, np.nan)[cell], answers.share[cell]
    with np.errstate(divide="ignore", invalid="ignore"):
        pseudo = mean + (np.where(parsed, values, 0.0) - mean * parsed) / share
    return np.where(np.isnan(values) | (share == 1), values, pseudo)


def _with_ranked(cells: pl.DataFrame, has_scores: np.ndarray) -> pl.DataFrame:
    """Return cells whose headlines are the ranked metrics of the same task and language, where there is one.

    It is the headline's own, else the accuracy. `has_scores`, (cells, runs), says which runs have some. A ranked metric
    that a run with the headline lacks, as one behind an endpoint does, takes no place: no run could be compared with
    that one.
    """
    place = {(task, language, metric): number for number, task, metric, language in cells.select("cell", *CELL).rows()}
    headline = cells["headline"].to_list()
    for number, task, metric, language in cells.filter("headline").select("cell", *CELL).rows():
        names = [RANKED + metric, *([_RANKED_ACCURACY] if is_of_items(metric) else [])]
        twins = [twin for name in names if (twin := place.get((task, language, name))) is not None]
        if twins and not (has_scores[number] & ~has_scores[twins[0]]).any():
            headline[number], headline[twins[0]] = False, True
    return cells.with_columns(headline=pl.Series(headline, dtype=pl.Boolean))


def without_format(scores: ItemScores, ranked: bool = True) -> ItemScores:
    """Return scores of the headline cells alone that do not depend on how many answers are parsed.

    Where choices were ranked in every run, the ranked metric takes the headline's place, as of a ranked choice there is
    nothing to parse; with `ranked` false it does not, to compare with blind answers, which are generated. All other
    cells, and the blind ones, hold pseudo-values of the mean score of the parsed answers (if_parsed). A run without
    such a score in a cell has nan there, so that the cell is not shared. That are also scores of a set, as of macro-F1,
    of which some answer is unparsed.
    """
    cells = scores.cells
    if ranked:
        first = np.flatnonzero(np.diff(scores.items.cell, prepend=-1))
        cells = _with_ranked(cells, np.logical_or.reduceat(~np.isnan(scores.values), first))
    kept = cells.filter(pl.col("headline") | pl.col("metric").str.starts_with(BLIND))
    numbers = kept["cell"].to_list()
    (values, items), parsed = scores.select(numbers), scores.parsed[scores.rows_of(numbers)]
    pseudo = if_parsed(values, parsed, items.cell, _splits(kept))
    first = np.flatnonzero(np.diff(items.cell, prepend=-1))
    changed = np.logical_or.reduceat(((pseudo != values) & ~np.isnan(pseudo)).any(axis=1), first)
    own = pl.Series(range(len(numbers)), dtype=cells["cell"].dtype)
    places = pl.DataFrame({"cell": kept["cell"], "number": own})
    return replace(
        scores,
        cells=kept.with_columns(
            cell=own,
            shared=shared_cells(pseudo, items),
        ),
        values=pseudo,
        parsed=parsed,
        items=replace(items, graded=items.graded | changed),
        shares=scores.shares.join(places, on="cell").drop("cell").rename({"number": "cell"}),
    )
