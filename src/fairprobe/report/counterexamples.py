"""Minimal counterexamples as they are shown: both texts with what differs marked, and which features they take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from fairprobe.report.printable import cut, short

Record = Mapping[str, Any]
MOST = 12
"""How many stand on the page; what the others take is counted."""
UNSTABLE = "unstable"


class Piece(NamedTuple):
    """A stretch of a text, and whether it is what differs."""

    text: str
    differs: bool


class Pair(NamedTuple):
    """One counterexample: the text as it was and as it was rewritten, with what was answered to each."""

    before: list[Piece]
    after: list[Piece]
    answers: list[str]
    takes: str
    under: str
    note: str


class Feature(NamedTuple):
    """How often a feature stands in minimal counterexamples of a rewriting, of how many, and how eWAVE rates it."""

    name: str
    title: str
    under: str
    times: int
    of: int
    rating: str


class Counterexamples(NamedTuple):
    """All of a verdict's, with the most telling ones first."""

    size: int
    stable: int
    features: list[Feature]
    pairs: list[Pair]


def counterexamples(found: Iterable[Record]) -> Counterexamples | None:
    """What is shown of these; None where there are none."""
    held = _in_turn(sorted(found, key=lambda each: (len(each["changes"]), each.get("before", ""))))
    if not held:
        return None
    return Counterexamples(
        len(held),
        sum(bool(each.get("stable")) for each in held),
        _features(held),
        [_pair(each) for each in held[:MOST]],
    )


def _in_turn(found: Iterable[Record]) -> list[Record]:
    """Stable ones first, the first of every set of features before the second of any."""
    seen: Counter[frozenset[str]] = Counter()
    turns = []
    for each in found:
        names = frozenset(change["name"] for change in each["changes"])
        turns.append((not each.get("stable"), seen[names], each))
        seen[names] += 1
    return [each for _, _, each in sorted(turns, key=lambda turn: turn[:2])]


def smallest(found: Iterable[Record]) -> str | None:
    """The smallest difference that a stable counterexample needs, in words; None where there is none."""
    stable = [each for each in found if each.get("stable") and each["changes"]]
    if not stable:
        return None
    least = min(len(each["changes"]) for each in stable)
    said = Counter(_takes(each) for each in stable if len(each["changes"]) == least)
    [(words, _)] = said.most_common(1)
    return words


def _features(held: Iterable[Record]) -> list[Feature]:
    """Each feature by its name and rewriting, the commonest first."""
    stable = [each for each in held if each.get("stable")]
    sizes = Counter(_under(each) for each in stable)
    counts: Counter[tuple[str, str]] = Counter()
    told: dict[tuple[str, str], Record] = {}
    for each in stable:
        for change in {change["name"]: change for change in each["changes"]}.values():
            key = (change["name"], _under(each))
            counts[key] += 1
            told[key] = change
    return [
        Feature(_name(name), told[name, under].get("title") or name, under, times, sizes[under],
                told[name, under].get("rating") or "")
        for (name, under), times in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]  # fmt: skip


def _pair(each: Record) -> Pair:
    before, after = each.get("before") or "", each.get("after") or ""
    pieces: tuple[list[Piece], list[Piece]] = ([Piece(cut(before), False)], [Piece(cut(after), False)])
    changes = sorted((c for c in each["changes"] if "start" in c), key=lambda change: change["start"])
    if changes and all(before[c["start"] : c["start"] + len(c["old"])] == c["old"] for c in changes):
        pieces = _marked(before, changes)
    notes = {True: [], False: [UNSTABLE]}.get(each.get("stable"), ["not asked again"])  # type: ignore[arg-type]
    notes = [*notes, *([] if each.get("minimal", True) else ["not minimal"])]
    answers = [short(answer or "no answer") for answer in each["answers"]]
    return Pair(*pieces, answers, _takes(each), _under(each), ", ".join(notes))


def _marked(text: str, changes: Iterable[Record]) -> tuple[list[Piece], list[Piece]]:
    before, after, at = [], [], 0
    for change in changes:
        same = Piece(text[at : change["start"]], False)
        before += [same, Piece(change["old"], True)]
        after += [same, Piece(change["new"], True)]
        at = change["start"] + len(change["old"])
    rest = Piece(text[at:], False)
    return [each for each in (*before, rest) if each.text], [each for each in (*after, rest) if each.text]


def _takes(each: Record) -> str:
    """What differs, in words: `isn't to ain't (eWAVE 155)`; of a case of one's own what it is made of."""
    return ", ".join(map(_told, each["changes"])) or "nothing"


def _told(change: Record) -> str:
    name = _name(change["name"])
    return f"{_quoted(change['old'])} to {_quoted(change.get('new'))} ({name})" if "old" in change else name


def _quoted(text: str | None) -> str:
    return f"\u201c{short(text)}\u201d" if text and text.strip() else "nothing"


def _name(name: str) -> str:
    return f"eWAVE {name}" if name.isdigit() else name


def _under(each: Record) -> str:
    case: Record = each.get("case") or {}
    return str(case.get("rewriting") or "")
