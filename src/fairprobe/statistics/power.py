"""What samples of this size could decide, before their answers are known, by how their values would vary."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special

from fairprobe.statistics.bounds import CHUNK, DRAWS, Spread, gaussian, largest, spread
from fairprobe.statistics.contrasts import Asked, Tested, as_contrasts
from fairprobe.statistics.decision import LEAST_CLUSTERS, LEAST_CLUSTERS_UNBOUNDED
from fairprobe.statistics.inversion import fewest, tests_of

if TYPE_CHECKING:
    from fairprobe.statistics.estimates import Estimates

POWER = 0.8


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
    tested = as_contrasts(design, asked)
    known = spread(design, tested.contrasts)
    if not np.isfinite(known.error).all():
        return Power(-np.inf, np.inf, None)
    # contrasts of a ratio are shares of the largest value
    unit = float(design.theta.max()) if asked.question == "ratio" else 1.0
    each = _margin_of_each(design, tested, alpha, seed) / unit
    any_ = _margin_of_any(design, tested, known, alpha, seed) / unit
    turned = asked.question == "ratio" or (asked.question != "gap" and not asked.less)
    return Power(
        below=asked.bound - (any_ if turned else each),
        above=asked.bound + (each if turned else any_),
        needed=_needed(design, asked, truth, alpha, seed),
    )


def _needed(design: Estimates, asked: Asked, truth: float | None, alpha: float, seed: int) -> int | None:
    """From how many clusters on the claim is shown, where the value is what it is taken to be."""
    taken = {"gap": 0.0, "ratio": 1.0}.get(asked.question, truth)
    room = 0.0 if taken is None else asked.bound - taken if asked.less else taken - asked.bound
    if room <= 0 or taken is None:
        return None
    tested = as_contrasts(design, asked)
    unit = float(design.theta.max()) if asked.question == "ratio" else 1.0
    own = int(design.counts.min())
    # a rate is judged by tests of its own: of answers that are all right, twenty show little
    alone = asked.question in {"by", "overall"}
    tests = tests_of(replace(design, theta=np.full_like(design.theta, taken)), asked, tested, alpha) if alone else None

    def shows(clusters: int) -> bool:
        margin = _margin_of_each(design.times(clusters / own), tested, alpha, seed) / unit
        return margin <= room and (tests is None or tests.below(tested.threshold, clusters / own) < alpha)

    return fewest(shows, LEAST_CLUSTERS if design.bounded else LEAST_CLUSTERS_UNBOUNDED)


def _margin_of_each(design: Estimates, tested: Tested, alpha: float, seed: int) -> float:
    """How far above the contrasts of equal groups a threshold lies that all are shown to lie below."""
    known = spread(design, tested.contrasts)
    half = -special.stdtrit(known.freedom, alpha) * known.error
    errors, reach = gaussian(design, DRAWS, seed), np.empty(DRAWS)
    for start in range(0, DRAWS, CHUNK):
        part = tested.contrasts.of(errors[start : start + CHUNK])
        reach[start : start + CHUNK] = ((np.abs(part) if tested.mirrored else part) + half).max(axis=1)
    return float(np.quantile(reach, POWER))


def _margin_of_any(design: Estimates, tested: Tested, known: Spread, alpha: float, seed: int) -> float:
    """How far above a threshold a contrast lies that is shown to reach it, whichever it is."""
    top = largest(gaussian(design, DRAWS, seed), tested.contrasts, known, tested.mirrored, seed)
    tail = special.ndtr(-np.quantile(top, 1 - alpha))
    return float(((special.ndtri(POWER) - special.stdtrit(known.freedom, tail)) * known.error).max())
