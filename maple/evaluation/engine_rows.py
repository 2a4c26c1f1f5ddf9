"""What an engine computes of requests, as rows of completions; a model that computes no numbers is refused."""

import math
from collections.abc import Mapping, Sequence

from maple.engines.engine import Engine, Pictures, Stops
from maple.evaluation.completions import PromptRequest
from maple.evaluation.finish_reasons import RANK
from maple.models.completion_text import CompletionDecoder


class NotFiniteError(ValueError):
    """A model computes a log-probability that is no number; the message names the item."""


def check_finite(request: PromptRequest, log_probabilities: Sequence[float]) -> None:
    """Refuse a model that computes NaN or an infinity for a request."""
    for value in log_probabilities:
        if not math.isfinite(value):
            raise NotFiniteError(f"{request.item}: the model computes {value} where a log-probability belongs")


def generated_rows(engine: Engine, requests: Sequence[PromptRequest], decoder: CompletionDecoder) -> list[dict]:
    """Complete prompts; return the columns of COMPLETION_SCHEMA but `flipped`. Raises NotFiniteError."""
    tokens, limits = [request.tokens for request in requests], [request.limit for request in requests]
    completions = engine.complete(tokens, limits, _pictures(requests), _stops(requests))
    rows = []
    for request, completion in zip(requests, completions, strict=True):
        check_finite(request, [completion.log_probability])
        rows.append(
            {
                "key": request.key,
                "completion": decoder.text(completion.tokens),
                "token_ids": completion.tokens,
                "finish_reason": completion.finish_reason,
                "log_probability": completion.log_probability,
                "log_likelihoods": [],
            }
        )
    return rows


def ranked_rows(engine: Engine, requests: Sequence[PromptRequest]) -> list[dict]:
    """Score the choices of prompts; return the columns of COMPLETION_SCHEMA but `flipped`. Raises NotFiniteError."""
    prompts, choices = zip(*(pair for request in requests for pair in request.continued), strict=True)
    asked = [request for request in requests for _ in request.choices]
    scores = iter(engine.log_likelihoods(list(prompts), list(choices), _pictures(asked)))
    rows = []
    for request in requests:
        log_likelihoods = [next(scores) for _ in request.choices]
        check_finite(request, log_likelihoods)
        rows.append(
            {
                "key": request.key,
                "completion": "",
                "token_ids": [],
                "finish_reason": RANK,
                "log_probability": None,
                "log_likelihoods": log_likelihoods,
            }
        )
    return rows


def flipped_rows(engine: Engine, requests: Sequence[PromptRequest], rows: Mapping[str, dict]) -> list[dict]:
    """Complete prompts one at a time; return their rows with `flipped`, True if the completion differs then."""
    alone = [
        engine.complete([request.tokens], [request.limit], _pictures([request]), _stops([request]))[0]
        for request in requests
    ]
    return [
        {**rows[request.key], "flipped": completion.tokens != rows[request.key]["token_ids"]}
        for request, completion in zip(requests, alone, strict=True)
    ]


def _pictures(requests: Sequence[PromptRequest]) -> Pictures:
    """Return the pictures of prompts as an engine gets them."""
    pictures = [request.pictures for request in requests]
    return pictures if any(pictures) else ()


def _stops(requests: Sequence[PromptRequest]) -> Stops:
    """Return the texts that end completions, as an engine gets them."""
    stops = [request.stop for request in requests]
    return stops if any(stops) else ()
