"""Known gaps: pytest's xfail with a last day, after which the mark is dropped and the test is red again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from fairprobe.errors import BadExpectation

if TYPE_CHECKING:
    from fairprobe.expressions import Expectation


@dataclass(frozen=True)
class Gap:
    """A failure that is expected until a day, that day included, and why."""

    until: date
    reason: str
    days_left: int

    @property
    def is_over(self) -> bool:
        """Whether the day has passed."""
        return self.days_left < 0

    @property
    def plain(self) -> dict[str, Any]:
        """It as the results have it."""
        return {"until": self.until.isoformat(), "reason": self.reason, "days_left": self.days_left}


XFAIL = frozenset({"condition", "reason", "raises", "run", "strict", "until"})
"""What an expected failure takes: pytest's own, and the last day of it."""
_GAP = pytest.StashKey[Gap]()


def today() -> date:
    """The day by this machine's clock."""
    return date.today()


def check(expectation: Expectation) -> None:
    """Raise `BadExpectation` for a known gap without a day or a reason, with the line to write."""
    for mark in expectation.terms.marks:
        _read(mark.name, dict(mark.kwargs))


def settle(item: pytest.Item) -> None:
    """Drop the marks of gaps whose day has passed, from a test or whatever holds it."""
    for node in item.listchain():
        for mark in node.own_markers.copy():
            try:
                gap = _read(mark.name, mark.kwargs)
            except BadExpectation as error:
                msg = f"{node.nodeid}: {error}"
                raise pytest.UsageError(msg) from None
            if gap is not None:
                # the next test of a class looks here, too, when the mark is gone
                node.stash[_GAP] = gap
                if gap.is_over:
                    node.own_markers.remove(mark)


def gap_of(item: pytest.Item) -> Gap | None:
    """The known gap of a test, by its nearest mark."""
    return next((node.stash[_GAP] for node in reversed(item.listchain()) if _GAP in node.stash), None)


def told(item: pytest.Item, text: str) -> str:
    """The text of a verdict that is no pass, which begins with the gap whose day has passed, if there is one."""
    gap = gap_of(item)
    if gap is None or not gap.is_over:
        return text
    return (
        f"it was expected to fail until {gap.until} ({gap.reason}), and that day has passed: close the gap, or name "
        f"another day with its reason, .marked(pytest.mark.xfail(reason='…', until='YYYY-MM-DD'))\n{text}"
    )


def _read(name: str, given: Mapping[str, Any]) -> Gap | None:
    """What an xfail with a last day says; None for any other mark."""
    if name != "xfail":
        return None
    if unknown := given.keys() - XFAIL:
        msg = f"xfail knows no {', '.join(sorted(unknown))}=; it takes {', '.join(sorted(XFAIL))}"
        raise BadExpectation(msg)
    if "until" not in given:
        return None
    day, reason = _day(given["until"]), str(given.get("reason") or "").strip()
    if day is not None and reason:
        return Gap(day, reason, (day - today()).days)
    wrong = "a known gap is reported with its reason" if day else f"until={given['until']!r} is no day"
    told_day = day or "2027-01-31"
    msg = f"{wrong}. Write .marked(pytest.mark.xfail(reason={reason or '…'!r}, until='{told_day}'))"
    raise BadExpectation(msg)


def _day(said: Any) -> date | None:
    """The day that is written as YYYY-MM-DD, and in no other way."""
    if not isinstance(said, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", said, re.ASCII):
        return None
    try:
        return date.fromisoformat(said)
    except ValueError:
        return None
