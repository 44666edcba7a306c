"""Which samples a reader should look at first, beside the same question put to the other groups.

Where every score is right or wrong, they are those that were missed. Graded scores within a range have lowest and
highest samples, and pairs that lie far apart. Of ranks, counts and unbounded scores no single sample says anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from fairprobe.expressions import Expectation, measures
from fairprobe.metrics import READS, Look, Values, labelled, measured, numbers
from fairprobe.report.printable import cut

MOST = 20
"""How many pairs, or single samples, are shown."""
MOST_OF_A_PAIR = 6
"""How many of a pair's samples stand side by side."""

OF_FAULTS = frozenset({"flip_rate", "refusal_rate", "truncation_rate"})
"""Metrics that count what went wrong, so that a gap of them is made of those that they count."""


def failures(expectation: Expectation, look: Look, decide: Collection[str] = ()) -> dict[str, Any]:
    """The samples of an expectation's first task to look at first, and how many of how many were missed.

    Nothing is missed (None) where scores are graded. Samples of one pair stand together, so that they can be read
    side by side; of a large pair those of the groups that `decide` come first.
    Their ids count from 0 over the samples that were asked; after a `limit` these are not the rows of the file.
    """
    values = measured(expectation.question.metric, look)[0]
    part = values.parts[0]
    read = next(measure for measure in measures(expectation.question.metric) if measure.task == part.task)
    score, ends = numbers(read, part.outcomes)
    scored = values.kept & ~np.isnan(score)
    levels = expectation.question.kind in {"by", "overall"}
    low_is_good = expectation.comparison.startswith("<") if levels else read.function in OF_FAULTS
    # a rank is the place of a candidate among others
    judges = values.statistic is None and READS.get(read.function) != "rank"
    missed = scored & (score == ends[low_is_good]) if judges and np.isin(score[scored], ends).all() else None
    columns = expectation.question.columns
    paired = part.outcomes.samples.pair is not None
    if missed is not None:
        chosen = (
            _pairs(values, missed, columns, decide) if paired else _in_turn(values, np.flatnonzero(missed), columns)
        )
    elif judges and np.isfinite(ends).all():
        worst = np.argsort(-score if low_is_good else score, kind="stable")
        apart = _apart(values, scored, score) if paired and columns else []
        chosen = apart or _in_turn(values, worst[scored[worst]], columns)
    else:
        chosen = []
    return {
        "missed": None if missed is None else int(missed.sum()),
        "answered": int((values.kept & part.outcomes.answered).sum()),
        "samples": [
            {**_sample(values, index, columns, score), "missed": None if missed is None else bool(missed[index])}
            for index in chosen
        ],
    }


def _in_turn(values: Values, ordered: np.ndarray, columns: tuple[str, ...]) -> list[int]:
    """The first of every group, then the second of each: no group fills the page."""
    if not columns:
        return [int(index) for index in ordered[:MOST]]
    groups = values.frame.select(columns).rows()
    seen: Counter[Hashable] = Counter()
    turns = []
    for index in map(int, ordered):
        turns.append((seen[groups[index]], index))
        seen[groups[index]] += 1
    return [index for _, index in sorted(turns, key=lambda turn: turn[0])[:MOST]]


def _apart(values: Values, scored: np.ndarray, score: np.ndarray) -> list[int]:
    """The lowest and the highest sample of the pairs whose scores lie furthest apart."""
    pair = values.parts[0].outcomes.samples.pair
    assert pair is not None
    members: dict[Hashable, list[int]] = {}
    for index in map(int, np.flatnonzero(scored)):
        members.setdefault(pair[index], []).append(index)
    ends = [tuple(pick(held, key=lambda at: score[at]) for pick in (min, max)) for held in members.values()]
    split = sorted(
        (each for each in ends if score[each[0]] < score[each[1]]), key=lambda each: score[each[0]] - score[each[1]]
    )
    return [index for each in split[:MOST] for index in each]


def _pairs(values: Values, missed: np.ndarray, columns: tuple[str, ...], decide: Collection[str]) -> list[int]:
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
    groups = [labelled(row) for row in values.frame.select(columns).iter_rows()] if columns else []
    return [index for together in split[:MOST] for index in _to_read(together, missed, groups, decide)]


def _to_read(
    together: Sequence[int], missed: np.ndarray, groups: Sequence[str], decide: Collection[str]
) -> Sequence[int]:
    """A pair's members by their groups; of a large one as many as stand side by side, right and missed ones."""
    if not groups:
        return together[:MOST_OF_A_PAIR]
    chosen = sorted(together, key=lambda at: groups[at] not in decide)[:MOST_OF_A_PAIR]
    right = next((at for at in together if not missed[at]), None)
    if right is not None and missed[chosen].all():
        chosen[-1] = right
    return sorted(chosen, key=lambda at: groups[at])


def _sample(values: Values, index: int, columns: tuple[str, ...], score: np.ndarray) -> Mapping[str, Any]:
    outcomes = values.parts[0].outcomes
    row = outcomes.samples.frame.row(index, named=True)
    pair = outcomes.samples.pair
    value = float(score[index])
    # whole they stand in Parquet
    texts = {name: held[index] for name, held in (
        ("prompt", outcomes.prompts), ("response", outcomes.responses), ("target", outcomes.targets)
    )}  # fmt: skip
    return {
        "sample": f"{values.task.name}:{index}",
        "pair": None if pair is None else str(pair[index]),
        "group": {name: row[name] for name in columns},
        **{name: text and cut(text) for name, text in texts.items()},
        "score": None if np.isnan(value) else value,
        "status": str(outcomes.status[index]),
    }
