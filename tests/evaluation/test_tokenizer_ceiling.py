import json

import polars as pl
import pytest

from maple.evaluation.tokenizer_ceiling import CEILING_SCHEMA, ROUND_TRIP_SCHEMA, References, round_tripped

SENTENCES = {"1": ["the cat sat on the mat"], "2": ["it rains in the night again"]}


def references(by_item, language="swh_Latn"):
    return References("news", language, language, by_item)


def lost(text):
    """A tokenizer that cannot write the word `night`."""
    return text.replace("night", "nigh t")


def test_a_tokenizer_that_gives_back_everything_has_a_ceiling_of_one():
    result = round_tripped("m", [references(SENTENCES)], lambda text: f" {text}")
    assert result.ceilings["changed"].to_list() == [0, 0] and result.ceilings["ceiling"].to_list() == [1, 1]
    assert dict(result.targets.select("item", "targets").iter_rows()) == SENTENCES


def test_a_reference_that_is_not_given_back_lowers_the_ceiling():
    result = round_tripped("m", [references(SENTENCES)], lost)
    ceilings = result.ceilings
    assert (ceilings.schema, result.targets.schema) == (pl.Schema(CEILING_SCHEMA), pl.Schema(ROUND_TRIP_SCHEMA))
    assert ceilings["references"].to_list() == [2, 2] and ceilings["changed"].to_list() == [0.5, 0.5]
    by_metric = dict(ceilings.select("metric", "ceiling").iter_rows())
    # Matches of 1- to 4-grams: 11 of 13, 8 of 11, 6 of 9, 4 of 7; thirteen words for twelve have no brevity penalty.
    assert by_metric["corpus_bleu"] == pytest.approx((11 / 13 * 8 / 11 * 6 / 9 * 4 / 7) ** 0.25)
    assert 0.5 < by_metric["corpus_chrf++"] < 1
    assert ceilings["signature"].str.contains("version").all()


def test_a_language_without_items_has_no_ceiling():
    result = round_tripped("m", [references({}), references(SENTENCES, "deu_Latn")], lost)
    assert result.ceilings["language"].unique().to_list() == ["deu_Latn"]


def test_a_base_s_own_tokenizer_makes_the_round_trip(tmp_path):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    from maple.models.round_trip import RoundTrip

    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1, "cat": 2, "file": 3}, unk_token="<unk>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["</s>", "<unk>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>", "unk_token": "<unk>"}))
    round_trip = RoundTrip(tmp_path)
    assert round_trip("cat file") == "cat file"
    assert round_trip("ﬁle") == "file"  # a ligature, which NFKC makes two letters
    assert round_trip("cat dog").strip() == "cat"  # unknown: no token has it
