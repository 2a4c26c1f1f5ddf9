"""A base's tokenizer is written so that transformers makes of a prompt what the study asks."""

import json
import os

import pytest
import toy_tokenizers
from toy_tokenizers import CHATML

from maple.models.encoding import Encoder
from maple.models.tiny import BaseError
from maple.models.tokenizer_folder import prepare_tokenizer

pytestmark = pytest.mark.heavy

BOS, EOS, PAD = 1, 2, 3
TEXTS = ("### Input:\nsay yes\n\n### Output:\n", " hm  no ", "मराठी\t42")


def by_transformers(folder, text):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)(text)["input_ids"]


def ours(folder, text):
    encoder = Encoder.of(folder)
    return [*encoder.start, *encoder.piece(text)]


def config_of(folder, file="tokenizer_config.json"):
    return json.loads((folder / file).read_text())


@pytest.mark.parametrize("kind", toy_tokenizers.KINDS)
@pytest.mark.parametrize("bos", [None, "<s>", "none", "<pad>"])
@pytest.mark.parametrize("end", [False, True])
def test_a_saved_model_asks_by_itself_what_the_study_asks(kind, bos, end, tmp_path):
    folder = toy_tokenizers.saved(kind, tmp_path, end=end)
    prepare_tokenizer(folder, {"bos": bos} if bos else {})
    own = () if kind == "gpt2" else (BOS,)
    assert Encoder.of(folder).start == {None: own, "<s>": (BOS,), "none": (), "<pad>": (PAD,)}[bos]
    for text in TEXTS:
        assert by_transformers(folder, text) == ours(folder, text)
    assert by_transformers(folder, TEXTS[0]) == Encoder.of(folder).prompt("say yes")


def test_a_class_that_makes_something_else_of_the_file_decides_what_the_file_says(tmp_path):
    # transformers' class for Qwen2 builds normalizer and pre-tokenizer anew: here one that composes letters is new.
    folder, text = toy_tokenizers.saved("gpt2", tmp_path, tokenizer_class="Qwen2Tokenizer"), "nai\u0308ve"
    config = config_of(folder, "config.json") | {"model_type": "qwen2"}
    (folder / "config.json").write_text(json.dumps(config))
    assert by_transformers(folder, text) != ours(folder, text)
    prepare_tokenizer(folder, {})
    assert by_transformers(folder, text) == ours(folder, text) == ours(folder, "na\u00efve")


def test_files_that_are_links_keep_their_bytes_where_they_were_fetched(tmp_path):
    fetched = toy_tokenizers.saved("llama", tmp_path / "fetched", end=True)
    before = {path.name: path.read_bytes() for path in fetched.iterdir()}
    (tmp_path / "base").mkdir()
    for path in fetched.iterdir():
        os.link(path, tmp_path / "base" / path.name)
    prepare_tokenizer(tmp_path / "base", {"pad": "</s>", "bos": "none"})
    assert {path.name: path.read_bytes() for path in fetched.iterdir()} == before
    assert Encoder.of(tmp_path / "base").pad == EOS and Encoder.of(tmp_path / "base").start == ()


def test_a_tokenizer_that_agrees_is_left_as_it_is(tmp_path):
    folder = toy_tokenizers.saved("gpt2", tmp_path)
    before = {path.name: path.read_bytes() for path in folder.glob("tokenizer*")}
    prepare_tokenizer(folder, {})
    assert {path.name: path.read_bytes() for path in folder.glob("tokenizer*")} == before


def test_special_tokens_of_the_model_s_file_are_those_of_the_saved_tokenizer(tmp_path):
    folder = toy_tokenizers.saved("gpt2", tmp_path, eos_token=None)
    prepare_tokenizer(folder, {"eos": "<|im_end|>", "pad": "<|im_end|>"})
    encoder = Encoder.of(folder)
    assert encoder.eos == encoder.pad == encoder.tokenizer.control["<|im_end|>"]
    assert config_of(folder)["eos_token"] == "<|im_end|>"


def test_an_eos_that_only_the_model_s_config_names_becomes_the_tokenizer_s(tmp_path):
    folder = toy_tokenizers.saved("gpt2", tmp_path, eos_token=None)
    with pytest.raises(BaseError, match="names no EOS; write eos:"):
        prepare_tokenizer(folder, {})
    (folder / "config.json").write_text(json.dumps(config_of(folder, "config.json") | {"eos_token_id": [2, 5]}))
    prepare_tokenizer(folder, {})
    assert config_of(folder)["eos_token"] == "</s>"


def test_a_token_that_the_tokenizer_lacks_is_refused(tmp_path):
    with pytest.raises(BaseError, match=r"no token '<eot>'; write another pad:"):
        prepare_tokenizer(toy_tokenizers.saved("gpt2", tmp_path), {"pad": "<eot>"})


def test_the_end_of_a_turn_ends_an_answer_of_the_saved_model(tmp_path):
    folder = toy_tokenizers.saved("gpt2", tmp_path, template=CHATML)
    (folder / "generation_config.json").write_text('{"eos_token_id": 2, "top_p": 0.9}')
    prepare_tokenizer(folder, {})
    end = Encoder.of(folder, "chat").eos
    assert config_of(folder, "generation_config.json") == {"eos_token_id": [EOS, end], "top_p": 0.9}


def test_a_token_beyond_the_embedding_is_refused_if_a_text_or_a_frame_could_use_it(tmp_path):
    folder = toy_tokenizers.saved("gpt2", tmp_path, template="{{ messages[0].content }}")
    config, size = config_of(folder, "config.json"), config_of(folder, "config.json")["vocab_size"]
    # The last tokens are <|im_start|>, <|im_end|>, <think> and a run of spaces, which every text may have.
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": size - 1}))
    with pytest.raises(BaseError, match=rf"token '    ' has the id {size - 1}, and the embedding has {size - 1} rows"):
        prepare_tokenizer(folder, {})
    other = toy_tokenizers.saved("llama", tmp_path / "other", template="{{ messages[0].content }}")
    config = config_of(other, "config.json")
    (other / "config.json").write_text(json.dumps(config | {"vocab_size": config["vocab_size"] - 2}))
    with pytest.raises(BaseError, match="token '<think>'"):  # neither special nor of the template: a text may have it
        prepare_tokenizer(other, {})
    (other / "chat_template.jinja").unlink()
    (other / "config.json").write_text(json.dumps(config | {"vocab_size": config["vocab_size"] - 1}))
    with pytest.raises(BaseError, match="token '<think>'"):
        prepare_tokenizer(other, {})


def test_a_special_token_beyond_the_embedding_that_nothing_can_use_is_no_fault(tmp_path):
    # As in Gemma 3 of one billion parameters: the token of a picture has no row.
    folder = toy_tokenizers.saved("llama", tmp_path, template="{{ messages[0].content }}", picture=True)
    config = config_of(folder, "config.json")
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": config["vocab_size"] - 1}))
    prepare_tokenizer(folder, {})
    assert Encoder.of(folder).eos == EOS


def test_a_model_that_is_built_here_begins_its_prompts_with_its_bos(toy_base):
    for text in TEXTS:
        assert by_transformers(toy_base, text) == ours(toy_base, text)
    assert Encoder.of(toy_base).prompt("Jua")[0] == BOS
