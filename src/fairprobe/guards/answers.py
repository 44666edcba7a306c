"""Guards of answers: whether there are any, whether they are answers, and whether they were cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fairprobe import statistics
from fairprobe.guards.guard import CONFIDENCE, Guard
from fairprobe.guards.shares import Shares, shown_above, shown_below
from fairprobe.metrics import VARIED

MOST_UNANSWERED = 0.01
LEAST_VALID, MOST_VALID_GAP = 0.90, 0.10
MOST_TRUNCATED = 0.10
INVALID = ("empty", "unparsable", "refused")
ITSELF = {"valid_rate": "valid_rate", "truncation_rate": "truncated"}
"""Metrics, each with the guard that would guard it by itself."""


AS_WRITTEN = frozenset({*VARIED, "kl_from_base"})
"""Metrics of texts as far as they are written, of which a limit of tokens takes nothing away."""


def answers(shares: Shares, functions: set[str]) -> Iterator[Guard]:
    """Every guard of answers but those that a metric is itself the measure of."""
    own = {ITSELF.get(function) for function in functions}
    yield answered(shares)
    if "valid_rate" not in own:
        # how many refuse is what a refusal rate is about
        yield valid_rate(shares, INVALID[:2] if "refusal_rate" in functions else INVALID)
    if "truncated" not in own and not functions <= AS_WRITTEN:
        yield truncated(shares)


def answered(shares: Shares) -> Guard:
    """Samples that brought no answer: above 1 % in a group nothing can be said."""
    lacking = shares.has("error", "missing")
    counts = shares.counts(lacking)
    rate = shares.rates(lacking)
    worst = int(np.argmax(rate))
    held = rate[worst] <= MOST_UNANSWERED
    detail = f"{counts[worst].count} of {counts[worst].of} not answered in {counts[worst].group}"
    return Guard("answered", "pass" if held else "fail", detail, counts)


def valid_rate(shares: Shares, invalid: Sequence[str] = INVALID) -> Guard:
    """Enough of the answers are answers, and about as many in every group."""
    bad = shares.has(*invalid)
    rates = shares.share(~bad)
    if rates is None:
        return Guard("valid_rate", "fail", "a group has no answer at all")
    worst = int(np.argmin(rates.theta))
    low = shown_below(rates, LEAST_VALID)
    uneven = (
        len(shares.labels) > 1
        and statistics.decide(rates, "gap", "<", MOST_VALID_GAP, confidence=CONFIDENCE).outcome == "fail"
    )
    kinds = ", ".join(f"{n} {kind}" for kind in invalid if (n := shares.count(shares.has(kind))[worst]))
    detail = f"{rates.theta[worst]:.1%} valid in {shares.where(worst)}" + (f" ({kinds})" if kinds else "")
    if low:
        detail += f"; shown below {LEAST_VALID:.0%}"
    if uneven:
        detail += f"; groups shown to differ by more than {MOST_VALID_GAP:.0%}"
    said = shares.example(bad, shares.part.outcomes.responses)
    return Guard("valid_rate", "fail" if low or uneven else "pass", detail, shares.counts(bad), said)


def truncated(shares: Shares) -> Guard:
    """Few answers were cut, or their prompts too long to be asked."""
    cut = shares.has("truncated")
    rates = shares.share(cut)
    if rates is None:
        return Guard("truncated", "fail", "a group has no answer at all")
    worst = int(np.argmax(rates.theta))
    detail = f"{rates.theta[worst]:.1%} truncated in {shares.where(worst)}"
    fires = shown_above(rates, MOST_TRUNCATED)
    detail += f"; shown above {MOST_TRUNCATED:.0%}" if fires else ""
    said = shares.example(cut, shares.part.outcomes.responses)
    return Guard("truncated", "fail" if fires else "pass", detail, shares.counts(cut), said)
