"""Metrics as values: written down now, measured once a model has responded.

A metric's measurement is a number per sample, or several signed ones where tasks differ; a question's columns turn
it into estimates: one value per group, with how these values vary and co-vary.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl

from fairprobe import data, statistics
from fairprobe.errors import BadData, BadExpectation, UnknownGroup
from fairprobe.expressions import Change, Difference, Matched, Measure, Metric, Question, Where
from fairprobe.statistics import Estimates
from fairprobe.tasks import Outcomes, Recorded, Task
from fairprobe.tasks.recorded import natural_range

Role = Literal["model", "baseline"]
KNOW_CHANCE = frozenset({"accuracy", "exact_match"})
"""Metrics that an answer which knows nothing has a value of."""
Look = Callable[[Task, Role], Outcomes]
"""Where a task's outcomes with one checkpoint are looked up."""


def accuracy(task: Task) -> Metric:
    """The mean of a task's first score: the share of right answers.

    >>> accuracy(clues).by("dialect") > 0.3
    accuracy(clues).by('dialect') > 0.3
    """
    return _targeted(_measure("accuracy", task))


def exact_match(task: Task) -> Metric:
    """The share of answers that equal their target, normalised: the scores of `scorers.exact_match`.

    >>> exact_match(clues).gap("dialect") < 0.05
    exact_match(clues).gap('dialect') < 0.05
    """
    if "exact_match" not in _measure("exact_match", task).task.score_names:
        msg = f"{task!r} has no score named 'exact_match'; it has {', '.join(task.score_names)}"
        raise BadExpectation(msg)
    return _targeted(_measure("exact_match", task))


def mean(task: Task, column: str) -> Metric:
    """The mean of a numeric column of the outcomes: a score by its name, or a column of the samples.

    >>> mean(answers, "similarity").gap("country") < 0.1
    mean(answers, 'similarity').gap('country') < 0.1
    """
    measure = replace(_measure("mean", task), column=column)
    return _targeted(measure) if column in task.score_names else measure


def valid_rate(task: Task) -> Metric:
    """The share of answered samples that are answers: neither empty, nor unparsable, nor refused.

    >>> valid_rate(clues).by("dialect") > 0.95
    valid_rate(clues).by('dialect') > 0.95
    """
    return _measure("valid_rate", task)


def _measure(function: str, task: object) -> Measure:
    if not isinstance(task, Task):
        msg = f"{function}() takes a task, as in {function}(Generation('clues.jsonl', …)), not {task!r:.60}"
        raise BadExpectation(msg)
    return Measure(function, task)


def _targeted(measure: Measure) -> Measure:
    if measure.task.lacks_target:
        msg = (
            f"{measure!r} would be 0 for every model: {measure.task!r} names no target to compare answers with. "
            "Give it one, target='column', or a scorer of your own."
        )
        raise BadExpectation(msg)
    return measure


class NoEvidence(Exception):
    """A group has no answered sample, so it has no value."""


@dataclass(frozen=True, eq=False)
class Part:
    """One checkpoint's outcomes of one task, as far as a metric reads them."""

    role: Role
    task: Task
    outcomes: Outcomes


@dataclass(frozen=True, eq=False)
class Values:
    """A number per sample of one task (NaN where none came), which samples are kept, and the numbers' range.

    `noise` is the variance of each number by the draw of its answers, NaN where answers are drawn once; `drawn` says
    that there is such a draw, whether or not the answers to a sample agree.
    """

    parts: tuple[Part, ...]
    value: np.ndarray
    noise: np.ndarray
    kept: np.ndarray
    low: float
    high: float
    drawn: bool
    sign: Literal[1, -1] = 1

    @property
    def task(self) -> Task:
        """The task that the samples belong to."""
        return self.parts[0].task

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Every column of the samples."""
        return self.parts[0].outcomes.samples.frame

    @property
    def lacking(self) -> np.ndarray:
        """Whether a kept sample has no value, since its answer did not come."""
        return np.asarray(self.kept & np.isnan(self.value))

    def only(self, mask: np.ndarray) -> Values:
        """These samples alone."""
        return replace(self, kept=self.kept & mask)

    def negated(self) -> Values:
        """The same numbers, to be subtracted."""
        return replace(self, sign=-1 if self.sign == 1 else 1)

    def plus(self, other: Values) -> Values:
        """The sum with the signed numbers of the same samples."""
        total = self.sign * self.value + other.sign * other.value
        lows = sorted(self.sign * bound for bound in (self.low, self.high))
        others = sorted(other.sign * bound for bound in (other.low, other.high))
        low, high = lows[0] + others[0], lows[1] + others[1]
        return replace(
            self, parts=self.parts + other.parts, value=total, noise=self.noise + other.noise, low=low, high=high,
            drawn=self.drawn or other.drawn, sign=1,
        )  # fmt: skip

    def shares_samples(self, other: Values) -> bool:
        """Whether the other numbers are of the same samples."""
        return self.task == other.task and np.array_equal(self.kept, other.kept)


def measured(metric: Metric, look: Look, role: Role = "model") -> list[Values]:
    """A metric's numbers, one `Values` for each task that it reads; they add up with their signs."""
    match metric:
        case Measure():
            return [_values(metric, look(metric.task, role), role)]
        case Where():
            return [_where(values, metric.conditions) for values in measured(metric.metric, look, role)]
        case Matched():
            return [_matched(values, metric.column) for values in measured(metric.metric, look, role)]
        case Change():
            after, before = (measured(metric.metric, look, role) for role in ("model", "baseline"))
            _check_same_samples(after, before)
            return _summed(after + [values.negated() for values in before])
        case Difference():
            right = measured(metric.right, look, role)
            return _summed(measured(metric.left, look, role) + [values.negated() for values in right])
    msg = f"{metric!r} is no metric that can be measured"
    raise BadExpectation(msg)


@dataclass(frozen=True, eq=False)
class Grouped:
    """Values with the groups that a question compares."""

    values: list[Values]
    labels: tuple[tuple[Hashable, ...], ...]
    index: list[np.ndarray]

    @property
    def lacks_any(self) -> bool:
        """Whether an answer that is counted in a group did not come."""
        return any(bool(np.any(v.lacking & (at >= 0))) for v, at in zip(self.values, self.index, strict=True))

    @property
    def drawn(self) -> bool:
        """Whether another run would bring other answers."""
        return any(values.drawn for values in self.values)

    @property
    def noise_is_known(self) -> bool:
        """Whether every sample that varies so was answered several times."""
        return not any(
            bool(np.isnan(v.noise[v.kept & (at >= 0)]).any()) for v, at in zip(self.values, self.index, strict=True)
        )

    def estimates(self, imputed: Sequence[Literal["low", "high"]] | None = None, *, fixed: bool = False) -> Estimates:
        """The groups' values. Missing ones are left out, or taken so that the value comes to the `imputed` end.

        They are those of samples like these; if `fixed`, of these very samples, and vary by the draw of answers alone.
        """
        total = self._part(0, imputed, fixed)
        # what is subtracted lowers the value by being high
        against = imputed and ["low" if end == "high" else "high" for end in imputed]
        for number in range(1, len(self.values)):
            total = statistics.subtract(total, self._part(number, against, fixed))
        return total

    def _part(self, number: int, imputed: Sequence[str] | None, fixed: bool) -> Estimates:
        values, at = self.values[number], self.index[number]
        numbers = values.value
        if imputed is not None:
            filled = np.array([values.high if end == "high" else values.low for end in imputed])
            numbers = np.where(values.lacking & (at >= 0), filled[np.maximum(at, 0)], numbers)
        used = values.kept & (at >= 0) & ~np.isnan(numbers)
        empty = sorted(set(range(len(self.labels))) - set(at[used].tolist()))
        if empty:
            msg = f"no sample of {labelled(self.labels[empty[0]])} in {values.task!r} was answered"
            raise NoEvidence(msg)
        samples = values.parts[0].outcomes.samples
        # equal prompts are asked once: what varies by the draw is the prompt's answer, and each part's by itself
        prompts = values.parts[0].outcomes.prompts
        drawn = [(number, prompts[place] if prompts else place) for place in np.flatnonzero(used).tolist()]
        cluster = drawn if fixed else samples.cluster[used]
        return statistics.estimate(
            numbers[used], at[used], cluster, tuple(map(labelled, self.labels)),
            weights=None if samples.weight is None else samples.weight[used],
            noise=values.noise[used] if fixed else None, low=values.low, high=values.high,
        )  # fmt: skip


def grouped(question: Question, values: Sequence[Values]) -> Grouped:
    """The values by the question's columns. Raises where a column, a group or a pair does not fit the question."""
    signed = _ordered(values)
    labels = _labels(signed[0], question.columns)
    for other in signed[1:]:
        if _labels(other, question.columns) != labels:
            tasks = f"{signed[0].task!r} and {other.task!r}"
            msg = f"{question.plain}: {tasks} do not have the same groups of {', '.join(question.columns)}"
            raise BadData(msg)
    _check(question, signed, labels)
    index = [_index(v.frame, question.columns, labels) for v in signed]
    for part, at in zip(signed, index, strict=True):
        _check_same_groups(question, part, at, labels)
    return Grouped(signed, labels, index)


def reference_index(question: Question, labels: Sequence[tuple[Hashable, ...]]) -> int | None:
    """The place of the question's reference group. Raises `UnknownGroup` where there is none such."""
    if question.reference is None:
        return None
    reference = question.reference if isinstance(question.reference, tuple) else (question.reference,)
    if reference not in labels:
        msg = (
            f"{question.plain}: there is no group {question.reference!r}; there are {', '.join(map(labelled, labels))}"
        )
        raise UnknownGroup(msg)
    return list(labels).index(reference)


def _values(metric: Measure, outcomes: Outcomes, role: Role) -> Values:
    value, (low, high) = numbers(metric, outcomes)
    part = Part(role, metric.task, outcomes)
    size, name = len(outcomes.samples), _score(metric, outcomes)
    drawn = metric.task.drawn and (name in outcomes.scores or metric.function == "valid_rate")
    noise = outcomes.noise.get(name, np.full(size, np.nan if drawn else 0.0))
    return Values((part,), value, noise, np.ones(size, dtype=bool), low, high, drawn)


def _score(metric: Measure, outcomes: Outcomes) -> str:
    """The name of the score or column that a measure reads."""
    first = next(iter(outcomes.scores))
    return metric.column or (first if metric.function == "accuracy" else metric.function)


def numbers(metric: Measure, outcomes: Outcomes) -> tuple[np.ndarray, tuple[float, float]]:
    """A measure's numbers and their range."""
    if metric.function == "valid_rate":
        valid = np.isin(outcomes.status, ["ok", "truncated"]).astype(float)
        return np.where(outcomes.answered, valid, np.nan), (0.0, 1.0)
    name = _score(metric, outcomes)
    if name in outcomes.scores:
        return outcomes.scores[name], outcomes.range_of(name)
    column = data.column(outcomes.samples.frame, name, f"{metric!r}: {metric.task!r} has no score {name!r} and")
    if not column.dtype.is_numeric():
        msg = f"{metric!r}: column {name!r} should hold numbers; it holds {column.dtype}"
        raise BadData(msg)
    held = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return held, natural_range(held[~np.isnan(held)])


def _where(values: Values, conditions: Sequence[tuple[str, Hashable]]) -> Values:
    for name, wanted in conditions:
        held = data.column(values.frame, name, repr(values.task)).to_list()
        mask = np.array([(type(value) is not bool and value == wanted) or value is wanted for value in held])
        if not mask.any():
            some = sorted({str(value) for value in held if value is not None})
            shown = ", ".join(some[:12]) + (", …" if len(some) > 12 else "")
            msg = f"{values.task!r} has no sample whose {name!r} is {wanted!r}; there are {shown}"
            raise UnknownGroup(msg)
        values = values.only(mask)
    if not values.kept.any():
        msg = f"{values.task!r} has no sample that meets all of {dict(conditions)!r}"
        raise UnknownGroup(msg)
    return values


def _matched(values: Values, column: str) -> Values:
    pair = values.parts[0].outcomes.samples.pair
    if pair is None:
        msg = f"{values.task!r} declares no pair, so .matched({column!r}) does not know which samples belong together"
        raise BadExpectation(msg)
    groups = data.column(values.frame, column, repr(values.task)).to_list()
    wanted = {group for group, kept in zip(groups, values.kept, strict=True) if kept and group is not None}
    found: dict[Hashable, set[Hashable]] = {}
    for key, group, kept in zip(pair, groups, values.kept, strict=True):
        if kept and group is not None:
            found.setdefault(key, set()).add(group)
    mask = np.array([found.get(key) == wanted for key in pair])
    if not (values.kept & mask).any():
        msg = f"{values.task!r} has no pair with a sample in every group of {column!r}"
        raise BadData(msg)
    return values.only(mask)


def _summed(parts: Sequence[Values]) -> list[Values]:
    """Numbers of the same samples added up, so that what varies together is subtracted sample by sample."""
    total: list[Values] = []
    for part in parts:
        place = next((at for at, other in enumerate(total) if other.shares_samples(part)), None)
        if place is None:
            total.append(part)
        else:
            total[place] = total[place].plus(part)
    return total


def _ordered(values: Sequence[Values]) -> list[Values]:
    """A first positive part, then parts that are all subtracted."""
    first, *rest = values
    return [first, *(v if v.sign == -1 else replace(v, value=-v.value, low=-v.high, high=-v.low) for v in rest)]


def _labels(values: Values, columns: Sequence[str]) -> tuple[tuple[Hashable, ...], ...]:
    """The groups among the kept samples, in an order that does not depend on the samples' own."""
    for name in columns:
        if data.column(values.frame, name, repr(values.task)).dtype.is_nested():
            held = values.frame.schema[name]
            msg = f"{values.task!r}: column {name!r} holds {held}, which is no group; a group is one value"
            raise BadData(msg)
    if not columns:
        return ((),)
    rows = values.frame.filter(pl.Series(values.kept)).select(columns).drop_nulls().unique().rows()
    return tuple(sorted(rows, key=lambda row: tuple((str(type(value)), value) for value in row)))


def _index(frame: pl.DataFrame, columns: Sequence[str], labels: Sequence[tuple[Hashable, ...]]) -> np.ndarray:
    """The group of every sample; -1 where a column of it is empty."""
    if not columns:
        return np.zeros(frame.height, dtype=int)
    places: Mapping[Any, int] = {label: place for place, label in enumerate(labels)}
    return np.array([places.get(row, -1) for row in frame.select(columns).iter_rows()], dtype=int)


def _check(question: Question, values: Sequence[Values], labels: Sequence[tuple[Hashable, ...]]) -> None:
    if question.kind in {"gap", "ratio"} and len(labels) < 2:
        only = labelled(labels[0]) if labels else "none at all"
        msg = f"{question.plain} compares groups, and the samples have one group only: {only}"
        raise BadData(msg)
    if not labels:
        msg = f"{question.plain}: no sample has a value in {', '.join(question.columns)}"
        raise BadData(msg)
    reference_index(question, labels)
    if question.kind == "ratio" and any(not np.isfinite([v.low, v.high]).all() or v.low < 0 for v in values):
        msg = f"{question.plain}: a ratio needs scores from 0 up to a highest value; these are unbounded. Use .gap()."
        raise BadExpectation(msg)
    for part in values:
        _check_pairs(question, part)


def _check_pairs(question: Question, values: Values) -> None:
    """A pair has one sample in a group, unless another column crosses the groups and tells its samples apart."""
    samples = values.parts[0].outcomes.samples
    if samples.pair is None or not question.columns:
        return
    pairs = pl.Series("__pair", [str(key) for key in samples.pair])
    keys = samples.frame.with_columns(pairs).filter(pl.Series(values.kept))
    twice = keys.group_by("__pair", *question.columns).len().filter(pl.col("len") > 1)
    if twice.is_empty() or _most_groups(keys, ["__pair"], question.columns) == 1:
        return
    # scores differ by chance: they tell no samples apart
    scores = dict(values.task.columns).values() if isinstance(values.task, Recorded) else ()
    others = [name for name in samples.frame.columns if name not in (*question.columns, *scores)]
    if any(_crosses(keys, name, question.columns) for name in others):
        return
    pair, *group, count = twice.sort(twice.columns).row(0)
    msg = (
        f"{values.task!r}: pair {pair!r} has {count} samples in {labelled(tuple(group))}; "
        f"a pair is one question put once to each group of {', '.join(question.columns)}"
    )
    raise BadData(msg)


def _crosses(keys: pl.DataFrame, name: str, columns: Sequence[str]) -> bool:
    """Whether a column tells apart a pair's samples in each group, with the same values across the groups."""
    if keys.schema[name].is_nested() or keys.group_by("__pair", *columns, name).len()["len"].max() != 1:
        return False
    return _most_groups(keys, ["__pair", name], columns) > 1


def _most_groups(keys: pl.DataFrame, within: Sequence[str], columns: Sequence[str]) -> int:
    """The largest number of groups that rows with the same values of `within` lie in."""
    return int(keys.group_by(within).agg(pl.struct(columns).n_unique().alias("__groups"))["__groups"].to_numpy().max())


def _check_same_samples(after: Sequence[Values], before: Sequence[Values]) -> None:
    """A change is a difference on the same samples; recordings of two models may hold different ones."""
    for new, old in zip(after, before, strict=True):
        ours, theirs = new.parts[0].outcomes.samples, old.parts[0].outcomes.samples
        keys = [(ours.cluster, theirs.cluster), (new.kept, old.kept)]
        keys += [(ours.pair, theirs.pair)] if ours.pair is not None and theirs.pair is not None else []
        if not all(np.array_equal(mine, other) for mine, other in keys):
            msg = (
                f"{new.task!r}: the model has {len(ours)} samples and the baseline {len(theirs)}, and they are not "
                "the same ones in the same order; a change needs both on the same samples"
            )
            raise BadData(msg)


def _check_same_groups(question: Question, values: Values, at: np.ndarray, labels: Sequence[Any]) -> None:
    """Recordings that are compared sample by sample have the same groups in the same rows."""
    for part in values.parts[1:]:
        frame = part.outcomes.samples.frame
        if frame is not values.frame and not np.array_equal(_index(frame, question.columns, labels), at):
            msg = (
                f"{question.plain}: the rows of {values.task!r} for the {part.role} are in other groups of "
                f"{', '.join(question.columns)} than the model's; a change needs the same samples in the same order"
            )
            raise BadData(msg)


def labelled(label: tuple[Hashable, ...]) -> str:
    """A group in words."""
    return " x ".join(map(str, label)) or "all samples"
