"""The prose of a text: without code, links, formulas and quotes, and without names, which are in no language."""

import regex

_MARKUP = regex.compile(
    r"""(?xs)
    ```.*?(?:```|\Z) | ~~~.*?(?:~~~|\Z) | `[^`\n]+`
    | <[a-zA-Z/!][^<>\n]{0,300}>
    | (?:https?://|www\.)\S+ | \S+@\S+\.\S+ | \b[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|gov|edu)\b\S*
    | \$\$.+?\$\$ | \$[^$\s][^$\n]*\$ | \\\(.+?\\\) | \\\[.+?\\\]
    """
)
# A line of code: it begins with a keyword or as a comment, is indented, ends as a statement, or has many operators.
_CODE_LINE = regex.compile(
    r"""(?x)
    \s*(?:\#|//|--\s|import\s|from\s\S+\simport\b|def\s|class\s|return\b|print\s*\(|function\b|const\s|let\s\w+\s*=
        |var\s|public\s|private\s|package\s|using\s|SELECT\s|INSERT\sINTO\b|UPDATE\s\w+\sSET\b|CREATE\sTABLE\b).*
    | (?:\t|[ ]{2,})\S.*
    | .*[;{}]\s*
    """
)
_OPERATOR = regex.compile(r"[=(){}\[\]<>_+*/\\|&^%#@;]")
_OPERATOR_SHARE = 0.1  # of a line's characters; our choice: lines of code have more, prose hardly reaches a third of it
_QUOTE = regex.compile(
    r"\"[^\"\n]{1,500}\"|“[^”\n]{1,500}”|„[^“”\n]{1,500}[“”]|«[^»\n]{1,500}»|‘[^’\n]{1,500}’|「[^」\n]{1,500}」|『[^』\n]{1,500}』"
)
# Two and more words with a capital in a row, with short words between them: "Lord of the Rings". A lone "I" is none.
_CAPITALIZED = r"(?:\p{Lu}[\p{L}\p{M}\p{N}'’&-]+|\p{Lu}\.)"
_NAME = regex.compile(rf"(?<![\p{{L}}\p{{M}}])(?:{_CAPITALIZED}[ .]+(?:(?:\p{{Ll}}{{1,3}}|&) )*)+{_CAPITALIZED}")


def _is_code(line: str) -> bool:
    characters = len(line) - line.count(" ")
    if not characters:
        return False
    return bool(_CODE_LINE.fullmatch(line)) or len(_OPERATOR.findall(line)) / characters > _OPERATOR_SHARE


def prose(text: str) -> str:
    """Return what a text says in its own language: without code, links, formulas and quoted texts.

    >>> prose('Diz "good morning" assim:\\ndef area(side):\\n    return side ** 2')
    'Diz   assim:'
    """
    text = _MARKUP.sub(" ", text)
    text = "\n".join(line for line in text.split("\n") if not _is_code(line))
    unquoted = _QUOTE.sub(" ", text)
    return unquoted if any(map(str.isalpha, unquoted)) else text  # else the quotes are all of it


def without_names(text: str) -> str:
    """Return a text without its names of several words, in languages that write no other nouns with a capital.

    >>> without_names("A sigla NASA significa National Aeronautics and Space Administration.")
    'A sigla NASA significa  .'
    """
    return text if text.isupper() else _NAME.sub(" ", text)
