"""The distinct requests of a set of expectations, in the order to ask them.

Each sample of each task that an expectation reads wants its requests of each checkpoint that it reads; equal
requests are asked once, however many expectations, groups or tasks want them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import polars as pl

from fairprobe.errors import BadData
from fairprobe.expressions import Expectation, Measure, Metric, Versus, walk
from fairprobe.metrics import Role
from fairprobe.requests import Request
from fairprobe.tasks import Samples, Task

Need = tuple[Task, Role]

MOST_GROUPS = 50
"""A column with more values than this is no group that a subset could be balanced by."""


@dataclass(frozen=True)
class Plan:
    """What a set of expectations wants to know of each checkpoint.

    `wanted` counts the requests of every expectation, repeats included; `requests` are the distinct ones, in
    shared-prefix order, so that what has a beginning in common is asked together.
    """

    expectations: tuple[Expectation, ...] = ()
    wanted: int = 0
    requests: Mapping[Role, tuple[Request, ...]] = field(default_factory=dict)

    @property
    def distinct(self) -> int:
        """How many requests there are to answer, over the checkpoints."""
        return sum(len(requests) for requests in self.requests.values())


def plan(expectations: Iterable[Expectation], asked: Mapping[Task, Sequence[tuple[Request, ...]]]) -> Plan:
    """The plan of these expectations, given what each task that asks would ask about its samples."""
    expectations = tuple(expectations)
    times = Counter(need for expectation in expectations for need in needs(expectation) if need[0] in asked)
    each = {task: list(chain.from_iterable(requests)) for task, requests in asked.items()}
    wanted = sum(count * len(each[task]) for (task, _), count in times.items())
    distinct: dict[Role, dict[Request, None]] = {}
    for task, role in times:
        distinct.setdefault(role, {}).update(dict.fromkeys(each[task]))
    return Plan(expectations, wanted, {role: ordered(each) for role, each in sorted(distinct.items(), reverse=True)})


def ordered(requests: Iterable[Request]) -> tuple[Request, ...]:
    """Those with a common beginning side by side."""
    return tuple(sorted(requests, key=_by_prefix))


def needs(expectation: Expectation) -> list[Need]:
    """The tasks that an expectation and its guards read, each with the checkpoints that it reads them of."""
    found = dict.fromkeys(_needs(expectation.question.metric))
    for guard in expectation.terms.guards:
        found |= dict.fromkeys(needs(guard))
    return list(found)


def check_names(tasks: Iterable[Task]) -> None:
    """Raise `BadData` where two different tasks have one name: verdicts and reports could not tell them apart."""
    seen: dict[str, Task] = {}
    for task in tasks:
        other = seen.setdefault(task.name, task)
        if other != task:
            msg = (
                f"two different tasks are named {task.name!r}: {other!r} and {task!r}. Give one of them another name=."
            )
            raise BadData(msg)


def subset(samples: Samples, limit: int | None, seed: int, scored: Sequence[str] = ()) -> Samples:
    """About `limit` samples, drawn by the seed: whole pairs where there are pairs, else as many of each group.

    It depends on the task alone, so that a verdict does not depend on which other tests are run. The `scored` columns
    balance nothing, since that would hide what they show. A pair larger than the limit is taken whole.
    """
    if limit is None or len(samples) <= limit:
        return samples
    order = np.random.default_rng(seed).permutation(len(samples))
    drawn = (
        _whole_pairs(samples.pair, order, limit)
        if samples.pair is not None
        else _in_turn(samples, order, scored)[:limit]
    )
    return samples.take(np.sort(drawn))


def _needs(metric: Metric) -> Iterator[Need]:
    compared = [part for part in walk(metric) if isinstance(part, Versus)]
    changed = {id(part) for each in compared for part in walk(each)}
    for part in walk(metric):
        if isinstance(part, Measure):
            yield part.task, "model"
            if id(part) in changed:
                yield part.task, "baseline"


def _by_prefix(request: Request) -> tuple[str, str]:
    return type(request).__name__, request.prompt.text


def _whole_pairs(pair: np.ndarray, order: np.ndarray, limit: int) -> np.ndarray:
    members: dict[object, list[int]] = {}
    for index in order:
        members.setdefault(pair[index], []).append(int(index))
    drawn: list[int] = []
    for together in members.values():
        if drawn and len(drawn) + len(together) > limit:
            break
        drawn += together
    return np.array(drawn)


def _in_turn(samples: Samples, order: np.ndarray, scored: Sequence[str]) -> np.ndarray:
    """The samples of every group in turn, whatever columns of few values the groups are told by."""
    frame = samples.frame
    small = [
        name
        for name in frame.columns
        if name not in scored and not frame.schema[name].is_nested() and 1 < frame[name].n_unique() <= MOST_GROUPS
    ]
    if not small:
        return order
    turn = frame[order].select(pl.int_range(pl.len()).over(small).alias("turn"))["turn"].to_numpy()
    return np.asarray(order[np.argsort(turn, kind="stable")])
