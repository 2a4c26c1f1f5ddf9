"""From text to tokens: one BOS, one frame in training and evaluation, and text that stays text."""

import json
import shutil

import pytest
import toy_tokenizers

from maple.models.encoding import Encoder
from maple.models.frames import framed, instruction_text
from maple.models.prompt_error import PromptError

BOS, EOS, PAD, NEWLINE = 1, 2, 3, 31


def test_a_prompt_has_exactly_one_bos_and_no_eos(letters):
    assert Encoder.of(letters, "none").prompt("ab") == [BOS, 4, 5, NEWLINE]


def test_the_tokens_of_a_prompt_in_the_default_frame_stay_what_they_were(letters):
    # "### Input:\nab\n\n### Output:\n" as it was before there were other frames; capitals are unknown to the letters.
    head = [BOS, 32, 32, 32, 30, 0, 17, 19, 24, 23, 33, NEWLINE]
    tail = [NEWLINE, NEWLINE, 32, 32, 32, 30, 0, 24, 23, 19, 24, 23, 33, NEWLINE]
    assert Encoder.of(letters).prompt("ab") == [*head, 4, 5, *tail]
    assert Encoder.of(letters).example("ab", "c") == ([*head, 4, 5, *tail], [6, EOS])


def changed(letters, path, **values):
    folder = shutil.copytree(letters, path / "model")
    config = json.loads((folder / "tokenizer_config.json").read_text()) | values
    (folder / "tokenizer_config.json").write_text(
        json.dumps({name: value for name, value in config.items() if value is not None})
    )
    return folder


def test_padding_is_the_tokenizer_s_own_then_its_unknown_token_then_its_eos(letters, tmp_path):
    assert Encoder.of(letters).pad == PAD
    assert Encoder.of(changed(letters, tmp_path / "a", pad_token=None)).pad == 0
    assert Encoder.of(changed(letters, tmp_path / "b", pad_token=None, unk_token=None)).pad == EOS
    assert Encoder.of(changed(letters, tmp_path / "c", pad_token="</s>")).pad == EOS


def test_special_tokens_are_found_in_every_file_that_names_them(letters, tmp_path):
    folder = changed(letters, tmp_path, eos_token=None)
    with pytest.raises(PromptError, match=r"no eos_token; .* write eos:"):
        Encoder.of(folder)
    (folder / "generation_config.json").write_text('{"eos_token_id": [2, 3]}')
    assert Encoder.of(folder).eos == EOS
    (folder / "special_tokens_map.json").write_text('{"eos_token": {"content": "<pad>"}}')
    assert Encoder.of(folder).eos == PAD


def test_training_and_evaluation_share_one_frame():
    assert instruction_text("Add.", "1 2") == "Add.\n1 2" and instruction_text("Add.") == "Add."
    assert framed("bactrian", "Add.") == "### Input:\nAdd.\n\n### Output:\n"
    assert framed("none", "{Add}") == "{Add}\n"


def test_pieces_of_a_text_have_no_start_of_their_own(letters):
    assert Encoder.of(letters).pieces(["ab", "c"]) == [[4, 5], [6]]


def test_as_many_demonstrations_as_fit_stand_before_the_prompt(letters):
    encoder = Encoder.of(letters, "none")
    shown = [{"prompt": "a", "answer": "b"}, {"prompt": "c", "answer": "d"}]
    whole = [BOS, 4, NEWLINE, 5, NEWLINE, NEWLINE, 6, NEWLINE, 7, NEWLINE, NEWLINE, 8, NEWLINE]
    alone = encoder.prompt("e")
    assert encoder.demonstrated("e", alone, shown, room=13) == (whole, 2)
    assert encoder.demonstrated("e", alone, shown, room=12) == ([*whole[:6], 8, NEWLINE], 1)
    assert encoder.demonstrated("e", alone, shown, room=2) == (alone, 0)


@pytest.mark.parametrize("kind", toy_tokenizers.KINDS)
def test_the_answer_of_a_demonstration_has_the_tokens_that_are_learnt_and_ranked(kind, tmp_path):
    encoder = Encoder.of(toy_tokenizers.saved(kind, tmp_path))
    prompt, learnt = encoder.example("say yes", "yes")
    (ranked,) = encoder.answers(["yes"])
    shown, _ = encoder.demonstrated("hm", encoder.prompt("hm"), [{"prompt": "say yes", "answer": "yes"}], room=999)
    assert learnt == [*ranked, encoder.eos]
    assert shown[: len(prompt) + len(ranked)] == [*prompt, *ranked]


def test_the_answer_of_a_tokenizer_with_a_prefix_space_starts_a_word(tmp_path):
    encoder = Encoder.of(toy_tokenizers.saved("llama", tmp_path), "none")
    tokens, _ = encoder.demonstrated("hm", encoder.prompt("hm"), [{"prompt": "say yes", "answer": "yes"}], room=99)
    names = [encoder.tokenizer.whole.id_to_token(token) for token in tokens]
    assert "▁yes" in names[names.index("<0x0A>") :] and names.count("<s>") == 1


@pytest.mark.parametrize("kind", toy_tokenizers.KINDS)
@pytest.mark.parametrize("spelling", ["</s>", "<|im_end|>", "<think>"])
def test_a_text_that_spells_a_control_token_stays_text(kind, spelling, tmp_path):
    encoder = Encoder.of(toy_tokenizers.saved(kind, tmp_path))
    control = set(encoder.tokenizer.control.values())
    assert encoder.tokenizer.control[spelling] in control
    text = f"say {spelling} yes"
    prompt, learnt = encoder.example(text, text)
    assert not control & set(prompt[len(encoder.start) :]) and not control & set(learnt[:-1])
    shown, count = encoder.demonstrated(text, prompt, [{"prompt": text, "answer": text}], room=999)
    assert count == 1 and not control & set(shown[len(encoder.start) :])
    assert encoder.text(learnt) == text
    assert not control & set(encoder.answers([text])[0])


def test_a_run_of_spaces_that_is_an_added_token_stays_one(tmp_path):
    encoder = Encoder.of(toy_tokenizers.saved("gpt2", tmp_path))
    (spaces,) = encoder.piece("    ")
    assert encoder.tokenizer.whole.get_added_tokens_decoder()[spaces].content == "    "


def test_a_unigram_piece_with_the_best_score_is_no_control_token(tmp_path):
    encoder = Encoder.of(toy_tokenizers.saved("unigram", tmp_path))
    assert EOS not in encoder.piece("say</s>yes")


def test_no_text_has_the_names_of_control_tokens(letters):
    encoder = Encoder.of(letters)
    assert encoder.piece("\U0010fffe2\U0010fffe") == encoder.piece("\ufffd2\ufffd")


def test_a_tokenizer_without_a_bos_before_its_texts_gets_none(tmp_path):
    folder = toy_tokenizers.saved("gpt2", tmp_path)
    assert json.loads((folder / "tokenizer_config.json").read_text())["bos_token"] == "<s>"
    encoder = Encoder.of(folder)
    assert encoder.start == () and encoder.tokenizer.bos == BOS
    assert BOS not in encoder.prompt("yes")


def test_an_eos_that_a_post_processor_appends_is_not_part_of_a_prompt(tmp_path):
    encoder = Encoder.of(toy_tokenizers.saved("llama", tmp_path, end=True))
    assert encoder.start == (BOS,) and EOS not in encoder.prompt("yes")
