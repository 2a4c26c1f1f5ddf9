"""Curves of a training while it runs, by transformers' own callbacks for TensorBoard and Weights & Biases.

They decide nothing of what is learnt. A key is taken from the environment alone (WANDB_API_KEY), by wandb itself.
"""

import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.training.preflight import FinetuningError

if TYPE_CHECKING:
    from transformers import TrainerCallback

PROJECT = "maple"  # if neither the config nor the environment names one


@dataclass(frozen=True)
class TrackingPlan:
    """Where the curves of a run go."""

    to: list[str]
    """tensorboard, wandb."""
    run: str
    """The path of the run, which is its name there."""
    folder: str | Path
    """Its files are below tensorboard/ and wandb/ of this folder."""
    project: str = ""
    """The study's name there; empty: the environment's WANDB_PROJECT, or PROJECT."""

    @property
    def study(self) -> str:
        """The name of the study."""
        return self.project or os.environ.get("WANDB_PROJECT") or PROJECT

    def names(self) -> dict[str, Any]:
        """Return the trainer's arguments with the names of run and study, which both record."""
        return {"run_name": self.run, "project": self.study}


def check_trackers(plan: TrackingPlan | None) -> None:
    """Raise FinetuningError for a package that is not installed, before anything is loaded."""
    for package in plan.to if plan else ():
        if find_spec(package) is None:
            raise FinetuningError(
                f"tracking.to names {package}, which is not installed here; run `pip install {package}`, or leave it "
                "out of tracking.to"
            )


def trackers(plan: TrackingPlan | None, digest: str) -> "list[TrainerCallback]":
    """Return the callbacks of the plan; none without a plan. `digest` identifies the training."""
    kinds = {"tensorboard": _tensorboard, "wandb": _wandb}
    return [kinds[name](plan, digest) for name in plan.to] if plan else []


def _tensorboard(plan: TrackingPlan, digest: str) -> "TrainerCallback":
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations.integration_utils import TensorBoardCallback

    class TensorBoard(TensorBoardCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            """Open the run's folder: emptied, or for a training that resumes without what was after its checkpoint."""
            folder = Path(plan.folder) / "tensorboard" / plan.run
            if state.is_world_process_zero:
                if not state.global_step:
                    shutil.rmtree(folder, ignore_errors=True)
                self.tb_writer = SummaryWriter(str(folder), purge_step=state.global_step + 1)
            super().on_train_begin(args, state, control, **kwargs)

    return TensorBoard()


def _wandb(plan: TrackingPlan, digest: str) -> "TrainerCallback":
    import wandb
    from transformers.integrations.integration_utils import WandbCallback

    class Wandb(WandbCallback):
        def setup(self, args, state, model, **kwargs):
            """Start the run: offline unless WANDB_MODE says otherwise; with one id per training, so that it resumes."""
            if state.is_world_process_zero and wandb.run is None:
                folder = Path(plan.folder) / "wandb" / plan.run
                folder.mkdir(parents=True, exist_ok=True)
                wandb.init(
                    project=plan.study,
                    name=plan.run,
                    id=digest,
                    resume="allow",
                    dir=folder,
                    mode=_mode(),
                    # The job's own log stays whole, and a remote's address may hold a password.
                    settings=wandb.Settings(console="off", disable_git=True, save_code=False),
                )
            super().setup(args, state, model, **kwargs)

        def on_train_end(self, args, state, control, model=None, processing_class=None, **kwargs):
            super().on_train_end(args, state, control, model, processing_class, **kwargs)
            if state.is_world_process_zero:
                wandb.finish()

    return Wandb()


def _mode() -> Any:
    return os.environ.get("WANDB_MODE", "offline")
