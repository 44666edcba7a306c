"""Responses on disk: one SQLite file, keyed by checkpoint content, engine numerics and request.

SQLite writes each chunk whole or not at all, whatever is killed meanwhile, and lets two runs write at once.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from fairprobe.errors import StoreError
from fairprobe.requests import Chosen, Generated, Request, Response

_KINDS: Mapping[str, Callable[..., Response]] = {"Generated": Generated, "Chosen": Chosen}
_VERSION = 1
_AT_ONCE = 500


class Store:
    """The answers of checkpoints, kept between runs. Failures and what was not asked are never kept.

    >>> Store(Path("/tmp/fairprobe-doctest")).path.name
    'answers.sqlite'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "answers.sqlite"

    def read(self, checkpoint: str, requests: Iterable[Request]) -> dict[Request, Response]:
        """The answers that are there, of those asked for."""
        if not self.path.exists():
            return {}
        keys = {_key(checkpoint, request): request for request in requests}
        found: dict[Request, Response] = {}
        with self._open() as database:
            names = list(keys)
            for start in range(0, len(names), _AT_ONCE):
                some = names[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                rows = database.execute(f"SELECT key, answer FROM answers WHERE key IN ({marks})", some)
                found.update((keys[key], _response(answer)) for key, answer in rows)
        return found

    def write(self, checkpoint: str, answers: Mapping[Request, Response]) -> None:
        """Keep a chunk of answers, whole or not at all. Raises `StoreError` when the disk says no."""
        rows = [
            (_key(checkpoint, request), json.dumps({"kind": type(answer).__name__, **asdict(answer)}))
            for request, answer in answers.items()
            if type(answer).__name__ in _KINDS
        ]
        with self._open() as database, database:
            database.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", rows)

    @contextmanager
    def alone(self, checkpoint: str) -> Iterator[None]:
        """While this checkpoint is asked no other process asks it; whoever waited reads what was written."""
        lock = FileLock(self.folder / f"{hashlib.sha256(checkpoint.encode()).hexdigest()[:16]}.lock")
        try:
            lock.acquire()
        except OSError as error:
            raise self._unusable(error) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self.path, timeout=60)
            try:
                self._prepare(database)
                yield database
            finally:
                database.close()
        except StoreError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StoreError:
        return StoreError(
            f"the store {self.path} cannot be used: {error}. What was written before is kept; make room or "
            "choose another folder with --fairprobe-store=DIR, and run again: nothing is asked twice."
        )

    def _prepare(self, database: sqlite3.Connection) -> None:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            msg = (
                f"the store {self.path} was written by a newer fairprobe (its version is {version}, this one reads "
                f"{_VERSION}). Choose another folder with --fairprobe-store=DIR."
            )
            raise StoreError(msg)
        if version < _VERSION:
            database.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT) WITHOUT ROWID")
            database.execute(f"PRAGMA user_version = {_VERSION}")
            database.commit()


def _key(checkpoint: str, request: Request) -> str:
    asked = json.dumps([type(request).__name__, asdict(request)], sort_keys=True)
    return hashlib.sha256(f"{checkpoint}\n{asked}".encode()).hexdigest()


def _response(answer: str) -> Response:
    held: dict[str, Any] = json.loads(answer)
    kind = _KINDS[held.pop("kind")]
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in held.items()})
