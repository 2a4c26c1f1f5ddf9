"""Model cards in the format of the Hugging Face Hub, filled from the cards of a run and its scores."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import polars as pl
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from maple.analysis.item_scores import key_of
from maple.analysis.leaderboard import points
from maple.definitions.frame import DEFAULT_FRAME, Frame
from maple.definitions.language import LanguageIdentity
from maple.definitions.looks import Looks
from maple.definitions.parts import HEAD
from maple.definitions.run import Run
from maple.definitions.task import TaskSources
from maple.models.frames import framed, instruction_text
from maple.models.kind import KINDS, KindFacts
from maple.report.tables import escape_markdown, markdown_table
from maple.runtime.files import write_text

Kind = Literal["merged", "adapters", "trained"]
# What a card describes: a merged model, an adapter or trained weights of the base, or a model that was trained whole.
MERGED: Kind = "merged"
ADAPTERS: Kind = "adapters"
TRAINED: Kind = "trained"
_LIBRARIES = ("torch", "transformers", "peft", "trl", "bitsandbytes")


@cache
def _template() -> Template:
    return Environment(loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined).get_template(
        "model_card.md.jinja"
    )


def _name(run: Run) -> str:
    return run.path.replace("/", "-")


def _interval(row: Mapping[str, Any], name: str, signed: bool = False) -> str:
    """Return the mean or the change in a row of the summary, with its interval."""
    low, high = ("low", "high") if name == "mean" else (f"{name}_low", f"{name}_high")
    value = points(row[name], signed)
    return value if row[low] is None else f"{value} [{points(row[low], signed)}, {points(row[high], signed)}]"


def _results(rows: pl.DataFrame, first: str, names: Mapping[str, str]) -> str:
    """Return the scores of rows as a Markdown table; `names` are those of the rows, by the values of column `first`."""
    heads = [first, "score", "untouched base", "change"]
    lines = [
        [names[row[first]], _interval(row, "mean"), points(row["base"]), _interval(row, "change", signed=True)]
        for row in rows.iter_rows(named=True)
    ]
    if rows["base"].is_null().all():  # a model that cannot answer untouched
        heads, lines = heads[:2], [line[:2] for line in lines]
    return markdown_table(heads, lines, left=1)


def _eval_results(cells: pl.DataFrame, study: "CardStudy", hub_task: str) -> list[EvalResult]:
    """Return the scores of single cells as the Hub's index of results has them, in points of 100."""
    results = []
    for row in cells.iter_rows(named=True):
        hub = study.sources[row["task"]].hub
        results.append(
            EvalResult(
                task_type=hub_task,
                dataset_type=hub.dataset if hub else row["task"],
                dataset_name=f"{row['task']}, {study.identities[row['language']].name}",
                dataset_config=row["language"],
                dataset_split=hub.splits.test if hub else None,
                dataset_revision=hub.revision if hub else None,
                metric_type=row["metric"],
                metric_value=round(100 * row["mean"], 2),
                metric_name=row["metric"],
            )
        )
    return results


def _training(card: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return what a finetune card records of the training, as names and values."""
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items() if name in _LIBRARIES)
    return [
        ("trained parameters", f"{card['trainable_parameters']:,} ({100 * card['trainable_share']:.2f} %)"),
        *_by_part(card.get("trained_by_part") or {}),  # cards of models without parts, and older ones, have none
        *_adapted_by(card["method"]),
        ("bits of the base while training", card["bits"]),
        *card["training"].items(),
        ("examples", f"{card['examples']:,}, {card['epochs']} epochs"),
        ("tokens", f"{card['tokens']['all']:,}, of which {card['tokens']['completion']:,} are labelled"),
        ("hardware", ", ".join(f"{key} {value}" for key, value in card["hardware"].items())),
        ("time", f"{card['seconds']:,.0f} s"),
        ("memory", f"{card['peak_memory_gib']:.1f} GiB at the peak"),
        ("versions", versions),
    ]


def _by_part(trained: Mapping[str, int]) -> list[tuple[str, object]]:
    """Return which parts of a model were trained, with their trained parameters, and which stayed frozen."""
    if not trained:
        return []
    names = {**{part: part.replace("_", " ") for part in trained}, HEAD: "output layer"}
    changed = [f"{names[part]} ({number:,} parameters)" for part, number in trained.items() if number]
    frozen = [names[part] for part, number in trained.items() if not number]
    return [("trained parts", ", ".join(changed)), ("frozen parts", ", ".join(frozen) or "none")]


def _adapted_by(method: Mapping[str, Any]) -> list[tuple[str, object]]:
    if "trains" in method:
        return [("trained weights", method["trains"])]
    places = [(key, method[key]) for key in ("location", "connector") if key in method]
    return [("adapter", ", ".join(f"{key} {value}" for key, value in method["adapter"].items())), *places]


def _library(kind: Kind, method: Mapping[str, Any]) -> str:
    return "peft" if kind == ADAPTERS and "peft" in method else "transformers"


@dataclass(frozen=True)
class CardFiles:
    """The files that a card tells how to upload."""

    folder: str
    """The folder of the weights."""
    card: str
    """The card itself, which is not in that folder."""
    repository: str | None = None
    """The Hub's repository that `snakemake publish` uploads them to; None if it does not."""


@dataclass(frozen=True)
class CardStudy:
    """What the cards of a study have in common."""

    summary: pl.DataFrame
    """The summary of maple.analysis.summary.summarize."""
    groups: pl.DataFrame
    """The groups of maple.analysis.summary.summarize_groups."""
    identities: Mapping[str, LanguageIdentity]
    """The languages of the study and of its datasets, by code."""
    dataset_languages: Mapping[str, Sequence[str]]
    """The codes of each dataset's languages."""
    sources: Mapping[str, TaskSources]
    """The sources of the tasks, by name."""
    hub_datasets: Mapping[str, str]
    """The Hub's ids of the datasets that come from there."""
    licenses: Mapping[str, str]
    """The Hub's names of the models' licences, as far as they are declared."""
    note: str
    """The config's note."""
    looks: Looks = field(default_factory=Looks)
    """The looks at the study, and the present one."""


def _scored_bits(finetune: Mapping[str, Any], merge: Mapping[str, Any] | None) -> int:
    """Return the precision of the base whose scores an adapter's card has.

    An adapter that generates unmerged is attached to the base in 16 bits, whatever it was trained beside. A merged one
    was folded into the weights that the merge card names: those of the base as it was trained, or the original ones.
    """
    return finetune["bits"] if merge and merge["into"] == "dequantized" else 16


def _kind(base: Mapping[str, Any]) -> KindFacts:
    return KINDS[base.get("kind", "causal")]


def _frame(finetune: Mapping[str, Any]) -> str:
    """Return the frame that a model was trained and asked in, around what a user writes."""
    frame, text = frame_of(finetune), instruction_text("instruction", "input, if there is any")
    text = f"(pictures, if there are any)\n{text}" if _kind(finetune["base"]).sees else text
    turn = f"{text}\n(one message of the user in the chat template of the tokenizer, without a system message)"
    return turn if frame == "chat" else framed(frame, text).rstrip("\n")


def _inputs(finetune: Mapping[str, Any]) -> str:
    """Return the Python expression that makes inputs of a prompt."""
    frame, tensors = frame_of(finetune), 'return_tensors="pt"'
    if _kind(finetune["base"]).sees:
        return _inputs_with_picture(frame, tensors)
    if frame == "chat":
        message = '[{"role": "user", "content": "…"}]'
        return f"tokenizer.apply_chat_template({message}, add_generation_prompt=True, return_dict=True, {tensors})"
    return f"tokenizer({json.dumps(framed(frame, '…'), ensure_ascii=False)}, {tensors})"


def _inputs_with_picture(frame: Frame, tensors: str) -> str:
    """Return the expression that makes inputs of a picture and a prompt."""
    if frame == "chat":
        content = '[{"type": "image", "path": "PICTURE.png"}, {"type": "text", "text": "…"}]'
        message = f'[{{"role": "user", "content": {content}}}]'
        turns = "add_generation_prompt=True, tokenize=True, return_dict=True"
        return f"processor.apply_chat_template({message}, {turns}, {tensors})"
    text = json.dumps(framed(frame, "{}\n…"), ensure_ascii=False)
    return f'processor(images=Image.open("PICTURE.png"), text={text}.format(processor.image_token), {tensors})'


def frame_of(finetune: Mapping[str, Any]) -> Frame:
    """Return the frame of a finetune card: that of its training, else its base's."""
    return finetune["training"].get("frame") or finetune["base"].get("frame") or DEFAULT_FRAME


def _metadata(run: Run, kind: Kind, finetune: Mapping[str, Any], study: CardStudy) -> ModelCardData:
    """Return the YAML block of a card; `finetune` is the run's finetune card."""
    base = finetune["base"]
    cells = study.summary.filter("headline", pl.col("language") != "all", **run.key.params())
    hub_dataset = study.hub_datasets.get(run.dataset)
    relation, kind_of_model = "adapter" if kind == ADAPTERS else "finetune", _kind(base)
    codes = study.dataset_languages[run.dataset]
    return ModelCardData(
        base_model=base.get("hub"),
        base_model_relation=relation if "hub" in base else None,
        datasets=[hub_dataset] if hub_dataset else None,
        language=list(dict.fromkeys(study.identities[code].iso639_1 for code in codes)),
        library_name=_library(kind, finetune["method"]),
        license=study.licenses.get(run.model),
        pipeline_tag=kind_of_model.hub_task,
        tags=["multilingual", run.family, "instruction-tuning"],
        model_name=_name(run),
        eval_results=_eval_results(cells, study, kind_of_model.hub_task),
    )


def model_card(
    run: Run,
    kind: Kind,
    finetune: Mapping[str, Any],
    merge: Mapping[str, Any] | None,
    files: CardFiles,
    study: CardStudy,
) -> str:
    """Return the card of a run's merged model or of its adapter, as Markdown below a YAML block.

    `finetune` and `merge` are the run's cards of these stages, the latter None if nothing was merged.
    """
    rows = study.summary.filter("headline", pl.col("language") == "all", **run.key.params())
    tasks = {
        row["task"]: "all" if row["task"] == "all" else f"{row['task']}, {row['metric']}" for row in rows.to_dicts()
    }
    languages = study.groups.filter(kind="language", **run.key.params()).rename({"group": "language"})
    base = finetune["base"]
    body = _template().render(
        run=run,
        name=_name(run),
        whole=kind != ADAPTERS,
        axes=[(name, escape_markdown(str(value))) for name, value in run.axes.items() if value is not None],
        merged=kind == MERGED,
        part="trains" in finetune["method"],
        files=files,
        repository=files.repository or "YOUR/NAME",
        bits=_scored_bits(finetune, merge),
        trained_bits=finetune["bits"],
        trusted=", trust_remote_code=True" if base.get("trust_remote_code") else "",
        base=base,
        auto_class=_kind(base).auto_class,
        translates=_kind(base).translates,
        reader="processor" if _kind(base).sees else "tokenizer",
        note=study.note,
        looks=study.looks,
        frame=_frame(finetune),
        inputs=_inputs(finetune),
        training=[(name, escape_markdown(str(value))) for name, value in _training(finetune)],
        merge=merge,
        way=merge["ways"][merge["into"]] if merge else None,
        has_base=rows["base"].is_not_null().any(),
        level=f"{100 * study.summary['confidence'][0]:g} %",
        by_task=_results(rows, "task", tasks),
        by_language=_results(languages, "language", {code: row.name for code, row in study.identities.items()}),
        license=study.licenses.get(run.model),
    )
    return str(ModelCard(f"---\n{_metadata(run, kind, finetune, study).to_yaml()}\n---\n\n{body}"))


def write_model_cards(
    runs: Iterable[Run],
    kind: Kind,
    cards: Iterable[Mapping[str, Any]],
    folders: Iterable[str | Path],
    paths: Iterable[str | Path],
    study: CardStudy,
    repositories: Mapping[str, str],
) -> None:
    """Write the cards of runs, one file each: of their merged models or of their adapters.

    `cards` are those of the stages finetune and merge, of at least these runs; `folders` of weights and `paths` of
    cards are in the order of the runs; `repositories` are the Hub's that they are published in, by the run's path.
    """
    by_stage = {(card["stage"], key_of(card["run"])): card for card in cards}
    for run, folder, path in zip(runs, folders, paths, strict=True):
        finetune, merge = by_stage["finetune", run.key], by_stage.get(("merge", run.key))
        files = CardFiles(str(folder), str(path), repositories.get(run.path))
        write_text(model_card(run, kind, finetune, merge, files, study), path)
