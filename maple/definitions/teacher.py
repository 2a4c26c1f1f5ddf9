"""Who is asked for text beside the models of the grid: an endpoint, a model on this machine, a translator.

Fields marked DECIDES decide an answer, with the model; the others say how the model is asked, and a change of them
makes nothing anew.
"""

from typing import Annotated

from pydantic import ConfigDict, Field

from maple.definitions.record import DECIDES, Count, CountOrZero, Number, Positive, Record

# How an answer is sampled where a dataset does not say it: Stanford Alpaca's generator (generate_instruction.py).
# PolyLM names no values.
ALPACA_SAMPLING = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 3072}

Temperature = Annotated[Number, Field(ge=0, description="0 is greedy")]
TopP = Annotated[Number, Field(gt=0, le=1)]


class UsdPerMillion(Record):
    """Prices of an endpoint, US dollars per million tokens."""

    input: Annotated[Number, Field(ge=0)]
    """Tokens of prompts."""
    output: Annotated[Number, Field(ge=0)]
    """Tokens of answers."""


def _cap_needs_prices(schema: dict) -> None:
    schema["dependentRequired"] = {"max_usd": ["usd_per_million"]}


class EndpointSettings(Record):
    """An OpenAI-compatible endpoint and how it is asked."""

    model_config = ConfigDict(title="an OpenAI-compatible endpoint", json_schema_extra=_cap_needs_prices)

    base_url: Annotated[
        str,
        Field(pattern=r"^https?://[^@?\s]+$", description="an address without a key, as in http://localhost:8000/v1"),
        DECIDES,
    ]
    model: Annotated[str, Field(min_length=1), DECIDES]
    """The endpoint's own name of the model."""
    temperature: Annotated[Temperature | None, DECIDES] = None
    """Sent with each prompt; null sends none, as OpenAI's reasoning models want it."""
    top_p: Annotated[TopP | None, DECIDES] = None
    """Share of probability that is sampled from; null sends none."""
    max_tokens: Annotated[Count | None, DECIDES] = None
    """New tokens that an answer may have."""
    max_completion_tokens: Annotated[Count | None, DECIDES] = None
    """The same for endpoints that refuse max_tokens, as OpenAI's reasoning models do."""
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
    """Name of the environment variable with the key, by default that of OpenAI's client; null: no key."""
    concurrency: Count = 16
    """Requests in flight."""
    timeout: Positive = 120
    """Seconds to wait for one answer."""
    retries: CountOrZero = 6
    """Of one request; the client waits 0.5 to 8 s between two, half a minute in all."""
    usd_per_million: UsdPerMillion = UsdPerMillion(input=0.0, output=0.0)
    """Prices; without them tokens alone are counted."""
    max_usd: Annotated[Number, Field(ge=0)] | None = None
    """Cap of one job, US dollars; needs prices."""
    max_tokens_total: CountOrZero | None = None
    """Cap of one job, tokens of prompts and answers."""

    def model_post_init(self, _: object) -> None:
        """Refuse a cap in dollars without prices."""
        if "max_usd" in self.model_fields_set and "usd_per_million" not in self.model_fields_set:
            raise ValueError("'usd_per_million' is a dependency of 'max_usd'; write both")


class LocalTeacherSettings(Record):
    """A model of config/models/ that runs in the job itself, by vLLM or transformers."""

    model_config = ConfigDict(title="a model on this machine")

    model: Annotated[str, DECIDES]
    """A file of config/models/."""
    temperature: Annotated[Temperature, DECIDES] = ALPACA_SAMPLING["temperature"]
    """0 is greedy; the default is Alpaca's, as the next two."""
    top_p: Annotated[TopP, DECIDES] = ALPACA_SAMPLING["top_p"]
    """Share of probability that is sampled from."""
    max_tokens: Annotated[Count, DECIDES] = int(ALPACA_SAMPLING["max_tokens"])
    """New tokens that an answer may have."""
    max_length: Annotated[int, Field(ge=2), DECIDES] | None = None
    """Tokens of prompt and answer; by default as many as the model has positions for."""
    batch: Count = 64
    """Sequences at once; as `generate` has it."""
    cpu_cache_gib: Positive = 4
    """vLLM's key-value cache on a CPU, GiB: 16 thousand tokens of Mistral 7B in float32."""


class TranslatorSettings(Record):
    """A sequence-to-sequence model of config/models/ that translates in the teacher's place."""

    model_config = ConfigDict(title="a translator")

    model: Annotated[str, DECIDES]
    """A file of config/models/: NLLB, M2M100 or a model with their language codes."""
    max_length: Annotated[int, Field(ge=2), DECIDES] = 512
    """Tokens of a sentence, and of its translation: the longest that NLLB was trained on (its model card)."""
    beams: Annotated[Count, DECIDES] = 1
    """1 is greedy; our choice, since beams multiply the time."""
    batch: Count = 64
    """Sentences at once."""
