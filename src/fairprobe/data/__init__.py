"""Rows: where samples lie, reading them with polars, and saying precisely what is wrong with a file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import polars as pl

from fairprobe.data.files import Rows, is_here, known, lies, read
from fairprobe.data.literals import literal
from fairprobe.data.mappings import Mapped, mapped, mapping, public
from fairprobe.data.sources import HERE, Dataset, Files, Frame, Places, Reader, Source, callers_folder, source_of
from fairprobe.errors import BadData, UnknownGroup

__all__ = [
    "HERE", "Dataset", "Files", "Frame", "Mapped", "Places", "Reader", "Rows", "Source", "callers_folder", "column",
    "is_here", "known", "lies", "literal", "mapped", "mapping", "near", "public", "read", "source_of", "without",
]  # fmt: skip


def column(frame: pl.DataFrame, name: str, where: str) -> pl.Series:
    """A column by its name; raises `UnknownGroup`, naming those that there are."""
    if name not in frame.columns:
        shown = ", ".join(frame.columns[:MOST_NAMED]) + (", …" if len(frame.columns) > MOST_NAMED else "")
        msg = f"{where} has no column {name!r}; its samples have {shown}{near(name, frame.columns)}"
        raise UnknownGroup(msg)
    return frame[name]


def without(frame: pl.DataFrame, name: str, where: str) -> None:
    """Raise `BadData` where a column that is to be added is there already."""
    if name in frame.columns:
        msg = f"{where} adds the column {name!r}, and the data has one of that name; give another, or leave it out"
        raise BadData(msg)


def near(name: str, names: Iterable[str]) -> str:
    """The end of a message about a name that is not there: the one that was meant, if any is like it.

    >>> near("dialct", ["dialect", "score"]), near("accent", ["dialect", "score"])
    ("; did you mean 'dialect'?", '')
    """
    by_lower = {each.lower(): each for each in names}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[found[0]]!r}?" if found else ""


MOST_NAMED = 40
