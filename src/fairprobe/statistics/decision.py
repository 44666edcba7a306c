"""A question about the groups' values and a bound, decided with error control: every question is `max(contrasts) < t`.

Shown below t: every contrast is, each at its own alpha (intersection-union, Berger 1982). Shown to reach t: some
contrast does, at an alpha for all of them together (max-t). Only one of these can be a wrong claim, so a
decision errs with probability alpha.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from scipy import optimize, special

from fairprobe.statistics.bounds import Spread, gaussian, largest, rate_limits, rate_p_values, spread

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairprobe.statistics.estimates import Estimates, FloatArray

Question = Literal["gap", "by", "ratio", "overall"]
Comparison = Literal["<", "<=", ">", ">="]
Outcome = Literal["pass", "fail", "inconclusive"]

DRAWS, FINE_DRAWS = 4_000, 20_000
MOST_CLUSTERS = 10**9
"""More than this nobody asks: no number would decide it."""


@dataclass(frozen=True)
class Decision:
    """What the estimates say of a question and a bound."""

    outcome: Outcome
    value: float
    low: float
    """With `high`: one-sided limits, each at the confidence; they lie beyond the bound iff the outcome says so."""
    high: float
    between: tuple[int, ...] | None
    """The groups that make the value: (higher, lower) of a gap or ratio, (worst,) of `by`, none of `overall`."""
    p_value_pass: float
    """Of the claim as written; below alpha iff it passes."""
    p_value_fail: float
    """Of its contrary; below alpha iff it fails."""
    needed: int | None
    """About how many clusters in the smallest group would decide, were the values as estimated; None if none would."""
    equal_groups: float | None
    """The gap that equal groups would show on average at this size; for a gap without reference."""
    method: str
    """How it was decided, in words."""


class _Claim(NamedTuple):
    """The largest of `contrasts` lies below `threshold`: what is tested, in one form for all questions."""

    contrasts: FloatArray
    threshold: float
    mirrored: bool
    """The contrasts stand for both of their signs."""
    between: tuple[int, ...] | None


class _Shown(NamedTuple):
    """What is shown of the largest contrast: below or above the threshold, and its limits."""

    p_below: float
    p_above: float
    lower: float
    upper: float
    critical: float
    method: str


def decide(
    estimates: Estimates,
    question: Question,
    comparison: Comparison,
    bound: float,
    *,
    confidence: float = 0.95,
    reference: int | None = None,
    two_sided: bool = False,
    seed: int = 0,
) -> Decision:
    """Whether the question's value is shown to lie on the claimed side of `bound`, shown not to, or neither.

    `gap` is the largest difference between any two groups; with `reference` (an index) it is signed, how far any
    group lies below the reference, or either way if `two_sided`. `by` must hold for every group, `overall` for
    the only one, `ratio` is the smallest value over the largest.

    >>> from fairprobe.statistics import estimate
    >>> answers = estimate([1, 0] * 300, [0] * 300 + [1] * 300, [*range(300)] * 2, ["en_in", "en_us"])
    >>> decision = decide(answers, "gap", "<", 0.05)
    >>> decision.outcome, decision.value, round(decision.high, 4)
    ('pass', 0.0, 0.0077)
    """
    _check(estimates, question, bound, confidence, reference)
    alpha = round(1 - confidence, 12)
    less = comparison in {"<", "<="}
    claim = (
        _gap(estimates, bound, reference, two_sided) if question == "gap" else _claim(estimates, question, less, bound)
    )
    rates = question in {"by", "overall"} and estimates.rates
    shown = _judge_rates(estimates, claim, alpha) if rates else _judge(estimates, claim, alpha, seed)
    needed = _needed_rates(estimates, claim, alpha) if rates else _needed(estimates, claim, alpha, shown.critical)
    lower, upper, threshold = shown.lower, shown.upper, claim.threshold
    if question == "ratio":
        # the ratio falls as its contrasts rise, so it is told from here on by its negative
        lower, upper = (-limit for limit in _ratio_limits(estimates, alpha, shown.critical))
        threshold = -bound
    else:
        least, most = _ends(estimates, question, less, claim.mirrored)
        lower, upper = np.clip(lower, least, most), np.clip(upper, least, most)
    is_below, is_above = shown.p_below < alpha, shown.p_above < alpha
    lower, upper = _side(lower, threshold, not is_above), _side(upper, threshold, is_below)
    if question == "ratio" or (question != "gap" and not less):
        lower, upper = -upper, -lower

    holds_below = {"gap": less, "ratio": not less}.get(question, True)
    passed, failed = (is_below, is_above) if holds_below else (is_above, is_below)
    p_values = (shown.p_below, shown.p_above) if holds_below else (shown.p_above, shown.p_below)
    all_pairs = question == "gap" and reference is None
    return Decision(
        outcome="pass" if passed else "fail" if failed else "inconclusive",
        value=_value(estimates, question, claim),
        low=float(lower),
        high=float(upper),
        between=claim.between,
        p_value_pass=p_values[0],
        p_value_fail=p_values[1],
        needed=None if passed or failed else needed,
        equal_groups=float(np.ptp(gaussian(estimates, DRAWS, seed), axis=1).mean()) if all_pairs else None,
        method=shown.method,
    )


def _check(estimates: Estimates, question: Question, bound: float, confidence: float, reference: int | None) -> None:
    """Raise ValueError for a question that these estimates cannot answer."""
    size = len(estimates.groups)
    if question in {"gap", "ratio"} and size < 2:
        msg = f"a {question} needs two groups; there is only {', '.join(map(str, estimates.groups))}"
        raise ValueError(msg)
    if question == "overall" and size != 1:
        msg = f"an overall value has one group, not {size}"
        raise ValueError(msg)
    if question == "ratio" and estimates.theta.max() <= 0:
        msg = f"a ratio to the largest value is undefined: the largest is {estimates.theta.max():g}"
        raise ValueError(msg)
    if reference is not None and (question != "gap" or not 0 <= reference < size):
        msg = f"reference {reference} is not one of {size} groups of a gap"
        raise ValueError(msg)
    if not (np.isfinite(bound) and 0.5 <= confidence < 1):
        msg = f"the bound must be finite and the confidence in [0.5, 1), not {bound} and {confidence}"
        raise ValueError(msg)


def _gap(estimates: Estimates, bound: float, reference: int | None, two_sided: bool) -> _Claim:
    theta, unit = estimates.theta, np.eye(len(estimates.groups))
    if reference is None:
        first, second = np.triu_indices(len(theta), 1)
        return _Claim(unit[first] - unit[second], bound, True, _apart(theta))
    others = np.delete(np.arange(len(theta)), reference)
    contrasts = unit[reference] - unit[others]
    short = contrasts @ theta
    far = int((np.abs(short) if two_sided else short).argmax())
    between = (reference, int(others[far]))
    return _Claim(contrasts, bound, two_sided, between[::-1] if two_sided and short[far] < 0 else between)


def _claim(estimates: Estimates, question: Question, less: bool, bound: float) -> _Claim:
    if question == "ratio":
        return _Claim(_ratio_contrasts(len(estimates.theta), bound), 0.0, False, _apart(estimates.theta))
    sign = 1.0 if less else -1.0
    worst = (int((sign * estimates.theta).argmax()),) if question == "by" else None
    return _Claim(sign * np.eye(len(estimates.theta)), sign * bound, False, worst)


def _apart(theta: FloatArray) -> tuple[int, int]:
    top, bottom = int(theta.argmax()), int(theta.argmin())
    # where all values are equal, argmax and argmin name the same group
    return (top, bottom) if top != bottom else (0, 1)


def _ratio_contrasts(size: int, ratio: float) -> FloatArray:
    """`ratio * theta_j - theta_i` for all i != j: all below 0 iff every value exceeds `ratio` times every other."""
    unit = np.eye(size)
    i, j = np.nonzero(~np.eye(size, dtype=np.bool_))
    contrasts: FloatArray = ratio * unit[j] - unit[i]
    return contrasts


def _value(estimates: Estimates, question: Question, claim: _Claim) -> float:
    theta = estimates.theta
    if claim.between is None:
        return float(theta[0])
    if question == "by":
        return float(theta[claim.between[0]])
    higher, lower = theta[claim.between[0]], theta[claim.between[1]]
    return float(lower / higher if question == "ratio" else higher - lower)


def _ends(estimates: Estimates, question: Question, less: bool, mirrored: bool) -> tuple[float, float]:
    """The least and the greatest value that the largest contrast can have."""
    if question == "gap":
        width = estimates.high - estimates.low
        return (0.0 if mirrored else -width), width
    return (estimates.low, estimates.high) if less else (-estimates.high, -estimates.low)


def _known(estimates: Estimates, claim: _Claim) -> Spread:
    known = spread(estimates, claim.contrasts)
    return known._replace(value=np.abs(known.value)) if claim.mirrored else known


def _judge(estimates: Estimates, claim: _Claim, alpha: float, seed: int) -> _Shown:
    """Pointwise t limits from above, simultaneous max-t limits from below."""
    known = _known(estimates, claim)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (known.value - claim.threshold) / known.error
    z = np.where(known.error > 0, z, np.where(known.value >= claim.threshold, np.inf, -np.inf))
    for draws in (DRAWS, FINE_DRAWS):
        errors = gaussian(estimates, draws, seed)
        top = np.sort(largest(errors, claim.contrasts, known, claim.mirrored, seed))[::-1]
        p_above = (int((top > z.max()).sum()) + 1) / (draws + 1)
        if abs(p_above - alpha) >= 0.01:
            break
    # the draw that the largest z must reach for its p-value to be below alpha
    place = int(np.ceil(alpha * (draws + 1))) - 2
    critical = float(top[place]) if place >= 0 else np.inf
    count = len(claim.contrasts) * (2 if claim.mirrored else 1)
    shrunk = "plus-two " if estimates.bounded else ""
    return _Shown(
        p_below=float(special.stdtr(known.freedom, z).max()),
        p_above=p_above,
        lower=_lower(known, critical),
        upper=_upper(known, alpha),
        critical=critical,
        method=f"{shrunk}t limits, cluster-robust; one side for each of {count} contrasts, "
        f"the other for all at once (max-t, {draws} draws)",
    )


def _judge_rates(estimates: Estimates, claim: _Claim, alpha: float) -> _Shown:
    """Each group's rate against the threshold from one side, all together from the other (Bonferroni)."""
    n = estimates.samples.astype(np.float64)
    yes = np.rint(estimates.theta * n)
    size, sign = len(n), claim.contrasts[0, 0]
    several = size > 1  # at alpha / size, Wilson's limits of nine groups err 0.11 together
    below = rate_p_values(yes, n, sign * claim.threshold)
    above = rate_p_values(yes, n, sign * claim.threshold, exact=several)
    upper, lower = rate_limits(yes, n, alpha), rate_limits(yes, n, alpha / size, exact=several)
    up, down = (1, 0) if sign > 0 else (0, 1)
    return _Shown(
        p_below=float(below[up].max()),
        p_above=min(1.0, size * float(above[down].min())),
        lower=float((sign * lower[down]).max()),
        upper=float((sign * upper[up]).max()),
        critical=float(-special.ndtri(alpha / size)),
        method="Wilson limits, exact (Clopper-Pearson) for few answers"
        + (f"; one side for each group, the other exact and for all {size} at once (Bonferroni)" if several else ""),
    )


def _upper(known: Spread, alpha: float) -> float:
    return float((known.value + -special.stdtrit(known.freedom, alpha) * known.error).max())


def _lower(known: Spread, critical: float) -> float:
    # a finite stand-in, as inf times an error of 0 is no number
    return float((known.value - min(critical, 1e100) * known.error).max())


def _side(limit: float, bound: float, below: bool) -> float:
    """The limit, on the side of the bound that its p-value says: rounding must not part the two."""
    if bool(limit < bound) == below:
        return float(limit)
    return float(np.nextafter(bound, -np.inf)) if below else bound


def _ratio_limits(estimates: Estimates, alpha: float, critical: float) -> tuple[float, float]:
    """The ratios up to which, and from which, the groups are shown to be closer, or further apart: (high, low)."""

    # the critical value is that of the bound: it hardly moves with the ratio
    def at(ratio: float) -> Spread:
        return spread(estimates, _ratio_contrasts(len(estimates.groups), ratio))

    return _root(lambda ratio: _lower(at(ratio), critical)), _root(lambda ratio: _upper(at(ratio), alpha))


def _root(rising: Callable[[float], float]) -> float:
    """Where a rising function of a ratio crosses 0, or the end of [0, 1] that is nearer."""
    if rising(0.0) >= 0:
        return 0.0
    return 1.0 if rising(1.0) <= 0 else float(optimize.brentq(rising, 0.0, 1.0, xtol=1e-9))


def _needed(estimates: Estimates, claim: _Claim, alpha: float, critical: float) -> int | None:
    """The smallest group's clusters at which limits that narrow with their root would leave the threshold."""
    known = _known(estimates, claim)
    value = claim.contrasts @ estimates.theta
    short = claim.threshold - (np.abs(value) if claim.mirrored else value)
    factor = np.where(short > 0, -special.stdtrit(known.freedom, alpha), min(critical, 1e100)) * known.error
    with np.errstate(all="ignore"):
        times = (factor / np.where(short == 0, np.nan, short)) ** 2
    more = times.max() if (short > 0).all() else np.nanmin(np.where(short < 0, times, np.inf))
    clusters = int(estimates.counts.min())
    return max(int(np.ceil(more * clusters)), clusters + 1) if np.isfinite(more) else None


def _needed_rates(estimates: Estimates, claim: _Claim, alpha: float) -> int | None:
    """The clusters of the smallest group at which the same rates would be judged, by the very same limits."""
    smallest = int(estimates.samples.min())

    def decides(count: int) -> bool:
        samples = np.ceil(estimates.samples * (count / smallest)).astype(np.int64)
        shown = _judge_rates(replace(estimates, samples=samples), claim, alpha)
        return min(shown.p_below, shown.p_above) < alpha

    few, many = smallest, 2 * smallest
    while not decides(many):
        few, many = many, 2 * many
        if many > MOST_CLUSTERS:
            return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if decides(middle) else (middle, many)
    return many
