"""Metrics of several answers: the best of k, how often one exceeds a bound, and how varied the texts are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from fairprobe import diversity, statistics
from fairprobe.diversity import FEW_SUBSETS, FEW_TEXTS, MOST_TEXTS, SUBSETS, Ids, Measured, rarefied
from fairprobe.expressions import Measure
from fairprobe.standings import Selection, Statistic
from fairprobe.statistics import Estimates
from fairprobe.statistics.draws import any_of, expected_max
from fairprobe.tasks import Outcomes

VARIED: Mapping[str, tuple[float, float]] = {
    # most above what chance gives are as many n-grams as there are kinds, each once
    "distinct": (0.0, 1.0), "ead": (0.0, math.e / (math.e - 1)), "vendi": (0.0, np.inf), "self_bleu": (0.0, 1.0),
}  # fmt: skip
"""Metrics of how varied texts are, each with its range."""
OF_DRAWS = frozenset({"expected_max", "exceed_rate"})
"""Metrics of each of several answers to a prompt."""


def of_draws(measure: Measure, outcomes: Outcomes, score: str) -> np.ndarray:
    """What k answers to each prompt come to, NaN where one of the answers did not come."""
    if not outcomes.draws:
        return np.zeros(len(outcomes.samples))
    best, held = _draws(measure, outcomes, score)
    return best(held, measure.option("k"))


def noise_of_draws(measure: Measure, outcomes: Outcomes, score: str) -> np.ndarray:
    """How much that varies by the draw: a jackknife over the answers; NaN where there are no more than k."""
    if not outcomes.draws:
        return np.zeros(len(outcomes.samples))
    (best, held), k = _draws(measure, outcomes, score), measure.option("k")
    size = held.shape[1]
    if size <= k:
        return np.full(len(held), np.nan)
    without = np.stack([best(np.delete(held, at, axis=1), k) for at in range(size)], axis=1)
    return np.asarray(without.var(axis=1) * (size - 1))


def _draws(
    measure: Measure, outcomes: Outcomes, score: str
) -> tuple[Callable[[np.ndarray, int], np.ndarray], np.ndarray]:
    """What is told of k answers, and the numbers of each that it is told by."""
    held = outcomes.draws[score]
    if measure.function == "expected_max":
        return expected_max, held
    return any_of, np.where(np.isnan(held), np.nan, held > measure.option("above"))


def of_each(measure: Measure, outcomes: Outcomes) -> np.ndarray:
    """How varied the answers to each prompt are, NaN where one did not come; 1 each where all are asked together."""
    size = len(outcomes.samples)
    if measure.function == "self_bleu":
        diversity.bleu()  # what is lacking is said before anything is asked
    if not outcomes.texts:
        return np.zeros(size)
    lacking = np.array([not texts for texts in outcomes.texts]) | np.isin(outcomes.status, ["error", "missing"])
    if measure.option("across"):
        return np.where(lacking, np.nan, 0.0)
    measured, ids = _measured(measure, outcomes), _ids(outcomes)
    most = max(map(len, outcomes.texts))
    # an answer that could not be begun leaves a smaller set, which is not to be compared with others
    return np.array([measured(each) if len(each) == most and not no else np.nan
                     for each, no in zip(ids, lacking, strict=True)])  # fmt: skip


def across(measure: Measure) -> Statistic:
    """How varied the first answers to all prompts of a group are, at the same number of prompts for each group."""

    def estimates(outcomes: Outcomes, chosen: Selection) -> Estimates:
        if not outcomes.texts:
            msg = "how varied texts are is not known before they are written"
            raise ValueError(msg)
        measured, ids = _measured(measure, outcomes), _ids(outcomes)
        first = {place: ids[place][0] if ids[place] else () for place in chosen.places.tolist()}
        clusters = outcomes.samples.cluster[chosen.places].tolist()
        few = measure.function == "self_bleu"
        size = min(_smallest(chosen, clusters), FEW_TEXTS if few else MOST_TEXTS)
        if size < 2:
            msg = "how varied texts are takes at least three of each group"
            raise ValueError(msg)
        remembered: dict[tuple[int, ...], float] = {}

        def statistic(at: np.ndarray) -> float:
            def of(texts: Sequence[Ids]) -> float:
                key = tuple(map(id, texts))
                if key not in remembered:
                    remembered[key] = measured(texts)
                return remembered[key]

            places = [int(chosen.places[each]) for each in at]
            # a prompt, wherever it stands
            keys = [outcomes.prompts[place] if outcomes.prompts else place for place in places]
            return rarefied(of, [first[place] for place in places], size, keys, FEW_SUBSETS if few else SUBSETS)

        return statistics.jackknife(statistic, chosen.group, clusters, chosen.groups, low=chosen.low, high=chosen.high)

    return estimates


def _smallest(chosen: Selection, clusters: Sequence[object]) -> int:
    """How many samples each group has, whichever of its clusters is left out."""
    held: dict[tuple[int, object], int] = {}
    for key in zip(chosen.group.tolist(), clusters, strict=True):
        held[key] = held.get(key, 0) + 1
    sizes = np.bincount(chosen.group, minlength=len(chosen.groups))
    largest = [max(count for (at, _), count in held.items() if at == place) for place in range(len(sizes))]
    return int((sizes - largest).min())


def _measured(measure: Measure, outcomes: Outcomes) -> Measured:
    if measure.function == "self_bleu":
        return diversity.self_bleu
    n = measure.option("n")
    if measure.function == "ead":
        assert outcomes.encode is not None
        return partial(diversity.ead, n=n, vocabulary=outcomes.encode.size)
    return partial({"distinct": diversity.distinct, "vendi": diversity.vendi}[measure.function], n=n)


def _ids(outcomes: Outcomes) -> list[list[Ids]]:
    """The tokens of every answer to every sample."""
    assert outcomes.encode is not None  # what is written is written by a checkpoint
    encoded = iter(outcomes.encode.ids([text for texts in outcomes.texts for text in texts]))
    return [[next(encoded) for _ in texts] for texts in outcomes.texts]
