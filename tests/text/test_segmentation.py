import pytest

from maple.text.segmentation import tokens


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
    ],
)
def test_words_are_cut_as_the_script_writes_them(text, words):
    assert tokens(text) == words
