"""How the prompts of a task are laid out, whatever frame a model has.

No part of maple.definitions.frame, which training reads: an edit here trains nothing again.
"""

from typing import Annotated, Literal

from pydantic import Field

from maple.definitions.record import Record


class Layout(Record):
    """How a task's prompts are laid out, in the place of the frame of the model."""

    frame: Literal["none"]
    """none: nothing stands around a prompt, and no new line ends it."""
    description: str = ""
    """Jinja template over the words of a language: what stands before the first demonstration, with its empty lines."""
    delimiter: str = ""
    """What stands between a prompt and its answer, as " ". It is a part of the answer, and ranked with it."""
    separator: Annotated[str, Field(min_length=1)] = "\n\n"
    """What stands after the answer of a demonstration."""
