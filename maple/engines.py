"""Engines that complete prompts: vLLM, and transformers where vLLM is not to be had."""

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Protocol, get_args

from maple.files import read_json


class Completion(NamedTuple):
    """What an engine made of one prompt: the new tokens (EOS left out) and why it stopped ("stop" or "length")."""

    tokens: list[int]
    finish_reason: str


class Engine(Protocol):
    """Completes prompts greedily, and says how likely a completion is."""

    def complete(self, prompts: Sequence[list[int]], limits: Sequence[int]) -> list[Completion]:
        """Complete each prompt (token ids) with at most its limit of new tokens, in the order given."""

    def log_likelihoods(self, prompts: Sequence[list[int]], continuations: Sequence[list[int]]) -> list[float]:
        """Return for each prompt the natural log-probability of its continuation (token ids, at least one)."""


class EngineError(ValueError):
    """An engine that is unknown or not installed; the message says what to write instead."""


class TransformersEngine:
    """transformers' own generate, batches sorted by length so that little is padded."""

    def __init__(self, model: str | Path, adapter: str | Path | None, settings: dict, eos: int, pad: int, threads: int):
        from maple.devices import prepare
        from maple.quantization import load_base

        prepare(threads, seed=0)
        self.model = load_base(model, 16, settings.get("trust_remote_code", False)).eval()
        self.model.config.use_cache = True
        self.pads = True
        if adapter:
            from peft import PeftModel

            self.model = PeftModel.from_pretrained(self.model, adapter).eval()
            # PEFT puts a soft prompt before the padding and counts both as positions, so that a prompt's answer would
            # depend on its neighbours in the batch. A prefix in the cache takes part in no counting.
            config = self.model.active_peft_config
            self.pads = not config.is_prompt_learning or config.peft_type == "PREFIX_TUNING"
        self.batch, self.eos, self.pad = settings["batch"], eos, pad

    def complete(self, prompts: Sequence[list[int]], limits: Sequence[int]) -> list[Completion]:
        """Complete the prompts; those of equal limit and like length share a batch."""
        completions: list[Completion | None] = [None] * len(prompts)
        order = sorted(range(len(prompts)), key=lambda index: (limits[index], len(prompts[index])))
        for group in self._batches(order, lambda index: (limits[index], self._length(prompts[index]))):
            batch = [prompts[index] for index in group]
            for index, completion in zip(group, self._generate(batch, limits[group[0]]), strict=True):
                completions[index] = completion
        return completions

    def log_likelihoods(self, prompts: Sequence[list[int]], continuations: Sequence[list[int]]) -> list[float]:
        """Score the continuations; what the model must read before their last tokens, it reads once.

        So all choices of one token cost one pass of their prompt. Readings of like length share a batch, and only the
        last logits are kept.
        """
        import torch

        readings: dict[tuple[int, ...], list[int]] = {}
        for index, (ids, more) in enumerate(zip(prompts, continuations, strict=True)):
            readings.setdefault((*ids, *more[:-1]), []).append(index)
        order = sorted(readings, key=len)
        likelihoods = [0.0] * len(prompts)
        for group in self._batches(order, self._length):
            ids, mask = self._padded([list(reading) for reading in group])
            longest = max(len(continuations[index]) for reading in group for index in readings[reading])
            with torch.inference_mode():
                logits = self.model(
                    input_ids=ids,
                    attention_mask=mask,
                    position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
                    use_cache=False,
                    logits_to_keep=longest,
                ).logits
            for reading, row in zip(group, logits.float().log_softmax(-1), strict=True):
                for index in readings[reading]:
                    more = torch.tensor(continuations[index], device=row.device)
                    likelihoods[index] = float(row[-len(more) :].gather(-1, more[:, None]).sum())
        return likelihoods

    def _batches(self, order: list, kind: Callable) -> Iterator[list]:
        for _, alike in groupby(order, kind):
            alike = list(alike)
            yield from (alike[at : at + self.batch] for at in range(0, len(alike), self.batch))

    def _length(self, tokens: Sequence[int]) -> int | None:
        """Return the length that all of a batch must have; None where shorter ones are padded."""
        return None if self.pads else len(tokens)

    def _padded(self, prompts: list[list[int]]):
        import torch

        width = max(map(len, prompts))
        padded = [[self.pad] * (width - len(ids)) + ids for ids in prompts]
        mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]
        return torch.tensor(padded, device=self.model.device), torch.tensor(mask, device=self.model.device)

    def _generate(self, prompts: list[list[int]], limit: int) -> list[Completion]:
        import torch

        ids, mask = self._padded(prompts)
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=limit,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                eos_token_id=self.eos,
                pad_token_id=self.pad,
            )[:, ids.shape[1] :]
        completions = []
        for tokens in output.tolist():
            stopped = self.eos in tokens
            completions.append(
                Completion(tokens[: tokens.index(self.eos)] if stopped else tokens, "stop" if stopped else "length")
            )
        return completions


class VllmEngine:
    """vLLM, in this process: a Snakemake script has no main guard that a spawned engine would need."""

    def __init__(self, model: str | Path, adapter: str | Path | None, settings: dict, eos: int, pad: int, threads: int):
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(settings["cpu_cache_gib"]))
        # Jobs run side by side: pinning would put the threads of all of them on the same first cores.
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        os.environ["OMP_NUM_THREADS"] = str(threads)

        from maple.devices import compute_dtype, device, prepare

        prepare(threads, seed=0)
        from vllm import LLM
        from vllm.lora.request import LoRARequest

        self.eos = eos
        self.adapter = LoRARequest("adapter", 1, str(adapter)) if adapter else None
        self.llm = LLM(
            model=str(model),
            dtype=str(compute_dtype()).removeprefix("torch."),
            max_model_len=settings["max_length"],
            max_num_seqs=settings["batch"],
            seed=0,
            enforce_eager=device() == "cpu",
            enable_prefix_caching=True,
            trust_remote_code=settings.get("trust_remote_code", False),
            disable_log_stats=True,
            **(_lora_arguments(adapter) if adapter else {}),
        )

    def complete(self, prompts: Sequence[list[int]], limits: Sequence[int]) -> list[Completion]:
        """Hand all prompts over together; vLLM batches them continuously."""
        from vllm import SamplingParams

        outputs = self.llm.generate(
            [{"prompt_token_ids": ids} for ids in prompts],
            [SamplingParams(temperature=0.0, max_tokens=limit) for limit in limits],
            lora_request=self.adapter,
        )
        completions = []
        for output in outputs:
            best = output.outputs[0]
            tokens = [token for token in best.token_ids if token != self.eos]
            completions.append(Completion(tokens, "stop" if best.finish_reason == "stop" else "length"))
        return completions

    def log_likelihoods(self, prompts: Sequence[list[int]], continuations: Sequence[list[int]]) -> list[float]:
        """Score the continuations by the log-probabilities that vLLM gives of prompt tokens."""
        from vllm import SamplingParams

        # vLLM wants to write at least one token, which is thrown away.
        outputs = self.llm.generate(
            [{"prompt_token_ids": [*ids, *more]} for ids, more in zip(prompts, continuations, strict=True)],
            SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=0),
            lora_request=self.adapter,
        )
        return [
            sum(known[token].logprob for known, token in zip(output.prompt_logprobs[-len(more) :], more, strict=True))
            for output, more in zip(outputs, continuations, strict=True)
        ]


def _lora_arguments(adapter: str | Path) -> dict:
    """Return what vLLM is started with for a saved LoRA adapter: the smallest of its maximal ranks, and the layers.

    Without the layers vLLM would expect an adapter on the output layer, and fails at log-probabilities of prompts.
    """
    from safetensors import safe_open
    from vllm.config.lora import MaxLoRARanks

    config = read_json(Path(adapter) / "adapter_config.json")
    rank = max([config["r"], *config["rank_pattern"].values()])
    rooms = [room for room in sorted(get_args(MaxLoRARanks)) if room >= rank]
    if not rooms:
        raise EngineError(
            f"vLLM attaches adapters up to rank {max(get_args(MaxLoRARanks))}, this one has {rank}; "
            "write generate.adapters: merged, or engine: transformers"
        )
    with safe_open(Path(adapter) / "adapter_model.safetensors", framework="pt") as weights:
        # Names end in q_proj.lora_A.weight. vLLM joins q_proj, k_proj and v_proj, and knows them by these parts alone.
        layers = sorted({name.split(".")[-3] for name in weights.keys()})  # noqa: SIM118 (it is no mapping)
    return {"enable_lora": True, "max_lora_rank": rooms[0], "lora_target_modules": layers}


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
    raise EngineError(f"generate.engine: {name} is not installed here; install it, or write another engine")


def start(
    name: str, model: str | Path, settings: dict, *, adapter: str | Path | None, eos: int, pad: int, threads: int
) -> Engine:
    """Start an engine on the Hub-style folder `model`, with the PEFT adapter of the folder `adapter` beside it, if any.

    `settings` is the `generate:` block of the config: batch (sequences at once), max_length (tokens of prompt and
    completion), cpu_cache_gib (vLLM's key-value cache on a CPU, GiB).
    """
    engine_version(name)
    return ENGINES[name][0](model, adapter, settings, eos, pad, threads)
