"""What is done while a trainer runs: steps are timed, packing is checked, held-out text is measured, and may end it."""

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from maple.training.best_adapter import BestAdapter
from maple.training.early_stopping import best_measurement, last_step
from maple.training.held_out import held_out_bits
from maple.training.preflight import FinetuningError, check_packing
from maple.training.training_plan import TrainingPlan

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, TrainerCallback


@dataclass
class StepClock:
    """What the optimizer steps of this process took, all but the first ones of the call, which prepare others."""

    LEFT_OUT: ClassVar[int] = 2

    steps: int = 0
    """Steps that were timed."""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of all threads of the process."""
    tokens: int = 0
    """Tokens that these steps learnt from, without padding; of all processes."""

    def fields(self) -> dict:
        """Return the fields of a card that say what the steps took."""
        return {
            "timed_steps": self.steps,
            "step_seconds": round(self.seconds, 4),
            "step_cpu_seconds": round(self.cpu_seconds, 4),
            "tokens_per_second": round(self.tokens / self.seconds, 1) if self.steps else None,
        }


def step_timer(clock: StepClock, plan: TrainingPlan) -> "TrainerCallback":
    """Return what times optimizer steps: forward and backward passes, and the update; first of all callbacks.

    Tokenizing, padding, measuring, saving, tracking and the start of the job are outside.
    """
    import torch
    from transformers import TrainerCallback

    class StepTimer(TrainerCallback):
        def __init__(self):
            self.made, self.started = 0, (0.0, 0.0)

        def now(self) -> tuple[float, float]:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            return time.perf_counter(), time.process_time()

        def on_step_begin(self, args, state, control, **kwargs):
            self.started = self.now()

        def on_step_end(self, args, state, control, **kwargs):
            ended = self.now()
            self.made += 1
            if self.made > clock.LEFT_OUT:
                clock.steps += 1
                clock.seconds += ended[0] - self.started[0]
                clock.cpu_seconds += ended[1] - self.started[1]
                clock.tokens += sum(map(len, plan.steps[state.global_step - 1]))

    return StepTimer()


def packing_check(network: "PeftModel | PreTrainedModel", plan: TrainingPlan) -> "TrainerCallback":
    """Return what checks packing as training begins; rows are padded where examples cannot share them."""
    from transformers import TrainerCallback

    class PackingCheck(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            examples = [example for example in itertools.chain(*plan.steps) if example.completion_tokens]
            base, dtype = plan.adaptation.base_of(network), plan.method.training.dtype
            if reason := check_packing(network, base, plan.kind, examples, pad=plan.pad, dtype=dtype):
                plan.packing.give_up(base, reason)

    return PackingCheck()


def held_out_callback(
    network: "PeftModel | PreTrainedModel",
    plan: TrainingPlan,
    best: BestAdapter,
    observers: "Sequence[TrainerCallback]",
) -> "TrainerCallback":
    """Return what measures held-out examples before training, every held_out_steps steps, and at the end.

    By the measurements it ends the training early, and remembers the `best` adapter and puts it in place at the end, as
    far as the settings say so. `observers` are told each measurement. All it needs to go on after a kill is in the
    checkpoint: the measurements in the trainer's log, the best adapter in a file of its own.
    """
    from transformers import TrainerCallback

    training = plan.method.training
    keeps_best, measure = training.keep == "best", plan.kind.MEASURE

    class HeldOut(TrainerCallback):
        def measure(self, args: Any, state: Any, control: Any) -> None:
            measured = _measured(network, plan, state.global_step)
            state.log_history.append({"step": state.global_step, measure: measured})
            logs = {f"eval_{measure}/{language}": bits for language, bits in measured.items()}
            for observer in observers:
                observer.on_log(args, state, control, logs=logs)
            if keeps_best and best_measurement(state.log_history, measure) is state.log_history[-1]:
                best.remember()

        def on_train_begin(self, args, state, control, **kwargs):
            if state.global_step == 0:
                self.measure(args, state, control)
            elif keeps_best:
                best.read(plan.folder / str(state.global_step))

        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step % training.held_out_steps == 0 or state.global_step == state.max_steps:
                self.measure(args, state, control)
                if last_step(state.log_history, training.early_stopping, measure):
                    control.should_training_stop = control.should_save = True

        def on_train_end(self, args, state, control, **kwargs):
            if keeps_best:
                best.restore()

    return HeldOut()


def _measured(network: "PeftModel | PreTrainedModel", plan: TrainingPlan, step: int) -> dict[str, float]:
    """Return the measure of each language; that of the first process, so that all processes decide alike."""
    from accelerate.utils import broadcast_object_list

    measured = held_out_bits(
        network, plan.kind, plan.held_out, pad=plan.pad, batch_tokens=plan.method.training.micro_batch_tokens
    )
    for language, bits in measured.items():
        if not math.isfinite(bits):
            raise FinetuningError(
                f"step {step}: {bits} {plan.kind.MEASURE.replace('_', ' ')} of held-out {language}; "
                + ("lower finetune.learning_rate" if step else "the base computes no numbers")
            )
    (measured,) = broadcast_object_list([measured])
    return measured
