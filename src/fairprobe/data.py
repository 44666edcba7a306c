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
    ".jsonl": _read_lines,
    ".ndjson": _read_lines,
    ".csv": _read_csv,
    ".parquet": pl.read_parquet,
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
        # where a full path or a URL leads does not depend on the module that names it
        return Files(str(data), Path() if "://" in str(data) or Path(data).is_absolute() else beside)
    if isinstance(data, pl.DataFrame):
        return Frame(data)
    if isinstance(data, pl.LazyFrame):
        return Frame(data.collect())
    if isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data):
        return Frame(_framed(lambda: pl.from_dicts([dict(row) for row in data], infer_schema_length=None), bool(data)))
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        columns = {str(name): _cells(data[name]) for name in data.columns}
        return Frame(_framed(lambda: pl.DataFrame(columns, strict=False), bool(columns)))
    msg = (
        f"samples come from a path, a glob, a URL, a dataframe or a list of dicts, not from "
        f"{type(data).__name__}: {data!r:.80}"
    )
    raise BadData(msg)


def lies(source: Files | Frame, root: Path | None = None, known: Mapping[str, str] | None = None) -> bool:
    """Whether there is anything to read; what is wrong with it, `read` says."""
    if isinstance(source, Frame):
        return True
    pattern = _filled(source.pattern, known)
    return "://" in pattern or any(
        _matching(folder / pattern) for folder in (root, source.beside) if folder is not None
    )


def read(source: Files | Frame, root: Path | None = None, known: Mapping[str, str] | None = None) -> Rows:
    """The rows of a source. A `{word}` in a path becomes a column, or is filled in where `known` has it.

    A relative path is looked up under `root`, then beside the module that names it. Raises `BadData`, naming the
    file (and for JSON Lines the line) that cannot be read.
    """
    if isinstance(source, Frame):
        return Rows(
            _not_empty(source.rows, "the dataframe"), (Source("<dataframe>", source.digest, source.rows.height),)
        )
    pattern = _filled(source.pattern, known)
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


def _filled(pattern: str, known: Mapping[str, str] | None) -> str:
    return _PLACEHOLDER.sub(lambda m: (known or {}).get(m[1], m[0]), pattern)


def _cells(column: Any) -> list[Any]:
    """The values of a foreign column; what it calls missing (NaN, NaT, NA) is None."""
    if not hasattr(column, "isna"):
        return list(column)
    return [None if missing else value for value, missing in zip(column, column.isna(), strict=True)]


def _framed(frame: Callable[[], pl.DataFrame], has_any: bool) -> pl.DataFrame:
    """The dataframe that polars makes of rows or columns, or what is wrong with them."""
    if not has_any:
        msg = "the data holds no samples: it should hold one per row"
        raise BadData(msg)
    try:
        return frame()
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        msg = f"the data cannot be read as a table: {error}"
        raise BadData(msg) from error


def _locate(pattern: str, beside: Path, root: Path | None) -> list[tuple[Path, dict[str, str]]]:
    """Files that a pattern means, each with the values of its `{words}`; the first folder that has any wins."""
    folders = [folder for folder in (root, beside) if folder is not None]
    for folder in folders:
        if found := _matching(folder / pattern):
            return found
    looked = " and ".join(
        str(folder) for folder in ([Path(pattern).parent] if Path(pattern).is_absolute() else folders)
    )
    msg = (
        f"no file {pattern!r}: looked in {looked}. Give a path beside the test module, or name the root "
        "with --fairprobe-data=DIR."
    )
    raise BadData(msg)


def _matching(path: Path) -> list[tuple[Path, dict[str, str]]]:
    if path.is_file():
        return [(path, {})]
    text = path.as_posix()
    if not re.search(r"[*?\[{]", text):
        return []
    glob = _PLACEHOLDER.sub("*", text)
    fixed = re.escape(text).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    named: set[str] = set()

    def word(match: re.Match[str]) -> str:
        # a word that stands twice means the same twice
        again = match[1] in named
        named.add(match[1])
        return f"(?P={match[1]})" if again else f"(?P<{match[1]}>[^/]+)"

    words = re.compile(re.sub(r"\\\{(\w+)\\\}", word, fixed))
    anchor = Path(path.anchor or ".")
    files = sorted(anchor.glob(str(Path(glob).relative_to(path.anchor)) if path.anchor else glob))
    matched = ((file, words.fullmatch(file.as_posix())) for file in files)
    return [(file, match.groupdict() if match else {}) for file, match in matched if match or not named]


def _read_file(path: Path) -> pl.DataFrame:
    reader = _READERS.get(path.suffix)
    if reader is None:
        msg = (
            f"{path}: samples are read from {', '.join(_READERS)}, not from "
            f"{path.suffix or 'a file without an ending'!r}"
        )
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
                held = json.loads(line, parse_constant=_refuse_constant) if line.strip() else {}
            except ValueError as error:
                msg = f"{path}, line {number} is not JSON: {error}. It begins {line[:60].decode(errors='replace')!r}."
                raise BadData(msg) from None
            if not isinstance(held, dict):
                msg = (
                    f"{path}, line {number} should be an object, one sample; it is "
                    f"{line[:60].decode(errors='replace')!r}"
                )
                raise BadData(msg)


def _refuse_constant(name: str) -> None:
    msg = f"{name} is Python's word; a value that is missing is null"
    raise ValueError(msg)


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
