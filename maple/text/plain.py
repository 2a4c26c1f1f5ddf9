"""Text of others (names, answers of models, messages of servers), made fit for a terminal, a log, an SVG or a CSV."""

import re

# A terminal's commands: colours, cursor, title of the window.
_COMMAND = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x9c|\x1b\\)"
    r"|\x1b[ -/]*[0-~]"
)
_BREAK = re.compile(" *[\t\n\r\f\v\x1c-\x1f\x85\u2028\u2029][\t\n\r\f\v\x1c-\x1f\x85\u2028\u2029 ]*")
# Controls, half letters, what XML forbids, and marks that turn the direction of all text after them. The joiners of
# Indic and Persian scripts stay.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
# How a cell begins that a spreadsheet would compute; full-width forms count as well.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def plain(text: str, most: int | None = None) -> str:
    """Return a text in one line without what a terminal would obey and XML forbids, at most `most` characters of it.

    >>> plain("a\\x1b[31m red\\x00\\nline")
    'a red line'
    """
    line = _UNSEEN.sub("", _BREAK.sub(" ", _COMMAND.sub("", text))).strip()
    return line if most is None or len(line) <= most else line[: most - 1] + "…"


def readable(text: str) -> str:
    """Return a text with its lines and tabs as they are, without what a terminal would obey.

    >>> readable("a\\x1b[31m\\tred\\x00\\nline")
    'a\\tred\\nline'
    """
    return _UNSEEN.sub(lambda match: match[0] if match[0] in "\t\n\r" else "", _COMMAND.sub("", text))


def cell(text: str) -> str:
    """Return a text as a CSV's cell that no spreadsheet computes: an apostrophe stands before a formula.

    >>> cell("=1+1")
    "'=1+1"
    """
    line = plain(text)
    return f"'{line}" if line.startswith(_FORMULA) else line
