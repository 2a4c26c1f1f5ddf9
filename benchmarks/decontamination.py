"""How fast are examples that overlap with test rows found, against an automaton of all stretches (Aho-Corasick)?

    python benchmarks/decontamination.py --data FOLDER

FOLDER holds instruct/multialpaca/{es,ja,pt}.jsonl and instruct/alpaca/en.jsonl, and the test rows of tasks as their
`local` source names them, of which all languages are taken. The examples are those rows and, to have enough, the same
with their first words moved to the end; one in a hundred of these ends with words of a test row. Both sides must find
the same. Memory is the most that the process has had so far, so ours comes first.
"""

import argparse
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = 52_000
SETS = ("multialpaca/es", "multialpaca/pt", "multialpaca/ja", "alpaca/en")


def automaton(examples, tests: dict[str, set[str]], words: int) -> list[tuple[int, str]]:
    """Find the same with polars' automaton over the stretches themselves."""
    import polars as pl

    from maple.data.contamination import _length
    from maple.text.segmentation import tokens

    held = pl.Series([f" {' '.join(tokens(' '.join(row)))} " for row in examples.iter_rows()])
    found = []
    for test, texts in tests.items():
        stretches = set()
        for text in map(tokens, texts):
            if length := _length(text, words):
                starts = range(len(text) - length + 1)
                stretches.update(f" {' '.join(text[start : start + length])} " for start in starts)
        found += [(row, test) for row in held.str.contains_any(sorted(stretches)).arg_true()]
    return sorted(found)


def measured(name: str, find: Callable, *given) -> list:
    """Print what a side found, in which time and memory; return it."""
    start = time.perf_counter()
    found = find(*given)
    seconds = time.perf_counter() - start
    mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:14}{seconds:8.1f} s{mebibytes:8.0f} MiB{len(found):8} found")
    return found


def main() -> int:
    """Print time and memory of both sides; end with 1 if they find different examples."""
    import polars as pl

    from maple.data.contamination import OVERLAP, overlaps
    from maple.data.sources import read_rows, resolve
    from maple.definitions.loading import read_definitions
    from maple.definitions.tables import read_languages

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    languages = read_languages(ROOT / "config/languages.tsv")
    tests, items = {}, 0
    for name, task in read_definitions(ROOT / "config/tasks", ROOT / "workflow/schemas/task.schema.yaml").items():
        source = {"local": task["sources"]["local"]}
        offered = [row for code, row in languages.items() if code in source["local"]["languages"]]
        places = [resolve(source, row, str(data), "test") for row in offered]
        rows = [row for place in places if Path(place["local"]["path"]).is_file() for row in read_rows(place)]
        items += len(rows)
        tests[name] = {row[field] for row in rows for field in task["fields"] if isinstance(row[field], str)}
    rows = [row for name in SETS for row in read_rows({"local": {"path": f"{data}/instruct/{name}.jsonl"}})]
    texts = [f"{row['instruction']} {row['input'] or ''} {row['output']}".split(" ") for row in rows]
    rng = random.Random(0)
    said = sorted(set().union(*tests.values()))
    for number in range(len(texts), EXAMPLES):
        text = rng.choice(texts[: len(rows)])
        cut = rng.randrange(len(text))
        texts.append(text[cut:] + text[:cut] + (rng.choice(said).split(" ")[:15] if number % 100 == 0 else []))
    examples = pl.DataFrame({"instruction": [" ".join(text) for text in texts]})
    examples = examples.with_columns(input=pl.lit(""), output=pl.lit(""))
    print(f"{examples.height} examples, {items} test items, {OVERLAP} words in a row")
    ours = measured("hashes", lambda *given: overlaps(*given).rows(), examples, tests, OVERLAP)
    theirs = measured("automaton", automaton, examples, tests, OVERLAP)
    print("same examples:", set(ours) == set(theirs))
    return 0 if set(ours) == set(theirs) and ours else 1


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
