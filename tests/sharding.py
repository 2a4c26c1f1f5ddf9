"""Functions to call in several processes; one of them trains by FSDP on CPUs, where accelerate would not use it."""


def finetune_on_cpus(*args, **settings):
    """Finetune as if each process had a GPU where accelerate decides what a model is wrapped in."""
    from accelerate.state import DistributedType, PartialState

    from maple.training.finetuning import finetune

    began = PartialState.__init__

    def begin(self, *args, **options):
        began(self, *args, **options)
        self._shared_state["distributed_type"] = self.distributed_type = DistributedType.MULTI_GPU

    PartialState.__init__ = begin
    return finetune(*args, **settings)


def same(*args, **settings) -> list:
    """Return the arguments."""
    return [*args, *settings.values()]


def place(word: str) -> list:
    """Return the word, and which process of how many this is."""
    import os

    return [word, f"{os.environ['RANK']} of {os.environ['WORLD_SIZE']}" if "RANK" in os.environ else None]


def after_the_first_failed() -> None:
    """Fail in the first process; wait in the others until they are ended."""
    import os
    import time

    if os.environ["RANK"] == "0":
        raise ValueError("the first has failed")
    time.sleep(600)
