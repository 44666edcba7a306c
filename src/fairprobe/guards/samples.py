"""Guards of samples: enough of them, the same in every group, each once, and none that cannot be won."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from fairprobe import statistics
from fairprobe.guards.guard import Guard, Outcome
from fairprobe.guards.shares import Shares
from fairprobe.metrics import Grouped, labelled
from fairprobe.tasks import Simulation

LEAST_OVERLAP = 0.95
SOME, MANY = 0.01, 0.10
"""Shares of a group's samples that are worth knowing, and that leave no evidence."""


def enough_clusters(grouped: Grouped) -> Guard:
    """Every group has enough independent samples for its spread to be known."""
    bounded = all(np.isfinite([values.low, values.high]).all() and not values.divides for values in grouped.values)
    least = statistics.enough_clusters(bounded)
    counts = []
    for values, at in zip(grouped.values, grouped.index, strict=True):
        cluster, used = values.parts[0].outcomes.samples.cluster, values.kept & ~np.isnan(values.value)
        counts += [(len(set(cluster[used & (at == place)])), label) for place, label in enumerate(grouped.labels)]
    fewest, label = min(counts, key=lambda pair: pair[0])
    held = fewest >= least
    detail = f"{fewest} cluster{'' if fewest == 1 else 's'} in {labelled(label)}" + (
        "" if held else f"; a verdict needs {least} in every group"
    )
    return Guard("clusters", "pass" if held else "fail", detail)


def overlap(shares: Shares, reference: int | None) -> Iterator[Guard]:
    """Groups that are compared were asked the same questions, where the task says which are the same."""
    samples = shares.part.outcomes.samples
    asked = samples.pair if samples.asked is None else samples.asked
    if asked is None:
        return
    shared = _shared(asked[shares.kept], shares.at[shares.kept], len(shares.labels))
    compared = [
        (one, other) for one, other in combinations(range(len(shared)), 2) if reference in {None, one, other}
    ]  # fmt: skip
    one, other = least = min(compared, key=lambda two: shared[two])
    detail = f"{shared[least]:.1%} of the questions shared by {shares.where(one)} and {shares.where(other)}"
    if shared[least] >= LEAST_OVERLAP:
        yield Guard("overlap", "pass", detail)
    else:
        mend = "compare those that every group was asked, with .matched(column)"
        yield Guard("overlap", "fail", f"{detail}, fewer than {LEAST_OVERLAP:.0%}: {mend}")


def _shared(questions: np.ndarray, at: np.ndarray, groups: int) -> np.ndarray:
    """(G, G) what share of the larger one's questions each two groups share; samples at -1 are in no group."""
    held = at >= 0
    keys, question = statistics.indexed(questions[held])
    met = np.zeros((len(keys), groups), dtype=np.float32)
    met[question, at[held]] = 1.0
    counts = met.sum(axis=0)
    share: np.ndarray = (met.T @ met) / np.maximum(np.maximum.outer(counts, counts), 1.0)
    return share


def duplicates(shares: Shares) -> Iterator[Guard]:
    """No prompt stands twice in a group as if it were independent evidence."""
    prompts, cluster = shares.part.outcomes.prompts, shares.part.outcomes.samples.cluster
    if not any(prompts) or isinstance(shares.part.task, Simulation):
        return  # respondents who are alike are told alike, and answer each for themselves
    first: dict[tuple[int, str | None], object] = {}
    again = np.zeros(len(prompts), dtype=bool)
    for place in np.flatnonzero(shares.kept).tolist():
        key = (int(shares.at[place]), prompts[place])
        again[place] = first.setdefault(key, cluster[place]) != cluster[place]
    yield _of_samples(
        "duplicates", shares, again, what="ask what another sample of the group asks",
        mend="give them one cluster, or leave them out",
    )  # fmt: skip


def leaked(shares: Shares) -> Iterator[Guard]:
    """No sample's own text stands among the examples of its prompt."""
    held = shares.part.task.leaked(shares.part.outcomes.samples)
    if held is not None:
        yield _of_samples(
            "leaked", shares, held, what="have their own text in the examples before them",
            mend="draw others, with shots=", most=SOME,
        )  # fmt: skip


def unwinnable(shares: Shares, score: str, allowed: float | None) -> Iterator[Guard]:
    """The scorer accepts a sample's own target; where it does not, and unevenly, that is a part of any gap.

    `allowed` is how much of a gap may be of that kind; None where a question has none.
    """
    held = shares.part.task.unwinnable(shares.part.outcomes.samples, score)
    if held is None:
        return
    rates = shares.rates(held)
    worst, spread = int(np.argmax(rates)), float(np.ptp(rates))
    counts = shares.counts(held)
    detail = f"{counts[worst].count} of {counts[worst].of} targets in {counts[worst].group} that the scorer refuses"
    fires = allowed is not None and spread > 0 and spread >= allowed
    if fires:
        detail += f"; groups differ by {spread:.1%}, and the bound leaves room for {allowed:.1%}"
    outcome: Outcome = "fail" if fires else "caveat" if rates[worst] > SOME else "pass"
    yield Guard("unwinnable", outcome, detail, counts, shares.example(held, shares.part.outcomes.targets))


def _of_samples(name: str, shares: Shares, held: np.ndarray, *, what: str, mend: str, most: float = MANY) -> Guard:
    """A guard of what is counted of the samples themselves."""
    rates = shares.rates(held)
    worst, counts = int(np.argmax(rates)), shares.counts(held)
    detail = f"{counts[worst].count} of {counts[worst].of} samples in {counts[worst].group} {what}"
    outcome: Outcome = "fail" if rates[worst] > most else "caveat" if rates[worst] > SOME else "pass"
    detail += "" if outcome == "pass" else f": {mend}"
    return Guard(name, outcome, detail, counts, shares.example(held, shares.part.outcomes.prompts))
