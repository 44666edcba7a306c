"""What an answer that knows nothing has of a metric: the line that a level is read against."""

from __future__ import annotations

import numpy as np

from fairprobe.expressions import Measure, Question, unconditioned
from fairprobe.metrics.named import HAS_CHANCE
from fairprobe.metrics.values import Look, chances, measured


def chance(question: Question, look: Look) -> float | None:
    """The level of an answer that knows nothing; None where it is not known, and of what compares."""
    measure = unconditioned(question.metric)
    if question.kind not in {"by", "overall"} or not isinstance(measure, Measure):
        return None
    [values] = measured(question.metric, look)
    samples = values.parts[0].outcomes.samples.take(np.flatnonzero(values.kept))
    if measure.function == "persona_lift":
        return 0.0
    if measure.function == "alignment":
        corrected = measure.option("corrected")
        return 0.0 if corrected else float(np.average(chances(measure, samples), weights=samples.weight))
    return values.task.chance(samples) if measure.function in HAS_CHANCE else None
