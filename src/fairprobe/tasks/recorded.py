"""Recorded outputs: scores that were computed elsewhere, judged like any others. Nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl

from fairprobe import data
from fairprobe.errors import BadData
from fairprobe.requests import Request, Response
from fairprobe.tasks.task import Outcomes, Samples, Task


@dataclass(frozen=True, repr=False)
class Recorded(Task):
    """Samples whose scores stand in a file: `--model=recorded:NAME` says which model's.

    `{model}` in the path is the recorded model's name and any other `{word}` becomes a column; `model` names a
    column with it instead. With neither, the file answers for whatever name is given. `score` is a numeric column,
    or a dict of metric name to column; values within [0, 1] are bounded, others unbounded unless `range` is given.
    `at_chance` is the accuracy of an answer that knows nothing, for the guard that asks for more than that.

    >>> Recorded([{"score": 1.0, "dialect": "en_us"}], score="score", name="answers")
    Recorded('answers', 1 samples)
    """

    score: str | Mapping[str, str] = "score"
    _: KW_ONLY
    model: str | None = None
    at_chance: float | None = None
    range: tuple[float, float] | None = None

    asks: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.at_chance is not None and not 0 < self.at_chance < 1:
            msg = f"{self!r}: at_chance is a share of right answers, such as 0.25, not {self.at_chance!r}"
            raise BadData(msg)
        given = self.score if isinstance(self.score, Mapping) else {self.score: self.score}
        object.__setattr__(self, "score", tuple(given.items()))

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """The columns of the scores."""
        return tuple(column for _, column in self.columns)

    def chance(self, samples: Samples) -> float | None:  # noqa: ARG002 - tasks differ
        """What the recording says it is."""
        return self.at_chance

    @property
    def score_names(self) -> tuple[str, ...]:
        """The names of the recorded scores, in their order."""
        return tuple(name for name, _ in self.columns)

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """The names of the scores, each with the column that holds it."""
        return self.score  # type: ignore[return-value]  # made a tuple when the task was

    def has(self, model: str, root: Path | None = None) -> bool:
        """Whether there is a recording of this model."""
        if not data.lies(self.data, root, {"model": model}):
            # a file that lies nowhere under any name is an error, which reading it says
            return not (isinstance(self.data, data.Files) and "{model}" in self.data.pattern)
        if self.model is None:
            return True
        return (
            model
            in data.column(self.read(root, {"model": model}).frame, self.model, repr(self)).cast(pl.String).to_list()
        )

    def recorded(self, model: str, root: Path | None = None) -> Samples:
        """The samples of one recorded model."""
        samples = self.read(root, {"model": model})
        if self.model is None:
            return samples
        models = data.column(samples.frame, self.model, repr(self)).cast(pl.String)
        mine = (models == model).fill_null(value=False)
        if not mine.any():
            msg = (
                f"{self!r} has no recording of {model!r} in {self.model!r}; it has "
                f"{', '.join(sorted(set(models.drop_nulls())))}"
            )
            raise BadData(msg)
        return samples.take(np.flatnonzero(mine.to_numpy()))

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """Nothing: the answers are recorded."""
        return [()] * len(samples)

    def outcomes(self, samples: Samples, responses: Sequence[Sequence[Response | None]] = ()) -> Outcomes:  # noqa: ARG002
        """The recorded scores as they stand. Raises `BadData` for a score that is missing or no number."""
        scores = {name: self._values(samples.frame, column) for name, column in self.columns}
        return Outcomes(
            samples,
            scores,
            np.full(len(samples), "ok", dtype=object),
            responses=[None] * len(samples),
            prompts=[None] * len(samples),
            targets=[None] * len(samples),
            ranges=self.ranges(samples),
        )

    def ranges(self, samples: Samples) -> Mapping[str, tuple[float, float]]:
        """As declared; else [0, 1] where all values lie in it, and none where they do not."""
        return {name: self.range or natural_range(self._values(samples.frame, column)) for name, column in self.columns}

    def _values(self, frame: pl.DataFrame, name: str) -> np.ndarray:
        values = data.column(frame, name, repr(self))
        if not values.dtype.is_numeric() and values.dtype != pl.Boolean:
            msg = f"{self!r}: score={name!r} should be a column of numbers; it holds {values.dtype}: {values[0]!r:.60}"
            raise BadData(msg)
        numbers = values.cast(pl.Float64)
        lacking = (numbers.is_null() | numbers.is_nan()).fill_null(value=True)
        if lacking.any():
            row = int(lacking.arg_max() or 0)
            msg = (
                f"{self!r}: {int(lacking.sum())} of {frame.height} scores in {name!r} are missing, the "
                f"first in row {row + 1}"
            )
            raise BadData(msg)
        found = numbers.to_numpy()
        low, high = self.range or (-np.inf, np.inf)
        if found.min() < low or found.max() > high:
            msg = (
                f"{self!r}: {name!r} goes from {found.min()} to {found.max()}, outside the declared range {self.range}"
            )
            raise BadData(msg)
        return found


def natural_range(values: np.ndarray) -> tuple[float, float]:
    """[0, 1] where all values lie in it, else unbounded."""
    inside = bool(np.all((values >= 0) & (values <= 1)))
    return (0.0, 1.0) if inside else (-np.inf, np.inf)
