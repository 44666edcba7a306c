"""Limits of one contrast of the groups' values, each side at its own alpha; and of all contrasts together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special

from fairprobe.statistics.contrasts import Contrasts, Tested, alone
from fairprobe.statistics.rates import rate_limits, rates_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from fairprobe.statistics.estimates import Estimates, FloatArray

DRAWS, FINE_DRAWS = 4_000, 20_000
CHUNK = 250
"""Draws held at a time: it keeps the contrasts of 122 groups in memory."""
MOST_CLUSTERS = 10**9
"""More than this nobody asks: no number would decide it."""


class Spread(NamedTuple):
    """What is known of K contrasts: where they lie, and how far off that may be."""

    value: FloatArray
    """(K,) estimates, drawn towards the middle of the range by the plus-two rule."""
    error: FloatArray
    """(K,) standard errors; inf where nothing is known of them."""
    freedom: FloatArray
    """(K,) degrees of freedom of the standard errors."""
    raw: FloatArray
    """(K,) variances before the plus-two rule; exactly 0 where nothing varied."""

    def z(self, threshold: float) -> FloatArray:
        """(K,) how many standard errors each lies above the threshold."""
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (self.value - threshold) / self.error
        return np.where(self.error > 0, z, np.where(self.value >= threshold, np.inf, -np.inf))

    def upper(self, alpha: float) -> FloatArray:
        """(K,) limits from above, each at one-sided alpha."""
        upper: FloatArray = self.value - special.stdtrit(self.freedom, alpha) * self.error
        return upper

    def lower(self, tail: float) -> FloatArray:
        """(K,) limits from below, each at the one-sided `tail` that all of them take together."""
        # a finite stand-in, as inf times an error of 0 is no number
        lower: FloatArray = self.value + np.maximum(special.stdtrit(self.freedom, tail), -1e100) * self.error
        return lower


class Shown(NamedTuple):
    """What is shown of the largest contrast: below or above the threshold, and its limits."""

    p_below: float
    p_above: float
    lower: float
    upper: float
    tail: float
    """What is left of alpha for one contrast, for all of them together to err at alpha from below."""
    needed: int | None
    method: str


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
    """(G,) how many independent samples would tell as much: n over the design effect, and no more than by weight."""
    variance = np.diag(estimates.covariance)
    # what is left by rounding is no variance
    known = (estimates.independent > 0) & (variance > 1e-9 * estimates.independent)
    ratio = variance / np.where(known, estimates.independent, 1.0)
    ceiling = np.maximum(estimates.redundancy, 1.0)
    independent = estimates.samples / np.where(known, np.clip(ratio, 1.0, ceiling), ceiling)
    return np.minimum(independent, estimates.kish)


def spread(estimates: Estimates, contrasts: Contrasts, shrink: bool = True) -> Spread:
    """The value, error and degrees of freedom of each contrast.

    Groups that share clusters are read as one variable per cluster, the contrast itself, and that variable gets the
    two samples of the plus-two rule; groups that share none get them each. Values without ends get none.
    """
    first, second, plus, minus = contrasts
    covariance, own = estimates.covariance, np.diag(estimates.covariance)
    apart = plus**2 * own[first] + minus**2 * own[second]
    raw = apart - 2 * plus * minus * covariance[first, second]
    raw[raw <= 1e-12 * apart] = 0.0
    shared = (minus != 0) & (estimates.shared[first, second] > 0)

    value, variance = contrasts.of(estimates.theta), raw
    if shrink and estimates.bounded:
        low, high = estimates.low, estimates.high
        n = effective_samples(estimates)
        means, own = plus_two(estimates.theta, estimates.independent * (estimates.samples - 1), n, low, high)
        least = contrasts.least(n)
        bottom, top = np.minimum(plus * low, plus * high), np.maximum(plus * low, plus * high)
        together = plus_two(value, raw * (least - 1), least, bottom - minus * high, top - minus * low)
        value = np.where(shared, together[0], contrasts.of(means))
        variance = np.where(shared, together[1], plus**2 * own[first] + minus**2 * own[second])

    nu = estimates.freedom
    parts = plus**2 * own[first], minus**2 * own[second]
    squares = parts[0] ** 2 / nu[first] + parts[1] ** 2 / nu[second]
    welch = (parts[0] + parts[1]) ** 2 / np.where(squares > 0, squares, 1.0)
    # one cluster tells nothing of how clusters vary; nor do equal values, where the range tells nothing either
    unknown = (contrasts.least(estimates.counts) < 2) | ((raw == 0) & (shrink and not estimates.bounded))
    return Spread(
        value=value,
        error=np.where(unknown, np.inf, np.sqrt(np.maximum(variance, 0.0))),
        freedom=np.where(shared | (squares == 0), contrasts.least(nu), welch),
        raw=raw,
    )


def interval(estimates: Estimates, contrast: ArrayLike, alpha: float, shrink: bool = True) -> tuple[float, float]:
    """Limits of one contrast (G,) of at most two groups, each at one-sided alpha; `shrink=False`: no plus-two rule.

    >>> from fairprobe.statistics import estimate
    >>> paired = estimate([1, 1, 0, 1] * 5 + [1, 0, 0, 1] * 5, [0] * 20 + [1] * 20, [*range(20)] * 2, ["a", "b"])
    >>> [round(limit, 3) for limit in interval(paired, [1, -1], 0.05)]
    [0.037, 0.418]
    """
    weights = np.asarray(contrast, dtype=np.float64)
    first, second = np.argsort(-weights, kind="stable")[[0, -1]]
    one = Contrasts(*(np.array([each]) for each in (first, second, weights[first], -min(weights[second], 0.0))))
    known = spread(estimates, one, shrink)
    return float(known.lower(alpha)[0]), float(known.upper(alpha)[0])


def limits(estimates: Estimates, alpha: float) -> tuple[FloatArray, FloatArray]:
    """(G,) and (G,): limits of each group's value for tables, each at one-sided alpha, inside the range."""
    if estimates.binary:
        return rate_limits(*rates_of(estimates, alpha), alpha)
    known = spread(estimates, alone(len(estimates.groups)))
    return np.maximum(known.lower(alpha), estimates.low), np.minimum(known.upper(alpha), estimates.high)


def gaussian(estimates: Estimates, draws: int, seed: int) -> FloatArray:
    """(draws, G): errors of theta as they would be in other samples of this size, from N(0, covariance)."""
    w, v = np.linalg.eigh(estimates.covariance)
    # the symmetric root, and columns in the order of the labels: the order of rows in a file changes nothing
    root = (v * np.sqrt(np.maximum(w, 0.0))) @ v.T
    normal = np.random.default_rng(seed).standard_normal((draws, len(estimates.groups)))
    rank = np.argsort(np.argsort([str(group) for group in estimates.groups], kind="stable"))
    errors: FloatArray = normal[:, rank] @ root
    return errors


def largest(errors: FloatArray, contrasts: Contrasts, known: Spread, mirrored: bool, seed: int) -> FloatArray:
    """(draws,): in each draw of `errors`, the largest contrast over its error, or its size where `mirrored`.

    A contrast that did not vary in the data is drawn from its own standard normal, independent of all others.
    """
    rng = np.random.default_rng((seed, 1))
    still = known.raw == 0
    # single precision: the draws are right to two digits
    size = np.where(still, 1.0, np.sqrt(np.where(still, 1.0, known.raw)))
    studentised = contrasts._replace(
        plus=(contrasts.plus / size).astype(np.float32), minus=(contrasts.minus / size).astype(np.float32)
    )
    drawn, top = errors.astype(np.float32), np.empty(len(errors))
    for start in range(0, len(errors), CHUNK):
        part = studentised.of(drawn[start : start + CHUNK])
        if still.any():
            part[:, still] = rng.standard_normal((len(part), int(still.sum())))
        top[start : start + CHUNK] = np.maximum(part.max(axis=1), -part.min(axis=1)) if mirrored else part.max(axis=1)
    return top


def shown_by_t(
    estimates: Estimates, tested: Tested, errors: Callable[[int], FloatArray], alpha: float, seed: int
) -> Shown:
    """Pointwise t limits from above, simultaneous max-t limits from below, by so many draws of theta's `errors`."""
    known = spread(estimates, tested.contrasts)
    known = known._replace(value=np.abs(known.value)) if tested.mirrored else known
    z = known.z(tested.threshold)
    # as normal deviates, so that contrasts of few clusters and of many are compared by their own p-values
    deviate = float(-special.ndtri(special.stdtr(known.freedom, -z).min()))
    for draws in (DRAWS, FINE_DRAWS):
        top = np.sort(largest(errors(draws), tested.contrasts, known, tested.mirrored, seed))[::-1]
        p_above = (int((top > deviate).sum()) + 1) / (draws + 1)
        if abs(p_above - alpha) >= 0.01:
            break
    # the draw that the largest deviate must reach for its p-value to be below alpha
    place = int(np.ceil(alpha * (draws + 1))) - 2
    tail = float(special.ndtr(-top[place])) if place >= 0 else 0.0
    shrunk = "plus-two " if estimates.bounded else ""
    return Shown(
        p_below=float(special.stdtr(known.freedom, z).max()),
        p_above=p_above,
        lower=float(known.lower(tail).max()),
        upper=float(known.upper(alpha).max()),
        tail=tail,
        needed=_needed(estimates, tested, known, alpha, tail),
        method=f"{shrunk}t limits, cluster-robust; one side for each of {tested.size} contrasts, "
        f"the other for all at once (max-t, {draws} draws)",
    )


def _needed(estimates: Estimates, tested: Tested, known: Spread, alpha: float, tail: float) -> int | None:
    """The smallest group's clusters at which limits that narrow with their root would leave the threshold."""
    value = tested.contrasts.of(estimates.theta)
    short = tested.threshold - (np.abs(value) if tested.mirrored else value)
    quantile = np.maximum(special.stdtrit(known.freedom, np.where(short > 0, alpha, tail)), -1e100)
    factor = quantile * known.error
    with np.errstate(all="ignore"):
        times = (factor / np.where(short == 0, np.nan, short)) ** 2
    more = times.max() if (short > 0).all() else np.nanmin(np.where(short < 0, times, np.inf))
    clusters = int(estimates.counts.min())
    return max(int(np.ceil(more * clusters)), clusters + 1) if more * clusters <= MOST_CLUSTERS else None
