"""JSON over HTTP, patiently: what may pass is asked again, what will not is said once, and a key is never shown."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from threading import Event, Lock
from typing import Any, NamedTuple, TypeVar

import httpx

from fairprobe.engines.checkpoints import first_line
from fairprobe.errors import EngineError

Key = TypeVar("Key")

AGAIN = frozenset({429, 500, 502, 503, 504})
BACKOFF = 0.5
"""Seconds before the first retry; they double with each, up to `LONGEST`."""
LONGEST = 60.0
CONNECT = 20.0
LOST = 50
"""So many requests lost one after the other, each with all its retries, mean that the server is gone."""


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
        self._lost = 0
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
        """Each call's answer, or the `Refused` or `Unanswered` that came instead, as they come."""
        stopped = Event()
        pool = ThreadPoolExecutor(self.patience.parallel, thread_name_prefix="fairprobe")
        waiting: dict[Future[Any], Key] = {}
        try:
            for key, call in calls:
                waiting[pool.submit(self._tried, call, stopped)] = key
                # twice as many as are under way, so that none waits for us and memory holds few of them
                if len(waiting) >= 2 * self.patience.parallel:
                    yield from _done(waiting)
            while waiting:
                yield from _done(waiting)
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Let the connections go; they are made again when something is asked."""
        with self._lock:
            held, self._held = self._held, None
        if held is not None:
            held.close()

    def _tried(self, call: Call, stopped: Event) -> Any:
        try:
            return self.post(call, stopped)
        except (Refused, Unanswered) as error:
            return error

    def _ask(self, method: str, url: str, body: Any, stopped: Event) -> Any:
        for attempt in count():
            least = 0.0
            try:
                self._count(attempt)
                response = self._client.request(method, url, json=body)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {first_line(error)}"
                if not self._reached and isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
                    msg = f"no server answers at {url} ({problem}); start it, or correct the address in openai:NAME@URL"
                    raise EngineError(msg) from error
            except httpx.InvalidURL as error:
                msg = f"{url} is no address ({error}); a server is named openai:NAME@URL"
                raise EngineError(msg) from error
            else:
                self._reached = True
                if response.status_code not in AGAIN:
                    self._lost = 0
                    return self._read(response)
                problem, least = f"{response.status_code}: {self._message(response)}", _retry_after(response)
            pause = max(least, min(LONGEST, BACKOFF * 2**attempt) * JITTER.uniform(0.5, 1))
            if attempt == self.patience.retries or least > self.patience.timeout or stopped.wait(pause):
                raise self._unanswered(url, problem, attempt + 1)
        raise AssertionError("unreachable")  # pragma: no cover

    def _unanswered(self, url: str, problem: str, attempts: int) -> Exception:
        self._lost += 1
        if self._lost < LOST:
            return Unanswered(f"no answer from {url} after {attempts} attempts; the last: {problem}")
        return EngineError(
            f"{url} has left {self._lost} requests in a row without an answer, the last after {attempts} attempts: "
            f"{problem}. What it answered before is kept; run again when the server is well, or with a lower parallel=N"
        )

    def _count(self, attempt: int) -> None:
        with self._lock:
            self.requests += 1
            self.retries += attempt > 0

    @property
    def _client(self) -> httpx.Client:
        with self._lock:
            if self._held is None:
                parallel, timeout = self.patience.parallel, self.patience.timeout
                key = os.environ.get(self.key_env)
                self._held = httpx.Client(
                    headers={"Authorization": f"Bearer {key}"} if key else {},
                    timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT), pool=None),
                    limits=httpx.Limits(max_connections=parallel, max_keepalive_connections=parallel),
                )
            return self._held

    def _read(self, response: httpx.Response) -> Any:
        status, url = response.status_code, response.request.url
        if status == 401:
            # without the server's message, which may repeat the key
            has = f"does not accept the key in {self.key_env}" if os.environ.get(self.key_env) else "wants a key"
            msg = f"{url} {has} (401); set {self.key_env}, or name another variable: key_env=NAME"
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
        key = os.environ.get(self.key_env)
        return text.replace(key, f"[{self.key_env}]") if key else text


JITTER = random.Random()
"""Our own, so that the random state of users' tests stays what it is."""


def _done(waiting: dict[Future[Any], Key]) -> Iterator[tuple[Key, Any]]:
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield waiting.pop(future), future.result()


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
