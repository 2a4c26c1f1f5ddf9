"""The trainer: transformers' Trainer with our batches, held-out measures and checkpoints."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from maple.methods.peft_method import callbacks, gathered, recomputes
from maple.training.batches import (
    Encoded,
    negative_log_likelihoods,
    passes,
    shares,
    tensors,
    unlearnt,
)
from maple.training.checkpoints import UNFINISHED, seal
from maple.training.held_out import bits_per_byte
from maple.training.preflight import FinetuningError, check_packing

if TYPE_CHECKING:
    from peft import PeftModel
    from trl import SFTTrainer


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

    from maple.runtime.devices import compute_dtype, device

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
