"""Finetuning: an adapter on a base in 4, 8 or 16 bits, by TRL's SFTTrainer and PEFT."""

import shutil
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from maple.methods.peft_method import attach, in_float32, save, unsharded
from maple.models.encoding import Encoder
from maple.runtime.fingerprint import weights_digest
from maple.runtime.run_cards import timed, versions
from maple.training.batches import Encoded, attend_by_example, draw, encode
from maple.training.checkpoints import clear_for, newest, training_digest
from maple.training.held_out import encode_held_out
from maple.training.preflight import FinetuningError, check_ranks, check_window
from maple.training.trainer import trainer_of

if TYPE_CHECKING:
    pass


def finetune(
    base: str | Path,
    examples: str | Path,
    held_out: str | Path,
    adapter: str | Path,
    *,
    cell: dict,
    model: dict,
    seed: int,
    threads: int,
    checkpoints: dict,
    code: str,
    sharded: bool = False,
) -> dict:
    """Train an adapter and save it to the folder `adapter` (safetensors); return the run card.

    The file `examples` is learnt, `held_out` is not (Parquet with the columns of EXAMPLE_SCHEMA). `cell` has peft
    (PEFT's type), bits, adapter (what its config class is called with) and training: steps, batch_tokens (tokens a
    step), micro_batch_tokens (tokens a pass, padding too), packing, max_length (tokens), learning_rate, warmup
    (share of the steps), weight_decay, max_grad_norm, held_out_rows (a language) and held_out_steps (between
    measures). `model` is the base's definition, `code` a digest of the code. The loss is on the completion only, as
    in Bactrian-X's recipe (arXiv 2305.15011); the schedule is cosine. What a step learns from, the examples, their
    lengths in tokens, batch_tokens and the seed decide alone.

    As many processes as `maple.runtime.processes` has started share each step, which learns the same: by data
    parallelism, or `sharded` by FSDP, where each holds its part of the base (FSDP-QLoRA with 4 bits).

    `checkpoints` has folder and steps (between two). A call that was killed goes on from the last checkpoint when it is
    made again, and ends with the same adapter, on a CPU bit for bit; the caller removes the folder once the adapter is
    in its place. The card holds the tokens seen, the loss in nats a token, and bits per byte of the held-out examples.
    Raises FinetuningError for data, settings or a disk with which it cannot go on.
    """
    from accelerate import PartialState
    from transformers import AutoTokenizer

    from maple.models.precision import load_base
    from maple.runtime.devices import device, prepare

    bits, training = cell["bits"], cell["training"]
    if sharded and (reason := unsharded(cell)):
        raise FinetuningError(f"{reason}; write sharded: 0 for rule finetune in the profile")
    trust_remote_code = model.get("trust_remote_code", False)
    prepare(threads, seed)
    processes = PartialState()
    adapter, learnable, unseen = Path(adapter), pl.read_parquet(examples), pl.read_parquet(held_out)
    with timed({}) as card:
        encoder = Encoder.of(base)
        encoded, too_long = encode(learnable, encoder, training["max_length"])
        steps = drawn_steps(encoded, learnable.height, training, seed)
        digest = training_digest(
            base=weights_digest(base),
            data=[blake2b(frame.write_ndjson().encode()).hexdigest() for frame in (learnable, unseen)],
            cell=cell,
            seed=seed,
            threads=threads,
            device=device(),
            versions=versions(),
            code=code,
            processes=[processes.num_processes, sharded],
        )
        network = load_base(base, bits, trust_remote_code, sharded=sharded)
        if training["packing"]:
            check_window(network.config, training["max_length"])
            attend_by_example(network)
        network = attach(network, cell, adapter)
        check_ranks(network)
        if training["packing"] and network.active_peft_config.is_prompt_learning:
            raise FinetuningError(
                "the method's virtual tokens stand before a row, not before each example in it; write packing: false "
                "under training of the method"
            )
        tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=trust_remote_code)
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(encoder.pad)
        unseen = encode_held_out(unseen, encoder, rows=training["held_out_rows"], max_length=training["max_length"])
        with processes.main_process_first():
            folder = clear_for(digest, checkpoints["folder"])
            if cell["peft"] == "ADALORA":  # PEFT saves nothing of how much each rank matters
                shutil.rmtree(folder, ignore_errors=True)
            last = newest(folder)
        trainer = trainer_of(
            network,
            steps,
            unseen,
            tokenizer,
            cell=cell,
            seed=seed,
            folder=folder,
            save_steps=checkpoints["steps"],
            sharded=sharded,
        )
        in_float32(network)
        trainer.train(resume_from_checkpoint=last and str(last))
        save(network, adapter)
        trained, total = network.get_nb_trainable_parameters()
        seen = [example for chosen in steps for example in chosen]
        history = trainer.state.log_history
        card |= {
            "base": model,
            "bits": bits,
            "peft": cell["peft"],
            "adapter": cell["adapter"],
            "training": training,
            "examples": len(encoded),
            "too_long": too_long,
            "epochs": round(len(seen) / len(encoded), 2),
            "mean_tokens": round(sum(map(len, encoded)) / len(encoded), 1),
            "tokens": tokens_of(seen),
            "trainable_parameters": trained,
            "all_parameters": total,
            "trainable_share": trained / total,
            "loss": loss_curve([entry["loss"] for entry in history if "loss" in entry]),
            "held_out_examples": len(unseen),
            "held_out": [entry for entry in history if "bits_per_byte" in entry],
            "resumed_from": int(last.name) if last else None,
            "attention": network.config._attn_implementation,
            "optimizer": trainer.args.optim,
            "bfloat16": trainer.args.bf16,
            "gradient_checkpointing": trainer.args.gradient_checkpointing,
            "liger": trainer.args.use_liger_kernel,
            "processes": processes.num_processes,
            "sharded": sharded,
        }
    return card


def drawn_steps(encoded: Sequence[Encoded], count: int, training: dict, seed: int) -> list[list[Encoded]]:
    """Return the examples that each step learns from; `encoded` are those that fit, of `count` in all."""
    if not count:
        raise FinetuningError("there are no examples to learn; look at what curate dropped (results/dropped/)")
    if not encoded:
        raise FinetuningError(
            f"no example of {count} fits finetune.max_length={training['max_length']} tokens; "
            "raise it, or look at what curate dropped"
        )
    drawn = draw(
        [len(example) for example in encoded], steps=training["steps"], tokens=training["batch_tokens"], seed=seed
    )
    steps = [[encoded[number] for number in numbers] for numbers in drawn]
    for number, chosen in enumerate(steps, start=1):
        if not any(example.completion_tokens for example in chosen):
            raise FinetuningError(
                f"step {number}: all labels of its {len(chosen)} examples are masked; nothing would be learnt"
            )
    return steps


def tokens_of(seen: Sequence[Encoded]) -> dict:
    """Count the tokens of what was learnt from: all and completion, in all and by language."""

    def counted(examples: list[Encoded]) -> dict:
        return {"all": sum(map(len, examples)), "completion": sum(example.completion_tokens for example in examples)}

    languages = sorted({example.language for example in seen})
    by_language = {code: counted([example for example in seen if example.language == code]) for code in languages}
    return {**counted(list(seen)), "language": by_language}


def loss_curve(losses: Sequence[float], points: int = 50) -> list[dict]:
    """Return a curve of about `points` points, {"step", "loss"}: the mean over the steps since the point before."""
    width = max(1, len(losses) // points)
    windows = {start: losses[start : start + width] for start in range(0, len(losses), width)}
    return [{"step": start + len(window), "loss": sum(window) / len(window)} for start, window in windows.items()]
