"""Log-likelihoods of options: a tree of tokens is run, batch by batch, and read where an option's tokens follow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import torch

from fairprobe.engines.tokens import Encoded, chosen
from fairprobe.engines.transformers import tree
from fairprobe.engines.transformers.network import NOT_A_NUMBER, Kept, Network, too_large
from fairprobe.engines.transformers.tree import Read, Trunk
from fairprobe.requests import Failed, Response

ROW = {"cpu": 1024, "other": 4096}
"""The most tokens of one row with branches: every token of a row is compared with every other."""
WORTH = {"cpu": 64, "other": 2048}
"""The tokens that a trunk must save: about what a call to the model costs besides."""
HEAD_VALUES = 2**28
"""Logits that one batch may compute at a time: 1 GiB of them."""
FAITHFUL = {torch.float32: 1e-3, torch.float64: 1e-3}
"""How far (nats, on average) a tree's numbers may lie from those of separate rows; half precision has its own noise."""


def choose(network: Network, encoded: Sequence[Encoded], budget: int) -> Iterator[tuple[int, Response]]:
    """The response to each choice with its index, as soon as all that it asks has been read.

    Batches are of `budget` tokens; one that memory cannot hold is halved.
    """
    if not network.branches:
        yield from _read_all(network, tree.apart(tree.strands(encoded)), encoded, budget)
        return
    tainted: list[int] = []
    for index, response in _read_all(network, _cut(network, encoded), encoded, budget):
        if response == Failed(NOT_A_NUMBER):
            tainted.append(index)
        else:
            yield index, response
    # what is no number taints all that shares a row with it, masked or not: each once more by itself
    alone = [encoded[index] for index in tainted]
    for number, response in _read_all(network, tree.apart(tree.strands(alone)), alone, budget):
        yield tainted[number], response


def _read_all(
    network: Network, trunk: Trunk, encoded: Sequence[Encoded], budget: int
) -> Iterator[tuple[int, Response]]:
    sums = _Sums(encoded, network.device)
    for reads, values in _run(network, trunk, None, budget):
        yield from sums.add(reads, values)


def _cut(network: Network, encoded: Sequence[Encoded]) -> Trunk:
    kind = "cpu" if network.device.type == "cpu" else "other"
    return tree.cut(tree.grow(tree.strands(encoded)), ROW[kind], WORTH[kind])


def _run(network: Network, trunk: Trunk, below: Kept | None, budget: int) -> Iterator[tuple[list[Read], list[float]]]:
    """What is read in a trunk and all that grows on it; no numbers where memory cannot hold a single row."""
    kept = below
    if trunk.node.tokens:
        row = tree.lay(tree.Node(trunk.node.tokens, trunk.node.reads, size=len(trunk.node.tokens)))
        ran = network.attempt(partial(_extended, network, row, below), 1)
        if ran is None:
            yield list(_reads(trunk)), []
            return
        kept, values = ran
        yield row.reads, values
    for each in trunk.trunks:
        yield from _run(network, each, kept, budget)
    depth = kept.depth if kept else 0
    waiting = list(tree.batches(trunk.rows, budget, HEAD_VALUES // network.vocabulary, depth))[::-1]
    while waiting:
        batch = waiting.pop()
        rows = [tree.lay(node) for node in batch]
        read = [read for row in rows for read in row.reads]
        found = network.attempt(partial(_read, network, rows, kept), len(rows))
        # a row that branches holds many requests
        parts = batch if len(batch) > 1 else batch[0].split()
        if found is None and parts:
            half = (len(parts) + 1) // 2
            waiting += filter(None, (parts[half:], parts[:half]))
        else:
            yield read, found or []


def _extended(network: Network, row: tree.Row, below: Kept | None) -> tuple[Kept, list[float]]:
    positions, picks = _picks([row])
    kept, logits = network.extend(row, positions, below)
    return kept, _values(logits, picks)


def _read(network: Network, rows: Sequence[tree.Row], kept: Kept | None) -> list[float]:
    positions, picks = _picks(rows)
    return _values(network.logits(rows, positions, kept), picks)


def _picks(rows: Sequence[tree.Row]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The distinct positions that rows are read at, and for each read its position's index and its token."""
    positions: dict[tuple[int, int], int] = {}
    picks = [
        (positions.setdefault((number, read.place), len(positions)), read.token)
        for number, row in enumerate(rows)
        for read in row.reads
    ]
    return list(positions), picks


def _values(logits: Any, picks: Sequence[tuple[int, int]]) -> list[float]:
    """The log-probability of each pick; no softmax over what nobody reads."""
    if not picks:
        return []
    where, tokens = torch.tensor(picks, dtype=torch.long, device=logits.device).unbind(1)
    found: list[float] = (logits[where, tokens] - logits.logsumexp(-1)[where]).tolist()
    return found


def _reads(trunk: Trunk) -> Iterator[Read]:
    """Everything that is read in a trunk and above it."""
    yield from trunk.node.reads
    for node in trunk.rows:
        yield from tree.lay(node).reads
    for each in trunk.trunks:
        yield from _reads(each)


class _Sums:
    """Adds up what is read, and gives a choice's response when nothing of it is left to read."""

    def __init__(self, encoded: Sequence[Encoded], device: Any) -> None:
        self._encoded = encoded
        self._device = device
        sizes = [sum(map(len, each.continuations)) for each in encoded]
        self._values = [math.nan] * sum(sizes)
        self._failed: set[int] = set()
        self._owner = [index for index, size in enumerate(sizes) for _ in range(size)]
        self._first = list(accumulate(sizes, initial=0))
        self._left = sizes

    def add(self, reads: Sequence[Read], values: Sequence[float]) -> Iterator[tuple[int, Response]]:
        for number, read in enumerate(reads):
            index = self._owner[read.slot]
            if values:
                self._values[read.slot] = values[number]
            else:
                self._failed.add(index)
            self._left[index] -= 1
            if not self._left[index]:
                yield index, self._response(index)

    def _response(self, index: int) -> Response:
        encoded = self._encoded[index]
        options = encoded.continuations
        if index in self._failed:
            tokens = len(encoded.prompt) + max(map(len, options))
            return too_large(self._device, tokens)
        first = self._first[index]
        return chosen(encoded, self._values[first : first + sum(map(len, options))]) or Failed(NOT_A_NUMBER)


def is_faithful(network: Network) -> bool:
    """Whether a tree of tokens gives what separate rows give.

    A model that keeps more than keys and values, or takes positions from its mask, would be asked something else. It
    is tried on a few tokens rather than looked up, since models are many and change.
    """
    if network.windows is None:
        return False
    ids = [2 + (7 * step) % (network.vocabulary - 2) for step in range(24)]
    prompts = [(*ids[:12], *ids[start : start + 3]) for start in (12, 14, 16)]
    options = (tuple(ids[:4]), (*ids[:2], *ids[20:22]), (ids[5],))
    known = list(tree.strands([Encoded(prompt, options) for prompt in prompts]))
    before = network.counts.copy()
    try:
        grown, apart = (_all(network, each) for each in (tree.cut(tree.grow(known), 20, 1), tree.apart(known)))
    except Exception:
        return False
    finally:
        network.counts.clear()
        network.counts.update(before)
    return math.fsum(abs(grown[slot] - apart[slot]) for slot in apart) / len(apart) <= FAITHFUL.get(network.dtype, 0.2)


def _all(network: Network, trunk: Trunk) -> dict[int, float]:
    return {
        read.slot: value
        for reads, values in _run(network, trunk, None, 48)
        for read, value in zip(reads, values, strict=True)
    }
