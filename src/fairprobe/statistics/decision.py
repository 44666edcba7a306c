"""A question about the groups' values and a bound, decided with error control: every question is `max(contrasts) < t`.

Shown below t: every contrast is, each at its own alpha (intersection-union, Berger 1982). Shown to reach t: some
contrast does, at an alpha for all of them together (max-t). Only one of these can be a wrong claim, so a
decision errs with probability alpha.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from scipy import optimize, special

from fairprobe.statistics.bounds import Spread, gaussian, largest, spread
from fairprobe.statistics.contrasts import Asked, Claim, Comparison, Question, claim, ratios, value_of
from fairprobe.statistics.estimates import NEARLY_EQUAL
from fairprobe.statistics.rates import rate_p_values, rates_of
from fairprobe.statistics.score_tests import sparse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairprobe.statistics.estimates import Estimates, FloatArray

Outcome = Literal["pass", "fail", "inconclusive", "invalid"]

DRAWS, FINE_DRAWS = 4_000, 20_000
LEAST_CLUSTERS, LEAST_CLUSTERS_UNBOUNDED = 10, 30
"""With fewer in a group, the spread between clusters is a guess; and more are needed where values have no ends."""
FEW_EFFECTIVE_CLUSTERS = 20
MOST_CLUSTERS = 10**9
"""More than this nobody asks: no number would decide it."""


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
    """Of the claim as written; it passes iff this is below alpha, and there are enough clusters."""
    p_value_fail: float
    """Of its contrary; it fails iff this is below alpha."""
    needed: int | None
    """About how many clusters in the smallest group would decide, were the values as estimated; None if none would."""
    equal_groups: float | None
    """The gap that equal groups would show on average at this size; for a gap without reference."""
    method: str
    """How it was decided, in words."""
    caveats: tuple[str, ...] = ()
    """What a reader of the limits should know of the data."""


class _Shown(NamedTuple):
    """What is shown of the largest contrast: below or above the threshold, and its limits."""

    p_below: float
    p_above: float
    lower: float
    upper: float
    critical: float
    needed: int | None
    method: str


class _Tests(NamedTuple):
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
    the only one, `ratio` is the smallest value over the largest.

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
    tested = claim(estimates, asked)
    tests = _tests(estimates, asked, tested, alpha)
    if tests is not None:
        shown = _judge_separately(tests, estimates, tested, _ends(estimates, asked), alpha)
    else:
        shown = _judge(estimates, tested, alpha, seed)
    is_below, is_above = shown.p_below < alpha, shown.p_above < alpha
    holds_below = {"gap": asked.less, "ratio": not asked.less}.get(question, True)
    passed, failed = (is_below, is_above) if holds_below else (is_above, is_below)
    p_values = (shown.p_below, shown.p_above) if holds_below else (shown.p_above, shown.p_below)
    low, high = _limits(estimates, asked, tested, shown, alpha)
    least = least_clusters or (LEAST_CLUSTERS if estimates.bounded else LEAST_CLUSTERS_UNBOUNDED)
    enough = estimates.counts.min() >= max(least, 2)
    all_pairs = question == "gap" and reference is None
    return Decision(
        outcome="fail" if failed else "invalid" if not enough else "pass" if passed else "inconclusive",
        value=value_of(estimates.theta, question, tested.between),
        low=low,
        high=high,
        between=tested.between,
        p_value_pass=p_values[0],
        p_value_fail=p_values[1],
        needed=None if passed or failed else shown.needed,
        equal_groups=float(np.ptp(gaussian(estimates, DRAWS, seed), axis=1).mean()) if all_pairs else None,
        method=shown.method,
        caveats=tuple(_caveats(estimates, tested)),
    )


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


def _limits(estimates: Estimates, asked: Asked, tested: Claim, shown: _Shown, alpha: float) -> tuple[float, float]:
    """The limits of the question's value, on the sides of the bound that the p-values say."""
    lower, upper, threshold = shown.lower, shown.upper, tested.threshold
    if asked.question == "ratio":
        # the ratio falls as its contrasts rise, so it is told from here on by its negative
        lower, upper = (-limit for limit in _ratio_limits(estimates, alpha, shown.critical))
        threshold = -asked.bound
    else:
        lower, upper = np.clip((lower, upper), *_ends(estimates, asked))
    lower = _side(lower, threshold, not shown.p_above < alpha)
    upper = _side(upper, threshold, shown.p_below < alpha)
    turned = asked.question == "ratio" or (asked.question != "gap" and not asked.less)
    return (-upper, -lower) if turned else (lower, upper)


def _tests(estimates: Estimates, asked: Asked, tested: Claim, alpha: float) -> _Tests | None:
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
    return _Tests(p_values, tested.size, f"score tests for few answers of a kind ({', '.join(names)}){rest}")


def _rate_tests(estimates: Estimates, tested: Claim, alpha: float) -> _Tests:
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
    return _Tests(p_values, count, method)


def _judge_separately(
    tests: _Tests, estimates: Estimates, tested: Claim, within: tuple[float, float], alpha: float
) -> _Shown:
    """Each contrast by its own test from one side, all together from the other (Bonferroni): limits by inversion."""
    sides = f"; one side for each of {tests.size} contrasts, the other for all at once (Bonferroni)"

    def decides(times: float) -> bool:
        return min(tests.below(tested.threshold, times), tests.above(tested.threshold, times)) < alpha

    return _Shown(
        p_below=tests.below(tested.threshold),
        p_above=tests.above(tested.threshold),
        lower=_crossing(lambda t: _normal(tests.above(t)) - _normal(alpha), *within),
        upper=_crossing(lambda t: _normal(alpha) - _normal(tests.below(t)), *within),
        critical=float(-special.ndtri(alpha / tests.size)),
        needed=_fewest(decides, int(estimates.counts.min())),
        method=tests.method + (sides if tests.size > 1 else ""),
    )


def _normal(p: float) -> float:
    # on this scale a test is nearly linear in its threshold; a finite stand-in for p-values of 0 and 1
    return float(special.ndtri(np.clip(p, 1e-300, 1 - 1e-16)))


def _fewest(decides: Callable[[float], bool], clusters: int) -> int | None:
    """The number of clusters of the smallest group from which on it is decided, given `clusters` that do not."""
    few, many = clusters, 2 * clusters
    while not decides(many / clusters):
        few, many = many, 2 * many
        if many > MOST_CLUSTERS:
            return None
    while many - few > max(1, few // 1000):
        middle = (few + many) // 2
        few, many = (few, middle) if decides(middle / clusters) else (middle, many)
    return many


def _judge(estimates: Estimates, tested: Claim, alpha: float, seed: int) -> _Shown:
    """Pointwise t limits from above, simultaneous max-t limits from below."""
    known = spread(estimates, tested.contrasts)
    known = known._replace(value=np.abs(known.value)) if tested.mirrored else known
    z = known.z(tested.threshold)
    for draws in (DRAWS, FINE_DRAWS):
        errors = gaussian(estimates, draws, seed)
        top = np.sort(largest(errors, tested.contrasts, known, tested.mirrored, seed))[::-1]
        p_above = (int((top > z.max()).sum()) + 1) / (draws + 1)
        if abs(p_above - alpha) >= 0.01:
            break
    # the draw that the largest z must reach for its p-value to be below alpha
    place = int(np.ceil(alpha * (draws + 1))) - 2
    critical = float(top[place]) if place >= 0 else np.inf
    shrunk = "plus-two " if estimates.bounded else ""
    return _Shown(
        p_below=float(special.stdtr(known.freedom, z).max()),
        p_above=p_above,
        lower=float(known.lower(critical).max()),
        upper=float(known.upper(alpha).max()),
        critical=critical,
        needed=_needed(estimates, tested, known, alpha, critical),
        method=f"{shrunk}t limits, cluster-robust; one side for each of {tested.size} contrasts, "
        f"the other for all at once (max-t, {draws} draws)",
    )


def _needed(estimates: Estimates, tested: Claim, known: Spread, alpha: float, critical: float) -> int | None:
    """The smallest group's clusters at which limits that narrow with their root would leave the threshold."""
    value = tested.contrasts.of(estimates.theta)
    short = tested.threshold - (np.abs(value) if tested.mirrored else value)
    factor = np.where(short > 0, -special.stdtrit(known.freedom, alpha), min(critical, 1e100)) * known.error
    with np.errstate(all="ignore"):
        times = (factor / np.where(short == 0, np.nan, short)) ** 2
    more = times.max() if (short > 0).all() else np.nanmin(np.where(short < 0, times, np.inf))
    clusters = int(estimates.counts.min())
    return max(int(np.ceil(more * clusters)), clusters + 1) if np.isfinite(more) else None


def _side(limit: float, bound: float, below: bool) -> float:
    """The limit, on the side of the bound that its p-value says: rounding must not part the two."""
    if bool(limit < bound) == below:
        return float(limit)
    return float(np.nextafter(bound, -np.inf)) if below else bound


def _ratio_limits(estimates: Estimates, alpha: float, critical: float) -> tuple[float, float]:
    """The ratios up to which, and from which, the groups are shown to be closer, or further apart: (high, low)."""

    # the critical value is that of the bound: it hardly moves with the ratio
    def at(ratio: float) -> Spread:
        return spread(estimates, ratios(len(estimates.groups), ratio))

    return (
        _crossing(lambda ratio: float(at(ratio).lower(critical).max()), 0.0, 1.0),
        _crossing(lambda ratio: float(at(ratio).upper(alpha).max()), 0.0, 1.0),
    )


def _crossing(rising: Callable[[float], float], least: float, most: float) -> float:
    """Where a rising function crosses 0, or the end that is nearer."""
    if rising(least) >= 0:
        return least
    return most if rising(most) <= 0 else float(optimize.brentq(rising, least, most, xtol=1e-9))


def _caveats(estimates: Estimates, tested: Claim) -> Iterator[str]:
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


def _skew(estimates: Estimates, tested: Claim) -> float:
    """The skewness of what clusters add to the contrast that makes the value."""
    between = tested.between or (0,)
    first, second = between[0], between[-1]
    held = estimates.psi[:, first] - (estimates.psi[:, second] if second != first else 0.0)
    held = held[estimates.present[:, first] | estimates.present[:, second]]
    spread_ = np.sqrt((held**2).mean())
    return float((held**3).mean() / spread_**3) if spread_ > 0 else 0.0
