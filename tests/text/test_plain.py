import pytest

from maple.text.plain import cell, plain


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("العربية", "العربية"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # the joiner is a part of the word
        ("नेपाली", "नेपाली"),
        ("a\u00a0b", "a\u00a0b"),
        ("  a \r\n\t b\u2028c  ", "a b c"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1b]never closed", "never closed"),
        ("\x9b2Jx", "x"),
        ("a\x00\x07\x08\x7fb", "ab"),
        ("\u202egnp.exe\u2066", "gnp.exe"),
        ("\ufffe\uffff\ufeff\ud800x", "x"),
        ("", ""),
    ],
)
def test_a_text_of_others_is_one_line_that_commands_and_hides_nothing(text, line):
    assert plain(text) == line
    assert plain(line) == line


def test_a_long_text_is_cut():
    assert plain("abcdef", 4) == "abc…" and plain("abcd", 4) == "abcd"


@pytest.mark.parametrize("start", "=+-@＝＋－＠")
def test_a_cell_is_no_formula(start):
    assert cell(f"{start}1") == cell(f" \x00{start}1") == f"'{start}1"
    assert cell(f"1{start}") == f"1{start}"
