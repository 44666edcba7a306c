"""Every question as one claim: the largest of some contrasts of the groups' values lies below a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from fairprobe.statistics.estimates import FloatArray, IntArray

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Question = Literal["gap", "by", "ratio", "overall"]
Comparison = Literal["<", "<=", ">", ">="]


class Contrasts(NamedTuple):
    """K contrasts `plus * theta[first] - minus * theta[second]`; `minus` is 0 where a group stands alone."""

    first: IntArray
    second: IntArray
    plus: FloatArray
    minus: FloatArray

    @property
    def pairs(self) -> bool:
        """Whether these are plain differences of two groups."""
        return bool((self.plus == 1).all() and (self.minus == 1).all())

    def of(self, values: ArrayLike) -> FloatArray:
        """(…, K): the contrasts of values (…, G)."""
        held = np.asarray(values)
        contrasts: FloatArray = self.plus * held[..., self.first] - self.minus * held[..., self.second]
        return contrasts

    def least(self, values: ArrayLike) -> FloatArray:
        """(K,): the smaller of the values (G,) of the groups that a contrast reads."""
        held = np.asarray(values, dtype=np.float64)
        return np.where(self.minus == 0, held[self.first], np.minimum(held[self.first], held[self.second]))

    def part(self, which: slice) -> Contrasts:
        """Some of them."""
        return Contrasts(self.first[which], self.second[which], self.plus[which], self.minus[which])

    def both_ways(self) -> Contrasts:
        """(2K) the contrasts of two groups, and their contraries."""
        return Contrasts(
            np.concatenate((self.first, self.second)),
            np.concatenate((self.second, self.first)),
            np.concatenate((self.plus, self.minus)),
            np.concatenate((self.minus, self.plus)),
        )


class Asked(NamedTuple):
    """A question and the bound that its value is compared with."""

    question: Question
    comparison: Comparison
    bound: float
    reference: int | None = None
    """The group that others are compared with, of a gap."""
    two_sided: bool = False
    """Whether it counts if a group lies above the reference; where there is none, on which side of 0 a value lies."""

    @property
    def less(self) -> bool:
        """Whether the value should lie below the bound."""
        return self.comparison in {"<", "<="}

    def ends(self, low: float, high: float) -> tuple[float, float]:
        """The least and the greatest value that there can be, of groups' values in [low, high].

        >>> Asked("gap", "<", 0.1).ends(0.0, 1.0), Asked("gap", "<", 0.1, reference=2).ends(0.0, 1.0)
        ((0.0, 1.0), (-1.0, 1.0))
        """
        if self.question == "ratio":
            return 0.0, 1.0
        if self.question == "gap":
            signed = self.reference is not None and not self.two_sided
            return (low - high if signed else 0.0), high - low
        return (0.0, max(abs(low), abs(high))) if self.two_sided else (low, high)


class Tested(NamedTuple):
    """The largest of `contrasts` lies below `threshold`: what is tested, in one form for all questions."""

    contrasts: Contrasts
    threshold: float
    mirrored: bool
    """The contrasts stand for both of their signs."""
    between: tuple[int, ...] | None
    """The groups that make the value: (higher, lower) of a gap or ratio, (worst,) of `by`, none of `overall`."""

    @property
    def size(self) -> int:
        """How many contrasts are read, each sign of a mirrored one by itself."""
        return len(self.contrasts.first) * (2 if self.mirrored else 1)


def as_contrasts(theta: FloatArray, asked: Asked) -> Tested:
    """The question's contrasts and where they must lie, that the value be on the lower side of the bound."""
    if asked.question == "gap":
        return _gap(theta, asked)
    if asked.question == "ratio":
        return Tested(ratios(len(theta), asked.bound), 0.0, False, _apart(theta))
    if asked.two_sided:
        return Tested(alone(len(theta)), asked.bound, True, (int(np.abs(theta).argmax()),))
    sign = 1.0 if asked.less else -1.0
    worst = (int((sign * theta).argmax()),) if asked.question == "by" else None
    return Tested(alone(len(theta), sign), sign * asked.bound, False, worst)


def alone(size: int, sign: float = 1.0) -> Contrasts:
    """Each group by itself."""
    each = np.arange(size)
    return Contrasts(each, each, np.full(size, sign), np.zeros(size))


def ratios(size: int, ratio: float) -> Contrasts:
    """`ratio * theta_j - theta_i` for all i != j: all below 0 iff every value exceeds `ratio` times every other."""
    i, j = np.nonzero(~np.eye(size, dtype=np.bool_))
    return Contrasts(j, i, np.full(len(i), ratio), np.ones(len(i)))


def value_of(theta: FloatArray, asked: Asked, between: tuple[int, ...] | None) -> float:
    """The question's value, of the groups that make it."""
    question = asked.question
    if question in {"by", "overall"}:
        value = float(theta[between[0] if between else 0])
        return abs(value) if asked.two_sided else value
    assert between is not None
    higher, lower = theta[between[0]], theta[between[1]]
    return float(lower / higher if question == "ratio" else higher - lower)


def _gap(theta: FloatArray, asked: Asked) -> Tested:
    reference, two_sided = asked.reference, asked.two_sided
    if reference is None:
        first, second = np.triu_indices(len(theta), 1)
        return Tested(_differences(first, second), asked.bound, True, _apart(theta))
    others = np.delete(np.arange(len(theta)), reference)
    contrasts = _differences(np.full(len(others), reference), others)
    short = contrasts.of(theta)
    far = int((np.abs(short) if two_sided else short).argmax())
    between = (reference, int(others[far]))
    return Tested(contrasts, asked.bound, two_sided, between[::-1] if two_sided and short[far] < 0 else between)


def _differences(first: IntArray, second: IntArray) -> Contrasts:
    return Contrasts(first, second, np.ones(len(first)), np.ones(len(first)))


def _apart(theta: FloatArray) -> tuple[int, int]:
    top, bottom = int(theta.argmax()), int(theta.argmin())
    # where all values are equal, argmax and argmin name the same group
    return (top, bottom) if top != bottom else (0, 1)
