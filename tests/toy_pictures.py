"""Small pictures, tasks about them and their rows."""

import json

from PIL import Image

from maple.data.sources import RowFolders, resolve
from maple.definitions.language import LanguageIdentity
from maple.definitions.task import LocalRows, PromptSpec, Splits
from maple.evaluation.task_pictures import PicturedTask, SplitPictures

SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
SPEC = PromptSpec(
    item="id",
    prompt="{{ question }}",
    pictures=["image"],
    targets="answer",
    fields=["id", "question", "answer"],
    max_new_tokens=4,
    max_faulty=0.5,
)
TWO = SPEC.changed(pictures=["left ~ '.png'", "right ~ '.png'"], fields=["id", "question"], targets="'yes'")
SPLITS = Splits(test="test", dev="dev", train="train")


def painted(path, *colours):
    """Write a picture of stripes; its colours make it another file."""
    image = Image.new("RGB", (16 * len(colours), 16))
    for place, colour in enumerate(colours):
        image.paste(colour, (16 * place, 0, 16 * place + 16, 16))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path.read_bytes()


def written(folder, **rows_of_split):
    """Write rows of splits, as {split: [{field: value}]}; their ids are their numbers."""
    for split, rows in rows_of_split.items():
        blank = {"question": "What?", "answer": "a"}
        lines = [json.dumps({"id": str(number), **blank, **row}) for number, row in enumerate(rows)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")


def task(spec=SPEC, name="looks"):
    return PicturedTask(name=name, pictures=spec.pictures, max_faulty=spec.max_faulty)


def places(folder, *splits, pictures="{data}/images", path="{data}/{split}.jsonl", language=SWAHILI):
    """Where the rows of splits lie, and their pictures."""
    source = LocalRows(path=path, languages=[language.code], splits=SPLITS)
    folders = RowFolders(data=str(folder), fetched="hub")
    return [
        SplitPictures(
            language=language.code,
            split=split,
            source=resolve(source, language, folders, split),
            folder=pictures.format(data=folder),
        )
        for split in splits
    ]
