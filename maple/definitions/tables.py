"""The tables of config/: languages and hardware."""

import csv
import re
from pathlib import Path

from maple.definitions.loading import DefinitionError

# What the language table says of a language besides its words, and the class of one that Joshi et al. (2020) lack.
LANGUAGE_COLUMNS = ("code", "name", "iso639_1", "script", "family", "joshi_class")
JOSHI_CLASSES = (*"012345", "unknown")
# The words that answer XNLI.
ANSWERS = ("true", "neither", "false")


def read_languages(path: str | Path) -> dict[str, dict[str, str]]:
    """Read the language table: one row a language, every cell filled, keyed by its code (`swh_Latn`)."""
    with open(path, encoding="utf-8", newline="") as table:
        reader = csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
        head = next(reader, [])
        rows = [(reader.line_num, cells) for cells in reader if cells]
    if lacking := [name for name in LANGUAGE_COLUMNS if name not in head]:
        raise DefinitionError(f"{path}: line 1, the head, lacks {', '.join(lacking)}; cells are parted by tabs")
    languages = {}
    for number, cells in rows:
        line = f"{path}: line {number} ({cells[0][:8]})"  # of a row whose tabs were lost, the code alone
        if len(cells) != len(head):
            raise DefinitionError(f"{line} has {len(cells)} cells, the head {len(head)}; cells are parted by tabs")
        row = dict(zip(head, cells, strict=True))
        if empty := [name for name, cell in row.items() if not cell]:
            raise DefinitionError(f"{line}: fill the column(s) {', '.join(empty)}")
        if not re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", row["code"]):
            raise DefinitionError(f"{line}: code is {row['code']!r}; write it as FLORES-200 does, as in swh_Latn")
        if row["code"] in languages:
            raise DefinitionError(f"{line} stands there twice; keep one row")
        if row["joshi_class"] not in JOSHI_CLASSES:
            raise DefinitionError(f"{line}: joshi_class is {row['joshi_class']!r}; write 0 to 5, or unknown")
        answers = {name: row[name].casefold() for name in ANSWERS if name in row}
        if len(set(answers.values())) < len(answers):
            raise DefinitionError(f"{line}: two of {', '.join(answers)} are one word; answers could not be told apart")
        languages[row["code"]] = row
    return languages


# What a recipe needs to know of a language; the rest of the table's columns are words of evaluation prompts.
IDENTITY = ("code", "name", "iso639_1", "script")

# The language in which instructions to translate are written, as in Bactrian-X.
PIVOT = "eng_Latn"

ENGLISH = "eng_Latn"


def read_hardware(path: str | Path) -> dict[str, dict]:
    """Read the table of hardware, by device; all columns are numbers but three.

    reported: how the name begins that torch gives the device; peak_tflops: dense arithmetic in the type that models are
    computed in, of weight_bytes; memory_gb_s, memory_gb, watts; train_16, train_8, train_4, prefill: the shares of the
    peak that finetuning on so many bits and reading prompts reach; decode: the share of memory_gb_s that writing
    answers reaches; job_s, engine_s: seconds to start a job with its model, and an engine; disk_gb_s; source.
    """
    with open(path, encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    texts = ("device", "reported", "source")
    return {row["device"]: {key: row[key] if key in texts else float(row[key]) for key in row} for row in rows}
