"""A pretraining corpus for small vision-language models: questions about drawn pictures, and answers."""

import random
from collections.abc import Iterator, Mapping, Sequence

from maple.embedded.drawing import draw, png
from maple.embedded.lesson import PictureLesson
from maple.embedded.pictures import PICTURES, render_question
from maple.embedded.speech import Unnamed


def learnt_tasks(words: Mapping[str, str]) -> list[str]:
    """Return the tasks with train rows whose words a language has: they decide what a base is pretrained on."""
    return [name for name, task in PICTURES.items() if "train" in task.splits and words.keys() >= set(task.words)]


def documents(words: Mapping[str, Mapping[str, str]], count: int, seed: int) -> Iterator[PictureLesson]:
    """Yield `count` questions about drawn pictures with their answers, the tasks in turn.

    `words` has per language its code, iso639_1, script and the words of some tasks (maple.embedded.pictures), and each
    task whose words are all there is asked. The questions are those of train rows, each item in one language, drawn by
    the seed: so many languages, so many pictures. A base has seen no drawing of a test row.
    """
    languages: Sequence[Mapping[str, str]] = list(words.values())
    tasks, rng = learnt_tasks(languages[0]), random.Random(f"picture lessons {seed}")
    made = number = 0
    while made < count:
        problem = PICTURES[tasks[number % len(tasks)]].problem("train", number // len(tasks))
        number += 1
        try:
            question, answer = render_question(problem, rng.choice(languages))
        except Unnamed:  # CLDR lacks some names in some languages
            continue
        made += 1
        yield PictureLesson(png(draw(problem.picture)), question, answer)
