"""Rows: where samples lie, reading them with polars, and saying precisely what is wrong with a file."""

from __future__ import annotations

import polars as pl

from fairprobe.data.files import Rows, lies, read
from fairprobe.data.literals import literal
from fairprobe.data.sources import HERE, Dataset, Files, Frame, Places, Reader, Source, source_of
from fairprobe.errors import UnknownGroup

__all__ = [
    "HERE", "Dataset", "Files", "Frame", "Places", "Reader", "Rows", "Source", "column", "lies", "literal",
    "read", "source_of",
]  # fmt: skip


def column(frame: pl.DataFrame, name: str, where: str) -> pl.Series:
    """A column by its name; raises `UnknownGroup`, naming those that there are."""
    if name not in frame.columns:
        shown = ", ".join(frame.columns[:MOST_NAMED]) + (", …" if len(frame.columns) > MOST_NAMED else "")
        msg = f"{where} has no column {name!r}; its samples have {shown}"
        raise UnknownGroup(msg)
    return frame[name]


MOST_NAMED = 40
