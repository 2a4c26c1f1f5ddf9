"""What does curation drop of rows that nobody here wrote, and why?

    python benchmarks/real_rows.py --data FOLDER [--limits DATASET]

FOLDER holds instruct/multialpaca/{es,ja,pt}.jsonl, instruct/alpaca/en.jsonl and instruct/dolly/en.jsonl, and the test
rows of tasks as their `local` source names them; a set that is not there is named and left out, the test sets that are
there are counted. The limits are those of config/datasets/DATASET.yaml.
"""

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Languages, and columns that have another name.
SETS = {
    "multialpaca": (["spa_Latn", "por_Latn", "jpn_Jpan"], {}),
    "alpaca": (["eng_Latn"], {}),
    "dolly": (["eng_Latn"], {"columns": {"output": "response"}}),
}


def test_texts(tasks: dict, languages: dict, code: str, data: Path) -> dict:
    """Return the test rows in a language and in English, by task, of files that exist."""
    from maple.data.contamination import BenchmarkTexts
    from maple.data.sources import RowFolders, resolve
    from maple.definitions.language import ENGLISH

    tests, folders = {}, RowFolders(data=str(data), fetched="")
    for name, task in tasks.items():
        local = task.sources.local
        codes = [each for each in dict.fromkeys((code, ENGLISH)) if each in local.languages]
        sources = [resolve(local, languages[each], folders, "test") for each in codes]
        existing = [source for source in sources if Path(source.path).is_file()]
        tests[name] = BenchmarkTexts(fields=task.fields, sources=existing)
    return tests


def main() -> int:
    """Print for each set and language its rows, and the shares kept and dropped by each reason; end with 1 if none."""
    from maple.data.contamination import NGRAM_WORDS, DecontaminationTests, overlapping_tasks
    from maple.data.curation import curate, limits_in
    from maple.data.sources import RowFile
    from maple.definitions.curation import CurationLimits
    from maple.definitions.language import read_languages
    from maple.definitions.placeholders import Placeholders
    from maple.definitions.reading import parse, pick, read_definitions, read_yaml
    from maple.definitions.task import Task
    from maple.synthesis.published import load
    from maple.synthesis.recipe import LoadedRows

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limits", default="multialpaca", metavar="DATASET")
    options = parser.parse_args()
    languages = read_languages(ROOT / "config/languages.tsv")
    tasks = read_definitions(ROOT / "config/tasks", Task)
    words = [read_yaml(ROOT / f"config/{name}.yaml") for name in ("refusals", "unservable")]
    file = ROOT / "config/placeholders.yaml"
    placeholders = parse(dict[str, Placeholders], read_yaml(file), file)
    limits = CurationLimits(**read_yaml(ROOT / f"config/datasets/{options.limits}.yaml")["curate"])
    decontaminate = limits.decontaminate
    names = decontaminate.tasks if decontaminate else []
    tasks = pick(names, tasks, "curate.decontaminate.tasks", "config/tasks/")
    columns = {}
    for name, (codes, renamed) in SETS.items():
        for code in codes:
            path = options.data / f"instruct/{name}/{languages[code].iso639_1}.jsonl"
            if not path.is_file():
                print(f"{path}: not there")
                continue
            tests = test_texts(tasks, languages, code, options.data)
            ngram_words = decontaminate.words if decontaminate else NGRAM_WORDS
            rows = load(LoadedRows(local=RowFile(path=str(path), **renamed)), languages[code])
            start = time.perf_counter()
            test_sets = overlapping_tasks(rows, DecontaminationTests(tests=tests, words=ngram_words))
            kept, dropped = curate(
                rows, languages[code].identity, limits_in(limits, code, *words, placeholders), test_sets
            )
            columns[name, code] = {
                "rows": str(rows.height),
                "test sets compared": str(sum(len(test.sources) for test in tests.values())),
                "seconds": f"{time.perf_counter() - start:.1f}",
                "kept": f"{kept.height / rows.height:.2%}",
            } | {
                reason: f"{count / rows.height:.2%}"
                for reason, count in dropped.group_by("reason").len().sort("reason").iter_rows()
            }
    if not columns:
        return 1
    heads = ["rows", "test sets compared", "seconds", "kept"]
    reasons = sorted({row for column in columns.values() for row in column} - set(heads))
    for head in range(2):
        print(f"{('limits', options.limits)[head]:30}" + "".join(f"{names[head]:>14}" for names in columns))
    for row in (*heads, *reasons):
        print(f"{row:30}" + "".join(f"{column.get(row, '0.00%'):>14}" for column in columns.values()))
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
