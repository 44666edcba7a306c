"""Rows: where samples lie, reading them with polars, and saying precisely what is wrong with a file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from fairprobe.errors import BadData, UnknownGroup

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def _read_lines(path: Path | str) -> pl.DataFrame:
    return pl.read_ndjson(path, infer_schema_length=None)


def _read_csv(path: Path | str) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema_length=None)


_READERS: Mapping[str, Callable[[Path | str], pl.DataFrame]] = {
    ".jsonl": _read_lines, ".ndjson": _read_lines, ".csv": _read_csv, ".parquet": pl.read_parquet,
}


@dataclass(frozen=True)
class Source:
    """One file that samples came from, as an auditor asks for it."""

    path: str
    sha256: str | None
    rows: int


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
    """A path, glob or URL, and the folder beside which a relative one is looked up."""

    pattern: str
    beside: Path

    def stem(self) -> str:
        """The name that the samples get when they are given none.

        >>> Files("data/clues.jsonl", Path(".")).stem(), Files("md3-game/{model}.csv", Path(".")).stem()
        ('clues', 'md3_game')
        """
        parts = [_PLACEHOLDER.sub("", part) for part in Path(self.pattern).parts]
        parts[-1] = parts[-1].partition(".")[0]
        named = [word for part in parts if (word := re.sub(r"\W+", "_", part).strip("_"))]
        name = named[-1] if named else "samples"
        return f"_{name}" if name[0].isdigit() else name


@dataclass(frozen=True)
class Rows:
    """What was read: the samples, and the files that they came from."""

    frame: pl.DataFrame
    sources: tuple[Source, ...] = field(default=())


def source_of(data: object, beside: Path) -> Files | Frame:
    """What a user gave as data, as a value: a place to read from, or rows."""
    if isinstance(data, (str, Path)):
        return Files(str(data), beside)
    if isinstance(data, pl.DataFrame):
        return Frame(data)
    if isinstance(data, pl.LazyFrame):
        return Frame(data.collect())
    if isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data):
        return Frame(pl.from_dicts([dict(row) for row in data], infer_schema_length=None))
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        columns = {str(name): list(data[name]) for name in data.columns}
        return Frame(pl.DataFrame(columns, strict=False, nan_to_null=True))
    msg = (f"samples come from a path, a glob, a URL, a dataframe or a list of dicts, not from "
           f"{type(data).__name__}: {data!r:.80}")
    raise BadData(msg)


def read(source: Files | Frame, root: Path | None = None, known: Mapping[str, str] | None = None) -> Rows:
    """The rows of a source. A `{word}` in a path becomes a column, or is filled in where `known` has it.

    A relative path is looked up under `root`, then beside the module that names it. Raises `BadData`, naming the
    file (and for JSON Lines the line) that cannot be read.
    """
    if isinstance(source, Frame):
        return Rows(_not_empty(source.rows, "the dataframe"), (Source("<dataframe>", source.digest, source.rows.height),))
    pattern = _PLACEHOLDER.sub(lambda m: (known or {}).get(m[1], m[0]), source.pattern)
    if "://" in pattern:
        return _read_url(pattern)
    found = _locate(pattern, source.beside, root)
    parts = [_with_words(_read_file(path), words) for path, words in found]
    sources = tuple(
        Source(str(path), hashlib.sha256(path.read_bytes()).hexdigest(), part.height)
        for (path, _), part in zip(found, parts, strict=True)
    )
    return Rows(_not_empty(_stack(parts, pattern), pattern), sources)


def column(frame: pl.DataFrame, name: str, where: str) -> pl.Series:
    """A column by its name; raises `UnknownGroup`, naming those that there are."""
    if name not in frame.columns:
        msg = f"{where} has no column {name!r}; its samples have {', '.join(frame.columns)}"
        raise UnknownGroup(msg)
    return frame[name]


def _locate(pattern: str, beside: Path, root: Path | None) -> list[tuple[Path, dict[str, str]]]:
    """Files that a pattern means, each with the values of its `{words}`; the first folder that has any wins."""
    folders = [folder for folder in (root, beside) if folder is not None]
    for folder in folders:
        if found := _matching(folder / pattern):
            return found
    looked = " and ".join(str(folder) for folder in ([Path(pattern).parent] if Path(pattern).is_absolute() else folders))
    msg = f"no file {pattern!r}: looked in {looked}. Give a path beside the test module, or name the root with --fairprobe-data=DIR."
    raise BadData(msg)


def _matching(path: Path) -> list[tuple[Path, dict[str, str]]]:
    if path.is_file():
        return [(path, {})]
    text = path.as_posix()
    if not re.search(r"[*?\[{]", text):
        return []
    glob = _PLACEHOLDER.sub("*", text)
    fixed = re.escape(text).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    words = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", fixed))
    anchor = Path(path.anchor or ".")
    files = sorted(anchor.glob(str(Path(glob).relative_to(path.anchor)) if path.anchor else glob))
    return [(file, match.groupdict() if (match := words.fullmatch(file.as_posix())) else {}) for file in files]


def _read_file(path: Path) -> pl.DataFrame:
    reader = _READERS.get(path.suffix)
    if reader is None:
        msg = f"{path}: samples are read from {', '.join(_READERS)}, not from {path.suffix or 'a file without an ending'!r}"
        raise BadData(msg)
    if path.stat().st_size == 0:
        msg = f"{path} is empty: it should hold one sample per row"
        raise BadData(msg)
    try:
        return reader(path)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        if path.suffix in {".jsonl", ".ndjson"}:
            _name_broken_line(path)
        msg = f"{path} cannot be read: {error}"
        raise BadData(msg) from error


def _name_broken_line(path: Path) -> None:
    """Say which line of a JSON Lines file is no JSON object."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                held = json.loads(line) if line.strip() else {}
            except ValueError as error:
                msg = f"{path}, line {number} is not JSON: {error}. It begins {line[:60].decode(errors='replace')!r}."
                raise BadData(msg) from None
            if not isinstance(held, dict):
                msg = f"{path}, line {number} should be an object, one sample; it is {line[:60].decode(errors='replace')!r}"
                raise BadData(msg)


def _read_url(url: str) -> Rows:
    """Remote rows, through polars' own readers (hf://, s3://, https://)."""
    suffix = Path(url.partition("?")[0]).suffix
    reader = _READERS.get(suffix)
    if reader is None:
        msg = f"{url}: samples are read from {', '.join(_READERS)}, not from {suffix!r}"
        raise BadData(msg)
    try:
        frame = reader(url)
    except (pl.exceptions.PolarsError, OSError) as error:
        msg = f"{url} cannot be read: {error}"
        raise BadData(msg) from error
    return Rows(_not_empty(frame, url), (Source(url, Frame(frame).digest, frame.height),))


def _with_words(frame: pl.DataFrame, words: Mapping[str, str]) -> pl.DataFrame:
    return frame.with_columns(pl.lit(value).alias(name) for name, value in words.items())


def _stack(parts: Iterable[pl.DataFrame], pattern: str) -> pl.DataFrame:
    try:
        return pl.concat(parts, how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        msg = f"the files of {pattern!r} do not hold the same columns: {error}"
        raise BadData(msg) from error


def _not_empty(frame: pl.DataFrame, name: Any) -> pl.DataFrame:
    if frame.is_empty():
        msg = f"{name} holds no samples: it should hold one per row"
        raise BadData(msg)
    return frame
