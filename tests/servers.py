"""Servers on this machine for tests: one that says what a test wrote down, and a real vLLM."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

VLLM_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_CPU_KVCACHE_SPACE": "1",
}


@dataclass(frozen=True)
class Reply:
    """What a scripted server says: a status, JSON or a text, and headers."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Scripted:
    """A server's script: for each path its replies in order, the last of which stays; or a function of the body.

    `asked` holds the path and the body of everything posted to it, `headers` those of the last request, `most` how many
    requests were under way at a time.
    """

    routes: dict[str, list[Reply] | Callable[[Any], Reply]]
    url: str = ""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    most: int = 0
    _times: Counter[str] = field(default_factory=Counter)
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def posted(self, path: str) -> list[Any]:
        """The bodies of what was posted to a path."""
        return [body for where, body in self.asked if where == path]

    def reply(self, path: str, body: Any, headers: dict[str, str]) -> Reply:
        route = self.routes.get(path)
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            self.headers = headers
            if body is not None:
                self.asked.append((path, body))
            number = self._times[path]
            self._times[path] += 1
        try:
            if route is None:
                return Reply({"detail": "Not Found"}, 404)
            if callable(route):
                return Reply({"detail": "Method Not Allowed"}, 405) if body is None else route(body)
            return route[min(number, len(route) - 1)]
        finally:
            with self._lock:
                self._now -= 1


@contextlib.contextmanager
def scripted(**routes: list[Reply] | Callable[[Any], Reply]) -> Iterator[Scripted]:
    """A server on 127.0.0.1 that follows a script; `chat_completions` is the path /v1/chat/completions.

    `/classify`, `/version` and `/tokenize` lie at its root.
    """
    paths = {
        f"/{name}" if name in {"classify", "version", "tokenize"} else f"/v1/{name.replace('_', '/')}": replies
        for name, replies in routes.items()
    }
    script = Scripted(paths)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._say(script.reply(self.path, None, dict(self.headers)))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._say(script.reply(self.path, body, dict(self.headers)))

        def _say(self, reply: Reply) -> None:
            if reply.status == 0:  # a connection that breaks
                self.close_connection = True
                return
            text = (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(text)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # as many as an engine may ask at once

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@contextlib.contextmanager
def vllm_server(folder: Path, *arguments: str, name: str = "tiny", seconds: float = 300) -> Iterator[str]:
    """A vLLM that serves a checkpoint on the CPU in float32, started with this Python; gives the API's address."""
    port = free_port()
    # not the command `vllm`, which vllm-cpu lacks the metadata for
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder), "--host", "127.0.0.1",
        "--port", str(port), "--dtype", "float32", "--enforce-eager", "--served-model-name", name, "--seed", "0",
        *arguments,
    ]  # fmt: skip
    log = folder.parent / f"vllm-{port}.log"
    with log.open("w") as file:
        environment = {**os.environ, **VLLM_ENVIRONMENT}
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)
        try:
            _wait(process, f"http://127.0.0.1:{port}/health", time.monotonic() + seconds, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(60)


def _wait(process: subprocess.Popen[bytes], url: str, until: float, log: Path) -> None:
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.5)
    raise RuntimeError(f"vLLM did not start:\n{log.read_text()[-3000:]}")
