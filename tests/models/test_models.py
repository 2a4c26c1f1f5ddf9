"""Models through the real libraries, at a few hundred thousand parameters."""

import pytest

pytestmark = pytest.mark.heavy


def test_a_built_base_is_an_ordinary_hub_folder(toy_base):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(toy_base)
    model = AutoModelForCausalLM.from_pretrained(toy_base)
    asked = tokenizer("Jua, ሰኞ, 星期一")["input_ids"]
    assert asked[0] == tokenizer.bos_token_id and tokenizer.decode(asked[1:]) == "Jua, ሰኞ, 星期一"
    assert len(tokenizer) == model.config.vocab_size
    assert {path.suffix for path in toy_base.iterdir()} == {".json", ".safetensors"}
