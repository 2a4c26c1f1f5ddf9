import shutil

import pytest
import yaml
from project import ROOT
from studies import CONFIG

from maple.definitions.errors import DefinitionError
from maple.study.reading import read_study

TASK = {
    "item": "id",
    "prompt": "{{ words.ask }} {{ text }}",
    "targets": "label",
    "choices": {"good": ["{{ own.good }}"], "bad": ["{{ own.bad }}"]},
    "fields": ["text", "label"],
    "metrics": ["accuracy"],
    "headline": "accuracy",
    "max_new_tokens": 8,
    "sources": {"local": {"path": "{data}/{code}.jsonl", "languages": ["eng_Latn", "swh_Latn"]}},
}
ENGLISH = {"ask": "Is it good or bad?", "good": "good", "bad": "bad"}


@pytest.fixture
def config(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path / "config"


def study_of(config, languages=("eng_Latn", "swh_Latn"), prompt_language="own", **task):
    (config / "tasks/toy.yaml").write_text(yaml.safe_dump(TASK | task, allow_unicode=True))
    changes = {
        "tasks": ["toy"],
        "task_source": "local",
        "data": "rows",
        "languages": list(languages),
        "shots": {},
        "answers": {},
        "prompt_language": prompt_language,
    }
    return read_study(CONFIG | changes, config)


def test_a_task_may_bring_its_words(config):
    swahili = {"ask": "Ni nzuri au mbaya?", "good": "nzuri", "bad": "mbaya"}
    study = study_of(config, words={"eng_Latn": ENGLISH, "swh_Latn": swahili})
    words = study.tasks["toy"].words("swh_Latn", study.languages, "own")
    assert words["words"]["ask"] == "Ni nzuri au mbaya?" and words["own"] == {"good": "nzuri", "bad": "mbaya"}
    study = study_of(config, words={"eng_Latn": ENGLISH, "swh_Latn": "english"})
    assert study.tasks["toy"].words("swh_Latn", study.languages, "own")["own"] == {"good": "good", "bad": "bad"}


def test_the_words_of_all_are_those_of_languages_without_an_entry(config):
    swahili = {"ask": "Ni nzuri au mbaya?", "good": "nzuri"}
    study = study_of(config, words={"eng_Latn": ENGLISH, "all": "english"})
    assert study.tasks["toy"].words("swh_Latn", study.languages, "own")["own"] == {"good": "good", "bad": "bad"}
    with pytest.raises(DefinitionError, match=r"swh_Latn has no bad, which"):
        study_of(config, words={"eng_Latn": ENGLISH, "swh_Latn": swahili, "all": "english"})


def test_a_word_that_nobody_wrote_is_asked_for(config):
    with pytest.raises(DefinitionError, match=r"swh_Latn has no bad, good, which config/tasks/toy\.yaml asks with"):
        study_of(config, words={"eng_Latn": ENGLISH})
    with pytest.raises(DefinitionError, match=r"words .* are no column of config/languages\.tsv"):
        study_of(config)
    assert study_of(config, languages=["eng_Latn"], words={"eng_Latn": ENGLISH})


def test_an_empty_cell_of_the_language_table_is_refused_when_a_task_of_the_study_names_it(config):
    task = {"prompt": "{{ words.sentiment_instruction }}", "choices": {"a": ["a"], "b": ["b"]}}
    assert study_of(config, languages=["eng_Latn"], **task)
    with pytest.raises(
        DefinitionError, match=r"swh_Latn has no sentiment_instruction, which .* or `words: {swh_Latn: e"
    ):
        study_of(config, **task)
    assert study_of(config, words={"swh_Latn": "english"}, **task)
    assert study_of(config, prompt_language="english", **task)


@pytest.mark.parametrize("dummy", ["-", "?", "…"])
def test_a_dummy_is_no_word(config, dummy):
    table = (config / "languages.tsv").read_text().replace("\tKweli\t", f"\t{dummy}\t")
    (config / "languages.tsv").write_text(table)
    with pytest.raises(DefinitionError, match=r"\(swh_Latn\): the column\(s\) true hold no word; leave them empty"):
        study_of(config)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            {"languages": ["eng_Latn", "shw_Latn"]},
            "languages: shw_Latn is no row of config/languages.tsv; write swh_Latn",
        ),
        ({"languages": {"eng_Latn": "en", "swh_Latm": "sw"}}, "languages: swh_Latm is no code; write it as FLORES-200"),
        ({"languages": ["eng_Latn", "sw"]}, "languages: sw is no code"),
        ({"without_dev": ["swh-Latn"]}, "without_dev: swh-Latn is no code"),
        ({"by_language": {"shw_Latn": {"path": "x"}}}, "by_language: shw_Latn is no row"),
    ],
)
def test_a_misspelt_code_is_refused(config, source, says):
    local = TASK["sources"]["local"] | source
    with pytest.raises(DefinitionError, match=rf"config/tasks/toy\.yaml: sources\.local\.{says}"):
        study_of(config, words={"eng_Latn": ENGLISH, "swh_Latn": "english"}, sources={"local": local})


def test_a_language_near_another_one_is_known_by_the_set_s_own_name_of_it(config):
    local = TASK["sources"]["local"] | {"languages": {"eng_Latn": "en", "swx_Latn": "swx"}}
    with pytest.raises(
        DefinitionError, match="swh_Latn: none of the tasks toy offers it"
    ):  # what swx_Latn is no slip of
        study_of(config, words={"eng_Latn": ENGLISH}, sources={"local": local})


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ({"prompt": "{{ words }} {{ text }}"}, r"prompt: {{ words }} stands for all words .* {row_words: words}"),
        ({"choices": {"good": ["{{ own }}"], "bad": ["x"]}}, r"choices\.good: {{ own }} stands for all words"),
        ({"choices": {"good": ["{{ own.bad }}"], "bad": ["{{ own.bad }}"]}}, "choices: bad and good are both written"),
        ({"answer_language": "eng"}, "answer_language 'eng': config/languages.tsv lacks it; add its row"),
        ({"sources": {"local": TASK["sources"]["local"] | {"where": "lang = 1"}}}, r"sources\.local\.where: "),
        ({"sources": {"local": TASK["sources"]["local"] | {"where": "lang == '{kye}'"}}}, "unknown placeholder {kye}"),
        (
            {"sources": {"local": TASK["sources"]["local"] | {"join": {"file": "{dat}/x.csv"}}}},
            r"sources\.local\.join\.file: unknown placeholder {dat}",
        ),
    ],
)
def test_what_no_row_could_mend_is_refused_while_planning(config, task, says):
    with pytest.raises(DefinitionError, match=rf"config/tasks/toy\.yaml: .*{says}"):
        study_of(config, words={"eng_Latn": ENGLISH, "swh_Latn": "english"}, **task)


def test_answers_in_english_are_stated_once(config):
    study = study_of(config, answer_language="eng_Latn", words={"eng_Latn": ENGLISH, "swh_Latn": "english"})
    assert study.tasks["toy"].definition.answer_language == "eng_Latn"
