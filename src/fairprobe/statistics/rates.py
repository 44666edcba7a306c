"""One rate against a bound: Wilson's limits, exact ones where answers are few, Korn and Graubard's in clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairprobe.statistics.estimates import BoolArray, Estimates, FloatArray


class Rates(NamedTuple):
    """K rates as so many successes among so many independent answers; both may be fractions."""

    successes: FloatArray
    n: FloatArray
    exact: bool
    """Whether only the exact limits hold for them."""


def rates_of(estimates: Estimates, alpha: float, times: float = 1.0) -> Rates:
    """The groups' rates; in clusters, or with weights, of as many independent answers as would tell as much.

    `times` is how many times the clusters there would be.
    """
    if estimates.rates:
        n = times * estimates.counts.astype(np.float64)
        return Rates(estimates.theta * n, n, exact=False)
    clusters = np.where(estimates.counts > 1, times * (estimates.freedom + 1), 1)
    variance = np.diag(estimates.covariance) / times
    n = korn_graubard(estimates.theta, variance, times * estimates.kish, clusters, alpha)
    return Rates(estimates.theta * n, n, exact=True)


def korn_graubard(rate: ArrayLike, variance: ArrayLike, n: ArrayLike, clusters: ArrayLike, alpha: float) -> FloatArray:
    """How many independent answers tell as much as `n` in clusters, for exact limits at one-sided alpha.

    Korn and Graubard (1998), as in the NCHS standards for proportions (2017): n over the design effect, corrected for
    the degrees of freedom, and at most n. Where all answers are the same, a cluster counts as one.

    >>> korn_graubard(0.96, 4e-4, 200, 40, 0.025).round(6).tolist()
    91.244535
    """
    p, v, n, c = (np.asarray(each, dtype=np.float64) for each in (rate, variance, n, clusters))
    # what is left by rounding is no variance
    known = (v > 1e-9 * p * (1 - p) / n) & (v > 0) & (c > 1)
    nu = np.where(known, c - 1, 1.0)
    correction = (special.stdtrit(np.maximum(n - 1, 1), alpha) / special.stdtrit(nu, alpha)) ** 2
    effective = np.where(known, p * (1 - p) / np.where(known, v, 1.0) * correction, c)
    # one cluster tells nothing of how clusters vary
    return np.where(c > 1, np.minimum(effective, n), 0.0)


def wilson(successes: ArrayLike, n: ArrayLike, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Wilson's score limits of a rate, each at one-sided alpha (0.025 for a two-sided 95 % interval).

    >>> [round(float(limit), 6) for limit in wilson(81, 263, 0.025)]
    [0.255289, 0.36621]
    """
    x, n = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    z2 = special.ndtri(alpha) ** 2
    centre = (x + z2 / 2) / (n + z2)
    half = np.sqrt(z2 * (x * (n - x) / np.maximum(n, 1e-9) + z2 / 4)) / (n + z2)
    return np.where(x == 0, 0.0, centre - half), np.where(x == n, 1.0, centre + half)


def clopper_pearson(successes: ArrayLike, n: ArrayLike, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Clopper and Pearson's exact limits of a rate, each at one-sided alpha.

    >>> [round(float(limit), 6) for limit in clopper_pearson(15, 148, 0.025)]
    [0.057844, 0.16165]
    """
    x, n = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    low = special.betaincinv(np.where(x > 0, x, 1.0), n - x + 1, alpha)
    high = special.betainccinv(x + 1, np.where(n > x, n - x, 1.0), alpha)
    return np.where(x == 0, 0.0, low), np.where(x == n, 1.0, high)


def rate_limits(successes: FloatArray, n: FloatArray, exact: bool, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Clopper and Pearson's limits where `exact` or where a rate rests on few answers of a kind, else Wilson's."""
    sure, score = clopper_pearson(successes, n, alpha), wilson(successes, n, alpha)
    few = exact | _few(successes, n)
    return np.where(few, sure[0], score[0]), np.where(few, sure[1], score[1])


def rate_p_values(successes: FloatArray, n: FloatArray, exact: bool, rate: float) -> tuple[FloatArray, FloatArray]:
    """P-values of the claims that a rate lies above and below `rate`: the tests that `rate_limits` inverts."""
    if not 0 < rate < 1:
        above = np.where(rate < 0, 0.0, np.where(rate == 0, successes == 0, 1.0))
        below = np.where(rate > 1, 0.0, np.where(rate == 1, successes == n, 1.0))
        return above, below
    z = (successes - n * rate) / np.sqrt(np.maximum(n, 1e-9) * rate * (1 - rate))
    few = exact | _few(successes, n)
    above = np.where(few, _at_least(successes, n, rate), special.ndtr(-z))
    below = np.where(few, _at_least(n - successes, n, 1 - rate), special.ndtr(z))
    return above, below


def _at_least(successes: FloatArray, n: FloatArray, rate: float) -> FloatArray:
    """The probability of so many successes or more."""
    tail: FloatArray = special.betainc(np.where(successes > 0, successes, 1.0), n - successes + 1, rate)
    return np.where(successes > 0, tail, 1.0)


def _few(successes: FloatArray, n: FloatArray) -> BoolArray:
    # one-sided, Wilson's limits err up to 0.2 at rates near 0 and 1, whatever n
    return (n < 30) | (np.minimum(successes, n - successes) < 10)
