"""What generation, scoring and summary call the ways in which an answer can end."""

# Why there is no answer to a prompt that exceeds the model's length even without demonstrations: none is ever cut.
TOO_LONG = "too_long"
# Why there is none where the request of an endpoint failed for good.
NO_ANSWER = "no_answer"
