import pytest
from project import ROOT

from maple.definitions.loading import read_yaml
from maple.definitions.tables import read_languages
from maple.evaluation.prompts import TaskError, quality, render, task_words, words_named

CHOICE = {
    "item": "idx",
    "prompt": "{{ premise }} {{ words.cause if question == 'cause' else words.effect }}",
    "targets": "label + 1",
    "choices": {"1": ["1", "{{ choice1 }}"], "2": ["2", "{{ choice2 }}"]},
    "fields": ["premise", "label"],
    "max_new_tokens": 4,
}
ROW = {"idx": 7, "premise": "It rained.", "question": "effect", "choice1": "Wet.", "choice2": "Dry.", "label": 0}
WORDS = {"words": {"cause": "Why?", "effect": "What then?"}, "own": {}, "english": {}}
OPEN = {"item": "id", "prompt": "{{ context }}", "targets": "answers.text", "fields": ["context"], "max_new_tokens": 4}


def test_the_words_of_a_template_are_those_it_names():
    assert words_named("{{ words.cause }} {{ other.effect }}", "{{ words.true }}") == {"cause", "true"}


def test_a_task_takes_no_other_words_of_the_language():
    language = {"code": "eng_Latn", "cause": "Why?", "effect": "What then?", "summary": "Summary"}
    assert task_words(CHOICE, language, language, "own") == WORDS


def test_an_english_prompt_takes_english_words_and_knows_the_language_s_own():
    task = CHOICE | {"choices": {"1": ["{{ words.true }}", "{{ own.true }}", "{{ english.true }}"]}}
    own, english = (
        {"cause": cause, "effect": "", "true": true} for cause, true in (("Kwa nini?", "Kweli"), ("Why?", "True"))
    )
    assert task_words(task, own, english, "english") == {
        "words": {"cause": "Why?", "effect": "", "true": "True"},
        "own": {"true": "Kweli"},
        "english": {"true": "True"},
    }
    assert task_words(task, own, english, "own")["words"]["true"] == "Kweli"


def test_a_row_becomes_a_prompt_with_its_gold_label():
    (prompt,) = render(CHOICE, "xcopa", [ROW], "eng_Latn", WORDS).to_dicts()
    assert "It rained. What then?" in prompt["prompt"]
    assert prompt["item"] == "7"
    assert prompt["targets"] == ["1"]
    assert prompt["labels"] == ["1", "2"]
    assert prompt["verbalizers"] == [["1", "Wet."], ["2", "Dry."]]


def test_all_gold_answers_of_an_open_task_are_kept():
    row = {"id": "a", "context": "c", "answers": {"text": ["one", "1"], "answer_start": [0, 0]}}
    assert render(OPEN, "xquad", [row], "eng_Latn", {})["targets"].to_list() == [["one", "1"]]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"label": 2}, "gold '3' is none of 1, 2"),
        ({"label": None}, "no label"),
        ({"premise": None, "label": None}, "no premise, label"),
        ({"label": "one"}, "can only concatenate"),
        ({"idx": 8}, "its item stands there twice"),
        ({"premise": "a\ud83d"}, "half of a character"),
    ],
)
def test_a_row_that_cannot_be_asked_keeps_its_place_and_says_why(change, fault):
    made = render(CHOICE, "xcopa", [ROW, ROW | {"idx": 8}, ROW | {"idx": 9} | change], "eng_Latn", WORDS)
    assert made.height == 3
    assert made["fault"].to_list()[:2] == [None, None]
    assert fault in made["fault"][2]
    assert made["targets"][2].to_list() == [] and made["prompt"][2] == ""


def test_a_row_that_a_template_cannot_reckon_with_is_a_fault():
    rows = [{"id": name, "context": "c", "n": n} for name, n in (("a", 2), ("b", 0))]
    made = render(OPEN | {"targets": "[1 / n]"}, "xquad", rows, "eng_Latn", {})
    assert made["fault"].to_list() == [None, "division by zero"]


def test_a_gold_answer_of_nothing_is_none():
    rows = [
        {"id": name, "context": "c", "answers": {"text": gold}}
        for name, gold in (("a", ["x"]), ("b", []), ("c", [" "]))
    ]
    assert render(OPEN, "xquad", rows, "eng_Latn", {})["fault"].to_list() == [None, "no gold answer", "no gold answer"]


def test_a_choice_without_text_cannot_be_ranked():
    task = CHOICE | {"choices": {"1": ["{{ choice1 }}"], "2": ["{{ choice2 }}"]}}
    rows = [ROW, ROW | {"idx": 8, "choice1": " "}]
    assert render(task, "xcopa", rows, "eng_Latn", WORDS)["fault"].to_list() == [None, "a choice without text"]


def test_only_text_and_numbers_are_gold():
    rows = [{"id": "a", "context": "c", "answers": {"text": gold}} for gold in ([None], {"x": 1}, [["x"]])]
    rows = [row | {"id": str(number)} for number, row in enumerate(rows)] + dev(1)
    faults = render(OPEN, "xquad", rows, "eng_Latn", {})["fault"].to_list()
    assert faults == ["no gold answer", "gold is dict, neither text, number nor a list of them", faults[2], None]
    assert "neither text, number" in faults[2]


@pytest.mark.parametrize(
    ("name", "field", "bad"),
    [
        ("belebele", "correct_answer_num", ["", "x", 0, -1, "5"]),
        ("xnli", "label", [-1, 3, "maybe"]),
        ("xcopa", "label", [-1, 2, "x"]),
        ("xcopa", "question", ["Cause", "", "why"]),
    ],
)
def test_a_label_that_is_none_is_never_taken_for_another(name, field, bad):
    task = read_yaml(ROOT / f"config/tasks/{name}.yaml")
    good = dict.fromkeys(("premise", "hypothesis", "flores_passage"), "x") | {"question": "cause"}
    good |= {f"{kind}{number}": f"text {number}" for kind in ("choice", "mc_answer") for number in (1, 2, 3, 4)}
    good |= {"label": 0, "correct_answer_num": "1"}
    words = dict.fromkeys(read_languages(ROOT / "config/languages.tsv")["eng_Latn"], "w")
    rows = [{**good, "idx": 0, "id": 0}] + [
        {**good, field: value, "idx": number, "id": number} for number, value in enumerate(bad, start=1)
    ]
    made = render(task, name, rows, "eng_Latn", {"words": words, "own": words, "english": words})
    assert made["fault"].is_null().to_list() == [True] + [False] * len(bad)


def test_rows_of_which_none_can_be_asked_are_refused():
    with pytest.raises(TaskError, match=r"xcopa, eng_Latn: none of 2 rows can be asked; the first: no premise; mend"):
        render(CHOICE, "xcopa", [{"idx": 1, "label": 0}] * 2, "eng_Latn", WORDS)


def dev(count):
    return [{"id": name, "context": f"say {name}", "answers": {"text": [name]}} for name in "abcdefgh"[:count]]


def test_demonstrations_are_framed_with_their_answers():
    (prompt,) = render(OPEN, "xquad", dev(1), "eng_Latn", {}, dev=[dev(2)[1]], shots=1).to_dicts()
    assert prompt["demonstrations"] == ["### Input:\nsay b\n\n### Output:\nb\n\n"]


def test_a_seed_draws_the_same_items_in_every_language_whatever_their_order():
    item = {"id": "z", "context": "say z", "answers": {"text": ["z"]}}
    drawn = [
        render(OPEN, "xquad", [item], code, {}, dev=rows, shots=3, seed=seed)["demonstrations"][0].to_list()
        for code, rows, seed in (("eng_Latn", dev(8), 1), ("swh_Latn", dev(8)[::-1], 1), ("eng_Latn", dev(8), 2))
    ]
    assert len(drawn[0]) == 3
    assert drawn[0] == drawn[1] != drawn[2]


def test_an_item_is_never_shown_its_own_answer():
    shown = render(OPEN, "xquad", dev(2), "eng_Latn", {}, dev=dev(3), shots=3)["demonstrations"][0].to_list()
    assert shown == ["### Input:\nsay c\n\n### Output:\nc\n\n"]


def test_a_language_without_dev_rows_has_no_demonstrations():
    assert render(OPEN, "xquad", dev(2), "eng_Latn", {}, shots=8)["demonstrations"].to_list() == [[], []]


def test_what_was_wrong_with_rows_is_counted(tmp_path):
    rows = [ROW | {"repaired": True}, ROW | {"idx": 8, "label": None}]
    render(CHOICE, "xcopa", rows, "tha_Thai", WORDS).write_parquet(tmp_path / "tha_Thai.parquet")
    assert quality([tmp_path / "tha_Thai.parquet"]).rows() == [("xcopa", "tha_Thai", 2, 1, 1, ["no label"])]


def test_braces_in_a_row_are_text():
    row = ROW | {"premise": "{{ words.cause }} {x}"}
    assert "{{ words.cause }} {x}" in render(CHOICE, "xcopa", [row], "eng_Latn", WORDS)["prompt"][0]
