"""A stand-in for Hugging Face: repositories in memory, behind the addresses that huggingface_hub asks."""

import base64
import contextlib
import hashlib
import http.server
import json
import re
import threading

TOKEN = "hf_of_the_tests"


class HubServer:
    """Serves and takes files of models.

    Attributes:
        repositories: name to content by file name; one commit each.
        private: names that need the token.
        asked: (method, path) of each request.
    """

    def __init__(self):
        self.repositories, self.private, self.asked = {}, set(), []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self, self.command)

            do_HEAD = do_POST = do_GET

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def commit(self, name):
        files = self.repositories[name]
        return hashlib.sha1(repr(sorted(files.items())).encode(), usedforsecurity=False).hexdigest()

    def answer(self, handler, method):
        path = handler.path.partition("?")[0]
        self.asked.append((method, path))
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        known = handler.headers.get("Authorization") == f"Bearer {TOKEN}"
        for pattern, reply in self.replies:
            if (found := re.fullmatch(pattern, f"{method} {path}")) is not None:
                return reply(handler, found, body, known)
        return self.send(handler, 404, {"error": "Not found"}, {"X-Error-Code": "EntryNotFound"})

    def send(self, handler, code, content, headers=None):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        handler.send_response(code)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            with contextlib.suppress(OSError):
                handler.wfile.write(data)

    def of(self, handler, found, known):
        name, revision = found["name"], found["revision"]
        if name not in self.repositories or (name in self.private and not known):
            self.send(handler, 401, {"error": "Repository Not Found"}, {"X-Error-Code": "RepoNotFound"})
        elif revision not in ("main", self.commit(name)):
            self.send(handler, 404, {"error": "Revision Not Found"}, {"X-Error-Code": "RevisionNotFound"})
        else:
            return self.repositories[name]
        return None

    def info(self, handler, found, body, known):
        if (files := self.of(handler, found, known)) is not None:
            siblings = [{"rfilename": name} for name in files]
            self.send(handler, 200, {"id": found["name"], "sha": self.commit(found["name"]), "siblings": siblings})

    def tree(self, handler, found, body, known):
        if (files := self.of(handler, found, known)) is not None:
            entries = [{"type": "file", "path": name, "size": len(files[name]), "oid": self.oid(files[name])} for name in files]
            self.send(handler, 200, entries)

    @staticmethod
    def oid(content):
        return hashlib.sha1(content, usedforsecurity=False).hexdigest()

    def resolve(self, handler, found, body, known):
        files = self.of(handler, found, known)
        if files is None:
            return
        if found["file"] not in files:
            self.send(handler, 404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            return
        content = files[found["file"]]
        self.send(handler, 200, content, {"ETag": f'"{self.oid(content)}"', "X-Repo-Commit": self.commit(found["name"])})

    def create(self, handler, found, body, known):
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
        if not known or not name.startswith("ann/"):
            self.send(handler, 401 if not known else 403, {"error": "You may not write here"})
            return
        if name in self.repositories:
            self.send(handler, 409, {"error": "You already created this model repo", "url": f"{self.url}/{name}"})
            return
        self.repositories[name] = {}
        if asked.get("private") or asked.get("visibility") == "private":
            self.private.add(name)
        self.send(handler, 200, {"url": f"{self.url}/{name}", "name": name})

    def preupload(self, handler, found, body, known):
        paths = [file["path"] for file in json.loads(body)["files"]]
        self.send(handler, 200, {"files": [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in paths]})

    def take(self, handler, found, body, known):
        for line in body.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                self.repositories[found["name"]][entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
        commit = self.commit(found["name"])
        address = f"{self.url}/{found['name']}/commit/{commit}"
        self.send(handler, 200, {"success": True, "commitOid": commit, "commitUrl": address})

    @property
    def replies(self):
        name, revision = r"(?P<name>[\w.-]+/[\w.-]+)", r"(?P<revision>[\w.-]+)"
        return [
            (rf"GET /api/models/{name}/revision/{revision}", self.info),
            (rf"GET /api/models/{name}/tree/{revision}", self.tree),
            (rf"(HEAD|GET) /{name}/resolve/{revision}/(?P<file>.+)", self.resolve),
            (r"POST /api/repos/create", self.create),
            (r"POST /api/validate-yaml", lambda handler, *_: self.send(handler, 200, {"errors": [], "warnings": []})),
            (rf"POST /api/models/{name}/preupload/{revision}", self.preupload),
            (rf"POST /api/models/{name}/commit/{revision}", self.take),
        ]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
