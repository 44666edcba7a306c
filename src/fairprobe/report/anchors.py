"""The places on the page that a link can name: its sections, and each test by the last part of its id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain, count
from typing import Any

SECTIONS = {
    "expectations": "Expectations",
    "groups": "Groups by metric",
    "frontier": "Diversity and fidelity",
    "missed": "Samples to read first",
    "guards": "Guards and caveats",
    "blessed": "Since it was blessed",
    "previous": "Since the previous run",
    "provenance": "Plan and provenance",
    "not-tested": "What was not tested",
}


LONGEST = 160
"""Characters of a name that a link is made of."""


def anchor(test: str) -> str:
    """The place of a test on the page.

    >>> anchor("suites/test_a.py::TestB::test_langs[swh]")
    'test_langs-swh'
    """
    path, bracket, case = test.partition("[")
    name = (path.split("::")[-1] + bracket + case)[:LONGEST]
    return re.sub(r"[^\w-]+", "-", name).strip("-") or "expectation"


class Places:
    """The places of one page, each taken once."""

    def __init__(self) -> None:
        self._taken = {*SECTIONS, "top"}

    def take(self, name: str) -> str:
        """The place of a test, or of anything else by its name; numbered where it is taken.

        >>> places = Places()
        >>> [places.take(test) for test in ("a.py::test_gap", "a.py::test_langs[swh]", "b.py::test_gap")]
        ['test_gap', 'test_langs-swh', 'test_gap-2']
        """
        first = anchor(name)
        free = chain([first], (f"{first}-{n}" for n in count(2)))
        self._taken.add(place := next(each for each in free if each not in self._taken))
        return place


def plain(verdict: Mapping[str, Any]) -> str:
    """The name of a test without the candidate's, which stands last in it.

    >>> plain({"test": "test_clues.py::test_gap[swh-base]", "candidate": "base"})
    'test_clues.py::test_gap[swh]'
    """
    test, name = str(verdict["test"]), verdict.get("candidate")
    if name and test.endswith(f"[{name}]"):
        return test.removesuffix(f"[{name}]")
    return f"{test.removesuffix(f'-{name}]')}]" if name and test.endswith(f"-{name}]") else test
