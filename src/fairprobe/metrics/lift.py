"""How far persona lift varies: what an answer is compared with is made of the same respondents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fairprobe import statistics
from fairprobe.standings import Selection, Statistic
from fairprobe.statistics import Estimates
from fairprobe.tasks import WORTH, Outcomes


def lift(within: str) -> Statistic:
    """The mean lift, which each respondent acts on twice: by the answer given, and by what others are compared with."""

    def estimates(outcomes: Outcomes, chosen: Selection) -> Estimates:
        samples, at, group = outcomes.samples, chosen.places, chosen.group
        clusters = samples.cluster[at].tolist()
        weight = np.ones(len(at)) if samples.weight is None else samples.weight[at]
        known = statistics.estimate(
            chosen.numbers, group, clusters, chosen.groups, weights=weight, low=chosen.low, high=chosen.high
        )
        if outcomes.choices is None or outcomes.choices.shares is None:
            return known
        frame = samples.frame[at.tolist()]
        _, cell = statistics.indexed(list(zip(frame[within].to_list(), frame["question"].to_list(), strict=True)))
        shares = outcomes.choices.shares[at]
        gains = np.zeros_like(shares)
        for row, each in enumerate(frame[WORTH["lift"]].to_list()):
            gains[row, : len(each)] = each
        # how much each group's value weighs each option of a question, and how much of its average is the respondent's
        toward = np.zeros((len(chosen.groups), int(cell.max()) + 1, shares.shape[1]))
        np.add.at(toward, (group, cell), (weight / np.bincount(group, weight)[group])[:, None] * shares)
        own = (weight / np.bincount(cell, weight)[cell])[:, None] * gains
        moved = np.einsum("no,gno->ng", own, toward[:, cell])
        _, cluster = statistics.indexed(clusters)
        psi = known.psi.copy()
        np.subtract.at(psi, cluster, moved)
        return replace(known, psi=psi, covariance=statistics.robust_covariance(psi, known.present))

    return estimates
