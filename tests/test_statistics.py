"""Worked examples with published or independently computed answers (statistics.md, section 7)."""

import numpy as np
import pytest
from scipy import stats

from fairprobe.statistics import clopper_pearson, decide, estimate, holm, interval, limits, subtract, wilson
from fairprobe.statistics.bounds import effective_samples, gaussian, largest, spread

PRINTED = {"abs": 5e-8, "rel": 1e-12}


def near(*expected):
    return pytest.approx(expected, **PRINTED)


def paired(*answers, low=0.0, high=1.0):
    """One row of answers per group, one column per cluster."""
    rows = np.array(answers, dtype=float)
    size, n = rows.shape
    clusters = np.tile(np.arange(n), size)
    return estimate(rows.ravel(), np.repeat(np.arange(size), n), clusters, [*"abcdefghij"[:size]], low=low, high=high)


def apart(*answers):
    """One list of answers per group, no cluster shared."""
    group = np.repeat(np.arange(len(answers)), [len(row) for row in answers])
    return estimate(np.concatenate(answers), group, range(len(group)), [*"abcdefghij"[: len(answers)]])


def in_clusters(blocks, **ends):
    clusters = [place for place, block in enumerate(blocks) for _ in block]
    return estimate([y for block in blocks for y in block], [0] * len(clusters), clusters, ["all"], **ends)


def bits(text):
    return np.array([*text], dtype=float)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(81, 263, 0.255289, 0.366210), (0, 20, 0, 0.161125), (20, 20, 0.838875, 1)]
)
def test_wilson_example_1(successes, n, low, high):
    assert wilson(successes, n, 0.025) == pytest.approx((low, high), abs=5e-7)


def test_clopper_pearson_example_2():
    assert clopper_pearson(0, 29, 0.025) == pytest.approx((0, 0.119445), abs=5e-7)
    assert clopper_pearson(15, 148, 0.025) == pytest.approx((0.057844, 0.161650), abs=5e-7)
    assert clopper_pearson(0, 59, 0.05)[1] == pytest.approx(0.0495076, **PRINTED)


def test_two_independent_rates_get_agresti_and_caffos_limits_example_3():
    d, error, *_ = spread(apart([1] * 56 + [0] * 14, [1] * 48 + [0] * 32), np.array([[1.0, -1.0]]))
    z = stats.norm.isf(0.025)
    assert (d[0] - z * error[0], d[0] + z * error[0]) == near(0.0524529, 0.3357585)
    d, error, *_ = spread(apart([1] * 10, [1] * 20), np.array([[1.0, -1.0]]))
    z = stats.norm.isf(0.05)
    assert (d[0] - z * error[0], d[0] + z * error[0]) == near(-0.1880742, 0.1123166)


def test_two_paired_rates_get_bonett_and_prices_limits_example_4():
    answers = paired([1] * 92 + [0] * 28, [1] * 80 + [0] * 12 + [1] * 4 + [0] * 24)
    assert interval(answers, [1, -1], 0.05) == near(0.0087702, 0.1223773)
    assert interval(answers, [1, -1], 0.05, shrink=False) == near(0.0121090, 0.1212243)


def test_a_clustered_mean_example_5():
    answers = in_clusters([[1, 1, 0, 1], [1, 1, 1], [0, 0, 1, 0], [1, 0], [1, 1, 1, 1], [0, 0, 0]])
    assert answers.theta == pytest.approx([0.6])
    assert np.sqrt(answers.independent) == near(0.1123903)
    assert np.sqrt(answers.covariance[0]) == near(0.1697056)
    assert interval(answers, [1], 0.05, shrink=False)[1] == pytest.approx(0.9419650, **PRINTED)


def test_three_paired_groups_example_6():
    rows = ["111", "101", "110", "111", "000", "100", "111", "010", "111", "101", "111", "000"]
    answers = paired(*np.array([bits(row) for row in rows]).T)
    assert answers.theta == pytest.approx([0.75, 0.583333, 0.583333], abs=5e-7)
    expected = [
        [0.0170455, 0.0056818, 0.0132576],
        [0.0056818, 0.0220960, 0.0069444],
        [0.0132576, 0.0069444, 0.0220960],
    ]
    assert answers.covariance == pytest.approx(np.array(expected), abs=5e-8)
    assert interval(answers, [1, -1, 0], 0.05, shrink=False) == near(-0.1326475, 0.4659808)
    assert interval(answers, [1, 0, -1], 0.05, shrink=False) == near(-0.0351309, 0.3684642)
    assert interval(answers, [0, 1, -1], 0.05, shrink=False) == near(-0.3126234, 0.3126234)
    bonferroni = [interval(answers, row, 0.05 / 6, shrink=False)[0] for row in ([1, -1, 0], [1, 0, -1], [0, 1, -1])]
    assert max(bonferroni) == pytest.approx(-0.1502111, **PRINTED)


def test_two_unbalanced_groups_example_7():
    scores = apart([0.9, 0.8, 0.7, 1, 0.6, 0.85], [0.5, 0.7, 0.65, 0.9, 0.4])
    known = spread(scores, np.array([[1.0, -1.0]]), shrink=False)
    assert (known.value[0], known.freedom[0]) == pytest.approx((0.1783333, 7.291117), abs=5e-7)
    assert interval(scores, [1, -1], 0.05, shrink=False) == near(-0.0174059, 0.3740726)


def test_a_difference_of_changes_example_8():
    m1, m2, b1, b2 = (bits(text) for text in ("1110111101", "1000101001", "1100111001", "1100101001"))
    changes = paired(m1 - b1, m2 - b2, low=-1, high=1)
    assert interval(changes, [1, -1], 0.05, shrink=False) == near(0.0199874, 0.5800126)
    difference = subtract(paired(m1, m2), paired(b1, b2))
    assert interval(difference, [1, -1], 0.05, shrink=False) == near(0.0199874, 0.5800126)
    assert interval(difference, [1, -1], 0.05) == pytest.approx(interval(changes, [1, -1], 0.05))


@pytest.mark.parametrize(
    ("size", "freedom", "expected"), [(3, 20, 2.529982), (3, 120, 2.373148), (9, 199, 3.136267), (9, 1e5, 3.101730)]
)
def test_max_t_over_independent_groups_is_the_studentised_range_example_9(size, freedom, expected):
    scores = apart(*[np.linspace(0, 1, 50)] * size)
    first, second = np.triu_indices(size, 1)
    pairs = np.eye(size)[first] - np.eye(size)[second]
    known = spread(scores, pairs)._replace(freedom=np.full(len(pairs), float(freedom)))
    drawn = largest(gaussian(scores, 20_000, 0), pairs, known, mirrored=True, seed=0)
    assert np.quantile(drawn, 0.95) == pytest.approx(expected, abs=0.03)


def test_holm_example_11():
    adjusted = holm([0.001, 0.008, 0.012, 0.03, 0.04, 0.2, 0.6])
    assert adjusted == pytest.approx([0.007, 0.048, 0.06, 0.12, 0.12, 0.4, 0.6])
    assert holm([0.6, 0.008, 0.001, 0.2, 0.03, 0.012, 0.04]) == pytest.approx(
        [0.6, 0.048, 0.007, 0.4, 0.12, 0.06, 0.12]
    )


def test_the_default_rule_example_16():
    changes = in_clusters([[1, 0, 0, 0], [1, 1, 0], [0, -1, 0, 0], [0, 0], [1, 0, 0, 0], [0, 0, 0]], low=-1, high=1)
    assert changes.covariance[0] == near(0.016725)
    assert changes.covariance[0] / changes.independent == pytest.approx([1.396813], abs=5e-7)
    assert effective_samples(changes) == pytest.approx([14.318307], abs=5e-7)
    known = spread(changes, np.eye(1))
    assert (known.value[0], known.error[0]) == near(0.1316157, 0.1410379)
    assert interval(changes, [1], 0.05) == near(-0.1525824, 0.4158139)


def test_no_difference_seen_is_not_no_difference_example_16():
    assert interval(in_clusters([[0]] * 20, low=-1, high=1), [1], 0.05) == near(-0.1111529, 0.1111529)
    assert interval(paired([0] * 20, [0] * 20), [1, -1], 0.05) == near(-0.1111529, 0.1111529)


def test_identical_groups_of_several_samples_per_cluster_keep_an_error():
    once = paired([1, 0] * 20, [1, 0] * 20)
    y = np.tile(np.repeat([1, 0] * 20, 3), 2)
    thrice = estimate(y, np.repeat([0, 1], 120), np.tile(np.repeat(np.arange(40), 3), 2), ["a", "b"])
    assert interval(thrice, [1, -1], 0.05) == pytest.approx(interval(once, [1, -1], 0.05))
    assert interval(thrice, [1, -1], 0.05)[1] > 0.05


def test_clusters_of_unequal_size_are_worth_less_than_their_mean_size_says():
    # one cluster of 50 that speaks with one voice beside 50 lone samples
    answers = estimate([1] * 50 + [1, 0] * 25, [0] * 100, [0] * 50 + [*range(1, 51)], ["a"])
    error = spread(answers, np.eye(1)).error[0]
    assert error == pytest.approx(np.sqrt(answers.covariance[0, 0]), rel=0.15)


def test_limits_of_each_group_stay_in_the_range():
    low, high = limits(apart([1] * 20, [1] * 81 + [0] * 182), 0.025)
    assert low == pytest.approx([0.831567, 0.255289], abs=5e-7)
    assert high == pytest.approx([1.0, 0.366210], abs=5e-7)
    low, high = limits(paired([1.0] * 9 + [0.5], [0.0] * 9 + [0.5]), 0.025)
    assert low[0] > 0.6
    assert high[0] == 1.0
    assert low[1] == 0.0
    assert high[1] < 0.4


def test_values_without_ends_get_plain_limits():
    rewards = paired([3.0, 5.0, 4.0, 8.0], [2.0, 2.5, 5.0, 4.5], low=-np.inf, high=np.inf)
    expected = stats.ttest_rel([3.0, 5.0, 4.0, 8.0], [2.0, 2.5, 5.0, 4.5]).confidence_interval(0.90)
    assert interval(rewards, [1, -1], 0.05) == pytest.approx(tuple(expected))


def test_weights_count_as_samples_in_proportion():
    weighted = estimate([1, 0, 0], [0, 0, 0], range(3), ["a"], weights=[2, 1, 1])
    assert weighted.theta == pytest.approx([0.5])
    assert not weighted.binary
    assert effective_samples(weighted) == pytest.approx([1 / (0.25 + 0.0625 + 0.0625)])


def test_one_cluster_says_nothing():
    alone = estimate([1, 1, 0], [0, 0, 0], [7, 7, 7], ["a"])
    low, high = limits(alone, 0.025)
    assert (low[0], high[0]) == (0.0, 1.0)
    assert decide(alone, "overall", ">", 0.5).outcome == "inconclusive"


def test_what_is_no_evidence_is_refused():
    with pytest.raises(ValueError, match="no samples of en_in"):
        estimate([1, 0], [0, 0], [1, 2], ["en_us", "en_in"])
    with pytest.raises(ValueError, match="no samples of en_us"):
        estimate([1, 0], [0, 0], [1, 2], ["en_us"], weights=[0, 0])
    with pytest.raises(ValueError, match=r"1 values are not numbers in \[0, 1\], the first is nan"):
        estimate([1, np.nan], [0, 0], [1, 2], ["en_us"])
    with pytest.raises(ValueError, match="the first is 2"):
        estimate([1, 2], [0, 0], [1, 2], ["en_us"])
    with pytest.raises(ValueError, match="weights must be"):
        estimate([1, 0], [0, 0], [1, 2], ["en_us"], weights=[1, -1])
    with pytest.raises(ValueError, match="different groups"):
        subtract(paired([1, 0]), paired([1, 0], [1, 1]))
