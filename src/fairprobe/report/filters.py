"""Filters without a script: the fragment of the page's address names one, and style hides what it leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from fairprobe.report.anchors import Places
from fairprobe.report.expectation import BY_URGENCY, Expectation


class Filter(NamedTuple):
    """What may be shown alone: its place in the address, what it is one of, its name, what it hides, its rule.

    The lines that say what is shown stand before the sections, so that style reaches these as their siblings; a group
    has a rule that shows it again after one that hides all groups of its columns, since a page of many groups would
    else take seconds to be laid out.
    """

    place: str
    kind: Literal["outcome", "task", "group"]
    of: str
    name: str
    hides: str
    rule: str


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


def style(found: Sequence[Filter]) -> str:
    """The style that hides what a filter leaves out while the address names it."""
    all_groups = dict.fromkeys(each.hides for each in found if each.hides)
    rules = [f".only.of-{mark}:target ~ section .{mark} {{ display: none; }}" for mark in all_groups]
    return "\n".join([*rules, *(f"#{each.place}:target ~ section {each.rule}" for each in found)])


HIDE = ":is(.expectation, .missed):not(.{0}) {{ display: none; }}"


def _outcomes(shown: Sequence[Expectation]) -> Iterator[Filter]:
    held = [outcome for outcome in BY_URGENCY if any(each.outcome == outcome for each in shown)]
    for outcome in held if len(held) > 1 else ():
        yield Filter(outcome, "outcome", "outcome", outcome, "", HIDE.format(outcome))


def _tasks(shown: Sequence[Expectation]) -> Iterator[Filter]:
    # whoever wrote a file, what is no name is no part of a style sheet
    held = list(dict.fromkeys(task for each in shown for task in each.raw["tasks"] if task.isidentifier()))
    for task in held if len(held) > 1 else ():
        yield Filter(task, "task", "task", task, "", HIDE.format(f"of-{task}"))


def _groups(divided: dict[str, Division]) -> Iterator[Filter]:
    for columns, division in divided.items():
        for group, mark in division.groups.items():
            rule = f".{mark.replace(' ', '.')} {{ display: revert; }}"
            yield Filter(group, "group", columns, group, division.mark, rule)
