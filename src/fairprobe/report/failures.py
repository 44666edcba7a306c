"""Which samples a reader should look at first: those a group missed, beside the same question put to the others."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from fairprobe.expressions import Expectation, measures
from fairprobe.metrics import Look, Values, measured, numbers

MOST = 20
"""How many pairs, or single samples, are shown."""


def failures(expectation: Expectation, look: Look) -> dict[str, Any]:
    """The first missed samples of an expectation's first task, and how many there are of how many.

    Samples of one pair stand together, those answered right among them, so that they can be read side by side.
    Their ids count from 0 over the samples that were asked; after a `limit` these are not the rows of the file.
    """
    values = measured(expectation.question.metric, look)[0]
    part = values.parts[0]
    read = next(measure for measure in measures(expectation.question.metric) if measure.task == part.task)
    score, ends = numbers(read, part.outcomes)
    missed = values.kept & _missed(expectation, score, ends)
    columns = expectation.question.columns
    chosen = (
        _pairs(values, missed, columns) if part.outcomes.samples.pair is not None else np.flatnonzero(missed)[:MOST]
    )
    return {
        "missed": int(missed.sum()),
        "answered": int((values.kept & part.outcomes.answered).sum()),
        "samples": [{**_sample(values, int(index), columns, score), "missed": bool(missed[index])} for index in chosen],
    }


def _missed(expectation: Expectation, score: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Which scores fall short of the best one: the lowest where a value is to be low. Of unbounded ones none does."""
    low_is_good = expectation.question.kind in {"by", "overall"} and expectation.comparison.startswith("<")
    best = ends[0] if low_is_good else ends[1]
    short: np.ndarray = (score > best if low_is_good else score < best) & np.isfinite(best)
    return short


def _pairs(values: Values, missed: np.ndarray, columns: tuple[str, ...]) -> np.ndarray:
    """The members of pairs that were missed in part; of those, the ones most split between groups first."""
    pair = values.parts[0].outcomes.samples.pair
    assert pair is not None
    members: dict[Hashable, list[int]] = {}
    for index in np.flatnonzero(values.kept):
        members.setdefault(pair[index], []).append(int(index))
    split = sorted(
        (together for together in members.values() if missed[together].any()),
        key=lambda together: (bool(missed[together].all()), str(pair[together[0]])),
    )
    groups = [str(row) for row in values.frame.select(columns).iter_rows()] if columns else []
    return np.array([
        index
        for together in split[:MOST]
        for index in (sorted(together, key=lambda at: groups[at]) if groups else together)
    ], dtype=int)  # fmt: skip


def _sample(values: Values, index: int, columns: tuple[str, ...], score: np.ndarray) -> Mapping[str, Any]:
    outcomes = values.parts[0].outcomes
    row = outcomes.samples.frame.row(index, named=True)
    pair = outcomes.samples.pair
    value = float(score[index])
    return {
        "sample": f"{values.task.name}:{index}",
        "pair": None if pair is None else str(pair[index]),
        "group": {name: row[name] for name in columns},
        "prompt": outcomes.prompts[index],
        "response": outcomes.responses[index],
        "target": outcomes.targets[index],
        "score": None if np.isnan(value) else value,
        "status": str(outcomes.status[index]),
    }
