"""The protocol of answerers: an endpoint, or a model that an engine runs in this job."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from maple.runtime.journal import JournaledRows


class Question(NamedTuple):
    """A text to answer; its answer is sampled with the seed, and journaled under a digest of all three.

    A seed is below 2^31, which every engine takes, and every endpoint that takes seeds.
    """

    id: str
    text: str
    seed: int


class Answerer(Protocol):
    """Answers questions, and journals each answer.

    `rows` are the answers so far: `key`, `text`, `finish_reason`, `prompt_tokens`, `completion_tokens` (0 if they are
    not counted), `usd`, and for thinking `opened_by`, `reasoning` and `thinking_tokens`
    (maple.engines.journal_rows.AnswerRow), which may be left out; or `key` and `failure`, why there is no answer.
    """

    name: str
    rows: JournaledRows

    def answer(self, questions: Sequence[Question]) -> list[dict]:
        """Return one row per question, in the order given; those of the journal are not computed or sent again."""
        ...
