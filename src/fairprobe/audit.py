"""Trust in a suite itself: what its expectations say of answers that are known to hide no gap, or one of known size.

Kept answers are drawn again, cluster by cluster. Nothing is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from fairprobe.errors import BadData
from fairprobe.expressions import Expectation, measures
from fairprobe.metrics import (
    Grouped,
    Look,
    NoEvidence,
    Part,
    Values,
    grouped,
    measured,
    numbers,
    reference_index,
)
from fairprobe.power import Foresight, can_pass
from fairprobe.tasks import Samples, Task
from fairprobe.verdict import Claim, Defaults, decide

DRAWS, PLANTED_DRAWS = 200, 50
SIZES = (0.02, 0.05, 0.10, 0.15, 0.20, 0.30)
"""Gaps that are planted, in the units of the score."""
NOTICED = 0.8
"""In how many draws a planted gap is to fail, to be called noticed."""
TOLERANCE = 2.33
"""Standard errors beyond the stated rate at which a rate is called higher: one-sided 99 %."""


@dataclass(frozen=True)
class Audit:
    """What is known of an expectation as an instrument. Rates are None where there is nothing to count."""

    expectation: Expectation
    outcome: str
    """What it says of the kept answers, guards aside."""
    draws: int
    planted_draws: int
    """How many there are of each planted size."""
    flips: float | None
    """How often the same answers drawn again say otherwise."""
    false_fails: float | None
    """How often it fails where nothing sets groups (or checkpoints) apart."""
    stated: float
    """How often it may."""
    planted: Mapping[float, float]
    """How often it fails where one group was made worse, by the size of that."""
    noticed: float | None
    """The least planted size that it notices in four of five draws."""
    foreseen: float | None
    """The value from which on `fairprobe power` says that it fails so often."""
    cannot_fail: bool
    cannot_pass: bool
    implied_by: Expectation | None
    """Another expectation of the suite that cannot hold without this one."""

    @property
    def faults(self) -> list[str]:
        """What is wrong with it, in words."""
        error = self.stated + TOLERANCE * _error(self.stated, self.draws)
        least = NOTICED - TOLERANCE * _error(NOTICED, self.planted_draws)
        told = [size for size in self.planted if self.foreseen is not None and size >= self.foreseen]
        late = [size for size in told if self.planted[size] < least]
        return [
            *(["fails too often where there is no gap"] if (self.false_fails or 0) > error else []),
            *([f"does not notice {late[0]:g}, though its power says so"] if late else []),
            *(["cannot fail"] if self.cannot_fail else []),
            *(["cannot pass"] if self.cannot_pass else []),
            *([f"says no more than {self.implied_by.claim}"] if self.implied_by is not None else []),
        ]

    def plain(self) -> dict[str, Any]:
        """As data for JSON."""
        return {
            "expression": self.expectation.claim, "outcome": self.outcome, "draws": self.draws, "flips": self.flips,
            "false_fails": self.false_fails, "stated": self.stated,
            "planted": {f"{size:g}": share for size, share in self.planted.items()}, "noticed": self.noticed,
            "foreseen": self.foreseen, "cannot_fail": self.cannot_fail, "cannot_pass": self.cannot_pass,
            "implied_by": self.implied_by.claim if self.implied_by is not None else None, "faults": self.faults,
        }  # fmt: skip


def audit(
    expectation: Expectation, others: Sequence[Expectation], *, look: Look, samples: Mapping[Task, Samples],
    foresight: Foresight, defaults: Defaults, draws: int = DRAWS, planted_draws: int = PLANTED_DRAWS,
) -> Audit:  # fmt: skip
    """What an expectation says of kept answers drawn again, of answers without a gap, and of planted ones."""
    values, columns = measured(expectation.question.metric, look), _columns(expectation)
    trial = _Trial(expectation, [_kept(each, columns) for each in values], defaults)
    first, redrawn, fails = trial.outcome(trial.values), Counter[str](), 0
    told: dict[float, list[str]] = {}
    for draw in range(draws):
        drawn = trial.drawn(draw)
        redrawn[trial.outcome(drawn)] += 1
        base = drawn
        if trial.null is not None:
            base = trial.null(drawn, draw)
            fails += trial.outcome(base) == "fail"
        for size in SIZES if draw < planted_draws else ():
            if (worse := trial.worse(base, size, draw)) is not None:
                told.setdefault(size, []).append(trial.outcome(worse))
    planted = {size: said.count("fail") / len(said) for size, said in told.items()}
    power, most = foresight.power, foresight.ends[1] if foresight.ends else np.inf
    compares = expectation.question.kind == "gap" and expectation.comparison in {"<", "<="}
    return Audit(
        expectation, first, draws, planted_draws,
        flips=1 - redrawn[first] / draws,
        false_fails=None if trial.null is None else fails / draws,
        stated=1 - Claim.of(expectation.terms, defaults).confidence,
        planted=planted,
        noticed=min((size for size, share in planted.items() if share >= NOTICED), default=None),
        foreseen=power.above if power and compares and power.above <= most else None,
        cannot_fail=trial.worst() != "fail",
        cannot_pass=can_pass(expectation, samples, defaults) is False,
        implied_by=next((each for each in others if _implies(each, expectation, others)), None),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Trial:
    """An expectation and the numbers that it is to judge."""

    expectation: Expectation
    values: Sequence[Values]
    defaults: Defaults

    def outcome(self, values: Sequence[Values]) -> str:
        """What it says of some numbers."""
        try:
            data = grouped(self.expectation.question, values)
            return decide(
                self.expectation, data, Claim.of(self.expectation.terms, self.defaults), self.defaults
            ).outcome
        except (NoEvidence, ValueError, BadData):
            return "invalid"

    def drawn(self, draw: int) -> list[Values]:
        """The samples of clusters that are drawn with replacement: as other samples like these.

        They are drawn from those that lie in the same groups, so that no group is lost.
        """
        random = np.random.default_rng([self.defaults.seed, draw])
        keys = [each[place] for each in self._strata for place in random.integers(0, len(each), len(each)).tolist()]
        return [_of_clusters(each, keys, members) for each, members in zip(self.values, self._members, strict=True)]

    @cached_property
    def _members(self) -> list[Mapping[Any, list[int]]]:
        """The places of every cluster's samples."""
        found: list[Mapping[Any, list[int]]] = []
        for each in self.values:
            members: dict[Any, list[int]] = {}
            for place, key in enumerate(each.parts[0].outcomes.samples.cluster.tolist()):
                members.setdefault(key, []).append(place)
            found.append(members)
        return found

    @cached_property
    def _strata(self) -> list[list[Any]]:
        """The clusters by the groups that they lie in."""
        data, groups = self._grouped(self.values), dict[Any, set[tuple[int, int]]]()
        for number, (each, at) in enumerate(zip(data.values, data.index, strict=True)):
            for key, place in zip(each.parts[0].outcomes.samples.cluster.tolist(), at.tolist(), strict=True):
                groups.setdefault(key, set()).add((number, place))
        strata: dict[Hashable, list[Any]] = {}
        for key in sorted(groups, key=str):
            strata.setdefault(frozenset(groups[key]), []).append(key)
        return list(strata.values())

    @property
    def null(self) -> Callable[[Sequence[Values], int], list[Values]] | None:
        """How to make of drawn numbers some that nothing sets apart; None where a claim is about a level."""
        question = self.expectation.question
        if question.kind in {"gap", "ratio"} and not any(each.statistic for each in self.values):
            return self._equal
        changes = question.metric.is_signed
        holds = self.expectation.bound > 0 if self.expectation.comparison in {"<", "<="} else self.expectation.bound < 0
        return self._unchanged if changes and holds else None

    def worse(self, base: Sequence[Values], size: float, draw: int) -> list[Values] | None:
        """Numbers of which the model's in one group are worse by a size on average; None where they cannot be."""
        first, *rest = base
        low, high = first.low, first.high
        if first.statistic is not None or not np.isfinite([low, high]).all():
            return None
        # in a change it is the model that is worse, and the baseline stays
        own = first.value if len(first.parts) == 1 else self._own(first)
        end = (low if len(first.parts) == 1 else 0.0) if self._low_is_bad else high
        data = self._grouped(base)
        at = data.index[0] == self._target(data)
        room = abs(float(own[at].mean()) - end) if at.any() else 0.0
        if room < size:
            return None
        gone = at & (np.random.default_rng([self.defaults.seed, draw, 1]).random(len(at)) < size / room)
        return [replace(first, value=first.value - np.where(gone, own - end, 0.0)), *rest]

    def _own(self, values: Values) -> np.ndarray:
        """The model's numbers in a change."""
        measure = next(measures(self.expectation.question.metric))
        model = next(part for part in values.parts if part.role == "model")
        return numbers(measure, model.outcomes)[0]

    def worst(self) -> str:
        """What it says of the worst that there could be."""
        first, *rest = self.values
        if not np.isfinite([first.low, first.high]).all() or first.statistic is not None:
            return "fail"
        data = self._grouped(self.values)
        bad, good = (first.low, first.high) if self._low_is_bad else (first.high, first.low)
        target = data.index[0] == self._target(data)
        everywhere = self.expectation.question.kind in {"by", "overall"}
        return self.outcome([replace(first, value=np.where(target | everywhere, bad, good)), *rest])

    def _grouped(self, values: Sequence[Values]) -> Grouped:
        return grouped(self.expectation.question, values)

    @property
    def _low_is_bad(self) -> bool:
        # of a gap or ratio some group is to fall behind
        return self.expectation.question.kind in {"gap", "ratio"} or self.expectation.comparison in {">", ">="}

    def _target(self, data: Grouped) -> int:
        """The group that is made worse: the last that is no reference."""
        return max(set(range(len(data.labels))) - {reference_index(self.expectation.question, data.labels)})

    def _equal(self, drawn: Sequence[Values], draw: int) -> list[Values]:
        """Samples that are dealt anew: blocks of a cluster change groups, or any blocks where few clusters have two."""
        random = np.random.default_rng([self.defaults.seed, draw, 2])
        data = self._grouped(drawn)
        return [_given(each, _dealt(at, each, random)) for each, at in zip(data.values, data.index, strict=True)]

    def _unchanged(self, drawn: Sequence[Values], draw: int) -> list[Values]:
        """Answers of which either checkpoint's are either's, drawn for each cluster: so they do not differ."""
        random = np.random.default_rng([self.defaults.seed, draw, 3])
        return [_exchanged(each, random) for each in drawn]


def _given(values: Values, donors: np.ndarray) -> Values:
    """Every sample with what another one was answered."""
    return _with_samples(values.take(donors), values.parts[0].outcomes.samples)


def _with_samples(values: Values, samples: Samples, **others: Any) -> Values:
    """The same numbers of other samples, in every part; `others` are further fields of their outcomes."""
    parts = (replace(part, outcomes=replace(part.outcomes, samples=samples, **others)) for part in values.parts)
    return replace(values, parts=tuple(parts))


def _dealt(at: np.ndarray, values: Values, random: np.random.Generator) -> np.ndarray:
    """Whose answers each sample has, so that no group is better off but by chance."""
    cluster = values.parts[0].outcomes.samples.cluster
    blocks: dict[Any, dict[int, list[int]]] = {}
    for place in np.flatnonzero(at >= 0).tolist():
        blocks.setdefault(cluster[place], {}).setdefault(int(at[place]), []).append(place)
    clusters = [[np.array(each) for each in groups.values()] for groups in blocks.values()]
    donors, pool = np.arange(len(at)), list(chain.from_iterable(clusters))
    paired = sum(len(each) > 1 for each in clusters) >= len(clusters) / 2
    for own in clusters:
        givers = random.permutation(len(own)) if paired else random.integers(len(pool), size=len(own))
        for mine, giver in zip(own, givers.tolist(), strict=True):
            theirs = own[giver] if paired else pool[giver]
            donors[mine] = random.choice(theirs, len(mine), replace=len(theirs) < len(mine))
    return donors


def _exchanged(values: Values, random: np.random.Generator) -> Values:
    """A change in which model and baseline have changed places in about half of the clusters."""
    cluster = values.parts[0].outcomes.samples.cluster.tolist()
    turned = {key: bool(random.integers(2)) for key in dict.fromkeys(cluster)}
    swap = np.array([turned[key] for key in cluster])
    first, *rest = values.parts
    other = rest[-1] if rest else first
    parts = (_swapped(first, other, swap), _swapped(other, first, swap))
    return replace(values, value=np.where(swap, -values.value, values.value), parts=parts[: len(values.parts)])


def _swapped(part: Part, other: Part, swap: np.ndarray) -> Part:
    mine, theirs = part.outcomes, other.outcomes
    scores = {name: np.where(swap, theirs.scores[name], held) for name, held in mine.scores.items()}
    return replace(part, outcomes=replace(mine, scores=scores, status=np.where(swap, theirs.status, mine.status)))


def _kept(values: Values, columns: Collection[Hashable]) -> Values:
    """The samples that count, without what no number is read from: they are drawn hundreds of times."""
    held = values.take(np.flatnonzero(values.kept & ~np.isnan(values.value)))
    if held.statistic is not None:
        return held  # which may read anything
    samples = held.parts[0].outcomes.samples
    read = [name for name in samples.frame.columns if name in columns]
    # a frame without a column has no rows
    bare = replace(samples, frame=samples.frame.select(read or samples.frame.columns[:1]))
    texts: dict[str, Any] = {} if held.drawn else {"prompts": (), "responses": (), "targets": (), "choices": None}
    return _with_samples(held, bare, **texts)


def _columns(expectation: Expectation) -> Collection[Hashable]:
    """What a question and its metric may read of the samples."""
    leaves = list(measures(expectation.question.metric))
    given = [value for each in leaves for _, value in each.options]
    return {*expectation.question.columns, *(each.column for each in leaves), *given}


def _of_clusters(values: Values, keys: Sequence[Any], members: Mapping[Any, Sequence[int]]) -> Values:
    """The samples of some clusters, each time that it is named as a cluster of its own."""
    index = np.array([place for key in keys for place in members.get(key, ())], dtype=int)
    number = np.array([at for at, key in enumerate(keys) for _ in members.get(key, ())], dtype=object)
    made = values.take(index)
    return _with_samples(made, _numbered(made.parts[0].outcomes.samples, number))


def _numbered(samples: Samples, number: np.ndarray) -> Samples:
    pair = None if samples.pair is None else np.array(
        [f"{at}:{key}" for at, key in zip(number, samples.pair, strict=True)], dtype=object
    )  # fmt: skip
    return replace(samples, cluster=number, pair=pair)


def _implies(other: Expectation, mine: Expectation, order: Sequence[Expectation]) -> bool:
    """Whether another expectation asks the same question and cannot hold without this one."""
    same = other.question.plain == mine.question.plain and other.comparison[0] == mine.comparison[0]
    if other is mine or not same or (other.terms.confidence or 0) < (mine.terms.confidence or 0):
        return False
    if other.bound == mine.bound:
        return order.index(other) < order.index(mine)
    return other.bound < mine.bound if mine.comparison[0] == "<" else other.bound > mine.bound


def _error(share: float, draws: int) -> float:
    return float(np.sqrt(share * (1 - share) / draws))
