"""Finetuning: an adapter on a base in 4, 8 or 16 bits, by TRL's SFTTrainer and PEFT."""

import itertools
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from maple.adapters import attach, callbacks, gathered, in_float32, recomputes, save, unsharded
from maple.batches import (
    Encoded,
    attend_by_example,
    draw,
    encode,
    negative_log_likelihoods,
    passes,
    shares,
    tensors,
    unlearnt,
)
from maple.cards import timed, versions
from maple.checkpoints import UNFINISHED, clear_for, newest, seal, training_digest
from maple.fingerprint import weights_digest
from maple.held_out import bits_per_byte, encode_held_out
from maple.prompts import Encoder

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PretrainedConfig
    from trl import SFTTrainer


class FinetuningError(ValueError):
    """A run that cannot be trained; the message names the cause and what to change."""


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

    As many processes as `maple.parallel` has started share each step, which learns the same: by data parallelism, or
    `sharded` by FSDP, where each holds its part of the base (FSDP-QLoRA with 4 bits).

    `checkpoints` has folder and steps (between two). A call that was killed goes on from the last checkpoint when it is
    made again, and ends with the same adapter, on a CPU bit for bit; the caller removes the folder once the adapter is
    in its place. The card holds the tokens seen, the loss in nats a token, and bits per byte of the held-out examples.
    Raises FinetuningError for data, settings or a disk with which it cannot go on.
    """
    from accelerate import PartialState
    from transformers import AutoTokenizer

    from maple.devices import device, prepare
    from maple.quantization import load_base

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


def check_ranks(network: "PeftModel") -> None:
    """Refuse a LoRA whose rank is above the smaller side of a layer: the rest of it could not matter."""
    from peft.tuners.lora import LoraLayer

    for name, layer in network.named_modules():
        if isinstance(layer, LoraLayer):
            side = min(layer.in_features, layer.out_features)
            if (rank := max(layer.r.values())) > side:
                raise FinetuningError(
                    f"{name}: rank {rank} is above its smaller side, {side}; "
                    f"leave {rank} out of the ranks of the grid, or the layer out of the method's target_modules"
                )


def check_window(config: "PretrainedConfig", max_length: int) -> None:
    """Refuse to pack where attention ends before an example does: it is computed without masks."""
    if max_length > (window := getattr(config, "sliding_window", None) or max_length):
        raise FinetuningError(
            f"finetune.max_length={max_length} is above the model's attention window, {window}; "
            "lower it, or write packing: false"
        )


def check_packing(network: "PeftModel", example: Encoded, pad: int) -> None:
    """Refuse to pack where an example sees the one before it, as with models and methods that take no positions.

    An `example` that stands packed after itself must have the loss that it has alone, not the one after a text that it
    does see. The bound between the two, a tenth, is our choice: 16-bit arithmetic and LLM.int8 move a loss as well.
    """
    import torch

    twice = replace(
        example,
        input_ids=np.concatenate([example.input_ids, example.input_ids]),
        labels=np.concatenate([example.labels, example.labels]),
    )

    def loss(*row: Encoded) -> float:
        with torch.no_grad():
            found, _ = negative_log_likelihoods(network, tensors(row, pad, packing=True))
        return found[-example.completion_tokens :].mean().item()

    network.eval()
    alone, packed, seen = loss(example), loss(example, example), loss(twice)
    if not abs(packed - alone) <= abs(seen - alone) / 10:
        raise FinetuningError(
            f"in a packed row an example sees the one before it: its loss is {packed:.3f} nats a token, alone "
            f"{alone:.3f}; write packing: false under finetune, or under training of the method"
        )


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


def trainer_of(
    network: "PeftModel",
    steps: Sequence[Sequence[Encoded]],
    unseen: Sequence[Encoded],
    tokenizer,
    *,
    cell: dict,
    seed: int,
    folder: Path,
    save_steps: int,
    sharded: bool,
) -> "SFTTrainer":
    """Return the trainer of an adapter: `steps` are the examples of each, `unseen` those that are only measured.

    A batch of the trainer is a process's share of a step, cut into as many passes as fit the memory. Checkpoints are
    put into `folder` whole or not at all.
    """
    import torch
    from accelerate import PartialState
    from datasets import Dataset
    from safetensors import SafetensorError
    from transformers import TrainerCallback
    from transformers.utils import is_liger_kernel_available
    from trl import SFTConfig, SFTTrainer

    from maple.devices import compute_dtype, device

    training = cell["training"]
    packing, pass_tokens, pad = training["packing"], training["micro_batch_tokens"], tokenizer.pad_token_id
    processes = PartialState()

    def collate(batch: list[dict]) -> dict:
        ((chosen, share),) = ((steps[row["step"]], row["share"]) for row in batch)
        cut = [passes(dealt, tokens=pass_tokens, packing=packing) for dealt in shares(chosen, processes.num_processes)]
        # The processes exchange gradients after each pass, so all make as many.
        missing = max(map(len, cut)) - len(cut[share])
        own = cut[share] + [[unlearnt(min(chosen, key=len))]] * missing
        return {
            "passes": [tensors(examples, pad, packing=packing) for examples in own],
            "completion_tokens": sum(example.completion_tokens for example in chosen),
        }

    class StepTrainer(SFTTrainer):
        def training_step(self, model, inputs, num_items_in_batch=None):
            loss = torch.zeros((), device=self.args.device)
            for one_pass in inputs["passes"]:
                loss += super().training_step(model, one_pass, inputs["completion_tokens"])
            if not torch.isfinite(loss):
                raise FinetuningError(
                    f"step {self.state.global_step + 1}: the loss is {loss.item()}; lower finetune.learning_rate, or "
                    "learning_rate under training of the method"
                )
            return loss

        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            # SFTTrainer's own asks the output layer at every token, and computes entropies that nobody reads.
            # Gradients are averaged over processes where the sum is wanted.
            share = processes.num_processes / num_items_in_batch
            return negative_log_likelihoods(model, inputs)[0].sum() * share

        def create_model_card(self, *args, **kwargs):
            """Write none: a checkpoint is not a model to publish."""

        def save_model(self, output_dir=None, _internal_call=False):
            weights = gathered(network)
            if processes.is_main_process:
                network.save_pretrained(output_dir, state_dict=weights)

        def _save_checkpoint(self, model, trial):
            step = self.state.global_step
            if not all(torch.isfinite(each).all() for each in model.parameters() if each.requires_grad):
                raise FinetuningError(f"step {step}: the adapter is not finite; lower finetune.learning_rate")
            try:
                super()._save_checkpoint(model, trial)
                processes.wait_for_everyone()
                if processes.is_main_process:
                    seal(Path(self.args.output_dir) / f"checkpoint-{step}", folder, step)
                processes.wait_for_everyone()
            except (OSError, RuntimeError, SafetensorError) as error:
                raise FinetuningError(
                    f"step {step}: the checkpoint cannot be written to {folder} ({error}); "
                    "make room there and run again, it goes on from the one before"
                ) from error

    class Unmixed(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            check_packing(network, min(itertools.chain(*steps), key=len), pad)

    class HeldOut(TrainerCallback):
        def measure(self, state):
            found = bits_per_byte(network, unseen, pad=pad, batch_tokens=pass_tokens)
            state.log_history.append({"step": state.global_step, "bits_per_byte": found})

        def on_train_begin(self, args, state, control, **kwargs):
            if state.global_step == 0:
                self.measure(state)

        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step % training["held_out_steps"] == 0 or state.global_step == state.max_steps:
                self.measure(state)

    arguments = SFTConfig(
        output_dir=str(folder / UNFINISHED),
        max_steps=len(steps),
        per_device_train_batch_size=1,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        learning_rate=training["learning_rate"],
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(training["warmup"] * training["steps"]),
        weight_decay=training["weight_decay"],
        max_grad_norm=training["max_grad_norm"],
        bf16=compute_dtype() == torch.bfloat16,
        gradient_checkpointing=recomputes(cell),
        use_liger_kernel=device() == "cuda" and is_liger_kernel_available(),
        use_cpu=device() == "cpu",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=save_steps,
        report_to="none",
        seed=seed,
        data_seed=seed,
        dataloader_num_workers=0,
        ddp_find_unused_parameters=False,
        fsdp=sharded,
        fsdp_config={"state_dict_type": "SHARDED_STATE_DICT"},
    )
    # Accelerate gives each process every so many-th row.
    rows = itertools.product(range(len(steps)), range(processes.num_processes))
    return StepTrainer(
        model=network,
        args=arguments,
        train_dataset=Dataset.from_list([{"step": step, "share": share} for step, share in rows]),
        data_collator=collate,
        processing_class=tokenizer,
        callbacks=[*callbacks(network), *([Unmixed()] if packing else []), *([HeldOut()] if unseen else [])],
    )
