"""An edit of a text, and what happens to several: which stand together, and the text they give."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

Held = TypeVar("Held")


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


def protected(text: str) -> list[tuple[int, int]]:
    """Where `PROTECTED` matches.

    >>> [text[a:b] for text in ['Say "no" to {name}.'] for a, b in protected(text)]
    ['"no"', '{name}']
    """
    return [match.span() for match in PROTECTED.finditer(text)]


def standing(names: Iterable[str], text: str) -> list[tuple[int, int]]:
    """Where these names stand in a text as whole words."""
    found = (re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in filter(None, names))
    return [match.span() for matches in found for match in matches]


def touches(edit: Edit, spans: Iterable[tuple[int, int]]) -> bool:
    """Whether an edit changes anything inside these spans; what is put before or after one does not."""
    return any(edit.start < end and start < edit.end for start, end in spans)


def compatible(held: Iterable[Held], edit: Callable[[Held], Edit] = lambda each: each) -> list[Held]:  # type: ignore[assignment,return-value]  # by default what is held are edits
    """What is held, in the order of its places, without what overlaps or touches the same place as one before it.

    >>> compatible([Edit(0, 2, "a"), Edit(1, 3, "b"), Edit(5, 5, "c")])
    [Edit(start=0, end=2, new='a'), Edit(start=5, end=5, new='c')]
    """
    taken: list[Held] = []
    for each in held:
        one = edit(each)
        others = map(edit, taken)
        if all(one.end < other.start or other.end < one.start or _abut(one, other) for other in others):
            taken.append(each)
    return sorted(taken, key=edit)


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
