"""Two rates against a bound by score tests, which hold where answers of a kind are few: z of a difference d.

A score test's variance is that under its own null, so rates near 0 and 1 do not look certain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairprobe.statistics.contrasts import Contrasts
    from fairprobe.statistics.estimates import BoolArray, Estimates, FloatArray

SPARSE = 10
"""Fewer answers of a kind than this, and the limits of t err."""


def miettinen_nurminen(x1: ArrayLike, n1: ArrayLike, x2: ArrayLike, n2: ArrayLike, d: float) -> FloatArray:
    """How many standard errors `p1 - p2` lies above `d`, of two independent rates (Miettinen and Nurminen 1985).

    >>> miettinen_nurminen(95, 100, 90, 100, 0.1).round(6).tolist()
    -1.263328
    """
    x1, n1, x2, n2 = (np.asarray(each, dtype=np.float64) for each in (x1, n1, x2, n2))
    d = float(np.clip(d, -1 + 1e-12, 1 - 1e-12))
    p1, p2, r = x1 / n1, x2 / n2, n2 / n1
    # the rates that are likeliest among those that differ by d: a cubic's root, in closed form
    a = 1 + r
    b = -(1 + r + p1 + r * p2 + d * (r + 2))
    c = d**2 + d * (2 * p1 + r + 1) + p1 + r * p2
    e = -p1 * d * (1 + d)
    v = b**3 / (27 * a**3) - b * c / (6 * a**2) + e / (2 * a)
    u = np.where(v < 0, -1.0, 1.0) * np.sqrt(np.maximum(b**2 / (9 * a**2) - c / (3 * a), 1e-24))
    w = (np.pi + np.arccos(np.clip(v / u**3, -1.0, 1.0))) / 3
    q1 = np.clip(2 * u * np.cos(w) - b / (3 * a), max(0.0, d), min(1.0, 1 + d))
    q2 = np.clip(q1 - d, 0.0, 1.0)
    total = n1 + n2
    variance = (q1 * (1 - q1) / n1 + q2 * (1 - q2) / n2) * total / (total - 1)
    return _z(p1 - p2 - d, variance)


def tango(b: ArrayLike, c: ArrayLike, n: ArrayLike, d: float) -> FloatArray:
    """How many standard errors `(b - c) / n` lies above `d`; b and c of n pairs differ, to either side (Tango 1998).

    >>> tango(12, 4, 120, 0.0128454).round(4).tolist()
    1.6449
    """
    b, c, n = (np.asarray(each, dtype=np.float64) for each in (b, c, n))
    d = float(np.clip(d, -1 + 1e-12, 1 - 1e-12))
    linear = -b - c + (2 * n - b + c) * d
    constant = -c * d * (1 - d)
    q = (np.sqrt(np.maximum(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
    return _z((b - c - n * d) / n, (2 * q + d * (1 - d)) / n)


class Sparse(NamedTuple):
    """The contrasts whose answers are so few that only score tests hold for them, and their counts."""

    few: BoolArray
    """(K,) which."""
    paired: BoolArray
    """(F,) of these, which are of the same clusters."""
    counts: FloatArray
    """(F, 4) b, c, n, n of paired ones; successes and answers of either group of the others."""

    def z(self, threshold: float, times: float) -> FloatArray:
        """(F,) z of these contrasts against the threshold, had there been so many times the answers."""
        z = np.empty(len(self.paired))
        for paired in (True, False):
            at = self.paired == paired
            if at.any():
                w, x, y, n = times * self.counts[at].T
                z[at] = tango(w, x, y, threshold) if paired else miettinen_nurminen(w, x, y, n, threshold)
        return z


def sparse(estimates: Estimates, contrasts: Contrasts) -> Sparse | None:
    """The contrasts that need score tests: differences of two rates, and changes of one; None where none does."""
    signs = estimates.whole and estimates.alike and (estimates.low, estimates.high) == (-1.0, 1.0)
    if not (contrasts.pairs and estimates.rates) and not (signs and not contrasts.minus.any()):
        return None
    counts = estimates.counts
    n = counts[contrasts.first].astype(np.float64)
    if signs:
        answers = _answers(estimates)
        up, down = (answers > 0).sum(axis=0), (answers < 0).sum(axis=0)
        rises = contrasts.plus > 0
        b = np.where(rises, up[contrasts.first], down[contrasts.first])
        c = np.where(rises, down[contrasts.first], up[contrasts.first])
        few = b + c < SPARSE
        return _sparse(few, np.ones_like(few), (b, c, n, n))
    first, second = contrasts.first, contrasts.second
    shared = estimates.shared[first, second]
    paired = (shared == counts[first]) & (shared == counts[second])
    yes = np.rint(estimates.theta * counts)
    both = np.zeros_like(estimates.covariance)
    if paired.any():
        answers = _answers(estimates)
        both = answers.T @ answers
    b, c = yes[first] - both[first, second], yes[second] - both[first, second]
    fewest = np.minimum(yes, counts - yes)
    few = np.where(paired, b + c, np.minimum(fewest[first], fewest[second])) < SPARSE
    few &= paired | (shared == 0)
    table = ((b, yes[first]), (c, n), (n, yes[second]), (n, counts[second]))
    return _sparse(few, paired, tuple(np.where(paired, *each) for each in table))


def _answers(estimates: Estimates) -> FloatArray:
    """(C, G): the one answer of each cluster in each group, 0 where there is none."""
    answers: FloatArray = np.rint((estimates.psi * estimates.counts + estimates.theta) * estimates.present)
    return answers


def _sparse(few: BoolArray, paired: BoolArray, counts: tuple[ArrayLike, ...]) -> Sparse | None:
    if not few.any():
        return None
    return Sparse(few, paired[few], np.stack(counts, axis=1)[few].astype(np.float64))


def _z(difference: FloatArray, variance: FloatArray) -> FloatArray:
    known = variance > 1e-18
    z = difference / np.sqrt(np.where(known, variance, 1.0))
    return np.where(known, z, np.where(difference == 0, 0.0, np.copysign(np.inf, difference)))
