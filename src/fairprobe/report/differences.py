"""Samples side by side: each pair's prompts, with the words that another group's prompt has not."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

from markupsafe import escape

from fairprobe.report.expectation import Record
from fairprobe.report.figures import number
from fairprobe.report.printable import SHOWN_CHARACTERS, cut

LEAST_CHARACTERS = 300
MARKUP = 500
"""Bytes that a sample takes beside its texts."""


class Piece(NamedTuple):
    """Some text, and whether it differs from its counterpart."""

    text: str
    differs: bool


class Sample(NamedTuple):
    """One sample, its place on the page, how it was judged, and its prompt with what differs from the pair's other."""

    raw: Record
    place: str
    word: str
    tone: str
    prompt: list[Piece]
    response: str | None
    target: str | None


def pairs(failures: Sequence[Record], most: int, place: Callable[[str], str]) -> list[list[Sample]]:
    """The samples that ask several groups the same together, in their order; a sample without a pair alone.

    They take about so many bytes: texts are cut so that the first pair has room, and further ones while there is some.
    """
    keyed = [(failure.get("pair") or (n,), failure) for n, failure in enumerate(failures)]
    blocks = [[failure for _, failure in run] for _, run in groupby(keyed, lambda each: each[0])]
    longest = _longest(blocks[0], most) if blocks else 0
    found, left = list[list[Sample]](), most
    for block in blocks:
        left -= sum(MARKUP + sum(min(_size(text), longest) for text in _texts(raw)) for raw in block)
        if found and left < 0:
            break
        found.append(_pair(block, longest, place))
    return found


def _longest(block: Sequence[Record], most: int) -> int:
    """How many characters of each text so many bytes have room for."""
    texts = [text for raw in block for text in _texts(raw)]
    each = sum(map(_size, texts)) / max(sum(map(len, texts)), 1)
    return min(SHOWN_CHARACTERS, max(LEAST_CHARACTERS, int(most / max(2 * len(block) * each, 1))))


def _texts(raw: Record) -> list[str]:
    return [str(raw.get(name) or "") for name in ("prompt", "response", "target")]


def _size(text: str) -> int:
    """The bytes that a text takes on the page."""
    return len(str(escape(text)).encode("utf-8", "replace"))


def _pair(block: Sequence[Record], longest: int, place: Callable[[str], str]) -> list[Sample]:
    """Every sample against the first one answered right, and that one against the first of the others."""
    right = next((raw for raw in block if _judged(raw)[0] == "right"), block[0])
    other = next((raw for raw in block if raw is not right), right)

    def text(raw: Record, name: str) -> str | None:
        return None if raw.get(name) is None else cut(str(raw[name]), longest, longest // 3)

    return [
        Sample(
            raw, place(str(raw.get("sample") or "")), *_judged(raw),
            differences(*((text(each, "prompt") or "").strip() for each in (raw, other if raw is right else right))),
            text(raw, "response"), text(raw, "target"),
        )
        for raw in block
    ]  # fmt: skip


def _judged(raw: Record) -> tuple[str, str]:
    score = raw.get("score")
    if score is None:
        return "not scored", "error"
    if raw.get("missed") is None:
        return f"scored {number(score)}", "graded"
    if not raw["missed"]:
        return "right", "pass"
    return ("missed", "fail") if score in {0, 1} else (f"scored {number(score)}", "inconclusive")


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
