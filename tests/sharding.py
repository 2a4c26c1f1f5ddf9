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


def finetune_with_numbers_of_each_rank(*args, **settings):
    """Finetune with held-out measurements that rise in the first process and fall in the others."""
    import itertools
    import os

    import maple.training.callbacks
    from maple.training.finetuning import finetune

    numbers = itertools.count(1) if os.environ["RANK"] == "0" else itertools.count(99, -1)
    maple.training.callbacks.held_out_bits = lambda *_, **__: {"eng_Latn": float(next(numbers))}
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


def sockets() -> list[list]:
    """Return the addresses on which this process and its parent listen while all processes are connected.

    A row is [address in hexadecimal, as in /proc/net/tcp and tcp6]; 0100007F is 127.0.0.1.
    """
    import os
    from contextlib import suppress
    from pathlib import Path

    import torch

    inodes = set()
    for process in (os.getpid(), os.getppid()):
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                inodes.add(str(descriptor.readlink()))
    torch.distributed.barrier()
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in inodes:
                listening.append(local.split(":")[0])
    everywhere: list = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everywhere, listening)
    return everywhere
