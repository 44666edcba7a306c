"""How varied some texts are, told on their tokens' ids so that no script is favoured: ids in, numbers out.

All of it grows or shrinks with the number of texts, so sets are compared at equal size only (`rarefied`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from itertools import chain
from typing import Any
from zlib import crc32

import numpy as np

from fairprobe.errors import FairprobeError

Ids = tuple[int, ...]
Measured = Callable[[Sequence[Ids]], float]
"""How varied texts are, given the ids of their tokens."""
MOST_TEXTS, FEW_TEXTS = 100, 20
"""The largest set that is looked at, and that of self-BLEU, which compares each text with all others."""
SUBSETS, FEW_SUBSETS = 16, 8
"""How many sets of the same size are drawn from a larger one, and averaged."""
ORDER = 4
"""BLEU counts n-grams up to this length."""


def distinct(texts: Sequence[Ids], n: int = 2) -> float:
    """Distinct-n: the share of n-grams that are there for the first time (Li et al. 2016).

    Texts without any are not varied at all: 0. NaN of no text.

    >>> distinct([(1, 2, 3), (1, 2, 4)])
    0.75
    """
    found = _grams(texts, n)
    return len(set(found)) / len(found) if found else _nothing(texts)


def ead(texts: Sequence[Ids], n: int, vocabulary: int) -> float:
    """Expectation-adjusted distinct n-grams: distinct ones over how many as many drawn at random would give.

    Of n-grams over V tokens there are V**n. Longer texts lose nothing by their length (Liu, Sabour and Zheng 2022).

    >>> ead([(1, 2, 3), (1, 2, 4)], n=2, vocabulary=10)
    0.7613...
    """
    found, kinds = _grams(texts, n), float(vocabulary) ** n
    if not found:
        return _nothing(texts)
    if kinds < 2:
        return 1.0  # the one kind that there is
    return float(len(set(found)) / (-np.expm1(len(found) * np.log1p(-1 / kinds)) * kinds))


def vendi(texts: Sequence[Ids], n: int = 2) -> float:
    """The Vendi score: how many texts that share nothing would be as varied (Friedman and Dieng 2023).

    The exponential of the entropy of the eigenvalues of the similarities over the number of texts. Two texts are as
    similar as the cosine of their counts of 1-grams up to n-grams.

    >>> round(vendi([(1, 2), (3, 4)]), 6), round(vendi([(1, 2), (1, 2)]), 6)
    (2.0, 1.0)
    """
    if not texts:
        return float("nan")
    eigenvalues = np.clip(np.linalg.eigvalsh(_similarities(texts, n) / len(texts)), 0, None)
    held = eigenvalues[eigenvalues > 0]
    return float(np.exp(-(held * np.log(held)).sum()))


def self_bleu(texts: Sequence[Ids]) -> float:
    """How far each text repeats the others: its BLEU with them as references, averaged, between 0 and 1.

    >>> self_bleu([(1, 2, 3, 4, 5), (1, 2, 3, 4, 5)]), round(self_bleu([(1, 2, 3, 4, 5), (6, 7, 8, 9, 10)]), 2)
    (1.0, 0.0)
    """
    if len(texts) < 2:
        return float("nan")
    if not any(texts):
        return 1.0  # all the same
    scorer, said = bleu(), [" ".join(map(str, ids)) for ids in texts]
    scores = (scorer.sentence_score(own, [*said[:at], *said[at + 1 :]]).score for at, own in enumerate(said))
    return float(min(1.0, np.mean(list(scores)) / 100))


def rarefied(
    measured: Measured, texts: Sequence[Ids], size: int, keys: Sequence[Hashable], subsets: int = SUBSETS
) -> float:
    """How varied `size` of these texts are on average, over seeded subsets; of fewer, NaN.

    Subsets of the same keys are the same in every set of texts that has these, so that leaving one text out changes
    only those that held it.
    """
    if len(texts) < size:
        return float("nan")
    if len(texts) == size:
        return measured(texts)
    drawn = [np.argsort([_place(key, number) for key in keys], kind="stable")[:size] for number in range(subsets)]
    return float(np.mean([measured([texts[at] for at in sorted(each)]) for each in drawn]))


def bleu() -> Any:
    """BLEU of ids; raises `FairprobeError` where sacrebleu is not installed."""
    try:
        from sacrebleu.metrics import BLEU
    except ImportError as error:
        msg = "self_bleu needs sacrebleu: pip install 'fairprobe[diversity]'"
        raise FairprobeError(msg) from error
    # on ids nothing is to be tokenised; short texts lack long n-grams, which is no fault of theirs
    return BLEU(tokenize="none", effective_order=True, max_ngram_order=ORDER)


def _place(key: Hashable, number: int) -> float:
    """Where a key stands in the order of one subset, whoever else is there."""
    return _random(crc32(repr(key).encode()), number)


@cache
def _random(seed: int, number: int) -> float:
    return float(np.random.default_rng((seed, number)).random())


def _nothing(texts: Sequence[Ids]) -> float:
    return 0.0 if texts else float("nan")


def _grams(texts: Sequence[Ids], n: int) -> list[Ids]:
    # no n-gram reaches from one text into the next
    return list(chain.from_iterable((ids[at : at + n] for at in range(len(ids) - n + 1)) for ids in texts))


def _similarities(texts: Sequence[Ids], n: int) -> np.ndarray:
    counts = [Counter(chain.from_iterable(_grams([ids], size) for size in range(1, n + 1))) for ids in texts]
    places = {gram: at for at, gram in enumerate(dict.fromkeys(chain.from_iterable(counts)))}
    table = np.zeros((len(texts), max(len(places), 1)))
    for row, count in enumerate(counts):
        table[row, [places[gram] for gram in count]] = list(count.values())
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    table = np.divide(table, norms, out=np.zeros_like(table), where=norms > 0)
    alike: np.ndarray = table @ table.T
    # texts of no token are all the same text
    empty = norms[:, 0] == 0
    alike[np.ix_(empty, empty)] = 1.0
    return alike
