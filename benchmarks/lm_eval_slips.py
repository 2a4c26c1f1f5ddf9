"""Count what lm-eval's tasks get wrong in a script: the connectives and premises of XCOPA, the numbers of MGSM.

    python benchmarks/lm_eval_slips.py --data FOLDER

FOLDER holds xcopa/{iso639_1}/test.jsonl. Answers as people write them (`written` in lm_eval_rows.yaml) go through the
filter and the metric of lm-eval's mgsm_direct, in its own environment, and through ours.
"""

import argparse
import json
import subprocess
import sys
import unicodedata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HARNESS = ROOT / ".lm-eval" / "bin" / "python"
ROWS = Path(__file__).with_name("lm_eval_rows.yaml")
# A language whose `question` is right (config/tasks/xcopa.yaml).
RIGHT = "ta"
# What lm-eval does with a completion: its filter flexible-extract, then exact_match.
THEIRS = """
import json, sys
from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.filters.extraction import RegexFilter
from lm_eval.tasks._yaml_loader import load_yaml
from pathlib import Path
import lm_eval
config = load_yaml(Path(lm_eval.__file__).parent / "tasks/mgsm/direct/mgsm_direct_en.yaml", resolve_func=True)
(regex,) = [each["filter"][0] for each in config["filter_list"] if each["name"] == "flexible-extract"]
found = RegexFilter(regex["regex_pattern"], group_select=regex["group_select"])
options = {key: config["metric_list"][0][key] for key in ("ignore_case", "ignore_punctuation")}
scores = []
for _, answer, gold, _ in json.load(sys.stdin):
    ((read,),) = found.apply([[answer]], [{}])
    scores.append([read, float(exact_match_hf_evaluate([read], [gold], **options)["exact_match"])])
print(json.dumps(scores))
"""


def xcopa(data: Path) -> None:
    """Print how many prompts of XCOPA have the wrong connective, a cut premise, a dotted i of two characters."""
    files = {path.parent.name: path for path in sorted(data.glob("xcopa/*/test.jsonl"))}
    rows = {key: [json.loads(line) for line in path.open(encoding="utf-8")] for key, path in files.items()}
    right = {row["idx"]: row["question"] for row in rows[RIGHT]}
    for key, items in rows.items():
        wrong = sum(row["question"] != right[row["idx"]] for row in items)
        cut = sum(unicodedata.category(row["premise"].strip()[-1])[0] in "LM" for row in items)
        dotted = sum(row[choice].startswith("İ") for row in items for choice in ("choice1", "choice2"))
        print(f"XCOPA {key}: of {len(items)} {wrong} other connectives, {cut} premises lose a letter, {dotted} İ")


def numbers() -> None:
    """Print what lm-eval and we make of each answer."""
    from maple.definitions.reading import read_yaml
    from maple.definitions.task import AnswerSpec
    from maple.evaluation.answer_reading import read_answer
    from maple.metrics.numbers import number

    rows = read_yaml(ROWS)["written"]
    done = subprocess.run([HARNESS, "-c", THEIRS], input=json.dumps(rows), capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout.splitlines()[-1])
    print(f"{'':12}{'answer':14}{'gold':>6}{'right':>7}{'lm-eval':>9}{'ours':>6}  lm-eval reads")
    for (code, answer, gold, right), (read, score) in zip(rows, theirs, strict=True):
        own = number(read_answer(answer, AnswerSpec(read="number"), [], [], code).text, [gold], code)
        print(f"{code:12}{answer!r:14}{gold:>6}{right:7}{score:9.0f}{own:6.0f}  {read!r}")


def main() -> int:
    """Read the command line and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds xcopa/")
    wanted = parser.parse_args()
    if not HARNESS.is_file():
        print("lm-eval is not installed: make .lm-eval/done", file=sys.stderr)
        return 2
    xcopa(wanted.data)
    numbers()
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
