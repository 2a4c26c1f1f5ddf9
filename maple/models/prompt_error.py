"""The error of a tokenizer or a chat template that cannot be asked as the config says."""


class PromptError(ValueError):
    """A tokenizer or a chat template cannot encode prompts; the message says which file or key to change."""
