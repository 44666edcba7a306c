"""Samples side by side: each pair's prompts, with the words that another group's prompt has not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any, NamedTuple

from fairprobe.report.anchors import anchors
from fairprobe.report.figures import number
from fairprobe.report.printable import cut


class Piece(NamedTuple):
    """Some text, and whether it differs from its counterpart."""

    text: str
    differs: bool


class Sample(NamedTuple):
    """One sample, its place on the page, how it was judged, and its prompt with what differs from the pair's other."""

    raw: Mapping[str, Any]
    place: str
    word: str
    tone: str
    prompt: list[Piece]


def pairs(failures: Sequence[Mapping[str, Any]], place: str, most: int) -> list[list[Sample]]:
    """The samples that ask several groups the same together, in their order; a sample without a pair alone.

    The first are always there, further ones while all their texts have at most so many characters.
    """
    places = anchors(f"{place}.{failure.get('sample') or n}" for n, failure in enumerate(failures))
    keyed = [
        (failure.get("pair") or (n,), (at, failure))
        for n, (at, failure) in enumerate(zip(places, failures, strict=True))
    ]
    found, length = list[list[Sample]](), 0
    for _, run in groupby(keyed, lambda each: each[0]):
        block = dict(each for _, each in run)
        length += sum(
            len(cut(str(raw.get(text) or ""))) for raw in block.values() for text in ("prompt", "response", "target")
        )
        if found and length > most:
            break
        found.append(_pair(block))
    return found


def _pair(block: Mapping[str, Mapping[str, Any]]) -> list[Sample]:
    """Every sample against the first one answered right, and that one against the first of the others."""
    right = next((raw for raw in block.values() if _judged(raw)[0] == "right"), next(iter(block.values())))
    other = next((raw for raw in block.values() if raw is not right), right)
    return [
        Sample(raw, place, *_judged(raw), differences(_prompt(raw), _prompt(other if raw is right else right)))
        for place, raw in block.items()
    ]  # fmt: skip


def _judged(raw: Mapping[str, Any]) -> tuple[str, str]:
    score = raw.get("score")
    if score is None:
        return "not scored", "error"
    if raw.get("missed") is None:
        return f"scored {number(score)}", "graded"
    if not raw["missed"]:
        return "right", "pass"
    return ("missed", "fail") if score in {0, 1} else (f"scored {number(score)}", "inconclusive")


def _prompt(raw: Mapping[str, Any]) -> str:
    return cut((raw.get("prompt") or "").strip())


# scripts without spaces are compared by character, all others by word, so that no cluster of marks is cut
_SINGLE = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff.,;:!?\"()\[\]…“”«»।、。"
_WORD = re.compile(rf"\s+|[{_SINGLE}]|[^\s{_SINGLE}]+")


def differences(text: str, other: str) -> list[Piece]:
    """The text in pieces, with the words that the other text does not have in their place.

    >>> differences("I lost my torch.", "I lost my flashlight.")
    [Piece(text='I lost my ', differs=False), Piece(text='torch', differs=True), Piece(text='.', differs=False)]
    """
    parts, words = _WORD.findall(text), _words(text)
    new = _new(words, _words(other))
    # two languages or two unrelated texts: marking every word would say nothing
    if not other or (len(words) > 4 and sum(new) > 0.75 * len(new)):
        return [Piece(text, differs=False)] if text else []
    marks = iter(new)
    marked = [None if part.isspace() else next(marks) for part in parts]
    around = zip([False, *marked], marked, [*marked[1:], False], strict=False)
    inner = [bool(before and after) if here is None else here for before, here, after in around]
    runs = groupby(zip(inner, parts, strict=True), lambda each: each[0])
    return [Piece("".join(part for _, part in run), differs) for differs, run in runs]


def _words(text: str) -> list[str]:
    return [part for part in _WORD.findall(text) if not part.isspace()]


def _new(words: Sequence[str], theirs: Sequence[str]) -> list[bool]:
    """For each word whether it is new against the others."""
    new = [True] * len(words)
    for match in SequenceMatcher(None, words, theirs, autojunk=False).get_matching_blocks():
        new[match.a : match.a + match.size] = [False] * match.size
    return new
