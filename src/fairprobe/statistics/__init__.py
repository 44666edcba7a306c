"""From samples in groups and clusters to a verdict with error control: arrays in, numbers out."""

from fairprobe.statistics.bounds import clopper_pearson, interval, limits, wilson
from fairprobe.statistics.decision import MOST_CLUSTERS, Comparison, Decision, Outcome, Question, decide
from fairprobe.statistics.estimates import Estimates, estimate, subtract
from fairprobe.statistics.multiplicity import holm

__all__ = [
    "MOST_CLUSTERS",
    "Comparison",
    "Decision",
    "Estimates",
    "Outcome",
    "Question",
    "clopper_pearson",
    "decide",
    "estimate",
    "holm",
    "interval",
    "limits",
    "subtract",
    "wilson",
]
