"""Small benchmarks of the embedded world: the fields of the real benchmarks, items parallel over languages."""

import random
from collections.abc import Callable, Mapping
from functools import cache
from itertools import combinations

from maple.embedded.classification import CLASSIFICATION, SPLITS, classification_rows
from maple.embedded.cldr import facts, held_out, official_languages
from maple.embedded.pairs import TRANSLATIONS, PairLanguage, pair_rows
from maple.embedded.speech import Speech, Unnamed, Utterance

ATTRIBUTES = ("currency", "language")
# Per kind: the sentences of XCOPA's premise, cause and effect; the number of the first day or month, and their count.
SUCCESSION = {
    "day": {"premise": "today", "cause": "yesterday", "effect": "tomorrow", "first": 0, "count": 7},
    "month": {"premise": "this_month", "cause": "last_month", "effect": "next_month", "first": 1, "count": 12},
}

# A problem has no language: each field is a list of utterances, which `render` writes in a language, or a plain value.
Problem = dict


def shift(kind: str, code: str, by: int) -> str:
    """Return the code of the day or month `by` places after `code`.

    >>> shift("month", "12", 1)
    '1'
    >>> shift("day", "0", -1)
    '6'
    """
    first, count = SUCCESSION[kind]["first"], SUCCESSION[kind]["count"]
    return str((int(code) - first + by) % count + first)


@cache
def pool(evaluation: bool) -> tuple[str, ...]:
    """Return the held-out countries, which only the evaluation names, or the others, which only the teacher names."""
    return tuple(country for country in facts() if held_out(country) == evaluation)


def unlike_countries(rng: random.Random, among: tuple[str, ...], count: int) -> list[str]:
    """Sample countries no two of which share a currency or an official language."""
    while True:
        countries = rng.sample(among, count)
        if all(
            facts()[one]["currency"] != facts()[other]["currency"]
            and facts()[one]["language"] not in official_languages(other)
            and facts()[other]["language"] not in official_languages(one)
            for one, other in combinations(countries, 2)
        ):
            return countries


def stated(country: str, attribute: str, form: str = "fact") -> Utterance:
    """Return the utterance that states a country's currency or language; `form` is "fact" or "restated"."""
    return f"{attribute}_{form}", {"country": country, attribute: facts()[country][attribute]}


def passage_on(countries: list[str]) -> list[Utterance]:
    """Return the utterances that state both facts of each country."""
    return [stated(country, attribute) for country in countries for attribute in ATTRIBUTES]


def _xnli(rng: random.Random, number: int, evaluation: bool) -> Problem:
    country, other = unlike_countries(rng, pool(evaluation), 2)
    attribute = rng.choice(ATTRIBUTES)
    key, true = stated(country, attribute, "restated")
    _, about_other = stated(other, attribute, "restated")
    label = number % 3
    claim = (true, about_other, true | {attribute: about_other[attribute]})[label]
    return {"premise": passage_on([country]), "hypothesis": [(key, claim)], "label": label}


def _xcopa(rng: random.Random, number: int, evaluation: bool) -> Problem:
    label, question, kind = number % 2, ("cause", "effect")[number // 2 % 2], ("day", "month")[number // 4 % 2]
    succession = SUCCESSION[kind]
    codes = [str(succession["first"] + place) for place in range(succession["count"])]
    while True:
        now = rng.choice(codes)
        right = shift(kind, now, 1 if question == "effect" else -1)
        wrong = rng.choice([code for code in codes if code not in (now, right)])
        if held_out(f"{kind} {now} {question} {wrong}") == evaluation:
            break
    choices = [[(succession[question], {kind: code})] for code in (right, wrong)]
    return {
        "premise": [(succession["premise"], {kind: now})],
        "choice1": choices[label],
        "choice2": choices[1 - label],
        "question": question,
        "label": label,
    }


def _belebele(rng: random.Random, number: int, evaluation: bool) -> Problem:
    countries = unlike_countries(rng, pool(evaluation), 4)
    attribute, subject = rng.choice(ATTRIBUTES), rng.randrange(2)
    options = [facts()[country][attribute] for country in countries]
    gold = options.pop(subject)
    rng.shuffle(options)
    options.insert(number % 4, gold)
    return {
        "flores_passage": passage_on(countries[:2]),
        "question": [(f"{attribute}_question", {"country": countries[subject]})],
        **{f"mc_answer{place}": [(attribute, {attribute: code})] for place, code in enumerate(options, start=1)},
        "correct_answer_num": str(number % 4 + 1),
    }


def _question_on_passage(rng: random.Random, evaluation: bool, reverse: bool) -> Problem:
    countries = unlike_countries(rng, pool(evaluation), 2)
    attribute, subject = rng.choice(ATTRIBUTES), rng.randrange(2)
    context = passage_on(countries)
    index = 2 * subject + ATTRIBUTES.index(attribute)
    slot, answer = (attribute, "country") if reverse else ("country", attribute)
    key = f"{attribute}_country_question" if reverse else f"{attribute}_question"
    return {"context": context, "question": [(key, {slot: context[index][1][slot]})], "span": (index, answer)}


def _xquad(rng: random.Random, number: int, evaluation: bool) -> Problem:
    return _question_on_passage(rng, evaluation, reverse=False)


def _mlqa(rng: random.Random, number: int, evaluation: bool) -> Problem:
    return _question_on_passage(rng, evaluation, reverse=True)


def _xlsum(rng: random.Random, number: int, evaluation: bool) -> Problem:
    countries = rng.sample(pool(evaluation), 3 + number % 2)
    text = [("news", {"country": country, "day": str(rng.randrange(7))}) for country in countries]
    return {"text": text, "summary": [("news_summary", {"list": countries})]}


PROBLEMS: dict[str, Callable[[random.Random, int, bool], Problem]] = {
    "xnli": _xnli,
    "xcopa": _xcopa,
    "belebele": _belebele,
    "xquad": _xquad,
    "mlqa": _mlqa,
    "xlsum": _xlsum,
}


# The tasks that have train rows.
LEARNABLE = (*CLASSIFICATION, *TRANSLATIONS)


def render(problem: Problem, speech: Speech) -> dict:
    """Return a problem's fields as text in a language; its `span` becomes SQuAD's `answers`. Raises Unnamed."""
    row = {
        field: speech.say(value) if isinstance(value, list) else value
        for field, value in problem.items()
        if field != "span"
    }
    if "span" in problem:
        index, slot = problem["span"]
        answer = speech.say([(slot, {slot: problem["context"][index][1][slot]})])
        row["answers"] = {"text": [answer], "answer_start": [speech.place(problem["context"], index, slot)]}
    return row


def rows(
    task: str,
    words: Mapping[str, str] | None,
    items: int,
    seed: int,
    pair: tuple[PairLanguage, PairLanguage] | None = None,
) -> list[dict]:
    """Return the rows of a task in one language, with the fields of the real benchmark, on held-out countries only.

    `words` has the language's code, iso639_1, script and phrases; a translation needs none, but the source and the
    target language of its `pair`. (task, seed, i) alone decides item i, so that rows
    with the same id have the same meaning in every language. An item is missing if CLDR lacks one of its names in the
    language: there can be fewer than `items` rows. Seeds 0, 1 and 2 are the splits test, dev and train of LEARNABLE
    tasks. Raises ValueError for a task that the embedded world lacks.
    """
    if pair and task in TRANSLATIONS:
        return pair_rows(*pair, TRANSLATIONS[task], SPLITS[seed], items)
    if words is None:
        raise ValueError(f"{task}: config/phrases.yaml lacks the language; add its words, or take another task_source")
    words = dict(words)
    if task in CLASSIFICATION:
        return classification_rows(task, words, items, SPLITS[seed])
    if task not in PROBLEMS:
        raise ValueError(
            f"config/tasks/{task}.yaml: no embedded rows; its sources may not name `embedded`, which has "
            f"{', '.join((*PROBLEMS, *LEARNABLE))}"
        )
    speech = Speech(words)
    rows_of_task = []
    for number in range(items):
        problem = PROBLEMS[task](random.Random(f"{task} {seed} {number}"), number, True)
        try:
            row = render(problem, speech)
        except Unnamed:
            continue
        rows_of_task.append(_identity(task, f"embedded:{task}-{seed}-{number}", number, words["code"]) | row)
    return rows_of_task


def _identity(task: str, name: str, number: int, code: str) -> dict:
    # The fields of the real benchmarks that identify an item.
    return {
        "xnli": {"id": name},
        "xcopa": {"idx": number, "changed": False},
        "belebele": {"link": name, "question_number": 1, "dialect": code, "ds": ""},
        "xquad": {"id": name, "title": ""},
        "mlqa": {"id": name, "title": ""},
        "xlsum": {"id": name, "url": "", "title": ""},
    }[task]
