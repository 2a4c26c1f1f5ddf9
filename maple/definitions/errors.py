"""The error of a config file, in a module without imports: light jobs read languages and need no pydantic."""


class DefinitionError(ValueError):
    """A config file says something that is not possible; the message names file and key, and what to write."""
