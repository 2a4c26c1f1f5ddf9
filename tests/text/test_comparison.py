import pytest

from maple.text.comparison import comparison_tokens


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Calculate 8 + 2.", "Calculate 8 - 2."),
        ("3 × 4", "3 ÷ 4"),
        ("2 * (3 + 4)", "(2 * 3) + 4"),
        ("Is 3 < 5?", "Is 3 > 5?"),
        ("a == b", "a = b"),
        ("a != b", "a = b"),
        ("p && q", "p || q"),
        ("What is C?", "What is C++?"),
        ("What is C++?", "What is C#?"),
        ("What is .NET?", "What is net?"),
        ("i++", "i--"),
        ("I am home :)", "I am home :("),
        ("Nice 😀", "Nice 😢"),
        ("5 €", "5 $"),
        ("10 %", "10"),
        ("3.5 km", "35 km"),
        ("3.5 km", "3, 5 km"),
        ("It is -5 degrees.", "It is 5 degrees."),
        ("10²", "102"),
        ("5½", "51/2"),
        ("Blood of type A-", "Blood of type A+"),
        ("f(x)", "f'(x)"),
        ("5! + 3", "5 + 3"),
        ("[]", "{}"),
        ("A → B", "A ← B"),
        ("1/2", "1*2"),
        ("snake_case", "snake case"),
        ("२ + ३", "२ - ३"),
        ("计算8+2", "计算8-2"),
    ],
)
def test_texts_that_differ_by_a_symbol_say_different_things(first, second):
    assert comparison_tokens(first) != comparison_tokens(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Calculate 8+2!", "calculate 8 + 2."),
        ("８＋２", "8 + 2"),
        ("8 − 2", "8 – 2"),
        ("What is C++ ?", "what is c++"),
        ("¿Qué es?", "qué es"),
        ("A well-known tale - or not", "a well known tale, or not"),
        ("Name (all) “rivers”", "name all rivers"),
        ("**Name** it", "Name it."),
        ("x²", "x^2"),
        ("[1,2]", "[1, 2]"),
        ("❤️", "❤"),
        ("Room 5!", "Room 5."),
        ("今日は、晴れ。", "今日は晴れ"),
        ("「東京」について", "東京について"),
    ],
)
def test_case_spaces_and_the_marks_of_sentences_say_nothing(first, second):
    assert comparison_tokens(first) == comparison_tokens(second)
