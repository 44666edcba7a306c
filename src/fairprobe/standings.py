"""Metrics over candidates or sums rather than samples: rank correlations, shares ranked below, bits per byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from fairprobe import data, statistics
from fairprobe.errors import BadData, BadExpectation, UnknownGroup
from fairprobe.statistics import Estimates
from fairprobe.tasks import Outcomes


@dataclass(frozen=True, eq=False)
class Selection:
    """The samples that a metric is taken over: their places, their numbers, and the group of each.

    `low` and `high` are the ends of the metric's range.
    """

    places: np.ndarray
    numbers: np.ndarray
    group: np.ndarray
    groups: tuple[str, ...]
    low: float = -np.inf
    high: float = np.inf


Statistic = Callable[[Outcomes, Selection], Estimates]
"""How a metric that is no mean of samples is estimated over some of them."""


def correlation(of: str, order: str, method: Literal["spearman", "kendall"]) -> Statistic:
    """The rank correlation between the mean number of each candidate and the candidates' order.

    Candidates are what varies here: each is one observation, however many questions it was ranked in. Those
    without an order are left out.
    """

    def estimates(outcomes: Outcomes, chosen: Selection) -> Estimates:
        held = _candidates(outcomes, chosen, of, order)
        return statistics.rank_correlation(
            held["order"].to_numpy(), held["mean"].to_numpy(), held["group"].to_numpy(), held["candidate"].to_list(),
            chosen.groups, method=method,
        )  # fmt: skip

    return estimates


def below(of: str, reference: str) -> Statistic:
    """The share of the other candidates whose mean rank is worse than the reference's; candidates are what varies."""

    def estimates(outcomes: Outcomes, chosen: Selection) -> Estimates:
        held = _candidates(outcomes, chosen, of)
        own = held.filter(pl.col("candidate") == reference).select("group", reference="mean")
        if own.height < len(chosen.groups):
            msg = f"{reference!r} is not ranked in every group"
            raise ValueError(msg)
        others = held.filter(pl.col("candidate") != reference).join(own, on="group")
        worse = (others["mean"] > others["reference"]).cast(pl.Float64).to_numpy()
        return statistics.estimate(worse, others["group"].to_numpy(), others["candidate"].to_list(), chosen.groups)

    return estimates


def per(denominators: Callable[[Outcomes], np.ndarray]) -> Statistic:
    """The sum of the numbers over the sum of others, one for each sample of the outcomes: bits per byte."""

    def estimates(outcomes: Outcomes, chosen: Selection) -> Estimates:
        weight = outcomes.samples.weight
        held = 1.0 if weight is None else weight[chosen.places]
        return statistics.ratio_of_sums(
            held * chosen.numbers, held * denominators(outcomes)[chosen.places], chosen.group,
            outcomes.samples.cluster[chosen.places].tolist(), chosen.groups, low=chosen.low, high=chosen.high,
        )  # fmt: skip

    return estimates


def wins(outcomes: Outcomes, of: str, against: str, score: str, tie: float) -> np.ndarray:
    """Whether each sample is ranked before the reference candidate of its pair: 1, 0, or what a `tie` counts.

    NaN for the reference itself, and where its pair lacks it.
    """
    samples = outcomes.samples
    if samples.pair is None:
        msg = f"a win rate against {against!r} compares the candidates of one question: the task declares no pair"
        raise BadExpectation(msg)
    is_reference = data.column(samples.frame, of, "the task") == against
    if not is_reference.any():
        msg = f"there is no candidate {against!r} in {of!r}"
        raise UnknownGroup(msg)
    ranks = outcomes.scores[score]
    at = np.flatnonzero(is_reference.fill_null(value=False).to_numpy())
    reference = dict(zip(samples.pair[at].tolist(), ranks[at].tolist(), strict=True))
    theirs = np.array([reference.get(key, np.nan) for key in samples.pair.tolist()])
    theirs[at] = np.nan  # it does not play against itself
    return np.where(np.isnan(theirs) | np.isnan(ranks), np.nan, np.where(theirs == ranks, tie, theirs > ranks))


def _candidates(outcomes: Outcomes, chosen: Selection, of: str, order: str | None = None) -> pl.DataFrame:
    """Each group's candidates with the mean of their numbers, and their order where one is asked for."""
    frame = outcomes.samples.frame[chosen.places]
    names = data.column(frame, of, "the task").alias("candidate")
    columns = [pl.Series("group", chosen.group), names, pl.Series("mean", chosen.numbers)]
    means = [pl.col("mean").mean()]
    if order is not None:
        columns.append(data.column(frame, order, "the task").cast(pl.Float64).alias("order"))
        means.append(pl.col("order").first())
        several = pl.DataFrame(columns).group_by("candidate").agg(pl.col("order").n_unique())
        if several["order"].max() != 1:
            named = several.filter(pl.col("order") > 1)["candidate"][0]
            msg = f"{order!r} is an order of {of!r}, and {named!r} has several values in it"
            raise BadData(msg)
    return pl.DataFrame(columns).group_by("group", "candidate", maintain_order=True).agg(means)
