"""Guards: conditions without which a pass would be no evidence, each read off the outcomes by group.

A guard fires when its violation is shown (one-sided 99 %), so that healthy runs stay quiet. The exception is
`above_chance`, which must itself be shown, for the best-off group. What is counted of the samples themselves, as
`overlap`, is no matter of chance and needs no showing.
"""

from __future__ import annotations

from collections.abc import Iterator

from fairprobe.expressions import Expectation, Measure, measures
from fairprobe.guards.answers import answers
from fairprobe.guards.asking import noise, template, tokens
from fairprobe.guards.chance import above_chance, ceiling
from fairprobe.guards.choices import choices
from fairprobe.guards.flips import flips
from fairprobe.guards.guard import Count, Guard
from fairprobe.guards.judged import judged
from fairprobe.guards.names import name_form
from fairprobe.guards.samples import duplicates, enough_clusters, leaked, overlap, unwinnable
from fairprobe.guards.shares import Shares
from fairprobe.invariance import REWRITING, Rewritten
from fairprobe.metrics import KNOW_CHANCE, RATES, Grouped, Values, reference_index, score_of
from fairprobe.statistics import Decision

__all__ = ["Count", "Guard", "check"]

OF_RIGHT_ANSWERS = KNOW_CHANCE | {"f1"}
"""Metrics that cannot go beyond all answers being right."""


def check(
    expectation: Expectation, grouped: Grouped, decision: Decision | None, *, whole: Grouped, infers: bool
) -> Iterator[Guard]:
    """Every default guard of an expectation, over the outcomes that its metric reads.

    `whole` holds all of its samples, whether or not they were asked. `infers`: the claim is about samples like these,
    so that it takes enough of them.
    """
    if infers:
        yield enough_clusters(grouped)
    asked = [part for values in grouped.values for part in values.parts]
    several = len({part.task.name for part in asked}) > 1
    for shares in _shares(grouped, several):
        # what a group without samples lacks is samples
        if shares.sizes.all():
            yield from _of_answers(expectation, shares, infers=infers)
    for shares in _shares(whole, several):
        # both checkpoints have the same samples
        if shares.part is shares.values.parts[0]:
            yield from _of_samples(expectation, shares)
    yield from template(asked)
    yield from noise(asked, None if decision is None else abs(decision.value - expectation.bound))


def _shares(grouped: Grouped, several: bool) -> Iterator[Shares]:
    """What each part of the metric reads."""
    for values, at in zip(grouped.values, grouped.index, strict=True):
        for part in values.parts:
            yield Shares(values, part, at, grouped.labels, part.task.name if several else "")


def _of_answers(expectation: Expectation, shares: Shares, *, infers: bool) -> Iterator[Guard]:
    """The guards of what one checkpoint answered."""
    functions, columns = _functions(expectation), expectation.question.columns
    score = score_of(_read(expectation, shares), shares.part.outcomes)
    yield from answers(shares, functions)
    if functions == {"flip_rate"}:
        yield from flips(shares, columns)
        return
    if not functions & (RATES.keys() | {"tokens_per_sample"}):
        yield from choices(shares)
    yield from judged(shares, columns, score)
    if functions <= KNOW_CHANCE:
        yield from above_chance(shares, columns, score, infers=infers)
    if "tokens_per_sample" not in functions:
        yield from tokens(shares)


def _of_samples(expectation: Expectation, shares: Shares) -> Iterator[Guard]:
    """The guards of what was asked, whoever answers."""
    question = expectation.question
    yield from duplicates(shares)
    yield from leaked(shares)
    yield from name_form(shares)
    yield from _unwinnable(expectation, shares)
    if question.kind in {"gap", "ratio"}:
        # a sample under its rewritings is a pair, and of a topic all of them are
        if not isinstance(shares.part.task, Rewritten) or REWRITING in question.columns:
            yield from overlap(shares, reference_index(question, shares.labels))
        if _functions(expectation) <= OF_RIGHT_ANSWERS and (shares.values.low, shares.values.high) == (0.0, 1.0):
            yield from ceiling(shares)


def _read(expectation: Expectation, shares: Shares) -> Measure:
    """What the metric reads of the task."""
    return next(each for each in measures(expectation.question.metric) if each.task == shares.part.task)


def _functions(expectation: Expectation) -> set[str]:
    return {measure.function for measure in measures(expectation.question.metric)}


def _unwinnable(expectation: Expectation, shares: Shares) -> Iterator[Guard]:
    read = _read(expectation, shares)
    if read.function not in RATES:
        yield from unwinnable(shares, score_of(read, shares.part.outcomes), _room(expectation, shares.values))


def _room(expectation: Expectation, values: Values) -> float | None:
    """How much of a gap may be due to what cannot be won: half of what the claim allows."""
    # in a change the same samples cannot be won before and after
    bounds_a_gap = expectation.question.kind == "gap" and expectation.comparison in {"<", "<="}
    return expectation.bound / 2 if bounds_a_gap and len(values.parts) == 1 else None
