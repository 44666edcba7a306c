"""Recorded outputs: scores or answers that were made elsewhere, judged like any others. Nothing is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import polars as pl

from fairprobe import data, scorers
from fairprobe.errors import BadData
from fairprobe.requests import Request, Response
from fairprobe.scorers import Scorer
from fairprobe.tasks import lm_eval
from fairprobe.tasks.scoring import NOBODY, Said, Scoring, natural_range
from fairprobe.tasks.task import (
    Choices,
    Dropped,
    Outcomes,
    Row,
    Samples,
    named_scorers,
    shown_target,
)

Policy = Literal["error", "drop", "zero"]


@dataclass(frozen=True, repr=False)
class Recorded(Scoring):
    """Samples whose scores or answers stand in a file: `--model=recorded:NAME` says which model's.

    `{model}` in the path is the recorded model's name and any other `{word}` becomes a column; `model` names a
    column with it instead. With neither, the file answers for whatever name is given. `read` makes rows of a file that
    is not one row per sample.

    `response` is a column of raw answers, scored by `scorer` against the column `target` as a `Generation`'s are; an
    empty cell is an empty answer. `score` is a numeric column, or a dict of metric name to column; values within
    [0, 1] are bounded, others unbounded unless `range` is given, for all of them or by column. `missing` says what
    becomes of a score that is null or NaN, or of values that stand for that: `{-1: "drop"}`; dropped rows are counted
    by group, those of "zero" score 0.

    `key` names the columns that tell a sample from the others, so that two recordings are joined by them; without it
    they hold the same samples in the same order. `at_chance` is the accuracy of an answer that knows nothing.

    `choice` is a column that says which option was chosen, by its place from 0 or by a number for each option, of
    which the highest is chosen; `answer` one with the place of the right option. With these it is seen whether one
    place is preferred.

    >>> Recorded([{"score": 1.0, "dialect": "en_us"}], score="score", name="answers")
    Recorded('answers', 1 samples)
    """

    score: str | Mapping[str, str] | None = None
    _: KW_ONLY
    response: str | None = None
    target: str | None = None
    scorer: Scorer | Mapping[str, Scorer] = scorers.exact_match
    model: str | None = None
    read: data.Reader | None = None
    missing: Policy | Mapping[Any, Policy] = "error"
    key: str | Sequence[str] = ()
    at_chance: float | None = None
    choice: str | None = None
    answer: str | None = None
    range: tuple[float, float] | Mapping[str, tuple[float, float]] | tuple[tuple[str, Any], ...] | None = None

    asks: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.at_chance is not None and not 0 < self.at_chance < 1:
            msg = f"{self!r}: at_chance is a share of right answers, such as 0.25, not {self.at_chance!r}"
            raise BadData(msg)
        if isinstance(self.range, Mapping):
            object.__setattr__(self, "range", tuple(self.range.items()))
        score = self.score if self.score is not None or self.response is not None else "score"
        given = score if isinstance(score, Mapping) else {} if score is None else {score: score}
        object.__setattr__(self, "score", tuple(given.items()))
        object.__setattr__(self, "scorer", named_scorers(self.scorer) if self.response is not None else ())
        object.__setattr__(self, "key", (self.key,) if isinstance(self.key, str) else tuple(self.key))
        policies = self.missing if isinstance(self.missing, Mapping) else {None: self.missing}
        object.__setattr__(self, "missing", tuple(policies.items()))
        if wrong := [policy for policy in policies.values() if policy not in get_args(Policy)]:
            msg = f"{self!r}: missing= is 'error', 'drop' or 'zero', or {{sentinel: one of these}}, not {wrong[0]!r}"
            raise BadData(msg)

    @classmethod
    def lm_eval(cls, folder: str, metric: str = "acc", *, task: str = "{task}", **given: Any) -> Recorded:
        """What lm-eval logged of its samples, with `--output_path=FOLDER --log_samples`.

        The folder in it that is a model's is the recorded model's name. `metric` is one that lm-eval computed, and
        `task` the one to read, all of them by default; its name and every field of its documents are columns.
        Answers can be scored again: `response="response", target="target", scorer=…`.
        """
        path = f"{folder}/{{model}}/samples_{task}_{{date}}.jsonl"
        own = {"name": task.strip("{}"), "read": lm_eval.samples, "key": ("task", "doc_id", "filter")}
        own |= {} if "response" in given else {"score": metric}
        made: Recorded = cls(path, **{**own, **({} if "{task}" in task else {"key": ("doc_id", "filter")}), **given})
        return made

    @property
    def scored_columns(self) -> tuple[str, ...]:
        """The columns of the scores, answers and targets."""
        own = (*(column for _, column in self.columns), self.response, self.target, self.choice, self.answer)
        return tuple(filter(None, own))

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The answer and the target."""
        return tuple(filter(None, (self.response, self.target)))

    def chance(self, samples: Samples) -> float | None:  # noqa: ARG002 - tasks differ
        """What the recording says it is; an answer that knows nothing is else right once in twenty times."""
        return self.at_chance or (0.05 if self.response is not None and self.target is not None else None)

    @property
    def score_names(self) -> tuple[str, ...]:
        """The names of the scores of raw answers, then those of the recorded ones, in their order."""
        return tuple(name for name, _ in (*self.own_scorers, *self.columns))

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """The names of the recorded scores, each with the column that holds it."""
        return self.score  # type: ignore[return-value]  # made a tuple when the task was

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that tell a sample from the others."""
        return self.key  # type: ignore[return-value]  # made a tuple when the task was

    @property
    def own_scorers(self) -> tuple[tuple[str, Scorer], ...]:
        """The scorers by the names of their scores, in their order."""
        return self.scorer  # type: ignore[return-value]  # made a tuple when the task was

    @property
    def own_target(self) -> str | None:
        """The column of targets."""
        return self.target

    @property
    def _policies(self) -> tuple[tuple[Any, Policy], ...]:
        return self.missing  # type: ignore[return-value]  # made a tuple when the task was

    def has(self, model: str, places: data.Places = data.HERE) -> bool:
        """Whether there is a recording of this model."""
        if not data.lies(self.data, places.of(model)):
            # a file that lies nowhere under any name is an error, which reading it says, if the set's others are here
            named = isinstance(self.data, data.Files) and "{model}" in self.data.pattern
            return not named and data.is_here(self.data, places.of(model))
        try:
            return self.model is None or model in self._models(self.load(places.of(model)).frame)
        except BadData:
            # so is one that cannot be read
            return True

    def recorded(self, model: str, places: data.Places = data.HERE) -> Samples:
        """The samples of one recorded model, without the rows that are to be dropped."""
        try:
            samples = self.load(places.of(model))
        except BadData as error:
            if (names := data.known(self.data, "model", places)) and model not in names:
                msg = f"{error} Recorded are {', '.join(names)}{data.near(model, names)}"
                raise BadData(msg) from error
            raise
        if self.model is not None:
            samples = samples.take(np.flatnonzero(self._mine(samples, model)))
        self._check_key(samples.frame)
        return self._without_dropped(samples)

    def requests(self, samples: Samples) -> list[tuple[Request, ...]]:
        """Nothing: the answers are recorded."""
        return [()] * len(samples)

    def outcomes(
        self,
        samples: Samples,
        responses: Sequence[Sequence[Response | None]] = (),  # noqa: ARG002 - tasks differ
        said: Said = NOBODY,
    ) -> Outcomes:
        """The recorded scores as they stand, and answers scored. Raises `BadData` for a score that is no number."""
        status = np.full(len(samples), "ok", dtype=object)
        for _, column in self.columns:
            status[self._stands_for(samples.frame, column, "zero")] = "empty"
        scores = {name: self._values(samples.frame, column) for name, column in self.columns}
        texts: Sequence[str | None] = self._said(samples) or [None] * len(samples)
        targets = [None] * len(samples) if self.target is None else samples.frame[self.target].to_list()
        if self.response is not None:
            answered, status = self._scored(samples, said)
            scores = {**answered, **scores}
        return Outcomes(
            samples,
            scores,
            status,
            responses=texts,
            prompts=[None] * len(samples),
            targets=[*map(shown_target, targets)],
            ranges=self.ranges(samples),
            texts=[(text,) for text in texts if text is not None],
            choices=samples.once((self, "choices"), lambda: self._choices(samples.frame)),
        )

    def texts(self, samples: Samples, responses: Sequence[Sequence[Response | None]] = ()) -> Iterator[tuple[str, Row]]:  # noqa: ARG002
        """Every recorded text, with the sample's row."""
        yield from zip(self._said(samples), samples.rows, strict=True)

    def _said(self, samples: Samples) -> list[str]:
        """The recorded answers; an empty cell is an empty answer. None where answers are not recorded."""
        if self.response is None:
            return []
        return [*data.column(samples.frame, self.response, repr(self)).cast(pl.String).fill_null("")]

    def ranges(self, samples: Samples) -> Mapping[str, tuple[float, float]]:
        """As declared; else [0, 1] where all values lie in it, and none where they do not."""
        recorded = {
            name: self._range(column) or natural_range(self._values(samples.frame, column))
            for name, column in self.columns
        }
        return {**{name: (0.0, 1.0) for name, _ in self.own_scorers}, **recorded}

    def _choices(self, frame: pl.DataFrame) -> Choices | None:
        if self.choice is None:
            return None
        held = data.column(frame, self.choice, repr(self))
        if held.dtype.is_integer():
            chosen = held.fill_null(-1).to_numpy()
            options = np.full(len(chosen), chosen.max() + 1)
        else:
            numbers = [self._by_option(value, row) for row, value in enumerate(held.to_list(), start=1)]
            chosen = np.array([int(np.argmax(each)) if each else -1 for each in numbers])
            options = np.array([len(each) for each in numbers])
        if self.answer is None:
            places = np.arange(max(options.max(), 1))
            return Choices(chosen, (places < options[:, None]) / np.maximum(options, 1)[:, None])
        right = data.column(frame, self.answer, repr(self)).cast(pl.Int64).to_numpy()
        return Choices(chosen, np.eye(max(options.max(), right.max() + 1))[right])

    def _by_option(self, value: Any, row: int) -> Sequence[float]:
        """A row's number for each option; none where the row holds nothing."""
        where = f"{self!r}: row {row}, column {self.choice!r}"
        numbers = data.literal(value, where) if isinstance(value, str) and value else value or ()
        if isinstance(numbers, (list, tuple)) and all(isinstance(each, (int, float)) for each in numbers):
            return numbers
        msg = f"{where} should hold the place of an option or a list with a number for each; it holds {value!r:.60}"
        raise BadData(msg)

    def _keyed(self, rows: data.Rows) -> Samples:
        for name in (*self.scored_columns, *self.keys):
            data.column(rows.frame, name, repr(self))
        samples = super()._keyed(rows)
        if not self.keys or self.cluster or self.pair:
            return samples
        # the same sample is the same cluster in every model's recording
        return replace(samples, cluster=np.array([*map(str, rows.frame.select(self.keys).iter_rows())], dtype=object))

    def _source(self) -> data.Files | data.Frame:
        return data.source_of(self.data, data.callers_folder(), self.read)

    def _mine(self, samples: Samples, model: str) -> np.ndarray:
        models = self._models(samples.frame)
        mine = np.array([each == model for each in models])
        if not mine.any():
            names = sorted({each for each in models if each is not None})
            msg = (
                f"{self!r} has no recording of {model!r} in {self.model!r}; it has "
                f"{', '.join(names)}{data.near(model, names)}"
            )
            raise BadData(msg)
        return mine

    def _models(self, frame: pl.DataFrame) -> list[str | None]:
        """Whose each row is."""
        assert self.model is not None
        return data.column(frame, self.model, repr(self)).cast(pl.String).to_list()

    def _check_key(self, frame: pl.DataFrame) -> None:
        if not self.keys:
            return
        twice = frame.group_by(self.keys, maintain_order=True).len().filter(pl.col("len") > 1)
        if twice.height:
            *held, count = twice.row(0)
            named = ", ".join(f"{name}={value!r}" for name, value in zip(self.keys, held, strict=True))
            msg = f"{self!r}: {count} rows have {named}; key= names the columns that tell one sample from the others"
            raise BadData(msg)

    def _without_dropped(self, samples: Samples) -> Samples:
        kept, dropped = np.ones(len(samples), dtype=bool), []
        for _, column in self.columns:
            gone = self._stands_for(samples.frame, column, "drop") & kept
            if gone.any():
                dropped.append(Dropped(f"{column} is missing", samples.frame.filter(pl.Series(gone))))
                kept &= ~gone
        if not dropped:
            return samples
        if not kept.any():
            msg = f"{self!r}: every one of its {len(samples)} rows is dropped, since {dropped[0].reason}"
            raise BadData(msg)
        return replace(samples.take(np.flatnonzero(kept)), dropped=tuple(dropped))

    def _stands_for(self, frame: pl.DataFrame, name: str, wanted: Policy) -> np.ndarray:
        """Which values of a column stand for a missing one that this is to be done with."""
        numbers = self._numbers(frame, name)
        held = np.zeros(len(numbers), dtype=bool)
        for sentinel, policy in self._policies:
            if policy == wanted:
                held |= np.isnan(numbers) if sentinel is None else numbers == sentinel
        return held

    def _values(self, frame: pl.DataFrame, name: str) -> np.ndarray:
        found = np.where(self._stands_for(frame, name, "zero"), 0.0, self._numbers(frame, name))
        lacking = ~np.isfinite(found) | self._stands_for(frame, name, "error")
        if lacking.any():
            row = int(lacking.argmax())
            what, how = "missing", "'drop' or 'zero'"
            if np.isinf(found[row]):
                what, how = "infinite", f"{{float('{found[row]}'): 'drop'}}"
            msg = (
                f"{self!r}: {int(lacking.sum())} of {frame.height} scores in {name!r} are {what}, the "
                f"first in row {row + 1}; say what becomes of them: missing={how}"
            )
            raise BadData(msg)
        low, high = self._range(name) or (-np.inf, np.inf)
        if found.min() < low or found.max() > high:
            msg = (
                f"{self!r}: {name!r} goes from {found.min()} to {found.max()}, outside the declared range {(low, high)}"
            )
            raise BadData(msg)
        return found

    def _range(self, column: str) -> tuple[float, float] | None:
        """What was declared of a column."""
        by_column = dict(self.range) if self.range and isinstance(self.range[0], tuple) else None  # type: ignore[arg-type, index]
        return by_column.get(column) if by_column is not None else self.range  # type: ignore[return-value]

    def _numbers(self, frame: pl.DataFrame, name: str) -> np.ndarray:
        """A column as numbers, NaN where it holds none."""
        values = data.column(frame, name, repr(self))
        if not values.dtype.is_numeric() and values.dtype not in {pl.Boolean, pl.Null}:
            odd = values.is_not_null()
            if values.dtype == pl.String:
                odd &= values.cast(pl.Float64, strict=False).is_null()
            row = int(odd.arg_max() or 0)
            msg = (
                f"{self!r}: score={name!r} should be a column of numbers; it holds {values.dtype}: "
                f"{values[row]!r:.60} in row {row + 1}"
            )
            raise BadData(msg)
        return values.cast(pl.Float64).fill_null(np.nan).to_numpy()

    def _scored(self, samples: Samples, said: Said) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The scores of raw answers by name, and their statuses."""
        scored = [self.scored(text, row, said) for text, row in self.texts(samples)]
        values = np.array([[score.value for score in scores] for scores in scored], dtype=float)
        status = [next((score.status for score in scores if score.status != "ok"), "ok") for scores in scored]
        return {name: values[:, at] for at, (name, _) in enumerate(self.own_scorers)}, np.array(status, dtype=object)
