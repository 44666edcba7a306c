"""What samples of this size could decide, before their answers are known, by how their values would vary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special

from fairprobe.statistics.bounds import CHUNK, DRAWS, Spread, gaussian, largest, spread
from fairprobe.statistics.contrasts import Asked, Tested, as_contrasts
from fairprobe.statistics.decision import enough_clusters
from fairprobe.statistics.inversion import fewest, tests_of

if TYPE_CHECKING:
    from fairprobe.statistics.estimates import Estimates, FloatArray

POWER = 0.8


ROUNDS = 3
"""In which the distance that is shown settles."""


class Power(NamedTuple):
    """Three answers for a question and a bound, each with a chance of `POWER`."""

    below: float
    """The value, or gap of otherwise equal groups, at which it is shown to lie below the bound."""
    above: float
    """The value at which it is shown to lie above the bound, whichever groups make it."""
    needed: int | None
    """From how many clusters in the smallest group on it is shown; None where more of them would not show it."""


def power(
    design: Estimates, asked: Asked, *, confidence: float = 0.95, truth: float | None = None, seed: int = 0
) -> Power:
    """What a design can decide. Its values serve for how they vary; its groups are taken to be equal.

    `truth` is the value of a group (of `by` and `overall`) for which the number of clusters is told. A gap is taken
    to be 0 and a ratio 1: that equal groups be shown to be equal is what a bound is for.

    >>> from fairprobe.statistics import estimate
    >>> paired = estimate([1, 0] * 300, [0] * 300 + [1] * 300, [*range(300)] * 2, ["en_in", "en_us"])
    >>> apart = estimate([1, 0] * 300, [0] * 300 + [1] * 300, range(600), ["en_in", "en_us"])
    >>> [round(power(each, Asked("gap", "<", 0.2)).below, 3) for each in (paired, apart)]
    [0.192, 0.08]
    """
    alpha = round(1 - confidence, 12)
    tested = as_contrasts(design.theta, asked)
    known = spread(design, tested.contrasts)
    if not np.isfinite(known.error).all():
        return Power(-np.inf, np.inf, None)
    errors = gaussian(design, DRAWS, seed)
    # contrasts of a ratio are shares of the largest value
    unit = float(design.theta.max()) if asked.question == "ratio" else 1.0

    def margin_of_each(times: float) -> float:
        larger = spread(design.times(times), tested.contrasts)
        return _margin_of_each(errors / np.sqrt(times), tested, larger, alpha) / unit

    def margin_of_any(distance: float) -> float:
        apart = _apart(design, distance)
        drawn = errors if apart is design else gaussian(apart, DRAWS, seed)
        return _margin_of_any(drawn, tested, spread(apart, tested.contrasts), alpha, seed) / unit

    each, any_ = margin_of_each(1.0), margin_of_any(0.0)
    if asked.question == "gap":
        # what is so far apart varies more than what is equal, and so must be a little further apart
        for _ in range(ROUNDS):
            any_ = margin_of_any(asked.bound + any_)
    turned = asked.question == "ratio" or (asked.question != "gap" and not asked.less)
    return Power(
        below=asked.bound - (any_ if turned else each),
        above=asked.bound + (each if turned else any_),
        needed=_needed(design, asked, truth, alpha, margin_of_each),
    )


def _apart(design: Estimates, distance: float) -> Estimates:
    """The design with one group of each pair so far behind, since some of its answers are at the low end.

    That takes away a share of the spread that there was, and adds that of who is at the end.
    """
    room = design.theta - design.low
    if not design.bounded or distance <= 0 or (room < distance).any():
        return design
    own, gone = np.diag(design.covariance), distance / room
    more = np.maximum((1 - gone) * (own + distance * room / design.kish) - own, 0.0)
    return replace(design, covariance=design.covariance + np.diag(more / 2))


def _needed(
    design: Estimates, asked: Asked, truth: float | None, alpha: float, margin: Callable[[float], float]
) -> int | None:
    """From how many clusters on the claim is shown, where the value is what it is taken to be.

    `margin` is how far from the bound a value must lie to be shown, with so many times the clusters.
    """
    taken = {"gap": 0.0, "ratio": 1.0}.get(asked.question, truth)
    if taken is None:
        return None
    room = asked.bound - taken if asked.less else taken - asked.bound
    if room <= 0:
        return None
    tests = None
    if asked.question in {"by", "overall"}:
        # a rate is judged by tests of its own: of answers that are all right, twenty show little
        at = replace(design, theta=np.full_like(design.theta, taken))
        tested = as_contrasts(at.theta, asked)
        tests = tests_of(at, asked, tested, alpha)
    own = int(design.counts.min())

    def shows(clusters: int) -> bool:
        times = clusters / own
        return margin(times) <= room and (tests is None or tests.below(tested.threshold, times) < alpha)

    return fewest(shows, enough_clusters(design.bounded))


def _margin_of_each(errors: FloatArray, tested: Tested, known: Spread, alpha: float) -> float:
    """How far above the contrasts of equal groups a threshold lies that all are shown to lie below."""
    half, reach = known.upper(alpha) - known.value, np.empty(len(errors))
    for start in range(0, len(errors), CHUNK):
        part = tested.contrasts.of(errors[start : start + CHUNK])
        reach[start : start + CHUNK] = ((np.abs(part) if tested.mirrored else part) + half).max(axis=1)
    return float(np.quantile(reach, POWER))


def _margin_of_any(errors: FloatArray, tested: Tested, known: Spread, alpha: float, seed: int) -> float:
    """How far above a threshold a contrast lies that is shown to reach it, whichever it is."""
    top = largest(errors, tested.contrasts, known, tested.mirrored, seed)
    tail = special.ndtr(-np.quantile(top, 1 - alpha))
    return float(((special.ndtri(POWER) - special.stdtrit(known.freedom, tail)) * known.error).max())
