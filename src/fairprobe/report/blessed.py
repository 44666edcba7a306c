"""What differs from a baseline, in words: for the terminal, and as rows of the page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from fairprobe.report.anchors import anchor
from fairprobe.report.expectation import Record
from fairprobe.report.figures import number, places, within
from fairprobe.report.printable import printable, short

MOST = 8
"""Lines of a terminal that tell what differs; the page tells all."""


@dataclass(frozen=True)
class Since:
    """A claim as it was blessed and as it is.

    `moved` is whether the limits lie apart, None where that is not known; `changes` are the claim's own, in words;
    `data` the tasks whose data is another.
    """

    test: str
    claim: str
    outcome_before: str
    outcome: str
    value_before: float | None
    low_before: float | None
    high_before: float | None
    value: float | None
    low: float | None
    high: float | None
    moved: bool | None
    changes: list[str]
    data: list[str]


class Row(NamedTuple):
    """A claim since it was blessed, as the page shows it."""

    place: str
    raw: Record
    before: str
    limits_before: str
    value: str
    limits: str
    notes: list[str]


def blessed_lines(found: Record) -> list[str]:
    """What moved since a suite was blessed, or changed its outcome, its claim or its data; what all share, once."""
    # a gate that was changed is never the one that is cut
    claims = sorted(found["claims"], key=lambda each: not each["changes"])
    common = claims[0]["changes"] if claims[1:] else []
    shared = [each for each in common if all(each in other["changes"] for other in claims)]
    data = sorted({task for each in claims for task in each["data"]})
    lines = [f"all of them: {each}" for each in shared]
    lines += [f"{anchor(each['test'])}: {'; '.join(said)}" for each in claims if (said := _differs(each, shared))]
    lines += _data({"data": data})
    lines += [
        f"{word}: {anchor(test)}" for name, word in (("added", "new"), ("removed", "gone")) for test in found[name]
    ]
    shown = lines[:MOST] + ([f"and {len(lines) - MOST} more, all on the page"] if lines[MOST:] else [])
    head = f"since {found['model']} was blessed on {day(found['started'])} ({found['file']}):"
    return [*map(printable, [head, *(f"  {line}" for line in shown)] if lines else [f"{head} nothing moved"])]


def rows(found: Record, places_of: Mapping[tuple[str, str], str]) -> list[Row]:
    """Every claim since it was blessed, what differs first."""
    made = [_row(each, places_of.get((each["test"], each["claim"]), "top")) for each in found["claims"]]
    return sorted(made, key=lambda row: not (row.notes or _differs(row.raw)))


def day(started: str | None) -> str:
    """The day of a moment.

    >>> day("2026-11-20T10:15:00+0000"), day(None)
    ('2026-11-20', 'a day that is not recorded')
    """
    return started[:10] if started else "a day that is not recorded"


def _row(each: Record, place: str) -> Row:
    before, limits_before, value, limits = _figures(each)
    notes = [*(["moved: the limits lie apart"] if each["moved"] else []), *each["changes"], *_data(each)]
    return Row(place, each, before, limits_before, value, limits, notes)


def _differs(each: Record, shared: Collection[str] = ()) -> list[str]:
    """What differs of a claim, beside what all share; nothing where all of it may be what it was."""
    said = []
    if each["outcome_before"] != each["outcome"]:
        said.append(f"was {each['outcome_before']}, is {each['outcome']}")
    if each["moved"]:
        before, limits_before, value, limits = _figures(each)
        said.append(f"moved from {before} ({limits_before}) to {value} ({limits})")
    return [*said, *(change for change in each["changes"] if change not in shared)]


def _figures(each: Record) -> tuple[str, str, str, str]:
    names = ("value_before", "low_before", "high_before", "value", "low", "high")
    decimals = places([each[name] for name in names])
    limits_before, limits = (within(each[f"low{side}"], each[f"high{side}"], decimals) for side in ("_before", ""))
    return number(each["value_before"], decimals), limits_before, number(each["value"], decimals), limits


def _data(each: Record) -> list[str]:
    return [f"the data of {', '.join(map(short, each['data']))} changed"] if each["data"] else []
