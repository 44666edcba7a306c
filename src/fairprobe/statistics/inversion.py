"""Contrasts that limits of t would misjudge, each by a test of its own: rates, and differences of few answers.

All of them pass by their own p-values; for a fail of any, these are corrected by their number (Bonferroni). Limits are
where the tests would turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import optimize, special

from fairprobe.statistics.bounds import MOST_CLUSTERS, Shown, spread
from fairprobe.statistics.rates import rate_p_values, rates_of
from fairprobe.statistics.score_tests import sparse

if TYPE_CHECKING:
    from fairprobe.statistics.contrasts import Asked, Tested
    from fairprobe.statistics.estimates import Estimates, FloatArray


class Tests(NamedTuple):
    """Tests of each contrast by itself."""

    p_values: Callable[[float, float], tuple[FloatArray, FloatArray]]
    """(threshold, times) to p-values that each lies below, and that each lies above, with `times` the clusters."""
    size: int
    method: str

    def below(self, threshold: float, times: float = 1.0) -> float:
        """The p-value that all of them lie below."""
        return float(self.p_values(threshold, times)[0].max())

    def above(self, threshold: float, times: float = 1.0) -> float:
        """The p-value that any of them lies above."""
        return min(1.0, self.size * float(self.p_values(threshold, times)[1].min()))


def tests_of(estimates: Estimates, asked: Asked, tested: Tested, alpha: float) -> Tests | None:
    """The tests that judge each contrast by itself where limits of t would err: of rates, and of few answers."""
    if asked.question in {"by", "overall"} and estimates.binary:
        return _rate_tests(estimates, tested, alpha)
    contrasts = tested.contrasts.both_ways() if tested.mirrored else tested.contrasts
    few = sparse(estimates, contrasts)
    if few is None:
        return None
    known = spread(estimates, contrasts)

    def p_values(threshold: float, times: float) -> tuple[FloatArray, FloatArray]:
        larger = known._replace(error=known.error / np.sqrt(times), freedom=known.freedom * times)
        z = larger.z(threshold)
        below, above = special.stdtr(larger.freedom, z), special.stdtr(larger.freedom, -z)
        scores = few.z(threshold, times)
        below[few.few], above[few.few] = special.ndtr(scores), special.ndtr(-scores)
        return below, above

    names = [name for name, of in (("Tango", few.paired), ("Miettinen-Nurminen", ~few.paired)) if of.any()]
    rest = "" if few.few.all() else ", plus-two t for the others"
    return Tests(p_values, tested.size, f"score tests for few answers of a kind ({', '.join(names)}){rest}")


def _rate_tests(estimates: Estimates, tested: Tested, alpha: float) -> Tests:
    """Each group's rate against the threshold."""
    count = len(estimates.groups)
    sign = float(tested.contrasts.plus[0])
    up, down = (0, 1) if sign > 0 else (1, 0)

    def p_values(threshold: float, times: float) -> tuple[FloatArray, FloatArray]:
        alone, together = rates_of(estimates, alpha, times), rates_of(estimates, alpha / count, times)
        # at alpha / count, Wilson's limits of nine groups err 0.11 together
        together = together._replace(exact=together.exact or count > 1)
        return rate_p_values(*alone, sign * threshold)[down], rate_p_values(*together, sign * threshold)[up]

    method = (
        "Wilson limits, exact (Clopper-Pearson) for few answers"
        if estimates.rates
        else "Korn-Graubard limits: exact, for as many independent answers as tell as much as these clusters"
    )
    return Tests(p_values, count, method)


def shown_by_tests(
    tests: Tests, estimates: Estimates, tested: Tested, within: tuple[float, float], alpha: float
) -> Shown:
    """Each contrast by its own test from one side, all together from the other (Bonferroni): limits by inversion."""
    sides = f"; one side for each of {tests.size} contrasts, the other for all at once (Bonferroni)"

    def decides(times: float) -> bool:
        return min(tests.below(tested.threshold, times), tests.above(tested.threshold, times)) < alpha

    return Shown(
        p_below=tests.below(tested.threshold),
        p_above=tests.above(tested.threshold),
        lower=crossing(lambda t: _normal(tests.above(t)) - _normal(alpha), *within),
        upper=crossing(lambda t: _normal(alpha) - _normal(tests.below(t)), *within),
        tail=alpha / tests.size,
        needed=fewest(lambda clusters: decides(clusters / estimates.counts.min()), int(estimates.counts.min())),
        method=tests.method + (sides if tests.size > 1 else ""),
    )


def crossing(rising: Callable[[float], float], least: float, most: float, tolerance: float = 1e-9) -> float:
    """Where a rising function crosses 0, or the end that is nearer."""
    if rising(least) >= 0:
        return least
    return most if rising(most) <= 0 else float(optimize.brentq(rising, least, most, xtol=tolerance))


def _normal(p: float) -> float:
    # on this scale a test is nearly linear in its threshold; a finite stand-in for p-values of 0 and 1
    return float(special.ndtri(np.clip(p, 1e-300, 1 - 1e-16)))


def fewest(decides: Callable[[int], bool], least: int) -> int | None:
    """The number of clusters from which on it is decided, `least` or more; None where no number decides."""
    few, many = least, least
    while not decides(many):
        few, many = many, 2 * many
        if many > MOST_CLUSTERS:
            return None
    while many - few > max(1, few // 1000):
        middle = (few + many) // 2
        few, many = (few, middle) if decides(middle) else (middle, many)
    return many
