"""Rewritings of whom a text is about or from: names, pronouns, and who asks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from fairprobe.errors import BadData
from fairprobe.rewriting.edits import Edit, outside, protected
from fairprobe.rewriting.rewriting import Change, Rewriting

PRONOUNS = {
    "she": {"subject": "she", "object": "her", "possessive": "her", "own": "hers", "reflexive": "herself"},
    "he": {"subject": "he", "object": "him", "possessive": "his", "own": "his", "reflexive": "himself"},
}
_FORMS = {
    "she": [("herself", "reflexive"), ("hers", "own"), ("she", "subject"), ("her", "")],
    "he": [("himself", "reflexive"), ("he", "subject"), ("him", "object"), ("his", "")],
}


def names(groups: Mapping[str, Sequence[str]], to: str) -> Rewriting:
    """The first names of all other groups become names of the group `to`, the same one wherever a name recurs.

    >>> names({"a": ["Anna"], "b": ["Bilal"]}, to="b").changes("Anna swims.")
    [Change(edit=Edit(start=0, end=4, new='Bilal'), name='names')]
    """
    if to not in groups or not groups[to]:
        msg = f"names(…, to={to!r}): the groups of names are {', '.join(groups)}"
        raise BadData(msg)
    if len({name for held in groups.values() for name in held}) < sum(map(len, groups.values())):
        msg = "names(): a name stands in two groups, so it tells none of them"
        raise BadData(msg)
    given = {key: tuple(held) for key, held in groups.items()}
    others = {name: place for key, held in given.items() if key != to for place, name in enumerate(held)}
    table = {name: given[to][place % len(given[to])] for name, place in others.items()}
    return Rewriting(f"names {to}", f"names({given!r}, to={to!r})", partial(_renamed, table))


def pronouns(to: str) -> Rewriting:
    """`she` and her forms become `he` and his (`to="he"`), or the other way round (`to="she"`).

    >>> [each.edit.new for each in pronouns("she").changes("He hurt himself, and his dog saw him.")]
    ['She', 'herself', 'her', 'her']
    """
    if to not in PRONOUNS:
        msg = f"pronouns({to!r}): the pronouns are {', '.join(map(repr, PRONOUNS))}"
        raise BadData(msg)
    return Rewriting(f"pronouns {to}", f"pronouns({to!r})", partial(_repronounced, to))


def persona(said: str) -> Rewriting:
    """The text with a sentence before it that says who asks.

    >>> persona("I am from Lagos.").changes("Who swims?")
    [Change(edit=Edit(start=0, end=0, new='I am from Lagos. '), name='persona')]
    """
    if not said.strip():
        msg = "persona('…') takes a sentence that says who asks"
        raise BadData(msg)
    return Rewriting(said, f"persona({said!r})", partial(_introduced, said.strip()))


def _renamed(table: Mapping[str, str], text: str) -> list[Change]:
    pattern = r"\b(?:" + "|".join(map(re.escape, sorted(table, key=len, reverse=True))) + r")\b"
    found = re.finditer(pattern, text) if table else ()
    return _changes(text, (Edit(m.start(), m.end(), table[m.group()]) for m in found), "names")


def _repronounced(to: str, text: str) -> list[Change]:
    own = PRONOUNS[to]
    edits = []
    for word, role in _FORMS["he" if to == "she" else "she"]:
        for match in re.finditer(rf"\b{word}\b", text, re.IGNORECASE):
            kind = role or ("possessive" if re.match(r"\s+[a-z]", text[match.end() :], re.IGNORECASE) and _owns(
                word, text[match.end() :]) else "own" if word == "his" else "object")  # fmt: skip
            new = own[kind]
            edits.append(Edit(match.start(), match.end(), new.capitalize() if match.group()[0].isupper() else new))
    return _changes(text, sorted(edits), "pronouns")


def _owns(word: str, after: str) -> bool:
    """Whether `her` or `his` stands before what is owned."""
    following = re.match(r"\s+([A-Za-z]+)", after)
    function = [
        "to",
        "in",
        "on",
        "at",
        "and",
        "or",
        "but",
        "with",
        "for",
        "from",
        "by",
        "as",
        "that",
        "if",
        "when",
        "because",
        "about",
        "a",
        "an",
        "the",
        "is",
        "was",
        "again",
        "so",
    ]
    return word == "his" or (following is not None and following.group(1).lower() not in function)


def _introduced(said: str, text: str) -> list[Change]:  # noqa: ARG001 - the sentence stands before any text
    return [Change(Edit(0, 0, f"{said} "), "persona")]


def _changes(text: str, edits: Iterable[Edit], name: str) -> list[Change]:
    return [Change(edit, name) for edit in outside(edits, protected(text))]
