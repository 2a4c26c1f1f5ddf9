"""A teacher without a model: it proposes, translates and answers only tasks of the embedded world."""

import random
from collections.abc import Mapping

from maple.definitions.language import ENGLISH
from maple.embedded.cldr import facts
from maple.embedded.speech import LABELS, Speech, Unnamed, Utterance
from maple.embedded.tasks import PROBLEMS, SUCCESSION, Problem, pool, render, shift
from maple.synthesis.teachers import IncompleteAnswer, Request

FREE_SHARE = 0.2
LAYOUTS = tuple(PROBLEMS)
# Questions without input: what stands next to a day or month ...
NEIGHBOURS = {
    "day_after": ("day", 1),
    "day_before": ("day", -1),
    "month_after": ("month", 1),
    "month_before": ("month", -1),
}
# ... which country is first or last in a list, ...
POSITIONS = {"first_in_list": 0, "last_in_list": -1}
# ... and questions on a passage: the slot to find, the slot that is given. Questions about a country need no passage.
QUESTIONS = {
    "currency_question": ("currency", "country"),
    "language_question": ("language", "country"),
    "currency_country_question": ("country", "currency"),
    "language_country_question": ("country", "language"),
}
FREE = (*NEIGHBOURS, *POSITIONS, "currency_question", "language_question")


def _name(kind: str, code: str) -> list[Utterance]:
    return [(kind, {kind: code})]


def free_problem(rng: random.Random, kind: str) -> Problem:
    """Return a random question that needs no input, with its answer."""
    if kind in NEIGHBOURS:
        slot, by = NEIGHBOURS[kind]
        code = shift(slot, "1", rng.randrange(12))
        return {"instruction": [(kind, {slot: code})], "input": [], "output": _name(slot, shift(slot, code, by))}
    if kind in POSITIONS:
        countries = rng.sample(pool(False), rng.choice((3, 4)))
        output = _name("country", countries[POSITIONS[kind]])
        return {"instruction": [(kind, {"list": countries})], "input": [], "output": output}
    country = rng.choice(pool(False))
    wanted, _ = QUESTIONS[kind]
    output = _name(wanted, facts()[country][wanted])
    return {"instruction": [(kind, {"country": country})], "input": [], "output": output}


def _lines(speech: Speech, task: str, row: dict) -> list[tuple[str, str]]:
    """Return the lines of a task's input as (label, text), in the layout of config/tasks/."""
    words = speech.words
    if task == "xnli":
        return [(f"{words['premise']}: ", row["premise"]), (f"{words['hypothesis']}: ", row["hypothesis"])]
    if task == "xcopa":
        question = f"{row['premise']} {words[row['question']]}"
        return [("", question), ("1. ", row["choice1"]), ("2. ", row["choice2"])]
    if task == "xlsum":
        return [(f"{words['article']}: ", row["text"])]
    passage = row["flores_passage"] if task == "belebele" else row["context"]
    lines = [(f"{words['passage']}: ", passage), (f"{words['question']}: ", row["question"])]
    if task == "belebele":
        lines += [(f"{letter}. ", row[f"mc_answer{place}"]) for place, letter in enumerate("ABCD", start=1)]
    return lines


def example(speech: Speech, task: str, problem: Problem) -> dict[str, str]:
    """Return a problem as an instruction example, {instruction, input, output}, laid out as its task's prompt is.

    Raises Unnamed if CLDR has no name in the language.
    """
    row = render(problem, speech)
    if task == "free":
        return row
    words = speech.words
    outputs = {
        "xnli": lambda: words[("true", "neither", "false")[row["label"]]],
        "xcopa": lambda: str(row["label"] + 1),
        "belebele": lambda: "ABCD"[int(row["correct_answer_num"]) - 1],
        "xlsum": lambda: row["summary"],
    }
    output = outputs[task]() if task in outputs else row["answers"]["text"][0]
    instruction = words["qa_instruction" if task in ("xquad", "mlqa") else f"{task}_instruction"]
    return {
        "instruction": instruction,
        "input": "\n".join(label + text for label, text in _lines(speech, task, row)),
        "output": output,
    }


def draw(speech: Speech, rng: random.Random, kind: str) -> dict[str, str]:
    """Return a random example of a kind (a task of LAYOUTS, or one of FREE) on training countries."""
    while True:
        if kind in PROBLEMS:
            task, problem = kind, PROBLEMS[kind](rng, rng.randrange(24), False)
        else:
            task, problem = "free", free_problem(rng, kind)
        try:
            return example(speech, task, problem)
        except Unnamed:
            continue


def seed_tasks(words: dict[str, str]) -> list[dict[str, str]]:
    """Return eight seed tasks in a language, {instruction, input, output}: one of each layout and two questions.

    `words` is the language's block of config/phrases.yaml with its code, iso639_1 and script.
    """
    speech = Speech(words)
    return [draw(speech, random.Random(f"seed task {kind}"), kind) for kind in (*LAYOUTS, "day_after", "first_in_list")]


class EmbeddedTeacher:
    """A teacher (maple.synthesis.teachers.Teacher) that knows one phrase table and CLDR.

    `phrases` is {code: the language's block of config/phrases.yaml with its code, iso639_1 and script}. A text that it
    does not recognise stays as it is (translate) or unanswered (respond), as with a poor model.
    """

    name = "embedded"

    def __init__(self, phrases: Mapping[str, dict[str, str]]):
        self._speeches = {code: Speech(words) for code, words in phrases.items()}

    def complete(self, requests: list[Request]) -> list[str | IncompleteAnswer]:
        """Return a completion for each request; raises ValueError for a language without phrases."""
        return [self._complete(request) for request in requests]

    def _complete(self, request: Request) -> str:
        code, fields = request.language.code, request.fields
        if code not in self._speeches:
            raise ValueError(f"config/phrases.yaml: has no {code}; add its block, or choose another teacher")
        speech = self._speeches[code]
        if request.purpose == "propose":
            return propose(speech, fields["count"], fields["first"], request.seed)
        if request.purpose == "translate":
            if ENGLISH not in self._speeches:
                raise ValueError(f"config/phrases.yaml: has no {ENGLISH}; the embedded teacher translates from it")
            return translate(fields["text"], self._speeches[ENGLISH], speech)
        return respond(speech, fields["instruction"], fields["input"])


def propose(speech: Speech, count: int, first: int, seed: int) -> str:
    """Return a numbered list of `count` tasks, the first of them number `first`."""
    rng = random.Random(f"propose {speech.words['code']} {seed}")
    listed = []
    for number in range(first, first + count):
        task = draw(speech, rng, rng.choice(FREE if rng.random() < FREE_SHARE else LAYOUTS))
        listed.append(
            f"{number}. Instruction: {task['instruction']}\n"
            f"{number}. Input: {task['input'] or '<noinput>'}\n"
            f"{number}. Output: {task['output']}\n###\n"
        )
    return "".join(listed)


def translate(text: str, source: Speech, target: Speech) -> str:
    """Return `text` in the target language, or `text` itself if a part of it is unknown in either language."""
    labels = {f"{source.words[label]}: ": f"{target.words[label]}: " for label in LABELS}
    labels |= {f"{mark}. ": f"{mark}. " for mark in "ABCD12"}
    lines = []
    for line in text.split("\n"):
        label = next((label for label in labels if line.startswith(label)), "")
        utterances = source.read(line.removeprefix(label))
        if utterances is None:
            return text
        try:
            lines.append(labels.get(label, "") + target.say(utterances))
        except Unnamed:
            return text
    return "\n".join(lines)


def respond(speech: Speech, instruction: str, input: str) -> str:
    """Return the answer to a task in its language, found by parsing the task; "" if it is not understood."""
    utterances = speech.read(instruction)
    if utterances is None or len(utterances) != 1:
        return ""
    ((key, slots),) = utterances
    if key.endswith("_instruction"):
        return _answer_layout(speech, key.removesuffix("_instruction"), input.split("\n"))
    if input:
        return ""
    answer = _answer_free(key, slots)
    return _text(speech, answer) if answer else ""


def _text(speech: Speech, utterances: list[Utterance]) -> str:
    try:
        return speech.say(utterances)
    except Unnamed:
        return ""


def _answer_free(key: str, slots: dict) -> list[Utterance] | None:
    if key in NEIGHBOURS:
        slot, by = NEIGHBOURS[key]
        return _name(slot, shift(slot, slots[slot], by))
    if key in POSITIONS:
        return _name("country", slots["list"][POSITIONS[key]])
    if key in FREE:
        wanted, given = QUESTIONS[key]
        return _name(wanted, facts()[slots[given]][wanted])
    return None


def _answer_layout(speech: Speech, task: str, lines: list[str]) -> str:
    words = speech.words
    labels = {
        "xnli": [f"{words['premise']}: ", f"{words['hypothesis']}: "],
        "xcopa": ["", "1. ", "2. "],
        "belebele": [f"{words['passage']}: ", f"{words['question']}: ", "A. ", "B. ", "C. ", "D. "],
        "qa": [f"{words['passage']}: ", f"{words['question']}: "],
        "xlsum": [f"{words['article']}: "],
    }[task]
    if len(lines) != len(labels) or not all(line.startswith(label) for line, label in zip(lines, labels, strict=True)):
        return ""
    texts = [line.removeprefix(label) for line, label in zip(lines, labels, strict=True)]
    parsed = [utterances for text in texts if (utterances := speech.read(text)) is not None]
    if len(parsed) < len(texts):
        return ""
    if task == "xnli":
        return _infer(words, *parsed)
    if task == "xcopa":
        return _succeed(*parsed)
    if task == "xlsum":
        countries = [slots["country"] for key, slots in parsed[0] if key == "news"]
        return _text(speech, [("news_summary", {"list": countries})]) if len(countries) > 1 else ""
    answer = _text(speech, _find(parsed[0], parsed[1]))
    if task == "qa":
        return answer
    return "ABCD"[texts[2:].index(answer)] if answer in texts[2:] else ""


def _find(passage: list[Utterance], question: list[Utterance]) -> list[Utterance]:
    ((key, question_slots),) = question[:1]
    if key in QUESTIONS:
        wanted, given = QUESTIONS[key]
        for _, slots in passage:
            if wanted in slots and slots.get(given) == question_slots[given]:
                return _name(wanted, slots[wanted])
    return []


def _infer(words: Mapping[str, str], premise: list[Utterance], hypothesis: list[Utterance]) -> str:
    _, claimed = hypothesis[0]
    for _, slots in premise:
        if slots.keys() == claimed.keys() and slots.get("country") == claimed.get("country"):
            return words["true"] if slots == claimed else words["false"]
    return words["neither"]


def _succeed(premise: list[Utterance], *choices: list[Utterance]) -> str:
    premises = [succession["premise"] for succession in SUCCESSION.values()]
    if len(premise) != 2 or premise[0][0] not in premises or premise[1][0] not in ("cause", "effect"):
        return ""
    ((kind, now),) = premise[0][1].items()
    after = shift(kind, now, 1 if premise[1][0] == "effect" else -1)
    right = [str(place) for place, choice in enumerate(choices, start=1) if choice[0][1] == {kind: after}]
    return right[0] if len(right) == 1 else ""
