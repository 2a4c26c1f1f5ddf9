"""A base with a head for a task: the folder from which the runs of a kind start that answers by a head of its own."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.models.behaviour import ModelKind
from maple.models.heads import names_a_head
from maple.models.model_files import model_files
from maple.models.tiny import BaseError
from maple.runtime import devices
from maple.runtime.files import write_json
from maple.runtime.fingerprint import weights_digest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CARD = "head.json"
# Files of a base that tell of the base alone.
DESCRIBING_THE_BASE = ("config.json", "build.json", "README.md", CARD)


def draw_head(
    base: str | Path,
    folder: Path,
    *,
    kind: ModelKind,
    labels: Sequence[str],
    seed: int,
    threads: int,
    trust_remote_code: bool = False,
) -> dict:
    """Write the model of the Hub-style folder `base` with a head for `labels`, in their order, into `folder`.

    What the base lacks is drawn as transformers' own initialization of the architecture draws it (`_init_weights`),
    from the seed alone; all that the base has stays as it is, to the bit. Returns what is also written to head.json:
    the labels, the seed, the digest of the base, and the names of what was drawn. Raises BaseError for a base that
    lacks more than a head, and for one whose head is of other labels.
    """
    import transformers

    digest = weights_digest(base)  # first of all: refuses a folder of which a file has changed
    devices.prepare(threads, seed)
    names = {number: label for number, label in enumerate(labels)}
    before: Any = transformers.AutoConfig.from_pretrained(base, trust_remote_code=trust_remote_code)
    known = [before.id2label[number] for number in sorted(before.id2label)]
    config = transformers.AutoConfig.from_pretrained(
        base,
        num_labels=len(labels),
        id2label=names,
        label2id={label: number for number, label in names.items()},
        trust_remote_code=trust_remote_code,
    )
    model, report = getattr(transformers, kind.AUTO_CLASS).from_pretrained(
        base,
        config=config,
        dtype="auto",
        use_safetensors=True,
        trust_remote_code=trust_remote_code,
        ignore_mismatched_sizes=True,  # the message below says more
        output_loading_info=True,
    )
    _check(base, model, report, kind, labels, known)
    model.save_pretrained(folder)
    for path in model_files(Path(base), trust_remote_code=trust_remote_code):
        if ".safetensors" not in path.name and path.name not in DESCRIBING_THE_BASE:
            shutil.copyfile(path, folder / path.name)
    card = {"labels": list(labels), "seed": seed, "base": digest, "drawn": sorted(report["missing_keys"])}
    write_json(card, folder / CARD)
    return card


def _check(
    base: str | Path,
    model: "PreTrainedModel",
    report: Mapping[str, Any],
    kind: ModelKind,
    labels: Sequence[str],
    known: Sequence[str],
) -> None:
    """Refuse a base that lacks more than a head, and one whose head is of other labels, `known`, than these."""
    missing = report["missing_keys"]
    if others := sorted(name for name in missing if not names_a_head(name, kind.NEW_HEADS)):
        raise BaseError(f"{base}: lacks more than a head: {', '.join(others[:3])}; name another revision")
    drawn = any(len(model.get_parameter(name)) == len(labels) for name in missing)
    if report["mismatched_keys"] or (not drawn and list(known) != list(labels)):
        raise BaseError(
            f"{base}: has a head for {len(known)} labels ({', '.join(known)}), and the task has {len(labels)} "
            f"({', '.join(labels)}); name the model that it was finetuned from"
        )
