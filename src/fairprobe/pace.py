"""How fast a checkpoint answered when it was last asked, kept beside the store: it tells how long a plan will take."""

from __future__ import annotations

import hashlib
import math
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from fairprobe import cache
from fairprobe.store import Origin

NAME = "pace.json"
LEAST = 50
"""Requests whose time tells more than how long it took to load the weights."""


@dataclass(frozen=True)
class Pace:
    """What was asked of a checkpoint in so many seconds; tokens of prompts are 0 where a server makes them."""

    seconds: float
    requests: int
    tokens: int

    def lasts(self, requests: int, tokens: int | None) -> float:
        """How many seconds so much more takes, by its tokens where these are known."""
        if tokens is not None and self.tokens:
            return self.seconds * tokens / self.tokens
        return self.seconds * requests / self.requests

    def plus(self, other: Pace) -> Pace:
        """Both together."""
        return Pace(self.seconds + other.seconds, self.requests + other.requests, self.tokens + other.tokens)


def read(file: Path, origin: Origin) -> Pace | None:
    """The pace of a checkpoint with an engine; None where it was not asked, or where the file cannot be read."""
    with suppress(TypeError, KeyError):
        pace = Pace(**cache.read(file)[_key(origin)])
        if pace.requests > 0 and pace.tokens >= 0 and 0 < pace.seconds < math.inf:
            return pace
    return None


def keep(file: Path, origin: Origin, pace: Pace) -> None:
    """Remember a pace, in place of an earlier one."""
    if pace.requests >= LEAST:
        cache.keep(file, {**cache.read(file), _key(origin): asdict(pace)})


def _key(origin: Origin) -> str:
    return hashlib.sha256(origin.key.encode()).hexdigest()


def duration(seconds: float) -> str:
    """A time as people plan with it.

    >>> duration(7), duration(80), duration(1000), duration(9000)
    ('under 10 s', '80 s', '17 min', '2.5 h')
    """
    if seconds < 10:
        return "under 10 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.2g} h"
