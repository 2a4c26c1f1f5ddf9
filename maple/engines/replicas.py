"""Several copies of an engine side by side, each in a process of its own with devices of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from maple.engines.engine import Completion, EngineError, EngineOptions, Pictures, Stops
from maple.engines.start import start
from maple.runtime.processes import end_with_parent, import_path


class _Call(NamedTuple):
    method: str
    arguments: Sequence[Any]


class _Result(NamedTuple):
    value: Any
    cached_tokens: int | None


class _Sample(NamedTuple):
    """One completion of a call of `sample` that has not ended yet."""

    place: int
    completion: Completion


@dataclass
class _Copy:
    number: int
    pipe: Connection
    process: subprocess.Popen
    cached_tokens: int | None = 0


class Replicas:
    """An engine (maple.engines.engine.Engine) that gives each of its copies a consecutive part of the prompts.

    `devices` has the CUDA_VISIBLE_DEVICES of each copy, None to leave it as it is. If a copy fails or dies, the others
    are ended, and an EngineError says what happened.
    """

    def __init__(self, name: str, settings: EngineOptions, devices: Sequence[str | None]):
        self.copies = [_started(number, device, (name, settings)) for number, device in enumerate(devices)]
        first, *_ = [self._receive(copy) for copy in self.copies]
        self.info: Mapping[str, str | int] = {**first, "replicas": len(devices)}

    @property
    def cached_tokens(self) -> int | None:
        """The prompt tokens so far that were found in the copies' prefix caches; None if they are not counted."""
        counts = [copy.cached_tokens for copy in self.copies if copy.cached_tokens is not None]
        return sum(counts) if len(counts) == len(self.copies) else None

    def use(self, adapter: str | Path) -> None:
        """Attach an adapter to every copy."""
        self._call([_Call("use", [adapter]) for _ in self.copies])

    def complete(
        self, prompts: Sequence[list[int]], limits: Sequence[int], pictures: Pictures = (), stops: Stops = ()
    ) -> list[Completion]:
        """Complete each prompt by one of the copies."""
        parts = self._parts(len(prompts))
        calls = [_Call("complete", [prompts[at], limits[at], pictures[at], stops[at]]) for at in parts]
        return list(chain.from_iterable(self._call(calls)))

    def log_likelihoods(
        self, prompts: Sequence[list[int]], continuations: Sequence[list[int]], pictures: Pictures = ()
    ) -> list[float]:
        """Score each continuation by one of the copies."""
        parts = self._parts(len(prompts))
        calls = [_Call("log_likelihoods", [prompts[at], continuations[at], pictures[at]]) for at in parts]
        return list(chain.from_iterable(self._call(calls)))

    def sample(
        self,
        prompts: Sequence[list[int]],
        limits: Sequence[int],
        seeds: Sequence[int],
        temperature: float,
        top_p: float,
    ) -> Iterator[tuple[int, Completion]]:
        """Sample a completion of each prompt by one of the copies; yield it when its copy has it."""
        parts = self._parts(len(prompts))
        self._send([_Call("sample", [prompts[at], limits[at], seeds[at], temperature, top_p]) for at in parts])
        running = list(self.copies)
        while running:
            ready = wait([copy.pipe for copy in running])
            for copy in [copy for copy in running if copy.pipe in ready]:
                message = self._receive(copy)
                if isinstance(message, _Sample):
                    yield parts[copy.number].start + message.place, message.completion
                else:
                    copy.cached_tokens = message.cached_tokens
                    running.remove(copy)

    def _parts(self, count: int) -> list[slice]:
        """Return the part of `count` prompts that each copy gets; the last ones may be empty."""
        size = -(-count // len(self.copies))
        return [slice(copy.number * size, (copy.number + 1) * size) for copy in self.copies]

    def _call(self, calls: Sequence[_Call]) -> list:
        """Send a call to each copy; return their values in the copies' order."""
        self._send(calls)
        results = [self._receive(copy) for copy in self.copies]
        for copy, result in zip(self.copies, results, strict=True):
            copy.cached_tokens = result.cached_tokens
        return [result.value for result in results]

    def _send(self, calls: Sequence[_Call]) -> None:
        for copy, call in zip(self.copies, calls, strict=True):
            with suppress(OSError):  # a copy that has died is noticed when it does not answer
                copy.pipe.send(call)

    def _receive(self, copy: _Copy) -> Any:
        """Return the next message of a copy; end all copies if that is an error, or if it has died."""
        try:
            message = copy.pipe.recv()
        except (EOFError, OSError):
            code = copy.process.wait()
            self._end(EngineError(f"copy {copy.number} of the engine ended with code {code}; its words are above"))
        if isinstance(message, Exception):
            self._end(message)
        return message

    def _end(self, error: Exception) -> NoReturn:
        for copy in self.copies:
            copy.process.kill()
        raise error


def _started(number: int, device: str | None, arguments: tuple[str, EngineOptions]) -> _Copy:
    here, there = Pipe()
    visible = {} if device is None else {"CUDA_VISIBLE_DEVICES": device}
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", "from maple.engines.replicas import main; main()", str(there.fileno())],
        pass_fds=[there.fileno()],
        env={**os.environ, "PYTHONPATH": import_path(), **visible},
    )
    there.close()
    here.send(arguments)
    return _Copy(number, here, process)


def serve(pipe: Connection) -> None:
    """Start the engine that `pipe` names, then answer calls until the other end is closed."""
    name, settings = pipe.recv()
    try:
        engine = start(name, settings)
        pipe.send(dict(engine.info))
        while True:
            method, arguments = pipe.recv()
            value = []
            if method == "sample":
                for place, completion in engine.sample(*arguments):
                    pipe.send(_Sample(place, completion))
            elif arguments[0]:
                value = getattr(engine, method)(*arguments)
            pipe.send(_Result(value, engine.cached_tokens))
    except EOFError:
        return
    except Exception as error:
        pipe.send(EngineError(f"a copy of the engine failed: {type(error).__name__}: {error}"))
        raise


def main() -> None:
    """Serve the engine of the pipe whose file descriptor is the program's argument."""
    end_with_parent()
    serve(Connection(int(sys.argv[1])))
