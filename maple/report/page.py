"""Report: the whole study on one page that needs nothing but a browser."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from maple.analysis.leaderboard import points
from maple.report import charts
from maple.report.dataset_tables import readable, tables
from maple.report.sections.data_quality import QUIRKS, counts, coverage, flip_rates, missing, quirks, row_faults
from maple.report.sections.merging import held_out_bits, merge_points, merges
from maple.report.sections.overview import best_runs, count_runs
from maple.report.sections.questions import figure_rows, lost_english, sentence, told, two_decimals
from maple.report.sections.run_cards import SHOWN, losses, plain, run_cards
from maple.report.sections.run_views import GROUPS, best_of_each, key, order_languages, view_runs
from maple.report.sections.score_table import score_columns


@cache
def _javascript() -> Markup:
    """Return Vega, Vega-Lite and Vega-Embed as one script that needs no network."""
    import vl_convert

    return Markup(vl_convert.javascript_bundle().replace("</script", "<\\/script"))


def _embedded_json(content: object) -> Markup:
    """Return `content` as JSON that cannot end the script element it stands in; what is no number is null."""
    content = json.loads(json.dumps(content), parse_constant=lambda _: None)
    return Markup(json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


def _in_points(row: Mapping) -> dict:
    names = {"change": "change", "low": "change_low", "high": "change_high"}
    return {name: round(100 * row[column], 2) for name, column in names.items() if row[column] is not None}


def _changed_in(view: Mapping, row: Mapping | None) -> bool:
    return not view["is_base"] and row is not None and row["change"] is not None


def _capacity_rows(views: Sequence[Mapping]) -> list[dict]:
    families = {view["family"] for view in views if view["rank"]}
    levels = [("All languages", lambda view: view["overall"])]
    levels += [(GROUPS[group], lambda view, group=group: view["groups"][group]) for group in ("high", "low")]
    return [
        {
            **{name: view[name] for name in ("rank", "bits", "seed")},
            # Methods are not joined by a line: what a rank is differs between them.
            "series": view["series"] if len(families) < 2 else f"{view['series']} · {view['family']}",
            "group": group,
            **_in_points(of(view)),
        }
        for group, of in levels
        for view in views
        if _changed_in(view, of(view)) and view["rank"] and view["bits"]
    ]


def _figures(
    views: Sequence[Mapping],
    languages: Sequence[Mapping],
    cards: Sequence[Mapping],
    questions: Mapping,
    merged: Sequence[Mapping],
    held_out: Sequence[Mapping],
) -> dict[str, dict]:
    """Return the Vega-Lite specifications of the page by name, those for which there is something to draw."""
    by_language = [
        {
            "series": view["series"],
            "run": view["name"],
            "language": language["name"],
            "group": GROUPS[language["group"]],
            **_in_points(view["languages"][language["code"]]),
        }
        for view in best_of_each(views)
        for language in languages
        if _changed_in(view, view["languages"][language["code"]])
    ]
    shares = {key(card["run"]): card.get("trainable_share") for card in cards if card["stage"] == "finetune"}
    share = [
        {"series": view["series"], "run": view["name"], "share": 100 * of, **_in_points(view["overall"])}
        for view in views
        if (of := shares.get(view["key"])) and _changed_in(view, view["overall"])
    ]
    capacity = _capacity_rows(views)
    drawn = {
        f"question-{answer['question']}": charts.contrasts(
            figure_rows(answer),
            answer,
            questions["smallest_effect"],
            answer["gate"]["bound"] if answer["gate"] else None,
        )
        for answer in told(questions)
        if answer["asked"]
    }
    drawn |= {
        "rank": charts.capacity(capacity, "rank", "bits"),
        "bits": charts.capacity(capacity, "bits", "rank"),
        "languages": charts.changes(by_language),
        "shares": charts.shares(share),
        "merges": charts.merges(merge_points(merged), max((row["card"]["bound"] for row in merged), default=0)),
        "held-out": charts.held_out(held_out),
        "losses": charts.losses(losses(views, cards)),
    }
    return {name: chart for name, chart in drawn.items() if chart}


def report(
    summary: pl.DataFrame,
    groups: pl.DataFrame,
    groups_by_task: pl.DataFrame,
    questions: Mapping,
    languages: Sequence[Mapping],
    low_classes: Sequence[int],
    tasks: Mapping[str, Mapping],
    runs: Sequence[Mapping],
    finetuned_in: Mapping[str, Sequence[str]],
    cards: Sequence[Mapping],
    sets: Sequence[Mapping],
    quality: pl.DataFrame,
    note: str,
) -> str:
    """Return the report as one HTML page that loads nothing.

    `summary` is maple.analysis.summary.summarize's, `groups` its summarize_groups', `groups_by_task` its
    summarize_by_task's, `questions` maple.analysis.questions.answer.questions', `languages` are rows of the language
    table, `low_classes` the Joshi classes called low-resource, `tasks` give "headline", "chance" and "languages"
    (codes) by name, `runs` are the grid's (rank is None for one without), `finetuned_in` gives each dataset's codes,
    `cards` are the run cards that there are, `sets` are maple.report.dataset_tables.read_sets', `quality` is
    maple.evaluation.prompts.quality's count of what was wrong with the benchmarks' rows, `note` says what this grid is.
    A part without data is left out. All text from models and data is escaped.
    """
    ordered = order_languages(languages, low_classes)
    names = {language["code"]: language["name"] for language in ordered}
    place = {code: place for place, code in enumerate(names)}
    sets = sorted(sets, key=lambda one: (one["dataset"], place.get(one["code"], len(place)), one["name"]))
    to_read = readable(sets)
    views = view_runs(summary, groups, ordered, runs)
    merged = merges(views, cards)
    held_out, held_out_points = held_out_bits(views, cards, ordered)
    drawn = _figures(views, ordered, cards, questions, merged, held_out_points)
    scores = score_columns(summary, groups, groups_by_task, ordered, tasks, views, finetuned_in)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"points": points, "plain": plain, "two_decimals": two_decimals, "sentence": sentence}
    return environment.get_template("page.html.jinja").render(
        note=note,
        percent=f"{100 * questions['confidence']:g}",
        questions=questions,
        answers=told(questions),
        english=lost_english(questions),
        languages=ordered,
        group_names=GROUPS,
        grouped=[(GROUPS[group], size) for group in GROUPS if (size := sum(row["group"] == group for row in ordered))],
        low_classes=sorted(low_classes),
        views=views,
        counted=count_runs(summary, views, ordered, tasks),
        best=best_runs(views),
        drawn=drawn,
        coverage=coverage(summary, tasks, ordered),
        missing=missing(summary, tasks, ordered, views),
        quirk_names=QUIRKS,
        quirk_counts=counts(summary),
        run_quirks=quirks(summary, ["model", "dataset", "method", "seed"]),
        flip_rates=flip_rates(cards),
        language_quirks=quirks(summary, ["language"]),
        task_quirks=quirks(summary, ["task"]),
        row_faults=row_faults(quality, names),
        merged=merged,
        held_out=held_out["runs"],
        datasets=tables(sets),
        cut=to_read["cut"],
        run_cards=run_cards(views, cards),
        shown_elsewhere=SHOWN,
        language_names=names,
        data=_embedded_json({**scores, "heldOut": held_out, "readable": to_read, "charts": drawn}),
        javascript=_javascript() if drawn else "",
    )
