"""How far two distributions over the same options lie apart: arrays in, numbers out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairprobe.statistics.estimates import FloatArray

Divergence = Literal["distance", "divergence"]


def jensen_shannon(p: ArrayLike, q: ArrayLike, *, kind: Divergence = "distance", base: float = math.e) -> FloatArray:
    """The Jensen-Shannon divergence of two distributions, or its root, the distance; of rows, one number each.

    What is given is scaled to sum to one, so that counts will do.

    >>> float(jensen_shannon([0.5, 0.5], [0.5, 0.5])), float(jensen_shannon([1, 0], [0, 1], base=2))
    (0.0, 1.0)
    >>> jensen_shannon([[1, 0], [3, 1]], [[0, 1], [1, 1]], kind="divergence").round(4).tolist()
    [0.6931, 0.0338]
    """
    one, other = (_scaled(np.asarray(each, dtype=np.float64)) for each in (p, q))
    middle = (one + other) / 2
    nats = (special.rel_entr(one, middle) + special.rel_entr(other, middle)).sum(axis=-1) / 2
    # rounding may lead a little out of the range
    divergence = np.clip(nats, 0, math.log(2)) / math.log(base)
    return np.asarray(np.sqrt(divergence) if kind == "distance" else divergence)


def _scaled(weights: FloatArray) -> FloatArray:
    total: FloatArray = weights.sum(axis=-1, keepdims=True)
    return weights / total
