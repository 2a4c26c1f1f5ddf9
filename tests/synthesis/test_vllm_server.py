"""The teacher `openai` against a real server: vLLM's own, on the loopback, with a toy model."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from project import ROOT
from toy_dataset import PROMPT

from maple.data.curation import LanguageLimits
from maple.definitions.dataset import SelfInstructSettings
from maple.definitions.language import LanguageIdentity
from maple.engines.blocks import EndpointBlock
from maple.engines.ledger import ledger
from maple.engines.start import choose
from maple.runtime.journal import Journal
from maple.synthesis.self_instruct import self_instruct
from maple.synthesis.teachers import IncompleteAnswer, Request, TeacherJob
from maple.synthesis.teachers import teacher as teacher_called

pytestmark = pytest.mark.heavy

SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
SEEDS = [{"instruction": f"Jua {n}", "input": "", "output": "x"} for n in range(4)]


def read(url):
    with urlopen(url, timeout=5) as answer:
        return answer.read().decode()


@contextmanager
def serving(model, log):
    """Serve `model` as `toy` until the block ends; yield the address. It must then end by itself, without children."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    command += ["--served-model-name", "toy", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--enforce-eager", "--dtype", "float32", "--max-model-len", "2048", "--max-num-seqs", "16"]
    command += ["--generation-config", "vllm"]  # else the model's own temperature would stand in for one not sent
    environment = os.environ | {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    with open(log, "w") as written:
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=written, stderr=written, start_new_session=True
        )
    try:
        while True:
            assert server.poll() is None, log.read_text()[-3000:]
            try:
                read(f"http://127.0.0.1:{port}/health")
                break
            except (URLError, OSError):
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
        server.terminate()
        assert server.wait(timeout=60) in (0, -15), log.read_text()[-3000:]
        with pytest.raises(ProcessLookupError):
            for _ in range(300):  # its engine is a process of its own, which ends a moment later
                os.killpg(server.pid, 0)
                time.sleep(0.1)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, 9)
            server.wait()


def counted(url):
    """Return the tokens that the server has read and written, by its own count."""
    metrics = read(f"{url}/metrics")
    return tuple(
        int(float(re.search(rf"^vllm:{kind}_tokens_total{{.*?}} (\S+)$", metrics, re.M).group(1)))
        for kind in ("prompt", "generation")
    )


def test_answers_and_ledger_are_those_of_a_real_server(chat_base, tmp_path):
    if choose("auto") != "vllm":
        pytest.skip("vLLM is not installed, or lacks a library of the system (libnuma1)")
    model = tmp_path / "model"
    shutil.copytree(chat_base, model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 2048}))

    def teacher(url, name, **changes):
        settings = {"base_url": f"{url}/v1", "model": "toy", "key_variable": None, "file": "d.yaml", "max_tokens": 16}
        block = EndpointBlock(**{**settings, "concurrency": 4, **changes})
        return teacher_called("openai", TeacherJob(block=block, journal=Journal(tmp_path / f"{name}.jsonl")))

    requests = [Request(f"r{n}", "propose", SWAHILI, f"The sun {n % 3}", n, {}) for n in range(9)]
    with serving(model, tmp_path / "server.log") as url:
        first = teacher(url, "first")
        answers = first.complete(requests)
        spent = ledger(first.answerer.rows.values())
        assert (spent.answers, spent.failures) == (9, 0)
        assert (spent.prompt_tokens, spent.completion_tokens) == counted(url)
        cut = [answer for answer in answers if isinstance(answer, IncompleteAnswer)]
        assert all(answer.fault == "cut off" and answer.text for answer in cut) and len(set(map(str, answers))) > 5
        # The same seeds draw the same answers; a journal buys nothing twice.
        assert teacher(url, "again").complete(requests) == answers
        bought = counted(url)
        assert teacher(url, "first").complete(requests) == answers and counted(url) == bought

        settings = SelfInstructSettings(rounds=2, first_round_requests=3, requests_per_round=4, tasks_per_request=5)
        writer = teacher(url, "made")
        rows = self_instruct(
            settings, SWAHILI, SEEDS, writer, prompt=PROMPT, limits=LanguageLimits(), seed=1, progress=iter
        )
        spent = ledger(writer.answerer.rows.values())
        assert spent.answers == 7 and rows.height >= 7
        more = tuple(after - before for before, after in zip(bought, counted(url), strict=True))
        assert (spent.prompt_tokens, spent.completion_tokens) == more

        # What the server refuses is no answer, and the others are answered.
        long = Request("long", "propose", SWAHILI, "The sun " * 4000, 1, {})
        writer = teacher(url, "long", retries=0, max_failed=0.5)
        none, whole = writer.complete([long, requests[0]])
        assert none == IncompleteAnswer("no answer") and whole == answers[0]
        assert ledger(writer.answerer.rows.values()).failures == 1
        capped = teacher(url, "capped", max_tokens_total=10**6)
        assert capped.complete(requests[:1]) == answers[:1]
