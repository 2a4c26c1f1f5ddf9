"""A toy teacher that thinks: its thoughts are cut before an answer is parsed, and unfinished ones are faults."""

import pytest

from maple.data.cut_thinking import UNFINISHED
from maple.data.examples import raw_rows
from maple.definitions.dataset import TranslateRespondSettings
from maple.definitions.language import LanguageIdentity
from maple.runtime.journal import Journal
from maple.synthesis.card import card
from maple.synthesis.self_instruct import numbered
from maple.synthesis.teachers import IncompleteAnswer, ModelTeacher, Request
from maple.synthesis.translate_respond import translate_respond

SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
COUNTS = {"prompt_tokens": 1, "completion_tokens": 9, "usd": 0.0}


class Answerer:
    """Answers each question with the row of its place."""

    name = "toy"

    def __init__(self, *rows):
        self._rows = [{"key": str(place), "finish_reason": "stop", **COUNTS, **row} for place, row in enumerate(rows)]
        self.rows = {row["key"]: row for row in self._rows}

    def answer(self, questions):
        return self._rows[: len(questions)]


def completed(*rows):
    requests = [Request(str(place), "respond", SWAHILI, "p", 1, {}) for place in range(len(rows))]
    return ModelTeacher(Answerer(*rows)).complete(requests)


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({"text": "Nairobi"}, "Nairobi"),
        ({"text": "<think>East.</think>Nairobi"}, "Nairobi"),
        ({"text": "East.</think>Nairobi", "opened_by": "<think>"}, "Nairobi"),
        ({"text": "Nairobi", "reasoning": "East."}, "Nairobi"),
        ({"text": "<think>East.</think>Nai", "finish_reason": "length"}, IncompleteAnswer("cut off", "Nai")),
        ({"text": "<think>East", "finish_reason": "length"}, IncompleteAnswer(UNFINISHED)),
        ({"text": "East", "opened_by": "<think>"}, IncompleteAnswer(UNFINISHED)),
        ({"text": "", "reasoning": "East", "finish_reason": "length"}, IncompleteAnswer(UNFINISHED)),
        ({"text": "", "thinking_tokens": 9, "finish_reason": "length"}, IncompleteAnswer(UNFINISHED)),
        ({"failure": "HTTP 500"}, IncompleteAnswer("no answer")),
    ],
)
def test_an_answer_is_what_follows_the_thinking(row, answer):
    assert completed(row) == [answer]


def test_the_log_counts_unfinished_thinking_and_names_the_key(capsys):
    completed({"text": "<think>a"}, {"text": "b"})
    assert "1 of 2 answers are unfinished thinking; raise `thinking_tokens`" in capsys.readouterr().out


def test_the_output_of_an_example_is_without_thinking_and_an_unfinished_one_is_a_fault():
    english = raw_rows([{"id": "a", "instruction": "x"}, {"id": "b", "instruction": "y"}], language="eng_Latn")
    teacher = ModelTeacher(Answerer({"text": "<think>East.</think>Ndiyo"}, {"text": "<think>East"}))

    class Translator:
        def translate(self, texts, language):
            return texts

    rows = translate_respond(
        TranslateRespondSettings(instructions="e"), SWAHILI, english, teacher, 1, iter, Translator()
    )
    assert rows.select("output", "fault").rows() == [("Ndiyo", ""), ("", UNFINISHED)]


def test_the_card_counts_thinking_and_its_faults(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    with_thinking = {"text": "a", "finish_reason": "stop", "thinking_tokens": 7, **COUNTS}
    journal.append([{"key": "1", **with_thinking}, {"key": "2", **with_thinking, "thinking_tokens": None}])
    values = card(raw_rows([{"id": "a", "fault": UNFINISHED}]), journal).values()
    assert (values["thinking"], values["thinking_tokens"], values["completion_tokens"]) == (1, 7, 18)
    assert values["faults"] == {UNFINISHED: 1}


def test_the_tasks_of_a_list_are_read_behind_the_thinking():
    from maple.synthesis.self_instruct import parse

    listed = numbered(1, {"instruction": "Thought of a task", "input": "", "output": "x"})
    text = f"<think>\n{listed}</think>\n" + numbered(4, {"instruction": "Jua", "input": "", "output": "Ndiyo"})
    (answer,) = completed({"text": text})
    assert [task["instruction"] for task in parse(answer, first=4)] == ["Jua"]
