import pytest

from maple.text.matching import asks, begins_with, given_in


@pytest.mark.parametrize(
    ("text", "phrase", "begins"),
    [
        ("“As an AI, I”", "As an AI", True),
        ("As an aim", "As an AI", False),
        ("As an AI researcher", "As an AI,", False),
        ("Ａｓ ａｎ ＡＩ: no", "As an AI,", True),
        ("저는 AI입니다", "저는 AI", False),
        ("저는 AI입니다", "저는 AI*", True),
        ("私はAIです", "私はAI", True),
        ("ฉันเป็นโมเดลภาษา", "ฉันเป็นโมเดล", True),
        ("作为人工智能专家", "作为人工智能，", False),
        ("एआई के रूप में", "एआई क", False),  # a vowel sign goes on with the word
    ],
)
def test_a_phrase_ends_with_a_word(text, phrase, begins):
    assert begins_with(text, (phrase,)) == begins


@pytest.mark.parametrize(
    "text",
    ["What is it? Say it.", "これは何ですか。", "这是什么吗", "ใช่หรือไม่", "هل هذا صحيح؟", "Τι είναι;", "무엇입니까."],
)
def test_a_question_is_known_by_its_mark_or_its_particle(text):
    assert asks(text)


@pytest.mark.parametrize("text", ["Say it; then go.", "言ってください。", "静かにして", "บอกชื่อ"])
def test_an_order_asks_nothing(text):
    assert not asks(text)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("The cat sat.", "Translate this: the cat sat"),
        ("muggy", "Replace “muggy” by another word."),
        ("Kenya", "Name the capital of Kenya."),
        ("猫が好きです。", "次の文を訳してください：猫が好きです"),
        ("猫", "「猫」を訳してください。"),
        ("8 + 2", "Calculate: 8+2"),
        ("7", 'Is "7" a prime?'),
        ("A, B", "Sort this.\n[A, B]\nGive a list."),
    ],
)
def test_what_is_quoted_or_ends_a_line_is_given(part, text):
    assert given_in(part, text)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("cat", "Write about the cathedral"),
        ("art", "Describe the part"),
        ("art", "Is art a part of life?"),
        ("2", "Convert it to base 2."),
        ("a", "Is it a vowel, like a?"),
        ("sport", "Is it sport or politics?"),
        ("本", "次の国を答えてください：日本"),
        ("猫", "猫について書いてください"),
        ("8 - 2", "Calculate: 8 + 2"),
        ("C", "What is C++"),
        ("", "Say it."),
    ],
)
def test_the_same_letters_or_words_elsewhere_are_not_given(part, text):
    assert not given_in(part, text)
