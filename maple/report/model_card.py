"""Model cards: what a finetuned model is, in the format of the Hugging Face Hub, from the records of its run."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import polars as pl
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from maple.analysis.leaderboard import points
from maple.definitions.run import run_path
from maple.models.encoding import evaluation_prompt, instruction_prompt
from maple.models.kind import KINDS
from maple.report.tables import aligned, escaped
from maple.runtime.files import write_text

# What a card is of; also the folder of results in which it lies.
MERGED, ADAPTERS = "merged", "adapters"
_LIBRARIES = ("torch", "transformers", "peft", "trl", "bitsandbytes")


@cache
def _template() -> Template:
    return Environment(loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined).get_template(
        "model_card.md.jinja"
    )


def _of(run: Mapping) -> dict:
    return {name: run[name] for name in ("model", "dataset", "method", "seed")}


def _interval(row: Mapping, name: str, signed: bool = False) -> str:
    low, high = ("low", "high") if name == "mean" else (f"{name}_low", f"{name}_high")
    value = points(row[name], signed)
    return value if row[low] is None else f"{value} [{points(row[low], signed)}, {points(row[high], signed)}]"


def _results(rows: pl.DataFrame, first: str, names: Mapping[str, str]) -> str:
    """Return the scores of rows as a Markdown table, each called by its column `first`."""
    lines = [
        [names[row[first]], _interval(row, "mean"), points(row["base"]), _interval(row, "change", signed=True)]
        for row in rows.iter_rows(named=True)
    ]
    return aligned([first, "score", "untouched base", "change"], lines, left=1)


def _eval_results(
    summary: pl.DataFrame, sources: Mapping[str, Mapping], identities: Mapping[str, Mapping], hub_task: str
) -> list[EvalResult]:
    """Return the headline score of each task and language as the Hub's index of results has it, in points of 100."""
    found = []
    for row in summary.iter_rows(named=True):
        language = identities[row["language"]]
        hub = sources[row["task"]].get("hub", {})
        found.append(
            EvalResult(
                task_type=hub_task,
                dataset_type=hub.get("dataset", row["task"]),
                dataset_name=f"{row['task']}, {language['name']}",
                dataset_config=row["language"],
                dataset_split=hub.get("splits", {}).get("test"),
                dataset_revision=hub.get("revision"),
                metric_type=row["metric"],
                metric_value=round(100 * row["mean"], 2),
                metric_name=row["metric"],
            )
        )
    return found


def _training(card: Mapping) -> list[tuple[str, object]]:
    """Return what a card of the stage finetune says of the training, as lines to read."""
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items() if name in _LIBRARIES)
    return [
        ("trained parameters", f"{card['trainable_parameters']:,} ({100 * card['trainable_share']:.2f} %)"),
        ("adapter", ", ".join(f"{key} {value}" for key, value in card["adapter"].items())),
        ("bits of the base while training", card["bits"]),
        *card["training"].items(),
        ("examples", f"{card['examples']:,}, {card['epochs']} epochs"),
        ("tokens", f"{card['tokens']['all']:,}, of which {card['tokens']['completion']:,} are learnt"),
        ("hardware", ", ".join(f"{key} {value}" for key, value in card["hardware"].items())),
        ("time", f"{card['seconds']:,.0f} s"),
        ("memory", f"{card['peak_memory_gib']:.1f} GiB at the peak"),
        ("versions", versions),
    ]


def model_card(
    run: Mapping,
    kind: str,
    finetune: Mapping,
    merge: Mapping | None,
    summary: pl.DataFrame,
    groups: pl.DataFrame,
    *,
    identities: Mapping[str, Mapping],
    trained_in: Sequence[str],
    sources: Mapping[str, Mapping],
    hub_dataset: str | None,
    license: str | None,
    note: str,
) -> str:
    """Return the card of a run's merged model or of its adapter, as `kind` says, MERGED or ADAPTERS.

    It is Markdown under a YAML block. `finetune` and `merge` are the run's cards of these stages, the latter None where
    nothing was merged; `summary` and `groups` are of maple.analysis.summary, `identities` code, name and iso639_1 of
    languages, `trained_in` the codes of the dataset, `sources` those of the tasks by name, `hub_dataset` the Hub's id
    of the dataset, `license` the Hub's name of the base's licence, `note` the config's.
    """
    base = finetune["base"]
    model_kind = KINDS[base.get("kind", "causal")]
    own = summary.filter("headline", **_of(run))
    cells = own.filter(pl.col("language") != "all")
    tasks = own.filter(pl.col("language") == "all")
    spoken = groups.filter(kind="language", **_of(run))
    name = run_path(run).replace("/", "-")
    data = ModelCardData(
        base_model=base.get("hub"),
        base_model_relation=None if "hub" not in base else "finetune" if kind == MERGED else "adapter",
        datasets=[hub_dataset] if hub_dataset else None,
        language=list(dict.fromkeys(identities[code]["iso639_1"] for code in trained_in)),
        library_name="transformers" if kind == MERGED else "peft",
        license=license,
        pipeline_tag=model_kind.hub_task,
        tags=["multilingual", run["family"], "instruction-tuning"],
        model_name=name,
        eval_results=_eval_results(cells, sources, identities, model_kind.hub_task),
    )
    body = _template().render(
        run=run,
        name=name,
        merged=kind == MERGED,
        folder=f"results/{kind}/{run_path(run)}",
        base=base,
        auto_class=model_kind.auto_class,
        note=note,
        frame=instruction_prompt("instruction", "input, if there is any").rstrip("\n"),
        example=json.dumps(evaluation_prompt("…"), ensure_ascii=False),
        training=[(name, escaped(str(value))) for name, value in _training(finetune)],
        merge=merge,
        way=merge["ways"][merge["into"]] if merge else None,
        level=f"{100 * summary['confidence'][0]:g} %",
        by_task=_results(
            tasks,
            "task",
            {
                row["task"]: "all" if row["task"] == "all" else f"{row['task']}, {row['metric']}"
                for row in tasks.to_dicts()
            },
        ),
        by_language=_results(
            spoken.rename({"group": "language"}), "language", {code: row["name"] for code, row in identities.items()}
        ),
        license=license,
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}"))


def write_model_cards(
    runs: Iterable[Mapping],
    paths: Iterable[str | Path],
    kind: str,
    cards: Iterable[Mapping],
    *,
    dataset_languages: Mapping[str, Sequence[str]],
    hub_datasets: Mapping[str, str],
    licenses: Mapping[str, str],
    **study,
) -> None:
    """Write the cards of runs, a file each, of what `kind` says: MERGED, the models, or ADAPTERS.

    `cards` are those of the stages finetune and merge of at least these runs; the other arguments give by name what
    model_card takes, `study` has the rest of that.
    """
    found = {(card["stage"], run_path(card["run"])): card for card in cards}
    for run, path in zip(runs, paths, strict=True):
        card = model_card(
            run,
            kind,
            found["finetune", run_path(run)],
            found.get(("merge", run_path(run))),
            trained_in=dataset_languages[run["dataset"]],
            hub_dataset=hub_datasets.get(run["dataset"]),
            license=licenses.get(run["model"]),
            **study,
        )
        write_text(card, path)
