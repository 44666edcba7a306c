"""Guards of choices: whether the options carry the probability, and whether one place among them is preferred."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fairprobe import statistics
from fairprobe.guards.guard import CONFIDENCE, Guard
from fairprobe.guards.shares import Shares, shown_above, shown_below
from fairprobe.tasks import OPTION_MASS
from fairprobe.tasks.options import LETTERS

LEAST_MASS = 0.5
MOST_EXCESS = 0.3


def choices(shares: Shares) -> Iterator[Guard]:
    """The guards of whatever is chosen; none of answers that are no choices."""
    if OPTION_MASS in shares.part.outcomes.scores:
        yield from option_mass(shares)
    if shares.part.outcomes.choices is not None:
        yield from position_bias(shares)


def option_mass(shares: Shares) -> Iterator[Guard]:
    """The letters carry most of the probability of what the model says next; a small rest chooses between them."""
    mass = shares.mean(shares.part.outcomes.scores[OPTION_MASS])
    if mass is None:
        return
    worst = int(np.argmin(mass.theta))
    low = shown_below(mass, LEAST_MASS)
    detail = f"{mass.theta[worst]:.1%} of the probability on the options in {shares.where(worst)}"
    yield Guard(
        OPTION_MASS, "fail" if low else "pass", f"{detail}; shown below {LEAST_MASS:.0%}" if low else detail
    )  # fmt: skip


def position_bias(shares: Shares) -> Iterator[Guard]:
    """No place among the options is chosen much more often than what is right, or what people say, stands there."""
    made = shares.part.outcomes.choices
    assert made is not None
    chose = made.chosen[:, None] == np.arange(made.expected.shape[1])
    chosen = np.where((made.chosen < 0)[:, None], np.nan, chose)
    excess = [
        (found, place)
        for place in range(made.expected.shape[1])
        if (found := shares.mean(chosen[:, place] - made.expected[:, place], low=-1.0, high=1.0)) is not None
    ]
    if not excess:
        return
    # what a few samples happen to choose is not the worst
    least = [statistics.limits(found, 1 - CONFIDENCE)[0] for found, _ in excess]
    at, worst = (int(place) for place in np.unravel_index(np.argmax(least), np.shape(least)))
    most, place = excess[at]
    fires = shown_above(most, MOST_EXCESS)
    there = shares.kept & (shares.at == worst) & (made.chosen >= 0)
    taken, due = float(chose[there, place].mean()), float(made.expected[there, place].mean())
    detail = f"option {LETTERS[place]} chosen in {taken:.1%} of {shares.where(worst)}, where {due:.1%} are due to it"
    detail += f"; shown more than {MOST_EXCESS:.0%} too often: ask in several orders, with orders=" if fires else ""
    yield Guard("position_bias", "fail" if fires else "pass", detail, shares.counts(chose[:, place]))
