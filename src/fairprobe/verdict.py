"""An expectation and its estimates to a verdict: the interval decides, and guards say whether it was evidence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

import numpy as np

from fairprobe import guards, statistics
from fairprobe.expressions import Expectation, Mode, Near, Question, Scope, Terms, measures
from fairprobe.guards import Guard
from fairprobe.metrics import (
    Grouped,
    LeftOut,
    Look,
    NoEvidence,
    Values,
    grouped,
    labelled,
    measured,
    reference_index,
)
from fairprobe.relations import Counterexample
from fairprobe.scorers import STATUSES
from fairprobe.statistics import Asked, Decision, Stopped
from fairprobe.tasks import Recorded

Outcome = Literal["pass", "fail", "inconclusive", "invalid"]
End = Literal["low", "high"]


@dataclass(frozen=True)
class Defaults:
    """What the run says where an expectation does not, and the seed of its draws."""

    confidence: float = 0.95
    mode: Mode = "prove"
    scope: Scope = "population"
    seed: int = 0
    limited: bool = False
    """Whether only a part of the samples was asked, so that no benchmark was asked whole."""


@dataclass(frozen=True)
class Claim:
    """What an expectation claims, with nothing left unsaid: this is what is printed and stored."""

    confidence: float
    scope: Scope
    mode: Mode

    @classmethod
    def of(cls, terms: Terms, defaults: Defaults) -> Claim:
        """An expectation's own words, else the run's."""
        return cls(terms.confidence or defaults.confidence, terms.scope or defaults.scope, terms.mode or defaults.mode)


@dataclass(frozen=True)
class GroupValue:
    """One group's value with its limits (None: no evidence), what became of the samples compared, how many were not."""

    group: Mapping[str, Hashable]
    value: float | None
    low: float | None
    high: float | None
    samples: int
    clusters: int
    statuses: Mapping[str, int]
    left_out: int = 0
    unasked: int = 0
    """Samples that were not asked, since it was decided without them."""


@dataclass(frozen=True, eq=False)
class Early:
    """What is known of an expectation of which some samples were not asked."""

    stopped: Stopped
    whole: Grouped
    """All of its samples, asked or not."""
    limits: Mapping[tuple[Hashable, ...], tuple[float, float]]
    """Of each group's value, whenever asking stopped."""


@dataclass(frozen=True)
class Verdict:
    """The answer to an expectation. Values are None where there is no evidence."""

    expectation: Expectation
    claim: Claim
    outcome: Outcome
    decision: Decision | None = None
    between: tuple[str, ...] | None = None
    groups: tuple[GroupValue, ...] = ()
    guards: tuple[Guard, ...] = ()
    caveats: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    counterexamples: tuple[Counterexample, ...] = ()
    stopped: Stopped | None = None
    """With e-values, where it was asked until it was decided."""
    seconds: float = field(default=0.0, compare=False)

    @property
    def is_red(self) -> bool:
        """Whether it stops a release: anything but a pass in `prove` mode, a shown fail alone in `alarm` mode."""
        return self.outcome != "pass" if self.claim.mode == "prove" else self.outcome == "fail"

    @property
    def samples(self) -> int:
        """How many samples it rests on."""
        return sum(group.samples for group in self.groups)

    @property
    def fewest_clusters(self) -> int:
        """The number of clusters of the group that has fewest."""
        return min((group.clusters for group in self.groups), default=0)

    @property
    def more_samples(self) -> int | None:
        """About how many more samples like these would decide it; None where it is decided, or none would."""
        if self.decision is None or self.decision.needed is None:
            return None
        more = self.decision.needed - self.decision.clusters
        return math.ceil(self.samples * more / self.decision.clusters)


def judge(expectation: Expectation, look: Look, defaults: Defaults = Defaults(), early: Early | None = None) -> Verdict:
    """The verdict on an expectation, given each task's outcomes with each checkpoint.

    Where it was decided `early`, the outcomes are those of what was asked.
    """
    claim = Claim.of(expectation.terms, defaults)
    question = expectation.question
    data = grouped(question, measured(question.metric, look))
    decision, lacking = None, list[str]()
    try:
        decision = early.stopped.decision if early else decide(expectation, data, claim, defaults)
    except (NoEvidence, ValueError) as error:
        lacking = [str(error)]
    infers, whole = early is not None or not is_fixed(claim, data, defaults), early.whole if early else data
    own = guards.check(expectation, data, decision, whole=whole, infers=infers)
    found = tuple(_waived(guard, expectation) for guard in (*own, *_conditions(expectation, look, defaults)))
    told, notes = _caveats(found, expectation), (*_left_out(question, data), *_no_claim(data))
    verdict = Verdict(
        expectation, claim, "invalid",
        groups=_group_values(question, data, claim.confidence, early), guards=found, caveats=(*lacking, *notes),
        range=range_of(data), stopped=early.stopped if early else None,
    )  # fmt: skip
    if decision is None:
        return verdict
    between = tuple(labelled(data.labels[place]) for place in decision.between) if decision.between else None
    return replace(
        verdict, outcome=_outcome(decision, found), decision=decision, between=between,
        caveats=(*decision.caveats, *told, *notes),
    )  # fmt: skip


def asked_of(expectation: Expectation, data: Grouped) -> Asked:
    """The expectation's question as the statistics put it."""
    question = expectation.question
    reference = reference_index(question, data.labels)
    two_sided = question.two_sided or isinstance(question.metric, Near)
    return Asked(question.kind, expectation.comparison, expectation.bound, reference, two_sided)


def ends_of(expectation: Expectation, data: Grouped) -> tuple[float, float] | None:
    """The least and the greatest value that the question can have; None where values are unbounded."""
    ends = range_of(data)
    return ends and asked_of(expectation, data).ends(*(end - target_of(expectation) for end in ends))


def target_of(expectation: Expectation) -> float:
    """What values are to lie near; 0 where nothing is said of that."""
    metric = expectation.question.metric
    return metric.target if isinstance(metric, Near) else 0.0


def is_fixed(claim: Claim, data: Grouped, defaults: Defaults) -> bool:
    """Whether a claim about these very samples has nothing to infer but how their answers are drawn.

    A part of a benchmark is a sample of it, and so is what was not answered, or answered once of many ways.
    """
    whole = not (defaults.limited or data.lacks_any)
    return claim.scope == "benchmark" and whole and data.noise_is_known


def range_of(data: Grouped) -> tuple[float, float] | None:
    """The range of a group's value; None where it is unbounded."""
    first, *rest = data.values
    if any(values.divides for values in rest):
        return None
    low = first.low - sum(values.high for values in rest)
    high = first.high - sum(values.low for values in rest)
    return (float(low), float(high)) if np.isfinite([low, high]).all() else None


def searched(verdict: Verdict, found: Sequence[Counterexample]) -> Verdict:
    """A verdict with the counterexamples to its relation.

    Where the claim is that a search finds none, one that failed again when it was asked alone refutes it, whatever the
    guards say; where all were near-ties, nothing is decided. What could not be asked again leaves the verdict as it is.
    """
    with_them = replace(verdict, counterexamples=tuple(found))
    looked_for = any(dict(each.options).get("drawn") for each in measures(verdict.expectation.question.metric))
    if not looked_for or verdict.expectation.bound != 0 or not found:
        return with_them
    if any(each.stable for each in found):
        return replace(with_them, outcome="fail")
    if any(each.stable is None for each in found):
        return with_them
    unstable = f"{len(found)} near-ties: every case that failed held, or all but tied, when it was asked alone"
    outcome: Outcome = "invalid" if verdict.outcome == "invalid" else "inconclusive"
    return replace(with_them, outcome=outcome, caveats=(*verdict.caveats, unstable))


def decide(expectation: Expectation, data: Grouped, claim: Claim, defaults: Defaults) -> Decision:
    """The decision, if it is the same however missing answers are imputed; else inconclusive.

    Raises `NoEvidence` or ValueError where the data cannot answer.
    """
    fixed = is_fixed(claim, data, defaults)
    # of these very samples there are as many as there are
    any_number = fixed or expectation.terms.waives("clusters")
    # the first is of what was answered: a group without any answer has no value, whatever is imputed
    patterns: list[Sequence[End] | None] = [None, *(_imputations(len(data.labels)) if data.lacks_any else ())]
    if data.lacks_any and not data.bounded:
        msg = "samples without an answer cannot be imputed, since their values are unbounded"
        raise NoEvidence(msg)
    decisions = [
        statistics.decide(
            statistics.shifted(data.estimates(pattern, fixed=fixed), -target_of(expectation)),
            **asked_of(expectation, data)._asdict(),
            confidence=claim.confidence, least_clusters=2 if any_number else None, seed=defaults.seed,
        )
        for pattern in patterns
    ]  # fmt: skip
    decision = decisions[0] if len(decisions) == 1 else _worst(expectation, decisions)
    if not fixed:
        return decision
    judged = any(values.labelled is not None for values in data.values)
    if not (judged or data.drawn):
        return _exactly(expectation, decision)
    varies = "what is known of a judge's errors" if judged else "the draw of their answers"
    return replace(decision, needed=None, method=f"these samples only, by {varies}: {decision.method}")


def _outcome(decision: Decision, found: Sequence[Guard]) -> Outcome:
    """A pass or inconclusive stands only if its guards do; a shown fail stays a fail, with the guard beside it."""
    if decision.outcome != "fail" and any(guard.fired for guard in found):
        return "invalid"
    return decision.outcome


def _imputations(groups: int) -> Iterator[tuple[End, ...]]:
    """Every end for all groups at once, and each group at one end with the others at the other."""
    ends: tuple[End, End] = ("low", "high")
    yield from ((end,) * groups for end in ends)
    if groups > 1:
        for place, (own, other) in product(range(groups), (ends, ends[::-1])):
            yield tuple(own if at == place else other for at in range(groups))


def _worst(expectation: Expectation, decisions: Sequence[Decision]) -> Decision:
    outcomes = {decision.outcome for decision in decisions}
    worst = replace(
        decisions[0],
        outcome=outcomes.pop() if len(outcomes) == 1 else "inconclusive",
        low=min(decision.low for decision in decisions),
        high=max(decision.high for decision in decisions),
        p_value_pass=max(decision.p_value_pass for decision in decisions),
        p_value_fail=max(decision.p_value_fail for decision in decisions),
        method=f"{decisions[0].method}; samples without an answer imputed against the claim",
    )
    pairs = [decision.between for decision in decisions if decision.between and len(decision.between) == 2]
    crossing = {pair[0] for pair in pairs} & {pair[1] for pair in pairs}
    return _without_a_gap(expectation, worst) if crossing else worst


def _without_a_gap(expectation: Expectation, decision: Decision) -> Decision:
    """No gap is shown where a group is now the higher and now the lower one: between the two there is none."""
    ratio = expectation.question.kind == "ratio"
    apart = "fail" if (expectation.comparison in {"<", "<="}) != ratio else "pass"
    return replace(
        decision,
        outcome="inconclusive" if decision.outcome == apart else decision.outcome,
        low=decision.low if ratio else 0.0,
        high=1.0 if ratio else decision.high,
        p_value_pass=decision.p_value_pass if apart == "fail" else 1.0,
        p_value_fail=1.0 if apart == "fail" else decision.p_value_fail,
    )


def _exactly(expectation: Expectation, decision: Decision) -> Decision:
    """A claim about these very samples, all of which were asked, has no sampling error."""
    # shares that differ by the bound itself are no further apart for being rounded
    value, bound = round(decision.value, 12), round(expectation.bound, 12)
    holds = {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[expectation.comparison]
    return replace(
        decision, outcome="pass" if holds else "fail", low=decision.value, high=decision.value, needed=None,
        p_value_pass=float(not holds), p_value_fail=float(holds),
        method="these samples only, and all of them were asked", caveats=(),
    )  # fmt: skip


def _conditions(expectation: Expectation, look: Look, defaults: Defaults) -> Iterator[Guard]:
    """The expectations that this one names as its guards."""
    for condition in expectation.terms.guards:
        verdict = judge(condition, look, defaults)
        held = verdict.outcome == "pass"
        yield Guard(repr(condition), "pass" if held else "fail", "shown" if held else f"not shown: {verdict.outcome}")


def _waived(guard: Guard, expectation: Expectation) -> Guard:
    reason = next((w.because for w in expectation.terms.waivers if w.guard == guard.name), None)
    if reason is None or not guard.fired:
        return guard
    return replace(guard, outcome="waived", detail=f"{guard.detail}; waived because {reason}")


def _caveats(found: Sequence[Guard], expectation: Expectation) -> tuple[str, ...]:
    names = {guard.name for guard in found}
    idle = [waiver.guard for waiver in expectation.terms.waivers if waiver.guard not in names]
    return (
        *(f"{guard.name}: {guard.detail}" for guard in found if guard.outcome in {"caveat", "waived"}),
        *(f"{name} is waived and is no guard of this verdict; it has {', '.join(sorted(names))}" for name in idle),
    )


NO_CLAIM = "sample data: no claim"


def _no_claim(data: Grouped) -> Iterator[str]:
    if any(part.outcomes.samples.illustrative for values in data.values for part in values.parts):
        yield NO_CLAIM


def _left_out(question: Question, data: Grouped) -> Iterator[str]:
    """What rows were left out, and in which group most of them lie."""
    left_out = (each for values in data.values for each in values.left_out if each.rows.frame.height)
    # two metrics of one task lack the same rows
    yield from dict.fromkeys(_told(question, each) for each in left_out)


def _told(question: Question, left_out: LeftOut) -> str:
    counts = Counter(_labels(question, left_out))
    [(group, times)] = counts.most_common(1)
    most = f", most in {labelled(group)} ({times:,})" if question.columns else ""
    if len(counts) > 1 and set(counts.values()) == {times}:
        most = f", {times:,} in each of {len(counts)} groups"
    count, whose = left_out.rows.frame.height, "" if left_out.role == "model" else " of the baseline"
    return f"{count:,} {'row' if count == 1 else 'rows'}{whose} left out, {left_out.rows.reason}{most}"


def _labels(question: Question, left_out: LeftOut) -> Iterable[tuple[Hashable, ...]]:
    """The group of each row that was left out."""
    frame = left_out.rows.frame
    return frame.select(question.columns).iter_rows() if question.columns else [()] * frame.height


def _gone(question: Question, values: Values) -> Counter[tuple[Hashable, ...]]:
    """How many samples of each group were left out; one that both recordings lack is one."""
    keys = values.task.keys if isinstance(values.task, Recorded) else ()
    if keys:
        rows = {
            row
            for each in values.left_out
            for row in zip(_labels(question, each), each.rows.frame.select(keys).iter_rows(), strict=True)
        }
        return Counter(label for label, _ in rows)
    # without a key the recordings hold the same samples
    first = {each.rows.reason: each for each in values.left_out if each.role == values.left_out[0].role}
    return Counter(label for each in first.values() for label in _labels(question, each))


def _group_values(question: Question, data: Grouped, confidence: float, early: Early | None) -> tuple[GroupValue, ...]:
    gone, unasked = _gone(question, data.values[0]), _unasked(data, early)
    known, ends = data.with_evidence(), dict[tuple[Hashable, ...], tuple[float, float, float]]()
    with suppress(NoEvidence, ValueError):
        estimates = known.estimates()
        low, high = statistics.limits(estimates, 1 - confidence)
        values = zip(estimates.theta.tolist(), low.tolist(), high.tolist(), strict=True)
        ends = dict(zip(known.labels, values, strict=True))
    if early:
        ends = {label: (value, *early.limits[label]) for label, (value, *_) in ends.items()}
    return tuple(
        _group(question, data, place, ends.get(label), left_out=gone[label], unasked=unasked[label])
        for place, label in enumerate(data.labels)
    )


def _unasked(data: Grouped, early: Early | None) -> Counter[tuple[Hashable, ...]]:
    """How many samples of each group were not asked."""
    return _sizes(early.whole) - _sizes(data) if early else Counter()


def _sizes(data: Grouped) -> Counter[tuple[Hashable, ...]]:
    values, at = data.values[0], data.index[0]
    return Counter(data.labels[place] for place in at[values.kept & (at >= 0)].tolist())


def _group(
    question: Question, data: Grouped, place: int, limits: tuple[float, float, float] | None, *, left_out: int,
    unasked: int,
) -> GroupValue:  # fmt: skip
    """A group's value and the statuses of its samples, with the first checkpoint that the metric reads."""
    values, at = data.values[0], data.index[0]
    held = values.kept & (at == place)
    outcomes = values.parts[0].outcomes
    counts = Counter(outcomes.status[held].tolist())
    value, low, high = limits or (None, None, None)
    return GroupValue(
        dict(zip(question.columns, data.labels[place], strict=True)), value, low, high,
        samples=int(held.sum()), clusters=len(set(outcomes.samples.cluster[held])),
        statuses={status: counts[status] for status in STATUSES if counts[status]}, left_out=left_out, unasked=unasked,
    )  # fmt: skip
