"""Python literals in text cells, as CSV files of lists and mappings have them; read, never evaluated."""

from __future__ import annotations

import ast
import re
from typing import Any

from fairprobe.errors import BadData

LONGEST = 1_000_000
"""Characters of a literal: a longer one is no list of options, and parsing it could take all memory."""
_DEFAULTDICT = re.compile(r"\s*defaultdict\(<class '\w+'>,(.*)\)\s*", re.DOTALL)


def literal(text: str, where: str) -> Any:
    """The value that a text writes down, of lists, tuples, mappings, texts and numbers alone.

    Raises `BadData` for any other text, with `where` it stands.

    >>> literal("['Yes', 'No']", "options, row 1")
    ['Yes', 'No']
    >>> literal("defaultdict(<class 'list'>, {'Jordan': [0.4, 0.6]})", "selections, row 1")
    {'Jordan': [0.4, 0.6]}
    """
    if len(text) > LONGEST:
        msg = f"{where} holds a text of {len(text):,} characters; a list or mapping of at most {LONGEST:,} is read"
        raise BadData(msg)
    held = _DEFAULTDICT.fullmatch(text)
    try:
        return ast.literal_eval((held[1] if held else text).strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        msg = (
            f"{where} holds {text[:60]!r}, which is no list or mapping as Python writes them "
            f"({type(error).__name__}); it is read, never evaluated"
        )
        raise BadData(msg) from None
