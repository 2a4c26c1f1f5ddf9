"""What a tiny vision-language model is pretrained on: a record apart, so that an edit of the world retrains nothing."""

from typing import NamedTuple


class PictureLesson(NamedTuple):
    """A question about a picture, and its answer."""

    picture: bytes | None
    """The picture as PNG; None for a question that is read without one."""
    question: str
    answer: str
