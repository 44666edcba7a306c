"""The places on the page that a link can name: its sections, and each test by the last part of its id."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from itertools import chain, count

SECTIONS = {
    "expectations": "Expectations",
    "groups": "Groups by metric",
    "missed": "Samples to read first",
    "guards": "Guards and caveats",
    "previous": "Since the previous run",
    "provenance": "Plan and provenance",
    "not-tested": "What was not tested",
}


def anchor(test: str) -> str:
    """The place of a test on the page.

    >>> anchor("suites/test_a.py::TestB::test_langs[swh]")
    'test_langs-swh'
    """
    path, bracket, case = test.partition("[")
    return re.sub(r"[^\w-]+", "-", path.split("::")[-1] + bracket + case).strip("-") or "expectation"


def anchors(tests: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """The place of each test, in their order, numbered where one is taken.

    >>> anchors(["a.py::test_gap", "a.py::test_langs[swh]", "b.py::test_gap"])
    ['test_gap', 'test_langs-swh', 'test_gap-2']
    """
    gone, found = {*SECTIONS, "top", *taken}, list[str]()
    for name in map(anchor, tests):
        free = chain([name], (f"{name}-{n}" for n in count(2)))
        gone.add(place := next(each for each in free if each not in gone))
        found.append(place)
    return found
