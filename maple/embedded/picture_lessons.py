"""A pretraining corpus for small vision-language models: questions about drawn pictures, and answers."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import count as numbers

from maple.embedded.drawing import draw, png
from maple.embedded.lesson import PictureLesson
from maple.embedded.pictures import PICTURES, Problem, render_question
from maple.embedded.speech import Unnamed

Words = Mapping[str, str]
# One lesson of so many is read without a picture: our choice.
READ = 4


def documents(
    words: Mapping[str, Words],
    count: int,
    seed: int,
    *,
    tasks: Sequence[str],
    read: Sequence[str] = (),
    languages: Sequence[str] = (),
) -> Iterator[PictureLesson]:
    """Yield `count` questions with their answers, of train rows: a base has seen no drawing of a test row.

    Three of four have pictures: those of `tasks` in turn, each in one of `languages` (all of `words` if there are none)
    by the seed. The fourth is one of `tasks` and `read` in any language, without its picture: as a model whose language
    model has read much, a base knows words of things that it has not seen, and answers by chance. `words` has per
    language its code, iso639_1, script and the words of all of these tasks (maple.embedded.pictures).
    """
    rng = random.Random(f"picture lessons {seed}")
    seen = _rows(tasks, [words[code] for code in languages or words], rng)
    told = _rows([*tasks, *read], list(words.values()), rng)
    for number in range(count):
        problem, question, answer = next(told if number % READ == READ - 1 else seen)
        picture = None if number % READ == READ - 1 else png(draw(problem.picture))
        yield PictureLesson(picture, question, answer)


def _rows(tasks: Sequence[str], languages: Sequence[Words], rng: random.Random) -> Iterator[tuple[Problem, str, str]]:
    """Yield train rows without end, the tasks in turn: what is asked, and question and answer in one of the languages.

    An item that has no name in the language is left out.
    """
    for number in numbers():
        problem = PICTURES[tasks[number % len(tasks)]].problem("train", number // len(tasks))
        try:
            yield problem, *render_question(problem, rng.choice(languages))
        except Unnamed:
            continue
