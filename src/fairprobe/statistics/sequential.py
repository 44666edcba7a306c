"""Verdicts that hold whenever asking stops: betting e-processes at the bound (Waudby-Smith and Ramdas 2020, 2024).

Clusters are asked in an order that was shuffled before anything was known. Against each contrast's reaching its
threshold a bettor stakes on the next cluster, whose expected value is known if it does; what the stakes have come to is
an e-value. It reaches 1/alpha with a probability of at most alpha if the contrast does reach it, however often one
looks.

Of a benchmark it is known which clusters are left, so that their mean at the threshold moves with every answer (without
replacement); of samples like these it does not (iid).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from fairprobe.statistics.contrasts import Asked, Contrasts, Tested, as_contrasts
from fairprobe.statistics.estimates import BoolArray, FloatArray, IntArray
from fairprobe.statistics.inversion import crossing

FRACTIONS = (0.06, 0.12, 0.25, 0.5)
"""Of the most that can be staked; the capital is spread evenly over these, whichever turns out to be right."""
BLOCK = 2_000_000
"""Numbers in one array, so that many groups take no more memory than few."""
TOLERANCE = 1e-4
"""Of limits."""
NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class Course:
    """What is known of G groups after some of C clusters, in the order in which they are asked."""

    weights: FloatArray
    """(C, G) the weight of each cluster's samples in each group, asked or not."""
    least: FloatArray
    """(C, G) the weighted sum of their values, a missing one at the low end; 0 where they were not asked."""
    most: FloatArray
    """(C, G) the same, a missing one at the high end."""
    known: IntArray
    """(G,) how many of the first clusters were asked about each group."""
    low: float
    """The least value that a sample can have."""
    high: float
    """The greatest."""
    finite: bool
    """Whether it is about these very clusters; else about ones like these."""

    @cached_property
    def total(self) -> FloatArray:
        """(G,) the weight of each group."""
        total: FloatArray = self.weights.sum(axis=0)
        return total

    @cached_property
    def theta(self) -> FloatArray:
        """(G,) each group's value so far; the middle of the range where nothing is known."""
        return self._mean(*(each.sum(axis=0) for each in (self._middle, self._heard)))

    @cached_property
    def guesses(self) -> FloatArray:
        """(C, G) each group's value by what came before a cluster."""
        return self._mean(*(np.cumsum(each, axis=0) - each for each in (self._middle, self._heard)))

    def _mean(self, values: FloatArray, weight: FloatArray) -> FloatArray:
        """With the middle of the range for a few more clusters, so that there is one from the start."""
        prior = 2 * self.total / np.maximum((self.weights > 0).sum(axis=0), 1)
        mean: FloatArray = (values + prior * (self.low + self.high) / 2) / (weight + prior)
        return mean

    @property
    def _middle(self) -> FloatArray:
        return (self.least + self.most) / 2

    @property
    def _heard(self) -> FloatArray:
        return self.weights * (np.arange(len(self.weights))[:, None] < self.known)


class Evidence(NamedTuple):
    """What the stakes have come to, as logarithms of e-values. They never fall, since one may look at any time."""

    tested: Tested
    contrasts: Contrasts
    below: FloatArray
    """(K,) against each contrast's reaching the threshold."""
    above: float
    """Against all of them lying below it."""

    @property
    def all_below(self) -> float:
        """Against any contrast's reaching it: each has to be shown not to."""
        return float(self.below.min())

    def unsettled(self, groups: int, alpha: float) -> BoolArray:
        """(G,) the groups that some contrast reads which is not shown to lie below the threshold."""
        held, still = np.zeros(groups, dtype=np.bool_), self.below < -np.log(alpha)
        held[self.contrasts.first[still]] = held[self.contrasts.second[still]] = True
        return held


def evidence(course: Course, asked: Asked) -> Evidence:
    """The e-values of a question's two claims at its bound, by what is known so far."""
    tested = as_contrasts(course.theta, asked)
    contrasts = tested.contrasts.both_ways() if tested.mirrored else tested.contrasts
    # that it reaches a threshold is that its negative does not lie above the threshold's
    negative = contrasts._replace(plus=-contrasts.plus, minus=-contrasts.minus)
    equal_is_above = passes_below(asked) != (asked.comparison in {"<=", ">="})
    below = [paths.max(axis=1) for paths in _paths(course, contrasts, tested.threshold, exact=not equal_is_above)]
    together = np.full(len(course.weights), -np.inf)
    for paths in _paths(course, negative, -tested.threshold, exact=equal_is_above):
        # an average of e-processes is one, if it is of one moment
        together = np.logaddexp(together, np.logaddexp.reduce(paths, axis=0))
    return Evidence(tested, contrasts, np.concatenate(below), float(together.max() - np.log(len(contrasts.first))))


def limits(course: Course, asked: Asked, alpha: float) -> tuple[float, float]:
    """What the question's value is shown to lie above, and below, each with a probability of at least 1 - alpha.

    They hold whenever asking stops: a confidence sequence.
    """
    needed, ends = -np.log(alpha), asked.ends(course.low, course.high)

    def margin(bound: float, below: bool) -> float:
        held = evidence(course, asked._replace(bound=bound))
        return float(np.clip((held.all_below if below else held.above) - needed, -1e3, 1e3))

    # contrasts below their threshold mean a value above the bound of a floor or a ratio
    turned = asked.question == "ratio" or (asked.question != "gap" and not asked.less)
    return (
        crossing(lambda bound: -margin(bound, turned), *ends, TOLERANCE),
        crossing(lambda bound: margin(bound, not turned), *ends, TOLERANCE),
    )


def passes_below(asked: Asked) -> bool:
    """Whether the claim is that all contrasts lie below their threshold; else it is that one does not."""
    return {"gap": asked.less, "ratio": not asked.less}.get(asked.question, True)


def _paths(course: Course, contrasts: Contrasts, threshold: float, *, exact: bool) -> Iterator[FloatArray]:
    """(K, C) in blocks: the logarithm of what staking against each contrast's reaching a threshold has come to.

    Of a benchmark that is known whole it is certain; `exact` says whether one that equals the threshold lies below it.
    """
    size = max(1, BLOCK // (len(course.weights) * len(FRACTIONS)))
    for start in range(0, len(contrasts.first), size):
        yield _path(course, Contrasts(*(each[start : start + size] for each in contrasts)), threshold, exact)


class _Leg(NamedTuple):
    """One of the two groups of each of K contrasts."""

    coefficient: FloatArray
    """(K, 1)"""
    present: BoolArray
    """(K, C) whether a cluster holds samples of it."""
    size: FloatArray
    """(K, C) the cluster's share of the group, with a mean of 1."""
    total: FloatArray
    """(K, C) size times the mean of the cluster's values, missing ones so that the contrast is high."""
    guess: FloatArray
    """(K, C) of the group's value."""
    reach: FloatArray
    """(K, C) how far the contrast can lie above what the guess makes of it, for a cluster of size 1."""
    known: IntArray
    """(K, 1)"""

    @classmethod
    def of(cls, course: Course, group: IntArray, coefficient: FloatArray, clusters: IntArray) -> _Leg:
        up, reads = coefficient[:, None] > 0, coefficient[:, None] != 0
        share = clusters / course.total[group][:, None]
        guess = course.guesses.T[group]
        return cls(
            coefficient[:, None],
            (course.weights.T[group] > 0) & reads,
            course.weights.T[group] * share,
            np.where(up, course.most.T[group], course.least.T[group]) * share,
            guess,
            np.abs(coefficient[:, None]) * np.where(up, course.high - guess, guess - course.low),
            np.where(reads, course.known[group][:, None], len(course.weights)),
        )


def _path(course: Course, contrasts: Contrasts, threshold: float, exact: bool) -> FloatArray:
    """(K, C) as `_paths`.

    Staked on is each cluster's part of the contrast, scaled so that its mean over the clusters is the contrast. Values
    are counted from the guess: else a cluster with one of two groups alone would mostly say which it holds.
    """
    groups = ((contrasts.first, contrasts.plus), (contrasts.second, -contrasts.minus))
    reads = [(course.weights.T[group] > 0) & (coefficient != 0)[:, None] for group, coefficient in groups]
    present = reads[0] | reads[1]
    clusters, left = present.sum(axis=1, keepdims=True), np.maximum(_to_come(present), 1)
    legs = [_Leg.of(course, group, coefficient, clusters) for group, coefficient in groups]
    sizes = [_to_come(leg.size * leg.present) / left for leg in legs]
    playing = present & (np.arange(present.shape[1]) < np.minimum(*(leg.known for leg in legs)))
    parts = sum(leg.coefficient * leg.total for leg in legs)
    whole = parts.sum(axis=1)
    if course.finite:
        scale = [np.ones(size.shape) for size in sizes]
        expected = (clusters * threshold - (np.cumsum(parts, axis=1) - parts)) / left
    else:
        # of ones like these, those that are left tell best how large the next is
        for leg, size in zip(legs, sizes, strict=True):
            playing &= (size > NOTHING) | (leg.coefficient == 0)
        scale = [1 / np.where(size > NOTHING, size, 1.0) for size in sizes]
        expected = np.full(present.shape, threshold)
    expected = expected + sum(
        leg.coefficient * leg.guess * (1 - size * by) for leg, size, by in zip(legs, sizes, scale, strict=True)
    )
    came = sum(
        leg.coefficient * (leg.guess + by * (leg.total - leg.guess * leg.size))
        for leg, by in zip(legs, scale, strict=True)
    )
    most = sum(leg.coefficient * leg.guess for leg in legs) + _reach(legs, scale)
    room = most - expected
    stakes = np.where(playing & (room > NOTHING), (expected - came) / np.maximum(room, NOTHING), 0.0)
    wealth = [np.cumsum(np.log1p(np.maximum(part * stakes, NOTHING - 1)), axis=1) for part in FRACTIONS]
    path = np.logaddexp.reduce(wealth) - np.log(len(FRACTIONS))
    if course.finite:
        path[np.maximum.accumulate(playing & (room < -NOTHING), axis=1)] = np.inf
        at_end = clusters[:, 0] * threshold
        lies_below = (whole < at_end - NOTHING) | (exact & (np.abs(whole - at_end) <= NOTHING))
        path[lies_below & (playing == present).all(axis=1), -1] = np.inf
    return path


def _reach(legs: list[_Leg], scale: list[FloatArray]) -> FloatArray:
    """(K, C) how far a cluster's part can lie above what the guesses make of it, for the largest cluster there is."""
    first, second = (leg.present for leg in legs)
    kinds = (first & second, first & ~second, ~first & second)
    of_kinds = [
        sum(
            leg.reach * by * (leg.size * (kind & leg.present)).max(axis=1, keepdims=True)
            for leg, by in zip(legs, scale, strict=True)
        )
        for kind in kinds
    ]
    return np.maximum.reduce(of_kinds)


def _to_come(held: FloatArray | BoolArray) -> FloatArray:
    """(K, C) the sum from each cluster on."""
    turned: FloatArray = np.cumsum(held[:, ::-1].astype(np.float64), axis=1)[:, ::-1]
    return turned
