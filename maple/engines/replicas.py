"""Several copies of an engine side by side, each in a process of its own with devices of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from maple.engines.engine import Completion, EngineError
from maple.engines.start import start
from maple.runtime.processes import end_with_parent


class Replicas:
    """An engine by the protocol of maple.engines.start that shares prompts out among copies, a stretch of them to each.

    `devices` gives each copy what CUDA_VISIBLE_DEVICES shall say to it, None for nothing. A copy that fails or dies
    ends the others: an EngineError then says what it said.
    """

    def __init__(self, name: str, model: str | Path, settings: dict, devices: Sequence[str | None], **options):
        self._copies = [self._copy(chosen, (name, model, settings, options)) for chosen in devices]
        self.facts = {**self._answers()[0], "replicas": len(devices)}
        self._cached = [0] * len(devices)

    @property
    def cached_tokens(self) -> int | None:
        """Prompt tokens that the copies did not have to read again, None where they keep no count."""
        return None if None in self._cached else sum(self._cached)

    def use(self, adapter: str | Path) -> None:
        """Attach an adapter to every copy."""
        self._send([("use", [adapter])] * len(self._copies))
        self._answers()

    def complete(self, prompts: Sequence[list[int]], limits: Sequence[int]) -> list[Completion]:
        """Complete each prompt by one of the copies."""
        return self._shared("complete", prompts, limits)

    def log_likelihoods(self, prompts: Sequence[list[int]], continuations: Sequence[list[int]]) -> list[float]:
        """Score each continuation by one of the copies."""
        return self._shared("log_likelihoods", prompts, continuations)

    def _shared(self, call: str, *lists: Sequence) -> list:
        size = -(-len(lists[0]) // len(self._copies))
        parts = [slice(number * size, (number + 1) * size) for number in range(len(self._copies))]
        self._send([(call, [values[part] for values in lists]) for part in parts])
        answers = self._answers()
        self._cached = [cached for _, cached in answers]
        return list(chain.from_iterable(results for results, _ in answers))

    def _copy(self, device: str | None, job: tuple) -> tuple[Connection, subprocess.Popen]:
        here, there = Pipe()
        chosen = {} if device is None else {"CUDA_VISIBLE_DEVICES": device}
        process = subprocess.Popen(
            [sys.executable, "-m", "maple.engines.replicas", str(there.fileno())],
            pass_fds=[there.fileno()],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **chosen},
        )
        there.close()
        here.send(job)
        return here, process

    def _send(self, calls: Sequence[tuple]) -> None:
        for (pipe, _), call in zip(self._copies, calls, strict=True):
            with suppress(OSError):  # a copy that has died is found when it does not answer
                pipe.send(call)

    def _answers(self) -> list:
        answers = []
        for number, (pipe, process) in enumerate(self._copies):
            try:
                answer = pipe.recv()
            except (EOFError, OSError):
                answer = EngineError(
                    f"copy {number} of the engine ended with code {process.wait()}; its words are above"
                )
            if isinstance(answer, Exception):
                for _, other in self._copies:
                    other.kill()
                raise answer
            answers.append(answer)
        return answers


def serve(pipe: Connection) -> None:
    """Start the engine that `pipe` names, then answer calls until the other end is closed."""
    name, model, settings, options = pipe.recv()
    try:
        engine = start(name, model, settings, **options)
        pipe.send(engine.facts)
        while True:
            call, lists = pipe.recv()
            pipe.send((getattr(engine, call)(*lists) if lists[0] else [], engine.cached_tokens))
    except EOFError:
        return
    except Exception as error:
        pipe.send(EngineError(f"a copy of the engine failed: {type(error).__name__}: {error}"))
        raise


if __name__ == "__main__":
    end_with_parent()
    serve(Connection(int(sys.argv[1])))
