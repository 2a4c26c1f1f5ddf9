"""The error for a wrong config file, in a module without imports: jobs that only read languages load no pydantic."""


class DefinitionError(ValueError):
    """A config file is wrong; the message names file and key, and says what to write."""
