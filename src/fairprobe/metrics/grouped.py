"""A metric's numbers by the groups that a question compares: one value per group, and how these vary and co-vary."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl

from fairprobe import data, statistics
from fairprobe.errors import BadData, BadExpectation, UnknownGroup
from fairprobe.expressions import Question
from fairprobe.metrics.values import NoEvidence, Values, labelled
from fairprobe.standings import Selection
from fairprobe.statistics import Estimates, Told
from fairprobe.tasks import Labelled, Recorded


@dataclass(frozen=True, eq=False)
class Grouped:
    """Values with the groups that a question compares."""

    values: list[Values]
    labels: tuple[tuple[Hashable, ...], ...]
    index: list[np.ndarray]
    columns: tuple[str, ...] = ()

    @property
    def lacks_any(self) -> bool:
        """Whether an answer that is counted in a group did not come."""
        return any(bool(np.any(v.lacking & (at >= 0))) for v, at in zip(self.values, self.index, strict=True))

    @property
    def drawn(self) -> bool:
        """Whether another run would bring other answers."""
        return any(values.drawn for values in self.values)

    @property
    def bounded(self) -> bool:
        """Whether every number lies in a finite range, so that a missing one can be imputed."""
        return all(
            v.statistic is None and not v.divides and bool(np.isfinite([v.low, v.high]).all()) for v in self.values
        )

    @property
    def noise_is_known(self) -> bool:
        """Whether every sample that varies so was answered several times."""
        return not any(
            bool(np.isnan(v.noise[v.kept & (at >= 0)]).any()) for v, at in zip(self.values, self.index, strict=True)
        )

    def with_evidence(self) -> Grouped:
        """The groups alone that have a value on every side."""
        held = [
            {*at[v.kept & (at >= 0) & ~np.isnan(v.value)].tolist()}
            for v, at in zip(self.values, self.index, strict=True)
        ]
        return self._at(sorted(set.intersection(*held)))

    def among(self, labels: Collection[tuple[Hashable, ...]]) -> Grouped:
        """These groups alone."""
        return self._at([place for place, label in enumerate(self.labels) if label in labels])

    def _at(self, places: Sequence[int]) -> Grouped:
        # the last place stands for samples of no group, which are at -1
        renumbered = np.full(len(self.labels) + 1, -1)
        renumbered[places] = np.arange(len(places))
        labels = tuple(self.labels[at] for at in places)
        return replace(self, labels=labels, index=[renumbered[at] for at in self.index])

    def estimates(self, imputed: Sequence[Literal["low", "high"]] | None = None, *, fixed: bool = False) -> Estimates:
        """The groups' values. Missing ones are left out, or taken so that the value comes to the `imputed` end.

        They are those of samples like these; if `fixed`, of these very samples, and vary by the draw of answers alone.
        """
        total = self._part(0, imputed, fixed)
        # what is subtracted lowers the value by being high
        against = imputed and ["low" if end == "high" else "high" for end in imputed]
        for number in range(1, len(self.values)):
            combined = statistics.divide if self.values[number].divides else statistics.subtract
            total = combined(total, self._part(number, against, fixed))
        return total

    def _part(self, number: int, imputed: Sequence[str] | None, fixed: bool) -> Estimates:
        values, at = self.values[number], self.index[number]
        numbers = values.value
        if imputed is not None:
            filled = np.array([values.high if end == "high" else values.low for end in imputed])
            numbers = np.where(values.lacking & (at >= 0), filled[np.maximum(at, 0)], numbers)
        used = values.kept & (at >= 0) & ~np.isnan(numbers)
        names = tuple(map(labelled, self.labels))
        empty = sorted(set(range(len(self.labels))) - set(at[used].tolist()))
        if empty:
            msg = f"no sample of {labelled(self.labels[empty[0]])} in {values.task!r} was answered"
            raise NoEvidence(msg)
        if values.statistic is not None:
            chosen = Selection(np.flatnonzero(used), numbers[used], at[used], names, values.low, values.high)
            return values.statistic(values.parts[0].outcomes, chosen)
        samples = values.parts[0].outcomes.samples
        # equal prompts are asked once: what varies by the draw is the prompt's answer, and each part's by itself
        prompts, cluster = values.parts[0].outcomes.prompts, samples.cluster[used]
        if fixed and values.drawn:
            cluster = [(number, prompts[place] if prompts else place) for place in np.flatnonzero(used).tolist()]
        counted = statistics.estimate(
            numbers[used], at[used], cluster, names,
            weights=None if samples.weight is None else samples.weight[used],
            noise=values.noise[used] if fixed else None, low=values.low, high=values.high,
        )  # fmt: skip
        if values.labelled is None:
            return counted
        # what a judge gets wrong cancels in a change but for its size
        level = 1.0 if len(values.parts) == 1 else 0.0
        return statistics.corrected(counted, told(values.labelled, self.columns, self.labels), level)


def told(sheet: Labelled, columns: Sequence[str], labels: Sequence[tuple[Hashable, ...]]) -> list[Told]:
    """What a judge said of labelled answers, for each group; of all, where they have not the groups' columns.

    Raises `NoEvidence` for a group of which no answer is labelled right, or none wrong.
    """
    known = np.isfinite(sheet.scored)
    apart = bool(columns) and set(columns) <= set(sheet.frame.columns)
    rows = list(sheet.frame.select(columns).iter_rows()) if apart else [()] * len(known)
    return [_told(sheet, known & np.array([not apart or row == label for row in rows]), label) for label in labels]


def _told(sheet: Labelled, held: np.ndarray, label: tuple[Hashable, ...]) -> Told:
    right, wrong = held & sheet.right, held & ~sheet.right
    if not right.any() or not wrong.any():
        lacks = "right" if not right.any() else "wrong"
        msg = f"no answer of {labelled(label)} is labelled {lacks}, so the judge's errors there are not known"
        raise NoEvidence(msg)
    scored = sheet.scored
    return Told(float(scored[right].sum()), int(right.sum()), float(scored[wrong].sum()), int(wrong.sum()))


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
    return Grouped(signed, labels, index, tuple(question.columns))


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


def _ordered(values: Sequence[Values]) -> list[Values]:
    """A first positive part, then parts that are all subtracted."""
    first, *rest = values
    if any(v.statistic is not None and v.sign == 1 for v in rest):
        msg = f"{rest[0].task!r}: metrics that are no means of samples cannot be added up; write one difference, a - b"
        raise BadExpectation(msg)
    return [first, *(v if v.sign == -1 else replace(v, value=-v.value, low=-v.high, high=-v.low) for v in rest)]


def _labels(values: Values, columns: Sequence[str]) -> tuple[tuple[Hashable, ...], ...]:
    """The groups among the kept samples and the rows left out, in an order that does not depend on the samples' own.

    A group of which every row is left out is one without evidence, not one that is not asked about.
    """
    for name in columns:
        if data.column(values.frame, name, repr(values.task)).dtype.is_nested():
            held = values.frame.schema[name]
            msg = f"{values.task!r}: column {name!r} holds {held}, which is no group; a group is one value"
            raise BadData(msg)
    if not columns:
        return ((),)
    left_out = [frame for each in values.left_out if {*columns} <= {*(frame := each.rows.frame).columns}]
    frames = [values.frame.filter(pl.Series(values.kept)), *left_out]
    rows = {row for frame in frames for row in frame.select(columns).drop_nulls().unique().rows()}
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


def _check_same_groups(question: Question, values: Values, at: np.ndarray, labels: Sequence[Any]) -> None:
    """Recordings that are compared sample by sample have the same groups in the same rows."""
    for part in values.parts[1:]:
        frame = part.outcomes.samples.frame
        for name in question.columns:
            data.column(frame, name, f"{values.task!r} for the {part.role}")
        if frame is not values.frame and not np.array_equal(_index(frame, question.columns, labels), at):
            msg = (
                f"{question.plain}: the rows of {values.task!r} for the {part.role} are in other groups of "
                f"{', '.join(question.columns)} than the model's; a change needs the same samples in the same order"
            )
            raise BadData(msg)
