"""Viewer: what became of the rows of every dataset, counted and measured, and a few of them to read."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from maple.runtime.files import read_json
from maple.text.segmentation import UNSPACED

FIELDS = ("instruction", "input", "output")
TEXTS = (*FIELDS, "completion")
# Rows to read of a dataset in one language, kept and dropped ones each; more where there are more reasons to drop.
ROWS = 5
# What all of them may weigh on the page, in bytes, and how many are shown then (None: all that are drawn) and after how
# many characters a text is cut: the first pair with which they weigh no more.
BYTES = 600_000
SIZES = ((None, 1200), (None, 600), (None, 300), (5, 300), (5, 150), (3, 150), (2, 150), (1, 150), (1, 80))
# Columns of the page that count rows by what was wrong with them.
REASONS = ("faults", "dropped by curation")
# Names of the page for what the cards call otherwise.
MIXTURE = {"learnt": "learnt", "words": "words learnt", "held_out": "held out"}
COST = {
    "answers": "answered",
    "failures": "failed",
    "prompt_tokens": "tokens in",
    "completion_tokens": "tokens out",
    "usd": "USD",
}
# The words of maple.text.segmentation.tokens as Polars can count them, millions of texts in seconds. It knows no
# clusters of UAX 29: a letter takes its marks along, in Khmer the letter under it too, but for three vowel signs of
# Burmese.
_WORD = (
    rf"[[\p{{L}}\p{{M}}\p{{N}}]--{UNSPACED}]+"
    rf"|{UNSPACED}(?:\u17D2\p{{L}}|[\p{{M}}--[\u102B\u102C\u1038]])*"
)
# Translations of one row are drawn in all languages together; maple.data.mixing.hold_out knows them by the same.
_ORIGIN = pl.when(pl.col("recipe") == "translate_respond").then("parent").otherwise("id")


def lengths(rows: pl.DataFrame) -> dict[str, dict]:
    """Return how long texts are, by field: {"rows": that have one, "five": fewest words, quartiles and most}.

    Words are those of maple.text.segmentation.tokens: letters, where a script has no spaces. `five` is None without any
    row.
    """
    counts = rows.select(
        pl.when(pl.col(field) != "").then(pl.col(field).str.count_matches(_WORD)).alias(field) for field in FIELDS
    )
    shares = (0, 0.25, 0.5, 0.75, 1)
    return {
        field.name: {
            "rows": field.count(),
            "five": [int(field.quantile(share, "nearest")) for share in shares] if field.count() else None,
        }
        for field in counts
    }


def draw(rows: pl.DataFrame) -> list[dict]:
    """Draw ROWS rows by a hash of what they were made from, or one of each reason where there are more reasons.

    `rows` has the columns id, parent, recipe, reason and TEXTS. Returns reason, id and TEXTS; each reason comes once
    before one comes twice.
    """
    lots = rows.with_columns(lot=_ORIGIN.hash(seed=1)).sort("lot", "id")
    turns = lots.with_columns(turn=pl.int_range(pl.len()).over("reason")).sort("turn", "lot", "id")
    return turns.head(max(ROWS, rows["reason"].n_unique())).select("reason", "id", *TEXTS).to_dicts()


def read_sets(
    examples: Iterable[str | Path],
    dropped: Iterable[str | Path],
    cards: Iterable[str | Path],
    mixtures: Iterable[str | Path],
    cleared: Iterable[str | Path],
    languages: Mapping[str, Mapping],
) -> list[dict]:
    """Read what became of each dataset's rows in each language.

    `examples` and `dropped` are files {dataset}/{language}.parquet of the rule `curate`, `cards` those of `synthesize`,
    all in one order; `mixtures` are the cards of `mix`, `cleared` what `guard` found, in any; `languages` gives name,
    iso639_1 and script by code. A set has dataset, code, name and lang (BCP 47); recipe and teacher (None where there
    is no row); made, kept, faults and dropped, numbers of rows, the last two by reason; lengths of the kept rows;
    overlapping, how many of them overlap with a task's test rows, by task; mixture, the keys of MIXTURE, or None where
    it is not mixed; cost, the keys of COST; kept_rows and dropped_rows to read.
    """
    mixed = {card["dataset"]: card["languages"] for card in map(read_json, mixtures)}
    found = {(Path(path).parent.name, Path(path).stem): read_json(path) for path in cleared}
    sets = []
    for kept_path, dropped_path, card_path in zip(examples, dropped, cards, strict=True):
        dataset, code = Path(kept_path).parent.name, Path(kept_path).stem
        kept = pl.read_parquet(kept_path).with_columns(reason=pl.lit(""), completion=pl.lit(""))
        lost = pl.read_parquet(dropped_path)
        by_reason = lost.group_by(pl.col("fault") != "", "reason").len().sort("reason").rows()
        made_by = pl.concat(rows.select("recipe", "teacher").head(1) for rows in (kept, lost)).rows()
        recipe, teacher = made_by[0] if made_by else (None, None)
        card = read_json(card_path)
        mixture = mixed[dataset].get(code, {}) if dataset in mixed else None
        sets.append(
            {
                "dataset": dataset,
                "code": code,
                "name": languages[code]["name"],
                "lang": f"{languages[code]['iso639_1']}-{languages[code]['script']}",
                "recipe": recipe,
                "teacher": teacher,
                "made": kept.height + lost.height,
                "faults": {reason: rows for fault, reason, rows in by_reason if fault},
                "dropped": {reason: rows for fault, reason, rows in by_reason if not fault},
                "kept": kept.height,
                "lengths": lengths(kept),
                "overlapping": {task: of["overlapping"] for task, of in found.get((dataset, code), {}).items()},
                "mixture": None if mixture is None else {key: mixture.get(key, 0) for key in MIXTURE},
                "cost": {key: card[key] for key in COST},
                "kept_rows": draw(kept),
                "dropped_rows": draw(lost),
            }
        )
    return sets


def _counts(one: Mapping, made: str) -> dict[str, dict[str, float]]:
    """Return the cells of a set's line, {group of columns: {column: number}}; a group may be empty."""
    return {
        "rows": {made: one["made"], "kept": one["kept"]},
        "faults": one["faults"],
        "dropped by curation": one["dropped"],
        "overlap with test rows": one["overlapping"],
        "mixture": {MIXTURE[key]: value for key, value in (one["mixture"] or {}).items()},
        "requests to the teacher": {COST[key]: one["cost"][key] for key in COST if any(one["cost"].values())},
    }


def tables(sets: Sequence[Mapping]) -> list[dict]:
    """Return what the page tabulates of read_sets, one table a dataset.

    A table has dataset; makers, its recipe and teacher; columns, {group: names}, the most frequent reason first; and
    lines, that of all languages together first (name None): name, counts {group: {column: number}} and lengths, to
    which `at` adds where the five numbers lie from 0 to 100, on a logarithmic scale for all datasets.
    """
    fives = [field["five"] for one in sets for field in one["lengths"].values() if field["five"]]
    widest = math.log1p(max((five[-1] for five in fives), default=0)) or 1.0
    found = []
    for dataset in dict.fromkeys(one["dataset"] for one in sets):
        own = [one for one in sets if one["dataset"] == dataset]
        made = "loaded" if any(one["recipe"] == "load" for one in own) else "made"
        lines = [{"name": one["name"], "counts": _counts(one, made), "lengths": _placed(one, widest)} for one in own]
        total = {group: Counter() for group in lines[0]["counts"]}
        for line in lines:
            for group, counts in line["counts"].items():
                total[group].update(counts)
        found.append(
            {
                "dataset": dataset,
                "makers": list(dict.fromkeys(one[key] for key in ("recipe", "teacher") for one in own if one[key])),
                "columns": {
                    group: [name for name, _ in counts.most_common()] if group in REASONS else list(counts)
                    for group, counts in total.items()
                    if counts
                },
                "lines": [{"name": None, "counts": total, "lengths": None}, *lines],
            }
        )
    return found


def _placed(one: Mapping, widest: float) -> dict[str, dict]:
    return {
        name: {**field, "at": [round(100 * math.log1p(number) / widest) for number in field["five"] or ()]}
        for name, field in one["lengths"].items()
    }


def readable(sets: Sequence[Mapping]) -> dict:
    """Return the rows to read, in few bytes, by the first of SIZES that BYTES allow.

    Keys: cut, the characters after which a text ends in an ellipsis; texts, TEXTS; languages, {code: [name, lang]};
    datasets, {name: {code: [kept, dropped, rows]}}, the first two all that there are. A row lists reason ("" for a kept
    one), id and TEXTS. Every reason is seen in each language, or in each dataset where the number of rows is limited.
    """
    for most, cut in SIZES:
        datasets: dict[str, dict] = {}
        seen: Counter = Counter()
        for one in sets:
            shown = one["kept_rows"][:most] + _spread(one["dropped_rows"], most, one["dataset"], seen)
            rows = [[row["reason"], row["id"], *(_cut(row[text], cut) for text in TEXTS)] for row in shown]
            datasets.setdefault(one["dataset"], {})[one["code"]] = [one["kept"], one["made"] - one["kept"], rows]
        if len(json.dumps(datasets, ensure_ascii=False, separators=(",", ":")).encode()) <= BYTES:
            break
    languages = {one["code"]: [one["name"], one["lang"]] for one in sets}
    return {"cut": cut, "texts": TEXTS, "languages": languages, "datasets": datasets}


def _spread(rows: Sequence[Mapping], most: int | None, dataset: str, seen: Counter) -> list[Mapping]:
    """Return `most` of a set's dropped rows, reasons seldom `seen` in the dataset first, and one of each never seen."""
    shown = []
    for row in sorted(rows, key=lambda row: seen[dataset, row["reason"]]):
        if most is None or len(shown) < most or not seen[dataset, row["reason"]]:
            shown.append(row)
            seen[dataset, row["reason"]] += 1
    return sorted(shown, key=lambda row: row["reason"])


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[:characters].rstrip()}…"
