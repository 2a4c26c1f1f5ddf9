import json
import shutil

import pytest

from maple.models.encoding import Encoder, PromptError, evaluation_prompt, instruction_prompt

BOS, EOS, PAD = 1, 2, 3


def test_a_prompt_has_exactly_one_bos_and_no_eos(letters):
    assert Encoder.of(letters).prompt("ab") == [BOS, 4, 5]


def test_padding_is_not_the_eos(letters):
    encoder = Encoder.of(letters)
    assert encoder.pad == PAD != encoder.eos


def test_a_tokenizer_without_padding_pads_with_its_unknown_token(letters, tmp_path):
    folder = shutil.copytree(letters, tmp_path / "llama-2")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    del config["pad_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert Encoder.of(folder).pad == 0


def test_a_tokenizer_that_could_only_pad_with_its_eos_is_refused(letters, tmp_path):
    folder = shutil.copytree(letters, tmp_path / "model")
    (folder / "tokenizer_config.json").write_text('{"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}')
    with pytest.raises(PromptError, match="pad_token"):
        Encoder.of(folder)


def test_training_and_evaluation_share_one_frame():
    assert instruction_prompt("Add.", "1 2") == evaluation_prompt("Add.\n1 2")
    assert instruction_prompt("Add.") == evaluation_prompt("Add.")


def test_pieces_of_a_prompt_have_no_start_of_their_own(letters):
    encoder = Encoder.of(letters)
    assert encoder.pieces(["ab", "c"]) == [encoder.prompt("ab")[1:], encoder.prompt("c")[1:]]
