"""What the report shows of tasks about pictures: a few items with their pictures, gold answers and answers of runs."""

import io
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import polars as pl

from maple.analysis.item_scores import RUN_KEY, key_of
from maple.analysis.leaderboard import points
from maple.data.examples import PICTURE_FIELD
from maple.data.sampling import sampled_positions
from maple.definitions.record import Record
from maple.definitions.run import Run, RunKey
from maple.definitions.task import TaskMetrics
from maple.metrics.metric import ConsensusMetric, ItemMetric
from maple.metrics.registry import gold_of, is_of_items, metric_of
from maple.runtime.files import read_json, scan_parquet, write_json
from maple.runtime.pictures import Picture, open_picture

# All our choice. Languages of a task, and items in each: half of them right and half wrong, where there are so many.
LANGUAGES, ITEMS = 6, 6
# Pixels of the longer side; bytes of all pictures on the page; characters after which a text is cut.
LONGEST_SIDE, MOST_BYTES, CUT = 256, 3_000_000, 600
_JPEG_QUALITY = 80


class GivenAnswer(Record):
    """The answer of a run to an item."""

    text: str
    mark: str
    """`right` or `wrong` for a score of 1 or 0, else the score in points; "" if the metric is of no single item."""


class ItemInLanguage(Record):
    """An item in one language."""

    language: str
    """Its code."""
    question: str
    """The prompt, without frame."""
    gold: list[str]
    """The gold answers, each once, the most frequent first."""
    answers: list[GivenAnswer | None]
    """Of each run of the task; None if a run has no score of it."""


class PicturedItem(Record):
    """An item with its pictures, in the languages that share both."""

    item: str
    pictures: list[str]
    """As data URIs."""
    languages: list[ItemInLanguage]


class PicturedAnswers(Record):
    """The items of one task that are shown."""

    task: str
    headline: str
    """The metric by which answers are marked."""
    runs: list[str]
    """The paths of the base and of the finetuned run that is shown, or of the one that there is."""
    items: list[PicturedItem]
    left_out: int
    """Items that were sampled and left out, since the pictures would have more than MOST_BYTES."""


@dataclass(frozen=True)
class _Sampled:
    """An item that is to be shown, before its pictures are opened."""

    item: str
    pictures: tuple[Picture, ...]
    languages: list[ItemInLanguage]


def compared_runs(summary: pl.DataFrame, task: str, runs: Sequence[Run]) -> list[Run]:
    """Return a finetuned run and its base: the first run of the setting with the highest mean headline score.

    The mean is over a task's languages and over the setting's seeds. Of equal settings the first of the grid counts. A
    study without finetuned runs, or a model without a base, has one.
    """
    scored = summary.filter(pl.col("headline"), pl.col("task") == task, pl.col("language") != "all")
    means = scored.with_columns(mean=pl.mean("mean").over("model", "dataset", "method")).iter_rows(named=True)
    mean_of = {key_of(row): row["mean"] for row in means}
    known = [run for run in runs if run.key in mean_of]
    tuned = [run for run in known if not run.is_baseline] or known
    if not tuned:
        return []
    best = max(tuned, key=lambda run: mean_of[run.key])
    return [*(run for run in known if run.is_baseline and run.model == best.model and run != best), best]


def spread(names: Sequence[str], count: int) -> list[str]:
    """Return `count` of the names at even distances, the first and the last among them; all if there are no more.

    >>> spread("abcdefg", 3)
    ['a', 'd', 'g']
    """
    if len(names) <= count:
        return list(names)
    return [names[round(place * (len(names) - 1) / (count - 1))] for place in range(count)]


def read_scores(files: Sequence[str | Path], tasks: Mapping[str, TaskMetrics]) -> pl.DataFrame:
    """Return the scores of tasks by their headlines: the columns of a run, task, language, item, value and answer."""
    headlines = [(pl.col("task") == name) & (pl.col("metric") == task.headline) for name, task in tasks.items()]
    columns = (*RUN_KEY, "task", "language", "item", "value", "parsed", "prediction")
    return scan_parquet(files).filter(pl.any_horizontal(headlines)).select(columns).collect()


def picture_answers(
    prompts: pl.DataFrame,
    scores: pl.DataFrame,
    summary: pl.DataFrame,
    tasks: Mapping[str, TaskMetrics],
    runs: Sequence[Run],
    languages: Sequence[str],
) -> list[PicturedAnswers]:
    """Return a few items of each task with pictures: the same in every language of a parallel set.

    `prompts` has the columns of maple.evaluation.prompts.PROMPT_SCHEMA and PICTURE_COLUMN, `scores` those of
    read_scores, `languages` are codes in the order of the page. Raises PictureError, which names task, item and file,
    for a picture that is missing or that has changed.
    """
    sampled = {}
    compared = {name: compared_runs(summary, name, [run for run in runs if name in run.tasks]) for name in tasks}
    for name, task in tasks.items():
        codes = spread([code for code in languages if code in task.languages], LANGUAGES)
        of_task = prompts.filter(pl.col("task") == name, pl.col("language").is_in(codes), pl.col("fault").is_null())
        values = _answers(scores.filter(pl.col("task") == name), compared[name])
        sampled[name] = _grouped(of_task, codes, values, task.headline, compared[name]) if compared[name] else []
    shown = _fitting(sampled)
    return [
        PicturedAnswers(
            task=name,
            headline=tasks[name].headline,
            runs=[run.path for run in compared[name]],
            items=shown[name],
            left_out=len(items) - len(shown[name]),
        )
        for name, items in sampled.items()
        if items
    ]


def write_answers(answers: Iterable[PicturedAnswers], path: str | Path) -> None:
    """Write picture_answers as JSON."""
    write_json({"tasks": [task.model_dump() for task in answers]}, path)


def read_answers(paths: Iterable[str | Path]) -> list[PicturedAnswers]:
    """Read what write_answers has written; no file, no tasks."""
    return [PicturedAnswers(**task) for path in paths for task in read_json(path)["tasks"]]


def data_uri(picture: Picture, where: str) -> str:
    """Return a picture at most LONGEST_SIDE pixels long as a data URI without metadata, as PNG or JPEG by size.

    A drawing is smaller as PNG, which changes none of its pixels, and a photograph as JPEG. Raises PictureError.
    """
    path = Path(picture.file)
    image = open_picture(Picture(path.name, picture.digest), path.parent, where)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    kinds = {}
    for kind, options in (("png", {"optimize": True}), ("jpeg", {"quality": _JPEG_QUALITY, "optimize": True})):
        content = io.BytesIO()
        image.save(content, kind.upper(), **options)
        kinds[kind] = content.getvalue()
    kind = min(kinds, key=lambda kind: len(kinds[kind]))
    return f"data:image/{kind};base64,{b64encode(kinds[kind]).decode()}"


_Answers = dict[tuple[RunKey, str, str], dict[str, Any]]


def _answers(scores: pl.DataFrame, runs: Sequence[Run]) -> _Answers:
    """Return the scores of runs by run, language and item."""
    wanted = pl.any_horizontal(
        pl.all_horizontal(*(pl.col(name) == value for name, value in run.key.params().items())) for run in runs
    )
    rows = scores.filter(wanted).iter_rows(named=True) if runs else ()
    return {(key_of(row), row["language"], row["item"]): row for row in rows}


def _grouped(
    prompts: pl.DataFrame, codes: Sequence[str], answers: _Answers, headline: str, runs: Sequence[Run]
) -> list[_Sampled]:
    """Return the sampled items of a task; those of a parallel set stand once, in all their languages."""
    rows = {
        code: {row["item"]: row for row in prompts.filter(pl.col("language") == code).iter_rows(named=True)}
        for code in codes
    }
    values = {
        (code, item): _value(row, answers.get((runs[-1].key, code, item)), headline)
        for code, of_language in rows.items()
        for item, row in of_language.items()
    }
    chosen = _chosen(values)
    groups: dict[tuple[str, tuple[Picture, ...]], list[ItemInLanguage]] = {}
    for code, items in chosen.items():
        for item in items:
            row = rows[code][item]
            pictures = tuple(Picture(**picture) for picture in row[PICTURE_FIELD])
            given = [_given(row, answers.get((run.key, code, item)), headline) for run in runs]
            shown = ItemInLanguage(language=code, question=_cut(row["prompt"]), gold=_gold(row), answers=given)
            groups.setdefault((item, pictures), []).append(shown)
    return [_Sampled(item, pictures, rows) for (item, pictures), rows in groups.items()]


def _chosen(values: Mapping[tuple[str, str], float | None]) -> dict[str, list[str]]:
    """Return the items to show in each language, good and bad ones in turn; `values` are by language and item.

    An item is good if its mean value over the languages is at least that of all items. Good ones and bad ones are
    sampled by a digest of the item, so that they are the same in every language of a parallel set.
    """
    by_item: dict[str, list[float]] = {}
    for (_, item), value in values.items():
        by_item.setdefault(item, []).append(value or 0.0)
    means = {item: sum(found) / len(found) for item, found in by_item.items()}
    middle = sum(means.values()) / max(1, len(means))
    chosen = {}
    for code in dict.fromkeys(code for code, _ in values):
        items = [item for of_code, item in values if of_code == code]
        good, bad = ([item for item in items if (means[item] >= middle) is high] for high in (True, False))
        most = max(ITEMS // 2, ITEMS - len(bad))
        pairs = zip_longest(_sample(good, most), _sample(bad, ITEMS - min(most, len(good))))
        chosen[code] = [item for item in chain.from_iterable(pairs) if item is not None]
    return chosen


def _sample(items: Sequence[str], count: int) -> list[str]:
    return [items[place] for place in sampled_positions(items, count)] if items else []


def _value(row: Mapping[str, Any], score: Mapping[str, Any] | None, headline: str) -> float | None:
    """Return the score of one answer; None if there is none, or if the headline is of a whole set of texts.

    An answer that is a label is right or wrong, whatever the headline makes of all labels together.
    """
    if score is None:
        return None
    if row["labels"] and gold_of(headline) == "alternatives":
        return float(score["parsed"] and score["prediction"] in row["targets"])
    return score["value"] if isinstance(metric_of(headline), ItemMetric | ConsensusMetric) else None


def _given(row: Mapping[str, Any], score: Mapping[str, Any] | None, headline: str) -> GivenAnswer | None:
    if score is None:
        return None
    value = _value(row, score, headline)
    graded = row["labels"] or is_of_items(headline)
    mark = {1.0: "right", 0.0: "wrong"}.get(value) if graded and value is not None else None
    text = _cut(_form(row, score["prediction"]))
    return GivenAnswer(text=text, mark=mark or ("" if value is None else points(value)))


def _form(row: Mapping[str, Any], answer: str) -> str:
    """Return how an answer is written: the first form of a label."""
    labels = row["labels"]
    return row["verbalizers"][labels.index(answer)][0] if answer in labels else answer


def _gold(row: Mapping[str, Any]) -> list[str]:
    return [_cut(_form(row, answer)) for answer, _ in Counter(row["targets"]).most_common()]


def _cut(text: str) -> str:
    return text if len(text) <= CUT else f"{text[: CUT - 1]}…"


def _fitting(sampled: Mapping[str, Sequence[_Sampled]]) -> dict[str, list[PicturedItem]]:
    """Return the items whose pictures fit into MOST_BYTES: the first of every task, then the second of each."""
    shown: dict[str, list[PicturedItem]] = {name: [] for name in sampled}
    used = 0
    for name, item in _in_turn(sampled):
        where = f"results/prompts/{name}: item {item.item}"
        pictures = [data_uri(picture, where) for picture in item.pictures]
        used += sum(map(len, pictures))
        if used > MOST_BYTES:
            break
        shown[name].append(PicturedItem(item=item.item, pictures=pictures, languages=item.languages))
    return shown


def _in_turn(sampled: Mapping[str, Sequence[_Sampled]]) -> Iterator[tuple[str, _Sampled]]:
    for place in range(max(map(len, sampled.values()), default=0)):
        for name, items in sampled.items():
            yield from ((name, item) for item in items[place : place + 1])
