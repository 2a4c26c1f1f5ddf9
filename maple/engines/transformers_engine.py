"""The transformers engine: batches of similar prompts, whose common prefix is computed once."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from maple.engines.engine import Completion, EngineError, EngineOptions, Pictures, Stops
from maple.engines.stop_texts import StopTexts
from maple.methods.adapter_files import attach_saved
from maple.models.attention import keeps_keys_alone
from maple.models.behaviour import behaviour_of
from maple.models.picture_file import PictureFile
from maple.models.sight import picture_reader
from maple.models.text_tokenizer import TextTokenizer
from maple.runtime.devices import prepare

if TYPE_CHECKING:
    import torch
    from transformers import DynamicCache, LogitsProcessor


class GumbelSampler:
    """A logits processor that makes the largest logit of each row a sample of the row, by the row's own generator.

    The largest of logits with Gumbel noise is a sample from their softmax (Gumbel-max); minus the logarithm of an
    exponential variate is Gumbel noise. Variates are doubles: among floats an exact 0 is frequent enough to win, and
    would always be taken.
    """

    def __init__(self, seeds: Sequence[int], device: "torch.device | str"):
        import torch

        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, ids: "torch.Tensor | None", logits: "torch.Tensor") -> "torch.Tensor":
        """Return the logits with noise, as doubles: [rows, vocabulary]."""
        import torch

        variates = torch.empty_like(logits, dtype=torch.float64)
        for row, generator in zip(variates, self.generators, strict=True):
            row.exponential_(generator=generator)
        return logits - variates.log()


class _LogProbabilities:
    """A logits processor that changes nothing and records the log-probability of each token that was generated.

    The token of a step is known at the next step, so that the logits of one step alone are kept.
    """

    def __init__(self, prompt_length: int):
        self._prompt_length = prompt_length
        self._recorded: list[torch.Tensor] = []
        self._last: torch.Tensor | None = None

    def __call__(self, ids: "torch.Tensor", logits: "torch.Tensor") -> "torch.Tensor":
        self._record(ids)
        self._last = logits.float().log_softmax(-1)
        return logits

    def _record(self, ids: "torch.Tensor") -> None:
        if self._last is not None and ids.shape[1] > self._prompt_length:
            self._recorded.append(self._last.gather(-1, ids[:, -1:]))

    def of_tokens(self, ids: "torch.Tensor") -> "torch.Tensor":
        """Return the natural log-probabilities of the new tokens of `ids`, the output of `generate`: [rows, new]."""
        import torch

        self._record(ids)
        return torch.cat(self._recorded, dim=1).double()


def common_prefix(sequences: Sequence[Sequence[int]]) -> Sequence[int]:
    """Return the tokens with which all sequences begin."""
    first, last = min(sequences, key=tuple), max(sequences, key=tuple)  # all others lie between these two
    for place, token in enumerate(first):
        if place == len(last) or token != last[place]:
            return first[:place]
    return first


# Fixed cost of decoding one batch, in units of one prompt token. Larger values make fewer, larger batches. Our choice,
# between what suits a tiny model on a processor and a model of 7B on a GPU.
BATCH_OVERHEAD_TOKENS = 2048


class _Scored(NamedTuple):
    """What is computed to score continuations: a prompt, and all but the last token of a continuation."""

    tokens: tuple[int, ...]
    prompt: int
    """The length of the prompt, which some models read otherwise than an answer."""
    pictures: tuple[PictureFile, ...]


class _Batch(NamedTuple):
    """Prompts that are completed together: their places, their common prefix, and the length of the longest."""

    places: list[int]
    prefix: Sequence[int]
    longest: int

    def joined(self, other: "_Batch", shares_prefix: bool) -> "_Batch":
        """Return both batches as one."""
        prefix = common_prefix([self.prefix, other.prefix]) if shares_prefix else ()
        return _Batch([*self.places, *other.places], prefix, max(self.longest, other.longest))

    @property
    def cost(self) -> int:
        """The prompt tokens to compute, those of the prefix once, and the fixed cost of decoding."""
        return BATCH_OVERHEAD_TOKENS + len(self.prefix) + len(self.places) * (self.longest - len(self.prefix))


def _files(pictures: Pictures, count: int) -> list[tuple[PictureFile, ...]]:
    """Return the pictures of each of `count` prompts."""
    return [shown.files if shown else () for shown in pictures or [None] * count]


def _whole_cache() -> "DynamicCache":
    """Return a cache that keeps every place: one with a sliding window would forget the prefix that rows begin with."""
    from transformers import DynamicCache

    return DynamicCache()


def _behind_padding(cache: "DynamicCache", padding: Sequence[int]) -> "DynamicCache":
    """Return the cache of one row as that of as many rows as `padding`, each moved behind its padding and cut."""
    import torch

    moved = _whole_cache()
    length = cache.get_seq_length()
    places = torch.arange(length)[None, :] - torch.tensor(padding)[:, None]  # [rows, length]; what is below 0 is masked
    for number, layer in enumerate(cache.layers):
        kept: Any = layer  # a DynamicLayer with keys and values [1, heads, length, size of a head]
        keys, values = (states[0, :, places.clamp(min=0).to(states.device)] for states in (kept.keys, kept.values))
        moved.update(keys.transpose(0, 1).contiguous(), values.transpose(0, 1).contiguous(), number)
    return moved


class TransformersEngine:
    """transformers' own `generate`; the common prefix of a batch is computed once, and there is little padding.

    A model that sees computes no prefix by itself: among tokens of pictures, positions and attention are of the whole.
    """

    def __init__(self, settings: EngineOptions):
        from transformers import GenerationConfig

        prepare(settings.threads, seed=0)
        # Any: PreTrainedModel's type has no `generate`.
        trusted = {"trust_remote_code": settings.trust_remote_code}
        self.model: Any = behaviour_of(settings.kind).load(settings.model, 16, dtype=settings.dtype, **trusted).eval()
        self.reader = picture_reader(settings.kind, settings.model, **trusted)
        self.model.config.use_cache = True
        self.batch, self.pad = settings.batch, settings.pad
        self._folder = Path(settings.model)
        # A chat model may end its turn with another token than its tokenizer's EOS.
        end_tokens = self.model.generation_config.eos_token_id
        self.ends = {settings.eos, *(end_tokens if isinstance(end_tokens, list) else [end_tokens])} - {None}
        # The model's own temperature or penalties would count here, and do not in vLLM.
        self.model.generation_config = GenerationConfig()
        self.info = {
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "attention": self.model.config._attn_implementation,
        }
        self.cached_tokens = 0
        self.pads, self.shares_prefix = True, self.reader is None and keeps_keys_alone(self.model)

    @cached_property
    def _decode(self) -> Callable[[list[int]], str]:
        """The function of the model's tokenizer that returns the text of tokens, without special ones."""
        return TextTokenizer.of(self._folder).text

    def use(self, adapter: str | Path) -> None:
        """Attach an adapter; the one before, which must be no soft prompt, is unloaded."""
        from peft import PeftModel

        if isinstance(self.model, PeftModel):
            self.model = self.model.unload()
        self.model = attach_saved(self.model, adapter)
        # PEFT puts a soft prompt before the padding and counts both as positions: with padding, a prompt's completion
        # would depend on its neighbours in the batch. A prefix in the key-value cache is not counted.
        config = self.model.active_peft_config
        self.pads = not config.is_prompt_learning or config.peft_type == "PREFIX_TUNING"
        # A soft prompt comes before the tokens that prompts share.
        self.shares_prefix = self.shares_prefix and not config.is_prompt_learning

    def complete(
        self, prompts: Sequence[list[int]], limits: Sequence[int], pictures: Pictures = (), stops: Stops = ()
    ) -> list[Completion]:
        """Complete the prompts in batches of equal limits."""
        shown, ends = _files(pictures, len(prompts)), stops or [()] * len(prompts)
        completions: dict[int, Completion] = {}
        for group in self.batches(prompts, limits):
            batch, seen = [prompts[index] for index in group], [shown[index] for index in group]
            texts = [ends[index] for index in group]
            generated = self._generate(batch, limits[group[0]], pictures=seen, stops=texts)
            completions.update(zip(group, generated, strict=True))
        return [completions[place] for place in range(len(prompts))]

    def sample(
        self,
        prompts: Sequence[list[int]],
        limits: Sequence[int],
        seeds: Sequence[int],
        temperature: float,
        top_p: float,
    ) -> Iterator[tuple[int, Completion]]:
        """Sample a completion of each prompt, in batches of equal limits."""
        from transformers import TemperatureLogitsWarper, TopPLogitsWarper

        for group in self.batches(prompts, limits):
            processors = []
            if temperature > 0:
                processors.append(TemperatureLogitsWarper(float(temperature)))
                if top_p < 1:
                    processors.append(TopPLogitsWarper(top_p))
                processors.append(GumbelSampler([seeds[index] for index in group], self.model.device))
            batch = [prompts[index] for index in group]
            yield from zip(group, self._generate(batch, limits[group[0]], processors), strict=True)

    def batches(self, prompts: Sequence[Sequence[int]], limits: Sequence[int]) -> list[list[int]]:
        """Return the places of the prompts in batches, by length or by text, whichever costs less.

        All prompts of a batch have equal limits, and equal lengths if a soft prompt allows no padding.
        """
        kinds = [(limit, -1 if self.pads else len(ids)) for ids, limit in zip(prompts, limits, strict=True)]

        def cut(order: Callable) -> list[_Batch]:
            batches: list[_Batch] = []
            for place in sorted(range(len(prompts)), key=lambda place: (kinds[place], order(prompts[place]))):
                alone = _Batch([place], prompts[place], len(prompts[place]))
                if batches and kinds[place] == kinds[batches[-1].places[0]] and len(batches[-1].places) < self.batch:
                    joined = batches[-1].joined(alone, self.shares_prefix)
                    if joined.cost <= batches[-1].cost + alone.cost:
                        batches[-1] = joined
                        continue
                batches.append(alone)
            return batches

        cheapest = min(cut(len), cut(tuple), key=lambda batches: sum(batch.cost for batch in batches))
        return [batch.places for batch in cheapest]

    def _prefix_length(self, prompts: Sequence[Sequence[int]], last: int) -> int:
        """Return the length of the batch's common prefix, without the `last` tokens of each prompt."""
        if not self.shares_prefix or len(prompts) == 1:
            return 0
        return max(0, min(len(common_prefix(prompts)), min(map(len, prompts)) - last))

    def log_likelihoods(
        self, prompts: Sequence[list[int]], continuations: Sequence[list[int]], pictures: Pictures = ()
    ) -> list[float]:
        """Score the continuations; equal inputs (a prompt and all but the last token) are computed once.

        So all choices of one token cost one forward pass of their prompt. Only the last logits are kept.
        """
        import torch

        places: dict[_Scored, list[int]] = {}
        asked = zip(prompts, continuations, _files(pictures, len(prompts)), strict=True)
        for place, (ids, continuation, files) in enumerate(asked):
            places.setdefault(_Scored((*ids, *continuation[:-1]), len(ids), files), []).append(place)
        inputs = list(places)
        likelihoods = [0.0] * len(prompts)
        for group in self.batches([input.tokens for input in inputs], [0] * len(inputs)):
            batch = [inputs[place] for place in group]
            longest = max(len(continuations[place]) for input in batch for place in places[input])
            with torch.inference_mode():
                logits = self._last_logits(batch, longest)
            for input, row in zip(batch, logits, strict=True):
                for place in places[input]:
                    continuation = torch.tensor(continuations[place], device=row.device)
                    likelihoods[place] = float(row[-len(continuation) :].gather(-1, continuation[:, None]).sum())
        return likelihoods

    def _last_logits(self, batch: Sequence[_Scored], last: int) -> "Sequence[torch.Tensor]":
        """Return the log-probabilities behind the `last` tokens of each row, [last, vocabulary]."""
        if self.reader is not None:
            return self._last_logits_of_seen(batch, last)
        ids, mask, cache = self._padded([input.tokens for input in batch], last=last)
        computed = 0 if cache is None else cache.get_seq_length()
        logits = self.model(
            input_ids=ids[:, computed:],
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0)[:, computed:],
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=last,
        ).logits
        return logits.float().log_softmax(-1)

    def _last_logits_of_seen(self, batch: Sequence[_Scored], last: int) -> "Sequence[torch.Tensor]":
        """Return the same of a model that sees: padding stands behind a row, as in training.

        So the model counts positions itself: PaliGemma's begin at 1, Qwen's have three parts.
        """
        import torch

        lengths = [len(input.tokens) for input in batch]
        width = max(lengths)
        ids = torch.tensor([[*input.tokens, *[self.pad] * (width - len(input.tokens))] for input in batch])
        mask = (torch.arange(width)[None, :] < torch.tensor(lengths)[:, None]).long()
        seen = self._seen(ids, mask, [input.prompt for input in batch], [input.pictures for input in batch])
        # From the end, since a soft prompt stands before the row.
        wanted = [[place - width for place in range(max(0, length - last), length)] for length in lengths]
        kept = sorted({place for places in wanted for place in places})
        device = self.model.device
        logits = self.model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            use_cache=False,
            logits_to_keep=torch.tensor(kept, device=device),
            **seen,
        ).logits
        rows = [[kept.index(place) for place in places] for places in wanted]
        return [each[places].float().log_softmax(-1) for each, places in zip(logits, rows, strict=True)]

    def _seen(
        self,
        ids: "torch.Tensor",
        mask: "torch.Tensor",
        ends: Sequence[int],
        pictures: Sequence[Sequence[PictureFile]],
    ) -> "dict[str, torch.Tensor]":
        """Return what a model that sees reads beside the tokens of a batch (maple.models.sight.PictureReader)."""
        if self.reader is not None:
            read = self.reader.inputs(ids.cpu(), mask.cpu(), ends, pictures)
            return {name: values.to(self.model.device) for name, values in read.items()}
        if any(pictures):
            raise EngineError("a prompt has pictures, and the model reads text alone; name one of the kind vision")
        return {}

    def _padded(
        self, prompts: Sequence[Sequence[int]], last: int = 1
    ) -> "tuple[torch.Tensor, torch.Tensor, DynamicCache | None]":
        """Return a batch as token ids and mask [rows, length], and the cache of its common prefix, None without one.

        Padding stands before a row, where sliding windows, chunks and biases of places expect it. So the cache has the
        prefix behind each row's padding, as much of it as there is room for before the rows' own tokens, which are at
        least the `last` ones: of a row with padding, the end of the prefix is computed again.
        """
        import torch

        device = self.model.device
        width, shared = max(map(len, prompts)), self._prefix_length(prompts, last)
        padding = [width - len(ids) for ids in prompts]
        rows = [[*[self.pad] * pads, *ids] for ids, pads in zip(prompts, padding, strict=True)]
        mask = [[0] * pads + [1] * (width - pads) for pads in padding]
        rows, mask, cache = torch.tensor(rows, device=device), torch.tensor(mask, device=device), None
        if shared:
            prefix = torch.tensor([prompts[0][:shared]], device=device)
            with torch.inference_mode():
                computed = self.model(
                    input_ids=prefix, past_key_values=_whole_cache(), use_cache=True, logits_to_keep=1
                ).past_key_values
            cache = _behind_padding(computed, padding)
            self.cached_tokens += sum(max(0, shared - pads) for pads in padding) - shared
        return rows, mask, cache

    def _generate(
        self,
        prompts: list[list[int]],
        limit: int,
        processors: "Sequence[LogitsProcessor]" = (),
        pictures: Sequence[Sequence[PictureFile]] = (),
        stops: Stops = (),
    ) -> list[Completion]:
        import torch
        from transformers import LogitsProcessorList, StoppingCriteriaList

        ids, mask, cache = self._padded(prompts)
        seen = self._seen(ids, mask, [ids.shape[1]] * len(prompts), pictures or [()] * len(prompts))
        recorder = _LogProbabilities(ids.shape[1])
        stopping = StopTexts(self._decode, stops, ids.shape[1]) if any(stops) else None
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=cache,
                max_new_tokens=limit,
                do_sample=False,
                logits_processor=LogitsProcessorList([recorder, *processors]),
                stopping_criteria=StoppingCriteriaList([stopping] if stopping else []),
                eos_token_id=sorted(self.ends),
                pad_token_id=self.pad,
                **seen,
            )
        log_probabilities = recorder.of_tokens(output)
        completions = []
        rows = zip(output[:, ids.shape[1] :].tolist(), log_probabilities, strict=True)
        for row, (tokens, token_log_probabilities) in enumerate(rows):
            stopped = stopping.lengths.get(row) if stopping else None
            tokens, token_log_probabilities = tokens[:stopped], token_log_probabilities[:stopped]
            end = next((place for place, token in enumerate(tokens) if token in self.ends), stopped)
            log_probability = float(token_log_probabilities[: None if end is None else end + 1].sum())
            completions.append(Completion(tokens[:end], "length" if end is None else "stop", log_probability))
        return completions
