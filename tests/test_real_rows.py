"""The real rows of every benchmark: all are asked, and a right answer is a right answer in every language."""

from functools import cache
from itertools import cycle

import polars as pl
import pytest
import regex
from project import ROOT

from maple.data.contamination import FEWEST, OVERLAP, ContaminationError, found_in, guard, overlaps
from maple.data.examples import EXAMPLE_SCHEMA
from maple.data.sources import resolve
from maple.definitions.loading import read_definitions
from maple.definitions.tables import read_languages
from maple.evaluation.benchmark_rows import places, read_task
from maple.evaluation.prompts import render, task_words
from maple.evaluation.scoring import score_items
from maple.synthesis.published import load
from maple.text.segmentation import tokens
from maple.text.words import sentences, words

SHARED = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"real rows are not there: {SHARED}")
LANGUAGES = read_languages(ROOT / "config/languages.tsv")
TASKS = read_definitions(ROOT / "config/tasks", ROOT / "workflow/schemas/task.schema.yaml")
RUN = {"model": "m", "dataset": "d", "method": "lora-r8-4bit", "seed": 1}
# Marks that end or part sentences, by script; those of Latin are used with all.
MARKS = {
    "Latn": ".!?…;:,",
    "Arab": "،؛؟۔",
    "Deva": "।॥",
    "Ethi": "።፣፤፧",
    "Grek": "\u037e·",
    "Hans": "。，！？、；：",
    "Hant": "。，！？、；：",
    "Khmr": "។៕",
    "Mymr": "၊။",
    "Taml": "।",
    "Thai": "๏๚๛",
}
QUOTES = {"Hans": ["“”", "《》", "「」"], "Hant": ["「」", "『』"], "default": ["“”", "«»", "„“", "‘’"]}
WORD_METRICS = ["exact_match", "f1", "rouge1", "rouge2", "rougeL", "rougeLsum"]


def there(task):
    """The languages of a task whose rows are there."""
    codes = [code for code in LANGUAGES if code in TASKS[task]["sources"]["local"]["languages"]]
    return [code for code in codes if file_of(task, code, "test").parent.is_dir()]


def file_of(task, code, split):
    row = LANGUAGES[code]
    return SHARED / task / (code if task == "belebele" else row["iso639_1"]) / f"{split}.jsonl"


@cache
def rows_of(task, code):
    mend = TASKS[task].get("repair")
    source = {"local": TASKS[task]["sources"]["local"]}
    where = places(source, LANGUAGES, code, data=str(SHARED), mend=mend, dev=True)
    return read_task(task, places=where, mend=mend, phrases=None, items=None)


def rendered(task, code, rows, **more):
    words = task_words(TASKS[task], LANGUAGES[code], LANGUAGES["eng_Latn"], "own")
    return render(TASKS[task], task, rows, code, words, **more)


@cache
def prompts_of(task, code):
    rows = rows_of(task, code)
    return rendered(task, code, rows["test"], dev=rows["dev"], shots=2)


@pytest.mark.parametrize("task", TASKS)
def test_every_folder_of_rows_is_of_a_language_that_the_task_offers(task):
    folders = {folder.name for folder in (SHARED / task).iterdir()}
    assert folders == {file_of(task, code, "test").parent.name for code in there(task)} != set()


CELLS = [(task, code) for task in TASKS for code in there(task)]
each_cell = pytest.mark.parametrize(("task", "code"), CELLS)
CHOICES = [(task, code) for task, code in CELLS if "choices" in TASKS[task]]
OPEN = [(task, code) for task, code in CELLS if "choices" not in TASKS[task]]


@each_cell
def test_every_row_is_read_and_asked(task, code):
    for split, rows in rows_of(task, code).items():
        there_are = file_of(task, code, split).read_text(encoding="utf-8").count("\n")
        prompts = rendered(task, code, rows)
        assert (split, prompts.height) == (split, there_are)
        assert prompts["fault"].to_list() == [None] * there_are
        assert prompts["targets"].list.len().min() > 0


@each_cell
def test_two_rows_of_dev_demonstrate(task, code):
    prompts = prompts_of(task, code)
    assert {len(shown) for shown in prompts["demonstrations"]} == {2}
    asked = set(rendered(task, code, rows_of(task, code)["dev"])["prompt"])
    for shown in prompts["demonstrations"][0]:
        assert [prompt for prompt in asked if shown.startswith(prompt)]


def answered(task, code, metrics, answers):
    """The scores of completions, one for each (number of the prompt, completion)."""
    prompts = prompts_of(task, code).to_dicts()
    told = {"answer": "generate", "finish_reason": "stop", "completion_tokens": 1, "log_likelihoods": []}
    counted = {"prompt_tokens": 9, "item_tokens": 9, "shots": 2, "shots_dropped": 0}
    rows = [{**prompts[number], "completion": said, **told, **counted} for number, said in answers]
    return score_items(pl.DataFrame(rows), {task: metrics}, RUN, LANGUAGES[code])


def assert_all_right(task, code, metrics, answers):
    answers = list(answers)
    scores = answered(task, code, metrics, answers)
    assert scores.height == len(answers) * len(metrics) > 0
    wrong = scores.filter((pl.col("value") - 1).abs() > 1e-9)
    assert wrong.is_empty(), wrong.select("item", "metric", "prediction", "value").rows()[:10]


def gold_answers(task, code):
    """Every form of the gold label, or every gold text, of each prompt: (number of the prompt, text)."""
    for number, row in enumerate(prompts_of(task, code).iter_rows(named=True)):
        forms = row["verbalizers"][row["labels"].index(row["targets"][0])] if row["labels"] else row["targets"]
        yield from ((number, form) for form in dict.fromkeys(forms))


def punctuated(answers, code):
    """Each answer once with a mark after it, and once in quotation marks with one; all marks in turn."""
    script = LANGUAGES[code]["script"]
    after = cycle(MARKS["Latn"] + MARKS.get(script, ""))
    quotes = cycle(QUOTES["default"] + QUOTES.get(script, []))
    for number, said in answers:
        opening, closing = next(quotes)
        yield number, said + next(after)
        yield number, f"{opening}{said}{closing}{next(after)}"


@pytest.mark.parametrize(("task", "code"), CHOICES)
def test_the_gold_choice_is_right_and_so_it_is_with_punctuation(task, code):
    assert_all_right(task, code, ["accuracy"], gold_answers(task, code))
    assert_all_right(task, code, ["accuracy"], punctuated(gold_answers(task, code), code))


@pytest.mark.parametrize(("task", "code"), OPEN)
def test_the_gold_answer_scores_one_by_every_metric(task, code):
    golds = list(gold_answers(task, code))
    assert_all_right(task, code, ["exact_match", "f1", "rouge1", "rougeL", "rougeLsum", "chrf++", "bleu"], golds)
    # A single word has no pair of words to share.
    assert_all_right(task, code, ["rouge2"], [gold for gold in golds if len(words(gold[1], code)) > 1])


@pytest.mark.parametrize(("task", "code"), OPEN)
def test_punctuation_costs_the_gold_answer_nothing(task, code):
    # chrF++ and BLEU count punctuation by definition.
    golds = list(gold_answers(task, code))
    assert_all_right(task, code, [name for name in WORD_METRICS if name != "rouge2"], punctuated(golds, code))
    long = [gold for gold in golds if len(words(gold[1], code)) > 1]
    assert_all_right(task, code, ["rouge2"], punctuated(long, code))


@pytest.mark.parametrize("code", there("xlsum"))
def test_rouge_ascii_of_a_gold_summary_is_one_or_without_latin_letters_nought(code):
    golds = list(gold_answers("xlsum", code))
    latin = [gold for gold in golds if regex.search("[a-z0-9]", gold[1].lower())]
    if latin:
        assert_all_right("xlsum", code, ["rouge_ascii"], latin)
    if rest := [gold for gold in golds if gold not in latin]:
        assert set(answered("xlsum", code, ["rouge_ascii"], rest)["value"]) == {0.0}


def test_xcopa_asks_the_same_question_of_an_item_in_every_language():
    for split in ("test", "dev"):
        asked = [{row["idx"]: row["question"] for row in rows_of("xcopa", code)[split]} for code in there("xcopa")]
        assert all(questions == asked[0] for questions in asked)
        assert set(asked[0].values()) == {"cause", "effect"}


@pytest.mark.parametrize("code", there("xcopa"))
def test_xcopa_is_mended_where_it_is_wrong_and_nowhere_else(code):
    wrong = {"tha_Thai", "tur_Latn", "swh_Latn", "ind_Latn", "ita_Latn"}
    assert (prompts_of("xcopa", code)["repaired"].sum() > 0) == (code in wrong)


def compared_with(task, codes):
    definition = TASKS[task]
    places = [LANGUAGES[code] for code in codes if code in there(task)]
    sources = [resolve({"local": definition["sources"]["local"]}, row, str(SHARED), "test") for row in places]
    return {task: {"sources": sources, "fields": definition["fields"], "passage": definition.get("passage")}}


def examples(outputs, code):
    common = {"language": code, "instruction": LANGUAGES[code]["question"], "input": "", "recipe": "load", "seed": 0}
    rows = [
        {"id": f"row {number}", "output": said, **common, "teacher": "", "parent": ""}
        for number, said in enumerate(outputs)
    ]
    return pl.DataFrame(rows, schema=EXAMPLE_SCHEMA)


def clauses(code):
    """The first sentence of each passage; of Thai, which marks no end of a sentence, the first quarter."""
    for passage in sorted({row["flores_passage"] for row in rows_of("belebele", code)["test"]}):
        spaced = passage.split(" ")
        yield " ".join(spaced[: len(spaced) // 4 + 1]) if code == "tha_Thai" else sentences(passage)[0]


def long_enough(text, code, words=OVERLAP):
    return len(tokens(text)) >= words * (2 if LANGUAGES[code]["script"] in ("Thai", "Laoo", "Hans", "Hant") else 1)


each_script = pytest.mark.parametrize("code", ["eng_Latn", "tha_Thai", "zho_Hans", "tam_Taml"])


@each_script
def test_a_sentence_of_a_passage_is_refused(code):
    harmless = [LANGUAGES[code][name] for name in ("xnli_instruction", "xcopa_instruction", "qa_instruction")]
    compared = guard(examples(harmless, code), compared_with("belebele", [code]), "d")
    assert compared == {"belebele": {"items": 200, "examples": 3, "overlapping": 0, "first": []}}
    sentence = next(said for said in clauses(code) if long_enough(said, code))
    held = f"{harmless[0]} {sentence} {harmless[1]}"
    with pytest.raises(ContaminationError, match="1 examples hold passages of belebele, the first are row 3"):
        guard(examples([*harmless, held], code), compared_with("belebele", [code]), "d")


@each_script
def test_a_sentence_of_any_passage_is_found(code):
    said = [text for text in clauses(code) if long_enough(text, code)]
    assert len(said) > 30
    passages = {row["flores_passage"] for row in rows_of("belebele", code)["test"]}
    assert overlaps(examples(said, code), {"belebele": passages}, OVERLAP)["row"].to_list() == list(range(len(said)))


@pytest.mark.parametrize("task", TASKS)
def test_every_text_of_enough_words_is_found_in_its_task(task):
    looked_for = 0
    for code in there(task):
        rows = rows_of(task, code)["test"]
        texts = [row[field] for row in rows for field in TASKS[task]["fields"] if isinstance(row[field], str)]
        enough = [text for text in texts if long_enough(text, code, FEWEST)]
        assert found_in(examples(enough, code), compared_with(task, [code]), OVERLAP) == [task] * len(enough)
        looked_for += len(enough)
    assert looked_for > 100


def instructions(name, code):
    renamed = {"columns": {"output": "response"}} if name.startswith("dolly") else {}
    return load({"local": {"path": str(SHARED / f"instruct/{name}.jsonl"), **renamed}}, LANGUAGES[code])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("alpaca/en", "eng_Latn"),
        ("dolly/en", "eng_Latn"),
        ("multialpaca/es", "spa_Latn"),
        ("multialpaca/pt", "por_Latn"),
        ("multialpaca/ja", "jpn_Jpan"),
    ],
)
def test_real_instructions_hold_no_passage_and_next_to_no_test_row(name, code):
    tests = {task: test for each in TASKS for task, test in compared_with(each, {code, "eng_Latn"}).items()}
    made = instructions(name, code)
    compared = guard(made, tests, name)
    print(name, {task: (counted["overlapping"], counted["first"]) for task, counted in compared.items()})
    assert compared["belebele"]["items"] == 200 and made.height >= 1000
    assert sum(counted["overlapping"] for counted in compared.values()) < 0.001 * made.height
