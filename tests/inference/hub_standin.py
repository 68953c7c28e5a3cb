"""A small stand-in for the hub: the few addresses its client asks for, served from memory on this machine.

Files, token and licence gate are plain attributes that a test may change while it runs; `asked` lists every
request that arrived.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REVISION = "0123456789abcdef0123456789abcdef01234567"


class HubStandIn(ThreadingHTTPServer):
    """`endpoint` is what HF_ENDPOINT has to be."""

    daemon_threads = True

    def __init__(self, repo: str, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repo, self.files = repo, files
        self.revision = REVISION
        self.token: str | None = None  # who does not send it gets 401
        self.gated = False  # the licence was not accepted: 403
        self.status = 0  # every request fails with this status
        self.delay = 0.0  # seconds before any answer
        self.asked: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubStandIn

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _answer(self) -> None:
        hub = self.server
        path = self.path.partition("?")[0]
        hub.asked.append(f"{self.command} {path}")
        time.sleep(hub.delay)
        if hub.status:
            self._send(hub.status)
        elif path.startswith("/cdn/"):
            body = {hashlib.sha256(b).hexdigest(): b for b in hub.files.values()}[path[5:]]
            self._send(200, body, ETag=f'"{path[5:]}"')
        elif hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            self._send(401, X_Error_Code="RepoNotFound", X_Error_Message="Invalid username or password.")
        elif path == f"/api/models/{hub.repo}":
            self._list()
        elif path.startswith(f"/{hub.repo}/resolve/"):
            self._resolve(path)
        else:
            self._send(404, X_Error_Code="RepoNotFound")

    def _list(self) -> None:
        hub = self.server
        facts = {
            "id": hub.repo, "modelId": hub.repo, "sha": hub.revision, "private": False, "tags": [],
            "siblings": [{"rfilename": name} for name in ["README.md", *hub.files]],
        }  # fmt: skip
        self._send(200, json.dumps(facts).encode(), Content_Type="application/json")

    def _resolve(self, path: str) -> None:
        hub = self.server
        revision, _, name = path[len(f"/{hub.repo}/resolve/") :].partition("/")
        if hub.gated:
            self._send(403, X_Error_Code="GatedRepo", X_Error_Message="Access to this model is restricted")
        elif name not in hub.files or revision not in ("main", hub.revision):
            self._send(404, X_Error_Code="EntryNotFound", X_Repo_Commit=hub.revision)
        else:
            digest = hashlib.sha256(hub.files[name]).hexdigest()
            self._send(
                302,
                Location=f"http://localhost:{hub.server_address[1]}/cdn/{digest}",  # another host
                X_Repo_Commit=hub.revision,
                X_Linked_ETag=f'"{digest}"',
                X_Linked_Size=str(len(hub.files[name])),
                ETag=f'"{digest}"',
            )


@contextmanager
def serving(repo: str, files: dict[str, bytes]) -> Iterator[HubStandIn]:
    """A running stand-in."""
    hub = HubStandIn(repo, files)
    thread = threading.Thread(target=hub.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
