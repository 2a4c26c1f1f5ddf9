"""Translators: sequence-to-sequence models that answer sources by beam search, those of similar length at once.

Every parameter of the search is stated: a model's generation_config.json decides nothing (those of mBART-50 and
NLLB-200 differ in beams, limits and forced tokens).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from maple.definitions.generation import BeamSearch
from maple.engines.engine import Completion
from maple.methods.adapter_files import attach_saved
from maple.models.behaviour import behaviour_of
from maple.runtime.devices import prepare

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import GenerationConfig, PreTrainedModel


class Source(NamedTuple):
    """What a translator reads for one translation."""

    tokens: list[int]
    """The encoder's input, whole: with the tag of the language and EOS where the model has them."""
    start: list[int]
    """The decoder's input before the first word: its start token, and what a translation is forced to begin with, the
    tag of the target language. The tag counts in the length of a hypothesis, as by `forced_bos_token_id` of
    transformers and in CTranslate2."""
    limit: int
    """New tokens that the translation may have, EOS among them."""


@dataclass(frozen=True)
class TranslatorOptions:
    """What a translator is loaded with."""

    kind: str
    """The module of maple.models that loads it."""
    model: str | Path
    """A Hub-style folder."""
    search: BeamSearch
    start: int
    """The token with which its decoder starts."""
    eos: int
    pad: int
    threads: int
    """Of a processor."""
    dtype: str = "auto"
    """Of the arithmetic (maple.runtime.devices.compute_dtype)."""
    trust_remote_code: bool = False

    def load(self, dtype: str) -> "PreTrainedModel":
        """Load the model as transformers has it."""
        model = behaviour_of(self.kind).load(self.model, 16, dtype=dtype, trust_remote_code=self.trust_remote_code)
        return model.eval()


class Translator(Protocol):
    """Translates sources by beam search."""

    info: dict[str, str | int]
    """The dtype and what else can change an answer, for the run card."""
    seconds: float
    """Of its translations so far."""

    def use(self, adapter: str | Path) -> None:
        """Attach an adapter in place of the one before."""
        ...

    def translate(self, sources: Sequence[Source]) -> list[Completion]:
        """Translate one of the batches of `batches`; the tokens of a completion are those after the start."""
        ...


def batches(sources: Sequence[Source], search: BeamSearch) -> list[list[int]]:
    """Return the places of the sources in batches, the longest first.

    The sources of a batch have equal limits and starts of equal length. Each is padded to the first of its batch, which
    takes its beams as often: together at most `search.batch_tokens` tokens, or one source alone.

    >>> short, long = Source([7], [2], 9), Source([7, 8, 9], [2], 9)
    >>> batches([short, long, short], BeamSearch(beams=2, batch_tokens=12))
    [[1, 0], [2]]
    """

    def group(place: int) -> tuple[int, int]:
        return len(sources[place].start), sources[place].limit

    # The longest first: what does not fit the memory fails at once. Neighbours are of one length, with little padding.
    order = sorted(
        range(len(sources)), key=lambda place: (group(place), -len(sources[place].tokens), sources[place].tokens)
    )
    cut: list[list[int]] = []
    for place in order:
        if cut and group(place) == group(cut[-1][0]):
            longest = len(sources[cut[-1][0]].tokens)
            if (len(cut[-1]) + 1) * longest * search.beams <= search.batch_tokens:
                cut[-1].append(place)
                continue
        cut.append([place])
    return cut


class _Scores:
    """A logits processor that forces the tags of targets, penalizes, and records the log-probabilities of the model.

    Of each step and hypothesis it keeps as many tokens as can be among the best of the step, so that the scores of the
    whole vocabulary are not kept.
    """

    def __init__(self, search: BeamSearch, forced: "Tensor"):
        """`forced` are the tokens that translations begin with, [rows, tokens]; each row may have others."""
        from transformers import LogitsProcessorList, NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

        self.penalties = LogitsProcessorList()
        if search.repetition_penalty != 1:
            self.penalties.append(RepetitionPenaltyLogitsProcessor(float(search.repetition_penalty)))
        if search.no_repeat_ngram:
            self.penalties.append(NoRepeatNGramLogitsProcessor(search.no_repeat_ngram))
        self._beams, self._forced = search.beams, forced.repeat_interleave(search.beams, dim=0)
        self._steps: list[tuple[Tensor, Tensor]] = []

    def __call__(self, ids: "Tensor", scores: "Tensor") -> "Tensor":
        import torch

        step = len(self._steps)
        if step < self._forced.shape[1]:
            forced = self._forced[:, step, None]
            given = penalized = torch.full_like(scores, -torch.inf).scatter(-1, forced, 0.0)
        else:
            # With beams transformers gives log-probabilities, without them logits.
            given = scores if self._beams > 1 else scores.log_softmax(-1)
            penalized = self.penalties(ids, scores)
        # transformers takes the best 2 per beam of all hypotheses together: no more of one of them.
        tokens = penalized.topk(min(2 * self._beams, scores.shape[-1])).indices
        self._steps.append((tokens, given.gather(-1, tokens)))
        return penalized

    def of_tokens(self, tokens: "Tensor", parents: "Tensor") -> "Tensor":
        """Return the natural log-probabilities of new tokens, [rows, new]; those of forced tokens are 0.

        `parents`, of the same shape, has the hypothesis that each token was added to; -1 behind the end.
        """
        import torch

        columns = []
        for step in range(tokens.shape[1]):
            known, values = (kept[parents[:, step].clamp(min=0)] for kept in self._steps[step])
            match = known == tokens[:, step, None]
            # A token that is not among them is as good as the last of them: topk breaks ties in any way.
            found = values.masked_fill(~match, 0).sum(-1)
            columns.append(torch.where(match.any(-1), found, values[:, -1]))
        return torch.stack(columns, dim=1).double()


class TransformersTranslator:
    """transformers' own beam search (maple.engines.translator.Translator), also with an adapter attached."""

    def __init__(self, options: TranslatorOptions):
        from transformers import GenerationConfig

        prepare(options.threads, seed=0)
        # Any: PreTrainedModel's type has no `generate`.
        self.model: Any = options.load(options.dtype)
        self.model.config.use_cache = True
        # The model's own beams, limits and forced tokens would stand for what a search leaves unset.
        self.model.generation_config = GenerationConfig()
        self.options, self.search = options, options.search
        self.seconds = 0.0
        self.info: dict[str, str | int] = {
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "attention": str(self.model.config._attn_implementation),
        }

    def use(self, adapter: str | Path) -> None:
        """Attach an adapter; the one before is unloaded."""
        from peft import PeftModel

        if isinstance(self.model, PeftModel):
            self.model = self.model.unload()
        self.model = attach_saved(self.model, adapter)

    def translate(self, sources: Sequence[Source]) -> list[Completion]:
        """Translate a batch; padding stands behind the sources and is masked."""
        import torch
        from transformers import LogitsProcessorList

        begin, device = time.perf_counter(), self.model.device
        width = max(len(source.tokens) for source in sources)
        padding = [width - len(source.tokens) for source in sources]
        ids = [[*source.tokens, *[self.options.pad] * pads] for source, pads in zip(sources, padding, strict=True)]
        mask = [[1] * (width - pads) + [0] * pads for pads in padding]
        start = torch.tensor([source.start for source in sources], device=device)
        scores = _Scores(self.search, start[:, 1:])
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=torch.tensor(ids, device=device),
                attention_mask=torch.tensor(mask, device=device),
                decoder_input_ids=start[:, :1],
                generation_config=self._config(sources[0]),
                logits_processor=LogitsProcessorList([scores]),
            )
        new = output.sequences[:, 1:]
        if self.search.beams > 1:
            parents = output.beam_indices
        else:
            parents = torch.arange(len(sources), device=device)[:, None].expand_as(new)
        given, forced = scores.of_tokens(new, parents), start.shape[1] - 1
        completions = [self._completion(*row) for row in zip(new[:, forced:].tolist(), given[:, forced:], strict=True)]
        self.seconds += time.perf_counter() - begin
        return completions

    def _completion(self, tokens: list[int], log_probabilities: "Tensor") -> Completion:
        end = tokens.index(self.options.eos) if self.options.eos in tokens else None
        log_probability = float(log_probabilities[: None if end is None else end + 1].sum())
        return Completion(tokens[:end], "length" if end is None else "stop", log_probability)

    def _config(self, source: Source) -> "GenerationConfig":
        from transformers import GenerationConfig

        # Without beams, transformers warns of settings of beams.
        of_beams = {"length_penalty": float(self.search.length_penalty), "early_stopping": self.search.early_stopping}
        return GenerationConfig(
            num_beams=self.search.beams,
            **(of_beams if self.search.beams > 1 else {}),
            do_sample=False,
            max_new_tokens=source.limit + len(source.start) - 1,
            decoder_start_token_id=self.options.start,
            eos_token_id=self.options.eos,
            pad_token_id=self.options.pad,
            use_cache=True,
            return_dict_in_generate=True,
        )
