import re
from itertools import pairwise

import pytest
from project import ROOT

from maple.definitions.language import read_languages
from maple.embedded.pairs import DOMAINS, LEARNT_NUMBERS, Names, meanings, pair_rows, split_of

TABLE = read_languages(ROOT / "config/languages.tsv")
ENGLISH, SPLITS = TABLE["eng_Latn"], ("train", "dev", "test")


def rows(code, domain, split="train", items=30):
    return pair_rows(ENGLISH, TABLE[code], domain, split, items)


def test_a_number_takes_the_form_of_its_unit_in_each_language():
    said = {row["source"]: row["target"] for row in rows("rus_Cyrl", "units", items=2000)}
    hours = {
        int(number): target for text, target in said.items() if (number := text.removesuffix(" hours")).isdecimal()
    }
    assert {hours[number].split()[1] for number in hours if number % 10 in (2, 3, 4) and number // 10 % 10 != 1} == {
        "часа"
    }
    assert {hours[number].split()[1] for number in hours if number % 10 in (5, 6, 7)} == {"часов"}


@pytest.mark.parametrize(
    ("code", "domain", "target"),
    [
        ("deu_Latn", "units", "17 Wochen"),
        ("swh_Latn", "units", "wiki 17"),
        ("deu_Latn", "dates", "12. Mai 1999"),
        ("sin_Sinh", "dates", "1999 මැයි 12"),
    ],
)
def test_texts_are_those_that_a_language_writes(code, domain, target):
    split = "test" if domain == "dates" else "train"
    assert target in rows(code, domain, split)[0]["target"]


def test_spanish_and_changes_before_its_own_sound():
    targets = [row["target"] for split in SPLITS for row in rows("spa_Latn", "lists", split, 600)]
    assert {"ruso e inglés", "rumano e hindi"} <= set(targets)
    assert not [target for target in targets if re.search(r" y h?i", target, re.IGNORECASE)]


def test_rows_of_one_id_say_the_same_in_every_language():
    german, swahili = ({row["id"]: row["source"] for row in rows(code, "lists")} for code in ("deu_Latn", "swh_Latn"))
    assert german == swahili and len(german) == 30


def test_fewer_rows_are_the_first_of_more():
    assert rows("deu_Latn", "names", items=10) == rows("deu_Latn", "names", items=30)[:10]


def test_a_row_may_be_of_any_two_languages_in_any_direction():
    (there,), (back,) = (
        pair_rows(TABLE[source], TABLE[target], "units", "train", 1)
        for source, target in (("deu_Latn", "swh_Latn"), ("swh_Latn", "deu_Latn"))
    )
    assert (there["source"], there["target"]) == (back["target"], back["source"]) == ("17 Wochen", "wiki 17")


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("code", ["deu_Latn", "sin_Sinh"])
def test_no_text_of_a_split_is_in_another(code, domain):
    texts = {
        split: {row[side] for row in rows(code, domain, split, items=300) for side in ("source", "target")}
        for split in SPLITS
    }
    assert texts["train"].isdisjoint(texts["test"]) and texts["train"].isdisjoint(texts["dev"])
    assert texts["dev"].isdisjoint(texts["test"])


def test_a_number_of_the_test_rows_is_never_learnt():
    numbers = {
        split: {
            int(number) for row in rows("swh_Latn", "units", split, 300) for number in re.findall(r"\d+", row["source"])
        }
        for split in SPLITS
    }
    assert numbers["train"].isdisjoint(numbers["test"]) and set(LEARNT_NUMBERS) <= numbers["train"]


def test_names_that_stand_side_by_side_in_a_test_row_do_so_in_no_train_row():
    def neighbours(split):
        return {
            frozenset(pair)
            for meaning, _ in zip(meanings("lists", split), range(500), strict=False)
            if isinstance(meaning.said, Names)
            for pair in pairwise(meaning.said.codes)
        }

    assert neighbours("train").isdisjoint(neighbours("test"))


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_domain_has_a_thousand_different_rows(domain):
    sources = [row["source"] for row in rows("swh_Latn", domain, items=1024)]
    assert len(sources) == len(set(sources)) == 1024


def test_an_item_that_cldr_cannot_name_is_left_out_and_keeps_its_number():
    some = rows("kin_Latn", "lists", items=30)
    assert 0 < len(some) < 30 and len({row["id"] for row in some}) == len(some)


def test_about_a_third_of_all_keys_is_tested():
    splits = [split_of(f"key {number}") for number in range(1000)]
    assert 250 < splits.count("test") < 350 and 100 < splits.count("dev") < 200


def test_spaces_are_plain_ones():
    assert not any(set(row["target"]) & {"\u00a0", "\u202f"} for row in rows("deu_Latn", "units", "test", 50))
