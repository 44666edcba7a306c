"""Answers on disk: one SQLite file, in which every answer points to its origin: checkpoint content, engine numerics.

SQLite writes each chunk whole or not at all, whatever is killed meanwhile, and lets two runs write at once. Its
rollback journal stays: what another journal needs beside the file, a folder that can only be read could not give.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

from filelock import FileLock

from fairprobe.errors import StoreError
from fairprobe.requests import Answer, Prompt, Request, Response, Weigh

_KINDS: Mapping[str, Callable[..., Answer]] = {kind.__name__: kind for kind in get_args(Answer)}
# a dataclass with slots lists only its own there, not those of what it is made from
_NAMES: Mapping[type[Any], tuple[str, ...]] = {
    kind: tuple(each.name for each in fields(kind)) for kind in (Prompt, *get_args(Request), Weigh, *get_args(Answer))
}
_VERSION = 2
_AT_ONCE = 500
_NEW = (
    "CREATE TABLE answers (key TEXT PRIMARY KEY, origin INTEGER NOT NULL, answer TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE origins (id INTEGER PRIMARY KEY, name TEXT, fingerprint TEXT, numerics TEXT, first REAL, last REAL, "
    "UNIQUE (fingerprint, numerics))",
)
_UPGRADE = (
    _NEW[1],
    # version 1 did not say whose its answers are; their keys tell it still
    "INSERT INTO origins SELECT 1, 'unknown', '', '', strftime('%s', 'now'), strftime('%s', 'now')",
    "ALTER TABLE answers ADD COLUMN origin INTEGER NOT NULL DEFAULT 1",
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose answers they are: a checkpoint by its content, and the numerics of the engine that asked it.

    The name is for people: the same content under another name has the same answers.
    """

    name: str = field(compare=False)
    fingerprint: str
    numerics: str

    @property
    def key(self) -> str:
        """What tells its answers from those of any other origin."""
        return f"{self.fingerprint}\n{self.numerics}"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store has of an origin, first and last written at these seconds since 1970."""

    origin: Origin
    answers: int
    first: float
    last: float


class Store:
    """The answers of checkpoints, kept between runs. Failures and what was not asked are never kept.

    >>> Store(Path("/tmp/fairprobe-doctest")).path.name
    'answers.sqlite'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "answers.sqlite"

    @property
    def size(self) -> int:
        """The bytes that it takes on the disk."""
        return self.path.stat().st_size if self.path.exists() else 0

    def read(self, origin: Origin, requests: Iterable[Request]) -> dict[Request, Response]:
        """The answers that are there, of those asked for; one that cannot be understood counts as not there."""
        if not self.path.exists():
            return {}
        keys = dict(zip(_keys(origin, requests := list(requests)), requests, strict=True))
        found: dict[Request, Response] = {}
        with self._open() as database:
            names = list(keys) if self._version(database) else []
            for start in range(0, len(names), _AT_ONCE):
                some = names[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                for key, answer in database.execute(f"SELECT key, answer FROM answers WHERE key IN ({marks})", some):
                    with suppress(ValueError, LookupError, TypeError):
                        found[keys[key]] = _response(answer)
        return found

    def write(self, origin: Origin, answers: Mapping[Request, Response]) -> None:
        """Keep a chunk of answers, whole or not at all. Raises `StoreError` when the disk says no."""
        kept = [(request, answer) for request, answer in answers.items() if isinstance(answer, Answer)]
        if not kept:
            return
        keys = _keys(origin, (request for request, _ in kept))
        with self._open(writes=True) as database, database:
            named = (origin.name, origin.fingerprint, origin.numerics, now := time.time(), now)
            database.execute(
                "INSERT INTO origins (name, fingerprint, numerics, first, last) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (fingerprint, numerics) DO UPDATE SET name = excluded.name, last = excluded.last", named,
            )  # fmt: skip
            ((place,),) = database.execute(
                "SELECT id FROM origins WHERE fingerprint = ? AND numerics = ?", (origin.fingerprint, origin.numerics)
            )
            rows = [(key, place, _text(answer)) for key, (_, answer) in zip(keys, kept, strict=True)]
            database.executemany("INSERT OR REPLACE INTO answers (key, origin, answer) VALUES (?, ?, ?)", sorted(rows))

    def kept(self) -> list[Kept]:
        """What there is, origin by origin, the last written first."""
        if not self.path.exists():
            return []
        with self._open(writes=True) as database:
            rows = database.execute(
                "SELECT name, fingerprint, numerics, count(*), first, last FROM answers JOIN origins ON origin = id "
                "GROUP BY id ORDER BY last DESC"
            )
            return [Kept(Origin(name, print_, numerics), *known) for name, print_, numerics, *known in rows]

    def prune(self, origins: Collection[Origin]) -> int:
        """Remove every answer of these origins, and say how many bytes of the disk that freed."""
        before = self.size
        named = [(origin.fingerprint, origin.numerics) for origin in origins]
        of_it = "(SELECT id FROM origins WHERE fingerprint = ? AND numerics = ?)"
        with self._open(writes=True) as database:
            with database:
                database.executemany(f"DELETE FROM answers WHERE origin = {of_it}", named)
                database.executemany(f"DELETE FROM origins WHERE id = {of_it}", named)
            # a full disk has no room for the copy that this makes; what is free in the file is written to again
            with suppress(sqlite3.OperationalError):
                database.execute("VACUUM")
        return before - self.size

    @contextmanager
    def alone(self, origin: Origin) -> Iterator[None]:
        """While an origin is asked no other process asks it; whoever waited reads what was written."""
        lock = FileLock(self.folder / f"{hashlib.sha256(origin.key.encode()).hexdigest()[:16]}.lock")
        try:
            lock.acquire()
        except OSError as error:
            raise self._unusable(error) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _open(self, *, writes: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            if writes:
                self.folder.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self.path, timeout=60)
            try:
                if self._version(database) < _VERSION and writes:
                    self._prepare(database)
                yield database
            finally:
                database.close()
        except StoreError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error

    def _version(self, database: sqlite3.Connection) -> int:
        """The version of what is there; 0 where nothing was written yet. Raises `StoreError` for a newer one."""
        version = int(database.execute("PRAGMA user_version").fetchone()[0])
        if version > _VERSION:
            msg = (
                f"the store {self.path} was written by a newer fairprobe (its version is {version}, this one reads "
                f"{_VERSION}). Choose another folder with --fairprobe-store=DIR."
            )
            raise StoreError(msg)
        return version

    def _prepare(self, database: sqlite3.Connection) -> None:
        database.execute("BEGIN IMMEDIATE")
        # another process may have been first
        for statement in {0: _NEW, 1: _UPGRADE}.get(self._version(database), ()):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {_VERSION}")
        database.commit()

    def _unusable(self, error: Exception) -> StoreError:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return StoreError(
                f"the store {self.path} is damaged or no store: {error}. It is left as it is; move it away or choose "
                "another folder with --fairprobe-store=DIR, and run again: what it held will be asked again."
            )
        return StoreError(
            f"the store {self.path} cannot be used: {error}. What was written before is kept; make room or "
            "choose another folder with --fairprobe-store=DIR, and run again: nothing is asked twice."
        )


def in_bytes(count: float) -> str:
    """A number of bytes as people read it.

    >>> in_bytes(999), in_bytes(12_345_678)
    ('999 B', '12.3 MB')
    """
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in _NAMES[type(value)]}


# made once, since json.dumps makes one for every call that says more than a value
_canonical: Callable[[object], str] = json.JSONEncoder(sort_keys=True, default=_fields).encode
_compact: Callable[[object], str] = json.JSONEncoder(separators=(",", ":")).encode


def _keys(origin: Origin, requests: Iterable[Request]) -> Iterator[str]:
    """A key for each request put to an origin, which no other request or origin has."""
    begun = hashlib.sha256(f"{origin.key}\n".encode())
    for request in requests:
        digest = begun.copy()
        digest.update(_canonical([type(request).__name__, request]).encode())
        yield digest.hexdigest()


def _text(answer: Answer) -> str:
    return _compact({"kind": type(answer).__name__, **_fields(answer)})


def _response(text: str) -> Answer:
    held: dict[str, Any] = json.loads(text)
    kind = _KINDS[held.pop("kind")]
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in held.items()})
