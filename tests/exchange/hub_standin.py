"""A hub on this machine that speaks as much of the Hugging Face hub's API as `push` and `pull` use, kept in memory.

with Hub() as hub:
    hub.url                       # for HF_ENDPOINT
    hub.repositories["me/nli"]    # branch -> commits, each path -> bytes
    hub.cut_after = 1000          # the next large file ends after so many bytes
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_standin"


class Hub:
    """Repositories, objects in large-file storage, and what was asked."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cut_after: int | None = None
        self.uploaded: list[str] = []

    def __enter__(self) -> Hub:
        hub = self

        class Handler(_Handler):
            standin = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def files(self, id: str, revision: str = "main") -> dict[str, bytes]:
        """The files of a repository at a branch or commit."""
        return self.repositories[id]["commits"][self.commit(id, revision)]

    def commit(self, id: str, revision: str = "main") -> str:
        return self.repositories[id]["branches"].get(revision, revision)

    def store(self, id: str, files: dict[str, bytes], branch: str = "main", private: bool = True) -> str:
        """Make a commit with exactly these files."""
        digest = hashlib.sha1(
            repr(sorted((name, hashlib.sha1(data).digest()) for name, data in files.items())).encode()
        )
        repository = self.repositories.setdefault(id, {"private": private, "branches": {}, "commits": {}})
        repository["commits"][digest.hexdigest()] = dict(files)
        repository["branches"][branch] = digest.hexdigest()
        return digest.hexdigest()


def large(name: str) -> bool:
    return name.endswith(".safetensors")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    standin: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._route("GET")

    def do_HEAD(self) -> None:
        self._route("HEAD")

    def do_POST(self) -> None:
        self._route("POST")

    def do_PUT(self) -> None:
        self._route("PUT")

    def _route(self, method: str) -> None:
        path = unquote(urlsplit(self.path).path)
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else self._chunked()
        self.standin.asked.append(f"{method} {path}")
        for verb, pattern, act in ROUTES:
            if verb == method and (match := pattern.fullmatch(path)):
                act(self, **match.groupdict())
                return
        self._json({"error": f"no such route {method} {path}"}, 404)

    def _chunked(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return b""
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _allowed(self, id: str, write: bool = False) -> bool:
        """Whether this caller may; answers as the hub does where not."""
        logged_in = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        there = self.standin.repositories.get(id)
        if write and not logged_in:
            self._json({"error": "Invalid username or password."}, 401)
            return False
        if there is None or (there["private"] and not logged_in):
            self._json({"error": "Repository not found"}, 404 if logged_in else 401, X_Error_Code="RepoNotFound")
            return False
        return True

    def _files(self, id: str, revision: str) -> dict[str, bytes] | None:
        repository = self.standin.repositories[id]
        commit = self.standin.commit(id, revision)
        if commit not in repository["commits"]:
            self._json({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
            return None
        return repository["commits"][commit]

    def create(self) -> None:
        asked = json.loads(self.body)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._json({"error": "Invalid username or password."}, 401)
            return
        id = f"{asked.get('organization') or 'me'}/{asked['name']}"
        if id in self.standin.repositories:
            self._json({"error": "You already created this model repo", "url": f"{self.standin.url}/{id}"}, 409)
            return
        private = asked.get("private", asked.get("visibility") == "private")
        self.standin.store(id, {".gitattributes": b"*.safetensors filter=lfs\n"}, private=bool(private))
        self._json({"url": f"{self.standin.url}/{id}", "id": id, "name": id})

    def validate(self) -> None:
        """The metadata of a card, which the hub reads before it takes it."""
        text = json.loads(self.body)["content"]
        facts = yaml.safe_load(text.split("---\n")[1])
        right = isinstance(facts, dict) and facts["library_name"] == "adapter-stilts"
        self._json({"errors": [] if right else [{"message": "no metadata"}], "warnings": []})

    def info(self, id: str, revision: str = "main") -> None:
        if not self._allowed(id) or (files := self._files(id, revision)) is None:
            return
        siblings = [{"rfilename": name, "size": len(data), "blobId": "0"} for name, data in files.items()]
        facts = {"id": id, "modelId": id, "sha": self.standin.commit(id, revision), "siblings": siblings, "tags": []}
        self._json({**facts, "private": self.standin.repositories[id]["private"], "downloads": 0, "likes": 0})

    def tree(self, id: str, revision: str) -> None:
        if not self._allowed(id) or (files := self._files(id, revision)) is None:
            return
        rows = [{"type": "file", "path": name, "size": len(data), "oid": _oid(data)} for name, data in files.items()]
        self._json(rows)

    def paths_info(self, id: str, revision: str) -> None:
        self.tree(id, revision)

    def branch(self, id: str, name: str) -> None:
        if not self._allowed(id, write=True):
            return
        branches = self.standin.repositories[id]["branches"]
        if name in branches:
            self._json({"error": "Reference already exists"}, 409)
            return
        branches[name] = branches["main"]
        self._json({}, 200)

    def preupload(self, id: str, revision: str) -> None:
        if not self._allowed(id, write=True) or (files := self._files(id, revision)) is None:
            return
        rows = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if large(file["path"]) else "regular",
                "shouldIgnore": False,
                "oid": _oid(files[file["path"]]) if file["path"] in files else None,
            }
            for file in json.loads(self.body)["files"]
        ]
        self._json({"files": rows})

    def batch(self, id: str) -> None:
        if not self._allowed(id, write=True):
            return
        rows = []
        for each in json.loads(self.body)["objects"]:
            known = each["oid"] in self.standin.objects
            upload = {"upload": {"href": f"{self.standin.url}/objects/{each['oid']}"}}
            rows.append({**each, **({} if known else {"actions": upload})})
        self._json({"transfer": "basic", "objects": rows})

    def put(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            self._json({"error": "checksum"}, 400)
            return
        self.standin.objects[oid] = self.body
        self.standin.uploaded.append(oid)
        self._json({})

    def make_commit(self, id: str, revision: str) -> None:
        if not self._allowed(id, write=True) or (before := self._files(id, revision)) is None:
            return
        files = dict(before)
        for line in self.body.decode().splitlines():
            said = json.loads(line)
            value = said["value"]
            if said["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif said["key"] == "lfsFile":
                files[value["path"]] = self.standin.objects[value["oid"]]
            elif said["key"] == "deletedFile":
                files.pop(value["path"], None)
        oid = self.standin.store(id, files, revision)
        self._json({"commitUrl": f"{self.standin.url}/{id}/commit/{oid}", "commitOid": oid, "success": True})

    def resolve(self, id: str, revision: str, name: str) -> None:
        if not self._allowed(id) or (files := self._files(id, revision)) is None:
            return
        if name not in files:
            self._json({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
            return
        data, start = files[name], 0
        if asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or ""):
            start = int(asked[1])
        if start >= len(data) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest() if large(name) else _oid(data)}"')
        self.send_header("X-Repo-Commit", self.standin.commit(id, revision))
        self.send_header("Accept-Ranges", "bytes")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        if large(name) and self.standin.cut_after is not None:
            self.wfile.write(data[start : start + self.standin.cut_after])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(data[start:])


def _oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


ID = r"(?P<id>[\w.-]+/[\w.-]+)"
ROUTES: list[tuple[str, re.Pattern[str], Any]] = [
    ("POST", re.compile(r"/api/repos/create"), _Handler.create),
    ("POST", re.compile(r"/api/validate-yaml"), _Handler.validate),
    ("GET", re.compile(rf"/api/models/{ID}"), _Handler.info),
    ("GET", re.compile(rf"/api/models/{ID}/revision/(?P<revision>.+)"), _Handler.info),
    ("GET", re.compile(rf"/api/models/{ID}/tree/(?P<revision>[^/]+)"), _Handler.tree),
    ("POST", re.compile(rf"/api/models/{ID}/paths-info/(?P<revision>[^/]+)"), _Handler.paths_info),
    ("POST", re.compile(rf"/api/models/{ID}/branch/(?P<name>.+)"), _Handler.branch),
    ("POST", re.compile(rf"/api/models/{ID}/preupload/(?P<revision>.+)"), _Handler.preupload),
    ("POST", re.compile(rf"/{ID}\.git/info/lfs/objects/batch"), _Handler.batch),
    ("PUT", re.compile(r"/objects/(?P<oid>\w+)"), _Handler.put),
    ("POST", re.compile(rf"/api/models/{ID}/commit/(?P<revision>.+)"), _Handler.make_commit),
    ("GET", re.compile(rf"/{ID}/resolve/(?P<revision>[^/]+)/(?P<name>.+)"), _Handler.resolve),
    ("HEAD", re.compile(rf"/{ID}/resolve/(?P<revision>[^/]+)/(?P<name>.+)"), _Handler.resolve),
]
