"""Worked examples with published or independently computed answers (statistics.md, section 7)."""

import numpy as np
import pytest
from scipy import optimize, stats

from fairprobe.statistics import (
    Asked,
    benjamini_hochberg,
    bonett_wright,
    clopper_pearson,
    combine,
    decide,
    estimate,
    holm,
    interval,
    jackknife,
    korn_graubard,
    limits,
    miettinen_nurminen,
    rank_correlation,
    ratio_of_sums,
    subtract,
    tango,
    u_statistic,
    wilson,
)
from fairprobe.statistics.bounds import effective_samples, gaussian, largest, spread
from fairprobe.statistics.contrasts import alone, as_contrasts

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


def the_pair(scores):
    """The contrast of the first group and the second."""
    return as_contrasts(scores.theta, Asked("gap", "<", 0.5, reference=0)).contrasts


def inverted(z, alpha):
    """The limits of a score test, each at one-sided alpha: where its z is that of alpha."""
    wanted = stats.norm.isf(alpha)
    return tuple(
        optimize.brentq(lambda d, side=side: float(z(d)) - side * wanted, -0.999, 0.999, xtol=1e-12) for side in (1, -1)
    )


def test_two_independent_rates_get_agresti_and_caffos_limits_example_3():
    scores = apart([1] * 56 + [0] * 14, [1] * 48 + [0] * 32)
    d, error, *_ = spread(scores, the_pair(scores))
    z = stats.norm.isf(0.025)
    assert (d[0] - z * error[0], d[0] + z * error[0]) == near(0.0524529, 0.3357585)
    scores = apart([1] * 10, [1] * 20)
    d, error, *_ = spread(scores, the_pair(scores))
    z = stats.norm.isf(0.05)
    assert (d[0] - z * error[0], d[0] + z * error[0]) == near(-0.1880742, 0.1123166)


@pytest.mark.parametrize(("counts", "alpha", "expected"), [
    ((56, 70, 48, 80), 0.025, (0.0528297, 0.3381729)),
    ((7, 34, 1, 34), 0.025, (0.0270416, 0.3452912)),
    ((10, 10, 20, 20), 0.05, (-0.2186791, 0.1227623)),
])  # fmt: skip
def test_miettinen_and_nurminens_limits_example_3(counts, alpha, expected):
    assert inverted(lambda d: miettinen_nurminen(*counts, d), alpha) == near(*expected)


@pytest.mark.parametrize(("counts", "bound", "z", "p_pass"), [
    ((95, 100, 90, 100), 0.1, -1.263328, 0.103236),
    ((870, 1000, 860, 1000), 0.05, -2.599026, None),
    ((10, 10, 10, 10), 0.1, -1.027402, 0.152116),
    ((48, 50, 49, 50), 0.05, -1.645691, 0.049914),
])  # fmt: skip
def test_miettinen_and_nurminens_score_example_3(counts, bound, z, p_pass):
    score = miettinen_nurminen(*counts, bound)
    assert score == pytest.approx(z, abs=5e-7)
    assert p_pass is None or stats.norm.cdf(score) == pytest.approx(p_pass, abs=5e-7)


def test_the_score_is_that_of_the_likeliest_rates_that_differ_so():
    def likelihood(q, x1, n1, x2, n2, d):
        return -float(stats.binom.logpmf(x1, n1, q) + stats.binom.logpmf(x2, n2, q - d))

    for x1, n1, x2, n2, d in ((12, 40, 3, 25, 0.1), (5, 30, 29, 60, -0.2), (1, 80, 2, 20, 0.05)):
        low, high = max(0.0, d) + 1e-9, min(1.0, 1 + d) - 1e-9
        q = optimize.minimize_scalar(
            likelihood, (low, high), (low, high), args=(x1, n1, x2, n2, d), method="bounded", options={"xatol": 1e-10}
        ).x
        variance = (q * (1 - q) / n1 + (q - d) * (1 - q + d) / n2) * (n1 + n2) / (n1 + n2 - 1)
        assert miettinen_nurminen(x1, n1, x2, n2, d) == pytest.approx((x1 / n1 - x2 / n2 - d) / variance**0.5, abs=1e-6)


def test_two_paired_rates_get_bonett_and_prices_limits_example_4():
    answers = paired([1] * 92 + [0] * 28, [1] * 80 + [0] * 12 + [1] * 4 + [0] * 24)
    assert interval(answers, [1, -1], 0.05) == near(0.0087702, 0.1223773)
    assert interval(answers, [1, -1], 0.05, shrink=False) == near(0.0121090, 0.1212243)
    assert np.sqrt(spread(answers, the_pair(answers), shrink=False).raw) == near(0.0329105)


def test_tangos_limits_example_4():
    assert inverted(lambda d: tango(12, 4, 120, d), 0.05) == near(0.0128454, 0.1261558)
    assert inverted(lambda d: tango(12, 4, 120, d), 0.025) == near(0.0014909, 0.1391555)
    assert inverted(lambda d: tango(12, 2, 50, d), 0.025) == near(0.0611124, 0.3447087)


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
    known = spread(scores, the_pair(scores), shrink=False)
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
    pairs = as_contrasts(scores.theta, Asked("gap", "<", 0.5)).contrasts
    drawn = largest(gaussian(scores, 20_000, 0), pairs, spread(scores, pairs), mirrored=True, seed=0)
    # told as a tail, so that each contrast may have its own degrees of freedom; a little more than the exact value
    critical = stats.t.isf(stats.norm.sf(np.quantile(drawn, 0.95)), freedom)
    assert critical == pytest.approx(expected, abs=0.03)


def test_max_t_of_many_to_one_example_9():
    scores = apart(*[np.linspace(0, 1, 50)] * 9)
    many_to_one = as_contrasts(scores.theta, Asked("gap", "<", 0.5, reference=0)).contrasts
    drawn = largest(gaussian(scores, 20_000, 0), many_to_one, spread(scores, many_to_one), mirrored=False, seed=0)
    assert np.quantile(drawn, 0.95) == pytest.approx(2.381386, abs=0.03)


def test_holm_example_11():
    adjusted = holm([0.001, 0.008, 0.012, 0.03, 0.04, 0.2, 0.6])
    assert adjusted == pytest.approx([0.007, 0.048, 0.06, 0.12, 0.12, 0.4, 0.6])
    assert holm([0.6, 0.008, 0.001, 0.2, 0.03, 0.012, 0.04]) == pytest.approx(
        [0.6, 0.048, 0.007, 0.4, 0.12, 0.06, 0.12]
    )


def test_benjamini_and_hochberg_example_11():
    adjusted = benjamini_hochberg([0.6, 0.008, 0.001, 0.2, 0.03, 0.012, 0.04])
    assert adjusted == pytest.approx([0.6, 0.028, 0.007, 0.233333, 0.0525, 0.028, 0.056], abs=5e-7)


def test_rank_correlations_example_14():
    x, y = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3], [2, 7, 1, 8, 2, 8, 1, 8, 2, 8]
    rho = rank_correlation(x, y, [0] * 10, range(10), ["all"])
    tau = rank_correlation(x, y, [0] * 10, range(10), ["all"], method="kendall")
    assert (rho.theta[0], tau.theta[0]) == near(0.1347151, 0.1304101)
    assert (rho.low, rho.high) == (-1.0, 1.0)
    assert bonett_wright(rho.theta[0], 10, 0.025) == near(-0.5431487, 0.7062636)


def test_the_default_rule_example_16():
    changes = in_clusters([[1, 0, 0, 0], [1, 1, 0], [0, -1, 0, 0], [0, 0], [1, 0, 0, 0], [0, 0, 0]], low=-1, high=1)
    assert changes.covariance[0] == near(0.016725)
    assert changes.covariance[0] / changes.independent == pytest.approx([1.396813], abs=5e-7)
    assert effective_samples(changes) == pytest.approx([14.318307], abs=5e-7)
    known = spread(changes, alone(1))
    assert (known.value[0], known.error[0]) == near(0.1316157, 0.1410379)
    assert interval(changes, [1], 0.05) == near(-0.1525824, 0.4158139)


def test_no_difference_seen_is_not_no_difference_example_16():
    assert interval(in_clusters([[0]] * 20, low=-1, high=1), [1], 0.05) == near(-0.1111529, 0.1111529)
    assert interval(paired([0] * 20, [0] * 20), [1, -1], 0.05) == near(-0.1111529, 0.1111529)


def test_korn_and_graubards_limits_example_17():
    n = korn_graubard(0.96, 4e-4, 200, 40, 0.025)
    assert n == pytest.approx(91.244535, abs=5e-7)
    assert clopper_pearson(0.96 * n, n, 0.025) == near(0.8968549, 0.9898584)


def test_corpus_f1_example_18():
    truth, said = bits("1110010110"), bits("1010110100")
    both, either = 2 * truth * said, truth + said
    f1 = ratio_of_sums(both, either, [0] * 10, range(10), ["all"])
    assert f1.theta == pytest.approx([0.7272727], abs=5e-8)
    assert np.sqrt(f1.covariance[0, 0]) == pytest.approx(0.1596846, **PRINTED)

    def of(at):
        return float(both[at].sum() / either[at].sum())

    left_out = jackknife(of, [0] * 10, range(10), ["all"], low=0, high=1)
    assert left_out.theta == f1.theta
    assert np.sqrt(left_out.covariance[0, 0]) == pytest.approx(0.1656842, **PRINTED)


def test_the_jackknife_of_a_mean_is_the_mean():
    rng = np.random.default_rng(0)
    y, group, cluster = rng.random(60), np.repeat([0, 1], 30), np.tile(np.repeat(np.arange(10), 3), 2)
    mean = estimate(y, group, cluster, ["a", "b"])
    left_out = jackknife(lambda at: float(y[at].mean()), group, cluster, ["a", "b"], low=0, high=1)
    assert left_out.theta == pytest.approx(mean.theta)
    assert left_out.covariance == pytest.approx(mean.covariance)
    assert left_out.psi == pytest.approx(mean.psi)


def test_a_mean_over_pairs_varies_as_its_samples_do():
    # over a kernel of sums, the mean over pairs is twice the mean
    y = np.random.default_rng(0).random(40) / 2
    pairs = u_statistic(y[:, None] + y[None, :], [0] * 40, range(40), ["a"])
    twice = estimate(2 * y, [0] * 40, range(40), ["a"])
    assert pairs.theta == pytest.approx(twice.theta)
    # each sample meets the 39 others and not itself
    assert pairs.covariance == pytest.approx(twice.covariance * (38 / 39) ** 2)


def test_a_rank_correlation_errs_as_often_as_it_says():
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(200):
        x, y = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 60).T
        rho = rank_correlation(x, y, [0] * 60, range(60), ["a"])
        errors.append((rho.theta[0], rho.covariance[0, 0] ** 0.5))
    values, claimed = np.array(errors).T
    assert np.median(claimed) == pytest.approx(values.std(), rel=0.15)


def test_groups_are_summed_as_one():
    y, cluster = [1, 0, 1, 1, 0, 1], [0, 1, 2, 3, 4, 5]
    narrow = estimate(y, [0, 0, 0, 1, 1, 2], cluster, ["in", "ng", "us"])
    wide = combine(narrow, [[3 / 5, 2 / 5, 0], [0, 0, 1], [1, 0, -1]], ["south", "us", "in - us"])
    pooled = estimate(y[:5], [0] * 5, cluster[:5], ["south"])
    assert wide.theta == pytest.approx([pooled.theta[0], 1.0, 2 / 3 - 1])
    assert wide.samples.tolist() == [5, 1, 4]
    assert (wide.low, wide.high) == (-1.0, 1.0)
    expected = (9 * narrow.covariance[0, 0] + 4 * narrow.covariance[1, 1]) / 25
    assert wide.covariance[0, 0] == pytest.approx(expected)
    with pytest.raises(ValueError, match="do not turn 3 groups into 1"):
        combine(narrow, [[1, 0]], ["a"])


def test_answers_drawn_for_fixed_samples_vary_by_the_draw_alone():
    # section 2.3: n**-2 times the sum of the variances of the averages
    shares, draws = np.array([0.2, 0.5, 1.0, 0.0]), 5
    noise = shares * (1 - shares) / (draws - 1)
    fixed = estimate(shares, [0] * 4, range(4), ["all"], noise=noise)
    assert fixed.covariance[0, 0] == pytest.approx(noise.sum() / 16)
    assert fixed.theta == pytest.approx([0.425])
    assert estimate(shares, [0] * 4, range(4), ["all"]).covariance[0, 0] > 3 * fixed.covariance[0, 0]


def test_identical_groups_of_several_samples_per_cluster_keep_an_error():
    once = paired([1, 0] * 20, [1, 0] * 20)
    y = np.tile(np.repeat([1, 0] * 20, 3), 2)
    thrice = estimate(y, np.repeat([0, 1], 120), np.tile(np.repeat(np.arange(40), 3), 2), ["a", "b"])
    assert interval(thrice, [1, -1], 0.05) == pytest.approx(interval(once, [1, -1], 0.05))
    assert interval(thrice, [1, -1], 0.05)[1] > 0.05


def test_clusters_of_unequal_size_are_worth_less_than_their_mean_size_says():
    # one cluster of 50 that speaks with one voice beside 50 lone samples
    answers = estimate([1] * 50 + [1, 0] * 25, [0] * 100, [0] * 50 + [*range(1, 51)], ["a"])
    error = spread(answers, alone(1)).error[0]
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
    assert not weighted.rates
    assert effective_samples(weighted) == pytest.approx([1 / (0.25 + 0.0625 + 0.0625)])


def test_samples_of_unequal_weight_are_worth_fewer():
    # the heaviest happen to be right: no variance is seen where most of the weight lies
    weights = np.array([50.0] * 2 + [1.0] * 98)
    weighted = estimate([1] * 99 + [0], [0] * 100, range(100), ["a"], weights=weights)
    assert weighted.kish == pytest.approx([weights.sum() ** 2 / (weights**2).sum()])
    assert effective_samples(weighted)[0] <= weighted.kish[0]
    assert limits(weighted, 0.05)[0][0] < clopper_pearson(8, 8, 0.05)[0]


def test_rounding_is_no_variance():
    same = estimate(np.tile([1, 1, 0], 30), [0] * 90, np.repeat(np.arange(30), 3), ["a"])
    assert limits(same, 0.05)[0] == pytest.approx([float(clopper_pearson(20, 30, 0.05)[0])], rel=1e-6)
    assert effective_samples(same) == pytest.approx([30])


def test_one_cluster_says_nothing():
    one = estimate([1, 1, 0], [0, 0, 0], [7, 7, 7], ["a"])
    low, high = limits(one, 0.025)
    assert (low[0], high[0]) == (0.0, 1.0)
    decision = decide(one, "overall", ">", 0.5)
    assert (decision.outcome, decision.low, decision.high) == ("invalid", 0.0, 1.0)


def test_what_is_no_evidence_is_refused():
    with pytest.raises(ValueError, match="no samples of en_in"):
        estimate([1, 0], [0, 0], [1, 2], ["en_us", "en_in"])
    with pytest.raises(ValueError, match="the weights sum to 0 in en_us"):
        estimate([1, 0], [0, 0], [1, 2], ["en_us"], weights=[0, 0])
    with pytest.raises(ValueError, match=r"1 values are not numbers in \[0, 1\], the first is nan"):
        estimate([1, np.nan], [0, 0], [1, 2], ["en_us"])
    with pytest.raises(ValueError, match="the first is 2"):
        estimate([1, 2], [0, 0], [1, 2], ["en_us"])
    with pytest.raises(ValueError, match="weights must be"):
        estimate([1, 0], [0, 0], [1, 2], ["en_us"], weights=[1, -1])
    with pytest.raises(ValueError, match="noise of values is a variance"):
        estimate([1, 0], [0, 0], [1, 2], ["en_us"], noise=[0.1, np.nan])
    with pytest.raises(ValueError, match="different groups"):
        subtract(paired([1, 0]), paired([1, 0], [1, 1]))
