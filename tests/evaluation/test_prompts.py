import polars as pl
import pytest
from project import ROOT

from maple.definitions.language import Language, read_languages
from maple.definitions.reading import read_yaml
from maple.definitions.task import PromptSpec, Task, TaskSettings
from maple.evaluation.prompt_quality import quality
from maple.evaluation.prompt_words import task_words, word_names
from maple.evaluation.prompts import RowFault, TaskError, render, render_row
from maple.runtime.files import write_parquet

CHOICE = PromptSpec(
    item="idx",
    prompt="{{ premise }} {{ words.cause if question == 'cause' else words.effect }}",
    targets="label + 1",
    choices={"1": ["1", "{{ choice1 }}"], "2": ["2", "{{ choice2 }}"]},
    fields=["premise", "label"],
    max_faulty=1,
    max_new_tokens=4,
)
ROW = {"idx": 7, "premise": "It rained.", "question": "effect", "choice1": "Wet.", "choice2": "Dry.", "label": 0}
WORDS = {"words": {"cause": "Why?", "effect": "What then?"}, "own": {}, "english": {}}
OPEN = PromptSpec(
    item="id", prompt="{{ context }}", targets="answers.text", fields=["context"], max_faulty=1, max_new_tokens=4
)


CODES = ("swh_Latn", "hau_Latn")
NO_WORDS = {"words": {}, "own": {}, "english": {}}


def prompts(spec, rows, language="eng_Latn", words=None, *, dev=(), shots=0, seed=0):
    settings = TaskSettings(shots=shots)
    words = words or NO_WORDS
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


def test_a_row_has_the_texts_that_an_encoder_reads_and_a_task_without_texts_has_none():
    pair = CHOICE.changed(texts=[" {{ premise }} ", "{{ choice1 }}: {{ number }}"])
    (prompt,) = prompts(pair, [ROW], words=WORDS).to_dicts()
    assert prompt["texts"] == ["It rained.", "Wet.: 0"] and prompt["text_words"] == 4
    assert prompt["prompt"] == prompts(CHOICE, [ROW], words=WORDS)["prompt"][0]
    (prompt,) = prompts(CHOICE, [ROW], words=WORDS).to_dicts()
    assert (prompt["texts"], prompt["text_words"]) == (None, None)


@pytest.mark.parametrize(
    ("template", "fault"),
    [("{{ choice1 | trim('.Wet') }}", "an empty text"), ("{{ words.cause }}", "'words' is undefined")],
)
def test_a_row_with_an_empty_text_or_one_that_instructs_is_faulty(template, fault):
    spec = CHOICE.changed(texts=["{{ premise }}", template])
    with pytest.raises(TaskError, match=fault):
        prompts(spec, [ROW], words=WORDS)


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
    words = {name: name for name in read_languages(ROOT / "config/languages.tsv")["eng_Latn"].words}
    rows = [{**good, "idx": 0, "id": 0}] + [
        {**good, field: value, "idx": number, "id": number} for number, value in enumerate(bad, start=1)
    ]
    frame = prompts(
        task.prompt_spec().changed(max_faulty=1), rows, words={"words": words, "own": words, "english": words}
    )
    assert frame["fault"].is_null().to_list() == [True] + [False] * len(bad)


def test_a_task_with_faulty_rows_alone_is_refused():
    with pytest.raises(TaskError, match=r"toy, eng_Latn: none of 2 rows can be asked; the first: no premise; mend"):
        prompts(CHOICE, [{"idx": 1, "label": 0}] * 2, words=WORDS)


def dev(count):
    return [{"id": name, "context": f"say {name}", "answers": {"text": [name]}} for name in "abcdefgh"[:count]]


def test_a_demonstration_ends_with_its_answer():
    (prompt,) = prompts(OPEN, dev(1), dev=[dev(2)[1]], shots=1).to_dicts()
    assert prompt["demonstrations"] == [{"prompt": "say b", "answer": "b"}]


def test_a_seed_samples_the_same_items_in_every_language_and_order():
    item = {"id": "z", "context": "say z", "answers": {"text": ["z"]}}
    samples = [
        prompts(OPEN, [item], code, dev=rows, shots=3, seed=seed)["demonstrations"][0].to_list()
        for code, rows, seed in (("eng_Latn", dev(8), 1), ("swh_Latn", dev(8)[::-1], 1), ("eng_Latn", dev(8), 2))
    ]
    assert len(samples[0]) == 3
    assert samples[0] == samples[1] != samples[2]


def test_a_prompt_has_no_demonstration_of_its_own_item():
    demonstrations = prompts(OPEN, dev(2), dev=dev(3), shots=1)["demonstrations"][0].to_list()
    assert demonstrations == [{"prompt": "say c", "answer": "c"}]


@pytest.mark.parametrize(
    ("rows", "shots", "count"),
    [([], 8, 0), (dev(3), 2, 1), (dev(5), 4, 3), ([*dev(4)[2:], {"id": "x", "context": None, "answers": {}}], 3, 2)],
)
def test_fewer_demonstrations_than_asked_for_are_refused(rows, shots, count):
    message = rf"toy, eng_Latn: shots\.toy asks for {shots} demonstrations, and the dev rows give {count},"
    with pytest.raises(TaskError, match=message):
        prompts(OPEN, dev(2), dev=rows, shots=shots)


def test_faulty_and_repaired_rows_are_counted(tmp_path):
    rows = [ROW | {"repaired": True}, ROW | {"idx": 8, "label": None}]
    write_parquet(prompts(CHOICE, rows, "tha_Thai", WORDS), tmp_path / "tha_Thai.parquet")
    assert quality([tmp_path / "tha_Thai.parquet"]).rows() == [("toy", "tha_Thai", 2, 2, 1, 1, ["no label"])]


def test_braces_in_a_row_are_text():
    row = ROW | {"premise": "{{ words.cause }} {x}"}
    assert "{{ words.cause }} {x}" in prompts(CHOICE, [row], words=WORDS)["prompt"][0]


LABELLED = PromptSpec(
    item="id if id is defined else number",
    prompt="{{ text }}",
    targets="label",
    choices={"good": ["good"], "bad": ["bad"]},
    fields=["text", "label"],
    max_faulty=1,
    max_new_tokens=4,
)
# Sorted by label, as published sets often are: the first half is good.
SORTED = [{"text": f"text {number}", "label": "good" if number < 20 else "bad"} for number in range(40)]


WORDLESS = {"words": {}, "own": {}, "english": {}}


def asked(rows, items, cluster="", language="eng_Latn"):
    settings = TaskSettings(shots=0, items=items, cluster=cluster)
    return render(LABELLED, settings, task="toy", language=language, rows=rows, words=WORDLESS)


def test_of_rows_that_are_sorted_by_label_a_sample_has_both_labels():
    frame = asked(SORTED, 12)
    assert frame.height == 12 and frame["available"].unique().to_list() == [40]
    assert set(frame["targets"].list.first()) == {"good", "bad"}


def test_without_ids_an_item_keeps_the_number_of_its_row_and_rows_their_order():
    numbers = asked(SORTED, 12)["item"].cast(int)
    assert numbers.is_sorted() and numbers.max() > 12
    assert asked(SORTED, 12)["prompt"].to_list() == [asked(SORTED, None)["prompt"][number] for number in numbers]


@pytest.mark.parametrize("ids", [True, False])
def test_parallel_sets_are_asked_the_same_items(ids):
    english = [row | ({"id": f"q{number}"} if ids else {}) for number, row in enumerate(SORTED)]
    swahili = [row | {"text": f"matini {number}"} for number, row in enumerate(english)]
    if ids:
        swahili.reverse()
    assert set(asked(english, 9)["item"]) == set(asked(swahili, 9, language="swh_Latn")["item"])


def test_items_on_one_text_are_sampled_together():
    rows = [row | {"story": f"story {number // 4}"} for number, row in enumerate(SORTED)]
    numbers = asked(rows, 10, cluster="story")["item"].cast(int)
    assert len(numbers) == 8 and (numbers // 4).value_counts()["count"].to_list() == [4, 4]


def looked(rows, share, items=None, cluster=""):
    settings = TaskSettings(shots=0, items=items, cluster=cluster, share=share)
    return render(LABELLED, settings, task="toy", language="eng_Latn", rows=rows, words=WORDLESS)


def test_a_look_at_a_tenth_asks_what_so_many_items_would_be_and_the_next_look_keeps_them():
    first, second = looked(SORTED, 0.1), looked(SORTED, 0.5)
    assert first["item"].to_list() == asked(SORTED, 4)["item"].to_list()
    assert second.height == 20 and set(first["item"]) < set(second["item"])
    assert first.equals(second.filter(pl.col("item").is_in(first["item"].to_list())))
    assert looked(SORTED, 1.0).equals(asked(SORTED, None))


def test_a_look_is_a_share_of_the_items_that_the_config_names_or_of_what_is_there():
    assert looked(SORTED, 0.25, items=20).height == 5
    assert looked(SORTED, 0.25, items=1000).height == 10
    assert looked(SORTED, 0.001).height == 1


def test_a_look_has_whole_clusters():
    rows = [row | {"story": f"story {number // 4}"} for number, row in enumerate(SORTED)]
    first, second = (looked(rows, share, cluster="story")["item"].cast(int) for share in (0.25, 0.5))
    assert (first // 4).value_counts()["count"].to_list() == [4, 4]
    assert set(first) < set(second)


def test_an_id_that_stands_there_twice_is_a_fault_of_its_second_row_at_every_look():
    """The first look asks the second row of q0 alone, which shares its story with the item that comes first of all."""
    rows = [row | {"id": f"q{number}", "story": f"story {number}"} for number, row in enumerate(SORTED)]
    first = int(looked(rows, 0.01)["item"][0].removeprefix("q"))
    twice = [*rows, {"id": "q0", "text": "again", "label": "bad", "story": f"story {first}"}]
    now, all_rows = looked(twice, 0.05, cluster="story"), looked(twice, 1.0, cluster="story")
    assert now["item"].to_list() == [f"q{first}", "row 41"] and now["fault"][1] == all_rows["fault"][-1]


def test_demonstrations_are_the_same_at_every_look():
    """A row that is asked at the last look alone is a demonstration at none."""
    frames = [
        render(
            LABELLED,
            TaskSettings(shots=2, share=share),
            task="toy",
            language="eng_Latn",
            rows=SORTED,
            words=WORDLESS,
            dev=[*SORTED, *({"text": f"dev {number}", "label": "good"} for number in range(2))],
        )
        for share in (0.1, 1.0)
    ]
    shown = [frame["demonstrations"][0].to_list() for frame in frames]
    assert shown[0] == shown[1] and all(one["prompt"].startswith("dev") for one in shown[0])


def test_a_sample_keeps_faulty_rows_and_counts_them():
    rows = [row | {"label": None} if number % 2 else row for number, row in enumerate(SORTED)]
    frame = asked(rows, 12)
    assert frame.height == 12 and 0 < frame["fault"].count() < 12


def test_as_many_items_as_rows_or_more_are_all_rows():
    assert asked(SORTED, 40).equals(asked(SORTED, None)) and asked(SORTED, 99).equals(asked(SORTED, None))


COLUMNS = {"id": "a", "context": "c", "answers": {"text": ["x"]}}


def test_columns_with_the_names_of_templates_do_not_collide():
    collisions = {"words": ["w"], "own": "o", "english": {"true": "e"}, "number": 7, "self": "s", "row": "r"}
    spec = OPEN.changed(item="number", prompt="{{ number }} {{ words.cause }} {{ own.cause }} {{ english.cause }}")
    voices = {"words": {"cause": "1"}, "own": {"cause": "2"}, "english": {"cause": "3"}}
    frame = prompts(spec, [COLUMNS | collisions] * 2, words=voices)
    assert frame["fault"].to_list() == [None, None] and frame["item"].to_list() == ["0", "1"]
    assert "0 1 2 3" in frame["prompt"][0] and "1 1 2 3" in frame["prompt"][1]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "its item is null"),
        ("", "its item is empty"),
        (" ", "its item is empty"),
        (["a"], "its item is a list"),
        ({"a": 1}, "its item is a dict"),
        (float("nan"), "its item is nan"),
        ("a ", "its item stands there twice"),
    ],
)
def test_an_id_that_is_no_key_is_a_fault(value, fault):
    frame = prompts(OPEN, [COLUMNS, COLUMNS | {"id": value}])
    assert frame["item"].to_list() == ["a", "row 2"]
    assert fault in frame["fault"][1]


def test_numbers_and_texts_that_look_alike_are_one_item():
    frame = prompts(OPEN, [COLUMNS | {"id": id} for id in (1, "1", " 1", "2")])
    assert frame["fault"].is_null().to_list() == [True, False, False, True]


def test_one_id_for_all_fails_the_task():
    with pytest.raises(TaskError, match=r"19 of 20 rows cannot be asked, more than 10%; most often \(19\): its item"):
        prompts(OPEN.changed(max_faulty=0.1), [COLUMNS] * 20)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (False, "false"), (1.5, "1.5"), ("", ""), (["x"], None), ({}, None), (None, None)]
)
def test_what_a_prompt_prints_is_text_or_a_fault(value, text):
    frame = prompts(OPEN.changed(prompt="[{{ x }}]"), [COLUMNS | {"x": value}, COLUMNS | {"id": "b", "x": "y"}])
    assert (f"[{text}]" in frame["prompt"][0]) == (text is not None) == (frame["fault"][0] is None)


def test_gold_answers_are_plain_text():
    rows = [COLUMNS | {"id": id, "answers": {"text": gold}} for id, gold in (("a", [0, True, 0.5]), ("b", [None, ""]))]
    frame = prompts(OPEN, rows)
    assert frame["targets"].to_list() == [["0", "true", "0.5"], []] and frame["fault"][1] == "no gold answer"


def test_the_reason_of_a_fault_is_one_short_line():
    rows = [ROW, ROW | {"idx": 8, "label": "x" * 500}, ROW | {"idx": 9, "label": "x\ny " * 500}]
    frame = prompts(CHOICE.changed(targets="label if label is string else label + 1"), rows, words=WORDS)
    for reason in frame["fault"].to_list()[1:]:
        assert len(reason) == 100 and reason.endswith("…") and "\n" not in reason


@pytest.mark.parametrize(
    ("faulty", "most", "refused"), [(2, 0.1, False), (3, 0.1, True), (1, 0, True), (10, 0.5, False)]
)
def test_a_larger_share_of_faulty_rows_than_stated_fails_the_task(faulty, most, refused):
    rows = [ROW | {"idx": number, "label": None if number < faulty else 0} for number in range(20)]
    spec = CHOICE.changed(max_faulty=most)
    if refused:
        with pytest.raises(TaskError, match=rf"{faulty} of 20 rows .*: no label; mend .* `max_faulty` in config/tasks"):
            prompts(spec, rows, words=WORDS)
    else:
        assert prompts(spec, rows, words=WORDS)["fault"].count() == faulty


def test_a_demonstration_shows_the_task_s_own_answer():
    answer = {"demonstration": "{{ words.because }} {{ why }} {{ label + 1 }}", "stop": ["\n\n"]}
    spec = CHOICE.changed(prompt="{{ premise }}", answer=answer)
    words = {"words": {"because": "Since it rained,"}, "own": {}, "english": {}}
    rows = [ROW, ROW | {"idx": 8, "premise": "It snowed.", "why": "dry:"}]
    (prompt,) = prompts(spec, rows[:1], words=words, dev=rows[1:], shots=1).to_dicts()
    assert prompt["demonstrations"] == [{"prompt": "It snowed.", "answer": "Since it rained, dry: 1"}]
    assert prompt["stop"] == ["\n\n"] and prompt["targets"] == ["1"]


def test_how_an_answer_is_read_changes_no_prompt():
    task = dict(
        item="id", prompt="x", targets="y", fields=["y"], max_new_tokens=4, metrics=["number"], headline="number"
    )
    task |= {"sources": {"embedded": {"languages": "all"}}}
    plain = Task.model_validate(task).prompt_spec().params()
    assert Task.model_validate(task | {"answer": {"read": "number", "after": ["So"]}}).prompt_spec().params() == plain
    stopped = Task.model_validate(task | {"answer": {"read": "number", "stop": ["."]}}).prompt_spec().params()
    assert stopped == plain | {"answer": {"stop": ["."]}}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"answer": {"read": "label"}}, "for a task with `choices`; write line, number or spans"),
        ({"answer": {"read": "number"}, "choices": {"a": ["x"]}}, "for a task without `choices`; write line or label"),
    ],
)
def test_an_answer_that_a_task_does_not_have_is_refused(changes, says):
    task = dict(item="id", prompt="x", targets="y", fields=["y"], max_new_tokens=4, metrics=["f1"], headline="f1")
    with pytest.raises(ValueError, match=says):
        Task.model_validate(task | {"sources": {"embedded": {"languages": "all"}}} | changes)


def test_items_of_languages_that_are_not_parallel_are_others():
    alone = OPEN.changed(parallel=False)
    rows = [{"id": number, "context": f"text {number}", "answers": {"text": "a"}} for number in range(40)]
    for spec, same in ((OPEN, True), (alone, False)):
        by_language = [
            [
                prompt["prompt"]
                for prompt in render(
                    spec, TaskSettings(shots=0, items=8), task="toy", language=code, rows=rows, words=NO_WORDS
                ).to_dicts()
            ]
            for code in CODES
        ]
        assert (by_language[0] == by_language[1]) is same
        dev = [prompts(spec, rows[:1], code, dev=rows[1:], shots=4)["demonstrations"].to_list() for code in CODES]
        assert (dev[0] == dev[1]) is same
    assert prompts(alone, rows[:1], "swh_Latn")["item"].to_list() == ["swh_Latn 0"]


def test_a_row_with_several_labels_fails_its_task():
    spec = CHOICE.changed(targets="labels")
    with pytest.raises(TaskError, match=r"gold has several labels \(1, 2\), .* ask for one label per row"):
        prompts(spec, [ROW | {"labels": ["1", "2"]}], words=WORDS)
    assert prompts(spec, [ROW | {"labels": ["2", "2"]}], words=WORDS)["fault"].to_list() == [None]


def test_a_row_of_a_task_with_sets_has_all_its_labels_or_none():
    several = CHOICE.changed(targets="labels", multi=True)
    rows = [ROW | {"idx": number, "labels": labels} for number, labels in enumerate((["2", "1"], [], ["2", "3"]))]
    rendered = prompts(several, rows, words=WORDS)
    assert rendered["targets"].to_list()[:2] == [["2", "1"], []]
    assert rendered["fault"].to_list() == [None, None, "gold '3' is none of 1, 2"]


def shown(spec, language, **row):
    rendering = render_row(spec, ROW | row, WORDS, 0, language)
    return rendering.gold_answer


def test_a_set_is_shown_as_a_list_in_its_language_and_nothing_as_the_task_says():
    several = CHOICE.changed(targets="labels", multi=True, choices={"1": ["غضب"], "2": ["فرح"]})
    assert shown(several, "arb_Arab", labels=["1", "2"]) == "غضب، فرح"
    assert shown(several, "arb_Arab", labels=[]) == "-"
    assert shown(several.changed(answer={"none": ["none"]}), "eng_Latn", labels=[]) == "none"


ENTITIES = CHOICE.changed(targets="names", choices={}, answer={"read": "spans", "types": ["PER", "LOC"]})


def test_entities_are_pairs_or_tags_of_tokens():
    pairs = [["PER", "Amina  Mohammed"], ["LOC", "Lagos"]]
    assert shown(ENTITIES, "hau_Latn", names=pairs) == "PER: Amina Mohammed; LOC: Lagos"
    tags = {"tokens": ["Amina", "of", "Lagos"], "tags": ["B-PER", "O", "B-LOC"]}
    tagged = ENTITIES.changed(targets="tokens | entities(tags)")
    assert shown(tagged, "zho_Hans", **tags) == "PER: Amina；LOC: Lagos"
    assert shown(tagged, "eng_Latn", tokens=["no", "name"], tags=["O", "O"]) == "-"


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        ("Amina", "gold 'Amina' is no pair of a type and a text, as [PER, Amina]"),
        ([["DATE", "1960"]], "gold has the type DATE, and answer.types has PER, LOC"),
        ([["PER", "Amina; Musa"]], "gold 'Amina; Musa' cannot be an entry of a list"),
        ([["PER", "--"]], "gold '--' cannot be an entry of a list"),
    ],
)
def test_gold_that_is_no_entity_is_a_fault(names, fault):
    with pytest.raises(RowFault) as error:
        shown(ENTITIES, "eng_Latn", names=names)
    assert str(error.value) == fault


def test_two_choices_of_one_text_are_a_fault():
    spec = CHOICE.changed(choices={"1": ["{{ choice1 }}"], "2": ["{{ choice2 }}"]})
    faults = prompts(spec, [ROW, ROW | {"idx": 8, "choice2": "wet."}], words=WORDS)["fault"].to_list()
    assert faults == [None, "two choices of one text"]
