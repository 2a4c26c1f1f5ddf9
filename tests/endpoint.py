"""An OpenAI-compatible endpoint on the loopback: it answers from the prompt alone, and misbehaves on demand."""

import json
import re
import socket
import threading
import time
from collections import Counter
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from maple.synthesis.self_instruct import NO_INPUT, numbered

WORDS = ("jua", "mwezi", "nyota", "maji", "moto", "upepo", "mti", "nyumba")


def number_of(prompt: str) -> int:
    return int.from_bytes(blake2b(prompt.encode(), digest_size=6).digest())


def tasks_for(prompt: str) -> str:
    """Two whole tasks that continue the prompt's list, of words drawn by the prompt."""
    drawn = number_of(prompt)
    first = max(map(int, re.findall(r"^(\d+)\. Instruction", prompt, re.M)), default=0) + 1
    words = [WORDS[(drawn >> 4 * place) % 8] for place in range(8)]
    tasks = [" ".join(words[:4]), " ".join(words[4:])]
    return "".join(
        numbered(first + place, {"instruction": f"{text} {drawn}", "input": "", "output": "Ndiyo."})
        for place, text in enumerate(tasks)
    )


KINDS = {
    "good": tasks_for,
    "empty": lambda prompt: "",
    "long": lambda prompt: "neno " * 20_000,
    "blank": lambda prompt: "4. Instruction:" + "\n" * 100_000 + "###",
    "wrong language": lambda prompt: numbered(
        4, {"instruction": f"Скажи {number_of(prompt)}", "input": "", "output": "Да"}
    ),
    "repeats the prompt": lambda prompt: prompt,
    "broken numbering": lambda prompt: "4. Instruction: a\n5. Input: <noinput>\n4. Output: b\n###\n",
    "list in prose": lambda prompt: f"Sure! {NO_INPUT}",
}


USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


class Endpoint:
    """Serve until closed.

    `kinds` are keys of KINDS, taken by the prompt; `faults` are what befalls the first try of a request, taken likewise
    ("none", "drop", "429", "500", "garbled", "shapeless", "drip", "flood"); `status` answers everything so, with
    `headers`; `refuses` are bodies that get a 400, `usage` and `changes` stand in each answer and its choice. `seen`
    counts the tries of each (prompt, seed), `answered` the whole answers.
    """

    def __init__(
        self, kinds=("good",), faults=("none",), delay=0.0, status=None, length=(), usage=USAGE, headers=None,
        refuses=lambda body: False, changes=None,
    ):  # fmt: skip
        self.seen, self.answered, self.bodies, self.keys = Counter(), Counter(), [], set()
        self.most, self.now, self.lock = 0, 0, threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else 40 ms an answer: head and body are two packets

            def do_POST(self):
                with endpoint.lock:
                    endpoint.now += 1
                    endpoint.most = max(endpoint.most, endpoint.now)
                try:
                    self.answer()
                finally:
                    with endpoint.lock:
                        endpoint.now -= 1

            def answer(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                prompt = asked["messages"][0]["content"]
                request = (prompt, asked.get("seed"))
                with endpoint.lock:
                    endpoint.seen[request] += 1
                    first = endpoint.seen[request] == 1
                    endpoint.bodies.append(asked)
                    endpoint.keys.add(self.headers["Authorization"])
                time.sleep(delay)
                drawn = number_of(prompt)
                fault = faults[drawn % len(faults)] if first else "none"
                if status:
                    told = {"error": {"message": f"no: {self.headers['Authorization']}"}}
                    return self.send(status, json.dumps(told), headers)
                if refuses(asked):
                    key = self.headers["Authorization"].replace("-", chr(0) + "-")
                    return self.send(400, json.dumps({"error": {"message": f"\x1b[31mno such seed\n of {key}"}}))
                if fault == "drop":
                    self.close_connection = True
                    return self.connection.shutdown(socket.SHUT_RDWR)
                if fault in ("429", "500"):
                    return self.send(int(fault), "{}", {"Retry-After": "0.1"} if fault == "429" else {})
                if fault == "garbled":
                    return self.send(200, '{"choices": [{"mess')
                if fault == "shapeless":
                    return self.send(200, '{"choices": []}')
                if fault == "drip":
                    return self.drip()
                if fault == "flood":
                    return self.flood()
                text = KINDS[kinds[drawn // 7 % len(kinds)]](prompt)
                ended = "length" if any(word in prompt for word in length) else "stop"
                answer = {"id": "x", "object": "chat.completion", "created": 0, "model": asked["model"]}
                answer["choices"] = [
                    {"index": 0, "finish_reason": ended, "message": {"role": "assistant", "content": text}}
                    | (changes or {})
                ]
                if usage is not False:
                    answer["usage"] = usage
                self.send(200, json.dumps(answer))
                with endpoint.lock:
                    endpoint.answered[request] += 1

            def send(self, code, text, headers=None):
                content = text.encode()
                self.send_response(code)
                for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def drip(self):  # a byte now and then, none of which comes too late by itself
                self.send_response(200)
                self.send_header("Content-Length", "1000000")
                self.end_headers()
                for _ in range(100):
                    self.wfile.write(b" ")
                    time.sleep(0.1)

            def flood(self):
                self.send_response(200)
                self.send_header("Content-Length", str(2**30))
                self.end_headers()
                for _ in range(2**10):
                    self.wfile.write(b" " * 2**20)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, *_):  # a client that was killed
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
