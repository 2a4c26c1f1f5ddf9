"""What held-out measurements decide, on curves of a few numbers."""

import pytest
from toy_training import TRAINING

from maple.definitions.errors import DefinitionError
from maple.definitions.reading import parse
from maple.definitions.training import EarlyStopping, TrainingSettings
from maple.training.early_stopping import best_measurement, last_step, mean_bits

BITS = "bits_per_byte"


def curve(*bits):
    """Return a trainer's log: before training 9 bits per byte, then these after every tenth step, and the losses."""
    measured = [{"step": 10 * number, "bits_per_byte": {"eng_Latn": each}} for number, each in enumerate((9, *bits))]
    return [entry for each in measured for entry in (each, {"step": each["step"] + 1, "loss": 1.0})]


def test_each_language_counts_as_much_as_another():
    assert mean_bits({"step": 1, "bits_per_byte": {"eng_Latn": 1.0, "swh_Latn": 2.0}}, BITS) == 1.5


@pytest.mark.parametrize(
    ("bits", "patience", "min_delta", "step"),
    [
        ((5, 4, 3), 1, 0, None),
        ((5, 4, 4), 1, 0, 30),  # as low as the best is no improvement
        ((5, 6, 7), 2, 0, 30),
        ((5, 6, 4, 6, 5), 2, 0, 50),  # an improvement starts the count anew
        ((5, 4.9, 4.8), 2, 0.5, 30),  # too small to count, each held against 5
        ((5, 4.9, 4.4), 2, 0.5, None),
        ((10,), 1, 0, None),  # above the untouched base: that was measured before training
    ],
)
def test_training_ends_after_so_many_measurements_without_an_improvement(bits, patience, min_delta, step):
    assert last_step(curve(*bits), EarlyStopping(patience=patience, min_delta=min_delta), BITS) == step


def test_without_the_rule_training_goes_on():
    assert last_step(curve(1, 2, 3, 4), None, BITS) is None


def test_the_best_step_is_the_first_of_the_lowest_and_never_the_untouched_base():
    assert best_measurement(curve(5, 4, 4, 6), BITS)["step"] == 20
    assert best_measurement(curve(12, 10), BITS)["step"] == 20
    assert best_measurement([{"step": 1, "loss": 2.0}], BITS) is None


def test_keys_that_a_config_does_not_have_are_not_compared():
    assert parse(TrainingSettings, TRAINING, "config: finetune").params() == TRAINING


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"keep": "best", "held_out_rows": 0}, "keep: best needs held-out text; write 1 or more for held_out_rows"),
        (
            {"early_stopping": {"patience": 1}, "held_out_rows": 0},
            "early_stopping needs held-out text; write 1 or more for held_out_rows",
        ),
        ({"early_stopping": {"patience": 0}}, "early_stopping.patience"),
        ({"dtype": "float16"}, "dtype: 'float16' is not one of"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_what_to_write(keys, message):
    with pytest.raises(DefinitionError, match=message):
        parse(TrainingSettings, TRAINING | keys, "config: finetune")
