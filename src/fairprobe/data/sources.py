"""Where samples lie, as values: a file by its path, a public data set by its name, or rows."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from fairprobe.errors import BadData

Reader = Callable[[Path], Any]
"""A function from a file to a dataframe of samples, for files that are not one row per sample."""
PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Source:
    """One file that samples came from, as an auditor asks for it."""

    path: str
    sha256: str | None
    rows: int
    revision: str | None = None
    licence: str | None = None


@dataclass(frozen=True)
class Places:
    """Where data is looked up besides the folder of the module that names it, and what the user said of it.

    `known` fills the `{words}` of a path; `accepted` are licences of non-commercial data that the user agreed to;
    `sample` asks for the rows of a suite's own that only show how it runs.
    """

    root: Path | None = None
    known: Mapping[str, str] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    sample: bool = False

    def of(self, model: str) -> Places:
        """The same places for a recorded model."""
        return replace(self, known={**self.known, "model": model})


HERE = Places()
"""Beside the module that names the data, and nowhere else."""


@dataclass(frozen=True)
class Dataset:
    """A public data set: its files here or on the hub, its licence, and rows of one's own in its schema.

    `path` is a path or glob, as tasks take it; with a `hub` id it is one within that repository, which is looked up
    as a local copy first: under `--fairprobe-data`, in a folder of the id or of its last part. `revision` pins what
    is downloaded. `read` makes samples of a file that is not one row per sample. `sample` lies beside the module
    and is read with `--fairprobe-profile=sample`; no claim rests on it. A `non_commercial` licence is to be accepted by
    name before anything is downloaded: `--fairprobe-accept=CC-BY-NC-SA-4.0`.

    >>> Dataset("data/{dialect}.jsonl", hub="facebook/belebele", licence="CC-BY-SA-4.0").path
    'data/{dialect}.jsonl'
    """

    path: str
    _: KW_ONLY
    hub: str | None = None
    revision: str | None = None
    read: Reader | None = None
    sample: str | None = None
    licence: str | None = None
    non_commercial: bool = False

    def __post_init__(self) -> None:
        if self.non_commercial and not self.licence:
            msg = f"a data set that is non_commercial has a licence to accept by name; {self.path!r} gives none"
            raise BadData(msg)


@dataclass(frozen=True, eq=False)
class Frame:
    """A dataframe as a value: equal when its rows are equal, whatever library made it."""

    rows: pl.DataFrame

    @cached_property
    def digest(self) -> str:
        """The sha256 of the rows."""
        head = repr(self.rows.schema).encode()
        return hashlib.sha256(head + self.rows.write_ndjson().encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.digest == other.digest if isinstance(other, Frame) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)


@dataclass(frozen=True)
class Files:
    """A data set's files, and the folder beside which a relative path is looked up."""

    dataset: Dataset
    beside: Path

    @property
    def pattern(self) -> str:
        """The path, glob or URL."""
        return self.dataset.path

    def stem(self) -> str:
        """The name that the samples get when they are given none.

        >>> Files(Dataset("data/clues.jsonl"), Path()).stem(), Files(Dataset("md3-game/{model}.csv"), Path()).stem()
        ('clues', 'md3_game')
        """
        parts = [PLACEHOLDER.sub("", part) for part in Path(self.pattern).parts]
        parts[-1] = parts[-1].partition(".")[0]
        named = [word for part in parts if (word := re.sub(r"\W+", "_", part).strip("_"))]
        name = named[-1] if named else "samples"
        return f"_{name}" if name[0].isdigit() else name


def source_of(data: object, beside: Path, read: Reader | None = None) -> Files | Frame:
    """What a user gave as data, as a value: a place to read from, or rows."""
    if isinstance(data, (str, Path)):
        data = Dataset(str(data))
    if isinstance(data, Dataset):
        dataset = replace(data, read=read) if read else data
        # where a full path or a URL leads does not depend on the module that names it
        fixed = ("://" in data.path or Path(data.path).is_absolute()) and data.sample is None
        return Files(dataset, Path() if fixed else beside)
    if read is not None:
        msg = f"read= makes samples of a file's path; the data given is no path: {type(data).__name__}"
        raise BadData(msg)
    return Frame(framed(data))


def framed(data: object) -> pl.DataFrame:
    """The rows of a dataframe of any library, or of a list of dicts. Raises `BadData` for anything else."""
    if isinstance(data, pl.DataFrame):
        return data
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data):
        return _made(lambda: pl.from_dicts([dict(row) for row in data], infer_schema_length=None), bool(data))
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        columns = {str(name): _cells(data[name]) for name in data.columns}
        return _made(lambda: pl.DataFrame(columns, strict=False), bool(columns))
    msg = (
        f"samples come from a path, a glob, a URL, a dataframe or a list of dicts, not from "
        f"{type(data).__name__}: {data!r:.80}"
    )
    raise BadData(msg)


def _cells(column: Any) -> list[Any]:
    """The values of a foreign column; what it calls missing (NaN, NaT, NA) is None."""
    if not hasattr(column, "isna"):
        return list(column)
    return [None if missing else value for value, missing in zip(column, column.isna(), strict=True)]


def _made(frame: Callable[[], pl.DataFrame], has_any: bool) -> pl.DataFrame:
    """The dataframe that polars makes of rows or columns, or what is wrong with them."""
    if not has_any:
        msg = "the data holds no samples: it should hold one per row"
        raise BadData(msg)
    try:
        return frame()
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        msg = f"the data cannot be read as a table: {error}"
        raise BadData(msg) from error


def callers_folder() -> Path:
    """The folder of the first module on the stack that is not ours: relative data lies beside it."""
    frame = sys._getframe(1)
    while frame.f_back and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "fairprobe":
        frame = frame.f_back
    file = frame.f_globals.get("__file__")
    return Path(file).resolve().parent if file else Path.cwd()
