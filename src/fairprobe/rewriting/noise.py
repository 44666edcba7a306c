"""Rewritings that no reader should answer differently to: typography, and slips of the keyboard."""

from __future__ import annotations

import re

from fairprobe.errors import BadData
from fairprobe.rewriting.edits import Edit
from fairprobe.rewriting.rewriting import Change, Rewriting

TYPOGRAPHY = (("'", "’"), ("...", "…"), (" - ", " – "), ("--", "—"))
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def typography() -> Rewriting:
    """Curly apostrophes, real dashes and ellipses for typewritten ones, and the other way round.

    >>> [each.edit.new for each in typography().changes("It's late...")]
    ['’', '…']
    """
    return Rewriting("typography", "typography()", _typographic)


def keyboard(share: float = 0.05) -> Rewriting:
    """Slips of the keyboard inside words of four letters or more, in about this share of them.

    Two letters are swapped, one is left out, or its neighbour on the keyboard is hit.

    >>> sorted({each.name for each in keyboard().changes("Which animal barks?")})
    ['keyboard']
    """
    if not 0 < share <= 1:
        msg = f"keyboard({share!r}): the share of words in which to slip lies above 0 and up to 1"
        raise BadData(msg)
    return Rewriting("keyboard", f"keyboard({share!r})", _slips, (("keyboard", share / 3),))


def _typographic(text: str) -> list[Change]:
    edits: list[Edit] = []
    for one, other in TYPOGRAPHY:
        for old, new in ((one, other), (other, one)):
            edits += [Edit(match.start(), match.end(), new) for match in re.finditer(re.escape(old), text)]
    inside = [each for each in edits if each.new not in {"’", "'"} or _in_word(text, each.start)]
    return [Change(edit, "typography") for edit in sorted(inside)]


def _in_word(text: str, place: int) -> bool:
    return text[:place][-1:].isalpha() and text[place + 1 :][:1].isalpha()


def _slips(text: str) -> list[Change]:
    edits = []
    for match in re.finditer(r"\b[A-Za-z]{4,}\b", text):
        word, start = match.group(), match.start()
        middle = len(word) // 2
        swapped = word[middle] + word[middle - 1]
        if swapped != word[middle - 1 : middle + 1]:
            edits.append(Edit(start + middle - 1, start + middle + 1, swapped))
        edits.append(Edit(start + middle, start + middle + 1, ""))
        edits.append(Edit(start + middle, start + middle + 1, _beside(word[middle])))
    return [Change(edit, "keyboard") for edit in edits]


def _beside(letter: str) -> str:
    """The letter to the right on the keyboard, at the end of a row the one to the left."""
    row = next((row for row in ROWS if letter.lower() in row), letter.lower())
    at = row.find(letter.lower())
    new = row[at + 1] if at + 1 < len(row) else row[at - 1]
    return new.upper() if letter.isupper() else new
