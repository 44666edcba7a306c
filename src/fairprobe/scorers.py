"""Scorers: a response and its target to a number in [0, 1] and a status.

A scorer is a function `(response, target, row) -> float | Score`. Those here are used bare, or called with options:
`scorers.contains`, `scorers.contains(veto="distractors")`.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

from fairprobe.errors import BadData

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


UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Scripts that put no space between words: Thai, Lao, Burmese, Khmer, kana, Han."""


def normalised(text: str) -> str:
    """Lower case, without any script's punctuation, English articles and extra space, after SQuAD's scoring.

    >>> normalised("The  Answer!"), normalised("水獭。")
    ('answer', '水獭')
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    bare = "".join(" " if _is_punctuation(mark) else mark for mark in folded)
    return " ".join(word for word in bare.split() if word not in {"a", "an", "the"})


def exact_match(response: str, target: Target, row: Mapping[str, Any]) -> float:
    """1 where the normalised response equals a normalised target.

    >>> exact_match("The Otter.", "otter", {})
    1.0
    """
    return float(any(_equals(response, text) for text in _texts(target)))


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
        vetoed = _texts(row[self.veto]) if self.veto else ()
        if any(stands_in(text, response) for text in vetoed):
            return 0.0
        return float(any(stands_in(text, response) for text in _texts(target)))


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
    try:
        given = scorer(response, target, row)
        scored = given if isinstance(given, Score) else Score(float(given))
    except Exception as error:
        msg = f"scorer {name_of(scorer)} raised {error!r} for {response!r:.60} with the target {target!r:.60}"
        raise BadData(msg) from error
    if not 0.0 <= scored.value <= 1.0:
        msg = f"scorer {name_of(scorer)} gave {scored.value!r} for {response!r:.60}; a score lies in [0, 1]"
        raise ValueError(msg)
    if scored.status not in STATUSES or scored.status in UNSCORED:
        said = ", ".join(status for status in STATUSES if status not in UNSCORED)
        msg = f"scorer {name_of(scorer)} gave the status {scored.status!r} to {response!r:.60}; it is one of {said}"
        raise ValueError(msg)
    return scored


def _is_punctuation(mark: str) -> bool:
    return mark in string.punctuation or unicodedata.category(mark).startswith("P")


def _equals(response: str, target: str) -> bool:
    """Equal when normalised; as they stand where nothing of the target is left then ("A", "the")."""
    wanted = normalised(target)
    return normalised(response) == wanted if wanted else response.strip().lower() == target.strip().lower()


def stands_in(text: str, response: str) -> bool:
    """Whether a text stands in a response as whole words, or anywhere where its script has no spaces."""
    wanted, said = normalised(text), normalised(response)
    if not wanted:
        return _equals(response, text)
    return wanted in said if UNSPACED.search(wanted) else f" {wanted} " in f" {said} "


def _texts(target: Any) -> Sequence[str]:
    if target is None:
        return ()
    if isinstance(target, (list, tuple)):
        return [str(text) for text in target]
    return [str(target)]
