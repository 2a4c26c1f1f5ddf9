"""A Hub on the loopback: what huggingface_hub asks of the real one to list a repository's files and to load them."""

import json
import threading
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"


def git_blob(content: bytes) -> str:
    """The checksum that Git, and so the Hub, has for a small file."""
    return sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Hub:
    """Serve repositories until closed.

    `repositories` are {"models/ORG/NAME" or "datasets/ORG/NAME": {path: content}}; large files (.safetensors) are
    listed with their SHA-256, others with Git's checksum. `gated` are open to the bearer of `token` alone. `served`
    replaces what is sent of a file, {(repository, path): content}, and leaves what is listed. `asked` are the paths of
    all requests, `loaded` of those for content, `tokens` what the requests bore. `failing` so many listings fail first.
    """

    def __init__(self, repositories, gated=(), token=None, failing=0):
        self.repositories, self.gated, self.failing, self.served = repositories, gated, failing, {}
        self.asked, self.loaded, self.tokens = [], [], set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                self.answer()

            def do_GET(self):
                self.answer()

            def answer(self):
                path = unquote(urlsplit(self.path).path).lstrip("/")
                hub.asked.append(path)
                hub.tokens.add(self.headers["Authorization"])
                if path.startswith("api/"):
                    name, _, revision = path.removeprefix("api/").partition("/tree/")
                    return self.listing(name, revision)
                name, _, rest = path.partition("/resolve/")
                revision, _, file = rest.partition("/")
                self.file(name if name.startswith("datasets/") else f"models/{name}", revision, file)

            def refused(self, name, revision):
                if name not in hub.repositories:
                    return self.send(404, b"", {"X-Error-Code": "RepoNotFound"}) or True
                if revision != REVISION:
                    return self.send(404, b"", {"X-Error-Code": "RevisionNotFound"}) or True
                return False

            def listing(self, name, revision):
                if hub.failing and revision:
                    hub.failing -= 1
                    return self.send(403, b"", {})
                if self.refused(name, revision):
                    return
                entries = []
                for path, content in hub.repositories[name].items():
                    entry = {"type": "file", "path": path, "size": len(content), "oid": git_blob(content)}
                    if path.endswith(".safetensors"):
                        entry["lfs"] = {"oid": sha256(content).hexdigest(), "size": len(content), "pointerSize": 100}
                    entries.append(entry)
                self.send(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})

            def file(self, name, revision, path):
                if self.refused(name, revision):
                    return
                if name in hub.gated and self.headers["Authorization"] != f"Bearer {token}":
                    told = {"X-Error-Code": "GatedRepo", "X-Error-Message": f"no: {self.headers['Authorization']}"}
                    return self.send(403, b"", told)
                listed = hub.repositories[name][path]
                if self.command == "GET":
                    hub.loaded.append(path)
                content = hub.served.get((name, path), listed)
                self.send(200, content, {"ETag": f'"{git_blob(listed)}"', "X-Repo-Commit": revision})

            def send(self, code, content, headers):
                self.send_response(code)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
