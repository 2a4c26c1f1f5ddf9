import pytest
from project import ROOT

from maple.definitions.language import Language, read_languages
from maple.definitions.reading import read_yaml
from maple.definitions.task import PromptSpec, Task, TaskSettings
from maple.evaluation.prompts import TaskError, quality, render, task_words, word_names
from maple.runtime.files import write_parquet

CHOICE = PromptSpec(
    item="idx",
    prompt="{{ premise }} {{ words.cause if question == 'cause' else words.effect }}",
    targets="label + 1",
    choices={"1": ["1", "{{ choice1 }}"], "2": ["2", "{{ choice2 }}"]},
    fields=["premise", "label"],
    max_new_tokens=4,
)
ROW = {"idx": 7, "premise": "It rained.", "question": "effect", "choice1": "Wet.", "choice2": "Dry.", "label": 0}
WORDS = {"words": {"cause": "Why?", "effect": "What then?"}, "own": {}, "english": {}}
OPEN = PromptSpec(item="id", prompt="{{ context }}", targets="answers.text", fields=["context"], max_new_tokens=4)


def prompts(spec, rows, language="eng_Latn", words=None, *, dev=(), shots=0, seed=0):
    settings = TaskSettings(shots=shots, answers=["generate"])
    words = words or {"words": {}, "own": {}, "english": {}}
    return render(spec, settings, task="toy", language=language, rows=rows, words=words, dev=dev, seed=seed)


def language(code, **words):
    return Language(code, "Toy", "xx", "Latn", "Toy", "0", words)


def test_the_words_of_a_template_are_found():
    assert word_names("{{ words.cause }} {{ other.effect }}", "{{ words.true }}") == {"cause", "true"}


def test_a_task_takes_no_other_words_of_the_language():
    english = language("eng_Latn", cause="Why?", effect="What then?", summary="Summary")
    assert task_words(CHOICE, english, english, "own") == WORDS


def test_a_prompt_that_instructs_in_english_can_use_words_of_both_languages():
    spec = CHOICE.changed(choices={"1": ["{{ words.true }}", "{{ own.true }}", "{{ english.true }}"]})
    own = language("swh_Latn", cause="Kwa nini?", effect="", true="Kweli")
    english = language("eng_Latn", cause="Why?", effect="", true="True")
    assert task_words(spec, own, english, "english") == {
        "words": {"cause": "Why?", "effect": "", "true": "True"},
        "own": {"true": "Kweli"},
        "english": {"true": "True"},
    }
    assert task_words(spec, own, english, "own")["words"]["true"] == "Kweli"


def test_a_row_becomes_a_prompt_with_its_gold_label():
    (prompt,) = prompts(CHOICE, [ROW], words=WORDS).to_dicts()
    assert "It rained. What then?" in prompt["prompt"]
    assert prompt["item"] == "7"
    assert prompt["targets"] == ["1"]
    assert prompt["labels"] == ["1", "2"]
    assert prompt["verbalizers"] == [["1", "Wet."], ["2", "Dry."]]


def test_all_gold_answers_of_an_open_task_are_kept():
    row = {"id": "a", "context": "c", "answers": {"text": ["one", "1"], "answer_start": [0, 0]}}
    assert prompts(OPEN, [row])["targets"].to_list() == [["one", "1"]]


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
def test_a_faulty_row_keeps_its_position_and_its_reason(change, fault):
    frame = prompts(CHOICE, [ROW, ROW | {"idx": 8}, ROW | {"idx": 9} | change], words=WORDS)
    assert frame.height == 3
    assert frame["fault"].to_list()[:2] == [None, None]
    assert fault in frame["fault"][2]
    assert frame["targets"][2].to_list() == [] and frame["prompt"][2] == ""


def test_an_error_of_arithmetic_in_a_template_is_a_fault():
    rows = [{"id": name, "context": "c", "n": n} for name, n in (("a", 2), ("b", 0))]
    frame = prompts(OPEN.changed(targets="[1 / n]"), rows)
    assert frame["fault"].to_list() == [None, "division by zero"]


def test_an_empty_gold_answer_is_a_fault():
    rows = [
        {"id": name, "context": "c", "answers": {"text": gold}}
        for name, gold in (("a", ["x"]), ("b", []), ("c", [" "]))
    ]
    assert prompts(OPEN, rows)["fault"].to_list() == [None, "no gold answer", "no gold answer"]


def test_a_choice_without_text_cannot_be_ranked():
    task = CHOICE.changed(choices={"1": ["{{ choice1 }}"], "2": ["{{ choice2 }}"]})
    rows = [ROW, ROW | {"idx": 8, "choice1": " "}]
    assert prompts(task, rows, words=WORDS)["fault"].to_list() == [None, "a choice without text"]


def test_only_text_and_numbers_are_gold_answers():
    rows = [{"id": "a", "context": "c", "answers": {"text": gold}} for gold in ([None], {"x": 1}, [["x"]])]
    rows = [row | {"id": str(number)} for number, row in enumerate(rows)] + dev(1)
    faults = prompts(OPEN, rows)["fault"].to_list()
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
def test_an_invalid_label_is_never_read_as_another(name, field, bad):
    task = Task(**read_yaml(ROOT / f"config/tasks/{name}.yaml"))
    good = dict.fromkeys(("premise", "hypothesis", "flores_passage"), "x") | {"question": "cause"}
    good |= {f"{kind}{number}": f"text {number}" for kind in ("choice", "mc_answer") for number in (1, 2, 3, 4)}
    good |= {"label": 0, "correct_answer_num": "1"}
    words = dict.fromkeys(read_languages(ROOT / "config/languages.tsv")["eng_Latn"].words, "w")
    rows = [{**good, "idx": 0, "id": 0}] + [
        {**good, field: value, "idx": number, "id": number} for number, value in enumerate(bad, start=1)
    ]
    frame = prompts(task.prompt_spec(), rows, words={"words": words, "own": words, "english": words})
    assert frame["fault"].is_null().to_list() == [True] + [False] * len(bad)


def test_a_task_with_faulty_rows_alone_is_refused():
    with pytest.raises(TaskError, match=r"toy, eng_Latn: none of 2 rows can be asked; the first: no premise; mend"):
        prompts(CHOICE, [{"idx": 1, "label": 0}] * 2, words=WORDS)


def dev(count):
    return [{"id": name, "context": f"say {name}", "answers": {"text": [name]}} for name in "abcdefgh"[:count]]


def test_a_demonstration_ends_with_its_answer():
    (prompt,) = prompts(OPEN, dev(1), dev=[dev(2)[1]], shots=1).to_dicts()
    assert prompt["demonstrations"] == ["### Input:\nsay b\n\n### Output:\nb\n\n"]


def test_a_seed_samples_the_same_items_in_every_language_and_order():
    item = {"id": "z", "context": "say z", "answers": {"text": ["z"]}}
    samples = [
        prompts(OPEN, [item], code, dev=rows, shots=3, seed=seed)["demonstrations"][0].to_list()
        for code, rows, seed in (("eng_Latn", dev(8), 1), ("swh_Latn", dev(8)[::-1], 1), ("eng_Latn", dev(8), 2))
    ]
    assert len(samples[0]) == 3
    assert samples[0] == samples[1] != samples[2]


def test_a_prompt_has_no_demonstration_of_its_own_item():
    demonstrations = prompts(OPEN, dev(2), dev=dev(3), shots=3)["demonstrations"][0].to_list()
    assert demonstrations == ["### Input:\nsay c\n\n### Output:\nc\n\n"]


def test_a_language_without_dev_rows_has_no_demonstrations():
    assert prompts(OPEN, dev(2), shots=8)["demonstrations"].to_list() == [[], []]


def test_faulty_and_repaired_rows_are_counted(tmp_path):
    rows = [ROW | {"repaired": True}, ROW | {"idx": 8, "label": None}]
    write_parquet(prompts(CHOICE, rows, "tha_Thai", WORDS), tmp_path / "tha_Thai.parquet")
    assert quality([tmp_path / "tha_Thai.parquet"]).rows() == [("toy", "tha_Thai", 2, 1, 1, ["no label"])]


def test_braces_in_a_row_are_text():
    row = ROW | {"premise": "{{ words.cause }} {x}"}
    assert "{{ words.cause }} {x}" in prompts(CHOICE, [row], words=WORDS)["prompt"][0]
