"""Thinking blocks of the vendors, with the toy answer Nairobi after the toy thought "East Africa."."""

import pytest

from maple.text.thinking import marks_among, opening_mark, split_thinking

THOUGHT, ANSWER = "East Africa.", "Nairobi"
BLOCKS = [
    "<think>\nEast Africa.\n</think>\n\nNairobi",  # DeepSeek-R1, Qwen3, SmolLM3, GLM-4.5
    "<think:6124c78e>East Africa.</think:6124c78e>Nairobi",  # Hunyuan 4
    "<think>\nEast Africa.\n</think>\n<answer>\nNairobi\n</answer>",  # Hunyuan-A13B
    "<think>East Africa.</think><response>Nairobi</response>",  # Granite 3.3
    "[THINK]East Africa.[/THINK]Nairobi",  # Magistral
    "<|START_THINKING|>East Africa.<|END_THINKING|><|START_RESPONSE|>Nairobi<|END_RESPONSE|>",  # Command A Reasoning
    "<|START_THINKING|>East Africa.<|END_THINKING|><|START_TEXT|>Nairobi<|END_TEXT|>",
    "<|inner_prefix|>East Africa.<|inner_suffix|>Nairobi",  # Apertus
    "<seed:think>East Africa.</seed:think>Nairobi",  # Seed-OSS
    "◁think▷East Africa.◁/think▷Nairobi",  # Kimi-VL-Thinking
    "<mm:think>East Africa.</mm:think>Nairobi",  # MiniMax-M3
    "<ifm|think_fast>East Africa.</ifm|think_fast>Nairobi",  # K2 Horizon
    "<|channel>thought\nEast Africa.<channel|>Nairobi",  # Gemma 4
    "<|begin_of_thought|>East Africa.<|end_of_thought|>\n<|begin_of_solution|>Nairobi<|end_of_solution|>",  # Sky-T1
    "<thought>\nEast Africa.\n</thought>\n\nNairobi",  # EXAONE Deep
    "<thoughts>East Africa.</thoughts>Nairobi",
    "<thinking>East Africa.</thinking>Nairobi",
    "<reasoning>East Africa.</reasoning>Nairobi",
    "Here is my thought process:\nEast Africa.\n\nHere is my response:\nNairobi",  # Granite 3.2
    "Here's my thought process: East Africa. Here's my response: Nairobi",
    "<|channel|>analysis<|message|>East Africa.<|end|><|start|>assistant<|channel|>final<|message|>Nairobi",  # gpt-oss
]


@pytest.mark.parametrize("text", BLOCKS)
def test_a_completion_is_split_into_its_thinking_and_its_answer(text):
    split = split_thinking(text)
    assert (split.thinking, split.answer, split.unfinished, split.thinks) == (THOUGHT, ANSWER, False, True)


@pytest.mark.parametrize("text", BLOCKS)
def test_the_spans_of_a_completion_hold_its_thinking_and_not_its_answer(text):
    covered = "".join(text[start:end] for start, end in split_thinking(text).spans)
    assert THOUGHT in covered and ANSWER not in covered


@pytest.mark.parametrize("text", BLOCKS)
def test_a_completion_that_is_cut_within_its_thinking_has_no_answer(text):
    split = split_thinking(text[: text.index("Africa")], cut=True)
    assert (split.answer, split.unfinished, split.thinks) == ("", True, True)
    assert split.thinking.endswith("East")


@pytest.mark.parametrize(
    ("prompt", "mark"),
    [
        ("<｜User｜>Where?<｜Assistant｜><think>\n", "<think>"),  # DeepSeek-R1, QwQ
        ("<|im_start|>assistant\n<think>\n", "<think>"),
        ("[|assistant|]<thought>\n", "<thought>"),  # EXAONE Deep
        ("<|assistant_start|><|inner_prefix|>", "<|inner_prefix|>"),
        ("<|start|>assistant<|channel|>analysis<|message|>", "<|channel|>analysis<|message|>"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", ""),  # Qwen3 with enable_thinking: false
        ("What does <think> mean?\n\n### Output:\n", ""),
        ("", ""),
    ],
)
def test_a_prompt_that_ends_in_an_opening_mark_has_opened_a_block(prompt, mark):
    assert opening_mark(prompt) == mark


@pytest.mark.parametrize(
    ("opened_by", "text"),
    [
        ("<think>", "East Africa.\n</think>\n\nNairobi"),
        ("<think>", "East Africa.</think>Nairobi"),
        ("<think>", "<think>East Africa.</think>Nairobi"),  # the model writes the prompt's mark again
        ("<thought>", "East Africa.</thought>Nairobi"),
        ("<|channel|>analysis<|message|>", "East Africa.<|end|><|start|>assistant<|channel|>final<|message|>Nairobi"),
        ("", "East Africa.\n</think>\n\nNairobi"),  # behind an endpoint, whose prompt is not known
        ("", "East Africa.</think>\nNairobi"),
    ],
)
def test_a_block_that_the_prompt_has_opened_ends_at_its_closing_mark(opened_by, text):
    split = split_thinking(text, opened_by=opened_by)
    assert (split.thinking, split.answer) == (THOUGHT, ANSWER)


@pytest.mark.parametrize("opened_by", ["<think>", "<thought>", "<|channel|>analysis<|message|>"])
@pytest.mark.parametrize("cut", [True, False])
def test_a_block_that_the_prompt_has_opened_and_nothing_closes_is_unfinished(opened_by, cut):
    split = split_thinking("It is Nairobi", opened_by=opened_by, cut=cut)
    assert (split.thinking, split.answer, split.unfinished) == ("It is Nairobi", "", True)


@pytest.mark.parametrize(
    "text",
    [
        "Nairobi",
        "  Nairobi.\n",
        "I think so.",
        "The tag <think> opens a thought, and </think> closes it.",
        "In R1 a thought ends with </think>, and the answer follows.",
        "<answer>Nairobi</answer>",
        "<response>Nairobi</response>",
        "<notes>\n<thought>East Africa.</thought>\n</notes>",
        "Like this:\n```\n<think>\nEast Africa.\n</think>\n```",
        "Like this:\n```\nEast Africa.\n</think>\n```",
        "Write it at the beginning of a line:\n<think> opens a thought.",
        "<thought> is a tag.",
        "Here is my thought process: East Africa.",
        "analysis of Nairobi",
        "The token <|channel|> begins a header.",
        "",
    ],
)
def test_a_text_that_mentions_a_mark_stays_as_it_is(text):
    split = split_thinking(text)
    assert (split.answer, split.thinking, split.unfinished, split.spans, split.thinks) == (text, "", False, (), False)


@pytest.mark.parametrize("text", ["<think>\n\n</think>\n\nNairobi", "<think></think>Nairobi"])
def test_an_empty_block_is_cut_and_is_no_thought(text):
    split = split_thinking(text)
    assert (split.answer, split.thinking, split.thinks) == ("Nairobi", "", False)


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("<think>a</think><think>b</think>Nairobi", "a\n\nb", "Nairobi"),
        ("<think>a</think>It is\n<think>b</think>Nairobi", "a\n\nb", "It is\nNairobi"),
        ("Let me see.\n<think>a</think>\nNairobi", "a", "Let me see.\n\nNairobi"),
        ("<think>a<think>b</think>c</think>Nairobi", "abc", "Nairobi"),
        ("<think>The tag <think> is asked.</think>Nairobi", "The tag  is asked.", "Nairobi"),
        ("<think>a</think>The mark </think> ends it.", "a", "The mark </think> ends it."),
        ("\n <think>a</think>\nNairobi", "a", "Nairobi"),
        (
            "<|channel|>commentary<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>Nairobi",
            "a",
            "Nairobi",
        ),
        ("<|channel|>final<|message|>Nairobi", "", "Nairobi"),
        ("<|START_RESPONSE|>Nairobi<|END_RESPONSE|>", "", "Nairobi"),
    ],
)
def test_blocks_are_cut_wherever_they_stand(text, thinking, answer):
    split = split_thinking(text)
    assert (split.thinking, split.answer, split.unfinished) == (thinking, answer, False)


@pytest.mark.parametrize(
    "text",
    [
        "<think>a<think>b</think>Nairobi",  # within the outer block, still
        "Let me see.\n<think>Nairobi",
        "<think>a</think>\n<think>Nairobi",
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>fin",
    ],
)
def test_a_cut_completion_with_an_open_block_has_no_answer(text):
    split = split_thinking(text, cut=True)
    assert (split.answer, split.unfinished) == ("", True)


def test_a_completion_that_is_cut_within_its_answer_has_an_answer():
    split = split_thinking("<think>a</think>Nairobi is the cap", cut=True)
    assert (split.answer, split.unfinished) == ("Nairobi is the cap", False)


def test_the_marks_among_special_tokens_are_those_of_the_model():
    assert marks_among({"<s>", "[THINK]", "[/THINK]", "[INST]"}) == {"[THINK]", "[/THINK]"}
    assert marks_among({"<|END_RESPONSE|>", "<BOS_TOKEN>"}) == {"<|END_RESPONSE|>"}


def test_the_end_of_a_turn_is_a_mark_for_models_with_channels_alone():
    assert marks_among({"<|end|>", "<|user|>"}) == set()  # Phi-3
    assert marks_among({"<|end|>", "<|channel|>", "<|return|>"}) == {"<|end|>", "<|channel|>"}
