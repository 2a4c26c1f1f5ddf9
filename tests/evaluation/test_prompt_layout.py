"""Tasks with a layout of their own, and choices that differ in what stands before one text."""

import pytest
from pydantic import ValidationError
from toy_generation import Echo, run

from maple.definitions.language import LanguageIdentity
from maple.definitions.run import RunKey
from maple.definitions.task import PromptSpec, Task, TaskSettings
from maple.evaluation.completions import asked
from maple.evaluation.prompts import TaskError, render
from maple.evaluation.scoring import score_items

A, B, C, X, SPACE, BOS = 4, 5, 6, 27, 30, 1
NO_WORDS = {"words": {}, "own": {}, "english": {}}
PLAIN = PromptSpec(
    item="number",
    prompt=" {{ text }} ",
    targets="label",
    choices={"a": ["a"], "b": ["b"]},
    layout={"frame": "none", "delimiter": " "},
    fields=["text"],
    max_new_tokens=4,
)
# Which of two letters stands before "x"? The first one in one row, the second one in the other.
BLANK = PromptSpec(
    item="number",
    prompt="{{ sentence }}",
    targets="answer",
    choices={"1": ["{{ sentence.split('_')[1] }}"], "2": ["{{ sentence.split('_')[1] }}"]},
    choice_prompts={"1": "{{ sentence.split('_')[0] }}{{ one }}", "2": "{{ sentence.split('_')[0] }}{{ two }}"},
    layout={"frame": "none"},
    fields=["sentence"],
    max_faulty=1,
    max_new_tokens=4,
)
ROWS = [{"sentence": "c_x", "one": "a", "two": "b", "answer": "1"}]


def prompts(spec, rows, *, words=NO_WORDS, dev=(), shots=0, mode="rank"):
    settings = TaskSettings(shots=shots)
    frame = render(spec, settings, task="toy", language="eng_Latn", rows=rows, words=words, dev=dev)
    return asked(frame, {"toy": [mode]})


class Seen(Echo):
    """Remembers what is ranked after which prompt; the smaller the last token of a prompt, the likelier."""

    def log_likelihoods(self, prompts, continuations, pictures=()):
        self.ranked = list(zip(prompts, continuations, strict=True))
        return [-float(prompt[-1]) for prompt in prompts]


def test_a_layout_asks_what_the_template_prints_to_the_space():
    (row,) = prompts(PLAIN, [{"text": "c", "label": "a"}]).to_dicts()
    assert row["prompt"] == " c "
    assert row["layout"] == {"description": "", "delimiter": " ", "separator": "\n\n"}
    assert "layout" not in prompts(PLAIN.changed(layout=None), [{"text": "c", "label": "a"}]).columns


def test_a_description_is_written_in_the_words_of_the_language():
    spec = PLAIN.changed(layout={"frame": "none", "description": "{{ own.text }}:\n"})
    frame = prompts(spec, [{"text": "c", "label": "a"}], words=NO_WORDS | {"own": {"text": "Matini"}})
    assert frame["layout"].struct.field("description").to_list() == ["Matini:\n"]


@pytest.mark.parametrize("of_model", ["bactrian", "none"])
def test_the_layout_of_a_task_takes_the_place_of_the_frame_of_a_model(letters, tmp_path, of_model):
    engine = Seen()
    run(letters, prompts(PLAIN, [{"text": "c", "label": "a"}]), tmp_path, engine, asked={"frame": of_model})
    # The space that ends the prompt is ranked with the delimiter and the answer.
    assert engine.ranked == [([BOS, SPACE, C], [SPACE, SPACE, A]), ([BOS, SPACE, C], [SPACE, SPACE, B])]


def test_what_is_generated_after_a_layout_has_no_line_of_its_own(letters, tmp_path):
    engine = Echo()
    run(letters, prompts(PLAIN, [{"text": "c", "label": "a"}], mode="generate"), tmp_path, engine)
    assert engine.prompts == [[BOS, SPACE, C, SPACE]]


def test_one_text_is_ranked_after_the_prompt_of_each_choice(letters, tmp_path):
    engine = Seen()
    completed, _ = run(letters, prompts(BLANK, ROWS), tmp_path, engine)
    assert engine.ranked == [([BOS, C, A], [X]), ([BOS, C, B], [X])]
    assert completed["log_likelihoods"].to_list() == [[-A, -B]]  # the first choice is the likelier one
    assert not {"layout", "choice_prompts"} & set(completed.columns)


def test_the_prompt_after_which_the_text_is_likelier_is_the_answer(letters, tmp_path):
    rows = [*ROWS, ROWS[0] | {"answer": "2"}]  # the engine finds the first choice likelier in both
    completed, _ = run(letters, prompts(BLANK, rows), tmp_path, Seen())
    language = LanguageIdentity("eng_Latn", "English", "en", "Latn")
    scores = score_items(completed, {"toy": ["accuracy"]}, RunKey("m", "none", "none", 0), language)
    assert set(scores["metric"]) == {"rank_accuracy", "rank_accuracy_per_byte"}
    assert scores.sort("item")["value"].to_list() == [1.0, 1.0, 0.0, 0.0]


def test_rows_without_a_prompt_are_told_apart_by_their_choices():
    spec = PLAIN.changed(prompt="", choices={"a": ["{{ text }} a"], "b": ["{{ text }} b"]})
    rows = [{"text": "c", "label": "a"}]
    frame = prompts(spec, rows, dev=[*rows, {"text": "d", "label": "b"}], shots=1)  # not the test row itself
    assert frame["demonstrations"].to_list() == [[{"prompt": "", "answer": "d b"}]]


def test_a_changed_prompt_of_a_choice_is_ranked_again(letters, tmp_path):
    run(letters, prompts(BLANK, ROWS), tmp_path, Seen())
    _, counts = run(letters, prompts(BLANK, [ROWS[0] | {"two": "d"}]), tmp_path, Seen())
    assert counts.computed == 1


def test_a_demonstration_goes_on_after_the_prompt_of_its_gold_choice(letters, tmp_path):
    dev = [{"sentence": "d_z", "one": "a", "two": "b", "answer": "2"}]
    frame = prompts(BLANK, ROWS, dev=dev, shots=1)
    assert frame["demonstrations"].to_list() == [[{"prompt": "db", "answer": "z"}]]
    engine = Seen()
    completed, _ = run(letters, frame, tmp_path, engine)
    assert engine.ranked[0] == ([BOS, 7, B, 29, 31, 31, C, A], [X])
    assert completed["shots"].to_list() == [1]
    long = {**dev[0], "sentence": "d" * 60 + "_z"}  # does not fit 60 tokens
    completed, _ = run(letters, prompts(BLANK, ROWS, dev=[long], shots=1), tmp_path, engine)
    assert completed.select("shots", "shots_dropped").rows() == [(0, 1)]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"two": "a"}, "two choices of one prompt"),
        ({"sentence": "cx"}, "no element 1"),
        ({"sentence": "c_"}, "without"),
    ],
)
def test_choices_that_cannot_be_told_apart_are_a_fault(change, fault):
    frame = render(
        BLANK, TaskSettings(shots=0), task="toy", language="eng_Latn", rows=[*ROWS, ROWS[0] | change], words=NO_WORDS
    )
    assert frame["fault"][0] is None and fault in frame["fault"][1]


TASK = PLAIN.params() | {
    "metrics": ["accuracy"],
    "headline": "accuracy",
    "sources": {"embedded": {"languages": "all"}},
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"choice_prompts": {"a": "x"}}, "choice_prompts: write one for each of `choices`, in their order: a, b"),
        ({"choice_prompts": {"a": "x", "b": "y"}, "layout": None}, r"write `layout: \{frame: none\}`"),
        ({"pictures": ["photo"]}, "layout: a picture has its place in the frame of a model"),
    ],
)
def test_a_task_whose_layout_cannot_be_is_refused(change, says):
    with pytest.raises(ValidationError, match=says):
        Task.model_validate(TASK | change)


def test_rows_of_which_no_choice_has_a_prompt_of_its_own_are_refused():
    with pytest.raises(TaskError, match="two choices of one prompt"):
        render(
            BLANK.changed(max_faulty=0.1),
            TaskSettings(shots=0),
            task="toy",
            language="eng_Latn",
            rows=[ROWS[0] | {"two": "a"}],
            words=NO_WORDS,
        )
