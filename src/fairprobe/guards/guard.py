"""What a guard says: whether its condition held, with the counts by group and an example of what it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["pass", "fail", "waived", "caveat"]
CONFIDENCE = 0.99
"""At which a violation is to be shown before a guard fires, so that healthy runs stay quiet."""


@dataclass(frozen=True)
class Count:
    """How many of a group's samples have what the guard looks for."""

    group: str
    count: int
    of: int


@dataclass(frozen=True)
class Guard:
    """One condition, whether it held, and the counts that say so.

    `outcome` is `pass`, `fail` (it fired), `waived` (it fired and was waived) or `caveat` (worth knowing only).
    `groups` count the samples that it is about where it counts any, and `example` is one of them.
    """

    name: str
    outcome: Outcome
    detail: str
    groups: tuple[Count, ...] = ()
    example: str | None = None

    @property
    def fired(self) -> bool:
        """Whether a pass is no evidence because of it."""
        return self.outcome == "fail"
