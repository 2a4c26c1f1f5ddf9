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
from maple.engines.beam_search import Beams
from maple.engines.engine import Completion
from maple.methods.adapter_files import attach_saved
from maple.models.behaviour import behaviour_of
from maple.runtime.devices import prepare

if TYPE_CHECKING:
    from transformers import LogitsProcessorList, PreTrainedModel


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


def _penalties(search: BeamSearch) -> "LogitsProcessorList":
    from transformers import LogitsProcessorList, NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

    penalties = LogitsProcessorList()
    if search.repetition_penalty != 1:
        penalties.append(RepetitionPenaltyLogitsProcessor(float(search.repetition_penalty)))
    if search.no_repeat_ngram:
        penalties.append(NoRepeatNGramLogitsProcessor(search.no_repeat_ngram))
    return penalties


class TransformersTranslator:
    """Beam search over a model of transformers (maple.engines.translator.Translator), also with an adapter attached."""

    def __init__(self, options: TranslatorOptions):
        prepare(options.threads, seed=0)
        # Any: PreTrainedModel's type has no `unload` and no layers that read an encoder's output.
        self.model: Any = options.load(options.dtype)
        """With the adapter around it, if one is attached."""
        self.network: Any = self.model
        """The same without what is around it: an adapter is in its layers, or in the caches of a first step."""
        self.options, self.search = options, options.search
        self.seconds = 0.0
        self.info: dict[str, str | int] = {
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "attention": str(self.model.config._attn_implementation),
        }

    def use(self, adapter: str | Path) -> None:
        """Attach an adapter in place of the one before."""
        from peft import PeftModel

        base: Any = self.model
        if isinstance(base, PeftModel):
            is_around = base.active_peft_config.is_prompt_learning  # PEFT's soft prompts change no layer
            base = base.get_base_model() if is_around else base.unload()
        self.model = attach_saved(base, adapter)
        self.network = self.model.get_base_model()

    def translate(self, sources: Sequence[Source]) -> list[Completion]:
        """Translate a batch; padding stands behind the sources and is masked."""
        import torch
        from torch.nn.functional import pad
        from transformers.modeling_outputs import BaseModelOutput

        begin, device = time.perf_counter(), self.model.device
        width = max(len(source.tokens) for source in sources)
        padding = [width - len(source.tokens) for source in sources]
        ids = [[*source.tokens, *[self.options.pad] * pads] for source, pads in zip(sources, padding, strict=True)]
        mask = torch.tensor([[1] * (width - pads) + [0] * pads for pads in padding], device=device)
        inputs = torch.tensor([source.start for source in sources], device=device)
        beams = Beams(self.search, _penalties(self.search), self.options.eos, sources[0].limit, inputs[:, None])
        with torch.inference_mode():
            output = self.model(
                input_ids=torch.tensor(ids, device=device),
                attention_mask=mask,
                decoder_input_ids=inputs,
                use_cache=True,
            )
            cache, read = output.past_key_values, output.encoder_last_hidden_state
            # A soft prompt stands before the source.
            mask = pad(mask, (read.shape[1] - width, 0), value=1)
            while step := beams.step(output.logits[:, -1]):
                cache.self_attention_cache.batch_select_indices(step.parents)
                if step.moved:  # all hypotheses of a source read the same
                    cache.cross_attention_cache.batch_select_indices(step.parents)
                    mask, read = mask[step.parents], read[step.parents]
                output = self.network(
                    encoder_outputs=BaseModelOutput(read),
                    attention_mask=mask,
                    decoder_input_ids=step.tokens,
                    past_key_values=cache,
                    use_cache=True,
                )
        self.seconds += time.perf_counter() - begin
        return [beams.completions[place] for place in range(len(sources))]
