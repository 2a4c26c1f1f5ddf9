"""The vLLM engine."""

import gc
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from maple.engines.engine import Completion, EngineError, EngineOptions, Pictures, PromptPictures, Stops
from maple.methods.adapter_files import check_saved
from maple.models.behaviour import behaviour_of
from maple.models.empty import empty_model
from maple.models.picture_file import open_picture
from maple.models.sight import sees
from maple.runtime.devices import compute_dtype, device, prepare
from maple.runtime.files import read_json
from maple.runtime.loopback import stay_on_loopback

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams


MOST_PICTURES = 2  # of a prompt: those of a task (maple.definitions.task.PromptSpec.pictures)


class VllmEngine:
    """vLLM in this process: a Snakemake script has no main guard, which an engine process would need."""

    def __init__(self, settings: EngineOptions):
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        # Jobs run side by side: pinning would put the threads of all of them on the same first cores.
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)
        stay_on_loopback()

        on_cpu = device() == "cpu"
        if on_cpu:  # otherwise vLLM compiles a small function for log-probabilities, which takes over a second
            os.environ.setdefault("TORCH_COMPILE_DISABLE", "1")
        prepare(settings.threads, seed=0)
        for adapter in settings.adapters:  # vLLM attaches nothing for a tensor that it cannot place
            kind = behaviour_of(settings.kind)
            base = empty_model(settings.model, kind, trust_remote_code=settings.trust_remote_code)
            check_saved(base, adapter)
        from vllm import LLM
        from vllm.lora.request import LoRARequest

        gc.freeze()  # vLLM collects garbage five times; what the imports made is none
        self.cached_tokens, self.batch = 0, settings.batch
        # vLLM identifies an adapter by its number, and cached prompts by the adapter's name and folder.
        self.adapters = {
            str(adapter): LoRARequest(str(adapter), number, str(adapter))
            for number, adapter in enumerate(settings.adapters, start=1)
        }
        self.adapter = None
        dtype: Any = str(compute_dtype(settings.dtype)).removeprefix("torch.")
        self.llm = LLM(
            model=str(settings.model),
            dtype=dtype,
            max_model_len=settings.max_length,
            max_num_seqs=settings.batch,
            seed=0,
            enforce_eager=on_cpu,
            enable_prefix_caching=True,
            # Common prefixes are cached in whole blocks, which have 128 tokens on a CPU by default.
            block_size=32 if on_cpu else None,
            trust_remote_code=settings.trust_remote_code,
            tensor_parallel_size=settings.tensor_parallel,
            disable_log_stats=True,
            kv_cache_memory_bytes=int(settings.cpu_cache_gib * 2**30) if on_cpu else None,
            **_stated(gpu_memory_utilization=settings.gpu_memory_utilization),
            **(_picture_arguments() if sees(settings.kind) else {}),
            **(_lora_arguments(settings.adapters, settings.max_loras) if settings.adapters else {}),
        )
        layers = self.llm.llm_engine.vllm_config.compilation_config.static_forward_context.values()
        backends = {layer.get_attn_backend().get_name() for layer in layers if hasattr(layer, "get_attn_backend")}
        self.info = {
            "dtype": str(self.llm.llm_engine.model_config.dtype).removeprefix("torch."),
            "attention": " ".join(sorted(backends)),
        }

    def use(self, adapter: str | Path) -> None:
        """Attach an adapter; vLLM loads it with the next prompt."""
        self.adapter = self.adapters[str(adapter)]

    def complete(
        self, prompts: Sequence[list[int]], limits: Sequence[int], pictures: Pictures = (), stops: Stops = ()
    ) -> list[Completion]:
        """Hand all prompts to vLLM at once; it batches them continuously, and computes common prefixes once."""
        from vllm import SamplingParams

        self.llm.reset_prefix_cache()
        outputs = self._outputs(
            prompts,
            [[]] * len(prompts),
            pictures,
            [
                SamplingParams(temperature=0.0, max_tokens=limit, logprobs=0, stop=list(texts), detokenize=bool(texts))
                for limit, texts in zip(limits, stops or [()] * len(prompts), strict=True)
            ],
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
        """Hand all prompts to vLLM at once, then yield each completion when it has ended.

        vLLM samples each by its own generator; the other prompts of a step change the last bits of its logits.
        """
        from vllm import RequestOutput, SamplingParams
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
                if isinstance(output, RequestOutput):
                    yield int(output.request_id), self._completion(output)

    def _completion(self, output: "RequestOutput") -> Completion:
        (only,) = output.outputs
        stopped = only.finish_reason == "stop"
        # By the last token, EOS or a chat model's own end of turn; or by a text, whose tokens belong to the completion.
        by_token = stopped and not isinstance(only.stop_reason, str)
        tokens = list(only.token_ids[:-1] if by_token else only.token_ids)
        log_probability = only.cumulative_logprob or 0.0  # typed None, for requests without log-probabilities
        return Completion(tokens, "stop" if stopped else "length", log_probability)

    def log_likelihoods(
        self, prompts: Sequence[list[int]], continuations: Sequence[list[int]], pictures: Pictures = ()
    ) -> list[float]:
        """Score the continuations by the log-probabilities that vLLM returns of prompt tokens.

        What continuations of one prompt have in common is computed once. Of cached tokens vLLM returns no
        log-probabilities, but numbers without meaning: where they reach into a continuation, it is scored again.
        """
        places = range(len(prompts))
        outputs = self._scored(places, prompts, continuations, pictures, from_cache=True)
        if again := [place for place in places if (outputs[place].num_cached_tokens or 0) >= len(prompts[place])]:
            outputs |= self._scored(again, prompts, continuations, pictures, from_cache=False)
        return [_log_likelihood(outputs[place], continuations[place]) for place in places]

    def _scored(
        self,
        places: Sequence[int],
        prompts: Sequence[list[int]],
        continuations: Sequence[list[int]],
        pictures: Pictures,
        *,
        from_cache: bool,
    ) -> "dict[int, RequestOutput]":
        """Return the outputs for some of the prompts, by place."""
        from vllm import SamplingParams

        self.llm.reset_prefix_cache()
        # vLLM must generate at least one token, which is thrown away.
        params = SamplingParams(
            temperature=0.0,
            max_tokens=1,
            prompt_logprobs=0,
            detokenize=False,
            skip_reading_prefix_cache=not from_cache,
        )
        outputs = self._outputs(
            [prompts[place] for place in places],
            [continuations[place] for place in places],
            [pictures[place] for place in places] if pictures else (),
            [params] * len(places),
        )
        return dict(zip(places, outputs, strict=True))

    def _outputs(
        self,
        prompts: Sequence[list[int]],
        continuations: Sequence[list[int]],
        pictures: Pictures,
        params: "Sequence[SamplingParams]",
    ) -> "list[RequestOutput]":
        """Hand all prompts with their continuations to vLLM at once; with pictures, a batch at a time.

        So no more photographs are in memory than those of a batch. vLLM expands placeholders of pictures by its own
        code. Raises EngineError if that makes other tokens of them than the model's processor, with whose tokens the
        model was trained.
        """
        asked = list(zip(prompts, continuations, pictures or [None] * len(prompts), strict=True))
        size, outputs = self.batch if pictures else len(prompts), []
        for at in range(0, len(asked), size or 1):
            outputs += self.llm.generate(
                [_prompt(*each) for each in asked[at : at + size]],
                params[at : at + size],
                lora_request=self.adapter,
                use_tqdm=False,
            )
        for output, (ids, tokens, shown) in zip(outputs, asked, strict=True):
            if shown and output.prompt_token_ids != [*ids, *tokens]:
                raise EngineError(
                    f"{', '.join(each.file for each in shown.files)}: vLLM makes a prompt of "
                    f"{len(output.prompt_token_ids or ())} tokens with them, and the model's own processor one of "
                    f"{len(ids) + len(tokens)}; write engine: transformers"
                )
        return outputs


def _prompt(ids: list[int], tokens: Sequence[int], shown: PromptPictures | None) -> Any:
    """Return a prompt and its continuation as vLLM takes them."""
    if shown is None:
        return {"prompt_token_ids": [*ids, *tokens]}
    images = [open_picture(file) for file in shown.files]
    return {"prompt_token_ids": [*shown.short, *tokens], "multi_modal_data": {"image": images}}


def _log_likelihood(output: Any, tokens: Sequence[int]) -> float:
    """Return the natural log-probability of the last tokens of a prompt."""
    steps = output.prompt_logprobs[-len(tokens) :]
    return sum(step[token].logprob for step, token in zip(steps, tokens, strict=True))


def _stated(**arguments: Any) -> dict:
    """Return the arguments that are stated; vLLM's own defaults stand for the others."""
    return {name: value for name, value in arguments.items() if value is not None}


def _picture_arguments() -> dict:
    """Return vLLM's arguments for a model that sees: no room for videos, and pictures resized by Pillow.

    As in training: torchvision, which vLLM would take where it is installed, rounds otherwise.
    """
    return {"limit_mm_per_prompt": {"image": MOST_PICTURES, "video": 0}, "mm_processor_kwargs": {"backend": "pil"}}


def _lora_arguments(adapters: Sequence[str | Path], max_loras: int | None) -> dict:
    """Return vLLM's arguments for saved LoRA adapters: the smallest maximal rank that fits, and the layers.

    Without the layers vLLM expects an adapter on the output layer, and log-probabilities of prompts fail.
    """
    from safetensors import safe_open
    from vllm.config.lora import MaxLoRARanks

    ranks, layers = {}, set()
    for adapter in adapters:
        config = read_json(Path(adapter) / "adapter_config.json")
        if config.get("target_parameters"):
            raise EngineError(
                f"vLLM attaches no adapter of parameters, as which {adapter} adapts experts; "
                "write generate.adapters: merged, or engine: transformers"
            )
        ranks[adapter] = max([config["r"], *config["rank_pattern"].values()])
        with safe_open(Path(adapter) / "adapter_model.safetensors", framework="pt") as weights:
            # Names end in q_proj.lora_A.weight. vLLM joins q_proj, k_proj and v_proj, and names them by these parts.
            layers |= {name.split(".")[-3] for name in weights.keys()}  # noqa: SIM118 (it is no mapping)
    largest = max(ranks, key=lambda adapter: ranks[adapter])
    maximal_ranks = [rank for rank in sorted(get_args(MaxLoRARanks)) if rank >= ranks[largest]]
    if not maximal_ranks:
        raise EngineError(
            f"vLLM attaches adapters up to rank {max(get_args(MaxLoRARanks))}, {largest} has {ranks[largest]}; "
            "write generate.adapters: merged, or engine: transformers"
        )
    rank, names = maximal_ranks[0], sorted(layers)
    return {"enable_lora": True, "max_lora_rank": rank, "lora_target_modules": names, **_stated(max_loras=max_loras)}
