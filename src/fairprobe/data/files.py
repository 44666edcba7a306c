"""Files to rows: which files a path means, the formats that are read, and what is wrong with a file that is not."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from fairprobe.data.sources import HERE, PLACEHOLDER, Dataset, Files, Frame, Places, Reader, Source, framed
from fairprobe.errors import BadData

BOM = codecs.BOM_UTF8


def _read_lines(path: Path | str, text: Sequence[str]) -> pl.DataFrame:  # noqa: ARG001 - texts are told by their quotes
    if isinstance(path, Path) and _begins(path, BOM):
        read = pl.read_ndjson(io.BytesIO(path.read_bytes().removeprefix(BOM)), infer_schema_length=None)
    else:
        read = pl.read_ndjson(path, infer_schema_length=None)
    # the columns of a wide file come in another order each time
    return read if read.width <= _WIDE else read.select(sorted(read.columns))


def _begins(path: Path, mark: bytes) -> bool:
    with path.open("rb") as held:
        return held.read(len(mark)) == mark


def _read_csv(path: Path | str, text: Sequence[str], separator: str = ",") -> pl.DataFrame:
    frame = pl.read_csv(
        path, separator=separator, infer_schema_length=None, schema_overrides=dict.fromkeys(text, pl.String)
    )
    if any(mark in name for name in frame.columns for mark in "\0\ufffd"):
        msg = "its header is not UTF-8"
        raise ValueError(msg)
    return frame


def _read_tsv(path: Path | str, text: Sequence[str]) -> pl.DataFrame:
    return _read_csv(path, text, "\t")


def _read_json(path: Path | str, text: Sequence[str]) -> pl.DataFrame:  # noqa: ARG001 - texts are told by their quotes
    rows = json.loads(Path(path).read_text(encoding="utf-8-sig"), parse_constant=_refuse_constant)
    if not isinstance(rows, list):
        msg = f"it holds one {type(rows).__name__}, not a list of samples: give a function from the path to rows, read="
        raise ValueError(msg)
    return framed(rows)


def _read_parquet(path: Path | str, text: Sequence[str]) -> pl.DataFrame:  # noqa: ARG001 - a file of types
    return pl.read_parquet(path)


_LINES = frozenset({".jsonl", ".ndjson"})
_WIDE = 32
"""Columns up to which polars keeps their order as it reads lines."""
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_READERS: Mapping[str, Callable[[Path | str, Sequence[str]], pl.DataFrame]] = {
    ".jsonl": _read_lines,
    ".ndjson": _read_lines,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": _read_parquet,
}


@dataclass(frozen=True)
class Rows:
    """What was read: the samples, the files that they came from, and whether they only show how a suite runs."""

    frame: pl.DataFrame
    sources: tuple[Source, ...] = field(default=())
    illustrative: bool = False


def lies(source: Files | Frame, places: Places = HERE) -> bool:
    """Whether there is anything to read; what is wrong with it, `read` says."""
    if isinstance(source, Frame) or source.dataset.hub is not None:
        return True
    pattern = _pattern(source, places)
    return "://" in pattern or any(_matching(folder / pattern) for folder in _folders(source, places))


def is_here(source: Files | Frame, places: Places = HERE) -> bool:
    """Whether the set is there that a file belongs to: the folder that its path begins with."""
    if isinstance(source, Frame) or "://" in source.pattern:
        return True
    first = Path(_pattern(source, places)).parts[0]
    return any((folder / first).exists() for folder in _folders(source, places)) or "/" not in source.pattern


def read(source: Files | Frame, places: Places = HERE, text: Sequence[str] = ()) -> Rows:
    """The rows of a source. A `{word}` in a path becomes a column, or is filled in where it is known.

    A relative path is looked up under the root, then beside the module that names it. The columns of `text` are read
    as they are written, numbers among them. Raises `BadData`, naming the file (and the line, where there are lines)
    that cannot be read.
    """
    if isinstance(source, Frame):
        return Rows(
            _not_empty(source.rows, "the dataframe"), (Source("<dataframe>", source.digest, source.rows.height),)
        )
    dataset, pattern = source.dataset, _pattern(source, places)
    if "://" in pattern:
        _check_licence(dataset, places, pattern)
        return _read_url(pattern, dataset)
    found, revision = _locate(source, pattern, places)
    parts = [_with_words(_read_file(path, dataset, text), words) for path, words in found]
    sources = tuple(
        Source(str(path), hashlib.sha256(path.read_bytes()).hexdigest(), part.height, revision, dataset.licence)
        for (path, _), part in zip(found, parts, strict=True)
    )
    name = found[0][0] if len(found) == 1 else pattern
    return Rows(_not_empty(_stack(parts, pattern), name), sources, _is_sample(source, places))


def known(source: Files | Frame, word: str, places: Places = HERE) -> list[str]:
    """The values of a path's `{word}` in the files that there are."""
    if isinstance(source, Frame) or "://" in source.pattern:
        return []
    found = (_matching(folder / _pattern(source, places)) for folder in _folders(source, places))
    return sorted({words[word] for _, words in next(filter(None, found), []) if word in words})


def _is_sample(source: Files, places: Places) -> bool:
    return places.sample and source.dataset.sample is not None


def _pattern(source: Files, places: Places) -> str:
    dataset = source.dataset
    path = dataset.sample if places.sample and dataset.sample is not None else dataset.path
    return PLACEHOLDER.sub(lambda m: places.known.get(m[1], m[0]), path)


def _folders(source: Files, places: Places) -> list[Path]:
    """The folders in which a path is looked up, in turn."""
    if _is_sample(source, places):
        return [source.beside]
    hub = source.dataset.hub
    if hub is None:
        return list(dict.fromkeys(folder for folder in (places.root, source.beside) if folder is not None))
    return [] if places.root is None else [places.root / hub, places.root / hub.rpartition("/")[2]]


def _locate(source: Files, pattern: str, places: Places) -> tuple[list[tuple[Path, dict[str, str]]], str | None]:
    """Files that a pattern means, each with the values of its `{words}`; the first folder that has any wins.

    Beside them the revision of the hub's that they are, where they were downloaded.
    """
    folders = _folders(source, places)
    for folder in folders:
        if found := _matching(folder / pattern):
            if source.dataset.hub is None and not _is_sample(source, places):
                _check_licence(source.dataset, places, pattern)
            return found, None
    looked = " and ".join(map(str, [Path(pattern).parent] if Path(pattern).is_absolute() else folders))
    dataset = source.dataset
    if dataset.hub is None or _is_sample(source, places):
        for held in (folder / pattern for folder in folders):
            if held.is_dir():
                msg = f"{held} is a folder; name its files, as in '{pattern.rstrip('/')}/*.jsonl'"
                raise BadData(msg)
        offer = "" if dataset.sample is None else ", or try the suite on rows of its own: --fairprobe-profile=sample"
        msg = (
            f"no file {pattern!r}: looked in {looked}. Give a path beside the test module, or name the root "
            f"with --fairprobe-data=DIR{offer}."
        )
        raise BadData(msg)
    downloaded = _download(dataset, dataset.hub, pattern, places, looked)
    found = _matching(downloaded / pattern)
    if not found:
        msg = f"the data set {dataset.hub!r} on the hub holds no file {pattern!r}; name a local copy: {_local(dataset)}"
        raise BadData(msg)
    return found, downloaded.name


def _download(dataset: Dataset, hub: str, pattern: str, places: Places, looked: str) -> Path:
    """The folder of a data set on the hub, downloaded or from the hub's own cache; its name is the revision."""
    _check_licence(dataset, places, hub, f", or name a copy that you have: {_local(dataset)}")
    here = f"no local copy of {hub!r}{f' (looked in {looked})' if looked else ''}"
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        msg = f"{here}; to download it: pip install 'fairprobe[transformers]'; or name a copy: {_local(dataset)}"
        raise BadData(msg) from None
    try:
        glob = PLACEHOLDER.sub("*", pattern)
        return Path(snapshot_download(hub, repo_type="dataset", revision=dataset.revision, allow_patterns=glob))
    except Exception as error:  # the hub's errors, and those of every layer under it
        why = str(error).strip().partition("\n")[0]
        msg = f"{here}, and the hub gives none: {type(error).__name__}: {why}. Name a copy: {_local(dataset)}"
        raise BadData(msg) from error


def _check_licence(dataset: Dataset, places: Places, what: str, otherwise: str = "") -> None:
    """Raise for non-commercial data whose licence was not accepted by name."""
    if dataset.non_commercial and dataset.licence not in places.accepted:
        msg = (
            f"the data set {what!r} is licensed {dataset.licence}, for non-commercial use: accept that with "
            f"--fairprobe-accept={dataset.licence}{otherwise}"
        )
        raise BadData(msg)


def _local(dataset: Dataset) -> str:
    sample = "" if dataset.sample is None else "; --fairprobe-profile=sample runs on rows of the suite's own"
    return f"--fairprobe-data=DIR, with DIR/{dataset.hub}/{dataset.path}{sample}"


def _matching(path: Path) -> list[tuple[Path, dict[str, str]]]:
    if path.is_file():
        return [(path, {})]
    text = path.as_posix()
    if not re.search(r"[*?\[{]", text):
        return []
    glob = PLACEHOLDER.sub("*", text)
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


def _read_file(path: Path, dataset: Dataset, text: Sequence[str]) -> pl.DataFrame:
    if dataset.read is not None:
        return _read_by(dataset.read, path)
    reader = _READERS.get(path.suffix)
    if reader is None:
        msg = (
            f"{path}: samples are read from {', '.join(_READERS)}, not from "
            f"{path.suffix or 'a file without an ending'!r}"
        )
        raise BadData(msg)
    try:
        return reader(path, text)
    except (pl.exceptions.PolarsError, OSError, ValueError, RecursionError) as error:
        if not path.read_bytes().strip():
            msg = f"{path} is empty: it should hold one sample per row"
            raise BadData(msg) from None
        _name_what_is_wrong(path)
        msg = f"{path} cannot be read: {str(error).partition(chr(10))[0]}"
        raise BadData(msg) from error


def _name_what_is_wrong(path: Path) -> None:
    """Say which line of a text file it is, where it is one."""
    if path.suffix != ".parquet":
        _name_foreign_bytes(path)
    if path.suffix in _LINES:
        _name_broken_line(path)
    if path.suffix in _SEPARATORS:
        _name_broken_row(path)


def _read_by(reader: Reader, path: Path) -> pl.DataFrame:
    """What a user's own function makes of a file."""
    name = getattr(reader, "__name__", repr(reader))
    try:
        return framed(reader(path))
    except BadData as error:
        msg = f"{path}, by read={name}: {error}"
        raise BadData(msg) from error
    except Exception as error:
        if isinstance(error, (UnicodeError, json.JSONDecodeError)):
            _name_what_is_wrong(path)
        msg = f"{path} cannot be read: read={name} raised {error!r}; it gives a dataframe, one sample per row"
        raise BadData(msg) from error


def _name_foreign_bytes(path: Path) -> None:
    """Say which line of a text file is not UTF-8."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                at = error.start
            else:
                # UTF-16 without a mark of its own
                at = line.find(b"\0")
            if at >= 0:
                msg = (
                    f"{path}, line {number} is not UTF-8: byte {line[at]:#04x} after "
                    f"{line[max(0, at - 20) : at].decode(errors='replace')!r}. The file mixes "
                    f"encodings or has another one: save it as UTF-8."
                )
                raise BadData(msg)


def _name_broken_line(path: Path) -> None:
    """Say which line of a JSON Lines file is no JSON object."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                held = json.loads(line.decode("utf-8-sig"), parse_constant=_refuse_constant) if line.strip() else {}
            except ValueError as error:
                msg = f"{path}, line {number} is not JSON: {error}. It begins {line[:60].decode(errors='replace')!r}."
                raise BadData(msg) from None
            if not isinstance(held, dict):
                msg = (
                    f"{path}, line {number} should be an object, one sample; it is "
                    f"{line[:60].decode(errors='replace')!r}"
                )
                raise BadData(msg)


def _name_broken_row(path: Path) -> None:
    """Say which line of a file of cells has too many, or a quote that is not closed."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows, begins = csv.reader(lines, delimiter=_SEPARATORS[path.suffix], strict=True), 1
        try:
            width = len(next(rows, ()))
            begins = rows.line_num + 1
            for row in rows:
                if len(row) > width:
                    msg = (
                        f"{path}, line {rows.line_num} has {len(row)} cells, and the header {width}: "
                        f"a text that holds {_SEPARATORS[path.suffix]!r} stands in quotes"
                    )
                    raise BadData(msg)
                begins = rows.line_num + 1
        except csv.Error as error:
            msg = f"{path}, the row that begins in line {begins} has a quote that is not closed ({error})"
            raise BadData(msg) from None


def _refuse_constant(name: str) -> None:
    msg = f"{name} is Python's word; a value that is missing is null"
    raise ValueError(msg)


def _read_url(url: str, dataset: Dataset) -> Rows:
    """Remote rows, through polars' own readers (hf://, s3://, https://)."""
    suffix = Path(url.partition("?")[0]).suffix
    reader = _READERS.get(suffix)
    if reader is None or dataset.read is not None:
        why = f"not from {suffix!r}" if reader is None else "and a function of one's own (read=) reads local files"
        msg = f"{url}: samples are read from {', '.join(_READERS)}, {why}"
        raise BadData(msg)
    try:
        frame = reader(url, ())
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        msg = f"{url} cannot be read: {error}"
        raise BadData(msg) from error
    source = Source(url, Frame(frame).digest, frame.height, dataset.revision, dataset.licence)
    return Rows(_not_empty(frame, url), (source,))


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
