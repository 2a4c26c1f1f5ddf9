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


def tests_there(tasks: dict, languages: dict, code: str, data: Path) -> dict[str, dict]:
    """Return where test rows in a language and in English lie, {task: {"fields", "sources"}}, of files that exist."""
    from maple.data.sources import resolve
    from maple.definitions.tables import PIVOT

    tests = {}
    for name, task in tasks.items():
        local = {"local": task["sources"]["local"]}
        named = [each for each in dict.fromkeys((code, PIVOT)) if each in local["local"]["languages"]]
        sources = [resolve(local, languages[each], str(data), "test") for each in named]
        there = [source for source in sources if Path(source["local"]["path"]).is_file()]
        tests[name] = {"fields": task["fields"], "sources": there}
    return tests


def main() -> int:
    """Print for each set and language its rows, and the shares kept and dropped by each reason; end with 1 if none."""
    from maple.data.contamination import OVERLAP, found_in
    from maple.data.curation import curate, limits_in
    from maple.definitions.loading import pick, read_definitions, read_yaml
    from maple.definitions.tables import read_languages
    from maple.synthesis.published import load

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limits", default="multialpaca", metavar="DATASET")
    asked = parser.parse_args()
    languages = read_languages(ROOT / "config/languages.tsv")
    tasks = read_definitions(ROOT / "config/tasks", ROOT / "workflow/schemas/task.schema.yaml")
    words = [read_yaml(ROOT / f"config/{name}.yaml") for name in ("refusals", "unservable")]
    limits = read_yaml(ROOT / f"config/datasets/{asked.limits}.yaml")["curate"]
    decontaminate = limits.get("decontaminate") or {"tasks": [], "words": OVERLAP}
    tasks = pick(decontaminate["tasks"], tasks, "curate.decontaminate.tasks", "config/tasks/")
    columns = {}
    for name, (codes, renamed) in SETS.items():
        for code in codes:
            path = asked.data / f"instruct/{name}/{languages[code]['iso639_1']}.jsonl"
            if not path.is_file():
                print(f"{path}: not there")
                continue
            tests = tests_there(tasks, languages, code, asked.data)
            rows = load({"local": {"path": str(path), **renamed}}, languages[code])
            start = time.perf_counter()
            found = found_in(rows, tests, decontaminate["words"])
            kept, dropped = curate(rows, languages[code], limits_in(limits, code, *words), found)
            columns[name, code] = {
                "rows": str(rows.height),
                "test sets compared": str(sum(len(test["sources"]) for test in tests.values())),
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
        print(f"{('limits', asked.limits)[head]:30}" + "".join(f"{names[head]:>14}" for names in columns))
    for row in (*heads, *reasons):
        print(f"{row:30}" + "".join(f"{column.get(row, '0.00%'):>14}" for column in columns.values()))
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
