"""Outcomes written down: a task of paired clues whose answers are given group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fairprobe import Generation
from fairprobe.metrics import Look
from fairprobe.tasks import Outcomes

Given = Mapping[str, Sequence[float | str]]


def clues(model: Given, baseline: Given | None = None, name: str = "clues") -> tuple[Generation, Look]:
    """A task whose n-th sample of each dialect belongs to pair n, and a look at what was answered.

    An answer is a score, or the status of an answer that scores 0 (`empty`) or has no score (`error`).
    """
    rows = [
        {"id": number, "dialect": dialect, "clue": f"clue {number} in {dialect}", "word": "otter"}
        for dialect, answers in model.items()
        for number in range(len(answers))
    ]
    task = Generation(rows, "{clue}", target="word", name=name, pair="id")
    samples = task.load()
    given = {role: [each for row in answers.values() for each in row] for role, answers in
             (("model", model), ("baseline", baseline or {}))}  # fmt: skip

    def look(asked: object, role: str) -> Outcomes:
        assert asked == task
        scores = [_score(answer) for answer in given[role]]
        status = [answer if isinstance(answer, str) else "ok" for answer in given[role]]
        said: list[str | None] = ["an answer"] * len(scores)
        return Outcomes(
            samples,
            {"exact_match": np.array(scores)},
            np.array(status, dtype=object),
            said,
            [row["clue"] for row in rows],
            ["otter"] * len(scores),
        )

    return task, look


def right(count: int, of: int) -> list[float]:
    """The first `count` answers are right."""
    return [1.0] * count + [0.0] * (of - count)


def _score(answer: float | str) -> float:
    if isinstance(answer, str):
        return float("nan") if answer in {"error", "missing"} else 0.0
    return float(answer)
