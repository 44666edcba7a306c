"""The samples that a metric reads with one checkpoint, group by group: what guards count and estimate."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from fairprobe import statistics
from fairprobe.guards.guard import CONFIDENCE, Count
from fairprobe.metrics import Part, Values, labelled
from fairprobe.statistics import Estimates

Label = tuple[Hashable, ...]


@dataclass(frozen=True, eq=False)
class Shares:
    """The samples that one part of a metric's values reads, with the group of each (-1: none).

    `task` is the task's name, where a metric reads several.
    """

    values: Values
    part: Part
    at: np.ndarray
    labels: Sequence[Label]
    task: str = ""

    @property
    def kept(self) -> np.ndarray:
        """Which samples are read."""
        return self.values.kept & (self.at >= 0)

    @property
    def sizes(self) -> np.ndarray:
        """How many samples each group has."""
        return np.bincount(self.at[self.kept], minlength=len(self.labels))

    def count(self, mask: np.ndarray) -> np.ndarray:
        """How many samples of each group are in a mask."""
        return np.bincount(self.at[self.kept & mask], minlength=len(self.labels))

    def rates(self, mask: np.ndarray) -> np.ndarray:
        """The share of each group's samples that are in a mask, answered or not."""
        return np.asarray(self.count(mask) / np.maximum(self.sizes, 1))

    def has(self, *statuses: str) -> np.ndarray:
        """Whether each sample has one of these statuses."""
        return np.isin(self.part.outcomes.status, statuses)

    def counts(self, mask: np.ndarray) -> tuple[Count, ...]:
        """How many samples of each group are in a mask, in words."""
        held = zip(range(len(self.labels)), self.count(mask).tolist(), self.sizes.tolist(), strict=True)
        return tuple(Count(self.where(place), count, size) for place, count, size in held)

    def share(self, mask: np.ndarray) -> Estimates | None:
        """The share of a mask among the answered samples; None where a group has no answer."""
        return self.mean(np.where(self.part.outcomes.answered, mask.astype(float), np.nan))

    def mean(self, numbers: np.ndarray, low: float = 0.0, high: float = 1.0) -> Estimates | None:
        """The mean of a number per sample, NaN where there is none; None where a group has none at all."""
        used = self.kept & ~np.isnan(numbers)
        if len(set(self.at[used].tolist())) < len(self.labels):
            return None
        cluster = self.part.outcomes.samples.cluster[used]
        names = tuple(map(labelled, self.labels))
        return statistics.estimate(numbers[used], self.at[used], cluster, names, low=low, high=high)

    def where(self, place: int) -> str:
        """A group of the checkpoint, in words."""
        of = ", ".join(filter(None, (self.task, "baseline" if self.part.role == "baseline" else "")))
        group = labelled(self.labels[place])
        return f"{group} ({of})" if of else group

    def example(self, mask: np.ndarray, texts: Sequence[str | None]) -> str | None:
        """The text of the first sample in a mask."""
        held = np.flatnonzero(self.kept & mask)
        return texts[held[0]] if held.size and texts else None


def shown_below(rates: Estimates, bound: float) -> bool:
    """Whether some group is shown to lie below a bound."""
    return statistics.decide(rates, "by", ">", bound, confidence=CONFIDENCE).outcome == "fail"


def shown_above(rates: Estimates, bound: float) -> bool:
    """Whether some group is shown to lie above a bound."""
    return statistics.decide(rates, "by", "<", bound, confidence=CONFIDENCE).outcome == "fail"
