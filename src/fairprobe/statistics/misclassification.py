"""Rates that a judge or classifier counted, corrected for its errors as they are known from labelled answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairprobe.statistics.estimates import Estimates


@dataclass(frozen=True)
class Told:
    """What a judge said of labelled answers: of `right` ones that `hits` are right, of `wrong` ones that `misses` are.

    >>> told = Told(hits=45, right=50, misses=5, wrong=50)
    >>> told.sensitivity, told.specificity
    (0.9, 0.9)
    """

    hits: float
    right: int
    misses: float
    wrong: int

    @property
    def sensitivity(self) -> float:
        """The share of right answers that it calls right."""
        return self.hits / self.right

    @property
    def specificity(self) -> float:
        """The share of wrong answers that it calls wrong."""
        return 1 - self.misses / self.wrong

    @property
    def informed(self) -> float:
        """How far it tells right from wrong: 1 for one that never errs, 0 for one that knows nothing (Youden 1950)."""
        return self.sensitivity + self.specificity - 1

    @property
    def variances(self) -> tuple[float, float]:
        """Of the sensitivity and of the specificity, each with one success and one failure more (Agresti-Coull)."""
        rates = [((k + 1) / (n + 2), n + 2) for k, n in ((self.hits, self.right), (self.misses, self.wrong))]
        first, second = (rate * (1 - rate) / size for rate, size in rates)
        return first, second


def corrected(estimates: Estimates, told: Sequence[Told], level: float = 1.0) -> Estimates:
    """The groups' rates as they would be without the judge's errors (Rogan and Gladen 1978), which widens them.

    `told` has an entry for each group. `level` is 1 for a rate, 0 for a difference of two rates that one judge counted.
    Raises ValueError where a judge is not informed at all.

    >>> from fairprobe.statistics import estimate
    >>> counted = estimate([1] * 58 + [0] * 42, [0] * 100, range(100), ["en_in"])
    >>> better = corrected(counted, [Told(hits=45, right=50, misses=5, wrong=50)])
    >>> better.theta.round(3).tolist(), bool(better.covariance[0, 0] > counted.covariance[0, 0])
    ([0.6], True)
    """
    informed = np.array([each.informed for each in told])
    if (informed <= 0).any():
        msg = "a judge that calls as many wrong answers right as right ones tells nothing, so no rate can be corrected"
        raise ValueError(msg)
    specificity = np.array([each.specificity for each in told])
    theta = (estimates.theta + level * (specificity - 1)) / informed
    of_sensitivity, of_specificity = np.array([each.variances for each in told]).T
    own = (theta**2 * of_sensitivity + (level - theta) ** 2 * of_specificity) / informed**2
    ends = [(end + level * (specificity - 1)) / informed for end in (estimates.low, estimates.high)]
    return replace(
        estimates,
        theta=theta,
        psi=estimates.psi / informed,
        covariance=estimates.covariance / np.outer(informed, informed) + np.diag(own),
        independent=estimates.independent / informed**2 + own,
        alike=False,
        whole=False,
        low=float(np.min(ends)),
        high=float(np.max(ends)),
    )
