import json

import pytest
from endpoint import USAGE, Endpoint

from maple.definitions.errors import DefinitionError
from maple.definitions.model import Model
from maple.definitions.reading import parse
from maple.engines.answerer import Question
from maple.engines.blocks import EndpointBlock
from maple.engines.bounded_client import MAX_BYTES
from maple.engines.chat_completion import ChatCompletion, read_chat_completion
from maple.engines.openai_endpoint import EndpointError, OpenAIEndpoint
from maple.runtime.journal import Journal

SECRET = "sk-very-secret"


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("THE_KEY", SECRET)


def endpoint_at(url, path, **changes):
    settings = {"base_url": url, "model": "m", "key_variable": "THE_KEY", "file": "m.yaml", "retries": 0}
    return OpenAIEndpoint(EndpointBlock(**{**settings, "concurrency": 2, **changes}), Journal(path / "journal.jsonl"))


def questions(count):
    return [Question(str(number), f"question {number}", number) for number in range(count)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_neither_prompt_nor_key_go_there(tmp_path, status):
    with (
        Endpoint() as elsewhere,
        Endpoint(status=status, headers={"Location": elsewhere.url}) as endpoint,
        pytest.raises(EndpointError, match=rf"HTTP {status}: a redirect to {elsewhere.url}"),
    ):
        endpoint_at(endpoint.url, tmp_path).answer(questions(2))
    assert not elsewhere.seen


def test_an_answer_has_one_deadline_from_its_first_to_its_last_byte(tmp_path):
    with Endpoint(faults=("drip",)) as endpoint, pytest.raises(EndpointError, match="APITimeoutError"):
        endpoint_at(endpoint.url, tmp_path, timeout=0.5).answer(questions(1))
    with Endpoint(faults=("drip",)) as endpoint:
        (row,) = endpoint_at(endpoint.url, tmp_path, timeout=0.5, retries=1).answer(questions(1))
    assert row["finish_reason"] == "stop" and set(endpoint.seen.values()) == {2}


def test_an_endless_answer_is_cut_and_not_asked_again(tmp_path):
    with Endpoint(faults=("flood",)) as endpoint, pytest.raises(EndpointError, match=f"more than {MAX_BYTES:,} bytes"):
        endpoint_at(endpoint.url, tmp_path, retries=3).answer(questions(1))
    assert set(endpoint.seen.values()) == {1}


@pytest.mark.parametrize("value", [5, ["stop"], {"a": 1}, True, "x" * 101])
def test_a_finish_reason_that_is_no_word_is_no_answer(tmp_path, value):
    with Endpoint(changes={"finish_reason": value}) as endpoint, pytest.raises(EndpointError, match="finish_reason"):
        endpoint_at(endpoint.url, tmp_path).answer(questions(1))


@pytest.mark.parametrize("content", [7, ["text"], {"text": "x"}, True])
def test_an_answer_that_is_no_text_is_none(tmp_path, content):
    with (
        Endpoint(changes={"message": {"content": content}}) as endpoint,
        pytest.raises(EndpointError, match=r"message\.content is a"),
    ):
        endpoint_at(endpoint.url, tmp_path).answer(questions(1))


def test_what_a_server_leaves_out_is_nothing(tmp_path):
    with Endpoint(changes={"finish_reason": None, "message": {"content": None}}) as endpoint:
        (row,) = endpoint_at(endpoint.url, tmp_path).answer(questions(1))
    assert (row["text"], row["finish_reason"]) == ("", None)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"choices": {}}', b"\xff", b"[" * 10**5, b"9" * 5000])
def test_a_body_of_any_shape_is_at_worst_no_answer(body):
    with pytest.raises(ValueError, match="no chat completion"):
        read_chat_completion(body)


def test_half_a_letter_and_a_prompt_of_no_tokens_are_mended_or_not_believed():
    choice = {"message": {"content": "a\ud83d"}, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 0, "completion_tokens": 1}}).encode()
    assert read_chat_completion(body) == ChatCompletion("a?", "stop", None)


FALSE_USAGES = [
    None, False, 7, [], {}, {"prompt_tokens": 100}, {"completion_tokens": 10},
    {**USAGE, "completion_tokens": -10}, {**USAGE, "prompt_tokens": -1}, {**USAGE, "prompt_tokens": float("nan")},
    {**USAGE, "completion_tokens": float("inf")}, {**USAGE, "prompt_tokens": 2**31}, {**USAGE, "prompt_tokens": "100"},
    {**USAGE, "completion_tokens": 1.5}, {**USAGE, "completion_tokens": True}, {**USAGE, "completion_tokens": 0},
    {**USAGE, "prompt_tokens": 0},
]  # fmt: skip


@pytest.mark.parametrize("usage", FALSE_USAGES)
def test_a_cap_is_not_kept_by_numbers_that_cannot_be_true(tmp_path, usage):
    with Endpoint(usage=usage) as endpoint:
        with pytest.raises(EndpointError, match="no cap can be kept"):
            endpoint_at(endpoint.url, tmp_path, max_tokens_total=10_000).answer(questions(9))
        assert len(endpoint.seen) == 1
        (row,) = endpoint_at(endpoint.url, tmp_path / "uncapped").answer(questions(1))
    assert (row["prompt_tokens"], row["completion_tokens"]) == (0, 0) and row["text"]


@pytest.mark.parametrize("cap", [{"max_tokens_total": 330}, {"max_usd": 0.6}])
def test_what_is_in_flight_counts_for_the_cap(tmp_path, cap):
    prices = {"usd_per_million": {"input": 1000.0, "output": 10000.0}}  # 20 cents and 110 tokens an answer
    with Endpoint(delay=0.05) as endpoint, pytest.raises(EndpointError, match="the cap is"):
        endpoint_at(endpoint.url, tmp_path, concurrency=16, **prices, **cap).answer(questions(40))
    assert sum(endpoint.seen.values()) == 3


def test_a_cap_of_nothing_sends_nothing(tmp_path):
    with Endpoint() as endpoint, pytest.raises(EndpointError, match="the cap is 0"):
        endpoint_at(endpoint.url, tmp_path, max_tokens_total=0).answer(questions(2))
    assert not endpoint.seen


ROW = '{"key": "a", "text": "b", "finish_reason": null, "prompt_tokens": 1, "completion_tokens": 1, "usd": 0}'
FOREIGN = [
    "5", "null", "[]", "{}", '{"key": 5}', '{"key": "a"}', '{"key": "a", "text": 5}', "\x00\x00", "not JSON",
    ROW.replace('"b"', '"b", "text": "c"'), ROW.replace("0}", "NaN}"), ROW.replace("0}", "1e999}"),
    ROW.replace("1,", "-1,"), ROW.replace("null", "7"), ROW.replace("1,", "4294967296,"), ROW.replace("0}", "-1}"),
]  # fmt: skip


def test_a_line_of_the_journal_that_is_no_record_is_left_out_and_counted(tmp_path, capfd):
    with Endpoint() as endpoint:
        before = endpoint_at(endpoint.url, tmp_path).answer(questions(2))
        path = tmp_path / "journal.jsonl"
        path.write_text("\n".join([*FOREIGN, path.read_text()]) + '{"key": "torn')
        after = endpoint_at(endpoint.url, tmp_path).answer(questions(3))
    assert after[:2] == before and sum(endpoint.seen.values()) == 3
    assert f"{len(FOREIGN) + 1} of {len(FOREIGN) + 3} lines are no whole records" in capfd.readouterr().out


def test_an_answer_that_repeats_the_key_is_masked_before_it_is_written(tmp_path, capfd):
    said = {"message": {"content": f"Your key is {SECRET}."}, "finish_reason": f"stop {SECRET}"}
    with Endpoint(changes=said) as endpoint:
        (row,) = endpoint_at(endpoint.url, tmp_path).answer(questions(1))
    assert (row["text"], row["finish_reason"]) == ("Your key is ***.", "stop ***")
    assert SECRET not in (tmp_path / "journal.jsonl").read_text() + "".join(capfd.readouterr())


def test_without_a_key_no_word_of_an_answer_is_masked(tmp_path):
    with Endpoint(changes={"message": {"content": "none of them"}}) as endpoint:
        (row,) = endpoint_at(endpoint.url, tmp_path, key_variable=None).answer(questions(1))
    assert row["text"] == "none of them"


PUBLIC = (
    "api.example.com", "8.8.8.8", "134744072", "0x08080808", "[2001:4860:4860::8888]", "[::ffff:8.8.8.8]",
    "127.0.0.1.example.com", "localhost.example.com", "8.8.8.8:8000", "example.com.",
)  # fmt: skip
OF_THE_NETWORK = (
    "localhost:8000", "127.0.0.1", "10.0.0.7:8000", "192.168.1.5", "[::1]:8000", "[fd00::1]", "gpu01:8000", "box.local",
    "vllm.cluster.internal", "LOCALHOST",
)  # fmt: skip


def parsed(url, **changes):
    return parse(Model, {"openai": {"base_url": url, "model": "m", **changes}}, "m.yaml")


@pytest.mark.parametrize("host", PUBLIC)
def test_a_key_never_leaves_unencrypted_to_a_public_host(host):
    with pytest.raises(DefinitionError, match=r"m\.yaml: .*base_url: .* write https://"):
        parsed(f"http://{host}/v1")
    parsed(f"https://{host}/v1")
    parsed(f"http://{host}/v1", key_variable=None)


@pytest.mark.parametrize("host", OF_THE_NETWORK)
def test_a_server_of_the_own_network_may_have_a_key_without_encryption(host):
    parsed(f"http://{host}/v1")


def test_an_answer_of_an_earlier_attempt_that_nobody_counted_costs_as_much_as_the_dearest(tmp_path):
    with Endpoint(usage=False) as endpoint:
        url = endpoint.url
        endpoint_at(url, tmp_path).answer(questions(2))
        row = {"key": "x", "text": "y", "finish_reason": None, "prompt_tokens": 100, "completion_tokens": 10, "usd": 0}
        Journal(tmp_path / "journal.jsonl").append([row])
        with pytest.raises(EndpointError, match="330 tokens are spent, the cap is 400"):
            endpoint_at(url, tmp_path, max_tokens_total=400).answer(questions(3))
        assert len(endpoint.seen) == 2
