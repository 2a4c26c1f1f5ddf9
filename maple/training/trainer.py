"""The trainer: transformers' Trainer with our batches, held-out measurements and checkpoints."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.definitions.method import MethodVariant
from maple.methods.method import AdaptationMethod
from maple.models.behaviour import ModelKind
from maple.models.example import EncodedExample
from maple.runtime import devices
from maple.training.batches import masked, micro_batches, split_over_ranks
from maple.training.checkpoints import UNFINISHED, seal
from maple.training.held_out import bits_per_byte
from maple.training.preflight import FinetuningError, Packing, check_packing

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase, TrainerCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer


@dataclass(frozen=True)
class TrainingPlan:
    """What the trainer of one run does: its data, settings and checkpoints."""

    steps: Sequence[Sequence[EncodedExample]]
    """The examples of each step."""
    held_out: Sequence[EncodedExample]
    """Examples that are only measured."""
    pad: int
    method: MethodVariant
    kind: ModelKind
    adaptation: AdaptationMethod
    seed: int
    folder: Path
    """Where checkpoints are put, each complete or absent."""
    save_steps: int
    sharded: bool
    packing: Packing


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


def build_trainer(network: "PeftModel", plan: TrainingPlan, tokenizer: "PreTrainedTokenizerBase") -> "SFTTrainer":
    """Return the trainer of an adapted model, whose trained weights are kept in float32.

    A batch of the trainer is a rank's part of a step, in as many micro-batches as fit the memory.
    """
    from accelerate import PartialState
    from datasets import Dataset

    arguments = _arguments(plan)
    processes = PartialState().num_processes  # on CPUs they find each other as the arguments are made
    # Accelerate gives each process every n-th row.
    rows = itertools.product(range(len(plan.steps)), range(processes))
    trainer = _trainer_class(network, plan)(
        model=network,
        args=arguments,
        train_dataset=Dataset.from_list([{"step": step, "rank": rank} for step, rank in rows]),
        data_collator=Collator(plan, processes),
        processing_class=tokenizer,
        callbacks=[*plan.adaptation.callbacks(network), *_callbacks(network, plan)],
    )
    keep_in_float32(network)
    return trainer


def keep_in_float32(network: "PeftModel") -> None:
    """Keep what is trained in float32, whatever the base's bits.

    TRL would train adapters on quantized bases in bfloat16, others in float32. Runs would then differ by more than the
    bits, and steps of a thousandth from a factor that starts at one would be rounded away.
    """
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def _arguments(plan: TrainingPlan) -> "SFTConfig":
    import torch
    from transformers.utils.import_utils import is_liger_kernel_available
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
        bf16=devices.compute_dtype() == torch.bfloat16,
        gradient_checkpointing=plan.adaptation.uses_gradient_checkpointing(plan.method),
        use_liger_kernel=devices.device() == "cuda" and is_liger_kernel_available(),
        use_cpu=devices.device() == "cpu",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=plan.save_steps,
        report_to="none",
        seed=plan.seed,
        data_seed=plan.seed,
        dataloader_num_workers=0,
        ddp_find_unused_parameters=False,
        fsdp=sharded,
        fsdp_config={"state_dict_type": "SHARDED_STATE_DICT"},
    )


def _trainer_class(network: "PeftModel", plan: TrainingPlan) -> "type[SFTTrainer]":
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
            return plan.kind.losses(model, inputs)[0].sum() * (processes.num_processes / num_items_in_batch)

        def create_model_card(self, *args, **kwargs):
            """Write none: a checkpoint is not a model to publish."""

        def save_model(self, output_dir: Any = None, _internal_call=False):
            weights = plan.adaptation.full_state_dict(network)
            if processes.is_main_process:
                network.save_pretrained(output_dir, state_dict=weights)

        def _save_checkpoint(self, model, trial):
            step, folder = self.state.global_step, plan.folder
            if not all(torch.isfinite(each).all() for each in model.parameters() if each.requires_grad):
                raise FinetuningError(f"step {step}: the adapter is not finite; lower finetune.learning_rate")
            try:
                super()._save_checkpoint(model, trial)
                processes.wait_for_everyone()
                if processes.is_main_process:
                    seal(Path(str(self.args.output_dir)) / f"checkpoint-{step}", folder, step)
                processes.wait_for_everyone()
            except (OSError, RuntimeError, SafetensorError) as error:
                raise FinetuningError(
                    f"step {step}: the checkpoint cannot be written to {folder} ({error}); "
                    "make room there and run again, it goes on from the one before"
                ) from error

    return StepTrainer


def _callbacks(network: "PeftModel", plan: TrainingPlan) -> "list[TrainerCallback]":
    """Return what checks packing as training begins, and what measures held-out examples."""
    from transformers import TrainerCallback

    training = plan.method.training

    class PackingCheck(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            examples = [example for example in itertools.chain(*plan.steps) if example.completion_tokens]
            if reason := check_packing(network, plan.kind, examples, plan.pad):
                base: Any = network.get_base_model()
                plan.packing.give_up(base, reason)

    class HeldOut(TrainerCallback):
        def measure(self, state: Any) -> None:
            measured = bits_per_byte(
                network, plan.kind, plan.held_out, pad=plan.pad, batch_tokens=training.micro_batch_tokens
            )
            for language, bits in measured.items():
                if not math.isfinite(bits):
                    raise FinetuningError(
                        f"step {state.global_step}: {bits} bits per byte of held-out {language}; "
                        + ("lower finetune.learning_rate" if state.global_step else "the base computes no numbers")
                    )
            state.log_history.append({"step": state.global_step, "bits_per_byte": measured})

        def on_train_begin(self, args, state, control, **kwargs):
            if state.global_step == 0:
                self.measure(state)

        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step % training.held_out_steps == 0 or state.global_step == state.max_steps:
                self.measure(state)

    return [*([PackingCheck()] if plan.packing.used else []), *([HeldOut()] if plan.held_out else [])]
