"""Scorers: a response and its target to a number in [0, 1] and a status.

A scorer is a function `(response, target, row) -> float | Score`. Those here are used bare, or called with options:
`scorers.contains`, `scorers.contains(veto="distractors")`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

Status = Literal["ok", "empty", "unparsable", "refused", "truncated", "error", "missing"]
STATUSES: tuple[Status, ...] = ("ok", "empty", "unparsable", "refused", "truncated", "error", "missing")
UNSCORED = frozenset({"error", "missing"})
"""Statuses without a score: what was not answered is no number."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a scorer says of one response: a value in [0, 1], and whether the response was an answer at all.

    >>> Score(0.0, "unparsable")
    Score(value=0.0, status='unparsable')
    """

    value: float
    status: Status = "ok"


Target = str | Sequence[str] | None
Scorer = Callable[[str, Target, Mapping[str, Any]], float | Score]


def normalised(text: str) -> str:
    """Lower case, without punctuation, English articles and extra space, as SQuAD's scoring has it.

    >>> normalised("The  Answer!")
    'answer'
    """
    bare = "".join(" " if mark in string.punctuation else mark for mark in text.lower())
    return " ".join(word for word in bare.split() if word not in {"a", "an", "the"})


def exact_match(response: str, target: Target, row: Mapping[str, Any]) -> float:
    """1 where the normalised response equals a normalised target.

    >>> exact_match("The Otter.", "otter", {})
    1.0
    """
    return float(any(normalised(response) == normalised(text) for text in _texts(target)))


@overload
def contains(response: str, target: Target, row: Mapping[str, Any]) -> float: ...
@overload
def contains(*, veto: str) -> Scorer: ...
def contains(
    response: str = "", target: Target = None, row: Mapping[str, Any] | None = None, *, veto: str | None = None
) -> float | Scorer:
    """1 where a normalised target stands in the response as whole words; 0 where a text of column `veto` does too.

    >>> contains("I think it is an otter", "otter", {})
    1.0
    >>> contains(veto="distractors")("an otter or a seal", "otter", {"distractors": ["seal"]})
    0.0
    """
    if row is None:
        return _Contains(veto)
    return _Contains(veto)(response, target, row)


@dataclass(frozen=True)
class _Contains:
    veto: str | None

    def __call__(self, response: str, target: Target, row: Mapping[str, Any]) -> float:
        said = f" {normalised(response)} "
        vetoed = _texts(row[self.veto]) if self.veto else ()
        if any(f" {normalised(text)} " in said for text in vetoed):
            return 0.0
        return float(any(f" {normalised(text)} " in said for text in _texts(target)))


def regex(pattern: str, group: int | str = 0, flags: int = 0) -> Scorer:
    r"""What the pattern finds is compared with the target, normalised; a response without it is `unparsable`.

    Raises `re.error` at once for a pattern that cannot be compiled.

    >>> regex(r"Answer: (\w+)", group=1)("Well. Answer: otter", "otter", {})
    1.0
    >>> regex(r"Answer: (\w+)", group=1)("otter", "otter", {})
    Score(value=0.0, status='unparsable')
    """
    re.compile(pattern, flags)
    return _Regex(pattern, group, flags)


@dataclass(frozen=True)
class _Regex:
    pattern: str
    group: int | str
    flags: int

    def __call__(self, response: str, target: Target, row: Mapping[str, Any]) -> float | Score:
        found = re.search(self.pattern, response, self.flags)
        return exact_match(found[self.group] or "", target, row) if found else Score(0.0, "unparsable")


def name_of(scorer: Scorer) -> str:
    """The name under which a scorer's values are read: `exact_match(task)` reads those of `exact_match`.

    >>> name_of(exact_match), name_of(contains(veto="distractors"))
    ('exact_match', 'contains')
    """
    name = getattr(scorer, "__name__", None) or type(scorer).__name__
    return name.strip("_").lower()


def needs_target(scorer: Scorer) -> bool:
    """Whether a scorer is one of ours that compares a response with its target.

    >>> needs_target(exact_match), needs_target(lambda response, target, row: len(response) < 80)
    (True, False)
    """
    return scorer in (exact_match, contains) or isinstance(scorer, (_Contains, _Regex))


def score(scorer: Scorer, response: str, target: Target, row: Mapping[str, Any]) -> Score:
    """One response's score; an empty response is `empty` and scores 0 without being put to the scorer."""
    if not response.strip():
        return Score(0.0, "empty")
    given = scorer(response, target, row)
    scored = given if isinstance(given, Score) else Score(float(given))
    if not 0.0 <= scored.value <= 1.0:
        msg = f"scorer {name_of(scorer)} gave {scored.value!r} for {response!r:.60}; a score lies in [0, 1]"
        raise ValueError(msg)
    if scored.status not in STATUSES or scored.status in UNSCORED:
        said = ", ".join(status for status in STATUSES if status not in UNSCORED)
        msg = f"scorer {name_of(scorer)} gave the status {scored.status!r} to {response!r:.60}; it is one of {said}"
        raise ValueError(msg)
    return scored


def _texts(target: Any) -> Sequence[str]:
    if target is None:
        return ()
    if isinstance(target, (list, tuple)):
        return [str(text) for text in target]
    return [str(target)]
