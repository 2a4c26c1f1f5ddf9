"""Curation of labelled rows: no row of the test set is learnt, no text twice, and none with two labels."""

from collections import Counter
from collections.abc import Iterable, Sequence

import polars as pl
import regex

from maple.data.contamination import NGRAM_WORDS, ngram_length
from maple.text.comparison import comparison_tokens
from maple.text.similarity import NoveltyFilter

# Who is mentioned and what is linked: sets replace them by different words, or by none.
_MENTION_OR_LINK = regex.compile(r"https?://\S+|www\.\S+|@\w+|<user>|<url>", regex.I)

# A text as it is compared: its words and symbols.
Key = tuple[str, ...]


def text_key(text: str) -> Key:
    """Return what two texts must share to count as the same: words and symbols, without mentions and links.

    Case, spaces and the punctuation of sentences do not count (maple.text.comparison); emoji do. A text of mentions and
    links alone is compared by them.

    >>> text_key("@user Good morning!") == text_key("good morning @someone https://example.org")
    True
    >>> text_key("good 😀") == text_key("good 😡")
    False
    """
    return tuple(comparison_tokens(_MENTION_OR_LINK.sub(" ", text)) or comparison_tokens(text))


def compared_text(row: dict) -> str:
    """Return the text of a labelled row that is compared: its texts, or its prompt if the task states none."""
    return "\n".join(row["texts"] or [row["instruction"]])


class TextsOfTests:
    """The texts of a task's test rows."""

    def __init__(self, texts: Iterable[str], near: float | None):
        self._keys = {text_key(text) for text in texts}
        self._filter = NoveltyFilter(near) if near else None
        for key in self._keys:
            if self._filter and _long_enough(key):
                self._filter.add(list(key))

    def reason(self, key: Key) -> str:
        """Return why a text may not be learnt; "" if it may."""
        if key in self._keys:
            return "is a test row"
        is_near = self._filter and _long_enough(key) and not self._filter.is_new(list(key))
        return "near a test row" if is_near else ""


def _long_enough(key: Key) -> bool:
    """Return True for a text of MIN_NGRAM_WORDS words: shorter ones are alike by chance."""
    return ngram_length(list(key), NGRAM_WORDS) > 0


def curate_labelled(
    rows: pl.DataFrame, tests: Iterable[str], near: float | None, in_test_sets: Sequence[str] = ()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split raw labelled rows into kept ones and dropped ones, which have a `reason` besides.

    `rows` has the columns of RAW_LABELLED_SCHEMA, train rows before dev rows; `tests` are the texts of the task's test
    rows, and `in_test_sets` has for each row the other task whose test rows it overlaps with, "" for none. Kept rows
    have no `fault` and no `completion`. The reasons, of which the first that applies counts:

    the row's fault; "is a test row": the same text (`text_key`); "near a test row": in texts of MIN_NGRAM_WORDS words,
    ROUGE-L of `near` or more with one; "in a test set: TASK"; "two labels": rows with the same text have different
    labels, of which none is kept (our choice: nobody knows which is right); "duplicate": an earlier row has the same
    text.
    """
    test_texts = TextsOfTests(tests, near)
    named = list(rows.iter_rows(named=True))
    keys = [text_key(compared_text(row)) for row in named]
    labelled = {(key, row["label"]) for key, row in zip(keys, named, strict=True) if not row["fault"]}
    labels = Counter(key for key, _ in labelled)
    reasons, before = [], set()
    for row, key, task in zip(named, keys, in_test_sets or [""] * len(named), strict=True):
        reason = row["fault"] or test_texts.reason(key) or (f"in a test set: {task}" if task else "")
        reason = reason or ("two labels" if labels[key] > 1 else "duplicate" if key in before else "")
        reasons.append(reason)
        if not reason:
            before.add(key)
    all_rows = rows.with_columns(reason=pl.Series(reasons, dtype=pl.String))
    return all_rows.filter(reason="").drop("fault", "completion", "reason"), all_rows.filter(pl.col("reason") != "")
