"""Words and symbols of a text: what two texts must share to say the same."""

import regex

from maple.text.segmentation import TOKEN, normalize

# NFKC makes digits of these: 10² would be 102, and 5½ would be 51/2.
_SUPERSCRIPT = regex.compile("([⁰¹²³⁴-⁹⁺⁻ⁿⁱ]+)")
_FRACTION = regex.compile("(?<=[0-9])(?=[¼½¾⅐-⅞])")
_DASH = regex.compile(r"[\p{Pd}−]")
_EMPHASIS = regex.compile(r"(?<![\w*])(\*{1,3})(?=[^\s*])([^*\n]+)(?<=[^\s*])\1(?![\w*])")
_VARIATION_SELECTOR = regex.compile("[\ufe0e\ufe0f]")
# A number, or a letter that stands alone.
_LETTER = r"(?<![\p{L}\p{M}\p{N}])\p{L}"
_BEFORE = rf"(?:\p{{N}}|{_LETTER})"
_AFTER = r"(?:\p{N}|\p{L}(?![\p{L}\p{M}]))"
# Symbols always count; a punctuation mark counts where it is none of a sentence, as in 8 - 2, 3.5, f(x) or ":)".
_TOKEN = regex.compile(
    rf"""(?xV1)
    (?<![\p{{L}}\p{{N}}])[:;=]'?-?[dpo](?![\p{{L}}\p{{N}}]) | [:;=]'?-?[()\[\]](?![\p{{L}}\p{{N}}])  # an emoticon
    | (?<![\p{{L}}\p{{M}}])[\p{{L}}\p{{N}}]*\p{{L}}(?:\+\+|\#)(?!\s*[\p{{N}}(]|\p{{L}})  # C++, C#
    | {TOKEN}
    | [\p{{S}}--`]
    | [\#%&*/\\@§†‡‰٪] | _+
    | (?<=(?:{_BEFORE}|[)\]}}])\s*)-(?=\s*(?:{_AFTER}|[(\[{{]))  # 8 - 2, x - y
    | (?<![^\s(\[{{=<>+*/,:])-(?={_AFTER}|[(])  # -5
    | (?<={_LETTER})-(?![\p{{L}}\p{{N}}]) | -(?=[>=])  # A-, i--, ->
    | (?<=\p{{N}})\.(?=\p{{N}}) | (?<![\p{{L}}\p{{M}}\p{{N}}.])\.(?=[\p{{L}}\p{{N}}])  # 3.5, .5
    | (?<=\p{{N}}\s*):(?=\s*\p{{N}})
    | (?<={_BEFORE})!(?=\s*[-+*/=?.,)^<>]) | !(?==)  # 5! + 3, !=
    | (?<={_LETTER})['′](?=\()  # f'(x)
    | [(\[{{](?=\s*(?:{_AFTER}|[-+()\[\]{{}}]))
    | (?<=(?:{_BEFORE}|[()\[\]{{}}])\s*)[)\]}}]
    """
)


def comparison_tokens(text: str) -> list[str]:
    """Return the words and symbols of `text`: without case, spaces and the punctuation of sentences.

    Words are those of `tokens`, but C++ and C# are one each.

    >>> comparison_tokens("Calculate 8-2!") == comparison_tokens("calculate 8 − 2.")
    True
    >>> comparison_tokens("What is C++?")
    ['what', 'is', 'c++']
    >>> comparison_tokens("If a < b, say well-known (or not).")
    ['if', 'a', '<', 'b', 'say', 'well', 'known', 'or', 'not']
    """
    text = _FRACTION.sub(" ", _SUPERSCRIPT.sub(r"^\1", _VARIATION_SELECTOR.sub("", text)))
    text = _DASH.sub("-", normalize(text)).replace("⁄", "/")
    return _TOKEN.findall(_EMPHASIS.sub(r"\2", text))
