"""Real rows of every benchmark: each becomes a prompt, and its gold answer is scored as right in every language."""

from functools import cache
from itertools import cycle

import polars as pl
import pytest
import regex
from project import ROOT

from maple.data.contamination import (
    MIN_NGRAM_WORDS,
    NGRAM_WORDS,
    BenchmarkTexts,
    ContaminationError,
    DecontaminationTests,
    TaskOverlap,
    guard,
    overlapping_tasks,
    overlaps,
)
from maple.data.examples import EXAMPLE_SCHEMA
from maple.data.sources import RowFile, RowFolders, resolve
from maple.definitions.language import read_languages
from maple.definitions.reading import read_definitions
from maple.definitions.run import RunKey
from maple.definitions.task import Task, TaskSettings
from maple.evaluation.benchmark_rows import read_task, row_places
from maple.evaluation.prompt_words import task_words
from maple.evaluation.prompts import render
from maple.evaluation.scoring import score_items
from maple.synthesis.published import load
from maple.synthesis.recipe import LoadedRows
from maple.text.words import sentences, words

SHARED = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"real rows are not there: {SHARED}")
LANGUAGES = read_languages(ROOT / "config/languages.tsv")
# The tasks whose rows the folder has whole; labelled rows are asked in tests/evaluation/test_training_rows.py.
TASKS = {name: task for name, task in read_definitions(ROOT / "config/tasks", Task).items() if (SHARED / name).is_dir()}
FOLDERS = RowFolders(data=str(SHARED), fetched="hub")
RUN = RunKey("m", "d", "lora-r8-4bit", 1)
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


def languages_of(task):
    """The languages of a task whose rows exist."""
    codes = [code for code in LANGUAGES if code in TASKS[task].sources.local.languages]
    return [code for code in codes if file_of(task, code, "test").parent.is_dir()]


def file_of(task, code, split):
    row = LANGUAGES[code]
    return SHARED / task / (code if task == "belebele" else row.iso639_1) / f"{split}.jsonl"


@cache
def rows_of(task, code):
    definition = TASKS[task]
    places = row_places(definition.sources.local, LANGUAGES, code, FOLDERS, repair=definition.repair, dev=True)
    return read_task(task, places, repair=definition.repair, phrases=None, items=None)


def rendered(task, code, rows, *, dev=(), shots=0):
    spec, settings = TASKS[task].prompt_spec(), TaskSettings(shots=shots)
    words = task_words(TASKS[task], LANGUAGES[code], LANGUAGES["eng_Latn"], "own")
    return render(spec, settings, task=task, language=code, rows=rows, words=words, dev=dev)


@cache
def prompts_of(task, code):
    rows = rows_of(task, code)
    return rendered(task, code, rows.test, dev=rows.dev, shots=2)


@pytest.mark.parametrize("task", TASKS)
def test_every_folder_of_rows_is_of_a_language_that_the_task_offers(task):
    folders = {folder.name for folder in (SHARED / task).iterdir()}
    assert folders == {file_of(task, code, "test").parent.name for code in languages_of(task)} != set()


CELLS = [(task, code) for task in TASKS for code in languages_of(task)]
each_cell = pytest.mark.parametrize(("task", "code"), CELLS)
CHOICES = [(task, code) for task, code in CELLS if TASKS[task].choices]
OPEN = [(task, code) for task, code in CELLS if not TASKS[task].choices]


@each_cell
def test_every_row_becomes_a_prompt(task, code):
    for split, rows in rows_of(task, code)._asdict().items():
        count = file_of(task, code, split).read_text(encoding="utf-8").count("\n")
        prompts = rendered(task, code, rows)
        assert (split, prompts.height) == (split, count)
        assert prompts["fault"].to_list() == [None] * count
        assert prompts["targets"].list.len().min() > 0


@each_cell
def test_prompts_have_two_demonstrations_from_dev_rows(task, code):
    prompts = prompts_of(task, code)
    assert {len(demonstrations) for demonstrations in prompts["demonstrations"]} == {2}
    dev_prompts = set(rendered(task, code, rows_of(task, code).dev)["prompt"])
    for demonstration in prompts["demonstrations"][0]:
        assert demonstration["prompt"] in dev_prompts and demonstration["answer"].strip()


def scores_of(task, code, metrics, answers):
    """The scores of completions, one for each (number of the prompt, completion)."""
    prompts = prompts_of(task, code).to_dicts()
    completion = {"answer": "generate", "finish_reason": "stop", "completion_tokens": 1, "log_likelihoods": []}
    counts = {"prompt_tokens": 9, "item_tokens": 9, "shots": 2, "shots_dropped": 0}
    rows = [{**prompts[number], "completion": text, **completion, **counts} for number, text in answers]
    return score_items(pl.DataFrame(rows), {task: metrics}, RUN, LANGUAGES[code])


def assert_all_right(task, code, metrics, answers):
    answers = list(answers)
    scores = scores_of(task, code, metrics, answers)
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
    script = LANGUAGES[code].script
    after = cycle(MARKS["Latn"] + MARKS.get(script, ""))
    quotes = cycle(QUOTES["default"] + QUOTES.get(script, []))
    for number, text in answers:
        opening, closing = next(quotes)
        yield number, text + next(after)
        yield number, f"{opening}{text}{closing}{next(after)}"


@pytest.mark.parametrize(("task", "code"), CHOICES)
def test_the_gold_choice_is_right_also_with_punctuation(task, code):
    assert_all_right(task, code, ["accuracy"], gold_answers(task, code))
    assert_all_right(task, code, ["accuracy"], punctuated(gold_answers(task, code), code))


@pytest.mark.parametrize(("task", "code"), OPEN)
def test_the_gold_answer_scores_one_by_every_metric(task, code):
    golds = list(gold_answers(task, code))
    assert_all_right(task, code, ["exact_match", "f1", "rouge1", "rougeL", "rougeLsum", "chrf++", "bleu"], golds)
    # A single word has no pair of words to share.
    assert_all_right(task, code, ["rouge2"], [gold for gold in golds if len(words(gold[1], code)) > 1])


@pytest.mark.parametrize(("task", "code"), OPEN)
def test_punctuation_does_not_lower_the_score_of_a_gold_answer(task, code):
    # chrF++ and BLEU count punctuation by definition.
    golds = list(gold_answers(task, code))
    assert_all_right(task, code, [name for name in WORD_METRICS if name != "rouge2"], punctuated(golds, code))
    long = [gold for gold in golds if len(words(gold[1], code)) > 1]
    assert_all_right(task, code, ["rouge2"], punctuated(long, code))


@pytest.mark.parametrize("code", languages_of("xlsum"))
def test_rouge_ascii_of_a_gold_summary_is_one_or_zero_without_latin_letters(code):
    golds = list(gold_answers("xlsum", code))
    latin = [gold for gold in golds if regex.search("[a-z0-9]", gold[1].lower())]
    if latin:
        assert_all_right("xlsum", code, ["rouge_ascii"], latin)
    if rest := [gold for gold in golds if gold not in latin]:
        assert set(scores_of("xlsum", code, ["rouge_ascii"], rest)["value"]) == {0.0}


def test_xcopa_asks_the_same_question_of_an_item_in_every_language():
    for split in ("test", "dev"):
        questions = [
            {row["idx"]: row["question"] for row in getattr(rows_of("xcopa", code), split)}
            for code in languages_of("xcopa")
        ]
        assert all(of_language == questions[0] for of_language in questions)
        assert set(questions[0].values()) == {"cause", "effect"}


@pytest.mark.parametrize("code", languages_of("xcopa"))
def test_xcopa_is_repaired_in_the_languages_that_have_it_wrong(code):
    wrong = {"tha_Thai", "tur_Latn", "swh_Latn", "ind_Latn", "ita_Latn"}
    assert (prompts_of("xcopa", code)["repaired"].sum() > 0) == (code in wrong)


def texts_of(task, codes):
    """The texts of a task that examples in some languages are compared with, by task."""
    definition = TASKS[task]
    identities = [LANGUAGES[code] for code in codes if code in languages_of(task)]
    sources = [resolve(definition.sources.local, identity, FOLDERS, "test") for identity in identities]
    texts = BenchmarkTexts(sources=sources, fields=definition.fields, passage=definition.passage or None)
    return {task: texts}


def decontamination(task, codes):
    return DecontaminationTests(tests=texts_of(task, codes))


def examples(outputs, code):
    common = {
        "language": code,
        "instruction": LANGUAGES[code].words["question"],
        "input": "",
        "recipe": "load",
        "seed": 0,
    }
    rows = [
        {"id": f"row {number}", "output": output, **common, "teacher": "", "parent": ""}
        for number, output in enumerate(outputs)
    ]
    return pl.DataFrame(rows, schema=EXAMPLE_SCHEMA)


def clauses(code):
    """The first sentence of each passage; of Thai, which marks no end of a sentence, the first quarter."""
    for passage in sorted({row["flores_passage"] for row in rows_of("belebele", code).test}):
        spaced = passage.split(" ")
        yield " ".join(spaced[: len(spaced) // 4 + 1]) if code == "tha_Thai" else sentences(passage)[0]


def long_enough(text, code, least=NGRAM_WORDS):
    return len(words(text, code)) >= least * (2 if LANGUAGES[code].script in ("Laoo", "Khmr", "Mymr") else 1)


each_script = pytest.mark.parametrize("code", ["eng_Latn", "tha_Thai", "zho_Hans", "tam_Taml"])


@each_script
def test_a_sentence_of_a_passage_is_refused(code):
    harmless = [LANGUAGES[code].words[name] for name in ("xnli_instruction", "xcopa_instruction", "qa_instruction")]
    card = guard(examples(harmless, code), decontamination("belebele", [code]), "d")
    assert card.tasks == {"belebele": TaskOverlap(items=200, examples=3, overlapping=0, first=[])}
    sentence = next(text for text in clauses(code) if long_enough(text, code))
    held = f"{harmless[0]} {sentence} {harmless[1]}"
    with pytest.raises(ContaminationError, match="1 examples hold passages of belebele, the first are row 3"):
        guard(examples([*harmless, held], code), decontamination("belebele", [code]), "d")


@each_script
def test_a_sentence_of_any_passage_is_found(code):
    texts = [text for text in clauses(code) if long_enough(text, code)]
    assert len(texts) > 30
    passages = {row["flores_passage"] for row in rows_of("belebele", code).test}
    assert overlaps(examples(texts, code), {"belebele": passages}, NGRAM_WORDS)["row"].to_list() == list(
        range(len(texts))
    )


@pytest.mark.parametrize("task", TASKS)
def test_every_text_of_enough_words_is_found_in_its_task(task):
    count = 0
    for code in languages_of(task):
        rows = rows_of(task, code).test
        texts = [row[field] for row in rows for field in TASKS[task].fields if isinstance(row[field], str)]
        enough = [text for text in texts if long_enough(text, code, MIN_NGRAM_WORDS)]
        assert overlapping_tasks(examples(enough, code), decontamination(task, [code])) == [task] * len(enough)
        count += len(enough)
    assert count > 100


def instructions(name, code):
    renamed = {"columns": {"output": "response"}} if name.startswith("dolly") else {}
    source = RowFile(path=str(SHARED / f"instruct/{name}.jsonl"), **renamed)
    return load(LoadedRows(local=source), LANGUAGES[code])


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
def test_real_instructions_hold_no_passage_and_almost_no_test_row(name, code):
    texts = {task: texts for each in TASKS for task, texts in texts_of(each, {code, "eng_Latn"}).items()}
    rows = instructions(name, code)
    overlap = guard(rows, DecontaminationTests(tests=texts), name).tasks
    print(name, {task: (counts.overlapping, counts.first) for task, counts in overlap.items()})
    assert overlap["belebele"].items == 200 and rows.height >= 1000
    assert sum(counts.overlapping for counts in overlap.values()) < 0.001 * rows.height
