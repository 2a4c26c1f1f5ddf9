"""Scores of all runs as columns of whole numbers, from which the page draws its leaderboard and its heat map."""

from collections.abc import Mapping, Sequence

import polars as pl

from maple.report.sections.run_views import GROUPS

KINDS = {
    "resource": "Resources",
    "class": "Joshi class",
    "script": "Script",
    "family": "Family",
    "seen": "In the finetuning data",
}
_VALUES = ("mean", "low", "high", "change", "change_low", "change_high")


def _label(kind: str, group: str) -> str:
    return {
        "resource": GROUPS.get(group, group),
        "class": f"Joshi class {group}",
        "seen": f"{group} in finetuning",
    }.get(kind, group)


def _members(
    kind: str, group: str, languages: Sequence[Mapping], finetuned_in: Mapping[str, Sequence[str]]
) -> list[int] | dict[str, list[int]]:
    """Return the places of a group's languages, by dataset where they differ between datasets."""
    if kind == "seen":
        return {
            dataset: [
                place for place, language in enumerate(languages) if (language["code"] in codes) == (group == "seen")
            ]
            for dataset, codes in finetuned_in.items()
        }
    column = {"resource": "group", "class": "joshi_class"}.get(kind, kind)
    return [place for place, language in enumerate(languages) if language[column] == group]


def score_columns(
    summary: pl.DataFrame,
    groups: pl.DataFrame,
    groups_by_task: pl.DataFrame,
    languages: Sequence[Mapping],
    tasks: Mapping[str, Mapping],
    views: Sequence[Mapping],
    finetuned_in: Mapping[str, Sequence[str]],
) -> dict:
    """Return runs, languages, measures, scopes and rows.

    A measure is a metric of a task; the first is the mean of all tasks' headlines. A scope is what languages a score is
    of: the first all of them, then groups, then each by itself; `languages` are their places, by dataset where they
    differ between datasets (`finetuned_in` gives each dataset's codes). `rows` are columns: run, measure and scope,
    places in the lists, then mean, low, high, change, change_low and change_high in hundredths of a point, null where
    there is none, n (item scores), and sure: 1 where the change is not nought after Holm's correction over all runs
    and groups of its kind, 0 where that is open, null where nothing is corrected (a language in one task, all
    languages). The runs beside `views` are means over seeds, with seed null.
    """
    columns = ("model", "dataset", "method", "seed")
    seeded = groups.filter(pl.col("seed").is_null())
    means = seeded.select(*columns, "rank", "bits", "seeds").unique(columns, maintain_order=True)
    runs = [
        *({name: view[name] for name in (*columns, "rank", "bits", "name")} for view in views),
        *({**row, "name": f"{row['dataset']} · {row['method']}"} for row in means.iter_rows(named=True)),
    ]
    measured = summary.filter(pl.col("task") != "all").select("task", "metric", "headline").unique()
    measures = [{"task": None, "metric": None, "headline": True, "chance": None}]
    for name, task in tasks.items():
        found = measured.filter(task=name).sort(pl.col("headline"), "metric", descending=[True, False])
        measures += [
            {**row, "chance": task.get("chance") if row["headline"] else None} for row in found.iter_rows(named=True)
        ]
    kinds = groups.filter(pl.col("kind") != "language").select("kind", "group").unique(maintain_order=True).rows()
    scopes = [{"kind": None, "group": None, "label": "All languages", "languages": list(range(len(languages)))}]
    scopes += [
        {
            "kind": kind,
            "group": group,
            "label": _label(kind, group),
            "languages": _members(kind, group, languages, finetuned_in),
        }
        for wanted in KINDS
        for kind, group in sorted(kinds)
        if kind == wanted
    ]
    scopes += [
        {"kind": "language", "group": language["code"], "label": language["name"], "languages": [place]}
        for place, language in enumerate(languages)
    ]
    run = pl.DataFrame(
        [(*(row[name] for name in columns), place) for place, row in enumerate(runs)],
        schema={**dict.fromkeys(columns, pl.String), "seed": pl.Int64, "run": pl.Int64},
        orient="row",
    )
    measure = pl.DataFrame(
        [(row["task"] or "all", row["metric"] or "headline", place) for place, row in enumerate(measures)],
        schema=["task", "metric", "measure"],
        orient="row",
    )
    scope = pl.DataFrame(
        [(row["kind"] or "language", row["group"] or "all", place) for place, row in enumerate(scopes)],
        schema=["kind", "group", "scope"],
        orient="row",
    )
    of_tasks = summary.with_columns(kind=pl.lit("language"), group=pl.col("language"), sure=pl.lit(None, pl.Int8))
    headline = {name: task["headline"] for name, task in tasks.items()}
    of_groups = pl.concat(
        [
            groups.with_columns(task=pl.lit("all"), metric=pl.lit("headline")),
            groups_by_task.with_columns(metric=pl.col("task").replace_strict(headline, return_dtype=pl.String)),
        ],
        how="diagonal",
    ).with_columns(
        sure=(pl.col("p_holm") <= 1 - pl.col("confidence")).cast(pl.Int8),
    )
    wanted = [*columns, "task", "metric", "kind", "group", *_VALUES, "n", "sure"]
    rows = (
        pl.concat([of_tasks.select(wanted), of_groups.select(wanted)])
        .join(run, on=columns, nulls_equal=True)
        .join(measure, on=["task", "metric"])
        .join(scope, on=["kind", "group"])
        .sort("measure", "scope", "run")
        .select("run", "measure", "scope", (pl.col(_VALUES) * 10_000).round().cast(pl.Int64), "n", "sure")
    )
    return {
        "runs": runs,
        "languages": [
            {"name": language["name"], "code": language["code"], "group": GROUPS[language["group"]]}
            for language in languages
        ],
        "measures": measures,
        "scopes": [{**row, "kind": KINDS.get(row["kind"], row["kind"])} for row in scopes],
        "rows": rows.to_dict(as_series=False),
    }
