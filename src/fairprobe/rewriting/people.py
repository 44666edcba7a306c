"""Rewritings of whom a text is about or from: names, pronouns, and who asks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from fairprobe.errors import BadData
from fairprobe.rewriting.edits import Edit
from fairprobe.rewriting.rewriting import Change, Rewriting

PRONOUNS = {
    "she": {"subject": "she", "object": "her", "possessive": "her", "own": "hers", "reflexive": "herself"},
    "he": {"subject": "he", "object": "him", "possessive": "his", "own": "his", "reflexive": "himself"},
}
_FUNCTION = frozenset(
    "to in on at and or but with for from by as that if when because about a an the is was again so".split()
)
"""Words before which `her` is an object."""
_FORMS = {
    "she": [("herself", "reflexive"), ("hers", "own"), ("she", "subject"), ("her", "")],
    "he": [("himself", "reflexive"), ("he", "subject"), ("him", "object"), ("his", "")],
}


def names(groups: Mapping[str, Sequence[str]], to: str) -> Rewriting:
    """The first names of all other groups become names of the group `to`, the same one wherever a name recurs.

    A name stays where the group has none left that no one else in the text bears.

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
    places = {name: place for key, held in given.items() if key != to for place, name in enumerate(held)}
    return Rewriting(f"names {to}", f"names({given!r}, to={to!r})", partial(_renamed, places, given[to]))


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


def _renamed(places: Mapping[str, int], new: Sequence[str], text: str) -> list[Change]:
    found = _standing(places, text)
    free = [name for name in new if not _standing([name], text)]
    given: dict[str, str] = {}
    for name in dict.fromkeys(match.group() for match in found):
        if free:
            wanted = new[places[name] % len(new)]
            given[name] = free.pop(free.index(wanted) if wanted in free else 0)
    return _changes((Edit(m.start(), m.end(), given[m.group()]) for m in found if m.group() in given), "names")


def _standing(names: Iterable[str], text: str) -> list[re.Match[str]]:
    longest_first = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return list(re.finditer(rf"\b(?:{longest_first})\b", text)) if longest_first else []


def _repronounced(to: str, text: str) -> list[Change]:
    own = PRONOUNS[to]
    edits = []
    for word, role in _FORMS["he" if to == "she" else "she"]:
        for match in re.finditer(rf"\b{word}\b", text, re.IGNORECASE):
            kind = role or ("possessive" if re.match(r"\s+[a-z]", text[match.end() :], re.IGNORECASE) and _owns(
                word, text[match.end() :]) else "own" if word == "his" else "object")  # fmt: skip
            new = own[kind]
            edits.append(Edit(match.start(), match.end(), new.capitalize() if match.group()[0].isupper() else new))
    return _changes(sorted(edits), "pronouns")


def _owns(word: str, after: str) -> bool:
    """Whether `her` or `his` stands before what is owned."""
    following = re.match(r"\s+([A-Za-z]+)", after)
    return word == "his" or (following is not None and following.group(1).lower() not in _FUNCTION)


def _introduced(said: str, text: str) -> list[Change]:  # noqa: ARG001 - the sentence stands before any text
    return [Change(Edit(0, 0, f"{said} "), "persona")]


def _changes(edits: Iterable[Edit], name: str) -> list[Change]:
    return [Change(edit, name) for edit in edits]
