"""Healthy measurements, and for each guard the fault that only it catches: docs/guards.md tells them in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fairprobe import Generation, MultipleChoice, Ranking, accuracy, mean_rank, scorers
from fairprobe.expressions import Expectation
from fairprobe.metrics import Look
from fairprobe.requests import Chosen, Failed, Generated
from fairprobe.tasks import Outcomes, Task
from fairprobe.verdict import Verdict, judge

Row = dict[str, Any]
SIZE = 100
"""Samples of each group."""


@dataclass(frozen=True)
class Run:
    """A measurement: an expectation, and what each checkpoint answered."""

    expectation: Expectation
    look: Look

    def judged(self) -> Verdict:
        return judge(self.expectation, self.look)

    def told(self) -> set[str]:
        """The guards that are not silent."""
        return {guard.name for guard in self.judged().guards if guard.outcome != "pass"}


def clues(each: Callable[[Row], Row] = lambda row: row, *, size: int = SIZE, **given: Any) -> Generation:
    """Riddles, the same in both dialects; `each` changes a row."""
    rows = [
        each({"id": n, "n": n, "dialect": d, "clue": f"riddle {n}, told in the dialect of {d}", "word": "otter"})
        for d in ("us", "ng")
        for n in range(size)
    ]
    return Generation(rows, given.pop("prompt", "{clue}"), **{"target": "word", "name": "clues", "pair": "id"} | given)


def written(
    task: Generation,
    say: Callable[[Row], str] = lambda row: "otter" if row["n"] % 10 < 6 else "seal",
    *, ended: Callable[[Row], bool] = lambda row: True,
) -> Look:  # fmt: skip
    """What is written about each row; an exclamation mark alone is a failure to answer."""
    samples = task.load()

    def answer(row: Row) -> Generated | Failed:
        text = say(row)
        return Failed("no answer") if text == "!" else Generated(text, ended(row), False, 5, 2)

    outcomes = task.outcomes(samples, [[answer(row)] for row in samples.rows])
    spent = {"prompt": np.full(len(samples), 20.0), "answer": np.full(len(samples), 2.0)}
    return lambda asked, role: replace(outcomes, tokens=spent)


def letters(
    *, right: Callable[[int], int] = lambda n: n % 4, each: Callable[[Row], Row] = lambda row: row
) -> MultipleChoice:
    """Questions with four options."""
    rows = [
        each({"id": n, "n": n, "dialect": d, "question": f"question {n} in {d}?", "right": right(n)})
        for d in ("us", "ng")
        for n in range(SIZE)
    ]
    options = ("cow", "honey", "otter", "owl")
    return MultipleChoice(rows, "{question}", options=options, answer="right", name="letters", pair="id")


def chosen(
    task: MultipleChoice,
    choose: Callable[[Row], int] = lambda row: row["right"] if row["n"] % 10 < 6 else (row["right"] + row["n"]) % 4,
    *, mass: float = 0.9, unsettled: float | None = None,
) -> Look:  # fmt: skip
    """What is chosen for each row."""
    samples = task.load()
    values = [tuple(0.0 if at == choose(row) else -2.0 for at in range(4)) for row in samples.rows]
    answers = [[Chosen(each, (1,) * 4, 9, mass)] for each in values]
    outcomes = replace(task.outcomes(samples, answers), unsettled=unsettled)
    return lambda asked, role: outcomes


def countries(prefers_articles: bool) -> Run:
    """Questions in which forty countries are ranked, half of them with an article."""
    names = [{"country": f"land {n}", "text": f"the land {n}" if n % 2 else f"land {n}"} for n in range(40)]
    rows = [{"question": f"Which country is best at game {n}?", "answer": "I say {country}."} for n in range(20)]
    task = Ranking(rows, "{question}", candidates=names, group="country", name="lands")
    samples = task.load()
    draws = np.random.default_rng(5)
    rank = np.concatenate([draws.permutation(40) + 1.0 for _ in rows])
    if prefers_articles:
        rank = np.where(samples.frame["candidate_text"].str.starts_with("the "), rank / 2, 20 + rank / 2)
    outcomes = Outcomes(
        samples, {"rank": rank}, np.full(len(samples), "ok", dtype=object), ranges={"rank": (1.0, 40.0)}
    )
    return Run(mean_rank(task).by("country") < 39, lambda asked, role: outcomes)


def gap(task: Task, bound: float = 0.5) -> Expectation:
    return accuracy(task).gap("dialect") < bound


def _of(task: Generation, **how: Any) -> Run:
    return Run(gap(task), written(task, **how))


def _of_letters(task: MultipleChoice, bound: float = 0.5, **how: Any) -> Run:
    return Run(gap(task, bound), chosen(task, **how))


def _vetoed(row: Row) -> Row:
    # a distractor that is a part of the word: no answer can hold one without the other
    return {**row, "veto": ["ot"] if row["dialect"] == "ng" and row["n"] % 10 == 9 else ["cow"]}


EXAMPLES = "\n".join(f"riddle {n}, told in the dialect of ng: otter" for n in range(10))


def _languages(cost: float) -> Run:
    task = clues()
    look = written(task)
    outcomes = look(task, "model")
    costs = np.where(outcomes.samples.frame["dialect"] == "ng", cost, 1.0) * outcomes.tokens["prompt"]
    told = replace(outcomes, tokens={**outcomes.tokens, "prompt": costs})
    return Run(gap(task), lambda asked, role: told)


def _templates(baseline: str | None) -> Run:
    task = clues()
    outcomes = written(task)(task, "model")
    said = {"model": "a", "baseline": baseline}
    change = accuracy(task).change().gap("dialect") < 0.5
    return Run(change, lambda asked, role: replace(outcomes, template=said[role]))


HEALTHY: Mapping[str, Callable[[], Run]] = {
    "riddles": lambda: _of(clues()),
    "letters": lambda: _of_letters(letters()),
    "rankings": lambda: countries(prefers_articles=False),
    "a change": lambda: _templates("a"),
}
"""Measurements about which no guard says anything."""

FAULTS: Mapping[str, Callable[[], Run]] = {
    "clusters": lambda: _of(clues(size=9)),
    "answered": lambda: _of(
        clues(), say=lambda row: "!" if row["n"] > 97 else "otter" if row["n"] % 10 < 6 else "seal"
    ),
    "valid_rate": lambda: _of(clues(), say=lambda row: "" if row["n"] % 10 > 6 else "otter"),
    "truncated": lambda: _of(clues(stop="."), ended=lambda row: row["n"] % 10 < 7),
    "option_mass": lambda: _of_letters(letters(), mass=0.2),
    "position_bias": lambda: _of_letters(letters(right=lambda n: 0 if n % 20 < 9 else 1 + n % 3), choose=lambda row: 0),
    "above_chance": lambda: _of(clues(), say=lambda row: "otter" if row["n"] % 100 == 0 else "seal"),
    "ceiling": lambda: _of(clues(), say=lambda row: "otter"),
    "unwinnable": lambda: Run(
        gap(task := clues(_vetoed, scorer=scorers.contains(veto="veto", words=False)), 0.15), written(task)
    ),
    "overlap": lambda: _of(clues(lambda row: {**row, "id": row["id"] + 10 * (row["dialect"] == "ng")})),
    "duplicates": lambda: _of(clues(lambda row: {**row, "clue": f"riddle {row['n'] % 80}, in {row['dialect']}"})),
    "leaked": lambda: _of(clues(prompt=EXAMPLES + "\n\n{clue}")),
    "tokens": lambda: _languages(3.0),
    "template": lambda: _templates(None),
    "noise": lambda: _of_letters(letters(), 0.02, unsettled=0.05),
    "name_form": lambda: countries(prefers_articles=True),
}
"""A measurement with one fault, by the guard that catches it."""
