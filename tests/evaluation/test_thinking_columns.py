"""Thinking from the prompt to the score: toys think of the sun before they answer."""

import json

import polars as pl
import pytest
from endpoint import USAGE, Endpoint
from toy_generation import Echo, prompts, run
from tqdm import tqdm

from maple.definitions.language import LanguageIdentity
from maple.definitions.run import RunKey
from maple.engines.blocks import EndpointBlock
from maple.engines.engine import Completion
from maple.evaluation import endpoint_generation
from maple.evaluation.asked_model import Weights, model_source
from maple.evaluation.scoring import score_items
from maple.runtime.journal import Journal

ENGLISH = LanguageIdentity("eng_Latn", "English", "en", "Latn")
RUN = RunKey("m", "none", "none", 0)
# In `letters` a..z are the tokens 4..29; <think> is a special token there, and </think> another.
THINK, THOUGHT = 34, 35


@pytest.fixture
def thinking(letters, tmp_path):
    """The folder `letters` with marks of thinking among its special tokens."""
    import shutil

    from tokenizers import Tokenizer

    folder = tmp_path / "thinking"
    shutil.copytree(letters, folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens(["<think>", "</think>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(names | {"tokenizer_class": "PreTrainedTokenizerFast"}))
    (folder / "chat_template.jinja").write_text(
        "{% for message in messages %}{{ message.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}<think>{% endif %}"
    )
    return folder


class Thinker(Echo):
    """Answers with fixed tokens; remembers the limits."""

    def __init__(self, tokens, reason="stop"):
        super().__init__()
        self.completion, self.limits = Completion(tokens, reason, -1.0), []

    def complete(self, prompts, limits, pictures=(), stops=()):
        self.limits += limits
        return [self.completion for _ in prompts]


def answered(folder, path, tokens, reason="stop", **settings):
    completed, _ = run(folder, prompts("c", targets=["b"]), path, Thinker(tokens, reason), **settings)
    return completed


def scored(completed):
    return score_items(completed, {"toy": ["exact_match"]}, RUN, ENGLISH).row(0, named=True)


def test_what_was_generated_is_kept_and_the_answer_alone_is_scored(thinking, tmp_path):
    completed = answered(thinking, tmp_path, [THINK, 4, 4, THOUGHT, 5])
    assert completed["completion"].to_list() == ["<think>a a</think>b"]
    row = scored(completed)
    assert (row["value"], row["prediction"], row["thinking"], row["unfinished_thinking"]) == (1, "b", True, False)
    assert (row["thinking_tokens"], row["completion_tokens"]) == (4, 5)


def test_unfinished_thinking_is_no_answer_even_if_it_has_the_right_one(thinking, tmp_path, capsys):
    row = scored(answered(thinking, tmp_path, [THINK, 5], "length"))
    assert (row["value"], row["parsed"], row["prediction"]) == (0, False, "")
    assert (row["thinking"], row["unfinished_thinking"], row["thinking_tokens"]) == (True, True, 2)
    assert "1 of them have unfinished thinking and no answer: raise `thinking_tokens`" in capsys.readouterr().out


def test_a_model_that_does_not_think_is_scored_as_ever(thinking, tmp_path, capsys):
    row = scored(answered(thinking, tmp_path, [5]))
    assert (row["value"], row["thinking"], row["unfinished_thinking"], row["thinking_tokens"]) == (
        1,
        False,
        False,
        None,
    )
    assert capsys.readouterr().out == ""


def test_a_prompt_that_opens_a_block_makes_the_completion_begin_within_it(thinking, tmp_path):
    frame = prompts("c", targets=["b"])
    completed, _ = run(thinking, frame, tmp_path / "a", Thinker([4, THOUGHT, 5]), asked={"frame": "chat"})
    assert completed["opened_by"].to_list() == ["<think>"]
    assert scored(completed)["value"] == 1
    completed, _ = run(thinking, frame, tmp_path / "b", Thinker([5]), asked={"frame": "chat"})
    row = scored(completed)
    assert (row["value"], row["unfinished_thinking"]) == (0, True)


def test_choices_that_are_ranked_within_a_block_are_told(thinking, tmp_path, capsys):
    choice = {"labels": ["x", "y"], "verbalizers": [["b"], ["a"]], "answers": ["rank"]}
    completed, _ = run(thinking, prompts("c", **choice), tmp_path, Echo(), asked={"frame": "chat"})
    assert "1 prompts open a thinking block, in which their choices are ranked" in capsys.readouterr().out
    scores = score_items(completed, {"toy": []}, RUN, ENGLISH)
    assert scores["thinking"].to_list() == scores["thinking_tokens"].to_list() == [None, None]


def test_room_for_thinking_is_added_to_the_limit_of_an_answer_and_to_what_must_fit(letters, tmp_path):
    from maple.evaluation.prompt_requests import prompt_requests
    from maple.models.encoding import Encoder

    rows = prompts("a" * 14, "a" * 15).with_columns(answer=pl.lit("generate"))

    def requests(**room):
        return prompt_requests(rows, Encoder.of(letters, "none"), "w", "toy 1", 60, **room)

    assert [request.limit for request in requests(thinking_tokens=40)] == [44, 44]
    # Of 60 tokens 44 are for thinking and answer, 1 begins the prompt and 1 ends its line: 14 are left.
    assert [bool(request.key) for request in requests(thinking_tokens=40)] == [True, False]
    assert [request.key for request in requests()] == [request.key for request in requests(thinking_tokens=0)]


def test_the_room_of_a_model_s_file_reaches_its_engine_or_its_endpoint():
    assert model_source({"thinking_tokens": 9}, "base") == Weights("base", thinking_tokens=9)
    assert model_source({"hub": "a/b"}, "base") == Weights("base")
    openai = {"base_url": "http://127.0.0.1/v1", "model": "m", "key_variable": None}
    source = model_source({"openai": openai, "thinking_tokens": 9}, [], {"file": "f"})
    assert isinstance(source, EndpointBlock) and source.thinking_tokens == 9


def asked(path, frame=None, usage=USAGE, message=None, reason="stop", **changes):
    changed = {"finish_reason": reason, **({"message": message} if message else {})}
    with Endpoint(usage=usage, changes=changed) as endpoint:
        block = EndpointBlock(
            base_url=endpoint.url, model="m", key_variable=None, file="config/models/remote.yaml", **changes
        )
        completed, _, _ = endpoint_generation.complete(
            prompts("c", targets=["b"]) if frame is None else frame,
            block,
            previous=pl.DataFrame(schema=endpoint_generation.ANSWER_SCHEMA),
            journal=Journal(path / "journal.jsonl"),
            progress=lambda **options: tqdm(disable=True, **options),
        )
    return completed, endpoint


COUNTED = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 7}}
PARTS = [{"type": "thinking", "thinking": [{"type": "text", "text": "the sun"}]}, {"type": "text", "text": "b"}]


@pytest.mark.parametrize(
    "message",
    [
        {"content": "b", "reasoning_content": "the sun"},  # DeepSeek, SGLang
        {"content": "b", "reasoning": "the sun"},  # vLLM
        {"content": PARTS},  # Mistral
    ],
)
def test_thinking_that_an_endpoint_returns_apart_is_kept_counted_and_never_the_answer(tmp_path, message):
    completed, _ = asked(tmp_path, usage=COUNTED, message=message)
    assert completed.select("completion", "reasoning", "thinking_tokens").rows() == [("b", "the sun", 7)]
    row = scored(completed)
    assert (row["value"], row["thinking"], row["thinking_tokens"]) == (1, True, 7)


def test_thinking_in_the_text_of_an_endpoint_is_cut(tmp_path):
    completed, _ = asked(tmp_path, message={"content": "the sun\n</think>\n\nb"})  # a server without a parser
    row = scored(completed)
    assert (row["value"], row["thinking"], row["thinking_tokens"]) == (1, True, None)


@pytest.mark.parametrize("message", [{"content": None, "reasoning": "b"}, {"content": ""}])
def test_an_endpoint_that_reaches_its_limit_while_it_thinks_has_no_answer(tmp_path, message, capsys):
    row = scored(asked(tmp_path, usage=COUNTED, message=message, reason="length")[0])
    assert (row["value"], row["prediction"], row["unfinished_thinking"]) == (0, "", True)
    assert "unfinished thinking" in capsys.readouterr().out


@pytest.mark.parametrize("details", [None, 7, {}, {"reasoning_tokens": -1}, {"reasoning_tokens": 11}])
def test_a_count_of_thinking_that_cannot_be_true_is_none(tmp_path, details):
    completed, _ = asked(tmp_path, usage={**USAGE, "completion_tokens_details": details}, message={"content": "b"})
    assert completed["thinking_tokens"].to_list() == [None]


def test_a_request_to_an_endpoint_has_room_for_thinking(tmp_path):
    _, endpoint = asked(tmp_path, thinking_tokens=100)
    assert endpoint.bodies[0]["max_tokens"] == 104
    assert "thinking_tokens" not in endpoint.bodies[0]


def test_paid_answers_of_an_earlier_version_are_carried_over_without_columns_of_thinking(tmp_path):
    from maple.evaluation.completions import previous_completions
    from maple.runtime.files import write_parquet

    earlier = pl.DataFrame(
        {"key": ["k"], "completion": ["b"], "finish_reason": ["stop"], "prompt_tokens": [1], "completion_tokens": [1]}
    )
    write_parquet(earlier, tmp_path / "eng_Latn.parquet")
    schema, added = endpoint_generation.ANSWER_SCHEMA, endpoint_generation.ADDED
    previous = previous_completions([tmp_path / "eng_Latn.parquet"], Journal(tmp_path / "journal.jsonl"), schema, added)
    assert previous.select("completion", "reasoning", "thinking_tokens").rows() == [("b", None, None)]
