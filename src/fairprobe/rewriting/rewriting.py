"""A rewriting: which changes of a text there are, and which of them a seed takes.

Changes are edits with a name. What is taken depends on the seed, the sample and the place alone, so that the same run
asks the same questions anywhere, and adding a sample moves no other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from fairprobe.rewriting.edits import Edit, applied, compatible, protected, standing, touches


class Change(NamedTuple):
    """An edit, and the name of what it is an instance of: a feature's number, or the rewriting's."""

    edit: Edit
    name: str


@dataclass(frozen=True)
class Rewriting:
    """A named way to rewrite texts.

    `propose` gives every change of a text, `shares` how often each name of change is taken (1 where it is not listed).
    `source` is what to write to have it again; `told_by` tells it from others where that does not say everything.
    Where it `is_ours` quotations, code, numbers and placeholders stay as they are.
    """

    name: str
    source: str
    propose: Callable[[str], Sequence[Change]] = field(repr=False, compare=False)
    shares: tuple[tuple[str, float], ...] = ()
    told_by: str = ""
    is_ours: bool = True

    def __repr__(self) -> str:
        return self.source

    def changes(self, text: str, keep: Collection[str] = ()) -> list[Change]:
        """Every change that is proposed, but those of what is protected and of the texts to keep, by their places."""
        spans = [*(protected(text) if self.is_ours else ()), *standing(keep, text)]
        return sorted(each for each in self.propose(text) if not touches(each.edit, spans))

    def taken(self, text: str, sample: object, seed: int = 0, keep: Collection[str] = ()) -> list[Change]:
        """The changes that this seed takes of a sample's text, none of which overlap.

        >>> from fairprobe.rewriting import dialects
        >>> [aave] = dialects("urban-aave")
        >>> rewritten("She isn't home.", aave.taken("She isn't home.", sample=7))
        "She ain't home."
        """
        shares = dict(self.shares)
        drawn = {each: _draw(seed, sample, each) / shares.get(each.name, 1.0) for each in self.changes(text, keep)}
        # the draw decides between changes of the same words too, so that none always wins
        return fitting(sorted((each for each, draw in drawn.items() if draw < 1), key=drawn.__getitem__))


def fitting(changes: Iterable[Change]) -> list[Change]:
    """The changes that stand together, of those that do not the first, in the order of their places."""
    return compatible(changes, lambda each: each.edit)


def by_name(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes, those of one name beside each other."""
    return tuple(sorted(changes, key=lambda each: (each.name, each.edit)))


def rewritten(text: str, changes: Sequence[Change]) -> str:
    """The text with these changes."""
    return applied(text, [each.edit for each in changes])


def _draw(seed: int, sample: object, change: Change) -> float:
    """A number from 0 to before 1 that depends on these alone."""
    told = f"{seed}\x1f{sample}\x1f{change.name}\x1f{change.edit.start}\x1f{change.edit.new}".encode()
    return int.from_bytes(blake2b(told, digest_size=7).digest()) / 2**56
