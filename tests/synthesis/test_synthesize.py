import json
import re
from itertools import product

import polars as pl
import pytest
from endpoint import KINDS, Endpoint, number_of
from project import ROOT, TOY_STUDY, Project

from maple.data.curation import LanguageLimits, curate, limits_in
from maple.data.examples import raw_rows
from maple.data.sources import RowFile, SourceError
from maple.definitions.curation import CurationLimits
from maple.definitions.dataset import Dataset, DatasetSeeds, SelfInstructSettings, TranslateRespondSettings
from maple.definitions.errors import DefinitionError
from maple.definitions.language import LanguageIdentity, read_languages
from maple.definitions.placeholders import Placeholders
from maple.definitions.reading import parse as parse_record
from maple.definitions.reading import read_yaml
from maple.runtime.files import write_parquet
from maple.study.checks import check_prompt
from maple.study.datasets import datasets_needed
from maple.synthesis.published import load
from maple.synthesis.recipe import InstructionPrompt, LoadedRows
from maple.synthesis.self_instruct import numbered, parse, prompt_in, seed_tasks, self_instruct
from maple.synthesis.teachers import IncompleteAnswer, TeacherJob, teacher
from maple.synthesis.translate_respond import translate_respond
from maple.text.identification import in_language

LANGUAGES = read_languages(ROOT / "config/languages.tsv")
PROMPTS = read_yaml(ROOT / "config/self_instruct.yaml")
SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
ENGLISH = LanguageIdentity("eng_Latn", "English", "en", "Latn")
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
        ("4. Instruction: a\n4. Input: b\n4. Input: b\n4. Output: c\n###", ["not parsed"]),
        ("4. Input: b\n4. Instruction: a\n4. Output: c\n###", ["not parsed"]),
        ("4. Instruction: a\n4. Input: b\n4. Output: c\n5. Instruction: a\n5. Input: b\n5. Output: c", ["cut off"]),
        ("4. Instruction: a\n4. Input: b", ["cut off"]),
        ("###\n###", ["cut off"]),
        ("", ["cut off"]),
    ],
)
def test_a_broken_list_is_a_fault_and_no_crash(completion, faults):
    assert [task.get("fault") for task in parse(completion)] == faults


def test_the_last_task_needs_no_end_unless_the_answer_was_cut():
    whole = "4. Instruction: a\n4. Input: b\n4. Output: c"
    assert [task.get("fault") for task in parse(whole)] == [None]
    assert [task.get("fault") for task in parse(whole, cut=True)] == ["cut off"]


def test_a_list_goes_on_from_what_was_shown_and_is_not_begun_anew():
    listed = "".join(numbered(n, SEEDS[0]) for n in (4, 6, 1, 2, 7))
    assert [task.get("fault") for task in parse(listed, first=4)] == [None, None, "misnumbered", "misnumbered", None]


@pytest.mark.parametrize(
    "output", ["# Tea\n### Step one\nBoil.", "1. Input: beans\n2. Output: coffee", "Write ### here."]
)
def test_an_answer_may_hold_headings_and_steps(output):
    task = {"instruction": "Explain.", "input": "", "output": output}
    assert list(parse(numbered(4, task) * 2, first=4)) == [task, task | {"fault": "misnumbered"}]


def generated(parrot, language=SWAHILI, seeds=SEEDS, seed=1, limits=None, prompt=None, **changes):
    """Run self-instruct in two small rounds."""
    settings = {"rounds": 2, "first_round_requests": 2, "requests_per_round": 3, **changes}
    prompt = InstructionPrompt(**prompt_in(PROMPTS, prompt or "eng_Latn"))
    return self_instruct(
        SelfInstructSettings(**settings),
        language,
        seeds,
        parrot,
        prompt=prompt,
        limits=limits or LanguageLimits(),
        seed=seed,
        progress=iter,
    )


def translated(english, teacher, language=SWAHILI, **settings):
    return translate_respond(
        TranslateRespondSettings(instructions="d", **settings), language, english, teacher, seed=1, progress=iter
    )


def test_every_round_asks_once_and_shows_three_tasks():
    parrot = Parrot()
    rows = generated(parrot)
    assert [len(requests) for requests in parrot.calls] == [2, 3]
    assert all(len(request.fields["demonstrations"]) == 3 for requests in parrot.calls for request in requests)
    assert all(request.fields["count"] == 17 for requests in parrot.calls for request in requests)
    assert "Swahili" in parrot.calls[0][0].prompt and "<noinput>" in parrot.calls[0][0].prompt
    assert rows.filter(pl.col("fault") == "").height == 5
    assert rows.filter(pl.col("fault") == "cut off").height == 5


def test_placeholders_are_no_inputs_of_seed_tasks_and_answers():
    class Repeating(Parrot):
        def propose(self, request):
            return numbered(request.fields["first"], {**request.fields["demonstrations"][0], "input": "(Hakuna.)"})

    limits = LanguageLimits(placeholders=Placeholders(none=["hakuna"]))
    teacher = Repeating()
    rows = generated(teacher, seeds=[{**task, "input": "Hakuna"} for task in SEEDS], limits=limits)
    assert "Hakuna" not in teacher.calls[0][0].prompt and "<noinput>" in teacher.calls[0][0].prompt
    assert set(rows["input"]) == {""} and set(rows["fault"]) == {"repeats the prompt"}


def test_polylm_s_numbers_are_the_defaults_and_what_the_dataset_for_its_recipe_says():
    shipped = read_yaml(ROOT / "config/datasets/self-instruct.yaml")["self_instruct"]
    defaults = SelfInstructSettings()
    assert shipped == defaults.model_dump(exclude={"max_rows"})
    parrot = Parrot()
    generated(
        parrot,
        first_round_requests=defaults.first_round_requests,
        requests_per_round=defaults.requests_per_round,
    )
    assert [len(requests) for requests in parrot.calls] == [10, 100]


def test_the_prompt_says_what_the_recipe_says():
    parrot = Parrot()
    generated(parrot, tasks_per_request=7, output_words=345)
    prompt, listed = parrot.calls[0][0].prompt.split("\n\n")
    assert "7 different tasks in Swahili" in prompt and "345" in prompt and "100" in prompt and "200" not in prompt
    assert parrot.calls[0][0].fields["count"] == 4 and listed.startswith("1. Instruction: seed")


def test_what_language_was_asked_in_is_in_the_log(capsys):
    generated(Parrot(), prompt="swh_Latn")
    generated(Parrot())
    assert capsys.readouterr().out.splitlines() == [
        "swh_Latn: asked in swh_Latn, 4 seed tasks",
        "swh_Latn: asked in eng_Latn, 4 seed tasks",
    ]


def test_a_language_without_a_prompt_is_asked_in_english():
    assert prompt_in({"eng_Latn": "Go on.", "deu_Latn": "Weiter."}, "deu_Latn")["text"] == "Weiter."
    assert prompt_in({"eng_Latn": "Go on."}, "deu_Latn") == {"language": "eng_Latn", "text": "Go on."}


@pytest.mark.parametrize("code", PROMPTS)
def test_a_prompt_is_in_its_language_and_has_nine_requirements(code):
    assert re.findall(r"^(\d)\. ", PROMPTS[code], re.M) == list("123456789")
    plain = re.sub(r"\{\w+\}|Instruction:|Input:|Output:|<noinput>", "", PROMPTS[code])
    assert all(in_language(line, LANGUAGES[code].iso639_1) is not False for line in (plain, *plain.split("\n", 1)))


ALL = (
    "{tasks_per_request} {instruction_sentences} {input_words} {output_words} Instruction: Input: Output: ### <noinput>"
)


@pytest.mark.parametrize(
    ("code", "text", "says"),
    [
        ("deu_Latn", ALL.replace("{input_words}", "100"), r"the prompt lacks \{input_words\}; see"),
        ("deu_Latn", ALL.replace("Output:", "Ausgabe:"), "the prompt lacks Output:; see"),
        ("eng_Latn", ALL, r"the prompt lacks \{language\}; see"),
        ("deu_Latn", ALL + "{colour}", r"unknown value \['colour'\]; known are language, tasks_per_request"),
        ("deu_Latn", ALL + "{", "braces stand around values alone"),
    ],
)
def test_a_prompt_that_lacks_something_is_refused(code, text, says):
    check_prompt(ALL, "deu_Latn", "self_instruct.yaml")
    with pytest.raises(DefinitionError, match=f"self_instruct.yaml: {code}: .*{says}"):
        check_prompt(text, code, "self_instruct.yaml")


def test_later_rounds_show_a_task_of_the_pool():
    parrot = Parrot()
    generated(parrot)
    ids = [task["id"] for request in parrot.calls[1] for task in request.fields["demonstrations"]]
    assert sum(id.startswith("swh_Latn-0-") for id in ids) == 3


def test_a_row_says_where_it_came_from():
    rows = generated(Parrot(), seed=7)
    first = rows.row(0, named=True)
    assert (first["recipe"], first["teacher"], first["seed"]) == ("self_instruct", "parrot", 7)
    assert len(first["parent"].split()) == 3
    assert rows["id"].n_unique() == rows.height


def test_the_same_seed_makes_the_same_rows():
    one, two, other = (generated(Parrot(), seed=seed) for seed in (1, 1, 2))
    assert one.equals(two) and not one.equals(other)


def test_enough_rows_end_the_rounds():
    parrot = Parrot()
    generated(parrot, max_rows=2)
    assert len(parrot.calls) == 1


def test_too_few_seed_tasks_are_refused():
    with pytest.raises(ValueError, match="seed_tasks: swh_Latn has 1"):
        generated(Parrot(), seeds=SEEDS[:1])


def test_a_request_that_leaves_no_task_to_write_is_refused():
    with pytest.raises(ValueError, match="tasks_per_request counts the demonstrations"):
        generated(Parrot(), tasks_per_request=3)


def test_the_examples_of_a_dataset_are_seed_tasks_and_keep_their_ids(tmp_path):
    rows_of_dataset = raw_rows([{"id": f"s{n}:swh_Latn", **SEEDS[n]} for n in range(4)], language="swh_Latn")
    write_parquet(curate(rows_of_dataset, SWAHILI, LanguageLimits())[0], tmp_path / "a.parquet")
    tasks = seed_tasks(DatasetSeeds(dataset="seeds"), SWAHILI, {}, tmp_path / "a.parquet")
    assert tasks[0] == {"id": "s0:swh_Latn", "instruction": "seed 0", "input": "", "output": "x"}
    rows = generated(Parrot(), seeds=tasks)
    assert all(re.fullmatch(r"s\d:swh_Latn", id) for id in rows["parent"][0].split())


LANGUAGE_TABLE = {code: LANGUAGES[code] for code in ("deu_Latn", "eng_Latn")}
MIX = {"rows": None, "alpha": 0.0, "seed": 1, "held_out": 0}


def seeded(source, **more):
    """A dataset whose seed tasks are the examples of another."""
    recipe = {"recipe": "self_instruct", "teacher": "embedded", "seed": 1, "self_instruct": {}}
    return parse_record(Dataset, {**recipe, "seed_tasks": {"dataset": source}, "curate": {}, "mix": MIX, **more}, "toy")


def translation_of(source):
    """A dataset that is translated from another."""
    recipe = {"recipe": "translate_respond", "teacher": "embedded", "seed": 1, "curate": {}, "mix": MIX}
    return parse_record(Dataset, {**recipe, "translate_respond": {"instructions": source}}, "toy")


def needed(datasets, *grid):
    return datasets_needed(datasets, set(grid), ["eng_Latn", "deu_Latn"], LANGUAGE_TABLE)


def test_a_source_dataset_is_made_only_in_the_languages_that_are_needed():
    loaded = {"recipe": "load", "load": {"local": {"path": "a"}}, "curate": {}, "mix": MIX, "languages": ["eng_Latn"]}
    datasets = {
        "generated": seeded("carried", languages=["deu_Latn"]),
        "carried": translation_of("seeds"),
        "seeds": parse_record(Dataset, loaded, "toy"),
    }
    languages = {"generated": ["deu_Latn"], "carried": ["deu_Latn"], "seeds": ["eng_Latn"]}
    assert needed(datasets, "generated") == languages
    assert needed(datasets, "generated", "carried") == languages | {"carried": ["deu_Latn", "eng_Latn"]}
    with pytest.raises(DefinitionError, match=r"generated\.yaml: seed_tasks\.dataset: seeds is not made in deu_Latn"):
        needed(datasets | {"generated": seeded("seeds")}, "generated")
    with pytest.raises(DefinitionError, match=r"seed_tasks\.dataset names 'seads', which config/datasets/ lacks"):
        needed({"generated": seeded("seads")}, "generated")


def test_datasets_that_are_made_from_each_other_are_refused():
    datasets = {"a": seeded("b"), "b": translation_of("a")}
    for start in ("a", "b"):
        with pytest.raises(DefinitionError, match=r"no dataset can be made from itself: \w from \w from \w;"):
            needed(datasets, start)


def english(*instructions):
    return pl.DataFrame({"id": [f"e{n}" for n in range(len(instructions))], "instruction": instructions}).with_columns(
        input=pl.lit(""), output=pl.lit("x")
    )


def test_instructions_are_translated_and_then_answered():
    rows = translated(english("name it"), Parrot())
    row = rows.row(0, named=True)
    assert (row["id"], row["parent"]) == ("e0:swh_Latn", "e0")
    assert row["instruction"] == row["output"] == "it name"


def test_english_examples_with_one_id_are_not_translated():
    examples = english("a b", "c d").with_columns(id=pl.lit("e0"))
    with pytest.raises(ValueError, match="2 examples in eng_Latn have the id 'e0'"):
        translated(examples, Parrot())


def test_english_is_answered_anew_and_not_translated():
    parrot = Parrot()
    rows = translated(english("name it"), parrot, ENGLISH)
    assert rows["instruction"].to_list() == ["name it"]
    assert [request.purpose for requests in parrot.calls for request in requests] == ["respond"]


def test_an_empty_answer_is_a_fault():
    rows = translated(english("of silence", "name it"), Parrot())
    assert rows["fault"].to_list() == ["empty answer", ""]
    kept, _ = curate(rows, SWAHILI, LanguageLimits())
    assert kept["id"].to_list() == ["e1:swh_Latn"]


def test_no_more_rows_than_asked_are_translated():
    assert translated(english("a b", "c d"), Parrot(), max_rows=1).height == 1


def test_a_set_that_exists_is_loaded_with_null_for_no_input(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"instruction": "a", "input": null, "output": "b"}\n' * 3)
    rows = load(LoadedRows(local=RowFile(path=str(tmp_path / "a.jsonl")), max_rows=2), SWAHILI)
    assert rows["input"].to_list() == ["", ""]
    assert rows["recipe"].unique().to_list() == ["load"]
    assert rows.height == 2


def test_of_a_sorted_set_a_sample_of_rows_is_loaded_and_of_parallel_sets_the_same(tmp_path):
    lines = [f'{{"instruction": "{"sum" if number < 30 else "poem"} {number}", "output": "b"}}' for number in range(60)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    rows, english_rows = (
        load(LoadedRows(local=RowFile(path=str(tmp_path / "a.jsonl")), max_rows=20), language)
        for language in (SWAHILI, ENGLISH)
    )
    assert rows["id"].equals(english_rows["id"]) and rows["id"].cast(int).is_sorted()
    assert rows["instruction"].str.split(" ").list.first().n_unique() == 2


def test_rows_that_are_not_wanted_are_left_out_by_their_ids(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"instruction": "a", "output": "b"}\n' * 3)
    file = RowFile(path=str(tmp_path / "a.jsonl"))
    assert load(LoadedRows(local=file, leave_out=["0"]), SWAHILI)["id"].to_list() == ["1", "2"]
    with pytest.raises(SourceError, match=r"load\.leave_out: no row has the id seed_task_0; remove it"):
        load(LoadedRows(local=file, leave_out=["seed_task_0"]), SWAHILI)


def test_a_seed_task_is_read_with_its_first_instance(tmp_path):
    row = '{"id": "seed_task_0", "instruction": "a", "instances": [{"input": "", "output": "b"}]}'
    (tmp_path / "a.jsonl").write_text(row)
    columns = read_yaml(ROOT / "config/datasets/seeds.yaml")["load"]["local"]["columns"]
    source = RowFile(path=str(tmp_path / "a.jsonl"), columns=columns)
    (task,) = load(LoadedRows(local=source), ENGLISH).to_dicts()
    assert (task["id"], task["input"], task["output"]) == ("seed_task_0", "", "b")


def test_an_unknown_teacher_is_told_the_known_one():
    with pytest.raises(ValueError, match="'oracle' is unknown; write one of embedded, openai"):
        teacher("oracle", TeacherJob())


# A sentence or two in each language, {}: a number, so that no two are alike.
SAID = {
    "eng_Latn": ("Describe in a few words what the {} children did.", "They went to school early in the morning."),
    "deu_Latn": ("Beschreibe kurz, was die {} Kinder gemacht haben.", "Sie sind heute früh in die Schule gegangen."),
    "swh_Latn": ("Eleza kwa ufupi walichofanya watoto wote {}.", "Walikwenda shuleni asubuhi na mapema leo."),
    "tha_Thai": ("จงอธิบายสั้น ๆ ว่าเด็กทั้ง {} คนทำอะไร", "พวกเขาไปโรงเรียนแต่เช้า"),
    "rus_Cyrl": ("Опиши в двух словах, что делали {} детей.", "Сегодня рано утром они пошли в школу."),
}
OTHER = {
    "eng_Latn": "deu_Latn",
    "deu_Latn": "swh_Latn",
    "swh_Latn": "deu_Latn",
    "tha_Thai": "rus_Cyrl",
    "rus_Cyrl": "tha_Thai",
}


def said(code, number):
    instruction, output = SAID[code]
    return {"instruction": instruction.format(number), "input": "", "output": output}


def entry(text, number, code):
    """Return an entry of a broken list; # in `text` is its number, and the fields stand in braces."""
    return text.replace("#", str(number)).format(**said(code, number * 1000)) + "\n###\n"


GOOD = "#. Instruction: {instruction}\n#. Input: <noinput>\n#. Output: {output}"
LOOPS = {
    "one character": "a" * 100_000,
    "numbers": "1. " * 33_000,
    "ends": "###" * 33_000,
    "end lines": "###\n" * 25_000,
}
# How a teacher may fail when it is asked for tasks, and for what its rows are dropped.
BROKEN = {
    "missing numbers": (GOOD.replace("#. ", ""), "not parsed"),
    "two inputs": (GOOD.replace("#. Output", "#. Input: <noinput>\n#. Output"), "not parsed"),
    "two numbers": (GOOD.replace("#. Input", "3#. Input"), "not parsed"),
    "full-width digits": (GOOD.replace("#.", "４."), "not parsed"),
    "full-width dots": (GOOD.replace("#.", "#．"), "not parsed"),
    "translated labels": (GOOD.replace("Instruction", "Anweisung").replace("Output", "Ausgabe"), "not parsed"),
    "no output": (GOOD.replace("{output}", ""), "empty"),
}


class Misbehaving:
    """Fails in one way whatever it is asked; `right` says whether it does, to see that nothing else is at fault."""

    name = "misbehaving"

    def __init__(self, kind, right=False):
        self.kind, self.right, self.asked = kind, right, 0

    def complete(self, requests):
        return [getattr(self, f"_{request.purpose}")(request, request.language.code) for request in requests]

    def _propose(self, request, code):
        self.asked += 1
        first = request.fields["first"]
        if self.right:
            return "".join(numbered(first + n, said(code, self.asked * 100 + n)) for n in range(3))
        if self.kind in BROKEN:
            return "".join(entry(BROKEN[self.kind][0], first + n, code) for n in range(3))
        return {
            "wrong language": lambda: numbered(first, said(OTHER[code], self.asked)),
            "in English": lambda: numbered(first, said(code, self.asked) | {"output": SAID["eng_Latn"][1]}),
            "repeats the prompt": lambda: request.prompt,
            "begins anew": lambda: numbered(1, said(code, self.asked)),
            "digits": lambda: "1" * 100_000 + numbered(4, said(code, self.asked)),
            "labels": lambda: "4. Instruction:" * 7_000 + "###",
            "empty": lambda: "",
            "blank": lambda: "4. Instruction:" + " \n" * 50_000 + "###",
            "cut": lambda: IncompleteAnswer("cut off", numbered(first, said(code, self.asked))[:-5]),
            "no answer": lambda: IncompleteAnswer("no answer"),
        }.get(self.kind, lambda: LOOPS[self.kind])()

    def _translate(self, request, code):
        right = said(code, 7)["instruction"]
        return right if self.right or self.kind.startswith("answer") else self._fail(request, code, right)

    def _respond(self, request, code):
        right = said(code, 7)["output"]
        return self._fail(request, code, right) if self.kind.startswith("answer") and not self.right else right

    def _fail(self, request, code, right):
        kind = self.kind.split(": ")[1]
        return {
            "wrong language": lambda: SAID[OTHER[code]][0] + SAID[OTHER[code]][1],
            "in English": lambda: SAID["eng_Latn"][1],
            "repeats the prompt": lambda: request.prompt,
            "refuses": lambda: f"As an AI, I can name none. {right * 5}",
            "empty": lambda: " \n",
            "cut": lambda: IncompleteAnswer("cut off", right),
            "no answer": lambda: IncompleteAnswer("no answer"),
        }.get(kind, lambda: LOOPS[kind])()


def limits(dataset, code):
    files = (read_yaml(ROOT / f"config/{name}.yaml") for name in ("refusals", "unservable"))
    block = CurationLimits(**read_yaml(ROOT / f"config/datasets/{dataset}.yaml")["curate"])
    return limits_in(block, code, *files)


def proposed(kind, code, right=False):
    teacher = Misbehaving(kind, right)
    seeds = [said(code, 10_000 + n) for n in range(4)]
    rows = generated(
        teacher,
        LANGUAGES[code].identity,
        seeds,
        limits=limits("self-instruct", code),
        first_round_requests=3,
        requests_per_round=3,
    )
    assert rows["parent"].n_unique() <= teacher.asked <= rows.height
    return curate(rows, LANGUAGES[code].identity, limits("self-instruct", code).changed(novelty=None))


FAILURES = {
    **{kind: {reason} for kind, (_, reason) in BROKEN.items()},
    **{kind: {"cut off", "not parsed"} for kind in LOOPS},
    "wrong language": {"wrong language", "wrong script", "in English"},
    "in English": {"in English", "wrong language", "wrong script"},
    "repeats the prompt": {"repeats the prompt", "not parsed"},
    "begins anew": {"misnumbered"},
    "digits": {"not parsed"},
    "labels": {"not parsed"},
    "blank": {"not parsed"},
    "empty": {"cut off"},
    "cut": {"cut off"},
    "no answer": {"no answer"},
}


@pytest.mark.parametrize("code", SAID)
def test_good_tasks_in_a_language_are_kept(code):
    kept, _ = proposed("none", code, right=True)
    assert kept.height == 18


@pytest.mark.parametrize(
    ("code", "kind"), [case for case in product(SAID, FAILURES) if case != ("eng_Latn", "in English")]
)
def test_a_bad_list_is_counted_and_dropped(code, kind):
    kept, dropped = proposed(kind, code)
    assert kept.is_empty() and set(dropped["reason"]) <= FAILURES[kind]
    assert dropped.height >= 6  # at least one a request


SLIPS = {
    **{loop: {"repetition"} for loop in LOOPS},
    "wrong language": {"wrong language", "wrong script", "in English"},
    "in English": {"in English", "wrong language", "wrong script"},
    "repeats the prompt": {"repeats the prompt", "in English", "wrong language", "wrong script"},
    "refuses": {"refusal", "wrong language", "wrong script", "in English"},
    "empty": {"empty answer", "empty translation"},
    "cut": {"cut off"},
    "no answer": {"no answer"},
}


def slips(code):
    """The ways in which translation and answer may fail; English is not translated."""
    answers = [f"answer: {kind}" for kind in SLIPS if (code, kind) != ("eng_Latn", "in English")]
    translations = [f"translation: {kind}" for kind in SLIPS if kind != "refuses"]
    return answers if code == "eng_Latn" else answers + translations


@pytest.mark.parametrize(("code", "kind"), [(code, kind) for code in SAID for kind in slips(code)])
def test_a_bad_translation_or_answer_is_counted_and_dropped(code, kind):
    for right in (True, False):
        teacher = Misbehaving(kind, right)
        rows = translated(english(SAID["eng_Latn"][0].format(7)), teacher, LANGUAGES[code].identity)
        kept, dropped = curate(rows, LANGUAGES[code].identity, limits("translate-respond", code))
        assert (kept.height, dropped.height) == ((1, 0) if right else (0, 1))
    assert dropped["reason"][0] in SLIPS[kind.split(": ")[1]]


VERBS = ("Eleza", "Andika", "Taja", "Fafanua", "Orodhesha", "Linganisha", "Chagua", "Tafsiri")
THINGS = (
    "wanyama wa porini",
    "miti ya matunda",
    "vyakula vya asili",
    "michezo ya watoto",
    "siku za wiki",
    "nchi za jirani",
)
WHY = ("kwa maneno yako mwenyewe", "ambayo watu wengi hupenda", "kwa sentensi moja fupi", "na ueleze sababu zake")


def swahili(prompt):
    """Answer a request of the chain: with a translation, an answer, or two more tasks of the list."""
    number = number_of(prompt)
    ask = [f"{VERBS[n % 8]} {THINGS[n // 8 % 6]} {WHY[n // 48 % 4]}." for n in (number, number // 192)]
    if prompt.startswith("Translate"):
        return ask[0]
    if prompt.startswith("Answer"):
        return "Hayo ni mambo ambayo watu wa kijijini wanayajua vizuri sana."
    first = max(map(int, re.findall(r"^(\d+)\. Instruction", prompt, re.M))) + 1
    answer = "Watoto walikwenda shuleni asubuhi na mapema leo."
    tasks = [{"instruction": text, "input": "", "output": answer} for text in ask]
    return "".join(numbered(first + n, task) for n, task in enumerate(tasks))


@pytest.mark.heavy
def test_english_seed_tasks_become_those_of_a_language_and_then_its_dataset(tmp_path, monkeypatch):
    monkeypatch.setitem(KINDS, "swahili", swahili)
    (tmp_path / "project").mkdir()
    project = Project.made_in(tmp_path / "project")
    folder = tmp_path / "instruct/self_instruct_seed"
    folder.mkdir(parents=True)
    tasks = [
        {"id": f"seed_task_{n}", "instruction": f"Name {n} rivers.", "instances": [{"input": "", "output": "Nile"}]}
        for n in range(12)
    ]
    (folder / "seed_tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    project.study(grid=[TOY_STUDY["grid"][0] | {"datasets": ["self-instruct"]}], data=str(tmp_path))
    with Endpoint(kinds=("swahili",)) as endpoint:
        for name in ("self-instruct", "seeds-translated"):
            project.replace(f"config/datasets/{name}.yaml", "http://localhost:8000/v1", endpoint.url)
        project.replace("config/datasets/self-instruct.yaml", "rounds: 10", "rounds: 2")
        project.replace("config/datasets/self-instruct.yaml", "requests_per_round: 100", "requests_per_round: 10")
        project.snakemake("results/examples/self-instruct/swh_Latn.parquet")
        prompts = [body["messages"][0]["content"] for body in endpoint.bodies]
    results = project.folder / "results/examples"
    assert sorted(path.relative_to(results).as_posix() for path in results.rglob("*.parquet")) == [
        "seeds-translated/swh_Latn.parquet",
        "seeds/eng_Latn.parquet",
        "self-instruct/swh_Latn.parquet",
    ]
    seeds, made = (
        pl.read_parquet(results / name / "swh_Latn.parquet") for name in ("seeds-translated", "self-instruct")
    )
    assert seeds.height > 3 and made.height > 3
    assert set(made["parent"].str.split(" ").explode()) & set(seeds["id"])
    lists = [prompt for prompt in prompts if "1. Instruction:" in prompt]
    assert len(lists) == 20 and all(text.startswith("Endeleza orodha") for text in lists)
    log = (project.folder / "logs/synthesize/self-instruct/swh_Latn.log").read_text()
    assert f"swh_Latn: asked in swh_Latn, {seeds.height} seed tasks" in log
