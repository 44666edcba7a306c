"""Guards of levels: whether there is anything to compare, and whether anything could differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np

from fairprobe import statistics
from fairprobe.guards.guard import Guard
from fairprobe.guards.shares import Shares, shown_above
from fairprobe.metrics import NoEvidence, told
from fairprobe.tasks import Recorded

CEILING = 0.98


def above_chance(shares: Shares, columns: Sequence[str], score: str, *, infers: bool) -> Iterator[Guard]:
    """The best-off group does better than an answer that knows nothing; a baseline that does not is a caveat.

    Of these very samples it does where its value does; of others like them it has to be shown.
    """
    part = shares.part
    chance = part.task.chance(part.outcomes.samples.take(np.flatnonzero(shares.kept)))
    if chance is not None:
        yield beats(chance, shares, columns, score, infers=infers)
    elif isinstance(part.task, Recorded):
        yield Guard("above_chance", "caveat", f"not known for {part.task.name}: say it with at_chance=0.25")


def beats(chance: float, shares: Shares, columns: Sequence[str], score: str, *, infers: bool = True) -> Guard:
    """The best-off group is shown above chance, by what a judge's errors leave of its score."""
    rates = shares.mean(shares.part.outcomes.scores[score])
    if rates is None:
        return Guard("above_chance", "fail", "a group has no answer at all")
    if score in shares.part.outcomes.labelled:
        # where the errors are not known, the guard of judges says so
        with suppress(NoEvidence, ValueError):
            rates = statistics.corrected(rates, told(shares.part.outcomes.labelled[score], columns, shares.labels))
    # "every group is below chance" is refuted when one is shown above it, the best-off one first
    best = int(np.argmax(rates.theta))
    shown = shown_above(rates, chance) if infers else bool(rates.theta[best] > chance)
    detail = f"best-off group {shares.where(best)} at {rates.theta[best]:.1%}, chance {chance:.1%}"
    if shown:
        return Guard("above_chance", "pass", detail)
    missed = f"{detail}; not shown above chance"
    return Guard("above_chance", "caveat" if shares.part.role == "baseline" else "fail", missed)


def ceiling(shares: Shares) -> Iterator[Guard]:
    """Some group leaves room for a difference; a task that everyone has solved cannot show one."""
    rates = shares.mean(shares.values.value)
    if rates is None:
        return
    worst = int(np.argmin(rates.theta))
    detail = f"worst-off group {shares.where(worst)} at {rates.theta[worst]:.1%}"
    if rates.theta[worst] < CEILING:
        yield Guard("ceiling", "pass", detail)
    else:
        yield Guard("ceiling", "caveat", f"{detail}: this task is too easy to show what sets groups apart")
