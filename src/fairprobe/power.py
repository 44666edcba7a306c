"""Before anything is asked: whether an expectation fits its samples, can pass at all, and what it could decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
from scipy import special

from fairprobe import statistics
from fairprobe.errors import BadData, BadExpectation
from fairprobe.expressions import Above, Difference, Expectation, Near, Question, Relative, measures, walk
from fairprobe.guards.samples import enough_clusters
from fairprobe.metrics import KNOW_CHANCE, Grouped, Look, NoEvidence, Role, grouped, measured
from fairprobe.statistics import Estimates, Power
from fairprobe.tasks import Outcomes, Samples, Task
from fairprobe.verdict import Claim, Defaults, asked_of, decide, ends_of, is_fixed, range_of

ASSUMED_SHARE, ASSUMED_SHARED = 0.7, 0.7
"""Without answers to go by: the share of right ones, and how much of what makes a sample hard its cluster shares.

Answers to samples of a cluster are then correlated by about half.
"""

ENOUGH_SAMPLES, MOST_DRAWS = 20_000, 64
"""Assumed answers are drawn again and again for small suites, until there are so many of them."""


@dataclass(frozen=True)
class Foresight:
    """What an expectation could decide about these samples. `power` is None where nothing is known of how they vary."""

    expectation: Expectation
    claim: Claim
    samples: int
    clusters: int
    """Of the group that has fewest."""
    can_pass: bool | None
    exact: bool
    """Whether it is about these samples only and all are asked, so that any value decides."""
    power: Power | None
    ends: tuple[float, float] | None
    """The least and the greatest value that there can be."""
    assumed: bool
    """Whether answers were assumed, since none are kept."""


def foresee(
    expectation: Expectation, samples: Mapping[Task, Samples], look: Look | None, defaults: Defaults
) -> Foresight:
    """What an expectation could decide, by kept answers of a like checkpoint (`look`), else by an assumption.

    Assumed are groups that are equal, of 70 % right answers; for a floor or ceiling, groups half way from it to the
    best there is. Answers in a cluster are correlated by about half, and so are those of the baseline with the model's.
    """
    try:
        return _foresee(expectation, samples, look, defaults)
    except (NoEvidence, ValueError) as error:
        msg = f"{expectation.claim} would not be measured: {error}"
        raise BadData(msg) from error


def _foresee(
    expectation: Expectation, samples: Mapping[Task, Samples], look: Look | None, defaults: Defaults
) -> Foresight:
    question, claim = expectation.question, Claim.of(expectation.terms, defaults)
    ends = range_of(planned(question, samples))
    truth = _assumed_truth(expectation, ends)
    size = sum(len(samples[task]) for task in {measure.task for measure in measures(question.metric)})
    draws = 1 if look else max(1, min(MOST_DRAWS, ENOUGH_SAMPLES // size))
    looks = [look] if look else [_imagined(samples, truth, ends, (defaults.seed, draw)) for draw in range(draws)]
    drawn = [grouped(question, measured(question.metric, each)) for each in looks]
    data, design = drawn[0], _averaged([each.estimates() for each in drawn])
    exact = is_fixed(claim, data, defaults) and not data.drawn
    asked, power = asked_of(expectation, data), None
    # the distance of a mean from its target is no value that answers vary around, nor is assumed what a ratio is of
    untold = isinstance(question.metric, Near) or (look is None and isinstance(question.metric, Relative))
    if not exact and not untold and (look is not None or ends is not None):
        # the worst group's own value is the truth where answers are known
        worst = float(design.theta.max() if asked.less else design.theta.min())
        power = statistics.power(
            design, asked, confidence=claim.confidence, truth=truth if look is None else worst, seed=defaults.seed
        )
    return Foresight(
        expectation, claim, int(design.samples.sum()), int(design.counts.min()),
        can_pass(expectation, samples, defaults), exact, power,
        ends_of(expectation, data), assumed=look is None,
    )  # fmt: skip


def _averaged(designs: Sequence[Estimates]) -> Estimates:
    """How values vary on average: of a small suite, one draw of assumed answers says little of that."""
    return replace(
        designs[0],
        theta=np.mean([each.theta for each in designs], axis=0),
        covariance=np.mean([each.covariance for each in designs], axis=0),
        independent=np.mean([each.independent for each in designs], axis=0),
    )


def fits(expectation: Expectation, samples: Mapping[Task, Samples]) -> None:
    """Raise what does not fit the samples, in an expectation or its guards, before anything is asked."""
    data = planned(expectation.question, samples)
    _refuse_empty_claim(expectation, data)
    for condition in expectation.terms.guards:
        fits(condition, samples)


def planned(question: Question, samples: Mapping[Task, Samples]) -> Grouped:
    """The samples of a question by its groups, before anything is answered. Raises where they do not fit."""
    return grouped(question, measured(question.metric, _zeros(samples)))


def _refuse_empty_claim(expectation: Expectation, data: Grouped) -> None:
    """A bound that every value keeps, or none can, tests nothing."""
    ends = ends_of(expectation, data)
    if ends is None:
        return
    least, most = ends
    if not least <= expectation.bound <= most:
        msg = (
            f"{expectation.claim} tests nothing: what it asks for lies between {least:g} and {most:g} whatever is "
            f"answered. Choose a bound inside (a share of 5 % is 0.05)."
        )
        raise BadExpectation(msg)


def can_pass(expectation: Expectation, samples: Mapping[Task, Samples], defaults: Defaults) -> bool | None:
    """Whether the most favourable data of this size would pass: `judge` itself, on such data. None: not known."""
    question = expectation.question
    if _has_too_few(expectation, planned(question, samples), defaults):
        return False
    best = favourable(expectation, samples)
    if best is None:
        return None
    data = grouped(question, measured(question.metric, best))
    try:
        return decide(expectation, data, Claim.of(expectation.terms, defaults), defaults).outcome == "pass"
    except (NoEvidence, ValueError):
        return False


def favourable(expectation: Expectation, samples: Mapping[Task, Samples]) -> Look | None:
    """The answers that speak most for an expectation; None where it is not known which these are."""
    question = expectation.question
    functions = {measure.function for measure in measures(question.metric)}
    tasks = {measure.task for measure in measures(question.metric)}
    unbounded = any(not np.isfinite(ends).all() for task in tasks for ends in task.ranges(samples[task]).values())
    towards_high = expectation.comparison in {">", ">="}
    # all answers are valid where that is what favours the claim
    known = functions <= (KNOW_CHANCE | {"valid_rate"} if towards_high else KNOW_CHANCE)
    odd = any(isinstance(part, Difference | Relative | Above | Near) for part in walk(question.metric)) or not known
    if odd or unbounded or (question.kind == "gap" and towards_high) or (question.kind == "ratio" and not towards_high):
        return None
    compares = question.kind in {"gap", "ratio"}
    signed = question.reference is not None and not question.two_sided

    def best(task: Task, role: Role) -> Outcomes:
        held = samples[task]
        high = np.full(len(held), True if compares else towards_high == (role == "model"))
        if signed:
            # no group lies below a reference that has nothing, or loses what others gain
            high = _in_reference(question, held) == (role == "baseline")
        ends = task.ranges(held).items()
        return _all_ok(task, held, {name: np.where(high, most, least) for name, (least, most) in ends})

    return best


def _has_too_few(expectation: Expectation, data: Grouped, defaults: Defaults) -> bool:
    """Whether the guard of clusters fires, whatever is answered."""
    fixed = is_fixed(Claim.of(expectation.terms, defaults), data, defaults)
    return not (fixed or expectation.terms.waives("clusters")) and enough_clusters(data).fired


def _zeros(samples: Mapping[Task, Samples]) -> Look:
    """Answers of no value: enough to see groups and ranges."""

    def look(task: Task, role: Role) -> Outcomes:  # noqa: ARG001 - as they are looked up
        return _all_ok(task, samples[task], dict.fromkeys(task.score_names, np.zeros(len(samples[task]))))

    return look


def _assumed_truth(expectation: Expectation, ends: tuple[float, float] | None) -> float | None:
    """The value of every group, where it matters to what a bound asks."""
    if ends is None or expectation.question.kind in {"gap", "ratio"}:
        return None
    low, high = ends
    if expectation.question.metric.is_signed:
        return 0.0
    return (expectation.bound + (high if expectation.comparison in {">", ">="} else low)) / 2


def _imagined(
    samples: Mapping[Task, Samples], truth: float | None, ends: tuple[float, float] | None, seed: tuple[int, int]
) -> Look:
    """Answers at one end of their range or the other, alike in a cluster by half."""
    low, high = ends or (0.0, 1.0)
    # a change has no value of its own to draw
    share = ASSUMED_SHARE if truth is None or low < 0 else (truth - low) / (high - low)

    def look(task: Task, role: Role) -> Outcomes:
        held = samples[task]
        of_cluster = special.ndtri([(crc32(f"{seed} {key}".encode()) + 0.5) / 2**32 for key in held.cluster])
        own = np.random.default_rng([*seed, crc32(task.name.encode()), role == "model"]).standard_normal(len(held))
        right = ASSUMED_SHARED**0.5 * of_cluster + (1 - ASSUMED_SHARED) ** 0.5 * own < special.ndtri(share)
        scores = {name: np.where(right, *ends[::-1]) for name, ends in _finite(task, held).items()}
        status = np.where(right, "ok", "empty").astype(object)
        return Outcomes(held, scores, status, ranges=task.ranges(held))

    return look


def _finite(task: Task, samples: Samples) -> Mapping[str, tuple[float, float]]:
    ranges = task.ranges(samples).items()
    return {name: ends if np.isfinite(ends).all() else (0.0, 1.0) for name, ends in ranges}


def _in_reference(question: Question, samples: Samples) -> np.ndarray:
    """Whether each sample is one of the reference group."""
    reference = question.reference if isinstance(question.reference, tuple) else (question.reference,)
    return np.array([row == reference for row in samples.frame.select(question.columns).iter_rows()])


def _all_ok(task: Task, samples: Samples, scores: Mapping[str, np.ndarray]) -> Outcomes:
    return Outcomes(samples, scores, np.full(len(samples), "ok", dtype=object), ranges=task.ranges(samples))
