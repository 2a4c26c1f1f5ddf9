import polars as pl
import pytest

from maple.curation import curate
from maple.load import load
from maple.self_instruct import numbered, parse, self_instruct
from maple.teachers import teacher
from maple.translate_respond import translate_respond

SWAHILI = {"code": "swh_Latn", "name": "Swahili", "iso639_1": "sw", "script": "Latn"}
ENGLISH = {"code": "eng_Latn", "name": "English", "iso639_1": "en", "script": "Latn"}
SEEDS = [{"instruction": f"seed {n}", "input": "", "output": "x"} for n in range(4)]


class Parrot:
    """Proposes one whole task and one cut off; translates by turning words round; answers with the instruction."""

    name = "parrot"

    def __init__(self):
        self.calls = []

    def complete(self, requests):
        self.calls.append(requests)
        return [getattr(self, request.purpose)(request) for request in requests]

    def propose(self, request):
        first = request.fields["first"]
        task = {"instruction": f"task {request.seed}", "input": "", "output": "y"}
        return numbered(first, task) + f"{first + 1}. Instruction: cut"

    def translate(self, request):
        return " ".join(reversed(request.fields["text"].split()))

    def respond(self, request):
        return request.fields["instruction"] if request.fields["instruction"] != "silence of" else ""


def test_a_task_is_read_as_it_was_listed():
    task = {"instruction": "Add.", "input": "1\n2", "output": "3"}
    assert list(parse(numbered(4, task))) == [task]


def test_no_input_is_none():
    (task,) = parse(numbered(4, {"instruction": "Sing.", "input": "", "output": "La."}))
    assert task["input"] == ""


@pytest.mark.parametrize(
    ("completion", "faults"),
    [
        ("4. Instruction: a\n4. Output: b\n###\n", ["not parsed"]),
        ("4. Instruction: a\n5. Input: b\n4. Output: c\n###", ["not parsed"]),
        ("4. Instruction: a\n4. Input: b\n4. Output: c", ["cut off"]),
        ("", ["cut off"]),
    ],
)
def test_a_broken_list_is_a_fault_and_no_crash(completion, faults):
    assert [task.get("fault") for task in parse(completion)] == faults


def recipe(**changes):
    shown = {"seed": 2, "pool": 1}
    settings = {"rounds": 2, "first_round_requests": 2, "requests_per_round": 3, "demonstrations": shown}
    return settings | {"tasks_per_request": 20, "curate": {}} | changes


def test_every_round_asks_once_and_shows_three_tasks():
    parrot = Parrot()
    rows = self_instruct(recipe(), SWAHILI, SEEDS, parrot, seed=1, progress=iter)
    assert [len(requests) for requests in parrot.calls] == [2, 3]
    assert all(len(request.fields["demonstrations"]) == 3 for requests in parrot.calls for request in requests)
    assert all(request.fields["count"] == 17 for requests in parrot.calls for request in requests)
    assert "Swahili" in parrot.calls[0][0].prompt and "<noinput>" in parrot.calls[0][0].prompt
    assert rows.filter(pl.col("fault") == "").height == 5
    assert rows.filter(pl.col("fault") == "cut off").height == 5


def test_later_rounds_show_a_task_of_the_pool():
    parrot = Parrot()
    self_instruct(recipe(), SWAHILI, SEEDS, parrot, seed=1, progress=iter)
    shown = [task["id"] for request in parrot.calls[1] for task in request.fields["demonstrations"]]
    assert sum(id.startswith("swh_Latn-0-") for id in shown) == 3


def test_a_row_says_where_it_came_from():
    rows = self_instruct(recipe(), SWAHILI, SEEDS, Parrot(), seed=7, progress=iter)
    first = rows.row(0, named=True)
    assert (first["recipe"], first["teacher"], first["seed"]) == ("self_instruct", "parrot", 7)
    assert len(first["parent"].split()) == 3
    assert rows["id"].n_unique() == rows.height


def test_the_same_seed_makes_the_same_rows():
    one, two, other = (self_instruct(recipe(), SWAHILI, SEEDS, Parrot(), seed, iter) for seed in (1, 1, 2))
    assert one.equals(two) and not one.equals(other)


def test_enough_rows_end_the_rounds():
    parrot = Parrot()
    self_instruct(recipe(max_rows=2), SWAHILI, SEEDS, parrot, seed=1, progress=iter)
    assert len(parrot.calls) == 1


def test_too_few_seed_tasks_are_refused():
    with pytest.raises(ValueError, match="seed_tasks: swh_Latn has 1"):
        self_instruct(recipe(), SWAHILI, SEEDS[:1], Parrot(), seed=1, progress=iter)


def english(*instructions):
    return pl.DataFrame({"id": [f"e{n}" for n in range(len(instructions))], "instruction": instructions}).with_columns(
        input=pl.lit(""), output=pl.lit("x")
    )


def test_instructions_are_translated_and_then_answered():
    rows = translate_respond({}, SWAHILI, english("name it"), Parrot(), seed=1, progress=iter)
    row = rows.row(0, named=True)
    assert (row["id"], row["parent"]) == ("e0:swh_Latn", "e0")
    assert row["instruction"] == row["output"] == "it name"


def test_english_is_answered_anew_and_not_translated():
    parrot = Parrot()
    rows = translate_respond({}, ENGLISH, english("name it"), parrot, seed=1, progress=iter)
    assert rows["instruction"].to_list() == ["name it"]
    assert [request.purpose for requests in parrot.calls for request in requests] == ["respond"]


def test_an_empty_answer_is_a_fault():
    rows = translate_respond({}, SWAHILI, english("of silence", "name it"), Parrot(), seed=1, progress=iter)
    assert rows["fault"].to_list() == ["empty answer", ""]
    kept, _ = curate(rows, SWAHILI, {})
    assert kept["id"].to_list() == ["e1:swh_Latn"]


def test_no_more_rows_than_asked_are_translated():
    assert translate_respond({"max_rows": 1}, SWAHILI, english("a b", "c d"), Parrot(), 1, iter).height == 1


def test_a_set_that_exists_is_loaded_with_null_for_no_input(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"instruction": "a", "input": null, "output": "b"}\n' * 3)
    rows = load({"local": {"path": str(tmp_path / "a.jsonl")}, "max_rows": 2}, SWAHILI)
    assert rows["input"].to_list() == ["", ""]
    assert rows["recipe"].unique().to_list() == ["load"]
    assert rows["id"].to_list() == ["0", "1"]


def test_an_unknown_teacher_is_told_the_known_one():
    with pytest.raises(ValueError, match="'oracle' is unknown; write embedded"):
        teacher("oracle", {})
