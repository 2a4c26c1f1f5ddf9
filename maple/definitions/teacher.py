"""Models that write text for datasets, or stand behind an endpoint: endpoints, models on this machine, translators.

Fields with the mark DECIDES decide an answer. The others say how requests are sent; their change reruns nothing.
"""

import re
from datetime import date
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field

from maple.definitions.record import DECIDES, Count, CountOrZero, Names, Number, Positive, Record, Share

# Sampling, if a dataset does not set it: the values of Stanford Alpaca (generate_instruction.py). PolyLM names none.
ALPACA_SAMPLING = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 3072}

Temperature = Annotated[Number, Field(ge=0, description="0 is greedy")]
TopP = Annotated[Number, Field(gt=0, le=1)]


class UsdPerMillion(Record):
    """Prices of an endpoint, US dollars per million tokens."""

    input: Annotated[Number, Field(ge=0)]
    """Price of prompt tokens."""
    output: Annotated[Number, Field(ge=0)]
    """Price of answer tokens."""


def _is_public_http(url: str) -> bool:
    """Return True if a URL is plain HTTP to another host than this one or one of its network.

    Of the network are private addresses, names without a dot, and names under .local and .internal.
    """
    address = urlsplit(url)
    host = (address.hostname or "").rstrip(".")
    if address.scheme != "http":
        return False
    try:
        ip = ip_address(host)
    except ValueError:
        # A name begins with a letter: a number without dots is an address as well, 134744072 is 8.8.8.8.
        return not re.fullmatch(r"[a-z][a-z0-9_-]*|[a-z][a-z0-9._-]*\.(local|internal|localhost)", host)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return not (ip.is_loopback or ip.is_private)


def _cap_needs_prices(schema: dict) -> None:
    schema["dependentRequired"] = {"max_usd": ["usd_per_million"]}


class EndpointSettings(Record):
    """An OpenAI-compatible endpoint, and how requests are sent to it."""

    model_config = ConfigDict(title="an OpenAI-compatible endpoint", json_schema_extra=_cap_needs_prices)

    base_url: Annotated[
        str,
        Field(pattern=r"^https?://[^@?\s]+$", description="an address without a key, as in http://localhost:8000/v1"),
        DECIDES,
    ]
    model: Annotated[str, Field(min_length=1), DECIDES]
    """The endpoint's name of the model."""
    temperature: Annotated[Temperature | None, DECIDES] = None
    """Sampling temperature; 0 is greedy; null sends none, as OpenAI's reasoning models require."""
    top_p: Annotated[TopP | None, DECIDES] = None
    """Probability mass of nucleus sampling; null sends none."""
    max_tokens: Annotated[Count | None, DECIDES] = None
    """Limit of new tokens per answer."""
    max_completion_tokens: Annotated[Count | None, DECIDES] = None
    """The same limit, for endpoints that refuse max_tokens, as OpenAI's reasoning models do."""
    seed: Annotated[Literal["own"] | None, DECIDES] = "own"
    """own: each request of a teacher carries a seed of its own; null: none is sent, to endpoints that take none."""
    key_variable: (
        Annotated[
            str,
            Field(
                pattern="^[A-Za-z_][A-Za-z0-9_]*$",
                description="the name of the environment variable that holds the key; null for a server without one",
            ),
        ]
        | None
    ) = "OPENAI_API_KEY"
    """Name of the environment variable with the key; null: the server needs no key."""
    concurrency: Count = 16
    """Requests in flight at once."""
    timeout: Positive = 120
    """Seconds to wait for one whole answer."""
    retries: CountOrZero = 6
    """Retries per request; the client waits 0.5 to 8 s before each, half a minute in all."""
    max_failed: Share = 0.1
    """Share of requests that may have no answer; beyond it the job stops and says what the server said. Our choice: a
    content filter refuses single prompts, and a tenth that is missing is another set of data."""
    usd_per_million: UsdPerMillion = UsdPerMillion(input=0.0, output=0.0)
    """Prices; without them only tokens are counted."""
    max_usd: Annotated[Number, Field(ge=0)] | None = None
    """Cost cap per job, US dollars; needs prices. A request is sent only if it fits when it and each request in flight
    cost as much as the dearest answer so far."""
    max_tokens_total: CountOrZero | None = None
    """Token cap per job, prompts and answers together; kept in the same way."""

    def model_post_init(self, _: object) -> None:
        """Refuse a cap in dollars without prices, and an address to which a key would go unencrypted."""
        if self.key_variable is not None and _is_public_http(self.base_url):
            raise ValueError(
                "base_url: a key would leave this network unencrypted; write https://, or key_variable: null for a "
                "server without a key"
            )
        if "max_usd" in self.model_fields_set and "usd_per_million" not in self.model_fields_set:
            raise ValueError("'usd_per_million' is a dependency of 'max_usd'; write both")


class LocalTeacherSettings(Record):
    """A model of config/models/ that runs in the job itself, with vLLM or transformers."""

    model_config = ConfigDict(title="a model on this machine")

    model: Annotated[str, DECIDES]
    """A file of config/models/."""
    temperature: Annotated[Temperature, DECIDES] = ALPACA_SAMPLING["temperature"]
    """Sampling temperature; 0 is greedy. Its default and the next two are Alpaca's: 1, 1 and 3072."""
    top_p: Annotated[TopP, DECIDES] = ALPACA_SAMPLING["top_p"]
    """Probability mass of nucleus sampling."""
    max_tokens: Annotated[Count, DECIDES] = int(ALPACA_SAMPLING["max_tokens"])
    """Limit of new tokens per answer."""
    max_length: Annotated[Annotated[int, Field(ge=2)] | None, DECIDES] = None
    """Tokens of prompt and answer together; by default the model's number of positions."""
    date: Annotated[
        str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description='a day in quotes, as "2024-01-01"'), DECIDES
    ] = "2024-01-01"
    """The day that a chat template takes for today, as Llama 3's does: today's own would change answers every day."""
    batch: Count = 64
    """Sequences at once."""
    cpu_cache_gib: Positive = 4
    """vLLM's key-value cache on a CPU, GiB: 16 thousand tokens of Mistral 7B in float32."""

    def model_post_init(self, _: object) -> None:
        """Refuse a date that no calendar has."""
        date.fromisoformat(self.date)


class TranslatorSettings(Record):
    """A sequence-to-sequence model of config/models/ that translates instead of the teacher."""

    model_config = ConfigDict(title="a translator")

    model: Annotated[str, DECIDES]
    """A file of config/models/: NLLB, M2M100 or a model with their language codes."""
    max_length: Annotated[int, Field(ge=2), DECIDES] = 512
    """Tokens of a sentence and of its translation, each; NLLB was trained on no longer ones (its model card)."""
    beams: Annotated[Count, DECIDES] = 1
    """Beams of beam search; 1 is greedy, our choice, since each beam costs as much time again."""
    batch: Count = 64
    """Sentences at once."""


class BackTranslation(Record):
    """Target texts of translation tasks, whose sources a model writes (Sennrich et al. 2016, arXiv 1511.06709)."""

    tasks: Names
    """Files of config/tasks/ with a `pair` into the rows' own language; of their train rows only targets are read, so
    that rows without a source will do. Dev rows are never translated back."""
    translator: TranslatorSettings
    """The model that translates targets into the source language."""
    max_rows: Count | None = None
    """Target texts per task and language, sampled by the ids of their rows as `parallel.max_rows`; null: all. Embedded
    rows need a number."""
