"""The five questions: their answers as the page tells them, and the rows of their figures."""

from collections.abc import Mapping

from maple.analysis.questions.verdict import NOT_ASKED
from maple.definitions.tables import ENGLISH
from maple.report.sections.run_views import GROUPS

# What is compared in a line of an answer that is one of several of its part.
_LABELS = {"rank": "{bits} bits", "bits": "rank {rank}", "english": "{method}", "exchange": "{method}"}
_SIDES = {f"{group}_resource": GROUPS[group] for group in ("high", "low")}


def two_decimals(value: float) -> str:
    """Return a number of points with its sign: -0.618 -> "−0.62"."""
    text = f"{value:+.2f}"
    return text.replace("-", "−") if text.strip("+-0.") else "0.00"


def sentence(text: str) -> str:
    """Return a text with its first letter a capital; what else stands in it may be a name."""
    return text[:1].upper() + text[1:]


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'s' if number != 1 else ''}"


def scale(answer: Mapping, least: float) -> dict[str, float]:
    """Return where an effect, its interval and the smallest effect of interest lie from 0 to 100, zero being at 50."""
    bounds = [abs(answer[name]) for name in ("effect", "low", "high") if answer[name] is not None]
    widest = 1.15 * max(*bounds, 2 * least, 1e-9)
    places = {name: answer[name] for name in ("low", "effect", "high") if answer[name] is not None}
    return {name: round(50 + 50 * value / widest, 1) for name, value in {**places, "least": least}.items()}


def _whole(row: Mapping) -> dict:
    return {name: round(row[name], 3) for name in ("effect", "low", "high") if row[name] is not None}


def _rows_of_data(answer: Mapping) -> list[dict]:
    rows = []
    for part in answer["parts"]:
        axis, other = ("models", "dataset") if "models" in part else ("datasets", "model")
        first, second = part[axis]
        where = "untouched" if part[other] == "none" else part[other]
        panel = "Between base models" if axis == "models" else "Between datasets"
        rows.append({"panel": panel, "label": f"{first} − {second}, {where}", "kind": "part", **_whole(part)})
    return rows


def figure_rows(answer: Mapping) -> list[dict]:
    """Return what the figure of a question draws: panel, label, kind ("part" or "line"), effect, low, high.

    Where the answer has two sides, rows have a `side` too, and are of these.
    """
    if answer["question"] == "data":
        return _rows_of_data(answer)
    label, families = _LABELS[answer["question"]], {line.get("family") for line in answer["lines"]}
    rows = []
    for part in answer["parts"]:
        own = [line for line in answer["lines"] if all(line[name] == part[name] for name in ("model", "dataset"))]
        named = [(label.format(**line), line) for line in own]
        if len(families) > 1:
            named = [(f"{line['family']}, {name}", line) for name, line in named]
        alone = len(named) == 1
        shown = [("all of these", "part", part)] * (not alone)
        shown += [(name, "part" if alone else "line", line) for name, line in named]
        for name, kind, row in shown:
            of = {"panel": f"{part['model']} · {part['dataset']}", "label": name, "kind": kind}
            if answer["question"] == "exchange":
                rows += [{**of, "side": title, **_whole(row[side])} for side, title in _SIDES.items()]
            else:
                rows.append({**of, **_whole(row)})
    return rows


def told(questions: Mapping) -> list[dict]:
    """Return the questions with `asked`, and where one was: `scale` and `compared`, what it stands on in words.

    What only some answers have (low_resource, high_resource, sizes, gate) is None in the others.
    """
    found = []
    for answer in questions["questions"]:
        if answer["verdict"] == NOT_ASKED:
            found.append({**answer, "asked": False})
            continue
        codes = {code for codes in answer["cells"].values() for code in codes}
        cells, runs = _counted(sum(map(len, answer["cells"].values())), "cell"), _counted(len(answer["runs"]), "run")
        where = "English" if codes == {ENGLISH} else _counted(len(codes), "language")
        compared = f"{runs} in {cells}, of {_counted(len(answer['cells']), 'task')} and {where}"
        found.append(
            {
                **dict.fromkeys(("low_resource", "high_resource", "sizes", "gate")),
                **answer,
                "asked": True,
                "scale": scale(answer, questions["smallest_effect"]),
                "compared": compared,
            }
        )
    return found


def lost_english(questions: Mapping) -> Mapping | None:
    """Return the answer on English, or None where it was not asked."""
    found = {answer["question"]: answer for answer in questions["questions"] if answer["verdict"] != NOT_ASKED}
    return found.get("english")
