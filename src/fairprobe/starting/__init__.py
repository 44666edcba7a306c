"""A first suite for a file of data: what its columns seem to be, and a module that runs and is to be decided on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from fairprobe import data
from fairprobe.errors import BadData, FairprobeError
from fairprobe.expressions import Expectation
from fairprobe.session import Session
from fairprobe.settings import Settings
from fairprobe.starting.columns import Columns, Given, commonest, recognise
from fairprobe.starting.module import CHANCE, variable, write
from fairprobe.tasks import MultipleChoice, Task

__all__ = ["Given", "Start", "begin"]

EXAMPLE = re.compile(r"^# (test_\w+ = )", re.MULTILINE)
"""The expectation that is written as a comment, since it takes a baseline."""


@dataclass(frozen=True)
class Start:
    """A suite that is not written yet: the module's place and text, what was chosen, and what cannot pass."""

    file: Path
    text: str
    samples: int
    columns: Columns
    model: str
    """What to write after `--model=`."""
    hopeless: tuple[str, ...]
    """The tests that so few samples cannot pass, whatever is answered."""


def begin(source: Path, folder: Path | None, given: Given) -> Start:
    """A first suite for a file of samples, checked against them as a run checks it. Nothing is written.

    Raises `BadData` where a column cannot be told, and what does not fit the samples as a run would.
    """
    folder = folder or Path("suites") / variable(source.stem)
    file = folder / f"test_{variable(source.stem)}.py"
    if file.exists():
        msg = f"{file} is there already, and init overwrites nothing: name another folder, --to=FOLDER"
        raise BadData(msg)
    if not source.is_file():
        msg = f"there is no file {source}; name one of samples: CSV, JSON Lines or Parquet"
        raise BadData(msg)
    frame = data.read(data.source_of(source.resolve(), Path())).frame
    columns = recognise(frame, given, str(source))
    shared: dict[str, Any] = {
        "name": variable(source.stem),
        "values": commonest(frame[columns.group.one]),
        "chance": _chance(columns, frame),
        "answer": _longest(columns, frame),
    }
    model = f"recorded:{_recorded_name(columns, frame)}" if columns.kind == "Recorded" else "path/to/checkpoint"
    hopeless = _check(write(columns, path=str(source.resolve()), **shared), source, model)
    # what a link leads to has another way back
    way = os.path.relpath(source.resolve(), folder.resolve())
    text = write(columns, path=Path(way).as_posix(), **shared)
    return Start(file, text, frame.height, columns, model, hopeless)


def _check(text: str, source: Path, model: str) -> tuple[str, ...]:
    """Raise what does not fit the samples, the example for a baseline included; the names of tests that cannot pass."""
    held: dict[str, Any] = {"__name__": "first_suite"}
    exec(compile(EXAMPLE.sub(r"\1", text), f"<the suite for {source}>", "exec"), held)
    found: Mapping[str, Expectation] = {name: each for name, each in held.items() if isinstance(each, Expectation)}
    # nothing is asked, so that any name stands for a checkpoint
    session = Session(Settings(model=model, baseline=model))
    for name, expectation in found.items():
        try:
            session.fits(expectation)
        except FairprobeError as error:
            msg = f"{name} = {expectation!r} would not fit {source}, so nothing is written: {error}"
            raise BadData(msg) from error
    return tuple(name for name, each in found.items() if f"\n{name} = " in text and session.can_pass(each) is False)


def _chance(columns: Columns, frame: pl.DataFrame) -> float | None:
    """What guessing is right by; None where only scores are known."""
    if columns.kind == "MultipleChoice" and columns.options and columns.answer:
        told = columns.options.columns
        options = told[0] if len(told) == 1 else told
        task: Task = MultipleChoice(frame, "", options=options, answer=columns.answer.one, name="trial")
        return task.chance(task.load())
    return None if columns.score is not None else CHANCE


def _longest(columns: Columns, frame: pl.DataFrame) -> int:
    """The letters of the longest right answer."""
    if columns.answer is None:
        return 0
    held = frame[columns.answer.one].drop_nulls().to_list()
    texts = (text for each in held for text in (each if isinstance(each, list) else [each]))
    return max((len(str(text)) for text in texts), default=0)


def _recorded_name(columns: Columns, frame: pl.DataFrame) -> str:
    return str(commonest(frame[columns.model.one])[0]) if columns.model is not None else "any"
