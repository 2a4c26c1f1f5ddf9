"""A Hub on the loopback: what huggingface_hub asks of the real one to list, to load and to upload files."""

import base64
import json
import threading
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"


def git_blob(content: bytes) -> str:
    """The checksum that Git, and so the Hub, has for a small file."""
    return sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Uploads:
    """The requests by which a repository is created and files are uploaded to it in a commit."""

    hub: "Hub"

    def do_PUT(self):
        """Keep the content of a large file, which a commit will name by its SHA-256."""
        self.hub.large[self.path.rsplit("/", 1)[1]] = self.body()
        self.send(200, b"", {})

    def do_POST(self):
        path = unquote(urlsplit(self.path).path).lstrip("/")
        self.hub.asked.append(path)
        self.hub.tokens.add(self.headers["Authorization"])
        body = self.body()
        if self.hub.lost:
            self.close_connection = True
            return None
        if self.headers["Authorization"] != f"Bearer {self.hub.token}":
            told = {"X-Error-Message": f"no: {self.headers['Authorization']}"}
            return self.send(403, b"", told)
        for end, answer in {
            "api/repos/create": self.create,
            "api/validate-yaml": lambda path, body: (200, {}),
            "/preupload/main": self.preupload,
            ".git/info/lfs/objects/batch": self.large_files,
            "/commit/main": self.commit,
        }.items():
            if path.endswith(end):
                code, content = answer(path.removesuffix(end), body)
                return self.send(code, json.dumps(content).encode(), {"Content-Type": "application/json"})
        return self.send(404, b"", {})

    def body(self):
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def create(self, _, body):
        wanted = json.loads(body)
        name = f"{wanted['organization']}/{wanted['name']}"
        told = {"url": f"{self.hub.url}/{name}"}
        if f"models/{name}" in self.hub.repositories:
            return 409, told
        self.hub.repositories[f"models/{name}"] = {}
        self.hub.visibility[name] = wanted.get("visibility")
        return 200, told

    def preupload(self, path, body):
        files = self.hub.repositories[path.removeprefix("api/")]
        answers = []
        for name in (file["path"] for file in json.loads(body)["files"]):
            large = name.endswith(".safetensors")
            answer = {"path": name, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
            if name in files:
                answer["oid"] = sha256(files[name]).hexdigest() if large else git_blob(files[name])
            answers.append(answer)
        return 200, {"files": answers}

    def large_files(self, _, body):
        objects = []
        for each in json.loads(body)["objects"]:
            actions = {"upload": {"href": f"{self.hub.url}/large/{each['oid']}"}}
            objects.append(each if each["oid"] in self.hub.large else {**each, "actions": actions})
        return 200, {"transfer": "basic", "objects": objects}

    def commit(self, path, body):
        files = self.hub.repositories[path.removeprefix("api/")]
        changed = []
        for line in (json.loads(line) for line in body.splitlines()):
            key, value = line["key"], line["value"]
            if key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
            elif key == "deletedFile":
                del files[value["path"]]
            changed += [value["path"]] if key != "header" else []
        self.hub.commits.append(sorted(changed))
        page = f"{self.hub.url}/{path.removeprefix('api/models/')}/commit/{self.hub.head}"
        return 200, {"commitOid": self.hub.head, "commitUrl": page}


class Hub:
    """Serve repositories until closed.

    `repositories` are {"models/ORG/NAME" or "datasets/ORG/NAME": {path: content}}; large files (.safetensors) are
    listed with their SHA-256, others with Git's checksum. `gated` are open to the bearer of `token` alone. `served`
    replaces what is sent of a file, {(repository, path): content}, and leaves what is listed. `asked` are the paths of
    all requests, `loaded` of those for content, `tokens` what the requests bore. `failing` so many listings fail first.

    The bearer of `token` may create repositories and upload: `commits` are the paths that each commit changes,
    `visibility` that of each created repository. While `lost` is true, the connection breaks at each upload.
    """

    def __init__(self, repositories, gated=(), token=None, failing=0):
        self.repositories, self.gated, self.failing, self.served = repositories, gated, failing, {}
        self.asked, self.loaded, self.tokens = [], [], set()
        self.token, self.commits, self.visibility, self.large, self.lost = token, [], {}, {}, False
        hub = self

        class Handler(Uploads, BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                self.answer()

            def do_GET(self):
                self.answer()

            def answer(self):
                path = unquote(urlsplit(self.path).path).lstrip("/")
                hub.asked.append(path)
                hub.tokens.add(self.headers["Authorization"])
                if path.endswith("/revision/main"):
                    told = {"id": path.removesuffix("/revision/main").removeprefix("api/models/"), "sha": hub.head}
                    return self.send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})
                if path.startswith("api/"):
                    name, _, revision = path.removeprefix("api/").partition("/tree/")
                    return self.listing(name, revision)
                name, _, rest = path.partition("/resolve/")
                revision, _, file = rest.partition("/")
                self.file(name if name.startswith("datasets/") else f"models/{name}", revision, file)

            def refused(self, name, revision):
                if name not in hub.repositories:
                    return self.send(404, b"", {"X-Error-Code": "RepoNotFound"}) or True
                if revision not in (REVISION, "main"):
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

        Handler.hub = self
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def head(self):
        """The newest commit."""
        return sha1(str(len(self.commits)).encode()).hexdigest()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
