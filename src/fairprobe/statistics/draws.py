"""What several answers to one prompt say of k of them: unbiased, over every subset of k (Chen et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fairprobe.statistics.estimates import FloatArray


def expected_max(values: ArrayLike, k: int) -> FloatArray:
    """(n,): the largest of k of each row's values (n, answers), on average over all subsets of k.

    Cutting the answers into blocks of k uses each once and varies more; it is not done.

    >>> expected_max([[0.0, 0.5, 1.0]], 2).round(4).tolist()
    [0.8333]
    """
    held = np.sort(np.asarray(values, dtype=np.float64), axis=1)
    size = _enough(held, k)
    # the i-th smallest is the largest of as many subsets as there are of k - 1 below it
    shares = _comb(np.arange(size, dtype=np.float64), k - 1, size, k)
    # an infinite value that is never the largest counts for nothing
    expected: FloatArray = np.where(shares > 0, held, 0.0) @ shares
    return np.asarray(np.where(np.isnan(held).any(axis=1), np.nan, expected))


def any_of(hits: ArrayLike, k: int) -> FloatArray:
    """(n,): how often one of k of each row's answers is a hit (n, answers; 1 or 0), over all subsets of k.

    >>> any_of([[1, 0, 0]], 2).round(4).tolist()
    [0.6667]
    """
    held = np.asarray(hits, dtype=np.float64)
    size = _enough(held, k)
    missed = _comb(size - held.sum(axis=1), k, size, k)
    return np.asarray(np.where(np.isnan(held).any(axis=1), np.nan, 1 - missed))


def _comb(of: FloatArray, chosen: int, size: int, k: int) -> FloatArray:
    """The subsets of `chosen` out of some, over those of k out of all; in logarithms, since both may be too many."""
    with np.errstate(invalid="ignore"):
        ways = np.where(of >= chosen, _log_comb(np.maximum(of, chosen), chosen) - _log_comb(size, k), -np.inf)
    return np.asarray(np.exp(ways))


def _log_comb(size: ArrayLike, k: int) -> FloatArray:
    size = np.asarray(size, dtype=np.float64)
    return np.asarray(special.gammaln(size + 1) - special.gammaln(k + 1) - special.gammaln(size - k + 1))


def _enough(values: FloatArray, k: int) -> int:
    size = int(values.shape[1])
    if not 1 <= k <= size:
        msg = f"k={k} of {size} answers: there are no such subsets"
        raise ValueError(msg)
    return size
