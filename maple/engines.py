"""Engines that complete prompts: vLLM, and transformers where vLLM is not to be had."""

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, get_args

from maple.files import read_json

if TYPE_CHECKING:
    import torch


class Completion(NamedTuple):
    """What an engine made of one prompt.

    tokens: the new ones, EOS left out; finish_reason: why it stopped, "stop" or "length"; log_probability: the model's
    natural one of the tokens, EOS included where it was written.
    """

    tokens: list[int]
    finish_reason: str
    log_probability: float


class Engine(Protocol):
    """Completes prompts, greedily or by drawing, and says how likely a completion is.

    `facts` says what its arithmetic depends on, beside the settings; `cached_tokens` counts the prompt tokens that it
    did not have to read again, None where it keeps no count.
    """

    facts: dict[str, str]
    cached_tokens: int | None

    def use(self, adapter: str | Path) -> None:
        """Attach one of the adapters that it was started for, in place of the one before."""

    def complete(self, prompts: Sequence[list[int]], limits: Sequence[int]) -> list[Completion]:
        """Complete each prompt (token ids) with at most its limit of new tokens, in the order given.

        What a call answers does not depend on the calls before it.
        """

    def sample(
        self,
        prompts: Sequence[list[int]],
        limits: Sequence[int],
        seeds: Sequence[int],
        temperature: float,
        top_p: float,
    ) -> Iterator[tuple[int, Completion]]:
        """Yield (place of the prompt, completion) as completions end; each draws by its own seed, whatever runs beside.

        The temperature comes before top_p, the share of probability that is drawn from; 0 is greedy.
        """

    def log_likelihoods(self, prompts: Sequence[list[int]], continuations: Sequence[list[int]]) -> list[float]:
        """Return for each prompt the natural log-probability of its continuation (token ids, at least one)."""


class EngineError(ValueError):
    """An engine that is unknown or not installed; the message says what to write instead."""


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

        from maple.devices import prepare
        from maple.quantization import load_base

        prepare(threads, seed=0)
        self.model = load_base(model, 16, settings.get("trust_remote_code", False)).eval()
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


class VllmEngine:
    """vLLM, in this process: a Snakemake script has no main guard that a spawned engine would need."""

    def __init__(
        self, model: str | Path, adapters: Sequence[str | Path], settings: dict, eos: int, pad: int, threads: int
    ):
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(settings["cpu_cache_gib"]))
        # Jobs run side by side: pinning would put the threads of all of them on the same first cores.
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        os.environ["OMP_NUM_THREADS"] = str(threads)

        from maple.devices import compute_dtype, device, prepare

        on_cpu = device() == "cpu"
        if on_cpu:  # else it compiles a small function for log-probabilities, which takes over a second
            os.environ.setdefault("TORCH_COMPILE_DISABLE", "1")
        prepare(threads, seed=0)
        from vllm import LLM
        from vllm.lora.request import LoRARequest

        self.cached_tokens = 0
        # vLLM knows an adapter by its number, and what it has read of a prompt by the adapter's name and folder.
        self.adapters = {
            str(adapter): LoRARequest(str(adapter), number, str(adapter))
            for number, adapter in enumerate(adapters, start=1)
        }
        self.adapter = None
        self.llm = LLM(
            model=str(model),
            dtype=str(compute_dtype()).removeprefix("torch."),
            max_model_len=settings["max_length"],
            max_num_seqs=settings["batch"],
            seed=0,
            enforce_eager=on_cpu,
            enable_prefix_caching=True,
            # What prompts share is cached by whole blocks; a CPU's are of 128 tokens, if not told otherwise.
            block_size=32 if on_cpu else None,
            trust_remote_code=settings.get("trust_remote_code", False),
            tensor_parallel_size=settings.get("tensor_parallel", 1),
            disable_log_stats=True,
            **(_lora_arguments(adapters) if adapters else {}),
        )
        layers = self.llm.llm_engine.vllm_config.compilation_config.static_forward_context.values()
        backends = {layer.get_attn_backend().get_name() for layer in layers if hasattr(layer, "get_attn_backend")}
        self.facts = {
            "dtype": str(self.llm.llm_engine.model_config.dtype).removeprefix("torch."),
            "attention": " ".join(sorted(backends)),
        }

    def use(self, adapter: str | Path) -> None:
        """Attach an adapter: vLLM loads it with the first prompt, in place of the one before."""
        self.adapter = self.adapters[str(adapter)]

    def complete(self, prompts: Sequence[list[int]], limits: Sequence[int]) -> list[Completion]:
        """Hand all prompts over together; vLLM batches them continuously, and reads what they share once."""
        from vllm import SamplingParams

        self.llm.reset_prefix_cache()
        outputs = self.llm.generate(
            [{"prompt_token_ids": ids} for ids in prompts],
            [SamplingParams(temperature=0.0, max_tokens=limit, logprobs=0, detokenize=False) for limit in limits],
            lora_request=self.adapter,
            use_tqdm=False,
        )
        self.cached_tokens += sum(output.num_cached_tokens or 0 for output in outputs)
        return [self._completion(output) for output in outputs]

    def sample(
        self,
        prompts: Sequence[list[int]],
        limits: Sequence[int],
        seeds: Sequence[int],
        temperature: float,
        top_p: float,
    ) -> Iterator[tuple[int, Completion]]:
        """Hand all prompts over together, then yield each completion when it has ended.

        vLLM draws each by a generator of its own; which others share a step moves the last bits of its logits.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        engine = self.llm.llm_engine
        for place, (ids, limit, seed) in enumerate(zip(prompts, limits, seeds, strict=True)):
            params = SamplingParams(
                temperature=temperature,
                top_p=top_p,
                seed=seed,
                max_tokens=limit,
                output_kind=RequestOutputKind.FINAL_ONLY,
                logprobs=0,
                detokenize=False,
            )
            engine.add_request(str(place), {"prompt_token_ids": ids}, params, lora_request=self.adapter)
        while engine.has_unfinished_requests():
            for output in engine.step():
                yield int(output.request_id), self._completion(output)

    def _completion(self, output) -> Completion:
        best = output.outputs[0]
        stopped = best.finish_reason == "stop"  # by the last token: EOS, or a chat model's own end of turn
        tokens = list(best.token_ids[:-1] if stopped else best.token_ids)
        return Completion(tokens, "stop" if stopped else "length", best.cumulative_logprob)

    def log_likelihoods(self, prompts: Sequence[list[int]], continuations: Sequence[list[int]]) -> list[float]:
        """Score the continuations by the log-probabilities that vLLM gives of prompt tokens."""
        from vllm import SamplingParams

        # vLLM wants to write at least one token, which is thrown away.
        outputs = self.llm.generate(
            [{"prompt_token_ids": [*ids, *more]} for ids, more in zip(prompts, continuations, strict=True)],
            SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=0, detokenize=False),
            lora_request=self.adapter,
            use_tqdm=False,
        )
        return [
            sum(known[token].logprob for known, token in zip(output.prompt_logprobs[-len(more) :], more, strict=True))
            for output, more in zip(outputs, continuations, strict=True)
        ]


def _lora_arguments(adapters: Sequence[str | Path]) -> dict:
    """Return what vLLM is started with for saved LoRA adapters: the smallest of its maximal ranks, and the layers.

    Without the layers vLLM would expect an adapter on the output layer, and fails at log-probabilities of prompts.
    """
    from safetensors import safe_open
    from vllm.config.lora import MaxLoRARanks

    ranks, layers = {}, set()
    for adapter in adapters:
        config = read_json(Path(adapter) / "adapter_config.json")
        ranks[adapter] = max([config["r"], *config["rank_pattern"].values()])
        with safe_open(Path(adapter) / "adapter_model.safetensors", framework="pt") as weights:
            # Names end in q_proj.lora_A.weight. vLLM joins q_proj, k_proj and v_proj, and knows them by these parts.
            layers |= {name.split(".")[-3] for name in weights.keys()}  # noqa: SIM118 (it is no mapping)
    largest = max(ranks, key=ranks.get)
    rooms = [room for room in sorted(get_args(MaxLoRARanks)) if room >= ranks[largest]]
    if not rooms:
        raise EngineError(
            f"vLLM attaches adapters up to rank {max(get_args(MaxLoRARanks))}, {largest} has {ranks[largest]}; "
            "write generate.adapters: merged, or engine: transformers"
        )
    return {"enable_lora": True, "max_lora_rank": rooms[0], "lora_target_modules": sorted(layers)}


ENGINES = {"vllm": (VllmEngine, ("vllm", "vllm-cpu")), "transformers": (TransformersEngine, ("transformers",))}


AUTO = "auto"


def choose(name: str) -> str:
    """Return the engine to use: "auto" is vLLM where it is installed and can be loaded, else transformers."""
    if name != AUTO:
        return name
    try:
        if engine_version("vllm").startswith("vllm-cpu"):
            ctypes.CDLL("libnuma.so.1")  # its compiled part needs it, and a minimal system may lack it
    except (EngineError, OSError):
        return "transformers"
    return "vllm"


def engine_version(name: str) -> str:
    """Return the installed version of an engine, as `package version`.

    Raises EngineError for an unknown engine, and for one that is not installed.
    """
    if name not in ENGINES:
        raise EngineError(f"generate.engine: {name!r} is unknown; write one of {AUTO}, {', '.join(ENGINES)}")
    for package in ENGINES[name][1]:
        try:
            return f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
    raise EngineError(f"{name} is not installed here; install it, or name another engine")


def start(
    name: str,
    model: str | Path,
    settings: dict,
    *,
    adapters: Sequence[str | Path] = (),
    eos: int,
    pad: int,
    threads: int,
) -> Engine:
    """Start an engine on the Hub-style folder `model`, ready to use each of the PEFT adapters of these folders.

    `settings` is the `generate:` block of the config: batch (sequences at once), max_length (tokens of prompt and
    completion), cpu_cache_gib (vLLM's key-value cache on a CPU, GiB), tensor_parallel (devices a copy of the model),
    batch_invariant (kernels whose results do not depend on the batch). Raises EngineError where there are no such.
    """
    engine_version(name)
    if settings.get("batch_invariant"):
        from maple.devices import device

        if name != "vllm" or device() == "cpu":
            raise EngineError(
                "generate.batch_invariant: only vLLM on a GPU has kernels of this kind; write false, and see by "
                "generate.flip_sample how far answers depend on the batch here"
            )
        os.environ["VLLM_BATCH_INVARIANT"] = "1"
    return ENGINES[name][0](model, adapters, settings, eos, pad, threads)


def start_on(gpus: int, name: str, model: str | Path, settings: dict, **options) -> Engine:
    """Start as many copies of an engine as `gpus` devices hold, each on `tensor_parallel` of them.

    One copy on one device is an engine in this process; more are processes of their own. Raises EngineError where the
    devices do not come out even.
    """
    each = settings.get("tensor_parallel", 1)
    if gpus % each:
        raise EngineError(f"generate.tensor_parallel: {each} does not divide the {gpus} GPUs that the job was given")
    if gpus == 1:
        return start(name, model, settings, **options)
    from maple.devices import visible_gpus
    from maple.replicas import Replicas

    visible = visible_gpus()[:gpus]
    devices = [",".join(visible[at : at + each]) or None for at in range(0, gpus, each)]
    return Replicas(name, model, settings, devices, **options)
