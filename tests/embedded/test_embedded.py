import random
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from maple.definitions.language import Language, read_languages
from maple.definitions.reading import read_yaml
from maple.definitions.task import Task, TaskSettings
from maple.embedded.cldr import facts, held_out, names, official_languages
from maple.embedded.corpus import GLOSSARY, documents
from maple.embedded.speech import KEYS, SENTENCES, SENTENCES_OF_SOME, Speech, Unnamed
from maple.embedded.tasks import PROBLEMS, pool, render, rows, shift, unlike_countries
from maple.evaluation.prompt_words import task_words
from maple.evaluation.prompts import render as render_prompts
from maple.models.frames import instruction_text
from maple.synthesis.embedded_teacher import FREE, LAYOUTS, EmbeddedTeacher, example, free_problem, seed_tasks

CONFIG = Path(__file__).resolve().parents[2] / "config"
LANGUAGES = {code: language.params() for code, language in read_languages(CONFIG / "languages.tsv").items()}
PHRASES = read_yaml(CONFIG / "phrases.yaml")
WORDS = {code: LANGUAGES[code] | phrases for code, phrases in PHRASES.items()}
SPEECHES = {code: Speech(words) for code, words in WORDS.items()}
ENGLISH = SPEECHES["eng_Latn"]
every_language = pytest.mark.parametrize("code", WORDS)


def problems(evaluation=False):
    """Draw 20 problems a task, as (task, problem); those of the evaluation are the ones that `rows` has with seed 0."""
    for kind in LAYOUTS:
        for number in range(20):
            yield kind, PROBLEMS[kind](random.Random(f"{kind} 0 {number}"), number, evaluation)
    if not evaluation:
        for kind in FREE:
            for number in range(5):
                yield "free", free_problem(random.Random(f"{kind} {number}"), kind)


def sayable(code, evaluation=False):
    """Yield (problem's task, problem, example in English, example in the language) of those without a gap."""
    for task, problem in problems(evaluation):
        try:
            yield task, problem, example(ENGLISH, task, problem), example(SPEECHES[code], task, problem)
        except Unnamed:
            continue


def ask(purpose, code, teacher=None, seed=0, **fields):
    identity = Language.from_row(LANGUAGES[code]).identity
    request = SimpleNamespace(purpose=purpose, language=identity, seed=seed, fields=fields)
    (completion,) = (teacher or EmbeddedTeacher(WORDS)).complete([request])
    return completion


TEACHER = EmbeddedTeacher(WORDS)


def proposals(code, count=300):
    """Return what the teacher proposes, as (instruction, input, output)."""
    listed = ask("propose", code, TEACHER, seed=3, count=count, first=1)
    return re.findall(r"\d+\. Instruction: (.*)\n\d+\. Input: ((?:.|\n)*?)\n\d+\. Output: (.*)\n###\n", listed)


# --- words ---


@every_language
def test_every_language_has_every_sentence_with_its_slots(code):
    assert set(PHRASES[code]) - set(SENTENCES_OF_SOME) == set(KEYS)
    for key, slots in SENTENCES.items():
        assert sorted(re.findall(r"{(\w+)}", PHRASES[code][key])) == sorted(slots), key


@every_language
def test_no_sentence_of_another_script_has_latin_letters_but_a_to_d(code):
    if LANGUAGES[code]["script"] != "Latn":
        identity = ("code", "name", "iso639_1", "script", "family", "joshi_class")
        for key, said in WORDS[code].items():
            if key not in identity:
                assert not re.search(r"[E-Za-z]", re.sub(r"{\w+}", "", said)), key


@pytest.mark.parametrize("code", [code for code, row in LANGUAGES.items() if row["true"]])
def test_the_answers_stand_in_the_instruction_and_none_in_another(code):
    row = LANGUAGES[code]
    answers = [row["true"], row["false"], row["neither"]]
    assert all(answer in row["xnli_instruction"] for answer in answers)
    assert not any(one != other and one.lower() in other.lower() for one in answers for other in answers)
    assert len({row[label] for label in ("passage", "question", "premise", "hypothesis", "article")}) == 5


def test_a_sentence_without_its_slot_is_named():
    with pytest.raises(ValueError, match=r"phrases.yaml: eng_Latn: today has the slots \[\]; write each of \['day'\]"):
        Speech(WORDS["eng_Latn"] | {"today": "Today."})
    with pytest.raises(ValueError, match="eng_Latn: today is missing"):
        Speech({key: said for key, said in WORDS["eng_Latn"].items() if key != "today"})
    with pytest.raises(ValueError, match="eng_Latn: today is missing, or no text in quotes"):
        Speech(WORDS["eng_Latn"] | {"today": {"day": None}})  # YAML's {day}, as it stands without quotes


# --- CLDR ---


def test_japan_pays_in_yen_and_speaks_japanese():
    assert facts()["JP"] == {"currency": "JPY", "language": "ja"}
    swahili = names("sw", "Latn")
    assert (swahili["country"]["JP"], swahili["currency"]["JPY"]) == ("Japani", "Yen ya Japani")


def test_months_have_their_dictionary_form_and_their_own_language():
    assert names("zh", "Hans")["month"]["1"] == "一月"
    assert names("th", "Thai")["month"]["1"] == "มกราคม"
    assert names("ru", "Cyrl")["month"]["1"] == "январь"  # not января, as in a date


def test_a_name_that_cldr_lacks_is_missing_and_not_english():
    assert "XAF" in names("en", "Latn")["currency"]
    assert "XAF" not in names("hi", "Deva")["currency"]


@every_language
def test_two_codes_never_share_a_name(code):
    for of_kind in SPEECHES[code].names.values():
        assert len(set(of_kind.values())) == len(of_kind)
        assert not any(WORDS[code]["list_separator"] in name for name in of_kind.values())


def test_an_unknown_locale_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="iso639_1 'xq' is no CLDR locale"):
        names("xq", "Latn")


def test_about_three_in_ten_countries_are_held_out():
    assert 0.25 < sum(map(held_out, facts())) / len(facts()) < 0.35
    assert not set(pool(True)) & set(pool(False))


# --- sentences ---


@every_language
def test_a_written_sentence_can_be_parsed(code):
    for _, problem in problems():
        for said in filter(lambda value: isinstance(value, list) and value, problem.values()):
            try:
                text = SPEECHES[code].say(said)
            except Unnamed:
                continue
            assert SPEECHES[code].say(SPEECHES[code].read(text)) == text


def test_other_sentences_are_not_parsed():
    assert ENGLISH.read("Today is Caturday.") is None
    assert ENGLISH.read("") is None


def test_december_is_followed_by_january_and_monday_comes_after_sunday():
    assert shift("month", "12", 1) == "1"
    assert shift("day", "0", -1) == "6"


# --- tasks ---


@pytest.mark.parametrize("task", PROBLEMS)
def test_items_are_parallel_over_languages(task):
    def key(row):
        return row.get("id", row.get("idx", row.get("link")))

    gold = ("label", "correct_answer_num")
    english = {key(row): row for row in rows(task, WORDS["eng_Latn"], 30, 5)}
    assert len(english) == 30
    for code, words in WORDS.items():
        for row in rows(task, words, 30, 5):
            assert row.keys() == english[key(row)].keys()
            assert all(row[field] == english[key(row)][field] for field in gold if field in row), code


def test_an_item_does_not_depend_on_the_number_of_items():
    assert rows("xnli", WORDS["swh_Latn"], 5, 1) == rows("xnli", WORDS["swh_Latn"], 9, 1)[:5]


def test_labels_are_balanced():
    assert sorted(row["label"] for row in rows("xnli", WORDS["eng_Latn"], 6, 0)) == [0, 0, 1, 1, 2, 2]
    assert sorted(row["label"] for row in rows("xcopa", WORDS["eng_Latn"], 4, 0)) == [0, 0, 1, 1]
    answers = [row["correct_answer_num"] for row in rows("belebele", WORDS["eng_Latn"], 4, 0)]
    assert sorted(answers) == ["1", "2", "3", "4"]


@every_language
def test_an_entailed_hypothesis_restates_and_a_contradicting_one_is_false(code):
    for row in rows("xnli", WORDS[code], 30, 0):
        premise = [said for _, said in SPEECHES[code].read(row["premise"])]
        ((_, claim),) = SPEECHES[code].read(row["hypothesis"])
        same_country = claim["country"] == premise[0]["country"]
        assert (row["label"] == 0) == (claim in premise)
        assert (row["label"] == 1) == (not same_country)
        if row["label"] == 2:
            assert claim.get("language") not in official_languages(claim["country"])
            assert claim.get("currency") != facts()[claim["country"]]["currency"]


@every_language
def test_the_right_choice_is_the_day_before_or_after(code):
    for row in rows("xcopa", WORDS[code], 30, 0):
        now, *choices = [SPEECHES[code].read(row[field])[0][1] for field in ("premise", "choice1", "choice2")]
        ((kind, number),) = now.items()
        neighbour = shift(kind, number, 1 if row["question"] == "effect" else -1)
        assert [choice == {kind: neighbour} for choice in choices].index(True) == row["label"]
        assert choices[0] != choices[1]


@every_language
def test_the_right_option_is_the_fact_in_cldr(code):
    for row in rows("belebele", WORDS[code], 30, 0):
        ((key, asked),) = SPEECHES[code].read(row["question"])
        kind = key.removesuffix("_question")
        options = [row[f"mc_answer{number}"] for number in (1, 2, 3, 4)]
        right = SPEECHES[code].names[kind][facts()[asked["country"]][kind]]
        assert options[int(row["correct_answer_num"]) - 1] == right
        assert len(set(options)) == 4


@every_language
@pytest.mark.parametrize("task", ["xquad", "mlqa"])
def test_an_answer_stands_at_its_offset_and_is_the_fact_in_cldr(code, task):
    for row in rows(task, WORDS[code], 30, 0):
        ((answer,), (start,)) = row["answers"]["text"], row["answers"]["answer_start"]
        assert row["context"][start : start + len(answer)] == answer
        ((key, asked),) = SPEECHES[code].read(row["question"])
        kind = key.split("_")[0]
        of_kind = SPEECHES[code].names
        if task == "xquad":
            assert answer == of_kind[kind][facts()[asked["country"]][kind]]
        else:
            (country,) = [country for country, name in of_kind["country"].items() if name == answer]
            assert facts()[country][kind] == asked[kind]


@every_language
def test_a_summary_lists_the_countries_of_the_article(code):
    for row in rows("xlsum", WORDS[code], 30, 0):
        ((_, summary),) = SPEECHES[code].read(row["summary"])
        assert summary["list"] == [said["country"] for _, said in SPEECHES[code].read(row["text"])]


def test_the_evaluation_names_held_out_countries_only():
    for task in ("xnli", "xquad", "mlqa"):
        for row in rows(task, WORDS["eng_Latn"], 50, 0):
            for _, said in ENGLISH.read(row.get("premise", row.get("context"))):
                assert held_out(said["country"])


def test_a_task_that_the_embedded_world_lacks_is_named():
    with pytest.raises(ValueError, match=r"config/tasks/squad.yaml: no embedded rows"):
        rows("squad", WORDS["eng_Latn"], 1, 0)


def test_countries_of_one_passage_share_no_currency_and_no_official_language():
    for seed in range(50):
        one, other = unlike_countries(random.Random(seed), pool(True), 2)
        assert facts()[one]["currency"] != facts()[other]["currency"]
        assert facts()[one]["language"] not in official_languages(other)


# --- teacher ---


@every_language
def test_the_teacher_translates_a_task_into_the_task_itself(code):
    for _, _, english, own in sayable(code):
        for field in ("instruction", "input"):
            if english[field]:
                assert ask("translate", code, TEACHER, text=english[field]) == own[field]


@every_language
def test_the_teacher_answers_a_task_as_the_task_does(code):
    for _, _, _, own in sayable(code):
        assert ask("respond", code, TEACHER, instruction=own["instruction"], input=own["input"]) == own["output"]


def test_the_teacher_leaves_an_unknown_text_and_gives_no_answer():
    assert ask("translate", "swh_Latn", text="Write a poem.") == "Write a poem."
    assert ask("respond", "swh_Latn", instruction="Andika shairi.", input="") == ""
    instruction = WORDS["eng_Latn"]["qa_instruction"]
    assert ask("respond", "eng_Latn", instruction=instruction, input="Passage: Today is Monday.\nQuestion: Why?") == ""
    mixed = "Today is Monday. What was the cause?\n1. Monday\n2. Japan"
    assert ask("respond", "eng_Latn", instruction=WORDS["eng_Latn"]["xcopa_instruction"], input=mixed) == ""


def test_a_name_that_the_target_lacks_leaves_the_text_in_english():
    text = "Which country has this currency: Central African CFA Franc?"
    assert ask("translate", "hin_Deva", text=text) == text


def test_a_language_without_phrases_is_named():
    with pytest.raises(ValueError, match="has no swh_Latn; add its block"):
        ask("respond", "swh_Latn", EmbeddedTeacher({"eng_Latn": WORDS["eng_Latn"]}), instruction="a", input="")


@every_language
def test_a_list_of_proposals_goes_on_from_its_number(code):
    listed = ask("propose", code, TEACHER, seed=1, count=4, first=5)
    assert re.findall(r"^(\d+)\. Instruction: .", listed, re.M) == ["5", "6", "7", "8"]
    assert listed == ask("propose", code, TEACHER, seed=1, count=4, first=5)
    assert listed != ask("propose", code, TEACHER, seed=2, count=4, first=5)


def test_proposals_cover_every_layout_and_a_fifth_is_free():
    proposed = proposals("yor_Latn", 1000)
    assert len(proposed) == 1000
    words = WORDS["yor_Latn"]
    for key in ("xnli", "xcopa", "belebele", "qa", "xlsum"):
        share = sum(instruction == words[f"{key}_instruction"] for instruction, _, _ in proposed) / 1000
        assert share == pytest.approx(0.267 if key == "qa" else 0.133, abs=0.04)
    assert sum(input == "<noinput>" for _, input, _ in proposed) / 1000 == pytest.approx(0.2, abs=0.04)


def test_the_teacher_never_names_a_held_out_country():
    of_kind = ENGLISH.names["country"]
    unheard = [re.escape(name) for country, name in of_kind.items() if held_out(country)]
    taught = "\n".join("\n".join(task) for task in proposals("eng_Latn", 3000))
    taught += "\n".join("\n".join(task.values()) for task in seed_tasks(WORDS["eng_Latn"]))
    assert not re.findall(rf"(?<!\w)(?:{'|'.join(unheard)})(?!\w)", taught)


def test_the_teacher_never_asks_a_choice_of_the_evaluation():
    evaluated = {(row["premise"], row["choice1"], row["choice2"]) for row in rows("xcopa", WORDS["eng_Latn"], 500, 0)}
    evaluated |= {(premise, second, first) for premise, first, second in evaluated}
    for number in range(500):
        row = render(PROBLEMS["xcopa"](random.Random(number), number, False), ENGLISH)
        assert (row["premise"], row["choice1"], row["choice2"]) not in evaluated


@every_language
@pytest.mark.parametrize("task", PROBLEMS)
def test_a_task_of_the_teacher_has_the_layout_of_the_evaluation(code, task):
    spec = Task(**read_yaml(CONFIG / f"tasks/{task}.yaml")).prompt_spec()
    own, english = (Language.from_row(LANGUAGES[name]) for name in (code, "eng_Latn"))
    words, settings = task_words(spec, own, english, "own"), TaskSettings(shots=0)
    items = rows(task, WORDS[code], 20, 0)
    prompts = render_prompts(spec, settings, task=task, language=code, rows=items, words=words)["prompt"]
    examples = [own for kind, _, _, own in sayable(code, evaluation=True) if kind == task]
    assert examples and list(prompts) == [instruction_text(own["instruction"], own["input"]) for own in examples]


@every_language
def test_the_seed_tasks_are_eight_and_right(code):
    tasks = seed_tasks(WORDS[code])
    assert len({(task["instruction"], task["input"]) for task in tasks}) == 8
    assert tasks == seed_tasks(WORDS[code])
    for task in tasks:
        answered = ask("respond", code, TEACHER, instruction=task["instruction"], input=task["input"])
        assert answered == task["output"]


# --- corpus ---


def test_the_corpus_has_as_many_texts_in_every_language():
    two = {code: WORDS[code] for code in ("eng_Latn", "tha_Thai")}
    texts = list(documents(two, 100, 1))
    assert sum(bool(re.search(r"[฀-๿]", text)) for text in texts) == 50
    assert texts == list(documents(two, 100, 1))


@every_language
def test_the_corpus_has_no_instruction_and_can_be_parsed(code):
    words = {WORDS[code][key] for key in GLOSSARY}
    for text in documents({code: WORDS[code]}, 100, 1):
        if set(text.split(WORDS[code]["list_separator"])) <= words:
            continue
        said = SPEECHES[code].read(" ".join(re.sub(r"^[1-4A-D]\. ", "", line) for line in text.split("\n")))
        assert said is not None
        assert not any(key.endswith("_instruction") for key, _ in said)


def test_the_corpus_needs_no_words_of_prompts():
    row = {key: WORDS["swh_Latn"][key] for key in ("code", "iso639_1", "script", *PHRASES["swh_Latn"])}
    assert len(list(documents({"swh_Latn": row}, 10, 1))) == 10
