"""The frame chat: the tokens are those of transformers, what users write stays text, and one turn is learnt."""

import shutil

import pytest
import toy_tokenizers
from toy_tokenizers import CHATML, LLAMA, MARKED, ONE_TURN

from maple.models import causal
from maple.models.encoding import Encoder
from maple.models.example import MASKED
from maple.models.prompt_error import PromptError

pytestmark = pytest.mark.heavy

BOS, EOS = 1, 2
SHOWN = [{"prompt": "say no", "answer": "no"}, {"prompt": "How many ?", "answer": "hm yes"}]


def messages(*texts):
    return [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(texts)]


def both(kind, template, path):
    """Return our encoder and transformers' tokenizer of one folder."""
    from transformers import AutoTokenizer

    folder = toy_tokenizers.saved(kind, path, template=template)
    return Encoder.of(folder, "chat"), AutoTokenizer.from_pretrained(folder)


def applied(tokenizer, *texts, prompt):
    return tokenizer.apply_chat_template(messages(*texts), add_generation_prompt=prompt, return_dict=False)


@pytest.mark.parametrize("kind", toy_tokenizers.KINDS)
@pytest.mark.parametrize("template", [CHATML, MARKED, LLAMA])
def test_harmless_text_has_the_tokens_of_transformers_and_exactly_one_bos(kind, template, tmp_path):
    encoder, tokenizer = both(kind, template, tmp_path)
    start = [] if kind == "gpt2" or template == LLAMA else [BOS]  # LLaMA's template writes it
    asked = applied(tokenizer, "say yes", prompt=True)
    assert encoder.prompt("say yes") == start + asked
    assert encoder.prompt("say yes")[:2].count(BOS) == len(start) or template == LLAMA
    shown = [text for each in SHOWN for text in each.values()]
    tokens, count = encoder.demonstrated("say yes", encoder.prompt("say yes"), SHOWN, room=999)
    assert (tokens, count) == (start + applied(tokenizer, *shown, "say yes", prompt=True), 2)
    prompt, learnt = encoder.example("say yes", "hm no")
    whole = start + applied(tokenizer, "say yes", "hm no", prompt=False)
    assert prompt + learnt == whole[: len(prompt + learnt)]
    assert encoder.tokenizer.whole.decode(whole[len(prompt + learnt) :]).strip() == ""


@pytest.mark.parametrize(("template", "end"), [(CHATML, "<|im_end|>"), (MARKED, "<|im_end|>"), (LLAMA, "</s>")])
def test_the_assistant_s_turn_is_learnt_with_its_end_and_nothing_else(template, end, tmp_path):
    encoder, _ = both("llama", template, tmp_path)
    row = {"language": "eng_Latn", "instruction": "say", "input": "yes", "output": "hm"}
    labels = causal.encode(row, encoder).labels.tolist()
    learnt = [label for label in labels if label != MASKED]
    assert labels[-len(learnt) :] == learnt and learnt[-1] == encoder.eos == encoder.tokenizer.control[end]
    assert encoder.text(learnt).strip() == "hm"


@pytest.mark.parametrize("template", [CHATML, MARKED, LLAMA])
def test_what_is_ranked_and_shown_has_the_tokens_that_are_learnt(template, tmp_path):
    encoder, _ = both("llama", template, tmp_path)
    prompt, learnt = encoder.example("say yes", "yes")
    (ranked,) = encoder.answers(["yes"])
    assert learnt[: len(ranked)] == ranked and set(learnt[len(ranked) :]) <= {encoder.eos, *encoder.piece(" ")}
    shown, _ = encoder.demonstrated("hm", encoder.prompt("hm"), [{"prompt": "say yes", "answer": "yes"}], room=999)
    assert shown[: len(prompt + learnt)] == prompt + learnt


def test_the_marks_of_a_template_say_what_is_learnt(tmp_path):
    encoder, tokenizer = both("gpt2", MARKED, tmp_path)
    marked = tokenizer.apply_chat_template(
        messages("say yes", "hm no"), return_assistant_tokens_mask=True, return_dict=True
    )
    ids, mask = marked["input_ids"], marked["assistant_masks"]
    assert encoder.example("say yes", "hm no")[1] == [token for token, one in zip(ids, mask, strict=True) if one]


def test_the_end_of_a_turn_is_learnt_also_where_the_marks_leave_it_out(tmp_path):
    template = MARKED.replace(
        "{{ message.content }}<|im_end|>{% endgeneration %}", "{{ message.content }}{% endgeneration %}<|im_end|>"
    )
    encoder, _ = both("gpt2", template, tmp_path)
    assert encoder.example("say", "yes")[1] == [*encoder.piece("yes"), encoder.tokenizer.control["<|im_end|>"]]


@pytest.mark.parametrize("template", [CHATML, MARKED, LLAMA])
@pytest.mark.parametrize("spelling", ["</s>", "<|im_end|>", "<|im_start|>", "<s>"])
def test_a_message_that_spells_a_control_token_is_text_and_the_template_s_own_are_tokens(template, spelling, tmp_path):
    encoder, _ = both("llama", template, tmp_path)
    control = encoder.tokenizer.control.values()

    def controls(text):
        shown = [{"prompt": text, "answer": text}]
        prompt, learnt = encoder.example(text, text)
        whole, _ = encoder.demonstrated(text, encoder.prompt(text), shown, room=999)
        return [token for token in [*prompt, *learnt, *whole, *encoder.answers([text])[0]] if token in control]

    assert controls(f"say {spelling} yes") == controls("say yes") != []


def test_a_turn_without_an_end_of_its_own_ends_with_the_eos(chat_base):
    encoder = Encoder.of(chat_base, "chat")
    prompt, learnt = encoder.example("The sun", "rises")
    assert prompt.count(BOS) == 1 and prompt[0] == BOS and learnt[-1] == EOS
    assert encoder.text(prompt) == "user: The sun\nassistant:"


def test_a_bos_of_both_template_and_tokenizer_is_one(chat_base, tmp_path):
    folder = shutil.copytree(chat_base, tmp_path / "base")
    template = folder / "chat_template.jinja"
    template.write_text("{{ bos_token }}" + template.read_text())
    assert Encoder.of(folder, "chat").prompt("The sun").count(BOS) == 1


def test_demonstrations_can_be_text_within_the_prompt(tmp_path):
    folder = toy_tokenizers.saved("gpt2", tmp_path, template=ONE_TURN)
    as_text = Encoder.of(folder, "chat", "text")
    tokens, count = as_text.demonstrated("say yes", as_text.prompt("say yes"), SHOWN, room=999)
    assert count == 2 and as_text.text(tokens) == "say no\nno\n\nHow many ?\nhm yes\n\nsay yes"
    as_turns = Encoder.of(folder, "chat", "turns")
    with pytest.raises(PromptError, match=r"fails \(one message only\).*write demonstrations: text"):
        as_turns.demonstrated("say yes", as_turns.prompt("say yes"), SHOWN, room=999)


def test_demonstrations_that_do_not_fit_are_left_out_from_the_end(tmp_path):
    encoder, tokenizer = both("gpt2", CHATML, tmp_path)
    one = applied(tokenizer, *SHOWN[0].values(), "say yes", prompt=True)
    alone = encoder.prompt("say yes")
    assert encoder.demonstrated("say yes", alone, SHOWN, room=len(one)) == (one, 1)
    assert encoder.demonstrated("say yes", alone, SHOWN, room=len(one) - 1) == (alone, 0)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (
            "{% for message in messages %}{{ message.content }}{% endfor %}{% if add_generation_prompt %}:{% endif %}",
            "does not begin with its own prompt",
        ),
        ("{% for message in messages if message.role == 'user' %}{{ message.content }}{% endfor %}", "leaves out"),
    ],
)
def test_a_template_in_which_nothing_can_be_learnt_is_refused(tmp_path, template, reason):
    encoder, _ = both("gpt2", template, tmp_path)
    assert encoder.prompt("say yes") and encoder.eos == EOS
    with pytest.raises(PromptError, match=rf"{reason}.*write frame: bactrian or none"):
        encoder.example("say yes", "no")


def test_a_model_without_a_template_is_not_asked_in_turns(letters):
    with pytest.raises(PromptError, match="no chat template; write frame: bactrian or none"):
        Encoder.of(letters, "chat")
