"""The finish reasons of answers that are no completion, for generation, scoring and summary."""

# The prompt is longer than the model allows even without demonstrations: none is ever cut.
TOO_LONG = "too_long"
# The request to an endpoint failed for good.
NO_ANSWER = "no_answer"
# The answer is the likelihoods of given choices.
RANK = "rank"
# The answer is the log-probabilities of a classifier's labels.
CLASSIFY = "classify"
