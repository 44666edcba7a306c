"""Guards of flips: whether there was something to rewrite, and whether the answers were worth keeping as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import polars as pl

from fairprobe.guards.chance import beats
from fairprobe.guards.guard import Guard
from fairprobe.guards.shares import Shares
from fairprobe.invariance import EDITS, Rewritten
from fairprobe.metrics import KNOW_CHANCE, score_of
from fairprobe.relations import DRAWN

LEAST_REWRITTEN = 0.2
"""The share of samples that must hold something to rewrite; what is not changed cannot flip."""


def flips(shares: Shares, columns: Sequence[str]) -> Iterator[Guard]:
    """A model that knows nothing says the same to everything, and a rewriting that finds nothing flips nothing."""
    part = shares.part
    task, beside = part.task, part.outcomes.beside
    if not isinstance(task, Rewritten) or beside is None:
        return
    yield edit_rate(shares)
    chance = task.chance(part.outcomes.samples)
    if task.measure.function in KNOW_CHANCE and chance is not None:
        as_they_are = replace(shares, part=replace(part, outcomes=replace(beside, samples=part.outcomes.samples)))
        yield beats(chance, as_they_are, columns, score_of(task.measure, beside))


def edit_rate(shares: Shares) -> Guard:
    """How many of the samples hold anything to rewrite, and how much."""
    samples = shares.part.outcomes.samples
    fixed = samples.frame.filter(~pl.col(DRAWN))
    changed = fixed.height
    idle = sum(each.frame.height for each in samples.dropped if EDITS in each.frame.columns)
    share = changed / max(changed + idle, 1)
    edits = float(fixed[EDITS].to_numpy().mean()) if changed else 0.0
    detail = f"{changed:,} of {changed + idle:,} samples rewritten, {edits:.1f} changes each"
    return Guard("edit_rate", "pass" if share >= LEAST_REWRITTEN else "fail", detail)
