"""JSON over HTTP, patiently: what may pass is asked again, what will not is said once, and a key is never shown."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, NamedTuple, TypeVar

import httpx

from fairprobe.engines.checkpoints import first_line
from fairprobe.errors import EngineError

Key = TypeVar("Key")

AGAIN = frozenset({408, 429, *range(500, 600)} - {501})
BACKOFF = 0.5
"""Seconds before the first retry; they double with each, up to `LONGEST`."""
LONGEST = 60.0
CONNECT = 20.0


class Call(NamedTuple):
    """What is posted, and where."""

    url: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Patience:
    """How many requests are under way at a time, how often one is asked again, and how many seconds it may take."""

    parallel: int
    retries: int
    timeout: float


class Refused(Exception):
    """The server answered with something that asking again would not change."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the server answered {status}: {message}")
        self.status = status
        self.message = message


class Unanswered(Exception):
    """No answer, however often it was asked."""


class Api:
    """A server's JSON API; the key is in the environment variable `key_env`, where that is set."""

    def __init__(self, patience: Patience, key_env: str) -> None:
        self.patience = patience
        self.key_env = key_env
        self.requests = self.retries = 0
        self._reached = False
        self._lock = Lock()
        self._held: httpx.Client | None = None

    def get(self, url: str) -> Any:
        """What lies at an address. Raises `Refused`, `Unanswered`, and `EngineError` where nobody could be asked."""
        return self._ask("GET", url, None, Event())

    def post(self, call: Call, stopped: Event | None = None) -> Any:
        """The answer to one call; raises as `get`. Once `stopped`, it is not asked again."""
        return self._ask("POST", call.url, call.body, stopped or Event())

    def all(self, calls: Iterable[tuple[Key, Call]]) -> Iterator[tuple[Key, Any]]:
        """Each call's answer, or the exception that came instead, as they come."""
        todo: SimpleQueue[tuple[Key, Call] | None] = SimpleQueue()
        came: SimpleQueue[tuple[Key, Any]] = SimpleQueue()
        stopped = Event()

        def work() -> None:
            for key, call in iter(todo.get, None):
                came.put((key, self._tried(call, stopped)))

        # daemons: a run that is stopped does not wait for what a server may still say
        for _ in range(self.patience.parallel):
            Thread(target=work, name="fairprobe", daemon=True).start()
        waiting = 0
        try:
            for each in calls:
                todo.put(each)
                waiting += 1
                # twice as many as are under way, so that none waits for us and memory holds few of them
                if waiting == 2 * self.patience.parallel:
                    yield _next(came)
                    waiting -= 1
            for _ in range(waiting):
                yield _next(came)
        finally:
            stopped.set()
            for _ in range(self.patience.parallel):
                todo.put(None)

    def close(self) -> None:
        """Let the connections go; they are made again when something is asked."""
        with self._lock:
            held, self._held = self._held, None
        if held is not None:
            held.close()

    def _tried(self, call: Call, stopped: Event) -> Any:
        if stopped.is_set():
            return Unanswered("it was not asked: the run was stopped")
        try:
            return self.post(call, stopped)
        except Exception as error:  # whoever waits for the answer raises it, or says that there is none
            return error

    def _ask(self, method: str, url: str, body: Any, stopped: Event) -> Any:
        for attempt in count():
            least = 0.0
            try:
                self._count(attempt)
                response = self._client.request(method, url, json=body)
            except httpx.RequestError as error:
                problem = f"{type(error).__name__}: {first_line(error)}"
                if not self._reached and isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
                    msg = f"no server answers at {url} ({problem}); start it, or correct the address in openai:NAME@URL"
                    raise EngineError(msg) from error
            except (httpx.InvalidURL, UnicodeError) as error:
                msg = f"{url} is no address ({error}); a server is named openai:NAME@URL"
                raise EngineError(msg) from error
            else:
                self._reached = True
                if response.status_code not in AGAIN:
                    return self._read(response)
                problem, least = f"{response.status_code}: {self._message(response)}", _retry_after(response)
            pause = max(least, min(LONGEST, BACKOFF * 2**attempt) * JITTER.uniform(0.5, 1))
            if attempt == self.patience.retries or least > self.patience.timeout or stopped.wait(pause):
                msg = f"no answer from {url} after {attempt + 1} attempts; the last: {self._bare(problem)}"
                raise Unanswered(msg)
        raise AssertionError("unreachable")  # pragma: no cover

    def _count(self, attempt: int) -> None:
        with self._lock:
            self.requests += 1
            self.retries += attempt > 0

    @property
    def _key(self) -> str:
        key = os.environ.get(self.key_env, "").strip()
        if not (key.isascii() and key.isprintable()):
            msg = f"the key in {self.key_env} holds characters that no key has; set it again"
            raise EngineError(msg)
        return key

    @property
    def _client(self) -> httpx.Client:
        with self._lock:
            if self._held is None:
                parallel, timeout = self.patience.parallel, self.patience.timeout
                self._held = httpx.Client(
                    headers={"Authorization": f"Bearer {key}"} if (key := self._key) else {},
                    timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT), pool=None),
                    limits=httpx.Limits(max_connections=parallel, max_keepalive_connections=parallel),
                )
            return self._held

    def _read(self, response: httpx.Response) -> Any:
        status, url = response.status_code, response.request.url
        if status == 401:
            # without the server's message, which may repeat the key
            has = f"does not accept the key in {self.key_env}" if self._key else "wants a key"
            msg = f"{url} {has} (401); set {self.key_env}, or name another: --fairprobe-engine-arg key_env=NAME"
            raise EngineError(msg)
        if status == 403:
            msg = f"{url} forbids this to the key in {self.key_env} (403): {self._message(response)}"
            raise EngineError(msg)
        if not response.is_success:
            raise Refused(status, self._message(response))
        try:
            return response.json()
        except ValueError as error:
            msg = f"its answer is not JSON: {response.text!r:.120}"
            raise Refused(status, self._bare(msg)) from error

    def _message(self, response: httpx.Response) -> str:
        try:
            said: Any = response.json()
        except ValueError:
            said = response.text
        for name in ("error", "message", "detail"):
            said = said.get(name) or said if isinstance(said, dict) else said
        return self._bare(" ".join(str(said).split()))[:300] or response.reason_phrase

    def _bare(self, text: str) -> str:
        key = self._key
        return text.replace(key, f"[{self.key_env}]") if key else text


JITTER = random.Random()
"""Our own, so that the random state of users' tests stays what it is."""


def _next(came: SimpleQueue[tuple[Key, Any]]) -> tuple[Key, Any]:
    while True:
        # with a timeout: an interrupt may not be seen by a wait that has none
        with suppress(Empty):
            return came.get(timeout=1)


def _retry_after(response: httpx.Response) -> float:
    """The seconds that a server asks to wait, given as such or as a date; 0 where it does not say."""
    said = response.headers.get("Retry-After", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without its zone
        return 0.0
