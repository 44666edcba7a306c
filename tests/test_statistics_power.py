"""What a design can decide is what decisions on such designs turn out to be."""

import numpy as np
import pytest
from scipy import stats

from fairprobe.statistics import Asked, decide, estimate, power


def groups(rate, size, n, shared=0.0, seed=None):
    """`size` groups of n answers with a share `rate` right: exactly, or drawn; a part of the difficulty is shared."""
    rng = np.random.default_rng(seed or 0)
    latent = shared**0.5 * rng.standard_normal((n, 1)) + (1 - shared) ** 0.5 * rng.standard_normal((n, size))
    y = latent < stats.norm.ppf(rate)
    if seed is None:
        y = np.argsort(np.argsort(latent, axis=0), axis=0) < round(rate * n)
    group, own = np.tile(np.arange(size), n), np.arange(n * size)
    return estimate(y.ravel().astype(float), group, own // size if shared else own, range(size))


@pytest.mark.parametrize(("size", "factor"), [(2, 4.13), (3, 4.75), (9, 5.96), (50, 7.34), (122, 7.99)])
def test_equal_groups_need_a_bound_of_so_many_errors_of_a_mean(size, factor):
    # statistics.md, 2.4: all groups equal, a power of 80 %
    n = 2000
    found = power(groups(0.7, size, n), Asked("gap", "<", 0.5))
    assert (0.5 - found.below) / (0.21 / n) ** 0.5 == pytest.approx(factor, abs=0.05)


def test_one_contrast_needs_the_textbooks_number_example_12():
    # discordance 0.2: of 1000 pairs 100 differ to either side
    y = np.array([1.0] * 100 + [0.0] * 100 + [1.0] * 400 + [0.0] * 400)
    z = np.array([0.0] * 100 + [1.0] * 100 + [1.0] * 400 + [0.0] * 400)
    change = estimate(y - z, [0] * 1000, range(1000), ["all"], low=-1, high=1)
    found = power(change, Asked("overall", "<", 0.05), truth=0.0)
    assert 0.05 - found.below == pytest.approx(0.0351641, rel=0.03)
    assert found.above - 0.05 == pytest.approx(0.0351641, rel=0.03)
    assert found.needed == pytest.approx(494.60, rel=0.06)


def test_pairs_that_vary_together_need_fewer():
    apart, paired = (power(groups(0.7, 3, 1000, shared), Asked("gap", "<", 0.1)) for shared in (0.0, 0.8))
    assert paired.below > apart.below
    assert paired.above < apart.above
    assert paired.needed < 0.6 * apart.needed


@pytest.mark.parametrize("asked", [
    Asked("gap", "<", 0.1), Asked("gap", "<", 0.1, reference=0), Asked("gap", ">", 0.1), Asked("by", ">", 0.6),
    Asked("by", "<", 0.8), Asked("ratio", ">", 0.8),
], ids=str)  # fmt: skip
def test_what_is_foreseen_happens_four_times_in_five(asked):
    n, runs = 600, 150
    found = power(groups(0.7, 3, n), asked)
    equal = {"gap": 0.7, "ratio": 0.7, "by": found.above if asked.comparison == ">" else found.below}[asked.question]
    if asked.question == "ratio":
        bound = asked.bound + (1.0 - found.above)
    elif asked.question == "gap":
        bound = asked.bound - found.below
    else:
        bound = asked.bound
    question, comparison = asked.question, "<" if asked == Asked("gap", ">", 0.1) else asked.comparison
    shown = sum(
        decide(groups(equal, 3, n, seed=run + 1), question, comparison, bound, reference=asked.reference).outcome
        == "pass"
        for run in range(runs)
    )
    assert shown / runs == pytest.approx(0.8, abs=0.11)


@pytest.mark.parametrize(("asked", "truth"), [
    (Asked("gap", "<", 0.1), None), (Asked("by", ">", 0.6), 0.7), (Asked("ratio", ">", 0.85), None),
])  # fmt: skip
def test_the_number_of_clusters_is_the_one_from_which_it_is_shown(asked, truth):
    needed = power(groups(0.7, 3, 400), asked, truth=truth).needed
    runs = 150
    shown = sum(
        decide(groups(0.7, 3, needed, seed=run + 1), asked.question, asked.comparison, asked.bound).outcome == "pass"
        for run in range(runs)
    )
    assert shown / runs == pytest.approx(0.8, abs=0.11)


def test_what_no_number_of_clusters_would_show_has_none():
    design = groups(0.7, 3, 400)
    assert power(design, Asked("gap", ">", 0.1)).needed is None
    assert power(design, Asked("by", ">", 0.8), truth=0.7).needed is None
    assert power(design, Asked("by", ">", 0.8)).needed is None
