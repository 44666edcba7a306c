"""What models, files and names bring, made fit to be read: control characters are shown, never emitted."""

from __future__ import annotations

import re

SHOWN_CHARACTERS = 3000
HEAD = 1000
"""Characters of a long text that are kept of its beginning; a prompt's question stands at its end."""
LONGEST_NAME = 120

_CONTROLS = {c: chr(0x2400 + c) for c in range(32) if chr(c) not in "\t\n"} | {127: "\N{SYMBOL FOR DELETE}"}
# C1 controls move a terminal's cursor; embeddings and overrides of direction reorder what stands around them; what is
# no character at all has no place in XML
_HIDDEN = (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029, 0xFFFE, 0xFFFF)
_VISIBLE = _CONTROLS | {c: f"[U+{c:04X}]" for c in _HIDDEN}


def printable(text: str) -> str:
    r"""The same text with nothing in it that moves a cursor, turns the reading direction or cannot be encoded.

    >>> printable("red\x1b[31m, \u202egnorw, half of a pair \ud800")
    'red␛[31m, [U+202E]gnorw, half of a pair �'
    """
    return encodable(text.replace("\r\n", "\n")).translate(_VISIBLE)


def encodable(text: str) -> str:
    """The same text without halves of pairs, which no file can hold."""
    return re.sub(r"[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)


def cut(text: str, longest: int = SHOWN_CHARACTERS, head: int = HEAD) -> str:
    """A text as long as anyone reads it: where it is longer, its beginning and its end.

    >>> cut("a long story with its end", longest=14, head=6)
    'a long… (11 more characters) …its end'
    """
    more = len(text) - longest
    if more <= 0:
        return text
    return f"{text[:head].rstrip()}… ({more:,} more characters) …{text[head + more :].lstrip()}"


def short(text: str, longest: int = LONGEST_NAME) -> str:
    r"""A name on one line, cut where it is longer than any name.

    >>> short("en\nin")
    'en in'
    """
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
