import pytest

from maple.tasks import TaskError, render, task_words, words_named

CHOICE = {
    "item": "idx",
    "prompt": "{{ premise }} {{ words.cause if question == 'cause' else words.effect }}",
    "targets": "label + 1",
    "choices": {"1": ["1", "{{ choice1 }}"], "2": ["2", "{{ choice2 }}"]},
    "max_new_tokens": 4,
}
ROW = {"idx": 7, "premise": "It rained.", "question": "effect", "choice1": "Wet.", "choice2": "Dry.", "label": 0}
WORDS = {"cause": "Why?", "effect": "What then?"}


def test_the_words_of_a_template_are_those_it_names():
    assert words_named("{{ words.cause }} {{ other.effect }}", "{{ words.true }}") == {"cause", "true"}


def test_a_task_takes_no_other_words_of_the_language():
    language = {"code": "eng_Latn", "cause": "Why?", "effect": "What then?", "summary": "Summary"}
    assert task_words(CHOICE, language) == WORDS


def test_a_row_becomes_a_prompt_with_its_gold_label():
    (prompt,) = render(CHOICE, "xcopa", [ROW], "eng_Latn", WORDS).to_dicts()
    assert "It rained. What then?" in prompt["prompt"]
    assert prompt["item"] == "7"
    assert prompt["targets"] == ["1"]
    assert prompt["labels"] == ["1", "2"]
    assert prompt["verbalizers"] == [["1", "Wet."], ["2", "Dry."]]


def test_all_gold_answers_of_an_open_task_are_kept():
    task = {"item": "id", "prompt": "{{ context }}", "targets": "answers.text", "max_new_tokens": 4}
    row = {"id": "a", "context": "c", "answers": {"text": ["one", "1"], "answer_start": [0, 0]}}
    assert render(task, "xquad", [row], "eng_Latn", {})["targets"].to_list() == [["one", "1"]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"label": 2}, r"row 1 .*gold is \['3'\]; it must be one of 1, 2"),
        ({"premise": None, "label": None}, "row 1"),
    ],
)
def test_a_row_without_a_usable_gold_is_named(change, says):
    with pytest.raises(TaskError, match=says):
        render(CHOICE, "xcopa", [ROW | change], "eng_Latn", WORDS)


def test_two_items_of_one_name_are_refused():
    with pytest.raises(TaskError, match="item '7' stands there twice"):
        render(CHOICE, "xcopa", [ROW, ROW], "eng_Latn", WORDS)


def test_a_field_that_a_row_lacks_is_named():
    with pytest.raises(TaskError, match="'premise' is undefined"):
        render(CHOICE, "xcopa", [{key: ROW[key] for key in ROW if key != "premise"}], "eng_Latn", WORDS)


def test_braces_in_a_row_are_text():
    row = ROW | {"premise": "{{ words.cause }} {x}"}
    assert "{{ words.cause }} {x}" in render(CHOICE, "xcopa", [row], "eng_Latn", WORDS)["prompt"][0]
