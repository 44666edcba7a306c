"""Limits of one contrast of the groups' values, each side at its own alpha; and of all contrasts together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairprobe.statistics.estimates import BoolArray, Estimates, FloatArray


class Spread(NamedTuple):
    """What is known of K contrasts: where they lie, and how far off that may be."""

    value: FloatArray
    """(K,) estimates, drawn towards the middle of the range by the plus-two rule."""
    error: FloatArray
    """(K,) standard errors; inf where a group has one cluster."""
    freedom: FloatArray
    """(K,) degrees of freedom of the standard errors."""
    raw: FloatArray
    """(K,) variances before the plus-two rule; exactly 0 where nothing varied."""


def wilson(successes: ArrayLike, n: ArrayLike, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Wilson's score limits of a rate, each at one-sided alpha (0.025 for a two-sided 95 % interval).

    >>> [round(float(limit), 6) for limit in wilson(81, 263, 0.025)]
    [0.255289, 0.36621]
    """
    x, n = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    z2 = special.ndtri(alpha) ** 2
    centre = (x + z2 / 2) / (n + z2)
    half = np.sqrt(z2 * (x * (n - x) / n + z2 / 4)) / (n + z2)
    return np.where(x == 0, 0.0, centre - half), np.where(x == n, 1.0, centre + half)


def clopper_pearson(successes: ArrayLike, n: ArrayLike, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Clopper and Pearson's exact limits of a rate, each at one-sided alpha.

    >>> [round(float(limit), 6) for limit in clopper_pearson(15, 148, 0.025)]
    [0.057844, 0.16165]
    """
    x, n = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    low = special.betaincinv(np.maximum(x, 1), n - x + 1, alpha)
    high = special.betainccinv(x + 1, np.maximum(n - x, 1), alpha)
    return np.where(x == 0, 0.0, low), np.where(x == n, 1.0, high)


def rate_limits(
    successes: FloatArray, n: FloatArray, alpha: float, exact: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Clopper and Pearson's limits where `exact` or where a rate rests on few answers of a kind, else Wilson's."""
    sure, score = clopper_pearson(successes, n, alpha), wilson(successes, n, alpha)
    few = exact | _few(successes, n)
    return np.where(few, sure[0], score[0]), np.where(few, sure[1], score[1])


def rate_p_values(
    successes: FloatArray, n: FloatArray, rate: float, exact: bool = False
) -> tuple[FloatArray, FloatArray]:
    """P-values of the claims that a rate lies above and below `rate`: the tests that `rate_limits` inverts."""
    if not 0 < rate < 1:
        above = np.where(rate < 0, 0.0, np.where(rate == 0, successes == 0, 1.0))
        below = np.where(rate > 1, 0.0, np.where(rate == 1, successes == n, 1.0))
        return above, below
    z = (successes - n * rate) / np.sqrt(n * rate * (1 - rate))
    few = exact | _few(successes, n)
    above = np.where(few, _at_least(successes, n, rate), special.ndtr(-z))
    below = np.where(few, _at_least(n - successes, n, 1 - rate), special.ndtr(z))
    return above, below


def _at_least(successes: FloatArray, n: FloatArray, rate: float) -> FloatArray:
    """The probability of so many successes or more."""
    tail: FloatArray = special.betainc(np.maximum(successes, 1), n - successes + 1, rate)
    return np.where(successes > 0, tail, 1.0)


def _few(successes: FloatArray, n: FloatArray) -> BoolArray:
    # one-sided, Wilson's limits err up to 0.2 at rates near 0 and 1, whatever n
    return (n < 30) | (np.minimum(successes, n - successes) < 10)


def plus_two(
    value: FloatArray, variance: FloatArray, n: FloatArray, low: ArrayLike, high: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """A mean and its variance after adding one sample at each end of the range.

    `variance` is that of one sample, `n` the (effective) number of samples. On [0, 1] this is Agresti and Caffo
    (2000), on differences in [-1, 1] it is Bonett and Price (2012).
    """
    low, high = np.asarray(low), np.asarray(high)
    mean = (n * value + low + high) / (n + 2)
    square = (n * (variance + value**2) + low**2 + high**2) / (n + 2)
    return mean, (square - mean**2) / (n + 2)


def effective_samples(estimates: Estimates) -> FloatArray:
    """(G,) how many independent samples would tell as much: n over the design effect."""
    variance = np.diag(estimates.covariance)
    known = (variance > 0) & (estimates.independent > 0)
    ratio = variance / np.where(known, estimates.independent, 1.0)
    ceiling = np.maximum(estimates.redundancy, 1.0)
    return estimates.samples / np.where(known, np.clip(ratio, 1.0, ceiling), ceiling)


def spread(estimates: Estimates, contrasts: FloatArray, shrink: bool = True) -> Spread:
    """The value, error and degrees of freedom of each row of `contrasts` (K, G).

    Groups that share clusters are read as one variable per cluster, `sum(a * y)`, and that variable gets the
    two samples of the plus-two rule; groups that share none get them each. Values without ends get none.
    """
    counts = estimates.counts
    involved = contrasts != 0
    covariance = estimates.covariance
    raw = ((contrasts @ covariance) * contrasts).sum(axis=1)
    raw[raw <= 1e-12 * (contrasts**2 @ np.diag(covariance))] = 0.0
    shared = _share_clusters(estimates, involved)

    value, variance, own = contrasts @ estimates.theta, raw, np.diag(covariance)
    if shrink and estimates.bounded:
        n = effective_samples(estimates)
        means, own = plus_two(
            estimates.theta, estimates.independent * (estimates.samples - 1), n, estimates.low, estimates.high
        )
        up, down = np.maximum(contrasts, 0), np.minimum(contrasts, 0)
        ends = (up * estimates.low + down * estimates.high, up * estimates.high + down * estimates.low)
        least = np.where(involved, n, np.inf).min(axis=1)
        together = plus_two(value, raw * (least - 1), least, ends[0].sum(axis=1), ends[1].sum(axis=1))
        value = np.where(shared, together[0], contrasts @ means)
        variance = np.where(shared, together[1], contrasts**2 @ own)

    freedom = np.maximum(counts - 1, 1)
    parts = contrasts**2 * own
    squares = parts**2 @ (1 / freedom)
    fewest = np.where(involved, freedom, np.inf).min(axis=1)
    welch = parts.sum(axis=1) ** 2 / np.where(squares > 0, squares, 1.0)
    unknown = (involved & (counts < 2)).any(axis=1)
    return Spread(
        value=value,
        error=np.where(unknown, np.inf, np.sqrt(np.maximum(variance, 0.0))),
        freedom=np.where(shared | (squares == 0), fewest, welch),
        raw=raw,
    )


def _share_clusters(estimates: Estimates, involved: BoolArray) -> BoolArray:
    """(K,) whether any two groups of the contrast share a cluster."""
    present = estimates.present.astype(np.float32)
    overlap = present.T @ present > 0
    np.fill_diagonal(overlap, False)
    rows = involved.astype(np.float32)
    shared: BoolArray = ((rows @ overlap) * rows).sum(axis=1) > 0
    return shared


def interval(estimates: Estimates, contrast: ArrayLike, alpha: float, shrink: bool = True) -> tuple[float, float]:
    """Limits of one contrast (G,), each at one-sided alpha; `shrink=False` leaves out the plus-two rule.

    >>> from fairprobe.statistics import estimate
    >>> paired = estimate([1, 1, 0, 1] * 5 + [1, 0, 0, 1] * 5, [0] * 20 + [1] * 20, [*range(20)] * 2, ["a", "b"])
    >>> [round(limit, 3) for limit in interval(paired, [1, -1], 0.05)]
    [0.037, 0.418]
    """
    value, error, freedom, _ = spread(estimates, np.atleast_2d(np.asarray(contrast, dtype=np.float64)), shrink)
    half = -special.stdtrit(freedom, alpha) * error
    return float(value[0] - half[0]), float(value[0] + half[0])


def limits(estimates: Estimates, alpha: float) -> tuple[FloatArray, FloatArray]:
    """(G,) and (G,): limits of each group's value for tables, each at one-sided alpha, inside the range."""
    if estimates.rates:
        return rate_limits(estimates.theta * estimates.samples, estimates.samples.astype(np.float64), alpha)
    value, error, freedom, _ = spread(estimates, np.eye(len(estimates.groups)))
    half = -special.stdtrit(freedom, alpha) * error
    return np.maximum(value - half, estimates.low), np.minimum(value + half, estimates.high)


def gaussian(estimates: Estimates, draws: int, seed: int) -> FloatArray:
    """(draws, G): errors of theta as they would be in other samples of this size, from N(0, covariance)."""
    w, v = np.linalg.eigh(estimates.covariance)
    # the symmetric root, and columns in the order of the labels: the order of rows in a file changes nothing
    root = (v * np.sqrt(np.maximum(w, 0.0))) @ v.T
    normal = np.random.default_rng(seed).standard_normal((draws, len(estimates.groups)))
    rank = np.argsort(np.argsort([str(group) for group in estimates.groups], kind="stable"))
    errors: FloatArray = normal[:, rank] @ root
    return errors


def largest(errors: FloatArray, contrasts: FloatArray, known: Spread, mirrored: bool, seed: int) -> FloatArray:
    """(draws,): in each draw of `errors`, the largest studentised contrast, or its size where `mirrored`.

    A contrast that did not vary in the data is drawn from its own standard normal, independent of all others.
    """
    rng = np.random.default_rng((seed, 1))
    freedom = float(np.median(known.freedom))
    scale = np.sqrt(rng.chisquare(freedom, len(errors)) / freedom)
    top = np.full(len(errors), -np.inf)
    for start in range(0, len(contrasts), 128):  # a block of contrasts at a time keeps 122 groups in memory
        raw = known.raw[start : start + 128]
        still = raw == 0
        drawn = errors @ (contrasts[start : start + 128] / np.sqrt(np.where(still, 1.0, raw))[:, None]).T
        drawn[:, still] = rng.standard_normal((len(errors), int(still.sum())))
        np.maximum(top, (np.abs(drawn) if mirrored else drawn).max(axis=1), out=top)
    return top / scale
