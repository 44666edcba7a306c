"""What a gap is made of: how much of a group's distance is invalid answers, truncation, length, position, or the rest.

Differences of means are taken apart as Kitagawa (1955) does: what two groups' shares of a class of samples differ in,
at the mean of their values, and what their values differ in, at the mean of their shares. These add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fairprobe.expressions import Above, Expectation, Measure, measures, walk
from fairprobe.guards.answers import INVALID
from fairprobe.metrics import Grouped, Look, Part, grouped, labelled, measured, numbers, reference_index

PARTS = ("invalid", "truncated", "length", "position", "rest")
LENGTHS = 3
"""Classes of prompts by length, with as many samples each."""


@dataclass(frozen=True)
class Behind:
    """How far a group lies behind another, and the parts of that: they sum to it."""

    group: str
    other: str
    value: float
    parts: Mapping[str, float]


def diagnose(expectation: Expectation, look: Look) -> tuple[Behind, ...]:
    """Each group's distance from the best-off or the reference, taken apart; nothing where a question has no gap.

    Of plain means of one task alone: differences between tasks, correlations, weighted means and values that are
    corrected for a judge's errors have no such parts.
    """
    question = expectation.question
    if question.kind != "gap" or any(isinstance(part, Above) for part in walk(question.metric)):
        return ()
    data = grouped(question, measured(question.metric, look))
    values = data.values[0]
    weighted = values.parts[0].outcomes.samples.weight is not None
    if len(data.values) > 1 or values.statistic is not None or values.labelled is not None or weighted:
        return ()
    reference = reference_index(question, data.labels)
    means = data.estimates().theta
    other = int(np.argmax(means)) if reference is None else reference
    return tuple(_behind(expectation, data, place, other) for place in np.argsort(means).tolist() if place != other)


def _behind(expectation: Expectation, data: Grouped, place: int, other: int) -> Behind:
    values, at = data.values[0], data.index[0]
    measure = next(measures(expectation.question.metric))
    signs = [1.0 if part.role == "model" else -1.0 for part in values.parts]
    found = [_parts(measure, part, values.kept & (at == other), values.kept & (at == place)) for part in values.parts]
    parts = {name: sum(sign * each[name] for sign, each in zip(signs, found, strict=True)) for name in PARTS}
    return Behind(labelled(data.labels[place]), labelled(data.labels[other]), sum(parts.values()), parts)


def _parts(measure: Measure, part: Part, best: np.ndarray, own: np.ndarray) -> dict[str, float]:
    outcomes = part.outcomes
    values, _ = numbers(measure, outcomes)
    held = ~np.isnan(values)
    kind = np.select([np.isin(outcomes.status, INVALID), outcomes.status == "truncated"], [1, 2], 0)
    groups = [_Group(values, mask & held) for mask in (best, own)]
    ok = [each.of(kind == 0) for each in groups]
    usual = _mean([each.mean for each in ok])
    parts = dict.fromkeys(PARTS, 0.0)
    for name, code in (("invalid", 1), ("truncated", 2)):
        mine = [each.of(kind == code) for each in groups]
        apart = _share(mine[0], groups[0]) - _share(mine[1], groups[1])
        parts[name] = apart * (_mean([each.mean for each in mine]) - usual) if apart else 0.0
        parts["rest"] += _both(mine, groups) * _difference(mine)
    within = _both(ok, groups)
    for name, value in _taken_apart(ok, [("length", _lengths(part)), ("position", _positions(part))]):
        parts[name] += within * value
    return parts


@dataclass(frozen=True, eq=False)
class _Group:
    values: np.ndarray
    mask: np.ndarray

    @property
    def size(self) -> int:
        return int(self.mask.sum())

    @property
    def mean(self) -> float:
        return float(self.values[self.mask].mean()) if self.size else float("nan")

    def of(self, kind: np.ndarray) -> _Group:
        return _Group(self.values, self.mask & kind)


def _taken_apart(
    groups: Sequence[_Group], classes: Sequence[tuple[str, np.ndarray | None]]
) -> Iterator[tuple[str, float]]:
    """What each classing in turn tells of the difference of two means, and what is left."""
    if not all(each.size for each in groups):
        return
    if not classes:
        yield "rest", _difference(groups)
        return
    (name, code), *further = classes
    if code is None:
        yield from _taken_apart(groups, further)
        return
    for each in np.unique(code[groups[0].mask | groups[1].mask]).tolist():
        mine = [group.of(code == each) for group in groups]
        apart = _share(mine[0], groups[0]) - _share(mine[1], groups[1])
        yield name, apart * _mean([group.mean for group in mine])
        yield from ((part, _both(mine, groups) * value) for part, value in _taken_apart(mine, further))


def _share(part: _Group, whole: _Group) -> float:
    return part.size / whole.size if whole.size else 0.0


def _both(parts: Sequence[_Group], wholes: Sequence[_Group]) -> float:
    return float(np.mean([_share(part, whole) for part, whole in zip(parts, wholes, strict=True)]))


def _mean(means: Sequence[float]) -> float:
    held = [mean for mean in means if not np.isnan(mean)]
    return float(np.mean(held)) if held else 0.0


def _difference(groups: Sequence[_Group]) -> float:
    # a class that only one group has tells of shares, not of values
    return groups[0].mean - groups[1].mean if all(each.size for each in groups) else 0.0


def _lengths(part: Part) -> np.ndarray | None:
    """Short, middling and long prompts."""
    texts = part.outcomes.prompts
    if not any(texts):
        return None
    size = np.array([len(text or "") for text in texts])
    return np.searchsorted(np.quantile(size, np.arange(1, LENGTHS) / LENGTHS), size)


def _positions(part: Part) -> np.ndarray | None:
    """Where the right option stands, or the one that people prefer."""
    choices = part.outcomes.choices
    return None if choices is None else choices.expected.argmax(axis=1)
