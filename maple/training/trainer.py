"""The trainer: transformers' Trainer with our batches and checkpoints."""

import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.runtime import devices
from maple.training.batches import masked, micro_batches, split_over_ranks
from maple.training.best_adapter import BestAdapter
from maple.training.callbacks import StepClock, held_out_callback, packing_check, step_timer
from maple.training.checkpoints import UNFINISHED, seal
from maple.training.kernels import compile_layers, uses_liger
from maple.training.preflight import FinetuningError
from maple.training.tracking import trackers
from maple.training.training_plan import TrainingPlan

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer


class Collator:
    """Turns a row of the trainer's dataset, {step, rank}, into the micro-batches of a rank in a step."""

    def __init__(self, plan: TrainingPlan, processes: int):
        self.plan, self.processes = plan, processes

    def __call__(self, rows: list[dict]) -> dict:
        """Return the micro-batches of the one row, and the labelled tokens of all ranks in its step."""
        (row,) = rows
        plan, packing = self.plan, self.plan.packing.used
        examples = plan.steps[row["step"]]
        by_rank = [
            micro_batches(part, tokens=plan.method.training.micro_batch_tokens, packing=packing)
            for part in split_over_ranks(examples, self.processes)
        ]
        # Ranks exchange gradients after each micro-batch, so all must run the same number.
        missing = max(map(len, by_rank)) - len(by_rank[row["rank"]])
        batches = by_rank[row["rank"]] + [[masked(min(examples, key=len))]] * missing
        return {
            "micro_batches": [plan.kind.collate(batch, plan.pad, packing=packing) for batch in batches],
            "completion_tokens": sum(example.completion_tokens for example in examples),
        }


def build_trainer(
    network: "PeftModel | PreTrainedModel", plan: TrainingPlan, tokenizer: "PreTrainedTokenizerBase", clock: StepClock
) -> "SFTTrainer":
    """Return the trainer of an adapted model, whose trained weights are kept in float32; `clock` times its steps.

    A batch of the trainer is a rank's part of a step, in as many micro-batches as fit the memory.
    """
    from accelerate import PartialState
    from datasets import Dataset

    training = plan.method.training
    arguments = _arguments(network, plan)
    processes = PartialState().num_processes  # on CPUs they find each other as the arguments are made
    # Accelerate gives each process every n-th row.
    rows = itertools.product(range(len(plan.steps)), range(processes))
    best = BestAdapter(network)
    observers = trackers(plan.tracking, plan.folder.name)  # the folder's name is the digest of the training
    trainer = _trainer_class(network, plan, best)(
        model=network,
        args=arguments,
        train_dataset=Dataset.from_list([{"step": step, "rank": rank} for step, rank in rows]),
        data_collator=Collator(plan, processes),
        processing_class=tokenizer,
        callbacks=[
            step_timer(clock, plan),
            *plan.adaptation.callbacks(network),
            *observers,
            *([packing_check(network, plan)] if plan.packing.used else []),
            *([held_out_callback(network, plan, best, observers)] if plan.held_out else []),
        ],
    )
    keep_in_float32(network)
    if training.compile:
        compile_layers(network, plan.adaptation.base_of(network), packing=plan.packing.used, sharded=plan.sharded)
    return trainer


def keep_in_float32(network: "PeftModel | PreTrainedModel") -> None:
    """Keep what is trained in float32, whatever the base's bits.

    TRL would train adapters on quantized bases in bfloat16, others in float32. Runs would then differ by more than the
    bits, and steps of a thousandth from a factor that starts at one would be rounded away.
    """
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def _arguments(network: "PeftModel | PreTrainedModel", plan: TrainingPlan) -> "SFTConfig":
    import torch
    from trl.trainer.sft_config import SFTConfig

    training = plan.method.training
    sharded: Any = plan.sharded  # transformers takes a bool here as well
    return SFTConfig(
        output_dir=str(plan.folder / UNFINISHED),
        max_steps=len(plan.steps),
        per_device_train_batch_size=1,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        learning_rate=training.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=math.ceil(training.warmup * training.steps),
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=devices.compute_dtype(training.dtype) == torch.bfloat16,
        gradient_checkpointing=plan.adaptation.uses_gradient_checkpointing(plan.method),
        use_liger_kernel=uses_liger(training.liger, network.config.model_type),
        use_cpu=devices.device() == "cpu",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=plan.save_steps,
        report_to="none",  # the callbacks that report are our own
        **(plan.tracking.names() if plan.tracking else {}),
        seed=plan.seed,
        data_seed=plan.seed,
        dataloader_num_workers=0,
        ddp_find_unused_parameters=False,
        fsdp=sharded,
        fsdp_config={"state_dict_type": "SHARDED_STATE_DICT"},
    )


def _summed_loss(plan: TrainingPlan, model: Any, batch: dict) -> "Tensor":
    """Return the losses of a micro-batch, added up; weighted where its kind of model weighs its rows."""
    losses, rows = plan.kind.losses(model, batch, plan.method.training.label_smoothing)
    weights = batch.get("weights")
    return (losses if weights is None else losses * weights.to(losses.device)[rows]).sum()


def _trainer_class(network: "PeftModel | PreTrainedModel", plan: TrainingPlan, best: BestAdapter) -> "type[SFTTrainer]":
    """Return TRL's trainer with steps of several micro-batches, losses of ours, and checkpoints that are complete."""
    import torch
    from accelerate import PartialState
    from safetensors import SafetensorError
    from trl.trainer.sft_trainer import SFTTrainer

    processes = PartialState()

    class StepTrainer(SFTTrainer):
        def training_step(self, model, inputs, num_items_in_batch=None):
            loss = torch.zeros((), device=self.args.device)
            for micro_batch in inputs["micro_batches"]:
                loss += super().training_step(model, micro_batch, inputs["completion_tokens"])
            if not torch.isfinite(loss):
                raise FinetuningError(
                    f"step {self.state.global_step + 1}: the loss is {loss.item()}; lower finetune.learning_rate, or "
                    "learning_rate under training of the method"
                )
            return loss

        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch: Any = None):
            # SFTTrainer's own computes the output layer at every token, and entropies that nobody reads.
            # Gradients are averaged over processes, but the sum is wanted.
            return _summed_loss(plan, model, inputs) * (processes.num_processes / num_items_in_batch)

        def create_model_card(self, *args, **kwargs):
            """Write none: a checkpoint is not a model to publish."""

        def save_model(self, output_dir: Any = None, _internal_call=False):
            weights = plan.adaptation.full_state_dict(network)
            if processes.is_main_process:
                plan.adaptation.write_checkpoint(network, Path(output_dir), weights)

        def _save_checkpoint(self, model, trial):
            step, folder = self.state.global_step, plan.folder
            if not all(torch.isfinite(each).all() for each in model.parameters() if each.requires_grad):
                raise FinetuningError(f"step {step}: what is trained is not finite; lower finetune.learning_rate")
            try:
                super()._save_checkpoint(model, trial)
                processes.wait_for_everyone()
                if processes.is_main_process:
                    written = Path(str(self.args.output_dir)) / f"checkpoint-{step}"
                    best.write(written)
                    seal(written, folder, step)
                processes.wait_for_everyone()
            except (OSError, RuntimeError, SafetensorError) as error:
                raise FinetuningError(
                    f"step {step}: the checkpoint cannot be written to {folder} ({error}); "
                    "make room there and run again, it goes on from the one before"
                ) from error

    return StepTrainer
