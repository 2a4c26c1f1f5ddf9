"""The words of languages in the templates of a task."""

from collections.abc import Mapping

from maple.data.templates import names_in
from maple.definitions.language import Language
from maple.definitions.task import ALL_LANGUAGES, PromptSpec, Task

# The names under which a template reaches words of the language table: those of the language that the prompt instructs
# in, of the text's own language, and of English.
VOICES = ("words", "own", "english")
# The words of each voice, by column of the language table.
Words = Mapping[str, Mapping[str, str]]


def word_names(*templates: str, voice: str = "words") -> frozenset[str]:
    """Return the columns of the language table that Jinja templates reach by a voice, as in `words.NAME`.

    >>> sorted(word_names("{{ words.cause }} {{ own.effect }}", "{{ words.true }}"))
    ['cause', 'true']
    """
    return frozenset().union(*(names_in(template, voice) for template in templates))


def word_templates(task: PromptSpec | Task) -> list[str]:
    """Return the templates of a task that may use words: of prompts, verbalizers and the demonstration's answer."""
    prompts = [task.prompt, *task.choice_prompts.values(), *([task.layout.description] if task.layout else [])]
    return [*prompts, *(form for forms in task.choices.values() for form in forms), task.answer.demonstration]


def task_words(
    task: PromptSpec | Task, own: Language, english: Language, prompt_language: str
) -> dict[str, dict[str, str]]:
    """Return for each of VOICES the words that a task's templates use, and no others; "" for one that is nowhere.

    They are those of the language table, and before them those that the task states. `prompt_language` is the language
    that prompts instruct in: "own" or "english".
    """
    of_english = _stated_words(task, english, english.params())
    rows = {"own": _stated_words(task, own, of_english), "english": of_english}
    rows["words"] = rows[prompt_language]
    templates = word_templates(task)
    return {
        voice: {word: rows[voice].get(word, "") for word in sorted(word_names(*templates, voice=voice))}
        for voice in VOICES
    }


def _stated_words(task: PromptSpec | Task, language: Language, english: Mapping[str, str]) -> dict[str, str]:
    """Return the columns of a language with the words that a task states for it."""
    words = task.words if isinstance(task, Task) else {}
    stated = words.get(language.code, words.get(ALL_LANGUAGES, {}))
    columns = language.params()
    if stated == "english":
        return {name: columns.get(name) or word for name, word in english.items()}
    return {**columns, **stated}
