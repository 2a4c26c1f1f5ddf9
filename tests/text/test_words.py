import pytest

from maple.text.words import sentences, words


@pytest.mark.parametrize(
    ("text", "code", "found"),
    [
        ("Jua limetoka.", "swh_Latn", ["jua", "limetoka"]),
        ("วันนี้วันจันทร์", "tha_Thai", ["วันนี้", "วัน", "จันทร์"]),
        ("今天是星期一。", "zho_Hans", ["今天", "是", "星期一"]),
        ("今日は月曜日です。", "jpn_Jpan", ["今日", "は", "月曜日", "です"]),
        ("오늘은 월요일", "kor_Hang", ["오늘", "은", "월요일"]),
        ("ວັນ", "lao_Laoo", ["ວັ", "ນ"]),
        ("NFL 的", "zho_Hans", ["nfl", "的"]),
        ("。！", "jpn_Jpan", []),
    ],
)
def test_words_are_those_of_the_language(text, code, found):
    assert list(words(text, code)) == found


@pytest.mark.parametrize("code", ["tha_Thai", "zho_Hans", "jpn_Jpan", "kor_Hang", "khm_Khmr"])
def test_a_mark_more_moves_no_boundary(code):
    text = {
        "tha": "วันนี้วันจันทร์",
        "zho": "今天是星期一",
        "jpn": "今日は月曜日です",
        "kor": "오늘은 월요일",
        "khm": "ថ្ងៃនេះ",
    }[code[:3]]
    assert words(f"“{text}”!", code) == words(text, code)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three?", 3),
        ("一。二！三？", 3),
        ("एक। दो।", 2),
        ("اول۔ دوم؟", 2),
        ("3.5 km", 1),
        ("“One.” Two", 2),
        ("", 0),
    ],
)
def test_sentences_end_where_any_script_ends_them(text, count):
    assert len(sentences(text)) == count
