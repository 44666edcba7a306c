"""Verdicts that hold whenever asking stops: betting e-processes at the bound (Waudby-Smith and Ramdas 2020, 2024).

Clusters are asked in an order that was shuffled before anything was known. Against each contrast's reaching its
threshold a bettor stakes on the next cluster, whose expected value is known if it does; what the stakes have come to is
an e-value. It reaches 1/alpha with a probability of at most alpha if the contrast does reach it, however often one
looks.

Of a benchmark it is known which clusters are left, so that their mean at the threshold moves with every answer (without
replacement); of samples like these it does not (iid). These are samples of clusters of such sizes: few that are very
large, and unlike the others, are not seen before they come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from fairprobe.statistics.contrasts import Asked, Contrasts, Tested, as_contrasts, value_of
from fairprobe.statistics.decision import Decision, side
from fairprobe.statistics.estimates import BoolArray, FloatArray, IntArray
from fairprobe.statistics.inversion import crossing

FRACTIONS = (0.06, 0.12, 0.25, 0.5)
"""Of the most that can be staked; the capital is spread evenly over these, whichever turns out to be right."""
BLOCK = 2_000_000
"""Numbers in one array, so that many groups take no more memory than few."""
TOLERANCE = 1e-4
"""Of limits."""
NOTHING = 1e-9
LARGEST = 700.0
"""Logarithm of an e-value that a float still holds."""


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
    def guesses(self) -> FloatArray:
        """(C, G) each group's value by what came before a cluster; the middle of the range stands for a few more."""
        values, weight = (np.cumsum(each, axis=0) - each for each in (self._middle, self._heard))
        prior = 2 * self.total / np.maximum((self.weights > 0).sum(axis=0), 1)
        guesses: FloatArray = (values + prior * (self.low + self.high) / 2) / (weight + prior)
        return guesses

    @property
    def clusters(self) -> IntArray:
        """(G,) how many of each group were asked."""
        clusters: IntArray = (self._heard > 0).sum(axis=0)
        return clusters

    @property
    def means(self) -> FloatArray:
        """(G,) each group's mean so far, a missing value in the middle of the range; NaN where nothing is known."""
        values, weight = (each.sum(axis=0) for each in (self._middle, self._heard))
        means: FloatArray = np.divide(values, weight, out=np.full(len(weight), np.nan), where=weight > 0)
        return means

    def only(self, group: int) -> Course:
        """One group by itself."""
        columns = [group]
        return replace(
            self, weights=self.weights[:, columns], least=self.least[:, columns], most=self.most[:, columns],
            known=self.known[columns],
        )  # fmt: skip

    @property
    def _middle(self) -> FloatArray:
        middle: FloatArray = (self.least + self.most) / 2
        return middle

    @property
    def _heard(self) -> FloatArray:
        heard: FloatArray = self.weights * (np.arange(len(self.weights))[:, None] < self.known)
        return heard


@dataclass(frozen=True, eq=False)
class Evidence:
    """What stakes on a question's two claims have come to, by what is known so far, as logarithms of e-values.

    They never fall, since one may look at any time.
    """

    course: Course
    asked: Asked

    @cached_property
    def tested(self) -> Tested:
        """The contrasts and their threshold."""
        return as_contrasts(np.nan_to_num(self.course.means, nan=self.course.low), self.asked)

    @cached_property
    def contrasts(self) -> Contrasts:
        """(K,) each by itself, both ways where it counts either way."""
        return self.tested.contrasts.both_ways() if self.tested.mirrored else self.tested.contrasts

    @cached_property
    def below(self) -> FloatArray:
        """(K,) against each contrast's reaching the threshold."""
        paths = _paths(self.course, self.contrasts, self.tested.threshold, exact=not self._equal_is_above)
        return np.concatenate([each.max(axis=1) for each in paths])

    @cached_property
    def above(self) -> float:
        """Against all of them lying below it."""
        # that one reaches a threshold is that its negative does not lie above the threshold's
        negative = self.contrasts._replace(plus=-self.contrasts.plus, minus=-self.contrasts.minus)
        together = np.full(len(self.course.weights), -np.inf)
        for paths in _paths(self.course, negative, -self.tested.threshold, exact=self._equal_is_above):
            # an average of e-processes is one, if it is of one moment
            together = np.logaddexp(together, np.logaddexp.reduce(paths, axis=0))
        return float(together.max() - np.log(len(self.contrasts.first)))

    @property
    def all_below(self) -> float:
        """Against any contrast's reaching it: each has to be shown not to."""
        return float(self.below.min())

    @property
    def strongest(self) -> float:
        """Of the two claims."""
        return max(self.all_below, self.above)

    def unsettled(self, alpha: float) -> BoolArray:
        """(G,) the groups that some contrast reads which is not shown to lie below the threshold."""
        held, still = np.zeros(len(self.course.total), dtype=np.bool_), self.below < -np.log(alpha)
        held[self.contrasts.first[still]] = held[self.contrasts.second[still]] = True
        return held

    @property
    def _equal_is_above(self) -> bool:
        return passes_below(self.asked) != (self.asked.comparison in {"<=", ">="})


class Stopped(NamedTuple):
    """A decision with its e-values, infinite where it is certain."""

    decision: Decision
    for_pass: float
    for_fail: float


def confidence_sequence(course: Course, asked: Asked, alpha: float) -> tuple[float, float]:
    """What the question's value is shown to lie above, and below, each with a probability of at least 1 - alpha.

    They hold whenever asking stops.
    """
    needed, ends = -np.log(alpha), asked.ends(course.low, course.high)

    def margin(bound: float, below: bool) -> float:
        held = Evidence(course, asked._replace(bound=bound))
        return float(np.clip((held.all_below if below else held.above) - needed, -1e3, 1e3))

    # contrasts below their threshold mean a value above the bound of a floor or a ratio
    turned = asked.question == "ratio" or (asked.question != "gap" and not asked.less)
    return (
        crossing(lambda bound: -margin(bound, turned), *ends, TOLERANCE),
        crossing(lambda bound: margin(bound, not turned), *ends, TOLERANCE),
    )


def stopped(course: Course, asked: Asked, alpha: float) -> Stopped:
    """What is decided of a question by what is known so far. The value is that of what was asked."""
    held = Evidence(course, asked)
    for_pass, for_fail = (held.all_below, held.above) if passes_below(asked) else (held.above, held.all_below)
    passed, failed = (each >= -np.log(alpha) for each in (for_pass, for_fail))
    shown_below, shown_above = (passed, failed) if asked.less else (failed, passed)
    low, high = confidence_sequence(course, asked, alpha)
    between = None if asked.question == "overall" else held.tested.between
    drawn = "of these very samples, without replacement" if course.finite else "of samples like these"
    decision = Decision(
        outcome="fail" if failed else "pass" if passed else "inconclusive",
        value=value_of(course.means, asked, held.tested.between),
        # limits are found to a tolerance, and must not say otherwise than the verdict
        low=side(low, asked.bound, not shown_above),
        high=side(high, asked.bound, shown_below),
        between=between,
        p_value_pass=float(np.exp(-max(for_pass, 0.0))),
        p_value_fail=float(np.exp(-max(for_fail, 0.0))),
        clusters=int(course.clusters.min()),
        needed=None,
        equal_groups=None,
        method=f"betting e-processes {drawn}, which hold whenever asking stops",
    )
    return Stopped(decision, _e_value(for_pass), _e_value(for_fail))


def _e_value(log: float) -> float:
    """What a logarithm stands for: infinite where it is certain, else as large as a number can be."""
    return float(np.exp(log if np.isinf(log) else min(log, LARGEST)))


def passes_below(asked: Asked) -> bool:
    """Whether the claim is that all contrasts lie below their threshold; else it is that one does not."""
    return {"gap": asked.less, "ratio": not asked.less}.get(asked.question, True)


def _paths(course: Course, contrasts: Contrasts, threshold: float, *, exact: bool) -> Iterator[FloatArray]:
    """(K, C) in blocks: the logarithm of what staking against each contrast's reaching a threshold has come to.

    Of a benchmark that is known whole it is certain; `exact` says whether one that equals the threshold lies below it.
    """
    size = max(1, BLOCK // (len(course.weights) * len(FRACTIONS)))
    for start in range(0, len(contrasts.first), size):
        yield _path(course, contrasts.part(slice(start, start + size)), threshold, exact)


class _Leg(NamedTuple):
    """One of the two groups of each of K contrasts, cluster by cluster: (K, C), or (K, 1) where all are alike."""

    coefficient: FloatArray
    present: BoolArray
    """Whether the cluster holds samples of it."""
    playing: BoolArray
    """Whether it can be staked on: what is asked, or need not be."""
    size: FloatArray
    """The cluster's share of the group, scaled to a mean of 1 over the contrast's clusters."""
    total: FloatArray
    """Size times the mean of the cluster's values, missing ones so that the contrast is high."""
    guess: FloatArray
    """The group's value by what came before."""
    left: FloatArray
    """The mean size of the clusters that are left."""
    scale: FloatArray
    """By which sizes are multiplied: of samples like these, the mean of those that are left becomes 1."""
    reach: FloatArray
    """How far values can put the contrast above what the guess makes of it."""

    @classmethod
    def of(cls, course: Course, group: IntArray, coefficient: FloatArray, here: BoolArray) -> _Leg:
        """Of a group (K,) and its coefficient (K,), given `here`, the clusters of the contrast (K, C)."""
        factor, weights = coefficient[:, None], course.weights.T[group]
        share, guess = here.sum(axis=1, keepdims=True) / course.total[group][:, None], course.guesses.T[group]
        left = _to_come(weights * share * here) / np.maximum(_to_come(here), 1)
        is_left = left > NOTHING
        asked = np.arange(len(course.weights)) < course.known[group][:, None]
        return cls(
            factor, (weights > 0) & (factor != 0), (asked & (is_left | course.finite)) | (factor == 0), weights * share,
            np.where(factor > 0, course.most.T[group], course.least.T[group]) * share, guess, left,
            np.ones_like(left) if course.finite else 1 / np.where(is_left, left, 1.0),
            np.abs(factor) * np.where(factor > 0, course.high - guess, guess - course.low),
        )  # fmt: skip

    def part(self) -> FloatArray:
        """The cluster's part of the contrast, counted from the guess: its size then matters little."""
        part: FloatArray = self.coefficient * (self.guess + self.scale * (self.total - self.guess * self.size))
        return part

    def expected(self) -> FloatArray:
        """What counting from the guess adds to it, since those that are left are larger or smaller than others."""
        return self.coefficient * self.guess * (1 - self.left * self.scale)

    def furthest(self, kind: BoolArray) -> FloatArray:
        """How far a cluster of a kind can lie above what the guess makes of it, as large as there is one."""
        most: FloatArray = (self.size * (kind & self.present)).max(axis=1, keepdims=True)
        return self.reach * self.scale * most


def _path(course: Course, contrasts: Contrasts, threshold: float, exact: bool) -> FloatArray:
    """(K, C) as `_paths`, of some contrasts.

    Staked on is each cluster's part of the contrast, scaled so that its mean over the clusters is the contrast.
    """
    groups = ((contrasts.first, contrasts.plus), (contrasts.second, -contrasts.minus))
    here = np.logical_or(*((course.weights.T[group] > 0) & (factor != 0)[:, None] for group, factor in groups))
    one, other = (_Leg.of(course, group, factor, here) for group, factor in groups)
    playing = here & one.playing & other.playing
    expected: FloatArray = np.full(here.shape, threshold)
    if course.finite:
        total, clusters = one.coefficient * one.total + other.coefficient * other.total, here.sum(axis=1)
        expected = (clusters[:, None] * threshold - (np.cumsum(total, axis=1) - total)) / np.maximum(_to_come(here), 1)
    expected = expected + one.expected() + other.expected()
    kinds = (one.present & other.present, one.present & ~other.present, other.present & ~one.present)
    furthest = np.maximum.reduce([one.furthest(kind) + other.furthest(kind) for kind in kinds])
    room = one.coefficient * one.guess + other.coefficient * other.guess + furthest - expected
    short = expected - one.part() - other.part()
    gain = np.where(playing & (room > NOTHING), np.maximum(short / np.maximum(room, NOTHING), -1.0), 0.0)
    wealth = [np.cumsum(np.log1p(fraction * gain), axis=1) for fraction in FRACTIONS]
    path: FloatArray = np.logaddexp.reduce(wealth) - np.log(len(FRACTIONS))
    # every cluster would have to be the largest there is, or larger
    beyond = playing & ((room < -NOTHING) | ((room <= NOTHING) & (short > NOTHING)))
    path[np.maximum.accumulate(beyond, axis=1)] = np.inf
    if course.finite:
        over = total.sum(axis=1) - clusters * threshold
        path[(playing == here).all(axis=1) & (over < (NOTHING if exact else -NOTHING)), -1] = np.inf
    return path


def _to_come(held: FloatArray | BoolArray) -> FloatArray:
    """(K, C) the sum from each cluster on."""
    turned: FloatArray = np.cumsum(held[:, ::-1].astype(np.float64), axis=1)[:, ::-1]
    return turned
