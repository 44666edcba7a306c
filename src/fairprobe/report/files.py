"""How the files of a run are written: whole or not at all, and what refuses them is told with what is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fairprobe.errors import FairprobeError


@contextmanager
def writing(what: str, folder: Path, *refusals: type[Exception]) -> Iterator[None]:
    """Make a folder and write to it. Raises `FairprobeError` for one that refuses, and for other `refusals`."""
    kinds: tuple[type[Exception], ...] = (OSError, *refusals)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except kinds as error:
        msg = (
            f"{what} cannot be written to {folder}: {error}. The answers are kept: choose another folder with "
            "--fairprobe-report=DIR and run again, nothing is asked twice."
        )
        raise FairprobeError(msg) from error


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write what becomes this file once it is there."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    yield part
    part.replace(path)


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write texts by the names of their files, each whole."""
    for name, text in texts.items():
        with whole(folder / name) as part:
            part.write_text(text, encoding="utf-8")
