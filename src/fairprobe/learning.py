"""How preferences are learnt, for a notebook: when along a chain of checkpoints, and how far apart they lie before it.

Both describe and decide nothing: a chain is one run of training, and hidden states are no behaviour (Im and Li 2024,
arXiv:2403.18742).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from fairprobe import data
from fairprobe.errors import BadData, EngineError
from fairprobe.expressions import Metric
from fairprobe.measuring import measure
from fairprobe.requests import Embed, Embedded, Prompt
from fairprobe.session import Session
from fairprobe.settings import Settings
from fairprobe.tasks import Preference


def learning_lag(metric: Metric, by: str, chain: Sequence[str], *, level: float = 0.5, **settings: Any) -> pl.DataFrame:
    """How much later than the first each group of a column is learnt, in steps along an ordered chain of checkpoints.

    A group is learnt where its change from the first checkpoint reaches `level` times the largest change that any group
    has at the last; between checkpoints it is read off a straight line. One row a group: `learnt` (steps), `lag` (steps
    after the first group), `earliest` and `latest` (where the upper and the lower limit of its change get there), and
    `final`, the change at the last. What is not reached is null. Checkpoints are named as `--model` names them;
    `settings` are fields of `Settings`.
    """
    if isinstance(chain, str) or len(chain) < 2 or not 0 < level <= 1:
        msg = f"learning_lag follows a chain of at least two checkpoints to a level in (0, 1], not {chain!r}, {level!r}"
        raise BadData(msg)
    first, *later = chain
    tables = [measure(metric.change().by(by), model=each, baseline=first, **settings) for each in later]
    groups = tables[0][by].to_list()
    curves = {
        column: {group: [0.0, *(_at(table, by, group, column) for table in tables)] for group in groups}
        for column in ("value", "low", "high")
    }
    wanted = level * max(curve[-1] for curve in curves["value"].values())
    learnt = {group: reached(curves["value"][group], wanted) for group in groups}
    known = [steps for steps in learnt.values() if steps is not None]
    return pl.DataFrame([
        {
            by: group, "learnt": steps, "lag": None if steps is None else steps - min(known),
            "earliest": reached(curves["high"][group], wanted), "latest": reached(curves["low"][group], wanted),
            "final": curves["value"][group][-1],
        }
        for group, steps in learnt.items()
    ], infer_schema_length=None)  # fmt: skip


def reached(curve: Sequence[float], level: float) -> float | None:
    """After how many steps a curve first reaches a level, between two of them on a straight line; None: it does not.

    >>> reached([0.0, 1.0, 3.0], 2.0), reached([0.0, 1.0], 2.0)
    (1.5, None)
    """
    if level <= 0:
        return None
    for step, (before, after) in enumerate(pairwise(curve)):
        if before >= level:
            return float(step)
        if after >= level:
            if np.isinf(before):
                return step + 1.0
            return step + (level - before) / (after - before)
    return None


def distinguishability(task: Preference, by: str, *, model: str, **settings: Any) -> pl.DataFrame:
    """How far apart a model's hidden states lie of what was chosen and rejected, for each group of a column.

    The squared distance of the two means over the average squared spread around them, without what few samples add to
    it: 0 where nothing tells them apart, and the same whatever the scale of the states. Where a group's chosen answers
    are two texts ("Yes", "No"), the states are those of the prompts by which of the two is chosen; else those of each
    prompt with either answer. `priority` is the order of the groups, 1 for the most distinguishable. The state is that
    of the last token in the last layer, of length 1; the engine must give it (transformers).
    """
    session = Session(Settings(model=model, **settings))
    try:
        samples = task.load(session.settings.places)
        groups = data.column(samples.frame, by, repr(task)).to_list()
        if refusal := session.engine("model").refuses(Embed):
            raise EngineError(refusal)
        prompts = [prompt.text for prompt in task.prompts(samples)]
        chosen, rejected = (samples.frame[name].to_list() for name in (task.chosen, task.rejected))
        sides, paired = _sides(groups, prompts, chosen, rejected)
        if few := [group for group, each in sides.items() if min(map(len, each)) < 2]:
            msg = f"{task!r}: {by} {few[0]!r} has fewer than two texts on a side, which tells no spread; leave it out"
            raise BadData(msg)
        texts = [text for each in sides.values() for side in each for text in side]
        vectors = dict(zip(texts, _states(session, texts), strict=True))
    finally:
        session.close()
    found = {
        group: separation(*(np.array([vectors[text] for text in side]) for side in each), paired=group in paired)
        for group, each in sides.items()
    }
    order = sorted(found, key=lambda group: (np.isnan(found[group]), -found[group]))
    return pl.DataFrame([
        {
            by: group, "distinguishability": found[group], "priority": None if np.isnan(found[group]) else place,
            "of": sum(map(len, sides[group])),
        }
        for place, group in enumerate(order, start=1)
    ], infer_schema_length=None)  # fmt: skip


def separation(one: np.ndarray, other: np.ndarray, *, paired: bool = False) -> float:
    """The squared distance of two means (of (n, width) and (m, width)) over the average spread, unbiased above.

    Where they are `paired`, row by row, what few samples add to the distance is told by the rows' differences.

    >>> separation(np.array([[0.0], [2.0]]), np.array([[4.0], [6.0]]))
    7.0
    """
    if min(len(one), len(other)) < 2:
        msg = f"two sides of at least two texts are told apart; there are {len(one)} and {len(other)}"
        raise BadData(msg)
    spreads = [each.var(axis=0, ddof=1).sum() for each in (one, other)]
    noise = (
        (one - other).var(axis=0, ddof=1).sum() / len(one)
        if paired
        else spreads[0] / len(one) + spreads[1] / len(other)
    )
    apart = ((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum() - noise
    return float(apart / np.mean(spreads)) if np.mean(spreads) > 0 else float("nan")


def _sides(
    groups: Sequence[Hashable], prompts: Sequence[str], chosen: Sequence[str], rejected: Sequence[str]
) -> tuple[dict[Hashable, tuple[list[str], list[str]]], set[Hashable]]:
    """The texts on either side, group by group; and the groups in which they are pairs."""
    sides: dict[Hashable, tuple[list[str], list[str]]] = {}
    paired: set[Hashable] = set()
    for group in dict.fromkeys(groups):
        held = [at for at, each in enumerate(groups) if each == group]
        answers = sorted({chosen[at] for at in held})
        if len(answers) == 2 and {rejected[at] for at in held} == set(answers):
            one, other = ([prompts[at] for at in held if chosen[at] == answer] for answer in answers)
        else:
            one = [f"{prompts[at]} {chosen[at].lstrip()}" for at in held]
            other = [f"{prompts[at]} {rejected[at].lstrip()}" for at in held]
            paired.add(group)
        sides[group] = (one, other)
    return sides, paired


def _states(session: Session, texts: Sequence[str]) -> list[tuple[float, ...]]:
    answers = session.respond("model", [Embed(Prompt(text)) for text in texts])
    if lost := [each for each in answers if not isinstance(each, Embedded)]:
        msg = f"{len(lost)} of {len(texts)} texts have no hidden state: {lost[0]}"
        raise EngineError(msg)
    return [each.vector for each in answers if isinstance(each, Embedded)]


def _at(table: pl.DataFrame, by: str, group: Hashable, column: str) -> float:
    value = table.filter(pl.col(by) == group)[column].to_list()
    if len(value) != 1 or value[0] is None:
        msg = f"no {column} of {group!r} at every checkpoint of the chain, so it cannot be followed"
        raise BadData(msg)
    return float(value[0])
