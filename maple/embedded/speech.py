"""A language's sentences in the embedded world: written from codes, and parsed back into codes."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from string import Formatter

from maple.embedded.cldr import KINDS, names

# An utterance: the key of its sentence in config/phrases.yaml, and the code (for `list`, codes) of each slot.
Utterance = tuple[str, dict]

# Every sentence of the phrase table with its slots.
SENTENCES = {
    "currency_fact": ("country", "currency"),
    "language_fact": ("country", "language"),
    "currency_restated": ("country", "currency"),
    "language_restated": ("country", "language"),
    "currency_question": ("country",),
    "language_question": ("country",),
    "currency_country_question": ("currency",),
    "language_country_question": ("language",),
    "today": ("day",),
    "tomorrow": ("day",),
    "yesterday": ("day",),
    "this_month": ("month",),
    "next_month": ("month",),
    "last_month": ("month",),
    "day_after": ("day",),
    "day_before": ("day",),
    "month_after": ("month",),
    "month_before": ("month",),
    "first_in_list": ("list",),
    "last_in_list": ("list",),
    "news": ("country", "day"),
    "news_summary": ("list",),
}
# The teacher's instructions and fixed answers; its other words are labels.
FIXED = (
    *("true", "false", "neither", "cause", "effect"),
    *("xnli_instruction", "xcopa_instruction", "belebele_instruction", "qa_instruction", "xlsum_instruction"),
)
LABELS = ("passage", "question", "premise", "hypothesis", "article")
# The keys of a language's block of the phrase table.
KEYS = (*SENTENCES, "list_separator", *LABELS, *FIXED)
# Sentences that only maple.embedded.classification needs: a language may lack them. `names` are several of one kind.
SENTENCES_OF_SOME = {
    "names_label": ("names",),
    "names_question": ("names",),
    "names_text": ("names",),
    **{key: ("day",) for key in ("good_day", "bad_day", "like_day", "dislike_day")},
    **{key: ("month",) for key in ("good_month", "bad_month", "like_month", "dislike_month")},
}


class Unnamed(LookupError):
    """CLDR has no name of a code in the language."""


def check_words(code: str, words: Mapping[str, str]) -> None:
    """Raise a ValueError that names the first of KEYS that `words` lacks, or the first sentence with other slots.

    It loads no CLDR data: a study is checked with it before any job starts.
    """
    where = f"config/phrases.yaml: {code}"
    for key in KEYS:
        if not isinstance(words.get(key), str):
            raise ValueError(f"{where}: {key} is missing, or no text in quotes; write it as in eng_Latn")
    of_some = {key: slots for key, slots in SENTENCES_OF_SOME.items() if key in words}
    for key, slots in {**SENTENCES, **of_some}.items():
        try:
            in_text = sorted(slot for _, slot, _, _ in Formatter().parse(words[key]) if slot is not None)
        except ValueError as error:
            raise ValueError(f"{where}: {key}: {error}; braces stand around slots alone") from None
        if in_text != sorted(slots):
            raise ValueError(f"{where}: {key} has the slots {in_text}; write each of {sorted(slots)} once")


class Speech:
    """The sentences of one language. `words` has its code, iso639_1, script and its block of config/phrases.yaml.

    Raises ValueError as `check_words` does.
    """

    def __init__(self, words: dict[str, str]):
        check_words(words["code"], words)
        self.words = words
        self.names = names(words["iso639_1"], words["script"])
        self.templates = {key: words[key] for key in (*SENTENCES, *FIXED, *SENTENCES_OF_SOME) if key in words}
        self.templates |= {kind: f"{{{kind}}}" for kind in KINDS}

    def say(self, utterances: Sequence[Utterance]) -> str:
        """Return the text of utterances; raises Unnamed if CLDR lacks a name."""
        return " ".join(self._fill(self.templates[key], slots) for key, slots in utterances)

    def list_names(self, sentence: str, kind: str, codes: Sequence[str]) -> str:
        """Return a sentence with names of one kind in its slot `names`; raises Unnamed if CLDR lacks a name."""
        if missing := [code for code in codes if code not in self.names[kind]]:
            raise Unnamed(f"CLDR has no {self.words['code']} name of {missing[0]!r}")
        listed = self.words["list_separator"].join(self.names[kind][code] for code in codes)
        return self.templates[sentence].format(names=listed)

    def place(self, utterances: Sequence[Utterance], index: int, slot: str) -> int:
        """Return the character offset in `say(utterances)` at which the slot of utterance `index` starts."""
        key, slots = utterances[index]
        before = self._fill(self.templates[key].split(f"{{{slot}}}")[0], slots)
        return len("".join(self.say([utterance]) + " " for utterance in utterances[:index]) + before)

    def read(self, text: str) -> list[Utterance] | None:
        """Return the utterances of `text`; None if it is not made of this language's sentences."""
        matches = [(key, match) for key, pattern in self._patterns.items() if (match := pattern.match(text))]
        # Longest match first: a name may be a prefix of a longer name.
        for key, match in sorted(matches, key=lambda pair: -pair[1].end()):
            rest = text[match.end() :]
            following = self.read(rest[1:]) if rest else []
            if following is not None:
                return [(key, self._codes(match)), *following]
        return None

    def _fill(self, template: str, slots: dict) -> str:
        try:
            texts = {
                slot: self.words["list_separator"].join(self.names["country"][one] for one in code)
                if slot == "list"
                else self.names[slot][code]
                for slot, code in slots.items()
            }
        except KeyError as error:
            raise Unnamed(f"CLDR has no {self.words['code']} name of {error}") from None
        return template.format(**texts)

    def _codes(self, match: re.Match) -> dict:
        codes: dict = {}
        for slot, text in match.groupdict().items():
            if slot == "list":
                codes[slot] = [self._code["country"][one] for one in text.split(self.words["list_separator"])]
            else:
                codes[slot] = self._code[slot][text]
        return codes

    @cached_property
    def _code(self) -> dict[str, dict[str, str]]:
        return {kind: {name: code for code, name in of_kind.items()} for kind, of_kind in self.names.items()}

    @cached_property
    def _patterns(self) -> dict[str, re.Pattern]:
        slots = {}
        for kind, of_kind in self.names.items():
            longest_first = sorted(of_kind.values(), key=len, reverse=True)
            slots[kind] = "|".join(map(re.escape, longest_first))
        separator = re.escape(self.words["list_separator"])
        slots["list"] = f"(?:{slots['country']})(?:{separator}(?:{slots['country']}))+"
        patterns = {}
        for key, template in self.templates.items():
            if key in SENTENCES_OF_SOME:  # which no teacher reads
                continue
            pattern = "".join(
                re.escape(literal) + (f"(?P<{slot}>{slots[slot]})" if slot else "")
                for literal, slot, _, _ in Formatter().parse(template)
            )
            patterns[key] = re.compile(pattern + r"(?= |$)")
        return patterns
