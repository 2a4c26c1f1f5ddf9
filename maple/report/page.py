"""The report: the whole study on one page that needs nothing but a browser."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from maple.analysis.axes import drawn_axes
from maple.analysis.leaderboard import points
from maple.analysis.questions.records import Answer, CostAnswer, NotAsked, Ranking, StudyAnswers, told
from maple.definitions.language import Language
from maple.definitions.run import Run
from maple.definitions.task import TaskMetrics
from maple.evaluation.tokenizer_ceiling import CEILING_METRICS, CEILING_SCHEMA
from maple.report import charts
from maple.report.dataset_tables import DatasetSummary, dataset_tables, samples_to_read
from maple.report.figure_names import axis_figure
from maple.report.label_charts import labels_chart
from maple.report.method_charts import method_charts
from maple.report.outlook import outlook
from maple.report.picture_answers import MOST_BYTES, PicturedAnswers
from maple.report.sections.changes import result_charts, split_changes
from maple.report.sections.corpus_scores import ceiling_rows, signature_rows
from maple.report.sections.data_quality import (
    RerunCommand,
    count_answers,
    coverage,
    issue_columns,
    issues_by,
    issues_by_run,
    item_samples,
    large_clusters,
    missing_cells,
    not_above_chance,
    row_faults,
)
from maple.report.sections.labels import task_labels
from maple.report.sections.merging import held_out_bits, merge_points, merge_ways
from maple.report.sections.methods import rows_in_words, view_methods
from maple.report.sections.overview import best_settings, count_runs, grid_axes
from maple.report.sections.questions import (
    answer_views,
    chart_rows,
    heading_of,
    least_of,
    measure_rows,
    of_format,
    other_scores,
    part_name,
    percent_of,
    pill,
    sentence,
    two_decimals,
)
from maple.report.sections.run_cards import ELSEWHERE, loss_points, plain, run_costs
from maple.report.sections.run_views import order_languages, view_runs, view_settings
from maple.report.sections.score_table import score_table


@dataclass(frozen=True)
class Results:
    """The results that the page shows."""

    summary: pl.DataFrame
    """Of maple.analysis.summary.summarize."""
    groups: pl.DataFrame
    """Of maple.analysis.summary.summarize_groups."""
    groups_by_task: pl.DataFrame
    """Of maple.analysis.summary.summarize_by_task."""
    domains: pl.DataFrame
    """Of maple.analysis.domain_scores.domain_scores."""
    methods: pl.DataFrame
    """Of maple.analysis.domain_scores.method_scores."""
    board: pl.DataFrame
    """The leaderboard, of maple.analysis.leaderboard.leaderboard."""
    answers: StudyAnswers
    """The answers to the study's questions."""
    cards: Sequence[Mapping[str, Any]]
    """The run cards, each with its stage and its run."""
    datasets: Sequence[DatasetSummary]
    """The rows of the datasets, in any order."""
    quality: pl.DataFrame
    """The faults of benchmark rows, of maple.evaluation.prompts.quality."""
    confusion: pl.DataFrame
    """The gold and predicted labels, of maple.evaluation.label_tables.confusion_counts."""
    reliability: pl.DataFrame
    """The confidence and accuracy of labels, of maple.evaluation.label_tables.reliability_bins."""
    ceilings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CEILING_SCHEMA))
    """The ceilings of tokenizers, of maple.evaluation.tokenizer_ceiling; without translations there are none."""
    pictured: Sequence[PicturedAnswers] = ()
    """Items with their pictures, of maple.report.picture_answers; without tasks about pictures there are none."""


@dataclass(frozen=True)
class StudyFacts:
    """What the config says of the study."""

    runs: Sequence[Run]
    """The runs of the grid."""
    languages: Sequence[Language]
    """The languages."""
    tasks: Mapping[str, TaskMetrics]
    """The tasks, by name."""
    finetuned_in: Mapping[str, Sequence[str]]
    """The codes of each dataset's languages."""
    low_classes: Sequence[int]
    """The Joshi classes called low-resource."""
    note: str
    """The sentence that the page opens with."""


@cache
def _javascript() -> Markup:
    """Return Vega, Vega-Lite and Vega-Embed as one script, so that the page needs no network."""
    import vl_convert

    # The stub of vl_convert has no default for `snippet`, the library has.
    bundle = vl_convert.javascript_bundle()  # pyright: ignore[reportCallIssue]
    return Markup(bundle.replace("</script", "<\\/script"))


def _embedded_json(content: object) -> Markup:
    """Return `content` as JSON that cannot end the script element around it; nan and infinities become null."""
    content = json.loads(json.dumps(content), parse_constant=lambda _: None)
    return Markup(json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))


def _scripts(environment: Environment, charts: bool) -> list[Markup]:
    """Return the scripts of the page: its own, and with charts those that draw them."""
    names = ["page.js.jinja", *(["page.charts.js.jinja"] if charts else [])]
    first, *rest = [Markup(environment.get_template(name).render()) for name in names]
    return [first, *([_javascript()] if charts else []), *rest]


def _policy(scripts: Sequence[str]) -> Markup:
    """Return the sources that a Content-Security-Policy names: these scripts by their SHA-256, no others."""
    digests = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    return Markup(" ".join(f"'sha256-{digest}'" for digest in digests))


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"points": points, "plain": plain, "two_decimals": two_decimals, "sentence": sentence}
    environment.filters |= {"of_format": of_format, "other_scores": other_scores}
    environment.filters |= {"told": told, "pill": pill, "part_name": part_name, "rows_in_words": rows_in_words}
    environment.filters |= {"percent_of": percent_of, "outlook": outlook}
    return environment


def _question_charts(answers: StudyAnswers) -> dict[str, dict[str, Any] | None]:
    drawn: dict[str, dict[str, Any] | None] = {}
    for answer in answers.questions:
        name = f"question-{answer.question}"
        if isinstance(answer, Answer):
            drawn[name] = charts.contrasts(chart_rows(answer), answer, least_of(answer, answers))
        elif not isinstance(answer, NotAsked):
            reference = 1 if isinstance(answer, CostAnswer) else None
            whole = isinstance(answer, Ranking)
            drawn[name] = charts.measures(measure_rows(answer), answer.unit, reference=reference, whole=whole)
    return drawn


def report(results: Results, study: StudyFacts, rerun: RerunCommand) -> str:
    """Return the report as one HTML page that loads nothing.

    A section without data is left out. All text from models and data is escaped. `rerun` is the command that computes
    missing cells.
    """
    summary, groups, answers, cards = results.summary, results.groups, results.answers, results.cards
    languages = order_languages(study.languages, study.low_classes)
    names = {language.code: language.name for language in languages}
    places = {code: place for place, code in enumerate(names)}
    views = view_runs(summary, groups, languages, study.runs)
    settings = view_settings(views, results.board, groups)
    costs, ways, splits = run_costs(views, cards), merge_ways(views, cards), split_changes(summary, views)
    axes = drawn_axes(view.run for view in views)
    held_out, held_out_rows = held_out_bits(views, settings, cards, languages)
    methods = view_methods(results.domains, results.methods, study.runs, cards, languages) if views else None
    labels = task_labels(results.confusion, results.reliability, languages)
    specifications = {
        **_question_charts(answers),
        **result_charts(views, settings, costs, languages, splits),
        **method_charts(methods),
        "merges": charts.merges(merge_points(ways), max((way.bound for way in ways), default=0)),
        "held-out": charts.held_out(held_out_rows, held_out.unit),
        **{f"labels-{table.task}": labels_chart(table) for table in labels},
        "losses": charts.losses(loss_points(costs, axes), axes),
    }
    specifications = {name: chart for name, chart in specifications.items() if chart}
    datasets = sorted(results.datasets, key=lambda one: (one.dataset, places.get(one.code, len(places)), one.name))
    samples = samples_to_read(datasets)
    counted = count_answers(summary)
    table = score_table(
        summary, groups, results.groups_by_task, results.board, languages, study.tasks, views, study.finetuned_in
    )
    environment = _environment()
    scripts = _scripts(environment, charts=bool(specifications))
    embedded = {"heldOut": asdict(held_out), "samples": asdict(samples), "charts": specifications}
    return environment.get_template("page.html.jinja").render(
        note=study.note,
        percent=percent_of(summary["confidence"][0] if summary.height else answers.confidence),
        answers=answers,
        answer_views=answer_views(answers),
        questions_heading=heading_of(answers),
        has_margins=any(isinstance(one, Answer) and one.margin for one in answers.questions),
        has_hollow=any("hollow" in pill(one) for one in answers.questions),
        english=next((one for one in answers.questions if isinstance(one, Answer) and one.gate), None),
        languages=languages,
        low_classes=sorted(study.low_classes),
        views=views,
        counts=count_runs(summary, views, languages, len(study.tasks)),
        axes=grid_axes(views),
        over_axes=[name for name in specifications if name.startswith(axis_figure("", ""))],
        has_chance=any(measure.chance for measure in table.measures),
        splits=splits,
        has_changes=any(view.overall.change is not None for view in views),
        has_scores=any(view.overall.change is None for view in views if not view.is_base),
        best=best_settings(settings, results.board),
        charts=specifications,
        coverage=coverage(summary, study.tasks, languages),
        samples=item_samples(results.quality),
        missing=missing_cells(summary, study.tasks, languages, views, rerun),
        issues=issue_columns(summary, counted),
        answer_counts=counted,
        run_issues=issues_by_run(summary, views, cards),
        task_issues=issues_by(summary, "task", {name: name for name in study.tasks}),
        language_issues=issues_by(summary, "language", names),
        signatures=signature_rows(summary, study.tasks, names),
        ceilings=ceiling_rows(results.ceilings, names),
        ceiling_metrics=CEILING_METRICS,
        row_faults=row_faults(results.quality, names),
        chance_rows=not_above_chance(summary, views),
        large_clusters=large_clusters(summary, names),
        labels=labels,
        methods=methods,
        pictured=results.pictured,
        titles={view.run.path: view.title for view in views},
        most_megabytes=MOST_BYTES // 10**6,
        views_of_languages={language.code: language for language in languages},
        ways=ways,
        held_out=held_out,
        datasets=dataset_tables(datasets),
        cut=samples.cut,
        costs=costs,
        shown_elsewhere=ELSEWHERE,
        language_names={one.code: one.name for one in datasets} | names,
        data=_embedded_json({**asdict(table), **embedded}),
        scripts=scripts,
        policy=_policy(scripts),
        notices=(Path(__file__).parent / "notices.txt").read_text(encoding="utf-8"),
    )
