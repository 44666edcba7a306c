"""Metrics that are no means of samples, as estimates all the same: by the influence of each sample on them.

Each is told as the mean of pseudo-values, numbers per sample whose mean is the metric and whose spread is its error.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special, stats

from fairprobe.statistics.estimates import Estimates, FloatArray, IntArray, estimate, indexed, robust_covariance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Statistic = Callable[[IntArray], float]
"""The value of a metric over some samples, given by their places."""


def ratio_of_sums(
    numerators: ArrayLike,
    denominators: ArrayLike,
    group: ArrayLike,
    clusters: Sequence[Hashable],
    groups: Sequence[Hashable],
    *,
    low: float = 0.0,
    high: float = 1.0,
) -> Estimates:
    """The sum of numerators over the sum of denominators: corpus F1, precision, recall, loss per token.

    It is the mean of the samples' own ratios, weighted by their denominators.

    >>> right, answered = [1, 1, 0, 1], [1, 1, 1, 0]  # precision: true positives over positives
    >>> ratio_of_sums(np.multiply(right, answered), answered, [0] * 4, range(4), ["en_us"]).theta.round(4).tolist()
    [0.6667]
    """
    a, b = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    if not (np.isfinite(b) & (b >= 0)).all() or (a[b == 0] != 0).any():
        msg = "denominators must be numbers of at least 0, and numerators 0 where they are"
        raise ValueError(msg)
    # what weighs nothing has no ratio, and any number in the range stands for it
    ratio = np.divide(a, b, out=np.full_like(a, np.clip(0.0, low, high)), where=b > 0)
    known = estimate(ratio, group, clusters, groups, weights=b, low=low, high=high)
    # a sample whose denominator is 0 was drawn like the others: its cluster counts, though it adds nothing
    keys, cluster = indexed(clusters)
    present = np.zeros((len(keys), len(groups)), dtype=np.bool_)
    present[cluster, np.asarray(group)] = True
    return replace(known, present=present, covariance=robust_covariance(known.psi, present))


def u_statistic(
    kernel: ArrayLike,
    group: ArrayLike,
    clusters: Sequence[Hashable],
    groups: Sequence[Hashable],
    *,
    low: float = 0.0,
    high: float = 1.0,
) -> Estimates:
    """The mean of `kernel` (n, n), symmetric, over the pairs of a group's samples: mean similarity, self-BLEU.

    >>> similarity = [[1.0, 0.2, 0.4], [0.2, 1.0, 0.6], [0.4, 0.6, 1.0]]
    >>> u_statistic(similarity, [0, 0, 0], range(3), ["en_us"]).theta.round(4).tolist()
    [0.4]
    """
    h, g = np.asarray(kernel, dtype=np.float64), np.asarray(group, dtype=np.int64)
    if not np.allclose(h, h.T):
        msg = "a kernel is symmetric: how alike two samples are does not depend on their order"
        raise ValueError(msg)
    theta, pseudo = np.full(len(groups), np.nan), np.full(len(g), np.nan)
    for place in range(len(groups)):
        of = np.flatnonzero(g == place)
        if len(of) < 2:
            msg = f"pairs of samples need two of them in {groups[place]}, not {len(of)}"
            raise ValueError(msg)
        own = h[np.ix_(of, of)]
        mean = (own.sum(axis=1) - np.diag(own)) / (len(of) - 1)
        theta[place] = mean.mean()
        pseudo[of] = 2 * mean - theta[place]
    known = estimate(pseudo, group, clusters, groups, low=-np.inf, high=np.inf)
    return _of_pseudo_values(known, theta, low, high)


def jackknife(
    statistic: Statistic,
    group: ArrayLike,
    clusters: Sequence[Hashable],
    groups: Sequence[Hashable],
    *,
    low: float = -np.inf,
    high: float = np.inf,
    scale: Callable[[float], float] = float,
    slope: Callable[[float], float] = lambda _: 1.0,
) -> Estimates:
    """Any metric of a group's samples, by leaving out one cluster at a time.

    `statistic` takes the places of samples and gives the metric over them. Its changes are measured on `scale`,
    where it varies evenly, and told on its own by the `slope` of the metric there (the inverse of scale's).
    Raises ValueError where a metric is not defined without some cluster. Efron and Stein (1981).

    >>> longest = np.array([3.0, 5.0, 4.0, 9.0])
    >>> jackknife(lambda at: float(longest[at].mean()), [0] * 4, range(4), ["en_us"]).theta.tolist()
    [5.25]
    """
    g = np.asarray(group, dtype=np.int64)
    listed = list(clusters)
    theta, psi = np.empty(len(groups)), np.zeros(len(g))
    for place in range(len(groups)):
        of = np.flatnonzero(g == place)
        if not of.size:
            msg = f"no samples of {groups[place]}"
            raise ValueError(msg)
        _, cluster = indexed([listed[at] for at in of])
        value = _defined(statistic, groups[place])
        theta[place] = value(of)
        psi[of] = _left_out(value, scale, of, cluster) * slope(float(theta[place]))
    # n times the influence of a sample is what it adds to a mean of n
    pseudo = theta[g] + psi * np.bincount(g, minlength=len(groups))[g]
    known = estimate(pseudo, group, clusters, groups, low=-np.inf, high=np.inf)
    return _of_pseudo_values(known, theta, low, high)


def rank_correlation(
    x: ArrayLike,
    y: ArrayLike,
    group: ArrayLike,
    clusters: Sequence[Hashable],
    groups: Sequence[Hashable],
    *,
    method: Literal["spearman", "kendall"] = "spearman",
) -> Estimates:
    """Spearman's rho or Kendall's tau-b within each group; errors by the jackknife on Fisher's scale.

    >>> order, scores = [1, 2, 3, 4, 5, 6], [2, 1, 3, 4, 6, 5]
    >>> rank_correlation(order, scores, [0] * 6, range(6), ["en_us"]).theta.round(4).tolist()
    [0.8857]
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    correlate = stats.spearmanr if method == "spearman" else stats.kendalltau

    def statistic(at: IntArray) -> float:
        if len(at) < 2 or np.ptp(a[at]) == 0 or np.ptp(b[at]) == 0:
            return float("nan")
        return float(correlate(a[at], b[at]).statistic)

    return jackknife(
        statistic, group, clusters, groups, low=-1.0, high=1.0,
        # a correlation of 1 lies infinitely far on Fisher's scale
        scale=lambda r: float(np.arctanh(np.clip(r, -1 + 1e-9, 1 - 1e-9))), slope=lambda r: 1 - r**2,
    )  # fmt: skip


def bonett_wright(r: float, n: int, alpha: float) -> tuple[float, float]:
    """Limits of one rank correlation of n samples, each at one-sided alpha (Bonett and Wright 2000).

    >>> [round(limit, 7) for limit in bonett_wright(0.1347151, 10, 0.025)]
    [-0.5431487, 0.7062636]
    """
    half = -special.ndtri(alpha) * np.sqrt((1 + r**2 / 2) / (n - 3))
    return float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))


def _left_out(statistic: Statistic, scale: Callable[[float], float], of: IntArray, cluster: IntArray) -> FloatArray:
    """What each sample adds to a statistic on a scale, by leaving out its cluster; 0 where there is only one."""
    size = np.bincount(cluster)
    if len(size) == 1:
        return np.zeros(len(of))
    without = np.array([scale(statistic(of[cluster != left])) for left in range(len(size))])
    influence = (len(size) - 1) / len(size) * (without.mean() - without)
    shares: FloatArray = (influence / size)[cluster]
    return shares


def _defined(statistic: Statistic, group: Hashable) -> Statistic:
    """The same statistic, which raises ValueError where it is no number."""

    def value(at: IntArray) -> float:
        found = statistic(at)
        if not np.isfinite(found):
            msg = (
                f"the metric is not defined for {group} without one of its clusters, or at all; it has too few samples"
            )
            raise ValueError(msg)
        return found

    return value


def _of_pseudo_values(known: Estimates, theta: FloatArray, low: float, high: float) -> Estimates:
    """The metric itself and its own range, of estimates from pseudo-values, which may lie beyond it."""
    return replace(known, theta=theta, whole=False, alike=False, low=low, high=high)
