import pytest

from maple.text.segmentation import parted, tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Jua limetoka.", ["jua", "limetoka"]),
        ("आज सोमवार है।", ["आज", "सोमवार", "है"]),
        ("今天是星期一。", ["今", "天", "是", "星", "期", "一"]),
        ("วันนี้", ["วั", "น", "นี้"]),
        ("ABC公司", ["abc", "公", "司"]),
        ("ＡＢＣ", ["abc"]),
        ("ሰኞ፣ ማክሰኞ", ["ሰኞ", "ማክሰኞ"]),
        ("¿?", []),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("ශ්\u200dරී ලංකා", ["ශ්\u200dරී", "ලංකා"]),
        ("\u200dක\u200d", ["ක"]),
        ("Donau\u00addampf\u200eer", ["donaudampfer"]),
        ("ស្អែក\u200bនេះ", ["ស្អែ", "ក", "នេះ"]),
        ("ab\u200bcd", ["ab", "cd"]),
        ("ሰላም፡ለዓለም።", ["ሰላም", "ለዓለም"]),
        ("བོད་སྐད་།", ["བོད", "སྐད"]),
        ("एक।दो॥", ["एक", "दो"]),
        ('צה"ל אמר "כן"', ['צה"ל', "אמר", "כן"]),
        ("col·lecció a·b", ["col·lecció", "a", "b"]),
        ("l'homme", ["l", "homme"]),
        ("ᦅᦱ", ["ᦅ", "ᦱ"]),
    ],
)
def test_text_is_split_as_its_script_separates_words(text, words):
    assert tokens(text) == words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ሰላም፡ለዓለም።ሰላም", "ሰላም ለዓለም ሰላም"),
        ("བོད་སྐད", "བོད སྐད"),
        ("एक।दो", "एक दो"),
        ("أ،ب", "أ ب"),
        ("١،٥ 1，5", "١،٥ 1，5"),
        ("می\u200cخواهم\u200c \u200d", "می\u200cخواهم "),
        ("e.g. don't, (a-b)", "e.g. don't, (a-b)"),
    ],
)
def test_marks_that_part_words_become_spaces_and_those_within_numbers_stay(text, expected):
    assert parted(text) == expected
