"""A question about the groups' values and a bound, decided with error control: every question is `max(contrasts) < t`.

Shown below t: every contrast is, each at its own alpha (intersection-union, Berger 1982). Shown to reach t: some
contrast does, at an alpha for all of them together (max-t). Only one of these can be a wrong claim, so a
decision errs with probability alpha.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairprobe.statistics.bounds import DRAWS, Shown, Spread, gaussian, shown_by_t, spread
from fairprobe.statistics.contrasts import Asked, Comparison, Question, Tested, as_contrasts, ratios, value_of
from fairprobe.statistics.estimates import NEARLY_EQUAL
from fairprobe.statistics.inversion import crossing, shown_by_tests, tests_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairprobe.statistics.estimates import Estimates

Outcome = Literal["pass", "fail", "inconclusive", "invalid"]

LEAST_CLUSTERS, LEAST_CLUSTERS_UNBOUNDED = 10, 30
"""With fewer in a group, the spread between clusters is a guess; and more are needed where values have no ends."""
FEW_EFFECTIVE_CLUSTERS = 20


@dataclass(frozen=True)
class Decision:
    """What the estimates say of a question and a bound."""

    outcome: Outcome
    value: float
    low: float
    """With `high`: one-sided limits, each at the confidence; they lie beyond the bound iff the p-values say so."""
    high: float
    between: tuple[int, ...] | None
    """The groups that make the value: (higher, lower) of a gap or ratio, (worst,) of `by`, none of `overall`."""
    p_value_pass: float
    """Of the claim as written; of samples like these it passes iff this is below alpha, given enough clusters."""
    p_value_fail: float
    """Of its contrary; it fails iff this is below alpha."""
    clusters: int
    """How many the smallest group has."""
    needed: int | None
    """About how many clusters in the smallest group would decide, were the values as estimated; None if none would."""
    equal_groups: float | None
    """The gap that equal groups would show on average at this size; for a gap without reference."""
    method: str
    """How it was decided, in words."""
    caveats: tuple[str, ...] = ()
    """What a reader of the limits should know of the data."""


def decide(
    estimates: Estimates,
    question: Question,
    comparison: Comparison,
    bound: float,
    *,
    confidence: float = 0.95,
    reference: int | None = None,
    two_sided: bool = False,
    least_clusters: int | None = None,
    seed: int = 0,
) -> Decision:
    """Whether the question's value is shown to lie on the claimed side of `bound`, shown not to, or neither.

    `gap` is the largest difference between any two groups; with `reference` (an index) it is signed, how far any
    group lies below the reference, or either way if `two_sided`. `by` must hold for every group, `overall` for
    the only one, on either side of 0 if `two_sided`; `ratio` is the smallest value over the largest.

    With fewer than `least_clusters` in a group (10, or 30 for values without ends) nothing passes or stays open:
    it is `invalid`. A fail that is shown stays one. Raises ValueError for a question that has no answer.

    >>> from fairprobe.statistics import estimate
    >>> answers = estimate([1, 0] * 300, [0] * 300 + [1] * 300, [*range(300)] * 2, ["en_in", "en_us"])
    >>> decision = decide(answers, "gap", "<", 0.05)
    >>> decision.outcome, decision.value, round(decision.high, 4)
    ('pass', 0.0, 0.0089)
    """
    asked = Asked(question, comparison, bound, reference, two_sided)
    _check(estimates, asked, confidence)
    alpha = round(1 - confidence, 12)
    tested = as_contrasts(estimates.theta, asked)
    tests = tests_of(estimates, asked, tested, alpha)
    errors = cache(partial(gaussian, estimates, seed=seed))
    if tests is not None:
        shown = shown_by_tests(tests, estimates, tested, _ends(estimates, asked), alpha)
    else:
        shown = shown_by_t(estimates, tested, errors, alpha, seed)
    is_below, is_above = shown.p_below < alpha, shown.p_above < alpha
    holds_below = {"gap": asked.less, "ratio": not asked.less}.get(question, True)
    passed, failed = (is_below, is_above) if holds_below else (is_above, is_below)
    p_values = (shown.p_below, shown.p_above) if holds_below else (shown.p_above, shown.p_below)
    low, high = _limits(estimates, asked, tested, shown, alpha)
    least = least_clusters or enough_clusters(estimates.bounded)
    enough = estimates.counts.min() >= max(least, 2)
    all_pairs = question == "gap" and reference is None
    return Decision(
        outcome="fail" if failed else "invalid" if not enough else "pass" if passed else "inconclusive",
        value=value_of(estimates.theta, asked, tested.between),
        low=low,
        high=high,
        between=None if question == "overall" else tested.between,
        p_value_pass=p_values[0],
        p_value_fail=p_values[1],
        clusters=int(estimates.counts.min()),
        needed=None if passed or failed or shown.needed is None else max(shown.needed, least),
        equal_groups=float(np.ptp(errors(DRAWS), axis=1).mean()) if all_pairs else None,
        method=shown.method,
        caveats=tuple(_caveats(estimates, tested)),
    )


def enough_clusters(bounded: bool) -> int:
    """How many clusters each group needs for a verdict, where values have ends and where they have none."""
    return LEAST_CLUSTERS if bounded else LEAST_CLUSTERS_UNBOUNDED


def _check(estimates: Estimates, asked: Asked, confidence: float) -> None:
    """Raise ValueError for a question that these estimates cannot answer."""
    size, question, bound = len(estimates.groups), asked.question, asked.bound
    if question in {"gap", "ratio"} and size < 2:
        msg = f"a {question} needs two groups; there is only {', '.join(map(str, estimates.groups))}"
        raise ValueError(msg)
    if question == "overall" and size != 1:
        msg = f"an overall value has one group, not {size}"
        raise ValueError(msg)
    if question == "ratio" and (estimates.low < 0 or estimates.theta.max() <= 0):
        where = f"the largest is {estimates.theta.max():g}, and values lie from {estimates.low:g}"
        msg = f"a ratio to the largest value is undefined: {where}"
        raise ValueError(msg)
    if asked.reference is not None and (question != "gap" or not 0 <= asked.reference < size):
        msg = f"reference {asked.reference} is not one of {size} groups of a gap"
        raise ValueError(msg)
    if not (np.isfinite(bound) and 0.5 <= confidence < 1):
        msg = f"the bound must be finite and the confidence in [0.5, 1), not {bound} and {confidence}"
        raise ValueError(msg)
    least, most = asked.ends(estimates.low, estimates.high)
    if not least <= bound <= most:
        what = {"by": "a group's value", "overall": "the value"}.get(question, f"the {question}")
        msg = f"a bound of {bound:g} tests nothing: {what} lies between {least:g} and {most:g} in any case"
        raise ValueError(msg)


def _ends(estimates: Estimates, asked: Asked) -> tuple[float, float]:
    """The least and the greatest value that the largest contrast can have."""
    least, most = asked.ends(estimates.low, estimates.high)
    return (least, most) if asked.less or asked.question == "gap" else (-most, -least)


def _limits(estimates: Estimates, asked: Asked, tested: Tested, shown: Shown, alpha: float) -> tuple[float, float]:
    """The limits of the question's value, on the sides of the bound that the p-values say."""
    lower, upper, threshold = shown.lower, shown.upper, tested.threshold
    if asked.question == "ratio":
        # the ratio falls as its contrasts rise, so it is told from here on by its negative
        lower, upper = (-limit for limit in _ratio_limits(estimates, alpha, shown.tail))
        threshold = -asked.bound
    lower = side(lower, threshold, not shown.p_above < alpha)
    upper = side(upper, threshold, shown.p_below < alpha)
    if asked.question != "ratio":
        # after the bound's side is settled: a limit beside a bound at the end of the range stays inside, too
        lower, upper = (float(each) for each in np.clip((lower, upper), *_ends(estimates, asked)))
    turned = asked.question == "ratio" or (asked.question != "gap" and not asked.less)
    return (-upper, -lower) if turned else (lower, upper)


def side(limit: float, bound: float, below: bool) -> float:
    """The limit, on the side of the bound that its p-value says: rounding must not part the two."""
    if bool(limit < bound) == below:
        return float(limit)
    return float(np.nextafter(bound, -np.inf)) if below else bound


def _ratio_limits(estimates: Estimates, alpha: float, tail: float) -> tuple[float, float]:
    """The ratios up to which, and from which, the groups are shown to be closer, or further apart: (high, low)."""

    # the tail is that of the bound: it hardly moves with the ratio
    def at(ratio: float) -> Spread:
        return spread(estimates, ratios(len(estimates.groups), ratio))

    return (
        crossing(lambda ratio: float(at(ratio).lower(tail).max()), 0.0, 1.0),
        crossing(lambda ratio: float(at(ratio).upper(alpha).max()), 0.0, 1.0),
    )


def _caveats(estimates: Estimates, tested: Tested) -> Iterator[str]:
    """What a reader of the limits should know: few clusters weigh anything, or tails are heavy."""
    effective = estimates.effective_clusters
    worst = int(effective.argmin())
    if effective[worst] < min(FEW_EFFECTIVE_CLUSTERS, NEARLY_EQUAL * estimates.counts[worst]):
        yield (
            f"the {estimates.counts[worst]} clusters of {estimates.groups[worst]} are so unequal that they count as "
            f"about {effective[worst]:.0f}, and limits are as wide as those of so few"
        )
    if not estimates.bounded and (skew := _skew(estimates, tested)) ** 2 * 25 > estimates.counts.min():
        yield (
            f"heavy tails: clusters' values have a skewness of {skew:.1f}, so limits of t need about "
            f"{25 * skew**2:.0f} clusters (Cochran 1977), and there are {estimates.counts.min()}"
        )


def _skew(estimates: Estimates, tested: Tested) -> float:
    """The skewness of what clusters add to the contrast that makes the value."""
    between = tested.between or (0,)
    first, second = between[0], between[-1]
    held = estimates.psi[:, first] - (estimates.psi[:, second] if second != first else 0.0)
    held = held[estimates.present[:, first] | estimates.present[:, second]]
    spread_ = np.sqrt((held**2).mean())
    return float((held**3).mean() / spread_**3) if spread_ > 0 else 0.0
