"""The clock of the benchmarks that train: seconds of the steps alone, on both sides."""

import time
from typing import Any


def step_clock() -> Any:
    """Return a callback of transformers' Trainer; its `seconds` are from the start of a training to its last step."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        seconds = 0.0

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.start = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.seconds = time.perf_counter() - self.start

    return Clock()
