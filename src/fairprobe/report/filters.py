"""Filters without a script: the fragment of the page's address names one, and style hides what it leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fairprobe.report.anchors import Places
from fairprobe.report.expectation import BY_URGENCY, Expectation
from fairprobe.report.printable import short


class Filter(NamedTuple):
    """What may be shown alone: its place in the address, what it is called, and what is hidden beside it."""

    place: str
    kind: str
    name: str
    hides: str


class Division(NamedTuple):
    """The groups of some columns: the class of all their rows, and of those of each group."""

    mark: str
    groups: dict[str, str]


def divisions(shown: Iterable[Expectation]) -> dict[str, Division]:
    """The groups that are compared on the page, by their columns."""
    found: dict[str, dict[str, None]] = {}
    for each in shown:
        if each.forest:
            found.setdefault(each.forest.columns, {}).update(dict.fromkeys(each.forest.rows))
    return {
        columns: Division(f"c{place}", {group: f"c{place} g{place}-{n}" for n, group in enumerate(groups)})
        for place, (columns, groups) in enumerate(found.items())
    }


def filters(shown: Sequence[Expectation], divided: dict[str, Division], places: Places) -> list[Filter]:
    """Every filter of the page: by outcome, by task, and by group."""
    made = [*_outcomes(shown), *_tasks(shown), *_groups(divided)]
    return [each._replace(place=places.take(f"only-{each.place}")) for each in made]


def style(found: Iterable[Filter]) -> str:
    """The style that hides what a filter leaves out while the address names it."""
    return "\n".join(f"body:has(#{each.place}:target) {each.hides} {{ display: none; }}" for each in found)


def _outcomes(shown: Sequence[Expectation]) -> Iterator[Filter]:
    held = [outcome for outcome in BY_URGENCY if any(each.outcome == outcome for each in shown)]
    for outcome in held if len(held) > 1 else ():
        yield Filter(outcome, "outcome", outcome, f":is(.expectation, .missed, .verdicts li):not(.{outcome})")


def _tasks(shown: Sequence[Expectation]) -> Iterator[Filter]:
    held = list(dict.fromkeys(task for each in shown for task in each.raw["tasks"]))
    for task in held if len(held) > 1 else ():
        yield Filter(task, "task", task, f":is(.expectation, .missed, .verdicts li):not(.of-{task})")


def _groups(divided: dict[str, Division]) -> Iterator[Filter]:
    for columns, division in divided.items():
        for group, mark in division.groups.items():
            own = mark.replace(" ", ".")
            yield Filter(group, columns, short(group), f".{division.mark}:not(.{own})")
