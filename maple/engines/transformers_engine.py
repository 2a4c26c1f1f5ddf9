"""The transformers engine: batches of neighbours, shared beginnings read once."""

from collections.abc import Callable, Iterator, Sequence
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from maple.engines.engine import Completion
from maple.models import causal

if TYPE_CHECKING:
    import torch


class _Draws:
    """Makes the likeliest token of a row a draw from the row's distribution, by the row's own generator.

    The largest of logits with Gumbel noise is a draw from their softmax (Gumbel-max); minus the logarithm of an
    exponential variate is Gumbel noise. Variates are doubles: among floats 0 is not rare enough, and would always win.
    """

    def __init__(self, seeds: Sequence[int], device):
        import torch

        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids, scores):
        import torch

        variates = torch.empty_like(scores, dtype=torch.float64)
        for row, generator in zip(variates, self.generators, strict=True):
            row.exponential_(generator=generator)
        return scores - variates.log()


class _LogProbabilities:
    """A logits processor that changes nothing and notes how likely the model found each token that was taken.

    A step's choice is known at the next one, so only one step's logits are kept.
    """

    def __init__(self, width: int):
        self._width, self._taken, self._last = width, [], None

    def __call__(self, ids: "torch.Tensor", logits: "torch.Tensor") -> "torch.Tensor":
        self._take(ids)
        self._last = logits.float().log_softmax(-1)
        return logits

    def _take(self, ids: "torch.Tensor") -> None:
        if ids.shape[1] > self._width:
            self._taken.append(self._last.gather(-1, ids[:, -1:]))

    def steps(self, ids: "torch.Tensor") -> "torch.Tensor":
        """Return the natural log-probabilities of the new tokens of `ids`, what generate returned: [rows, new]."""
        import torch

        self._take(ids)
        return torch.cat(self._taken, dim=1).double()


def _head(prompts: Sequence[Sequence[int]]) -> Sequence[int]:
    """Return the tokens that all prompts begin with."""
    return commonprefix(prompts)  # noqa: RUF071 (of lists of tokens, not of paths)


# What a batch costs beside the tokens that it reads, counted in such tokens: its steps of decoding. Our choice, between
# what a tiny model on a processor wants and one of 7B on a GPU.
STEPS = 2048


class _Batch(NamedTuple):
    """The places of prompts that are completed together, what they begin with, and the length of the longest."""

    places: list[int]
    head: Sequence[int]
    longest: int

    def joined(self, other: "_Batch", shares: bool) -> "_Batch":
        """Return both batches as one."""
        head = _head([self.head, other.head]) if shares else ()
        return _Batch([*self.places, *other.places], head, max(self.longest, other.longest))

    @property
    def cost(self) -> int:
        """How many tokens are read, those of the head once, and what stands for the steps of decoding."""
        return STEPS + len(self.head) + len(self.places) * (self.longest - len(self.head))


class TransformersEngine:
    """transformers' own generate; what all prompts of a batch begin with is read once, and little is padded."""

    def __init__(
        self, model: str | Path, adapters: Sequence[str | Path], settings: dict, eos: int, pad: int, threads: int
    ):
        from transformers import GenerationConfig

        from maple.runtime.devices import prepare

        prepare(threads, seed=0)
        trust_remote_code = settings.get("trust_remote_code", False)
        self.model = causal.load(model, 16, trust_remote_code=trust_remote_code).eval()
        self.model.config.use_cache = True
        self.batch, self.pad = settings["batch"], pad
        # A chat model may end its turn with another token than its tokenizer's EOS.
        own = self.model.generation_config.eos_token_id
        self.ends = {eos, *([] if own is None else own if isinstance(own, list) else [own])}
        # Its own temperature or penalties would count here, and do not in vLLM.
        self.model.generation_config = GenerationConfig()
        self.facts = {
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "attention": self.model.config._attn_implementation,
        }
        self.cached_tokens = 0
        self.pads, self.shares = True, not self.model._is_stateful

    def use(self, adapter: str | Path) -> None:
        """Attach an adapter; the one before, which must be no soft prompt, is taken off and forgotten."""
        from peft import PeftModel

        if isinstance(self.model, PeftModel):
            self.model = self.model.unload()
        self.model = PeftModel.from_pretrained(self.model, adapter).eval()
        # PEFT puts a soft prompt before the padding and counts both as positions, so that a prompt's answer would
        # depend on its neighbours in the batch. A prefix in the cache takes part in no counting.
        config = self.model.active_peft_config
        self.pads = not config.is_prompt_learning or config.peft_type == "PREFIX_TUNING"
        self.shares = self.shares and not config.is_prompt_learning  # a soft prompt comes before what is shared

    def complete(self, prompts: Sequence[list[int]], limits: Sequence[int]) -> list[Completion]:
        """Complete the prompts; those of a batch have equal limits."""
        completions: list[Completion | None] = [None] * len(prompts)
        for group in self._groups(prompts, limits):
            batch = [prompts[index] for index in group]
            for index, completion in zip(group, self._generate(batch, limits[group[0]]), strict=True):
                completions[index] = completion
        return completions

    def sample(
        self,
        prompts: Sequence[list[int]],
        limits: Sequence[int],
        seeds: Sequence[int],
        temperature: float,
        top_p: float,
    ) -> Iterator[tuple[int, Completion]]:
        """Draw a completion of each prompt, batch by batch; those of one have equal limits."""
        from transformers import TemperatureLogitsWarper, TopPLogitsWarper

        for group in self._groups(prompts, limits):
            processors = []
            if temperature > 0:
                processors.append(TemperatureLogitsWarper(float(temperature)))
                if top_p < 1:
                    processors.append(TopPLogitsWarper(top_p))
                processors.append(_Draws([seeds[index] for index in group], self.model.device))
            batch = [prompts[index] for index in group]
            yield from zip(group, self._generate(batch, limits[group[0]], processors), strict=True)

    def _groups(self, prompts: Sequence[Sequence[int]], limits: Sequence[int]) -> list[list[int]]:
        """Cut the places of prompts into batches, neighbours in length or in text: whatever costs less.

        All of a batch have equal limits, and equal lengths where a soft prompt allows no padding.
        """
        kinds = [(limit, None if self.pads else len(ids)) for ids, limit in zip(prompts, limits, strict=True)]

        def cut(neighbours: Callable) -> list[_Batch]:
            batches: list[_Batch] = []
            for place in sorted(range(len(prompts)), key=lambda place: (kinds[place], neighbours(prompts[place]))):
                alone = _Batch([place], prompts[place], len(prompts[place]))
                if batches and kinds[place] == kinds[batches[-1].places[0]] and len(batches[-1].places) < self.batch:
                    joined = batches[-1].joined(alone, self.shares)
                    if joined.cost <= batches[-1].cost + alone.cost:
                        batches[-1] = joined
                        continue
                batches.append(alone)
            return batches

        cheapest = min(cut(len), cut(tuple), key=lambda batches: sum(batch.cost for batch in batches))
        return [batch.places for batch in cheapest]

    def _shared(self, prompts: Sequence[Sequence[int]], left: int = 1) -> int:
        """Return how many tokens all prompts of a batch begin with; the last `left` of each are its own in any case."""
        if not self.shares or len(prompts) == 1:
            return 0
        return max(0, min(len(_head(prompts)), min(map(len, prompts)) - left))

    def log_likelihoods(self, prompts: Sequence[list[int]], continuations: Sequence[list[int]]) -> list[float]:
        """Score the continuations; what the model must read before their last tokens, it reads once.

        So all choices of one token cost one pass of their prompt. Only the last logits are kept.
        """
        import torch

        readings: dict[tuple[int, ...], list[int]] = {}
        for index, (ids, more) in enumerate(zip(prompts, continuations, strict=True)):
            readings.setdefault((*ids, *more[:-1]), []).append(index)
        distinct = list(readings)
        likelihoods = [0.0] * len(prompts)
        for group in self._groups(distinct, [0] * len(distinct)):
            batch = [distinct[place] for place in group]
            longest = max(len(continuations[index]) for reading in batch for index in readings[reading])
            ids, mask, cache = self._padded(batch, left=longest)
            read = 0 if cache is None else cache.get_seq_length()
            with torch.inference_mode():
                logits = self.model(
                    input_ids=ids[:, read:],
                    attention_mask=mask,
                    position_ids=(mask.cumsum(-1) - 1).clamp(min=0)[:, read:],
                    past_key_values=cache,
                    use_cache=cache is not None,
                    logits_to_keep=longest,
                ).logits
            for reading, row in zip(batch, logits.float().log_softmax(-1), strict=True):
                for index in readings[reading]:
                    more = torch.tensor(continuations[index], device=row.device)
                    likelihoods[index] = float(row[-len(more) :].gather(-1, more[:, None]).sum())
        return likelihoods

    def _padded(self, prompts: Sequence[Sequence[int]], left: int = 1):
        """Return a batch as [rows, length] token ids and mask, and the cache of what all rows begin with, or None.

        The padding stands between what is shared and what is a row's own, `left` tokens at least.
        """
        import torch

        device = self.model.device
        width, shared = max(map(len, prompts)), self._shared(prompts, left)
        padding = [width - len(ids) for ids in prompts]
        rows = [[*ids[:shared], *[self.pad] * pads, *ids[shared:]] for ids, pads in zip(prompts, padding, strict=True)]
        mask = [[1] * shared + [0] * pads + [1] * (width - shared - pads) for pads in padding]
        rows, mask, cache = torch.tensor(rows, device=device), torch.tensor(mask, device=device), None
        if shared:
            with torch.inference_mode():
                cache = self.model(input_ids=rows[:1, :shared], use_cache=True, logits_to_keep=1).past_key_values
            cache.batch_repeat_interleave(len(prompts))
            self.cached_tokens += shared * (len(prompts) - 1)
        return rows, mask, cache

    def _generate(self, prompts: list[list[int]], limit: int, processors: Sequence = ()) -> list[Completion]:
        import torch
        from transformers import LogitsProcessorList

        ids, mask, cache = self._padded(prompts)
        noted = _LogProbabilities(ids.shape[1])
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=cache,
                max_new_tokens=limit,
                do_sample=False,
                logits_processor=LogitsProcessorList([noted, *processors]),
                eos_token_id=sorted(self.ends),
                pad_token_id=self.pad,
            )
        steps_of = noted.steps(output)
        output = output[:, ids.shape[1] :]
        completions = []
        for tokens, steps in zip(output.tolist(), steps_of, strict=True):
            end = next((place for place, token in enumerate(tokens) if token in self.ends), None)
            log_probability = float(steps[: None if end is None else end + 1].sum())
            completions.append(Completion(tokens[:end], "length" if end is None else "stop", log_probability))
        return completions
