"""Ranks of candidates within their question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

Ties = Literal["average", "min", "max", "dense", "ordinal"]
"""What rank equal values get."""


def ranked(
    frame: pl.DataFrame,
    value: str,
    *,
    within: str | Sequence[str],
    best: Literal["high", "low"] = "high",
    reverse: pl.Expr | None = None,
    ties: Ties = "average",
) -> pl.DataFrame:
    """The frame with a column `rank`: 1 for the best value among the rows of the same question (`within`).

    `reverse` says in which rows the worst value is the best, for questions that it is no honour to be named in.

    >>> held = pl.DataFrame({"question": [1, 1, 1], "reward": [0.5, 2.0, 0.5]})
    >>> ranked(held, "reward", within="question")["rank"].to_list()
    [2.5, 1.0, 2.5]
    """
    sign = pl.lit(-1.0 if best == "high" else 1.0) * (
        1.0 if reverse is None else pl.when(reverse).then(-1.0).otherwise(1.0)
    )
    return frame.with_columns(rank=(pl.col(value) * sign).rank(ties).over(within).cast(pl.Float64))
