from datetime import date
from decimal import Decimal

import pytest

from maple.data.cells import CellError, as_text, without_nan


@pytest.mark.parametrize(
    ("value", "text"),
    [("", ""), (" a ", " a "), (0, "0"), (-3, "-3"), (2.5, "2.5"), (True, "true"), (False, "false"),
     (Decimal("1E+3"), "1000")],
)  # fmt: skip
def test_texts_numbers_and_truth_values_have_a_plain_text(value, text):
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("value", "says"),
    [(None, "is null"), ([], "is a list"), (["x"], "is a list"), ({"a": 1}, "is a dict"), (float("inf"), "is inf"),
     (float("nan"), "is nan"), (b"x", "is a bytes"), (date(2024, 5, 1), "is a date")],
)  # fmt: skip
def test_what_has_no_one_text_is_refused_with_its_type(value, says):
    with pytest.raises(CellError, match=says):
        as_text(value)


def test_nan_is_none_at_any_depth():
    assert without_nan({"a": [float("nan"), 0.0], "b": float("nan")}) == {"a": [None, 0.0], "b": None}


def test_half_a_character_is_found_at_any_depth():
    with pytest.raises(CellError, match="half of a character"):
        without_nan({"answers": {"text": ["a\ud800"]}})
