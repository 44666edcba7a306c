"""An edit of a text, and what happens to several: which stand together, and the text they give."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Edit(NamedTuple):
    """The characters from `start` to before `end` become `new`."""

    start: int
    end: int
    new: str


PROTECTED = re.compile(
    r"""
      ```.*?``` | `[^`\n]*`                                  # code
    | https?://\S+ | \S+@\S+\.\w+                            # addresses
    | \{[^{}\n]*\} | <[^<>\n]*> | \[[^\[\]\n]*\]             # placeholders
    | "[^"\n]*" | “[^”\n]*” | «[^»\n]*»                      # quotations
    | (?<![\w'’])[‘'](?=\w)[^'’\n]*(?:['’]\w[^'’\n]*)*['’](?!\w)
    | \b\d+(?:[.,:/-]\d+)*\w*                                # numbers
    """,
    re.VERBOSE | re.DOTALL,
)
"""Code, addresses, placeholders, quotations and numbers: what a rewriting leaves as it is."""


def protected(text: str, names: Sequence[str] = ()) -> list[tuple[int, int]]:
    """Where the text must stay as it is: what `PROTECTED` matches, and every occurrence of `names`.

    >>> [text[a:b] for text in ['Say "no" to {name}.'] for a, b in protected(text)]
    ['"no"', '{name}']
    """
    spans = [match.span() for match in PROTECTED.finditer(text)]
    for name in filter(None, names):
        spans += [match.span() for match in re.finditer(re.escape(name), text)]
    return spans


def outside(edits: Iterable[Edit], spans: Sequence[tuple[int, int]]) -> list[Edit]:
    """The edits that change nothing inside these spans."""
    return [each for each in edits if not any(each.start < end and start < max(each.end, each.start + 1)
                                              for start, end in spans)]  # fmt: skip


def compatible(edits: Iterable[Edit]) -> list[Edit]:
    """The edits in their order, without those that overlap or touch the same place as one before them.

    >>> compatible([Edit(0, 2, "a"), Edit(1, 3, "b"), Edit(5, 5, "c")])
    [Edit(start=0, end=2, new='a'), Edit(start=5, end=5, new='c')]
    """
    taken: list[Edit] = []
    for each in edits:
        if all(each.end < other.start or other.end < each.start or _abut(each, other) for other in taken):
            taken.append(each)
    return sorted(taken)


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text with these edits, none of which overlap.

    >>> applied("She isn't here.", [Edit(4, 9, "ain't")])
    "She ain't here."
    """
    parts, done = [], 0
    for start, end, new in sorted(edits):
        parts += [text[done:start], new]
        done = end
    return "".join([*parts, text[done:]])


def _abut(one: Edit, other: Edit) -> bool:
    """Whether two edits lie side by side without sharing a character, and neither only inserts there."""
    beside = one.end == other.start or other.end == one.start
    return beside and one.start < one.end and other.start < other.end
