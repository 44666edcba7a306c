"""What an answer that knows nothing has of a metric: the line that a level is read against."""

from __future__ import annotations

import numpy as np

from fairprobe.expressions import Matched, Measure, Metric, Question, Where, measures
from fairprobe.metrics.named import HAS_CHANCE
from fairprobe.metrics.values import Look, Values, measured
from fairprobe.tasks import Simulation


def chance(question: Question, look: Look) -> float | None:
    """The level of an answer that knows nothing; None where it is not known, and of what compares."""
    if question.kind not in {"by", "overall"} or not _is_level(question.metric):
        return None
    [measure], [values] = measures(question.metric), measured(question.metric, look)
    if measure.function == "persona_lift":
        return 0.0
    if measure.function == "alignment":
        return 0.0 if measure.option("corrected") else _alignment(str(measure.column), values)
    samples = values.parts[0].outcomes.samples.take(np.flatnonzero(values.kept))
    return values.task.chance(samples) if measure.function in HAS_CHANCE else None


def _alignment(kind: str, values: Values) -> float:
    samples = values.parts[0].outcomes.samples
    assert isinstance(values.task, Simulation)
    weights = None if samples.weight is None else samples.weight[values.kept]
    return float(np.average(values.task.chances(samples, kind)[values.kept], weights=weights))


def _is_level(metric: Metric) -> bool:
    while isinstance(metric, Where | Matched):
        metric = metric.metric
    return isinstance(metric, Measure)
