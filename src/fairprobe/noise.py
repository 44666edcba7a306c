"""How far an engine's numbers vary by themselves: some choices are asked again, in other company.

In half precision a batch's company moves a log-likelihood by hundredths of a nat, which is the size of a small effect.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairprobe.requests import Choose, Chosen, Request, Response

MOST, SHARE = 32, 50
"""At most so many choices are asked again, and no more than one in so many of those that were asked."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What asking choices again came to: the largest difference (nats), and how many fell on another option."""

    requests: int
    nats: float
    changed: int

    def plus(self, other: Noise) -> Noise:
        """Both together."""
        return Noise(self.requests + other.requests, max(self.nats, other.nats), self.changed + other.changed)

    @property
    def share(self) -> float:
        """The share of the choices that fell on another option."""
        return self.changed / self.requests


def again(answers: Mapping[Request, Response], seed: int) -> list[Request]:
    """The choices to ask again, drawn by the seed; none where few were asked."""
    chosen = [request for request, answer in answers.items() if isinstance(answer, Chosen)]
    return random.Random(seed).sample(chosen, min(MOST, len(chosen) // SHARE))


def noise(first: Mapping[Request, Response], second: Mapping[Request, Response]) -> Noise | None:
    """How the answers differ where both are choices; None where none are."""
    pairs = [
        (one.loglikelihoods, other.loglikelihoods)
        for request, other in second.items()
        if isinstance(request, Choose) and isinstance(one := first.get(request), Chosen) and isinstance(other, Chosen)
    ]
    if not pairs:
        return None
    nats = max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))
    return Noise(len(pairs), nats, sum(_best(one) != _best(other) for one, other in pairs))


def _best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)
