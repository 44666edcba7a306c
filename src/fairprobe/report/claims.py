"""A claim read back from its source: the expressions that fairprobe itself writes, and nothing else, are evaluated."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from fairprobe import metrics
from fairprobe.errors import BadExpectation
from fairprobe.expressions import Expectation, Metric
from fairprobe.tasks import Task

METRICS: Mapping[str, Callable[..., Metric]] = {
    made.__name__: made
    for made in (
        metrics.accuracy,
        metrics.option_entropy, metrics.preference_accuracy, metrics.preference_margin,
        metrics.bits_per_byte, metrics.exact_match, metrics.f1, metrics.flip_rate,
        metrics.kendall,
        metrics.mean, metrics.mean_rank, metrics.refusal_rate, metrics.reward, metrics.share_below, metrics.similarity,
        metrics.spearman, metrics.tokens_per_sample, metrics.truncation_rate, metrics.valid_rate, metrics.win_rate,
    )
}  # fmt: skip
QUESTIONS = frozenset({"where", "matched", "change", "relative", "above", "near", "gap", "by", "ratio"})
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip


def read(claim: str, tasks: Mapping[str, Task]) -> Expectation:
    """The expectation whose source this is, of tasks by their names. Raises `BadExpectation` for anything else.

    >>> read("accuracy(clues).gap('dialect') < 0.05", {"clues": clues})
    accuracy(clues).gap('dialect') < 0.05
    """
    try:
        found = _value(ast.parse(claim, mode="eval").body, tasks)
    except (SyntaxError, ValueError, TypeError, RecursionError, KeyError) as error:
        msg = f"{claim!r:.200} is no claim that can be read: {error}"
        raise BadExpectation(msg) from error
    if not isinstance(found, Expectation):
        msg = f"{claim!r:.200} is no claim: it has no bound"
        raise BadExpectation(msg)
    return found


def _value(node: ast.expr, tasks: Mapping[str, Task]) -> Any:
    match node:
        case ast.Compare(left=left, ops=[sign], comparators=[bound]):
            return COMPARISONS[type(sign)](_value(left, tasks), ast.literal_eval(bound))
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _value(left, tasks) - _value(right, tasks)
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr="treated_by" as name)) if (
            name not in METRICS and (name == "treated_by" or name in metrics.__all__)
        ):
            msg = f"{name} is made of more than the scores that a run keeps of each sample"
            raise ValueError(msg)
        case ast.Call(func=ast.Name(id=name), args=[ast.Name(id=task), *given], keywords=keywords):
            return METRICS[name](tasks[task], *map(ast.literal_eval, given), **_named(keywords))
        case ast.Call(func=ast.Attribute(value=metric, attr=name), args=given, keywords=keywords) if name in QUESTIONS:
            return getattr(_value(metric, tasks), name)(*map(ast.literal_eval, given), **_named(keywords))
    msg = f"there is no {ast.unparse(node)!r:.80} in a claim"
    raise ValueError(msg)


def _named(keywords: list[ast.keyword]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for each in keywords:
        value = ast.literal_eval(each.value)
        named |= value if each.arg is None else {each.arg: value}
    return named
