"""The benchmarks of config/tasks/ whose rows no folder here has: files in the form in which they were published become
prompts in every language of the table, and gold answers are scored as right. The texts are digits."""

import json
from functools import cache

import polars as pl
import pytest
from project import ROOT
from studies import study

from maple.data.sources import RowFolders
from maple.definitions.reading import read_definitions
from maple.definitions.run import RunKey
from maple.definitions.task import Task
from maple.evaluation.benchmark_rows import read_task
from maple.evaluation.prompts import render
from maple.evaluation.scoring import score_items
from maple.metrics.registry import METRICS
from maple.study.first_rows import check_first_rows
from maple.study.languages import read_study_languages

TASKS = read_definitions(ROOT / "config/tasks", Task)
RUN = RunKey("m", "d", "lora-r8-4bit", 1)


def table(folder, path, head, *rows):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text("".join("\t".join(map(str, cells)) + "\n" for cells in (head, *rows)))


def lines(folder, path, *rows):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text("".join(f"{row}\n" for row in rows))


def paws_x(folder, language, split, first):
    name = {"test": "test_2k", "dev": "dev_2k"}[split]
    table(
        folder,
        f"x-final/{language.iso639_1}/{name}.tsv",
        ("id", "sentence1", "sentence2", "label"),
        *((first + n, f'"{first + n}', f"70{n}", n % 2) for n in range(4)),
    )


def xstorycloze(folder, language, split, first):
    name = {"test": "eval", "dev": "train"}[split]
    sentences = [f"InputSentence{n}" for n in range(1, 5)]
    endings = ["RandomFifthSentenceQuiz1", "RandomFifthSentenceQuiz2"]
    table(
        folder,
        f"xstorycloze/spring2016.val.{language.iso639_1}.tsv.split_20_80_{name}.tsv",
        ("InputStoryid", *sentences, *endings, "AnswerRightEnding"),
        *((f"story-{first + n}", first + n, 702, 703, 704, 711, 722, n % 2 + 1) for n in range(4)),
    )


def tydiqa(folder, language, split, first):
    name = {"test": "dev", "dev": "train"}[split]
    path = folder / f"tydiqa/tydiqa-goldp-v1.1-{name}.json"
    path.parent.mkdir(exist_ok=True)
    data = json.loads(path.read_text())["data"] if path.exists() else []
    key = TASKS["tydiqa-goldp"].sources.local.languages[language.code]
    questions = [
        {"id": f"{key}-{first + n}-{n}", "question": "704", "answers": [{"text": "703", "answer_start": 4}]}
        for n in range(3)
    ]
    data.append({"paragraphs": [{"context": f"{first} 703", "qas": questions}]})
    path.write_text(json.dumps({"version": "TyDiQA-GoldP-1.1-for-SQuAD-1.1", "data": data}))


def americasnli(folder, language, split, first):
    labels = ("entailment", "neutral", "contradiction")
    others = [("bzd", f'"{n}', 9, "neutral") for n in range(3)]
    table(
        folder,
        f"americasnli/{split}.tsv",
        ("language", "premise", "hypothesis", "label"),
        *others,
        *(("quy", f'"{first + n}', 702, label) for n, label in enumerate(labels)),
    )


def global_mmlu(folder, language, split, first):
    key = TASKS["global-mmlu"].sources.local.languages[language.code]
    path = folder / f"global-mmlu/{key}/{split}-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {f"option_{letter}": f"7{number}1" for number, letter in enumerate("abcd")}
    rows = [
        {"sample_id": f"law/{split}/{n}", "subject": "law", "question": f"{first + n}", **options, "answer": letter}
        for n, letter in enumerate("ABCD")
    ]
    pl.DataFrame(rows).write_parquet(path)


def flores(folder, language, split, first):
    name = {"test": "devtest", "dev": "dev"}[split]
    for code in ("eng_Latn", language.code):
        texts = [f"{first + n} 702 703 704 705 706." for n in range(3)]
        lines(folder, f"flores200_dataset/{name}/{code}.{name}", *texts)


def sib200(folder, language, split, first):
    labels = [*TASKS["sib200"].choices, "travel"]
    rows = ({"index_id": str(first + n), "category": label, "text": f"{first + n}"} for n, label in enumerate(labels))
    name = {"test": "test", "dev": "valid"}[split]
    lines(folder, f"classification/sib200/{language.code}/{name}.jsonl", *map(json.dumps, rows))


def sentiment(task, folder_name, id_name, text_name):
    def written(folder, language, split, first):
        key = TASKS[task].sources.local.languages[language.code]
        labels = ("negative", "neutral", "positive")
        rows = ({id_name: first + n, text_name: f"{first + n}", "label": label} for n, label in enumerate(labels))
        name = {"test": "test", "dev": "valid"}[split]
        lines(folder, f"classification/{folder_name}/{key}/{name}.jsonl", *map(json.dumps, rows))

    return written


PUBLISHED = {
    "paws-x": paws_x,
    "xstorycloze": xstorycloze,
    "tydiqa-goldp": tydiqa,
    "americasnli": americasnli,
    "global-mmlu": global_mmlu,
    "translate-flores": flores,
    "translate-flores-into-english": flores,
    "sib200": sib200,
    "afrisenti": sentiment("afrisenti", "afrisenti", "row", "tweet"),
    "nusax": sentiment("nusax", "nusax_senti", "id", "text"),
}
TABLE = read_study_languages(ROOT / "config", []).table
each_task = pytest.mark.parametrize("task", PUBLISHED)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with the rows of all these tasks in all languages of the table."""
    folder = tmp_path_factory.mktemp("published")
    for task, written in PUBLISHED.items():
        for code in codes_of(task):
            written(folder, TABLE[code], "test", 100)
            written(folder, TABLE[code], "dev", 200)
    return folder


def codes_of(task):
    offered = TASKS[task].sources.local.languages
    return [code for code in TABLE if offered == "all" or code in offered]


@cache
def study_of(task, data, prompt_language="own"):
    changes = {"task_source": "local", "data": str(data), "languages": codes_of(task), "shots": {task: 2}}
    grid = [{"models": ["qwen3-4b-instruct"], "datasets": [], "methods": {}, "seeds": []}]
    return study(tasks=[task], answers={}, grid=grid, prompt_language=prompt_language, **changes)


def prompts_of(task, code, data, prompt_language="own"):
    of_study = study_of(task, data, prompt_language)
    study_task, folders = of_study.tasks[task], RowFolders(str(data), "hub")
    places = study_task.places(code, of_study.languages, folders)
    rows = read_task(task, places, repair=None, phrases=None, items=None)
    words = study_task.words(code, of_study.languages, prompt_language)
    settings = study_task.settings_in(code)
    return render(
        study_task.prompt_spec, settings, task=task, language=code, rows=rows.test, words=words, dev=rows.dev
    ).to_dicts()


def scores_of(task, code, data, answers):
    """The mean score by each metric of the task; `answers` are pairs of a prompt and a completion."""
    count = {"prompt_tokens": 9, "item_tokens": 9, "shots": 0, "shots_dropped": 0, "completion_tokens": 1}
    common = {"answer": "generate", "finish_reason": "stop", "log_likelihoods": [], **count}
    rows = pl.DataFrame([{**prompt, "completion": text, **common} for prompt, text in answers])
    definition = TASKS[task]
    pair = study_of(task, data).tasks[task].pair(code, study_of(task, data).languages)
    answered = {task: pair.target} if pair else {}
    scores = score_items(rows, {task: definition.metrics}, RUN, TABLE[code].identity, answer_languages=answered)
    return {name: value for name, value in scores.group_by("metric").agg(pl.col("value").mean()).iter_rows()}


def gold_forms(prompt):
    """All forms of the gold label, or all gold texts."""
    labels = prompt["labels"]
    return prompt["verbalizers"][labels.index(prompt["targets"][0])] if labels else prompt["targets"]


@each_task
def test_a_study_of_all_its_languages_is_planned(task, data):
    of_study = study_of(task, data)
    assert of_study.tasks[task].languages == codes_of(task)
    assert of_study.tasks[task].modes == ({"generate", "rank"} if TASKS[task].choices else {"generate"})
    for code in codes_of(task):
        check_first_rows(of_study.tasks[task], code, of_study.languages, RowFolders(str(data), "hub"), "own")


@each_task
@pytest.mark.parametrize("prompt_language", ["own", "english"])
def test_each_row_becomes_a_prompt_that_names_its_answers(task, prompt_language, data):
    for code in codes_of(task):
        for prompt in prompts_of(task, code, data, prompt_language):
            assert prompt["fault"] is None and len(prompt["demonstrations"]) == 2
            assert not {"{", "}", "None"} & set(prompt["prompt"].split())
            assert (
                not prompt["labels"]
                or task in ("xstorycloze",)
                or all(forms[0] in prompt["prompt"] for forms in prompt["verbalizers"])
            ), (code, prompt["prompt"])


@each_task
def test_gold_scores_one_by_every_metric_in_every_language_and_form(task, data):
    for code in codes_of(task):
        prompts = prompts_of(task, code, data)
        marked = ["{}", "{}.", "**{}**", "“{}”", "\n{}\n\nx"] if TASKS[task].choices else ["{}"]
        for place in range(max(len(gold_forms(prompt)) for prompt in prompts)):
            for mark in marked:
                answers = [(prompt, mark.format((gold_forms(prompt) * 9)[place])) for prompt in prompts]
                scores = scores_of(task, code, data, answers)
                best = {name: METRICS[name].scale.high for name in TASKS[task].metrics}
                assert scores == pytest.approx(best), (code, answers[0][1])


# "not", as speakers of these languages would put it behind a label or before it.
NEGATIONS = {
    "eng": ("{} not", "not {}"),
    "deu": ("{} nicht", "nicht {}"),
    "spa": ("{} no es",),
    "fra": ("pas {}",),
    "rus": ("не {}",),
    "por": ("{} não é", "não {}"),
    "ita": ("{} non è", "non {}"),
    "tur": ("{} değil",),
    "hin": ("{} नहीं है", "{} नहीं"),
    "ind": ("bukan {}", "tidak {}"),
    "jpn": ("{}ではない", "{}ではありません"),
    "kor": ("{} 아님", "{}이 아닙니다"),
    "zho": ("不是{}", "{}不是"),
    "arb": ("ليس {}",),
    "swh": ("si {}",),
    "vie": ("không phải {}",),
}


@pytest.mark.parametrize("task", [task for task in PUBLISHED if TASKS[task].choices])
def test_a_denied_label_never_scores_one(task, data):
    for code in codes_of(task):
        prompts = prompts_of(task, code, data)
        for negation in NEGATIONS["eng"] + NEGATIONS.get(code[:3], ()):
            for place in range(max(len(gold_forms(prompt)) for prompt in prompts)):
                forms = [(gold_forms(prompt) * 9)[place] for prompt in prompts]
                if ". " in forms[0]:  # a letter or digit with its mark is the choice, whatever text follows
                    continue
                answers = [(prompt, negation.format(form)) for prompt, form in zip(prompts, forms, strict=True)]
                assert scores_of(task, code, data, answers)["accuracy"] == 0, (code, answers[0][1])
