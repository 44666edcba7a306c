"""One value per group, and one influence row per cluster: all that a verdict needs to know of a metric."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from numpy.typing import ArrayLike

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Estimates:
    """One value per group, with how these values vary and co-vary; G groups, C clusters."""

    groups: tuple[Hashable, ...]
    """(G,) labels."""
    theta: FloatArray
    """(G,) weighted means."""
    psi: FloatArray
    """(C, G) what each cluster adds to each theta, beyond its mean; 0 where the cluster is absent."""
    clusters: tuple[Hashable, ...]
    """(C,) keys."""
    present: BoolArray
    """(C, G) whether the cluster has samples in the group."""
    samples: IntArray
    """(G,) how many samples."""
    independent: FloatArray
    """(G,) the variance of theta, had its samples been independent and of equal weight."""
    redundancy: FloatArray
    """(G,) the design effect, if all samples of a cluster said the same: n times the sum of squared cluster shares."""
    single: bool
    """No cluster holds two samples of one group."""
    binary: bool
    """All values are 0 or 1, and of equal weight."""
    low: float
    """The least possible value, or -inf."""
    high: float
    """The greatest possible value, or inf."""

    @property
    def counts(self) -> IntArray:
        """(G,) how many clusters each group has."""
        counts: IntArray = self.present.sum(axis=0, dtype=np.int64)
        return counts

    @property
    def covariance(self) -> FloatArray:
        """(G, G) cluster-robust covariance of theta with the CR1 factor C/(C-1) of each group; 0 for one cluster."""
        counts = self.counts
        rows = self.psi * np.sqrt(counts / np.maximum(counts - 1, 1))
        covariance: FloatArray = rows.T @ rows
        return covariance

    @property
    def bounded(self) -> bool:
        """Both ends of the range are finite."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    @property
    def rates(self) -> bool:
        """Each value is the share of independent yes among independent answers."""
        return self.binary and self.single and (self.low, self.high) == (0.0, 1.0)


def estimate(
    values: ArrayLike,
    group: ArrayLike,
    clusters: Iterable[Hashable],
    groups: Sequence[Hashable],
    *,
    weights: ArrayLike | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> Estimates:
    """The weighted mean of each group's samples, with one influence row per cluster.

    `values`, `group` (an index into `groups`), `clusters` and `weights` have one entry per sample; all values
    lie in [low, high]. Pass differences between two checkpoints, with low=-1 and high=1, to estimate a change.

    >>> answers = estimate([1, 0, 1, 1], [0, 0, 1, 1], ["q1", "q2", "q1", "q2"], ["en_in", "en_us"])
    >>> answers.theta.tolist(), answers.covariance.round(6).tolist()
    ([0.5, 1.0], [[0.25, 0.0], [0.0, 0.0]])
    """
    y = np.asarray(values, dtype=np.float64)
    g = np.asarray(group, dtype=np.int64)
    w = np.ones_like(y) if weights is None else np.asarray(weights, dtype=np.float64)
    _check(y, np.bincount(g[w > 0], minlength=len(groups)) == 0, groups, low, high)
    if not (np.isfinite(w) & (w >= 0)).all():
        msg = "weights must be numbers of at least 0"
        raise ValueError(msg)
    listed = clusters.tolist() if isinstance(clusters, np.ndarray) else list(clusters)
    places = {key: place for place, key in enumerate(dict.fromkeys(listed))}
    c = np.fromiter((places[key] for key in listed), dtype=np.int64, count=len(listed))
    shape = (len(places), len(groups))
    cell = c * len(groups) + g

    n = np.bincount(g, minlength=len(groups))
    total = _sums(g, w, len(groups))
    theta, share = _sums(g, w * y, len(groups)) / total, w / total[g]
    error = y - theta[g]
    inside = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    parts = _sums(cell, share, inside.size).reshape(shape)
    return Estimates(
        groups=tuple(groups),
        theta=theta,
        psi=_sums(cell, share * error, inside.size).reshape(shape),
        clusters=tuple(places),
        present=parts > 0,
        samples=n,
        independent=_sums(g, share * error**2, len(groups)) / np.maximum(n - 1, 1),
        redundancy=n * (parts**2).sum(axis=0),
        single=bool(inside.max() <= 1),
        binary=bool(np.isin(y, (0.0, 1.0)).all() and (w == w[0]).all()),
        low=float(low),
        high=float(high),
    )


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
    present = np.zeros(psi.shape, dtype=np.bool_)
    for one, sign in ((a, 1.0), (b, -1.0)):
        rows = [places[key] for key in one.clusters]
        psi[rows] += sign * one.psi
        present[rows] |= one.present
    difference = Estimates(
        groups=a.groups,
        theta=a.theta - b.theta,
        psi=psi,
        clusters=clusters,
        present=present,
        samples=np.minimum(a.samples, b.samples),
        independent=a.independent + b.independent,
        redundancy=np.maximum(a.redundancy, b.redundancy),
        single=a.single and b.single,
        binary=False,
        low=a.low - b.high,
        high=a.high - b.low,
    )
    if not difference.single:
        return difference
    # one sample per cluster and group: the clusters' variance is that of the samples
    return replace(difference, independent=np.diag(difference.covariance).copy())


def _sums(index: IntArray, parts: FloatArray, size: int) -> FloatArray:
    return np.bincount(index, weights=parts, minlength=size).astype(np.float64)


def _check(y: FloatArray, empty: BoolArray, groups: Sequence[Hashable], low: float, high: float) -> None:
    """Raise ValueError for what is not evidence: no samples, no number, a number out of range."""
    if empty.any():
        msg = f"no samples of {', '.join(str(group) for group, none in zip(groups, empty, strict=True) if none)}"
        raise ValueError(msg)
    wrong = y[~((y >= low) & (y <= high) & np.isfinite(y))]
    if wrong.size:
        msg = f"{wrong.size} values are not numbers in [{low:g}, {high:g}], the first is {wrong[0]:g}"
        raise ValueError(msg)
