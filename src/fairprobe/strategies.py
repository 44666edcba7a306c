"""Hypothesis strategies for tests of one's own: samples, groups, dialect edits, names, personas, option orders.

They draw from what a task holds and what rewritings propose, so that a failing example is a sample and few changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

from hypothesis import strategies as st

from fairprobe import data
from fairprobe.rewriting import Change, Rewriting, by_name, fitting, rewritten
from fairprobe.rewriting.people import persona
from fairprobe.tasks import Task

MOST_CHOICES = 500
"""Up to so many changes of a text each is taken or left by a choice of its own."""


@dataclass(frozen=True)
class Rewrite:
    """A text with some of the changes that rewritings propose; fewer changes make a smaller case."""

    text: str
    changes: tuple[Change, ...]
    rewriting: str = ""

    def __str__(self) -> str:
        return rewritten(self.text, self.changes)

    @property
    def parts(self) -> tuple[Change, ...]:
        """The changes, those of one name beside each other."""
        return by_name(self.changes)

    def only(self, parts: Sequence[Any]) -> Rewrite:
        """The text with these changes alone."""
        return replace(self, changes=tuple(sorted(parts)))


def samples(task: Task, places: data.Places = data.HERE) -> st.SearchStrategy[Mapping[str, Any]]:
    """The samples of a task as dicts, the first ones simplest."""
    return st.deferred(lambda: st.sampled_from(task.load(places).rows))


def groups(task: Task, column: str, places: data.Places = data.HERE) -> st.SearchStrategy[Any]:
    """The values of a column of a task's samples, each as likely as the others."""

    def found() -> st.SearchStrategy[Any]:
        held = data.column(task.load(places).frame, column, repr(task))
        return st.sampled_from(held.drop_nulls().unique(maintain_order=True).to_list())

    return st.deferred(found)


def rewrites(text: str, *under: Rewriting, keep: Sequence[str] = ()) -> st.SearchStrategy[Rewrite]:
    """A text under one of these rewritings, with any of the changes that it proposes; none is simplest.

    >>> from hypothesis import find
    >>> from fairprobe.rewriting import dialects
    >>> str(find(rewrites("She isn't home.", *dialects("urban-aave")), lambda case: bool(case.changes)))
    "She ain't home."
    """
    return st.one_of([_chosen(text, each, keep) for each in under])


def taken_changes(
    texts: Sequence[str], under: Sequence[Rewriting], kept: Sequence[Sequence[str]]
) -> st.SearchStrategy[tuple[int, str, tuple[Change, ...]] | None]:
    """A text by its place, a rewriting by its name, and some changes that it proposes; None where there are none."""

    @st.composite
    def case(draw: st.DrawFn) -> tuple[int, str, tuple[Change, ...]] | None:
        at = draw(st.integers(0, len(texts) - 1))
        each = draw(st.sampled_from(list(under)))
        found = draw(_chosen(texts[at], each, kept[at]))
        return (at, each.name, found.changes) if found.changes else None

    return case()


def names(group: Sequence[str]) -> st.SearchStrategy[str]:
    """The names of a group."""
    return st.sampled_from(list(group))


def personas(*said: str) -> st.SearchStrategy[Rewriting]:
    """Rewritings that put a sentence before a text that says who asks."""
    return st.sampled_from([persona(each) for each in said])


def option_orders(options: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """The options in every order; their own is simplest."""
    return st.permutations(list(options))


def _chosen(text: str, rewriting: Rewriting, keep: Sequence[str]) -> st.SearchStrategy[Rewrite]:
    changes = rewriting.changes(text, keep)
    return _some(changes).map(lambda some: Rewrite(text, tuple(fitting(some)), rewriting.name))


def _some(changes: Sequence[Change]) -> st.SearchStrategy[list[Change]]:
    """Any of the changes; of very many only a few, since Hypothesis draws no more of one case."""
    size = len(changes)
    if size <= MOST_CHOICES:
        taken = st.lists(st.booleans(), min_size=size, max_size=size)
        return taken.map(lambda taken: list(compress(changes, taken)))
    return st.lists(st.sampled_from(changes), max_size=MOST_CHOICES, unique=True)
