from maple.data.cut_thinking import UNFINISHED, cut_thinking
from maple.data.examples import raw_rows


def test_loaded_outputs_lose_their_thinking_and_unfinished_ones_are_faults(capsys):
    outputs = [
        "<think>East.</think>\nNairobi",
        "<think>East",
        "The tag <think> opens a thought.",
        "<think></think>Nairobi",
    ]
    rows, cut = cut_thinking(raw_rows([{"id": str(place), "output": text} for place, text in enumerate(outputs)]))
    assert rows.select("output", "fault").rows() == [
        ("Nairobi", ""),
        ("<think>East", UNFINISHED),
        ("The tag <think> opens a thought.", ""),
        ("Nairobi", ""),
    ]
    assert cut == 2
    assert "thinking was cut from 2 outputs" in capsys.readouterr().out


def test_thinking_that_is_to_be_learnt_is_kept():
    rows = raw_rows([{"id": "a", "output": "<think>East.</think>Nairobi"}, {"id": "b", "output": "<think>East"}])
    kept, cut = cut_thinking(rows, keep=True)
    assert kept.equals(rows) and cut == 0


def test_a_fault_of_another_kind_stays():
    rows, _ = cut_thinking(raw_rows([{"id": "a", "output": "<think>East", "fault": "cut off"}]))
    assert rows["fault"].to_list() == ["cut off"]
