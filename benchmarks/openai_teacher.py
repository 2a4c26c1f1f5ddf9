"""How close does the teacher come to the requests per second that its concurrency allows?

    python benchmarks/openai_teacher.py [--concurrency 32] [--latency 0.2] [--requests 960]

The endpoint is on the loopback, in a process of its own, and answers after the latency; ideal is concurrency / latency.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]


def serve(latency: float, address) -> None:
    """Answer until ended; `address` gets the URL."""
    from endpoint import Endpoint

    with Endpoint(delay=latency) as endpoint:
        address.send(endpoint.url)
        time.sleep(3600)


def main() -> None:
    """Print requests per second, the ideal, and the share of it."""
    from maple.definitions.language import ENGLISH, LanguageIdentity
    from maple.engines.blocks import EndpointBlock
    from maple.runtime.journal import Journal
    from maple.synthesis.teachers import Request, TeacherJob, teacher

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds")
    parser.add_argument("--requests", type=int, default=960)
    options = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(options.latency, there), daemon=True)
    server.start()
    block = EndpointBlock(
        base_url=here.recv(), model="m", key_variable=None, concurrency=options.concurrency, file="a benchmark"
    )
    english = LanguageIdentity(ENGLISH, "English", "en", "Latn")
    with tempfile.TemporaryDirectory() as folder:
        writer = teacher("openai", TeacherJob(block=block, journal=Journal(Path(folder) / "journal.jsonl")))
        requests = [Request(str(n), "propose", english, f"prompt {n}", n, {}) for n in range(options.requests)]
        writer.complete(requests[: options.concurrency])  # imports and connections
        start = time.perf_counter()
        writer.complete(requests)
        seconds = time.perf_counter() - start
    server.terminate()
    speed, ideal = (options.requests - options.concurrency) / seconds, options.concurrency / options.latency
    print(f"{speed:.1f} requests/s, ideal {ideal:.1f}: {speed / ideal:.1%}")


if __name__ == "__main__":
    main()
