"""One value per group, and one influence row per cluster: all that a verdict needs to know of a metric."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from numpy.typing import ArrayLike

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


NEARLY_EQUAL = 0.9
"""Clusters are of nearly equal weight if this share of them, of equal weight, would tell as much."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """One value per group, with how these values vary and co-vary; G groups, C clusters."""

    groups: tuple[Hashable, ...]
    """(G,) labels."""
    theta: FloatArray
    """(G,) values; of a mean, weighted by the samples' weights."""
    psi: FloatArray
    """(C, G) what each cluster adds to each theta, beyond its mean; 0 where the cluster is absent."""
    covariance: FloatArray
    """(G, G) of theta: cluster-robust, with the CR1 factor C/(C-1) of each group; 0 for one cluster."""
    clusters: tuple[Hashable, ...]
    """(C,) keys."""
    present: BoolArray
    """(C, G) whether the cluster has samples in the group."""
    samples: IntArray
    """(G,) how many samples."""
    independent: FloatArray
    """(G,) the variance of theta, had its samples been independent and of equal weight."""
    kish: FloatArray
    """(G,) how many samples of equal weight weigh as much (Kish 1965)."""
    redundancy: FloatArray
    """(G,) the design effect, if all samples of a cluster said the same: n times the sum of squared cluster shares."""
    single: bool
    """No cluster holds two samples of one group."""
    alike: bool
    """The samples of a cluster in a group say the same, and every cluster weighs the same: a cluster is one sample."""
    whole: bool
    """All values are whole numbers."""
    low: float
    """The least possible value, or -inf."""
    high: float
    """The greatest possible value, or inf."""

    @cached_property
    def counts(self) -> IntArray:
        """(G,) how many clusters each group has."""
        counts: IntArray = self.present.sum(axis=0, dtype=np.int64)
        return counts

    @cached_property
    def shared(self) -> IntArray:
        """(G, G) how many clusters each two groups share."""
        present = self.present.astype(np.float32)
        shared: IntArray = np.rint(present.T @ present).astype(np.int64)
        return shared

    @property
    def effective_clusters(self) -> FloatArray:
        """(G,) how many clusters of equal weight would tell as much, if a cluster said one thing."""
        return self.samples / self.redundancy

    @property
    def freedom(self) -> FloatArray:
        """(G,) degrees of freedom of the variance between clusters: one less than there are, at least 1.

        Of clusters of very unequal weight, one less than would tell as much (Carter, Schnepel and Steigerwald 2017).
        """
        effective = self.effective_clusters
        clusters = np.where(effective < NEARLY_EQUAL * self.counts, effective, self.counts)
        freedom: FloatArray = np.maximum(clusters - 1, 1.0)
        return freedom

    def times(self, factor: float) -> Estimates:
        """The same values of so many times the samples, which vary less; the clusters that there are stand for more."""
        return replace(
            self, covariance=self.covariance / factor, independent=self.independent / factor,
            samples=np.maximum(np.rint(self.samples * factor), 1).astype(np.int64), kish=self.kish * factor,
        )  # fmt: skip

    @property
    def bounded(self) -> bool:
        """Both ends of the range are finite."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    @property
    def binary(self) -> bool:
        """Every value is a yes or a no."""
        return self.whole and (self.low, self.high) == (0.0, 1.0)

    @property
    def rates(self) -> bool:
        """Each theta is the share of yes among independent answers, one for each cluster."""
        return self.binary and self.alike


def estimate(
    values: ArrayLike,
    group: ArrayLike,
    clusters: Iterable[Hashable],
    groups: Sequence[Hashable],
    *,
    weights: ArrayLike | None = None,
    noise: ArrayLike | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> Estimates:
    """The weighted mean of each group's samples, with one influence row per cluster.

    `values`, `group` (an index into `groups`), `clusters` and `weights` have one entry per sample; all values
    lie in [low, high]. Pass differences between two checkpoints, with low=-1 and high=1, to estimate a change.

    `noise` is the variance of each value, an average of several answers to one sample. Where it is given, theta
    is that of these very samples and varies by the draw of their answers alone (Miller 2024). A cluster is then what
    was drawn at once: pass one per prompt, and others for another metric of the same answers.

    >>> answers = estimate([1, 0, 1, 1], [0, 0, 1, 1], ["q1", "q2", "q1", "q2"], ["en_in", "en_us"])
    >>> answers.theta.tolist(), answers.covariance.round(6).tolist()
    ([0.5, 1.0], [[0.25, 0.0], [0.0, 0.0]])
    """
    y = np.asarray(values, dtype=np.float64)
    g = np.asarray(group, dtype=np.int64)
    w = np.ones_like(y) if weights is None else np.asarray(weights, dtype=np.float64)
    _check_weights(g, w, groups)
    _check_values(y, low, high)
    keys, c = indexed(clusters)
    cell, shape = c * len(groups) + g, (len(keys), len(groups))

    n = np.bincount(g, minlength=len(groups))
    total = _sums(g, w, len(groups))
    theta, share = _sums(g, w * y, len(groups)) / total, w / total[g]
    error = y - theta[g]
    inside = np.bincount(cell, minlength=len(keys) * len(groups))
    parts = _sums(cell, share, inside.size)
    present = (parts > 0).reshape(shape)
    off = error if noise is None else _draw_errors(noise, present.sum(axis=0)[g])
    psi = _sums(cell, share * off, inside.size).reshape(shape)
    covariance = robust_covariance(psi, present)
    single = bool(inside.max() <= 1)
    level = np.allclose(parts[cell] * present.sum(axis=0)[g], 1.0)
    independent = _sums(g, share * error**2, len(groups)) / np.maximum(n - 1, 1)
    return Estimates(
        groups=tuple(groups),
        theta=theta,
        psi=psi,
        covariance=covariance,
        clusters=keys,
        present=present,
        samples=n,
        independent=independent if noise is None else np.diag(covariance).copy(),
        kish=1 / _sums(g, share**2, len(groups)),
        redundancy=n * (parts.reshape(shape) ** 2).sum(axis=0),
        single=single,
        alike=level and (single or bool((y * inside[cell] == _sums(cell, y, inside.size)[cell]).all())),
        whole=noise is None and bool((y == np.rint(y)).all()),
        low=float(low),
        high=float(high),
    )


def robust_covariance(psi: FloatArray, present: BoolArray) -> FloatArray:
    """(G, G) covariance of theta from (C, G) influence rows, with the CR1 factor of each group.

    Disjoint groups have covariance 0, groups of the same clusters vary together, and what overlaps in part is
    in between: no design needs a formula of its own (Cameron and Miller 2015).
    """
    factor = cr1(present.sum(axis=0))
    covariance: FloatArray = (psi.T @ psi) * np.outer(factor, factor)
    return covariance


def cr1(counts: IntArray) -> FloatArray:
    """The root of C/(C-1): what C deviations from their own mean lack."""
    factor: FloatArray = np.sqrt(counts / np.maximum(counts - 1, 1))
    return factor


def subtract(a: Estimates, b: Estimates) -> Estimates:
    """The first metric minus the second, group by group; clusters are matched by their keys.

    Where a cluster holds several samples of a group, the variance of independent samples is taken to be the
    sum of both: more than it is for two metrics of the same samples, hence on the safe side.
    """
    if a.groups != b.groups:
        msg = f"metrics of different groups cannot be subtracted: {a.groups} and {b.groups}"
        raise ValueError(msg)
    clusters = tuple(dict.fromkeys(a.clusters + b.clusters))
    places = {key: place for place, key in enumerate(clusters)}
    psi = np.zeros((len(clusters), len(a.groups)))
    scaled, present = np.zeros_like(psi), np.zeros(psi.shape, dtype=np.bool_)
    for one, sign in ((a, 1.0), (b, -1.0)):
        rows = [places[key] for key in one.clusters]
        psi[rows] += sign * one.psi
        # the factor for few clusters is that of either metric
        scaled[rows] += sign * one.psi * cr1(one.counts)
        present[rows] |= one.present
    covariance = scaled.T @ scaled
    single = a.single and b.single
    return Estimates(
        groups=a.groups,
        theta=a.theta - b.theta,
        psi=psi,
        covariance=covariance,
        clusters=clusters,
        present=present,
        samples=np.minimum(a.samples, b.samples),
        # one sample per cluster and group: the clusters' variance is that of the samples
        independent=np.diag(covariance).copy() if single else a.independent + b.independent,
        kish=np.minimum(a.kish, b.kish),
        redundancy=np.maximum(a.redundancy, b.redundancy),
        single=single,
        alike=False,
        whole=False,
        low=a.low - b.high,
        high=a.high - b.low,
    )


def divide(a: Estimates, b: Estimates) -> Estimates:
    """The first metric over the second, group by group, by the delta method; clusters are matched by their keys.

    Raises ValueError where the second is not above 0.

    >>> now = estimate([1, 1, 0, 1], [0] * 4, range(4), ["en_us"])
    >>> before = estimate([1, 1, 0, 0], [0] * 4, range(4), ["en_us"])
    >>> ratio = divide(now, before)
    >>> ratio.theta.tolist(), ratio.psi.round(3).ravel().tolist()
    ([1.5], [-0.25, -0.25, 0.0, 0.5])
    """
    if (b.theta <= 0).any():
        which = ", ".join(str(group) for group, value in zip(b.groups, b.theta, strict=True) if value <= 0)
        msg = f"the value that another is taken relative to is not above 0 in {which}"
        raise ValueError(msg)
    ratio: FloatArray = a.theta / b.theta
    apart = subtract(_times_each(a, 1 / b.theta), _times_each(b, ratio / b.theta))
    return replace(apart, theta=ratio, low=0.0 if a.low >= 0 else -np.inf, high=np.inf)


def shifted(estimates: Estimates, by: float) -> Estimates:
    """The same values, each so much higher."""
    whole = estimates.whole and float(by).is_integer()
    return replace(estimates, theta=estimates.theta + by, low=estimates.low + by, high=estimates.high + by, whole=whole)


def _times_each(estimates: Estimates, factors: FloatArray) -> Estimates:
    """Each group's value times a factor of its own."""
    return replace(
        estimates,
        theta=estimates.theta * factors,
        psi=estimates.psi * factors,
        covariance=estimates.covariance * np.outer(factors, factors),
        independent=estimates.independent * factors**2,
        whole=False,
    )


def combine(estimates: Estimates, weights: ArrayLike, groups: Sequence[Hashable]) -> Estimates:
    """Weighted sums of groups as groups of their own: `weights` (H, G) has a row for each of the H new `groups`.

    Rows of shares make wider groups of narrow ones, declared beforehand; (1, -1) is a difference.

    >>> dialects = estimate([1, 0, 1, 1], [0, 0, 1, 2], range(4), ["en_in", "en_ng", "en_us"])
    >>> combine(dialects, [[0.5, 0.5, 0], [0, 0, 1]], ["south", "north"]).theta.tolist()
    [0.75, 1.0]
    """
    rows = np.asarray(weights, dtype=np.float64)
    if rows.shape != (len(groups), len(estimates.groups)):
        msg = f"weights of shape {rows.shape} do not turn {len(estimates.groups)} groups into {len(groups)}"
        raise ValueError(msg)
    used = rows != 0
    sums = np.abs(rows).sum(axis=1, keepdims=True)
    ends = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    samples = (used @ estimates.samples).astype(np.int64)
    return replace(
        estimates,
        groups=tuple(groups),
        theta=rows @ estimates.theta,
        psi=estimates.psi @ rows.T,
        covariance=rows @ estimates.covariance @ rows.T,
        present=(estimates.present.astype(np.int64) @ used.T) > 0,
        samples=samples,
        independent=rows**2 @ estimates.independent,
        kish=1 / ((np.abs(rows) / sums) ** 2 @ (1 / estimates.kish)),
        redundancy=samples * ((np.abs(rows) / sums) ** 2 @ (estimates.redundancy / estimates.samples)),
        single=False,
        alike=False,
        whole=False,
        low=float((_times(ends[0], estimates.low) + _times(ends[1], estimates.high)).min()),
        high=float((_times(ends[0], estimates.high) + _times(ends[1], estimates.low)).max()),
    )


def _times(weights: FloatArray, end: float) -> FloatArray:
    """Weighted ends of a range, which may be infinite: no weight makes nothing of it."""
    return np.multiply(weights, end, out=np.zeros_like(weights), where=weights != 0)


def indexed(clusters: Iterable[Hashable]) -> tuple[tuple[Hashable, ...], IntArray]:
    """The distinct keys, and the place of each sample's among them."""
    listed = clusters.tolist() if isinstance(clusters, np.ndarray) else list(clusters)
    keys = tuple(dict.fromkeys(listed))
    places = {key: place for place, key in enumerate(keys)}
    return keys, np.fromiter(map(places.__getitem__, listed), dtype=np.int64, count=len(listed))


def _draw_errors(noise: ArrayLike, counts: IntArray) -> FloatArray:
    """(N,) deviations of the size of each value's error, given how many clusters (N,) its group has."""
    variance = np.asarray(noise, dtype=np.float64)
    if not (np.isfinite(variance) & (variance >= 0)).all():
        msg = "the noise of values is a variance, a number of at least 0"
        raise ValueError(msg)
    # these clusters are all there are: what the factor for few of them will add is taken away
    return np.sqrt(variance) / cr1(counts)


def _sums(index: IntArray, parts: FloatArray, size: int) -> FloatArray:
    return np.bincount(index, weights=parts, minlength=size).astype(np.float64, copy=False)


def _check_weights(g: IntArray, w: FloatArray, groups: Sequence[Hashable]) -> None:
    """Raise ValueError for a group without samples that weigh anything."""
    if not (np.isfinite(w) & (w >= 0)).all():
        msg = "weights must be numbers of at least 0"
        raise ValueError(msg)
    empty = _sums(g, w, len(groups)) == 0
    if empty.any():
        which = ", ".join(str(group) for group, none in zip(groups, empty, strict=True) if none)
        weightless = bool(np.bincount(g, minlength=len(groups))[empty].any())
        msg = f"the weights sum to 0 in {which}" if weightless else f"no samples of {which}"
        raise ValueError(msg)


def _check_values(y: FloatArray, low: float, high: float) -> None:
    """Raise ValueError for what is no number in the range."""
    wrong = y[~((y >= low) & (y <= high) & np.isfinite(y))]
    if wrong.size:
        msg = f"{wrong.size} values are not numbers in [{low:g}, {high:g}], the first is {wrong[0]:g}"
        raise ValueError(msg)
