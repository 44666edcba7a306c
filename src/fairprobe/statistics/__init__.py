"""From samples in groups and clusters to a verdict with error control: arrays in, numbers out."""

from fairprobe.statistics.bounds import interval, limits
from fairprobe.statistics.contrasts import Asked, Comparison, Question
from fairprobe.statistics.decision import (
    Decision,
    Outcome,
    decide,
    enough_clusters,
)
from fairprobe.statistics.estimates import (
    Estimates,
    combine,
    divide,
    estimate,
    indexed,
    robust_covariance,
    shifted,
    subtract,
)
from fairprobe.statistics.influence import bonett_wright, jackknife, rank_correlation, ratio_of_sums, u_statistic
from fairprobe.statistics.misclassification import Told, corrected
from fairprobe.statistics.multiplicity import benjamini_hochberg, holm
from fairprobe.statistics.power import POWER, Power, power
from fairprobe.statistics.rates import clopper_pearson, korn_graubard, wilson
from fairprobe.statistics.score_tests import miettinen_nurminen, tango
from fairprobe.statistics.sequential import Course, Evidence, Stopped, confidence_sequence, passes_below, stopped

__all__ = [
    "POWER",
    "Asked",
    "Comparison",
    "Course",
    "Decision",
    "Estimates",
    "Evidence",
    "Outcome",
    "Power",
    "Question",
    "Stopped",
    "Told",
    "benjamini_hochberg",
    "bonett_wright",
    "clopper_pearson",
    "combine",
    "confidence_sequence",
    "corrected",
    "decide",
    "divide",
    "enough_clusters",
    "estimate",
    "holm",
    "indexed",
    "interval",
    "jackknife",
    "korn_graubard",
    "limits",
    "miettinen_nurminen",
    "passes_below",
    "power",
    "rank_correlation",
    "ratio_of_sums",
    "robust_covariance",
    "shifted",
    "stopped",
    "subtract",
    "tango",
    "u_statistic",
    "wilson",
]
