import pytest

from maple.text.words import sentences, words


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("Jua limetoka.", "swh_Latn", ["jua", "limetoka"]),
        ("วันนี้วันจันทร์", "tha_Thai", ["วันนี้", "วัน", "จันทร์"]),
        ("今天是星期一。", "zho_Hans", ["今天", "是", "星期一"]),
        ("今日は月曜日です。", "jpn_Jpan", ["今日", "は", "月曜日", "です"]),
        ("오늘은 월요일", "kor_Hang", ["오늘", "은", "월요일"]),
        ("ວັນ", "lao_Laoo", ["ວັ", "ນ"]),
        ("NFL 的", "zho_Hans", ["nfl", "的"]),
        ("。！", "jpn_Jpan", []),
        ("می\u200cخواهم", "pes_Arab", ["می\u200cخواهم"]),
        ("Donau\u00addampfer", "deu_Latn", ["donaudampfer"]),
        ("วัน\u200bจันทร์", "tha_Thai", ["วัน", "จันทร์"]),
        ("ሰላም፡ለዓለም", "amh_Ethi", ["ሰላም", "ለዓለም"]),
    ],
)
def test_text_is_split_into_the_words_of_its_language(text, code, expected):
    assert list(words(text, code)) == expected


@pytest.mark.parametrize("code", ["tha_Thai", "zho_Hans", "jpn_Jpan", "kor_Hang", "khm_Khmr"])
def test_added_punctuation_moves_no_word_boundary(code):
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
