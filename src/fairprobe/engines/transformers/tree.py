"""What choices have in common: their tokens as a tree, in which a shared beginning is run once.

A *strand* is a prompt with one of its options; strands that begin alike share the nodes of the tree. What many share is
a *trunk*, run by itself, its keys and values kept for all that grows on it; the rest of a tree is cut into *rows*, each
a small tree of its own that is run as one row of a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from fairprobe.engines.tokens import Encoded, Ids, shared

LOOSE = 8
"""A row holds branches only where that saves at least one in so many of its tokens."""


class Read(NamedTuple):
    """A number to be read: the log-probability of `token` after the one at `place`; `slot` says whose it is."""

    place: int
    token: int
    slot: int


class Strand(NamedTuple):
    """A prompt and an option without its last token, which is read and not run; its reads begin at `first`."""

    ids: Ids
    option: Ids
    slot: int

    @property
    def first(self) -> int:
        """The place of the prompt's last token, after which the option's first is read."""
        return len(self.ids) - len(self.option)

    def reads(self, start: int, end: int) -> Iterator[Read]:
        """What is read at its places from `start` to before `end`, counted from `start`."""
        for place in range(max(start, self.first), min(end, len(self.ids))):
            step = place - self.first
            yield Read(place - start, self.option[step], self.slot + step)


@dataclass(slots=True, eq=False)
class Node:
    """Tokens that run after those of the nodes above; `size` is how many there are in it and below."""

    tokens: Ids = ()
    reads: list[Read] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    size: int = 0

    @property
    def saved(self) -> int:
        """How many tokens more it would take if each child ran these tokens for itself."""
        return len(self.tokens) * (len(self.children) - 1)

    def split(self) -> list[Node]:
        """Its children, each with these tokens for itself; what is read in them is read in the first."""
        size, own = len(self.tokens), self.reads
        parts = []
        for child in self.children:
            reads = [*own, *(Read(size + place, token, slot) for place, token, slot in child.reads)]
            parts.append(Node(self.tokens + child.tokens, reads, child.children, size + child.size))
            own = []
        return parts


@dataclass(slots=True, eq=False)
class Trunk:
    """A node without its children, and what grows on it: rows, and trunks that go on from here."""

    node: Node
    rows: list[Node] = field(default_factory=list)
    trunks: list[Trunk] = field(default_factory=list)


def strands(encoded: Iterable[Encoded]) -> Iterator[Strand]:
    """The strands of choices, their slots counted over all of them in order."""
    slot = 0
    for each in encoded:
        for option in each.continuations:
            yield Strand(each.prompt + option[:-1], option, slot)
            slot += len(option)


def grow(all_strands: Iterable[Strand]) -> Node:
    """The tree of strands; the tokens in it are the fewest that have to be run."""
    root = Node()
    waiting = [(root, sorted(all_strands), 0)]
    nodes = []
    while waiting:
        node, together, start = waiting.pop()
        nodes.append(node)
        # they are sorted: what the first and the last share, all share
        end = shared(together[0].ids, together[-1].ids)
        node.tokens = together[0].ids[start:end]
        node.reads = [read for strand in together if strand.first < end for read in strand.reads(start, end)]
        longer = [strand for strand in together if len(strand.ids) > end]
        for _, group in groupby(longer, key=lambda strand: strand.ids[end]):
            node.children.append(Node())
            waiting.append((node.children[-1], list(group), end))
    for node in reversed(nodes):
        node.size = len(node.tokens) + sum(child.size for child in node.children)
    return root


def apart(all_strands: Iterable[Strand]) -> Trunk:
    """Every strand as a row of its own, for models that cannot run a tree; one that begins another shares its row."""
    longest: list[tuple[Strand, list[Read]]] = []
    for strand in sorted(all_strands, reverse=True):
        if not longest or longest[-1][0].ids[: len(strand.ids)] != strand.ids:
            longest.append((strand, []))
        longest[-1][1].extend(strand.reads(0, len(strand.ids)))
    return Trunk(Node(), [Node(strand.ids, reads, [], len(strand.ids)) for strand, reads in longest])


def cut(root: Node, most: int, worth: int) -> Trunk:
    """A tree as trunks and rows: rows of at most `most` tokens, trunks that save at least `worth`.

    A beginning that saves less is run again by each of its children: a call to the model has a price of its own, and
    what lies in one row but on different branches is compared in vain.
    """
    return _trunk(Node(), [root], most, worth)


def _trunk(node: Node, children: Sequence[Node], most: int, worth: int) -> Trunk:
    trunk = Trunk(node)
    waiting = list(reversed(children))
    while waiting:
        child = waiting.pop()
        if not child.children or (child.size <= most and child.saved * LOOSE >= child.size):
            trunk.rows.append(child)
        elif child.size > most and child.saved >= worth:
            trunk.trunks.append(_trunk(child, child.children, most, worth))
        else:
            waiting += reversed(child.split())
    return trunk


class Row(NamedTuple):
    """A small tree laid out in one row, each node before its children.

    Of every token: its id, its place in the text (counted from the row's first), and the column before which all that
    comes after it ends; a token sees those before it whose columns are still open.
    """

    ids: list[int]
    places: list[int]
    until: list[int]
    reads: list[Read]


def lay(node: Node) -> Row:
    """A node and all below it as one row; its reads are counted in columns of the row."""
    row = Row([], [], [], [])
    waiting = [(node, 0)]
    while waiting:
        node, place = waiting.pop()
        column = len(row.ids)
        row.ids.extend(node.tokens)
        row.places.extend(range(place, place + len(node.tokens)))
        row.until.extend([column + node.size] * len(node.tokens))
        row.reads.extend(Read(column + at, token, slot) for at, token, slot in node.reads)
        waiting += ((child, place + len(node.tokens)) for child in reversed(node.children))
    return row


def batches(rows: Sequence[Node], tokens: int, reads: int, depth: int = 0) -> Iterator[list[Node]]:
    """Rows of similar size together, the longest first: at most so many tokens, padding included, and reads.

    `depth` is how many tokens of trunk each row carries with it; they weigh a quarter, as memory only.
    """
    batch: list[Node] = []
    wanted = 0
    for row in sorted(rows, key=lambda row: row.size, reverse=True):
        wide = (len(batch) + 1) * ((batch or [row])[0].size + depth // 4) > tokens
        wanted += len(row.reads)
        if batch and (wide or wanted > reads):
            yield batch
            batch, wanted = [], len(row.reads)
        batch.append(row)
    if batch:
        yield batch
