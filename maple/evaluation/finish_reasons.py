"""The finish reasons of prompts without a completion, for generation, scoring and summary."""

# The prompt is longer than the model allows even without demonstrations: none is ever cut.
TOO_LONG = "too_long"
# The request to an endpoint failed for good.
NO_ANSWER = "no_answer"
