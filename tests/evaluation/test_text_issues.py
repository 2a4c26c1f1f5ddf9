import pytest

from maple.definitions.language import LanguageIdentity, LanguagePair
from maple.evaluation.text_issues import text_issues

ENGLISH = LanguageIdentity("eng_Latn", "English", "en", "Latn")
SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
SOMALI = LanguageIdentity("som_Latn", "Somali", "so", "Latn")
SOURCE = "All the children went to school early this morning."
TARGET = "Watoto wote walikwenda shuleni asubuhi na mapema leo."


def issues(answer, source=SOURCE, targets=(TARGET,), target=SWAHILI, wrong_language=False, wrong_script=False):
    judged = {"wrong_language": wrong_language, "wrong_script": wrong_script}
    return text_issues(answer, source, list(targets), LanguagePair(ENGLISH, target), **judged)


@pytest.mark.parametrize("answer", [SOURCE, "all the children went to school early this morning", f" {SOURCE.upper()}"])
def test_an_answer_that_is_its_source_up_to_case_and_punctuation_is_copied(answer):
    assert issues(answer).copied is True


def test_a_translation_is_not_copied():
    assert issues(TARGET).copied is False
    assert issues("").copied is False


def test_a_name_that_is_the_same_in_both_languages_cannot_be_copied():
    assert issues("Nairobi", source="Nairobi", targets=["Nairobi"]).copied is None


def test_a_loop_is_repeated():
    assert issues("paka na mbwa na paka " * 3).repeated
    assert issues("ya ya ya ya ya ya").repeated


def test_what_source_or_reference_repeat_is_no_loop():
    chorus = "we will we will rock you " * 3
    assert not issues(chorus, source=chorus).repeated
    assert not issues(chorus, targets=[chorus]).repeated
    assert not issues(TARGET).repeated


def test_another_script_is_off_target_and_so_is_another_language():
    assert issues("Все дети пошли в школу.", wrong_language=True, wrong_script=True).off_target is True
    assert issues(SOURCE, wrong_language=True).off_target is True
    assert issues(TARGET).off_target is False


def test_the_source_s_language_is_off_target_where_the_target_s_is_unknown_to_the_identifier():
    reference = "Carruurta oo dhan waxay aadeen dugsiga subaxnimadii hore maanta."
    of_somali = {"targets": [reference], "target": SOMALI, "wrong_language": None}
    assert issues(SOURCE, **of_somali).off_target is True
    assert issues(reference, **of_somali).off_target is False


def test_what_cannot_be_judged_is_neither():
    assert issues("", wrong_language=None, wrong_script=None).off_target is None


def test_lengths_are_characters_and_several_references_have_their_mean():
    one = issues("abcd", targets=["ab", "abcdef"])
    assert (one.characters, one.reference_characters) == (4, 4.0)
