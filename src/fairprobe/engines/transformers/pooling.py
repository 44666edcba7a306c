"""One result a text: a classifier's scores, or an embedding model's vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch

from fairprobe.engines.tokens import Encoded, Ids
from fairprobe.engines.transformers.network import NOT_A_NUMBER, Network, too_large
from fairprobe.requests import Embedded, Failed, Rated, Response

Run = Callable[[Network, Sequence[Ids]], list[list[float]]]


def rate(network: Network, encoded: Sequence[Encoded], budget: int) -> Iterator[tuple[int, Response]]:
    """The raw scores of each text, with its index."""
    return _pooled(network, encoded, budget, _scores, Rated)


def embed(network: Network, encoded: Sequence[Encoded], budget: int) -> Iterator[tuple[int, Response]]:
    """The vector of each text, of length 1, with its index."""
    return _pooled(network, encoded, budget, _vectors, Embedded)


def _pooled(
    network: Network, encoded: Sequence[Encoded], budget: int, run: Run, answer: type[Rated | Embedded]
) -> Iterator[tuple[int, Response]]:
    """What `run` gives for each text as an answer, in batches padded on the right, the longest first."""
    order = sorted(range(len(encoded)), key=lambda index: len(encoded[index].prompt))
    while order:
        longest = len(encoded[order[-1]].prompt)
        batch = order[-max(1, budget // longest) :]
        rows = [encoded[index].prompt for index in batch]
        found = network.attempt(partial(run, network, rows), len(rows))
        if found is None and len(batch) > 1:
            budget = longest * len(rows) // 2
            continue
        del order[-len(batch) :]
        if found is None:
            yield batch[0], too_large(network.device, longest)
            continue
        for index, values in zip(batch, found, strict=True):
            fine = all(map(math.isfinite, values))
            yield index, answer(tuple(values), len(encoded[index].prompt)) if fine else Failed(NOT_A_NUMBER)


def _padded(network: Network, rows: Sequence[Ids]) -> dict[str, Any]:
    """Rows with a mask, filled up by an id in which none of them ends: a classifier takes the last other one."""
    last = {row[-1] for row in rows}
    fill = next(token for token in range(network.vocabulary) if token not in last)
    network.model.config.get_text_config().pad_token_id = fill
    width = max(map(len, rows))
    return {
        "ids": network.tensor([[*row, *[fill] * (width - len(row))] for row in rows]),
        "attention_mask": network.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
    }


def _scores(network: Network, rows: Sequence[Ids]) -> list[list[float]]:
    found: list[list[float]] = network(sum(map(len, rows)), **_padded(network, rows)).logits.float().tolist()
    return found


def _vectors(network: Network, rows: Sequence[Ids]) -> list[list[float]]:
    padded = _padded(network, rows)
    hidden = network(sum(map(len, rows)), **padded).last_hidden_state.float()
    sizes = padded["attention_mask"].sum(1).to(hidden.device)
    if network.pooling == "mean":
        mask = padded["attention_mask"].to(hidden.device)[:, :, None]
        pooled = (hidden * mask).sum(1) / sizes[:, None]
    else:
        pooled = hidden[torch.arange(len(rows), device=hidden.device), 0 if network.pooling == "cls" else sizes - 1]
    found: list[list[float]] = torch.nn.functional.normalize(pooled, dim=-1).tolist()
    return found
