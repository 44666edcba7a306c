"""Early stopping: the order in which an expectation's clusters are asked, and whether what is known decides it.

Answers are consumed in that order, which is drawn before anything is asked. An expectation's verdict depends on its own
samples alone: not on which others ran, nor on what was known already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from zlib import crc32

import numpy as np

from fairprobe import statistics
from fairprobe.expressions import Expectation, Measure, Treated, measures, walk
from fairprobe.metrics import OF_CANDIDATES, VARIED, Grouped, Look, Role, grouped, measured
from fairprobe.relations import Relational
from fairprobe.statistics import Asked, Course
from fairprobe.tasks import Followed, Scoring, Task
from fairprobe.verdict import Claim, Defaults, Early, Verdict, asked_of, judge, target_of

LOOKS = 20
"""How often it is asked whether what is known decides: after every twentieth of the clusters."""
LEAST = 50
"""Clusters of every group without which nothing is decided before the end: guards would see too little."""


def begin(  # noqa: PLR0911 - a reason each
    expectation: Expectation, planned: Grouped, defaults: Defaults, best: Look | None
) -> Stopping | str:
    """An expectation that is asked in order, before anything is; or why it is not, but with all of its tasks' samples.

    `planned` are its samples by groups, `best` the answers that speak most for it, where these are known.
    """
    metric, [values, *others] = expectation.question.metric, planned.values
    read = list(measures(metric))
    if not all(each.task.asks for each in read):
        return "recorded"
    if expectation.terms.guards:
        return "guarded by other expectations"
    if any(map(_is_asked_in_rounds, read)):
        return "asked in rounds"
    if any(isinstance(each, Treated) for each in walk(metric)) or (others and not others[0].divides):
        return "of several tasks"
    if others or values.statistic or any(each.function in OF_CANDIDATES or each.function in VARIED for each in read):
        return "no means of samples"
    if not planned.bounded:
        return "unbounded"
    if planned.drawn and Claim.of(expectation.terms, defaults).scope == "benchmark":
        return "of these samples, with answers that are drawn"
    return Stopping.of(expectation, planned, defaults, best)


def _is_asked_in_rounds(measure: Measure) -> bool:
    task = measure.task
    return isinstance(task, Followed | Relational) or (isinstance(task, Scoring) and bool(task.is_judged))


@dataclass(frozen=True, eq=False)
class Stopping:
    """How far an expectation was asked: the first clusters of each group, in the order that the seed gives."""

    expectation: Expectation
    defaults: Defaults
    planned: Grouped
    """Its samples by groups, whatever they are answered."""
    known: np.ndarray
    """(G,) how many of the first clusters are asked about each group."""
    looks: int = 0
    may_stop: bool = True
    """Whether there is enough of it to be decided before the end; else all is asked at once, and judged as ever."""
    _told: list[Early] = field(default_factory=list)

    @classmethod
    def of(cls, expectation: Expectation, planned: Grouped, defaults: Defaults, best: Look | None) -> Stopping:
        """Before anything is asked. `best` are the answers that speak most for it, where these are known."""
        start = cls(expectation, defaults, planned, np.zeros(len(planned.labels), dtype=np.int64))
        enough = (start.weights > 0).sum(axis=0).min() >= LEAST
        return replace(start, may_stop=bool(enough and (best is None or start._could_pass(best))))

    @property
    def asked_whole(self) -> str | None:
        """Why all of it is asked whatever is answered; None if it may stop early."""
        return None if self.may_stop else "of too few clusters to stop early"

    def _could_pass(self, best: Look) -> bool:
        """Whether betting on the best answers would come to a pass; of a benchmark all that is asked decides."""
        whole = replace(self, known=np.full(len(self.known), len(self.weights)))
        asked = asked_of(self.expectation, self.planned)
        held = statistics.Evidence(whole._course(self._answered(best)), asked)
        came = held.all_below if statistics.passes_below(asked) else held.above
        return self.finite or came >= -math.log(self._alpha)

    @property
    def task(self) -> Task:
        """What is asked."""
        return self.planned.values[0].task

    @property
    def roles(self) -> tuple[Role, ...]:
        """Whom."""
        return tuple(dict.fromkeys(part.role for part in self.planned.values[0].parts))

    @cached_property
    def places(self) -> np.ndarray:
        """(n,) the place of each sample's cluster in the order; -1 for a sample that is not compared."""
        values, at = self.planned.values[0], self.planned.index[0]
        samples = values.parts[0].outcomes.samples
        keys, cluster = statistics.indexed(samples.cluster)
        turn = np.random.default_rng([self.defaults.seed, crc32(self.task.name.encode())]).permutation(len(keys))
        compared = values.kept & (at >= 0)
        # all expectations of a task take its clusters in one order
        ranks = np.unique(turn[cluster[compared]], return_inverse=True)[1]
        places = np.full(len(samples), -1)
        places[compared] = ranks
        return places

    @cached_property
    def weights(self) -> np.ndarray:
        """(C, G) the weight of each cluster's samples in each group."""
        weight = self.planned.values[0].parts[0].outcomes.samples.weight
        return self._by_cluster(np.ones(len(self.places)) if weight is None else weight)

    @property
    def asked(self) -> np.ndarray:
        """(n,) whether each sample is to be asked by now."""
        asked: np.ndarray = (self.places >= 0) & (self.places < self.known[self.planned.index[0]])
        return asked

    @property
    def is_whole(self) -> bool:
        """Whether every sample is."""
        return bool((self.known == len(self.weights)).all())

    @property
    def finite(self) -> bool:
        """Whether the claim is about these very samples."""
        claim = Claim.of(self.expectation.terms, self.defaults)
        return claim.scope == "benchmark" and not self.defaults.limited

    def further(self, unsettled: np.ndarray | None = None) -> Stopping:
        """The next twentieth of the clusters, of the groups that are not settled; of all where none says."""
        looks = self.looks + 1 if self.may_stop else LOOKS
        known = np.full(len(self.known), math.ceil(len(self.weights) * looks / LOOKS))
        return replace(
            self, looks=looks, _told=[], known=known if unsettled is None else np.where(unsettled, known, self.known)
        )

    def after(self, look: Look) -> Stopping | None:
        """What is asked next, given what was answered; None where it is settled."""
        if self.is_whole or self.looks == LOOKS:
            return None
        if not self._has_enough:
            return self.further()
        held = statistics.Evidence(self._course(self._answered(look)), asked_of(self.expectation, self.planned))
        if held.strongest < -math.log(self._alpha):
            return self.further(held.unsettled(self._alpha))
        # a guard that contradicts is heard out: it may be one of the few that are shown by chance
        return self.further() if self.judge(look).outcome == "invalid" else None

    def judge(self, look: Look) -> Verdict:
        """The verdict by what was asked; where all was, and no look could have ended it, that of any full run."""
        if self.is_whole and (self.finite or not self.may_stop):
            return judge(self.expectation, look, self.defaults)
        if not self._told:
            self._told.append(self._early(look))
        return judge(self.expectation, self.seen(look), self.defaults, self._told[0])

    def seen(self, look: Look) -> Look:
        """The outcomes of what was asked alone."""
        held = np.flatnonzero(self.asked)
        return lambda task, role: look(task, role).take(held)

    def _early(self, look: Look) -> Early:
        answered, alpha, target = self._answered(look), self._alpha, target_of(self.expectation)
        course, asked = self._course(answered), asked_of(self.expectation, self.planned)
        alone = Asked("overall", "<", 0.0)
        ends = [
            statistics.confidence_sequence(course.only(place), alone, alpha) for place in range(len(answered.labels))
        ]
        limits = zip(answered.labels, ends, strict=True)
        return Early(
            statistics.stopped(course, asked, alpha), answered,
            {label: (low + target, high + target) for label, (low, high) in limits},
        )  # fmt: skip

    def _answered(self, look: Look) -> Grouped:
        return grouped(self.expectation.question, measured(self.expectation.question.metric, look))

    def _course(self, answered: Grouped) -> Course:
        [values], target = answered.values, target_of(self.expectation)
        low, high = values.low - target, values.high - target
        weight = self.planned.values[0].parts[0].outcomes.samples.weight
        known = np.where(self.asked, values.value - target, 0.0)
        least, most = (
            self._by_cluster(np.where(np.isnan(known), end, known) * (1.0 if weight is None else weight) * self.asked)
            for end in (low, high)
        )
        return Course(self.weights, least, most, self.known, low, high, self.finite)

    def _by_cluster(self, numbers: np.ndarray) -> np.ndarray:
        compared = self.places >= 0
        total = np.zeros((int(self.places.max()) + 1, len(self.planned.labels)))
        np.add.at(total, (self.places[compared], self.planned.index[0][compared]), numbers[compared])
        return total

    @property
    def _alpha(self) -> float:
        return round(1 - Claim.of(self.expectation.terms, self.defaults).confidence, 12)

    @property
    def _has_enough(self) -> bool:
        present = self.weights > 0
        there = (present & (np.arange(len(present))[:, None] < self.known)).sum(axis=0)
        return bool((there >= np.minimum(present.sum(axis=0), LEAST)).all())
