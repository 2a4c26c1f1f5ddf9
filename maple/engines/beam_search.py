"""Beam search of many sources at once, of which each leaves the batch when its own search has ended.

It is the search of transformers (5.19, `GenerationMixin._beam_search`), with the same results. Its `generate` computes
a whole batch until the last source has ended: one translation that goes on to its limit costs as much as hundreds.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from maple.definitions.generation import BeamSearch
from maple.engines.engine import Completion

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import LogitsProcessorList

# Sources that have ended leave the batch once they are this share of it: moving the caches of the others costs, too.
# Our choice.
ENDED_SHARE = 1 / 32


class Step(NamedTuple):
    """What a model computes next: hypotheses of sources, flat, those of a source together."""

    parents: "Tensor"
    """[hypotheses]: for each, the one of the step before that it goes on from."""
    tokens: "Tensor"
    """[hypotheses, 1]: its last token."""
    moved: bool
    """True if not every hypothesis is still in the place of one of the same source."""


@dataclass
class Beams:
    """The hypotheses of a batch; those of a source are a row.

    Scores are natural log-probabilities with penalties; without beams, sums of logits. A hypothesis that has ended has
    its score divided by its length to the power of the length penalty; a tag that it begins with counts in its length,
    as where transformers' `forced_bos_token_id` or CTranslate2's prefix forces it.
    """

    search: BeamSearch
    penalties: "LogitsProcessorList"
    eos: int
    limit: int
    """New tokens."""
    tokens: "Tensor"
    """[rows, hypotheses, tokens], with those that the decoder starts with; at first one hypothesis for each source."""

    def __post_init__(self):
        import torch

        rows, device = len(self.tokens), self.tokens.device
        self.forced = self.tokens.shape[2]
        self.sources = torch.arange(rows, device=device)
        """[rows]: the place of each row's source."""
        self.active = torch.ones(rows, dtype=torch.bool, device=device)
        """[rows]: False if the source has ended."""
        self.scores = torch.zeros((rows, 1), device=device)
        self.given = torch.zeros((rows, 1), dtype=torch.float64, device=device)
        """[rows, hypotheses]: the model's own log-probabilities."""
        self.ended = torch.full((rows, self.search.beams), -torch.inf, device=device)
        """[rows, beams]: the best scores of hypotheses that have ended, the best one first."""
        self.best = torch.full((rows, self.limit), self.eos, device=device)
        """[rows, limit]: the new tokens of the best one, with EOS behind them."""
        self.best_given = torch.full((rows,), torch.nan, dtype=torch.float64, device=device)
        self.completions: dict[int, Completion] = {}
        """Of the sources that have ended, by place."""

    def step(self, logits: "Tensor") -> Step | None:
        """Go on by one token; None if all sources have ended. `logits` are [rows * hypotheses, vocabulary]."""
        import torch

        rows, hypotheses, length = self.tokens.shape
        penalties: Any = self.penalties  # typed for classes of tensors that torch's functions do not return
        beams, logits = self.search.beams, logits.float()
        given = logits.log_softmax(-1)
        # Penalties count where transformers has them: of probabilities with beams, of logits without.
        penalized = penalties(self.tokens.flatten(0, 1), given if beams > 1 else logits)
        # Two for each beam: as many can go on if all of the best ones end.
        total = penalized.view(rows, hypotheses, -1) + self.scores[:, :, None]
        vocabulary = total.shape[2]
        top, places = total.flatten(1).topk(2 * beams)
        parents, tokens = places // vocabulary, places % vocabulary
        of_tokens = given.view(rows, -1).gather(1, places).double() + self.given.gather(1, parents)
        is_last = length - self.forced + 1 == self.limit
        ends = (tokens == self.eos) | is_last
        self._keep_ended(top, parents, tokens, of_tokens, ends)

        chosen = top.masked_fill(ends, -torch.inf).topk(beams).indices
        self.scores, self.given = top.gather(1, chosen), of_tokens.gather(1, chosen)
        parents, tokens = parents.gather(1, chosen), tokens.gather(1, chosen)
        earlier = self.tokens.gather(1, parents[:, :, None].expand(-1, -1, length))
        self.tokens = torch.cat((earlier, tokens[:, :, None]), dim=2)
        self._complete(ends[:, 0] if beams == 1 else self._searched(is_last))
        flat = parents + hypotheses * torch.arange(rows, device=parents.device)[:, None]
        left = int(self.active.sum())
        if not left:
            return None
        leave = rows - left >= ENDED_SHARE * rows
        if leave:
            flat, tokens = flat[self.active], tokens[self.active]
            self._drop()
        return Step(flat.flatten(), tokens.reshape(-1, 1), moved=leave or hypotheses < beams)

    def _length(self) -> int:
        """The tokens of the hypotheses of which the first is no start of the decoder."""
        return self.tokens.shape[2] - 1

    def _keep_ended(
        self, top: "Tensor", parents: "Tensor", tokens: "Tensor", of_tokens: "Tensor", ends: "Tensor"
    ) -> None:
        """Keep the hypotheses that end here, of the best as many as there are beams."""
        import torch

        beams, words = self.search.beams, self.tokens.shape[2] - self.forced
        scores = top[:, :beams] / (self._length() + 1) ** float(self.search.length_penalty)
        scores = scores.masked_fill(~ends[:, :beams], -torch.inf)
        found, place = scores.max(1, keepdim=True)
        better = found > self.ended[:, :1]
        parent = parents.gather(1, place)[:, :, None].expand(-1, -1, self.tokens.shape[2])
        hypothesis = self.best.clone()
        hypothesis[:, :words] = self.tokens.gather(1, parent)[:, 0, self.forced :]
        hypothesis[:, words] = tokens.gather(1, place)[:, 0]
        self.best = torch.where(better, hypothesis, self.best)
        self.best_given = torch.where(better[:, 0], of_tokens.gather(1, place)[:, 0], self.best_given)
        self.ended = torch.cat((self.ended, scores), dim=1).topk(beams).values

    def _searched(self, is_last: bool) -> "Tensor":
        """Return for each row whether its search ends here, [rows]."""
        import torch

        if is_last:
            return torch.ones_like(self.active)
        search, worst = self.search, self.ended[:, -1]
        full = worst > -torch.inf
        if search.early_stopping is True:
            return full
        longest = search.early_stopping == "never" and search.length_penalty > 0
        length = self.limit + self.forced - 1 if longest else self._length()
        return full & (self.scores[:, 0] / length ** float(search.length_penalty) <= worst)

    def _complete(self, ended: "Tensor") -> None:
        """Write the completions of the sources that end here."""
        rows = (ended & self.active).nonzero()[:, 0]
        self.active = self.active & ~ended
        for source, tokens, given in zip(
            self.sources[rows].tolist(), self.best[rows].tolist(), self.best_given[rows].tolist(), strict=True
        ):
            end = tokens.index(self.eos) if self.eos in tokens else None
            self.completions[source] = Completion(tokens[:end], "length" if end is None else "stop", given)

    def _drop(self) -> None:
        """Let the sources that have ended leave."""
        for name in ("tokens", "sources", "scores", "given", "ended", "best", "best_given"):
            setattr(self, name, getattr(self, name)[self.active])
        self.active = self.active[self.active]
