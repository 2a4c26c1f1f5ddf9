"""Finetuning: an adapter on a base in 4, 8 or 16 bits, by TRL's SFTTrainer and PEFT."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from maple.definitions.local_model import HubModel, LocalModel, trained
from maple.definitions.method import MethodVariant
from maple.definitions.training import TrainingSettings
from maple.methods.method import adaptation
from maple.models.behaviour import ExampleEncoder, ModelKind, behaviour_of
from maple.models.example import EncodedExample
from maple.models.heads import head_modules
from maple.runtime import devices
from maple.runtime.files import read_json, read_parquet
from maple.runtime.fingerprint import weights_digest
from maple.runtime.run_cards import timed, versions
from maple.training.batches import balanced, encode, sample_steps
from maple.training.callbacks import StepClock
from maple.training.cards import FinetuneCard
from maple.training.checkpoints import CheckpointPlan, clear_for, newest, training_digest
from maple.training.early_stopping import best_measurement, last_step
from maple.training.held_out import encode_held_out, examples_to_compare
from maple.training.preflight import FinetuningError, Packing
from maple.training.tracking import TrackingPlan, check_trackers
from maple.training.trained_tokens import with_token_ids
from maple.training.trainer import build_trainer
from maple.training.training_plan import TrainingPlan

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl.trainer.sft_trainer import SFTTrainer


def finetune(  # noqa: PLR0913 (a stage's entry: each argument is an input or a param of the rule)
    base: str | Path,
    examples: str | Path,
    held_out: str | Path,
    adapter: str | Path,
    *,
    method: MethodVariant,
    model: LocalModel,
    seed: int,
    threads: int,
    checkpoints: CheckpointPlan,
    code: Sequence[str],
    compared_rows: int = 0,
    sharded: bool = False,
    tracking: TrackingPlan | None = None,
) -> FinetuneCard:
    """Train an adapter and save it to the folder `adapter` (safetensors); return the run card.

    The model learns from the file `examples` and is measured on `held_out` (Parquet with the columns of
    EXAMPLE_SCHEMA). `code` are digests of the code that trains. `compared_rows` held-out rows per language will check
    the merge, 0 if there is none: a run whose merge could not be checked is not trained. `tracking` says where curves
    go, and decides nothing. The loss is on the completion only, as in Bactrian-X's recipe (arXiv 2305.15011); the
    schedule is cosine. Which examples a step learns from depends only on the examples, their lengths in tokens,
    batch_tokens and the seed.

    All processes that `maple.runtime.processes` has started share each step, which learns the same: by data
    parallelism, or with `sharded` by FSDP, where each holds its part of the base (FSDP-QLoRA with 4 bits).

    A call that was killed resumes from its last checkpoint when it is repeated, and ends with the same adapter, on a
    CPU bit for bit; the caller removes the checkpoints once the adapter is in its place. Raises FinetuningError for
    data, settings or a disk with which it cannot go on, and HeldOutError for a merge that could not be checked.
    """
    from accelerate import PartialState

    kind, adapting = behaviour_of(model.kind), adaptation(method.MODULE)
    if sharded and (reason := adapting.reason_against_fsdp(method)):
        raise FinetuningError(f"{reason}; write sharded: 0 for rule finetune in the profile")
    check_trackers(tracking)
    devices.prepare(threads, seed)
    processes, adapter = PartialState(), Path(adapter)
    with timed({}) as resources:
        weights = weights_digest(base)  # first of all: refuses a folder of which a file has changed
        encoder = kind.encoder_of(base, model, method.training.frame)
        data = read_data(examples, held_out, kind, encoder, method.training, seed)
        _check_measures(data, method.training, sharded)
        if compared_rows:
            examples_to_compare(read_parquet(held_out), kind, encoder, compared_rows, method.training.max_length)
        network, packing = _adapted(base, adapter, with_token_ids(method, encoder, model.new_tags), model, sharded)
        digest = _digest(weights, data, method, seed, threads, code, sharded)
        with processes.main_process_first():
            folder = clear_for(digest, checkpoints.folder)
            if not adapting.resumes(method):
                shutil.rmtree(folder, ignore_errors=True)
            last = newest(folder)
        if last and last_step(
            read_json(last / "trainer_state.json")["log_history"], method.training.early_stopping, kind.MEASURE
        ):
            data = replace(data, steps=data.steps[: int(last.name)])  # it had ended there
        plan = _plan(data, encoder.pad, method, model, seed, folder, checkpoints.steps, sharded, packing, tracking)
        clock = StepClock()
        trainer = build_trainer(network, plan, _tokenizer(base, encoder, model.trust_remote_code), clock)
        trainer.train(resume_from_checkpoint=last and str(last))
        adapting.save(network, base, adapter)
        if processes.is_main_process:
            hub = isinstance(model, HubModel)
            adapting.name_base(adapter, model.hub if hub else None, model.revision if hub else None)
        outcome = _outcome(network, trainer, data, method, packing, kind) | clock.fields()
    return FinetuneCard(
        base=trained(model.params()),
        resumed_from=int(last.name) if last else None,
        processes=processes.num_processes,
        sharded=sharded,
        **outcome,
        **resources,
    )


@dataclass(frozen=True)
class TrainingData:
    """The examples of a training, encoded."""

    encoded: list[EncodedExample]
    """Those that fit max_length."""
    too_long: int
    steps: list[list[EncodedExample]]
    """The examples of each step."""
    held_out: list[EncodedExample]
    digests: list[str]
    """Of the rows to learn from, and of those held out."""


def read_data(
    examples: str | Path,
    held_out: str | Path,
    kind: ModelKind,
    encoder: ExampleEncoder,
    training: TrainingSettings,
    seed: int,
) -> TrainingData:
    """Read and encode the examples of a training, and sample its steps."""
    frames = [read_parquet(path) for path in (examples, held_out)]
    encoded, too_long = encode(frames[0], kind, encoder, training.max_length)
    if training.class_weights == "balanced":
        encoded = balanced(encoded)
    rows, max_length = training.held_out_rows, training.max_length
    return TrainingData(
        encoded=encoded,
        too_long=too_long,
        steps=examples_of_steps(encoded, frames[0].height, training, seed),
        held_out=encode_held_out(frames[1], kind, encoder, rows=rows, max_length=max_length),
        digests=[blake2b(frame.write_ndjson().encode()).hexdigest() for frame in frames],
    )


def _check_measures(data: TrainingData, training: TrainingSettings, sharded: bool) -> None:
    """Refuse decisions by held-out text that cannot be made."""
    if training.measures_decide and not data.held_out:
        raise FinetuningError(
            "no held-out example fits finetune.max_length, and by them finetune.early_stopping and finetune.keep "
            "decide; raise mix.held_out in the dataset's file, or leave both keys out"
        )
    if training.keep == "best" and sharded:
        raise FinetuningError(
            "finetune.keep: best: with FSDP no process holds the adapter whole; write last, or sharded: 0 for rule "
            "finetune in the profile"
        )


def examples_of_steps(
    encoded: Sequence[EncodedExample], count: int, training: TrainingSettings, seed: int
) -> list[list[EncodedExample]]:
    """Return the examples that each step learns from; `encoded` are those that fit, of `count` in all."""
    if not count:
        raise FinetuningError("there are no examples to learn; look at what curate dropped")
    if not encoded:
        raise FinetuningError(
            f"no example of {count} fits finetune.max_length={training.max_length} tokens; "
            "raise it, or look at what curate dropped"
        )
    lengths = [len(example) for example in encoded]
    sampled = sample_steps(lengths, steps=training.steps, tokens=training.batch_tokens, seed=seed)
    steps = [[encoded[number] for number in numbers] for numbers in sampled]
    for number, step in enumerate(steps, start=1):
        if not any(example.completion_tokens for example in step):
            raise FinetuningError(
                f"step {number}: all labels of its {len(step)} examples are masked; nothing would be learnt"
            )
    return steps


def _digest(
    weights: str,
    data: TrainingData,
    method: MethodVariant,
    seed: int,
    threads: int,
    code: Sequence[str],
    sharded: bool,
) -> str:
    """Return the digest of everything that decides what is trained."""
    from accelerate import PartialState

    return training_digest(
        base=weights,
        data=data.digests,
        method=method.params(),
        seed=seed,
        threads=threads,
        device=devices.device(),
        versions=versions(),
        code=list(code),
        processes=[PartialState().num_processes, sharded],
    )


def _plan(  # noqa: PLR0913 (it names what a plan has)
    data: TrainingData,
    pad: int,
    method: MethodVariant,
    model: LocalModel,
    seed: int,
    folder: Path,
    save_steps: int,
    sharded: bool,
    packing: Packing,
    tracking: TrackingPlan | None,
) -> TrainingPlan:
    return TrainingPlan(
        steps=data.steps,
        held_out=data.held_out,
        pad=pad,
        method=method,
        kind=behaviour_of(model.kind),
        adaptation=adaptation(method.MODULE),
        seed=seed,
        folder=folder,
        save_steps=save_steps,
        sharded=sharded,
        packing=packing,
        tracking=tracking,
    )


def _adapted(
    base: str | Path, adapter: Path, method: MethodVariant, model: LocalModel, sharded: bool
) -> "tuple[PeftModel | PreTrainedModel, Packing]":
    """Load the base and attach the adapter; say whether examples may share rows, as far as it is known by then."""
    kind, adapting = behaviour_of(model.kind), adaptation(method.MODULE)
    settings = {"trust_remote_code": model.trust_remote_code, "sharded": sharded, "dtype": method.training.dtype}
    network = kind.load(base, method.bits, **settings)
    packing = Packing(method.training.packing and kind.PACKS, str(network.config._attn_implementation))
    heads, parts = head_modules(network, kind.NEW_HEADS), kind.parts_of(network)
    adapted = adapting.attach(network, method, kind.PEFT_TASK, adapter, heads, parts)
    if packing.used:
        reason = adapting.reason_against_packing(adapted)
        if reason := reason or kind.separate_packed_examples(network, method.training.max_length):
            packing.give_up(network, reason)
    return adapted, packing


def _tokenizer(base: str | Path, encoder: ExampleEncoder, trust_remote_code: bool) -> "PreTrainedTokenizerBase":
    """Return transformers' tokenizer, which the trainer asks for; it pads as `encoder` does."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=trust_remote_code)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(encoder.pad)
    return tokenizer


def _outcome(
    network: "PeftModel | PreTrainedModel",
    trainer: "SFTTrainer",
    data: TrainingData,
    method: MethodVariant,
    packing: Packing,
    kind: ModelKind,
) -> dict:
    """Return the fields of a card that say what was trained, on what, and how it went."""
    adapting, measure = adaptation(method.MODULE), kind.MEASURE
    parts = kind.parts_of(adapting.base_of(network))
    trained, total = adapting.parameters(network)
    history, made = trainer.state.log_history, trainer.state.global_step
    seen = [example for step in data.steps[:made] for example in step]
    best = best_measurement(history, measure)
    return {
        "bits": method.bits,
        "method": method.adapted_by(),
        "training": method.training.params(),
        "examples": len(data.encoded),
        "too_long": data.too_long,
        "epochs": round(len(seen) / len(data.encoded), 2),
        "mean_tokens": round(sum(map(len, data.encoded)) / len(data.encoded), 1),
        "tokens": tokens_of(seen),
        "trainable_parameters": trained,
        "all_parameters": total,
        "trainable_share": trained / total,
        "trained_by_part": parts.trained(network) if parts else {},
        "loss": loss_curve([entry["loss"] for entry in history if "loss" in entry]),
        "held_out_examples": len(data.held_out),
        "held_out": [entry for entry in history if measure in entry],
        "measure": measure,
        "steps": made,
        "stopped_early": made < method.training.steps,
        "best_step": best["step"] if best else None,
        "kept_step": best["step"] if best and method.training.keep == "best" else made,
        "packed": packing.used,
        "padded_because": packing.reason,
        "adapted": adapting.adapted(network),
        "attention": network.config._attn_implementation,
        "optimizer": trainer.args.optim,
        "dtype": "bfloat16" if trainer.args.bf16 else "float32",
        "gradient_checkpointing": trainer.args.gradient_checkpointing,
        "liger": trainer.args.use_liger_kernel,
        "compiled": method.training.compile,
    }


def tokens_of(seen: Sequence[EncodedExample]) -> dict:
    """Count the tokens of examples, {all, completion, language: {code: {all, completion}}}."""

    def count(examples: Sequence[EncodedExample]) -> dict:
        return {"all": sum(map(len, examples)), "completion": sum(example.completion_tokens for example in examples)}

    languages = sorted({example.language for example in seen})
    by_language = {code: count([example for example in seen if example.language == code]) for code in languages}
    return {**count(seen), "language": by_language}


def loss_curve(losses: Sequence[float], points: int = 50) -> list[dict]:
    """Return a curve of about `points` points, {"step", "loss"}: the mean over the steps since the point before."""
    width = max(1, len(losses) // points)
    windows = {start: losses[start : start + width] for start in range(0, len(losses), width)}
    return [{"step": start + len(window), "loss": sum(window) / len(window)} for start, window in windows.items()]
