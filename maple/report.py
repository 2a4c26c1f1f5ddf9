"""Report: the whole study on one page that needs nothing but a browser."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from maple import charts
from maple.summary import ENGLISH, RUN, leaderboard, points, resource_group
from maple.viewer import readable, tables

GROUPS = {"high": "High-resource", "low": "Low-resource", None: "Class unknown"}
BASE = "untouched base"


@cache
def _javascript() -> Markup:
    """Return Vega, Vega-Lite and Vega-Embed as one script that needs no network."""
    import vl_convert

    return Markup(vl_convert.javascript_bundle().replace("</script", "<\\/script"))


def _embedded_json(content: object) -> Markup:
    """Return `content` as JSON that cannot end the script element it stands in."""
    return Markup(json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


def _key(row: Mapping) -> tuple:
    return tuple(row[name] for name in ("model", "dataset", "method", "seed"))


def _ordered(languages: Sequence[Mapping], low_classes: Sequence[int]) -> list[dict]:
    """Return the languages with their group, most resourced first."""
    rank = {"high": 0, "low": 1, None: 2}
    rows = [{**language, "group": resource_group(language, low_classes)} for language in languages]
    return sorted(
        rows, key=lambda row: (rank[row["group"]], -int(row["joshi_class"]) if row["group"] else 0, row["name"])
    )


def _verdict(row: Mapping | None) -> str | None:
    """Return "above", "below" or "inside": where the interval of a change lies, seen from zero."""
    if row is None or row["change_low"] is None:
        return None
    return "above" if row["change_low"] > 0 else "below" if row["change_high"] < 0 else "inside"


def _counts(rows: Sequence[Mapping]) -> dict[str, int]:
    verdicts = [_verdict(row) for row in rows]
    return {verdict: verdicts.count(verdict) for verdict in ("above", "below", "inside")}


def _views(
    summary: pl.DataFrame, groups: pl.DataFrame, languages: Sequence[Mapping], runs: Sequence[Mapping]
) -> list[dict]:
    """Return every run as tables show it, bases first: names, overall row, rows of languages and of groups."""
    by_language, by_group = (
        {(*_key(row), row["group"]): row for row in groups.filter(kind=kind).iter_rows(named=True)}
        for kind in ("language", "resource")
    )
    overall = {_key(row): row for row in leaderboard(summary).iter_rows(named=True)}
    order = [run for run in runs if _key(run) in overall]
    models = list(dict.fromkeys(run["model"] for run in order))
    seeds = {run["seed"] for run in order if run["method"] != "none"}
    views = []
    for run in sorted(order, key=lambda run: (models.index(run["model"]), run["method"] != "none")):
        key = _key(run)
        own = run["method"] if len(seeds) < 2 else f"{run['method']}, seed {run['seed']}"
        views.append(
            {
                **run,
                "key": key,
                "is_base": run["method"] == "none",
                "name": BASE if run["method"] == "none" else f"{run['dataset']} · {own}",
                "series": f"{run['model']} · {run['dataset']}",
                "overall": overall[key],
                "languages": {language["code"]: by_language.get((*key, language["code"])) for language in languages},
                "groups": {group: by_group.get((*key, group)) for group in ("high", "low")},
            }
        )
    return views


def _glance(views: Sequence[Mapping]) -> dict | None:
    """Return what the first lines say: the best run, and how many runs changed what."""
    tuned = [view for view in views if not view["is_base"]]
    if not tuned:
        return None
    best = max(views, key=lambda view: view["overall"]["mean"])
    best_tuned = max(tuned, key=lambda view: view["overall"]["mean"])
    both = [view["groups"] for view in tuned if all(view["groups"].values())]
    return {
        "best": best,
        "tuned": best_tuned,
        "runs": len(tuned),
        "overall": _counts([view["overall"] for view in tuned]),
        "english": _counts([view["languages"].get(ENGLISH) for view in tuned]),
        "low_gained_more": sum((pair["low"]["change"] or 0) > (pair["high"]["change"] or 0) for pair in both),
        "compared": len(both),
    }


def _change_points(row: Mapping) -> dict:
    names = {"change": "change", "low": "change_low", "high": "change_high"}
    return {name: round(100 * row[column], 2) for name, column in names.items() if row[column] is not None}


def _charts(views: Sequence[Mapping], languages: Sequence[Mapping], cards: Sequence[Mapping]) -> dict[str, dict]:
    tuned = [view for view in views if not view["is_base"] and view["overall"]["change"] is not None]
    families = {view["family"] for view in tuned if view["rank"]}
    levels = [("All languages", lambda view: view["overall"])]
    levels += [(GROUPS[group], lambda view, group=group: view["groups"][group]) for group in ("high", "low")]
    curve = [
        {
            **{name: view[name] for name in ("rank", "bits", "seed")},
            # Methods are not joined by a line: what a rank is differs between them.
            "series": view["series"] if len(families) < 2 else f"{view['series']} · {view['family']}",
            "group": group,
            **_change_points(of(view)),
        }
        for group, of in levels
        for view in tuned
        if of(view) and of(view)["change"] is not None and view["rank"] and view["bits"]
    ]
    best = {}
    for view in sorted(tuned, key=lambda view: view["overall"]["mean"]):
        best[view["series"]] = view
    by_language = [
        {
            "series": view["series"],
            "run": view["name"],
            "language": language["name"],
            "group": GROUPS[language["group"]],
            **_change_points(view["languages"][language["code"]]),
        }
        for view in tuned
        if best[view["series"]] is view
        for language in languages
        if view["languages"][language["code"]] and view["languages"][language["code"]]["change"] is not None
    ]
    known = {view["key"]: view for view in views}
    finetuned = [
        (known[_key(card["run"])], card) for card in cards if card["stage"] == "finetune" and _key(card["run"]) in known
    ]
    loss = [
        {**{name: view[name] for name in ("series", "rank", "bits")}, "run": view["name"], **point}
        for view, card in finetuned
        for point in card.get("loss", [])
    ]
    share = [
        {
            "series": view["series"],
            "run": view["name"],
            "share": 100 * card["trainable_share"],
            **_change_points(view["overall"]),
        }
        for view, card in finetuned
        if card.get("trainable_share") and view["overall"]["change"] is not None
    ]
    drawn = {
        "rank": charts.capacity(curve, "rank", "bits"),
        "bits": charts.capacity(curve, "bits", "rank"),
        "languages": charts.changes(by_language),
        "shares": charts.shares(share),
        "losses": charts.losses(loss),
    }
    return {name: chart for name, chart in drawn.items() if chart}


def _task_tables(summary: pl.DataFrame, tasks: Mapping[str, Mapping]) -> list[dict]:
    """Return every task's headline scores: {run key: {language: row}}."""
    tables = []
    for name, task in tasks.items():
        rows = summary.filter((pl.col("task") == name) & pl.col("headline")).select(
            *RUN, "language", "mean", "low", "high", "against_chance"
        )
        cells: dict[tuple, dict] = {}
        for row in rows.iter_rows(named=True):
            cells.setdefault(_key(row), {})[row["language"]] = row
        shade = _shade(rows["mean"])
        tables.append({"name": name, **task, "chance": task.get("chance"), "cells": cells, "shade": shade})
    return tables


def _coverage(summary: pl.DataFrame, tasks: Mapping[str, Mapping], languages: Sequence[Mapping]) -> list[dict]:
    """Return a row a task: the number of items in each language, or why there is none."""
    counts = summary.filter(pl.col("headline")).group_by("task", "language").agg(least=pl.min("n"), most=pl.max("n"))
    items = {(row["task"], row["language"]): row for row in counts.iter_rows(named=True)}
    rows = []
    for name, task in tasks.items():
        cells, not_offered, without_items = {}, [], []
        for language in languages:
            found = items.get((name, language["code"]))
            if found:
                least, most = found["least"], found["most"]
                cells[language["code"]] = str(most) if least == most else f"{least}–{most}"
            elif language["code"] in task["languages"]:
                without_items.append(language["name"])
            else:
                not_offered.append(language["name"])
        rows.append({"name": name, "cells": cells, "not_offered": not_offered, "without_items": without_items})
    return rows


QUIRKS = {
    "unparsed": "unparsed, %",
    "empty": "empty, %",
    "wrong_language": "wrong language, %",
    "wrong_script": "wrong script, %",
    "truncated": "cut at the limit, %",
    "too_long": "prompt too long, %",
    "at_chance": "no better than chance, %",
    "shots": "demonstrations",
    "shots_dropped": "left out",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "new tokens",
    "tokens_per_word": "tokens a word",
}


def _quirks(summary: pl.DataFrame, by: Sequence[str]) -> dict[tuple, dict]:
    """Return shares and token counts averaged over headline cells, by the columns `by`.

    at_chance is the share of the cells with a chance level whose interval does not lie above it.
    """
    cells = summary.filter(pl.col("headline") & (pl.col("language") != "all")).with_columns(
        at_chance=(pl.col("against_chance") != "above").cast(pl.Float64)
    )
    means = cells.group_by(by).agg(pl.mean(*QUIRKS))
    return {tuple(row[name] for name in by): row for row in means.iter_rows(named=True)}


# The ways of a merge card (maple.merging), in the order of the table.
WAYS = {
    "dequantized": "folded into the dequantized base",
    "original": "folded into the original weights",
    "attached_dequantized": "beside the dequantized base",
    "attached_original": "beside the original weights",
    "untouched": "left out",
}


def _row_faults(quality: pl.DataFrame, names: Mapping[str, str]) -> list[dict]:
    """Return the tasks and languages some of whose rows were repaired or faulty."""
    troubled = quality.filter((pl.col("repaired") > 0) | (pl.col("faulty") > 0))
    return [{**row, "name": names.get(row["language"], row["language"])} for row in troubled.iter_rows(named=True)]


def _run_cards(views: Sequence[Mapping], cards: Sequence[Mapping]) -> list[dict]:
    stages: dict[tuple, dict] = {}
    for card in cards:
        stages.setdefault(_key(card["run"]), {})[card["stage"]] = card
    return [{"view": view, "stages": stages[view["key"]]} for view in views if view["key"] in stages]


def _shade(values: Iterable[float | None], zero: bool = False) -> dict[str, float]:
    """Return the values that are shown palest and darkest."""
    known = [value for value in values if value is not None]
    return {"low": 0.0 if zero else min(known, default=0.0), "high": max(known, default=1.0)}


def _shaded(value: float, shade: Mapping[str, float]) -> int:
    """Return how dark a value is shown, 0 to 100."""
    width = shade["high"] - shade["low"]
    return round(100 * min(1, (value - shade["low"]) / width)) if width else 50


def _plain(value: object) -> str:
    """Return a card's value as text: numbers short, mappings and lists as JSON."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, indent=1)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def report(
    summary: pl.DataFrame,
    groups: pl.DataFrame,
    languages: Sequence[Mapping],
    low_classes: Sequence[int],
    tasks: Mapping[str, Mapping],
    runs: Sequence[Mapping],
    cards: Sequence[Mapping],
    sets: Sequence[Mapping],
    quality: pl.DataFrame,
    note: str,
) -> str:
    """Return the report as one HTML page that loads nothing.

    `summary` is maple.summary.summarize's, `groups` its summarize_groups', `languages` are rows of the language table,
    `low_classes` the Joshi classes called low-resource, `tasks` give "headline", "chance" and "languages" (codes) by
    name, `runs` are the grid's (rank is None for a method without one), `cards` the run cards that there are, `sets`
    are maple.viewer.read_sets', `quality` is maple.tasks.quality's count of what was wrong with the benchmarks' rows,
    `note` says what this grid is.
    A part without data is left out. All text from models and data is escaped.
    """
    ordered = _ordered(languages, low_classes)
    place = {language["code"]: place for place, language in enumerate(ordered)}
    sets = sorted(sets, key=lambda one: (one["dataset"], place.get(one["code"], len(place)), one["name"]))
    to_read = readable(sets)
    views = _views(summary, groups, ordered, runs)
    shown = [row for view in views for row in (view["overall"], *view["languages"].values()) if row]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"points": points, "plain": _plain, "verdict": _verdict, "shaded": _shaded}
    grouped = [(GROUPS[group], sum(row["group"] == group for row in ordered)) for group in GROUPS]
    return environment.get_template("report.html.jinja").render(
        note=note,
        confidence=summary["confidence"].first(),
        cells=views[0]["overall"]["cells"] if views else 0,
        languages=ordered,
        groups=[group for group in grouped if group[1]],
        english=ENGLISH,
        low_classes=sorted(low_classes),
        views=views,
        glance=_glance(views),
        shade=_shade(row["mean"] for row in shown),
        change_shade=_shade((abs(row["change"]) for row in shown if row["change"] is not None), zero=True),
        charts=_embedded_json(drawn := _charts(views, ordered, cards)),
        drawn=drawn,
        task_tables=_task_tables(summary, tasks),
        coverage=_coverage(summary, tasks, ordered),
        quirk_names=QUIRKS,
        run_quirks=_quirks(summary, ["model", "dataset", "method", "seed"]),
        language_quirks=_quirks(summary, ["language"]),
        row_faults=_row_faults(quality, {language["code"]: language["name"] for language in ordered}),
        datasets=tables(sets),
        cut=to_read["cut"],
        to_read=_embedded_json(to_read),
        run_cards=_run_cards(views, cards),
        merge_ways=WAYS,
        language_names={language["code"]: language["name"] for language in ordered},
        javascript=_javascript() if drawn else "",
    )
