"""Rewritings by a table of renderings that were made elsewhere: by people, or by another tool."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from functools import partial
from hashlib import blake2b
from typing import Any

from fairprobe.errors import BadData
from fairprobe.rewriting.edits import Edit
from fairprobe.rewriting.rewriting import Change, Rewriting


def renderings(
    rows: Iterable[Mapping[str, Any]], of: str, *, sample: str = "sample", dialect: str = "dialect", text: str = "text"
) -> tuple[Rewriting, ...]:
    """A rewriting into every dialect of a table but `of`, which holds the texts as they are asked.

    A row is a sample in a dialect: `{"sample": 7, "dialect": "en_in", "text": "…"}`. What differs between two
    renderings is one change for each stretch of words, so that a counterexample still names the least that flips an
    answer.

    >>> rows = [{"sample": 1, "dialect": "us", "text": "She isn't here."},
    ...         {"sample": 1, "dialect": "aave", "text": "She ain't here."}]
    >>> renderings(rows, of="us")[0].changes("She isn't here.")
    [Change(edit=Edit(start=4, end=9, new="ain't"), name='aave')]
    """
    held: dict[Any, dict[str, str]] = {}
    for row in rows:
        if not isinstance(row, Mapping):
            msg = (
                f"renderings() takes rows, as polars.read_ndjson(path).to_dicts() gives them; this is none: {row!r:.60}"
            )
            raise BadData(msg)
        if lacking := [name for name in (sample, dialect, text) if row.get(name) is None]:
            msg = f"renderings(): a row has no {lacking[0]!r}: {dict(row)!r:.120}"
            raise BadData(msg)
        held.setdefault(row[sample], {})[str(row[dialect])] = str(row[text])
    names = sorted({name for told in held.values() for name in told} - {of})
    if not names or not any(of in told for told in held.values()):
        msg = f"renderings(of={of!r}): the table has the dialects {', '.join(names)}; `of` is the one that is asked"
        raise BadData(msg)
    tables = {name: {told[of]: told[name] for told in held.values() if of in told and name in told} for name in names}
    return tuple(
        Rewriting(
            name, f"renderings(…, of={of!r})[{place}]", partial(_changes, name, table),
            told_by=blake2b(repr(sorted(table.items())).encode(errors="surrogatepass")).hexdigest(), is_ours=False,
        )
        for place, (name, table) in enumerate(tables.items())
    )  # fmt: skip


def _changes(name: str, table: Mapping[str, str], text: str) -> list[Change]:
    if text not in table:
        return []
    words, others = ([match.span() for match in re.finditer(r"\s+|[^\s]+", told)] for told in (text, table[text]))
    one, other = [text[a:b] for a, b in words], [table[text][a:b] for a, b in others]
    return [
        Change(Edit(words[start][0] if start < len(words) else len(text), words[end - 1][1] if end > start else (
            words[start][0] if start < len(words) else len(text)), "".join(other[first:last])), name)
        for tag, start, end, first, last in SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
        if tag != "equal"
    ]  # fmt: skip
