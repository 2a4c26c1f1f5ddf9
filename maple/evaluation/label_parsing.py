"""The label that a line of an answer chooses. Nothing is guessed: a line that leaves a doubt chooses none."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import regex

from maple.definitions.language import UNKNOWN_WRITING, Writing
from maple.evaluation.label_words import LabelWords, label_words
from maple.text.accents import with_accents
from maple.text.letters import same_letters
from maple.text.segmentation import UNSPACED

_WORD = r"[\p{L}\p{M}\p{N}]"
_LATIN = r"[[\p{L}&&\p{Latin}]\p{M}\p{N}]"
_WORD_AT = regex.compile(_WORD)
_LATIN_AT = regex.compile(f"(?V1){_LATIN}")
_UNSPACED_AT = regex.compile(f"(?V1){UNSPACED}")
# A label that is one letter or digit is often a word itself, as in "A boy" or "2 apples".
_SIGN = regex.compile(r"[\p{Latin}\p{N}]")
# Around an answer: LaTeX (\boxed{A}, \text{A}, $A$), tags of HTML, and emphasis of Markdown.
_FRAME = regex.compile(r"\\[a-z]+\s*\{([^{}]*)\}|</?[a-z]+>|\$([^$]+)\$", regex.IGNORECASE)
_EMPHASIS = regex.compile(r"(\*{1,3}|_{2}|`{1,3})(?=[^\s*_`])([^*`]+?)(?<=[^\s*_`])\1")
# Marks and symbols at the edges do not matter, but those that belong to a number or a name: a sign or a currency before
# a number; per cent, plus or a currency behind it.
_LEFT = regex.compile(r"(?:(?!(?:[-−–+]|(?<!\.)\.|\p{Sc}\s?)\d)[\p{P}\p{S}\p{Z}\p{C}])+")
_RIGHT = regex.compile(r"(?r)[\p{P}\p{S}\p{Z}\p{C}]+\Z")
_BELONGS_TO_WORD = regex.compile(r"[%‰°+#]+|(?<=\d)\s?[%‰\p{Sc}]")
# What may end a label before more words, as in "A. x", "A) x", "wahr – x"; not what joins words (true-ish, A/B), nor
# what is within a number (1.5).
_MARK = regex.compile(
    r"""(?xV1)
    \s+[\-‐‑'/~](?=\s) | [\-‐‑'/~](?=\s) | \s*[–—](?!\d)
    | \s*(?![.,:٫٬·]\d)[[\p{P}\p{S}]--[\p{Sc}\-‐‑–—'/~%‰°+\#=&@^_\\]]
    """
)
_ENDED = regex.compile(rf"\Z|{_MARK.pattern}", regex.VERBOSE)
_ENDS_SENTENCE = regex.compile(r"\s*[.!?。！？।॥؟۔።။។…]")
# A colon of any script; not that of a time of day.
_COLON = regex.compile(r"[:∶៖፡፥፦](?!(?<=\d.)\d)")
# The most characters of a cue, as "The correct answer is:"; our choice.
_LONGEST_CUE = 40
_ONE_WORD = regex.compile(rf"\s+([\p{{L}}\p{{M}}]+)(?!{_WORD})")
_HAS_LATIN = regex.compile(r"\p{Latin}")


class _Form(NamedTuple):
    """A form of a label, or a line, as it is compared: both texts have one length."""

    cased: str
    caseless: str
    whole: str
    """Without case, with the marks around it."""


@lru_cache(maxsize=8192)
def _form(text: str) -> _Form:
    whole = _without_frame(text)
    start = _LEFT.match(whole)
    cased = whole[start.end() :] if start else whole
    if end := _RIGHT.search(cased):
        belongs = _BELONGS_TO_WORD.match(cased, end.start())
        cased = cased[: belongs.end() if belongs and end.start() else end.start()]
    caseless = cased.casefold()
    # The case of a few rare letters is lost with their length.
    return _Form(cased if len(cased) == len(caseless) else caseless, caseless, whole.casefold().rstrip(". "))


def _without_frame(text: str) -> str:
    """Return a text without LaTeX, tags and emphasis, and with one character for the variants of a letter."""
    if "*" in text or "`" in text or "__" in text:
        text = _EMPHASIS.sub(r"\2", text)
    text = same_letters(text).strip()
    while ("\\" in text or "<" in text or "$" in text) and (inner := _FRAME.sub(r"\1\2", text)) != text:
        text = inner
    return text


@lru_cache(maxsize=256)
def _sign_pattern(sign: str) -> regex.Pattern:
    """Return a pattern of a letter or digit in its own case: after "B", "a" is an article rather than the choice A."""
    return regex.compile(rf"(?V1)(?<!{_LATIN}){regex.escape(sign)}(?!{_LATIN}|\s+[\p{{L}}\p{{N}}])")


def _names(form: _Form, cased: str, caseless: str) -> bool:
    """Return True if a text names a form as a word of its own; in scripts without spaces, anywhere."""
    at = caseless.find(form.caseless)
    if at < 0:
        return False
    if _SIGN.fullmatch(form.cased):
        return _sign_pattern(form.cased).search(cased) is not None
    if _UNSPACED_AT.match(form.caseless):
        return True
    while at >= 0:
        before = at > 0 and _WORD_AT.match(caseless, at - 1)
        if not before and not _WORD_AT.match(caseless, at + len(form.caseless)):
            return True
        at = caseless.find(form.caseless, at + 1)
    return False


class _Labels:
    """The labels of one question, with their forms, and the words of the language around them."""

    def __init__(self, labels: Sequence[str], verbalizers: Sequence[Sequence[str]], words: LabelWords):
        self.words = words
        self.forms = [
            (label, form)
            for label, forms in zip(labels, verbalizers, strict=True)
            for form in map(_form, forms)
            if form.whole
        ]

    def equal(self, line: _Form) -> str | None:
        """Return the label one of whose forms a line is; with the marks around it if these part several labels."""
        equal = {label for label, form in self.forms if form.caseless and form.caseless == line.caseless}
        if len(equal) != 1:
            equal = {label for label, form in self.forms if form.whole == line.whole}
        return _only(equal)

    def chosen(self, cased: str, caseless: str) -> str | None:
        """Return the label with which a text begins, if it names no other one after it."""
        length, label = self._beginning(caseless)
        if label is None:
            return None
        if self._behind(label, length, cased, caseless):
            return label
        # "A. x" may be a form, and is followed by more words in "A. x of y": the letter and its mark are enough.
        letter = caseless[:1]
        marked = length > 1 and _SIGN.fullmatch(letter) and _MARK.match(caseless, 1)
        is_own = marked and any(of == label and form.caseless == letter for of, form in self.forms)
        return label if is_own and self._behind(label, 1, cased, caseless) else None

    def begins(self, caseless: str) -> bool:
        """Return True if a text begins with some label, as a word or as the beginning of one."""
        return self._beginning(caseless)[0] > 0

    def named(self, cased: str, caseless: str, but: str = "") -> bool:
        """Return True if a text names some label but one."""
        return any(label != but and form.caseless and _names(form, cased, caseless) for label, form in self.forms)

    def _beginning(self, caseless: str) -> tuple[int, str | None]:
        """Return the length of the longest form at the beginning of a text, and its label if that is one."""
        found = [
            (len(form.caseless), label)
            for label, form in self.forms
            if form.caseless and caseless.startswith(form.caseless) and self._ends_word(form.caseless, caseless)
        ]
        longest = max((length for length, _ in found), default=0)
        return longest, _only({label for length, label in found if length == longest})

    def _behind(self, label: str, length: int, cased: str, caseless: str) -> bool:
        """Return True if what stands behind a label leaves it what it is."""
        form, place = caseless[:length], length
        is_sign = _SIGN.fullmatch(form) is not None
        particle = self._particle(form).match(caseless, place)
        if particle:
            place = particle.end()
        elif own := self._own_text(label, form, caseless, place):
            place, is_sign = own, False
        elif is_sign and (word := _ONE_WORD.match(caseless, place)) and self._affirms(form, word[1]):
            place = word.end()
        rest = caseless[place:]
        if not rest:
            return True
        if not (mark := _MARK.match(rest)) or self.named(cased[place:], rest, but=label):
            return False
        after = rest[mark.end() :].lstrip()
        if not self.words.known and (not is_sign or " " not in after):
            return False
        denied = self.words.only_denying.fullmatch(after) or (
            not is_sign and not _ENDS_SENTENCE.match(rest) and self.words.denying_text.match(after)
        )
        return not denied

    def _own_text(self, label: str, form: str, caseless: str, place: int) -> int | None:
        """Return where a label's other form ends that follows one of them, as in "A x of y"; None if none does.

        Only a mark, or nothing, stands behind it.
        """
        start = _LEFT.match(caseless, place)
        at = start.end() if start else place
        ends = [
            at + len(other.caseless)
            for of, other in self.forms
            if of == label
            and other.caseless
            and other.caseless != form
            and caseless.startswith(other.caseless, at)
            and _ENDED.match(caseless, at + len(other.caseless))
        ]
        return max(ends, default=None)

    def _particle(self, form: str) -> regex.Pattern:
        if not _SIGN.fullmatch(form):
            return self.words.behind_word
        return self.words.behind_letter if _HAS_LATIN.match(form) else self.words.behind_digit

    def _ends_word(self, form: str, text: str) -> bool:
        """Return True if a form with which a text begins is a word of its own there, but for particles."""
        return not _WORD_AT.match(text, len(form)) or self._particle(form).match(text, len(form)) is not None

    def _affirms(self, sign: str, word: str) -> bool:
        """Return True if a word behind a Latin letter leaves it a label: one of another script that denies nothing."""
        foreign = _HAS_LATIN.match(sign) and not _HAS_LATIN.search(word) and not _UNSPACED_AT.match(word)
        return bool(foreign) and self.words.known and not self.words.denying_word.match(word)


def _only(labels: Iterable[str]) -> str | None:
    each = set(labels)
    return next(iter(each)) if len(each) == 1 else None


def label_of(
    line: str, labels: Sequence[str], verbalizers: Sequence[Sequence[str]], writing: Writing = UNKNOWN_WRITING
) -> str | None:
    """Return the label that a line chooses; None if it chooses none or several.

    `verbalizers` has for each label the forms that count as it, and `writing` tells how the language writes answers.
    Case, letter variants, kinds of digits and apostrophes, markup, and marks around the line do not matter
    (maple.text.letters), nor accents where the language's writers leave them out (maple.text.accents). A line chooses a
    label if it

    - is one of its forms, or a form with a copula or particle of the language;
    - begins with one, a mark follows, and no other label is named and nothing denied after it; the longest form at the
      beginning decides. A form that is followed by more words, with no mark between, is none: "Wahr ist das nicht".
      Where nobody has said how the language denies, more words behind a word leave a doubt, and one behind a letter;
    - begins with a letter or digit and its own option's text, or with a Latin letter and one word of another script;
    - does one of these behind a short cue that ends in a colon and names no label.

    >>> english, forms = Writing(negations=("no", "not")), [["A"], ["B"]]
    >>> label_of("B. A small one", ["A", "B"], forms, english), label_of("Answer: B", ["A", "B"], forms, english)
    ('B', 'B')
    >>> label_of("Wahr ist das nicht", ["yes", "no"], [["Wahr"], ["Falsch"]]) is None
    True
    """
    known, text = _Labels(labels, verbalizers, label_words(writing)), _form(line)
    if label := known.equal(text):
        return label
    if writing.unaccented:
        forms = [(label, form.cased) for label, form in known.forms]
        accented = with_accents(text.cased, forms, writing.unaccented == "capitals", known.words.behind_word)
        if accented != text.cased:
            text = _form(accented)
            if label := known.equal(text):
                return label
    cased, caseless = text.cased, text.caseless
    if not known.begins(caseless):
        colon = _COLON.search(caseless, 0, _LONGEST_CUE + 1)
        if not colon or known.named(cased[: colon.start()], caseless[: colon.start()]):
            return None
        if known.words.denial_within.search(caseless, 0, colon.start()):
            return None
        behind = _form(text.cased[colon.end() :])
        if label := known.equal(behind):
            return label
        cased, caseless = behind.cased, behind.caseless
    return known.chosen(cased, caseless)
