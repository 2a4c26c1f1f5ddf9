"""The metric of answers that are numbers."""

from maple.text.numbers import numbers


def number(prediction: str, targets: list[str], language: str) -> float:
    """Return 1.0 if the numbers of an answer have the values of those of a gold answer, in its order, else 0.0.

    Native digits, the marks of the language, signs and fractions are read (maple.text.numbers); units, per cent and
    currencies beside a number do not matter. An answer with another number besides is wrong, and so is one without any.

    >>> number("₹७०,०००", ["70000"], "hin_Deva"), number("1,8", ["18"], "deu_Latn"), number("-18", ["18"], "eng_Latn")
    (1.0, 0.0, 0.0)
    """
    values = _values(prediction, language)
    return float(bool(values) and any(_values(target, language) == values for target in targets))


def _values(text: str, language: str) -> list:
    return [found.value for found in numbers(text, language)]
