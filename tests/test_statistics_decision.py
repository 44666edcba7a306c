"""What holds of every decision, whatever the data."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from fairprobe.statistics import (
    clopper_pearson,
    decide,
    estimate,
    interval,
    korn_graubard,
    miettinen_nurminen,
    subtract,
    tango,
)

QUESTIONS = ("gap", "by", "ratio")
COMPARISONS = ("<", ">")
slow_enough = settings(max_examples=40, derandomize=True)


def answers(seed, n=40, size=3, rates=(0.7, 0.5, 0.6, 0.8), per=1, shared=True):
    """`size` groups of n clusters of `per` samples each, as arguments of `estimate`."""
    rng = np.random.default_rng(seed)
    base = rng.random((n, 1, 1))
    mixed = np.where(rng.random((n, size, per)) < 0.5, base, rng.random((n, size, per)))
    y = (mixed < np.array(rates[:size])[None, :, None]).astype(float)
    y[0] = 1.0  # the ratio is defined
    group = np.broadcast_to(np.arange(size)[None, :, None], y.shape)
    cluster = np.broadcast_to(np.arange(n)[:, None, None], y.shape) + (0 if shared else n) * group
    return y.ravel(), group.ravel(), cluster.ravel(), [*"abcd"[:size]]


designs = st.builds(
    answers,
    seed=st.integers(0, 10_000),
    n=st.integers(5, 80),
    size=st.integers(2, 4),
    per=st.integers(1, 3),
    shared=st.booleans(),
)


@slow_enough
@given(designs, st.sampled_from(QUESTIONS), st.sampled_from(COMPARISONS), st.floats(0.01, 0.99), st.data())
def test_outcome_p_values_and_limits_say_the_same(design, question, comparison, bound, data):
    estimates = estimate(*design)
    enough = estimates.counts.min() >= 10
    for t in (bound, data.draw(st.sampled_from(["low", "high", "value"]), label="bound on")):
        at = t if isinstance(t, float) else getattr(decide(estimates, question, comparison, bound), t)
        assume(0 < at <= 1)
        decision = decide(estimates, question, comparison, at)
        # reaching the bound is contrary to `<`, and for the smallest group or ratio to `>`
        if question == "gap" or (question == "by" and comparison == "<"):
            below, above = decision.high < at, decision.low >= at
        else:
            below, above = decision.high <= at, decision.low > at
        passed, failed = (below, above) if comparison == "<" else (above, below)
        assert decision.low <= decision.high
        assert (decision.p_value_pass < 0.05) == passed
        assert (decision.outcome == "pass") == (passed and enough)
        assert (decision.outcome == "fail") == (decision.p_value_fail < 0.05) == failed


@slow_enough
@given(designs, st.floats(0.01, 0.6))
def test_two_groups_are_judged_by_two_one_sided_tests(design, bound):
    y, group, cluster, _ = design
    two = group < 2
    # scores between 0 and 1: of rates that rest on few answers score tests judge
    estimates = estimate(0.9 * y[two], group[two], cluster[two], ["a", "b"])
    low, high = interval(estimates, [1, -1], 0.05)
    decision = decide(estimates, "gap", "<", bound, least_clusters=2)
    assert (decision.outcome == "pass") == (-bound < low and high < bound)
    assert decision.high == pytest.approx(min(1.0, max(high, -low)))


@slow_enough
@given(st.integers(0, 10_000), st.integers(10, 60), st.floats(0.01, 0.6), st.booleans())
def test_two_rates_of_few_answers_are_judged_by_two_score_tests(seed, n, bound, shared):
    y, group, cluster, _ = answers(seed, n=n, size=2, rates=(0.96, 0.9), shared=shared)
    one, other = y[group == 0], y[group == 1]
    b, c = int((one > other).sum()), int((one < other).sum())
    few = b + c if shared else min(one.sum(), n - one.sum(), other.sum(), n - other.sum())
    assume(few < 10)

    def z(d):
        return float(tango(b, c, n, d) if shared else miettinen_nurminen(one.sum(), n, other.sum(), n, d))

    decision = decide(estimate(y, group, cluster, ["a", "b"]), "gap", "<", bound)
    # |p1 - p2| < t iff p1 - p2 < t and p1 - p2 > -t; shown to reach it from either side, at half of alpha each
    assert decision.p_value_pass == pytest.approx(stats.norm.cdf(max(z(bound), -z(-bound))))
    assert decision.p_value_fail == pytest.approx(min(1.0, 2 * stats.norm.sf(max(z(bound), -z(-bound)))))
    assert ("Tango" if shared else "Miettinen-Nurminen") in decision.method


@slow_enough
@given(designs, st.sampled_from(QUESTIONS), st.floats(0.02, 0.95), st.randoms(use_true_random=False))
def test_the_order_of_samples_and_groups_changes_nothing(design, question, bound, random):
    y, group, cluster, labels = design
    order = random.sample(range(len(y)), len(y))
    place = random.sample(range(len(labels)), len(labels))
    moved = estimate(
        y[order], np.array(place)[group][order], cluster[order], [labels[place.index(k)] for k in range(len(labels))]
    )
    one, other = decide(estimate(*design), question, "<", bound), decide(moved, question, "<", bound)
    assert other.outcome == one.outcome
    numbers = [(d.value, d.low, d.high, d.p_value_pass, d.p_value_fail) for d in (one, other)]
    assert numbers[0] == pytest.approx(numbers[1], abs=1e-9, nan_ok=True)


@slow_enough
@given(designs, st.integers(2, 5))
def test_repeated_answers_of_a_cluster_leave_the_errors_unchanged(design, times):
    y, group, cluster, labels = design
    repeated = estimate(*(np.repeat(column, times) for column in (y, group, cluster)), labels)
    assert repeated.covariance == pytest.approx(estimate(*design).covariance, abs=1e-12)


@slow_enough
@given(designs)
def test_twice_the_clusters_make_errors_smaller_by_the_root_of_two(design):
    y, group, cluster, labels = design
    once = estimate(*design)
    twice = estimate(np.tile(y, 2), np.tile(group, 2), [*cluster, *(cluster + 10_000)], labels)
    count = once.counts.astype(float)
    exactly = np.sqrt((2 * count - 1) / (count - 1))
    assert np.sqrt(np.diag(once.covariance)) == pytest.approx(exactly * np.sqrt(np.diag(twice.covariance)))
    assert exactly == pytest.approx(2**0.5, rel=0.13)


@slow_enough
@given(
    st.integers(0, 1000), st.integers(2, 5), st.booleans(), st.sampled_from(QUESTIONS), st.sampled_from([0.5, 0.9]),
    st.floats(0.02, 0.95),
)  # fmt: skip
def test_repeated_answers_change_no_decision(seed, times, shared, question, rate, bound):
    y, group, cluster, labels = answers(seed, shared=shared, rates=(rate, 0.9, 0.8))
    repeated = estimate(*(np.repeat(column, times) for column in (y, group, cluster)), labels)
    one, other = (
        decide(estimate(y, group, cluster, labels), question, "<", bound),
        decide(repeated, question, "<", bound),
    )
    assert (other.outcome, other.between, other.method) == (one.outcome, one.between, one.method)
    numbers = [(d.value, d.low, d.high, d.p_value_pass, d.p_value_fail) for d in (one, other)]
    assert numbers[0] == pytest.approx(numbers[1], abs=1e-9)


@slow_enough
@given(st.integers(0, 1000), st.integers(2, 5), st.booleans())
def test_repeated_answers_of_lone_samples_leave_the_limits_unchanged(seed, times, shared):
    y, group, cluster, labels = answers(seed, shared=shared)
    repeated = estimate(*(np.repeat(column, times) for column in (y, group, cluster)), labels)
    once = estimate(y, group, cluster, labels)
    for contrast in ([1, -1, 0], [0, 0, 1], [0.8, 0, -1]):
        assert interval(repeated, contrast, 0.05) == pytest.approx(interval(once, contrast, 0.05), abs=1e-9)


@slow_enough
@given(st.integers(0, 1000))
def test_a_cluster_per_sample_is_no_cluster(seed):
    y, group, _, labels = answers(seed)
    free = estimate(y, group, range(len(y)), labels)
    assert np.diag(free.covariance) == pytest.approx(free.independent)
    assert free.covariance == pytest.approx(np.diag(np.diag(free.covariance)), abs=1e-15)
    assert free.single


@slow_enough
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_subtraction_matches_clusters_by_key_whatever_their_order(seed, random):
    y, group, cluster, labels = answers(seed)
    z = answers(seed + 1)[0]
    order = random.sample(range(len(y)), len(y))
    one, same = estimate(z, group, cluster, labels), estimate(z[order], group[order], cluster[order], labels)
    first = estimate(y, group, cluster, labels)
    direct = estimate(y - z, group, cluster, labels, low=-1, high=1)
    for difference in (subtract(first, one), subtract(first, same)):
        assert difference.theta == pytest.approx(direct.theta)
        assert difference.covariance == pytest.approx(direct.covariance)
        assert difference.independent == pytest.approx(direct.independent)
        assert (difference.low, difference.high, difference.single) == (-1.0, 1.0, True)


def test_metrics_of_different_samples_subtract_to_the_sum_of_variances():
    y, group, cluster, labels = answers(5, per=2)
    first = estimate(y, group, cluster, labels)
    second = estimate(y, group, cluster + 1000, labels)
    assert subtract(first, second).covariance == pytest.approx(2 * first.covariance, rel=0.02)
    assert len(subtract(first, second).clusters) == 80


def three(a, b, c, n=300):
    """Three paired groups of n samples with these many right answers, in the same first clusters."""
    y = np.concatenate([np.arange(n) < k for k in (a, b, c)]).astype(float)
    return estimate(y, np.repeat([0, 1, 2], n), np.tile(np.arange(n), 3), ["en_us", "en_in", "en_ng"])


def test_a_gap_names_its_two_groups():
    decision = decide(three(200, 210, 150), "gap", "<", 0.1)
    assert (decision.outcome, decision.between, decision.needed) == ("fail", (1, 2), None)
    assert decision.value == pytest.approx(0.2)
    assert decision.low > 0.1
    assert 0 < decision.equal_groups < 0.05


def test_a_gap_above_a_bound_swaps_the_roles_of_the_limits():
    below, above = decide(three(200, 210, 150), "gap", "<", 0.1), decide(three(200, 210, 150), "gap", ">", 0.1)
    assert above.outcome == "pass"
    assert (above.low, above.high) == (below.low, below.high)
    assert (above.p_value_pass, above.p_value_fail) == (below.p_value_fail, below.p_value_pass)


def test_a_gap_to_a_reference_is_signed():
    lead = decide(three(150, 200, 210), "gap", "<", 0.05, reference=0)
    assert (lead.outcome, lead.between) == ("pass", (0, 1))
    assert lead.value == pytest.approx(-1 / 6)
    assert lead.high < 0
    either = decide(three(150, 200, 210), "gap", "<", 0.05, reference=0, two_sided=True)
    assert (either.outcome, either.between) == ("fail", (2, 0))
    assert either.value == pytest.approx(0.2)
    assert lead.equal_groups is either.equal_groups is None


def test_by_must_hold_for_every_group():
    good, bad = decide(three(200, 210, 150), "by", ">", 0.4), decide(three(200, 210, 150), "by", ">", 0.6)
    assert (good.outcome, good.between, good.value) == ("pass", (2,), 0.5)
    assert bad.outcome == "fail"
    assert good.low == pytest.approx(0.4527298)  # Wilson, one-sided
    assert decide(three(200, 210, 150), "by", "<", 0.6).between == (1,)


def test_a_rate_of_few_answers_is_judged_exactly():
    few = estimate([1] * 29, [0] * 29, range(29), ["a"])
    decision = decide(few, "overall", ">", 0.9)
    assert decision.p_value_pass == pytest.approx(0.9**29)
    assert decision.low == pytest.approx(0.05 ** (1 / 29))
    assert decision.between is None
    one_wrong = estimate([0] + [1] * 99, [0] * 100, range(100), ["a"])
    assert decide(one_wrong, "overall", ">", 0.998).p_value_fail == pytest.approx(1 - 0.998**100)


def test_the_contrary_of_by_is_judged_exactly_for_all_groups_at_once():
    decision = decide(three(200, 210, 150), "by", ">", 0.55)
    assert decision.p_value_fail == pytest.approx(3 * stats.binom.cdf(150, 300, 0.55))
    assert decision.high == pytest.approx(stats.binomtest(150, 300).proportion_ci(1 - 0.1 / 3).high)


def test_a_ratio_is_the_smallest_over_the_largest():
    decision = decide(three(200, 250, 225), "ratio", ">", 0.7)
    assert (decision.outcome, decision.value, decision.between) == ("pass", pytest.approx(0.8), (1, 0))
    assert 0.7 < decision.low < 0.8 < decision.high < 1
    assert decide(three(200, 250, 225), "ratio", "<", 0.9).outcome == "pass"
    assert decide(three(200, 250, 225), "ratio", ">", 0.9).outcome == "fail"


def test_needed_clusters_would_about_decide():
    y, group, cluster, labels = answers(3, n=100, rates=(0.6, 0.6, 0.6))
    decision = decide(estimate(y, group, cluster, labels), "gap", "<", 0.12)
    assert decision.outcome == "inconclusive"
    times = -(-decision.needed // 100)
    larger = estimate(
        np.tile(y, times),
        np.tile(group, times),
        np.concatenate([cluster + 100 * k for k in range(times)]),
        labels,
    )
    assert decide(larger, "gap", "<", 0.12).outcome == "pass"


def test_needed_counts_the_clusters_of_the_smallest_group():
    y = np.tile([1.0, 1.0, 1.0, 1.0, 0.0], 192)
    uneven = estimate(y, [0] * 900 + [1] * 60, range(960), ["large", "small"])
    assert 60 < decide(uneven, "gap", "<", 0.08).needed < 200


def test_no_number_of_clusters_decides_on_the_bound():
    decision = decide(three(200, 200, 200), "by", ">", 2 / 3)
    assert (decision.outcome, decision.needed) == ("inconclusive", None)


def test_what_has_no_answer_is_refused():
    one = estimate([1, 0], [0, 0], [0, 1], ["en_us"])
    with pytest.raises(ValueError, match="a gap needs two groups; there is only en_us"):
        decide(one, "gap", "<", 0.1)
    with pytest.raises(ValueError, match="a bound of 5 tests nothing: the gap lies between 0 and 1 in any case"):
        decide(three(1, 2, 3), "gap", "<", 5)
    with pytest.raises(ValueError, match=r"a bound of -0\.1 tests nothing: a group's value lies between 0 and 1"):
        decide(three(1, 2, 3), "by", ">", -0.1)
    with pytest.raises(ValueError, match="undefined: the largest is 0"):
        decide(three(0, 0, 0), "ratio", ">", 0.8)
    with pytest.raises(ValueError, match="one group, not 3"):
        decide(three(1, 2, 3), "overall", "<", 0.8)
    with pytest.raises(ValueError, match="reference 3"):
        decide(three(1, 2, 3), "gap", "<", 0.8, reference=3)
    with pytest.raises(ValueError, match="bound must be finite"):
        decide(three(1, 2, 3), "gap", "<", float("nan"))


def test_equal_values_without_ends_tell_nothing_of_how_they_vary():
    unbounded = {"low": -np.inf, "high": np.inf}
    flat = estimate([2.0] * 30 + [1.0] * 30, [0] * 30 + [1] * 30, [*range(30)] * 2, ["a", "b"], **unbounded)
    decision = decide(flat, "gap", "<", 1.5)
    assert (decision.outcome, decision.value, decision.high) == ("inconclusive", 1.0, np.inf)
    assert decision.p_value_pass > 0.05
    assert decide(flat, "by", ">", 0.5).outcome == "inconclusive"


def test_a_small_group_beside_large_ones_gives_no_false_alarm():
    rng = np.random.default_rng(0)
    sizes = [200] * 6 + [10] * 2
    group = np.repeat(np.arange(8), np.array(sizes) * 5)
    cluster = np.repeat(np.arange(sum(sizes)), 5)
    runs, alarms = 200, 0
    for seed in range(runs):
        y = (rng.random(len(group)) < rng.beta(2, 2, sum(sizes))[cluster]).astype(float)
        alarms += decide(estimate(y, group, cluster, range(8)), "gap", "<", 1e-9, seed=seed).outcome == "fail"
    assert stats.binomtest(alarms, runs, 0.06, alternative="greater").pvalue > 0.01


def test_a_limit_at_the_end_of_the_range_stays_there():
    equal = three(150, 150, 150)
    assert decide(equal, "gap", ">", 0.0).low == 0.0
    assert decide(equal, "gap", "<=", 0.0).low == 0.0


def test_a_rate_in_clusters_is_judged_by_korn_and_graubards_limits():
    y = np.concatenate([np.ones(140), [0, 0, 0, 1, 1], [0, 0, 1, 1, 1]])
    answered = estimate(y, np.zeros(150, dtype=int), np.repeat(np.arange(30), 5), ["a"])
    decision = decide(answered, "overall", ">", 0.9)
    n = korn_graubard(answered.theta[0], answered.covariance[0, 0], 150, 30, 0.05)
    assert decision.low == pytest.approx(clopper_pearson(answered.theta[0] * n, n, 0.05)[0], abs=1e-7)
    assert decision.method.startswith("Korn-Graubard limits")
    # more than thirty independent answers would show, less than 150
    assert clopper_pearson(29, 30, 0.05)[0] < decision.low < clopper_pearson(145, 150, 0.05)[0]


def test_a_small_change_of_rates_is_judged_by_tangos_score():
    change = np.concatenate([[-1.0] * 4, [1.0] * 2, np.zeros(94)])
    decision = decide(estimate(change, [0] * 100, range(100), ["all"], low=-1, high=1), "overall", ">", -0.1)
    assert decision.p_value_pass == pytest.approx(stats.norm.cdf(tango(4, 2, 100, 0.1)))
    assert "Tango" in decision.method


@pytest.mark.parametrize(("size", "ends", "outcome"), [
    (9, (0, 1), "invalid"), (10, (0, 1), "pass"), (29, (-np.inf, np.inf), "invalid"), (30, (-np.inf, np.inf), "pass"),
])  # fmt: skip
def test_too_few_clusters_decide_nothing(size, ends, outcome):
    y = np.tile([0.4, 0.6], size)[:size]
    scores = estimate(y, [0] * size, range(size), ["a"], low=ends[0], high=ends[1])
    assert decide(scores, "overall", "<", 0.95).outcome == outcome
    assert decide(scores, "overall", "<", 0.95, least_clusters=2).outcome == "pass"
    assert decide(scores, "overall", "<", 0.1).outcome == "fail"


def test_a_cluster_that_spans_everything_decides_nothing():
    y, group = [1, 0] * 50, [0] * 50 + [1] * 50
    spanned = decide(estimate(y, group, [7] * 100, ["a", "b"]), "gap", "<", 0.5, least_clusters=2)
    assert (spanned.outcome, spanned.low, spanned.high) == ("invalid", 0.0, 1.0)


def test_clusters_of_very_unequal_weight_are_a_caveat():
    sizes = [200] + [2] * 29
    y = np.tile([1.0, 0.0], 129)
    uneven = estimate(y, [0] * 258, np.repeat(np.arange(30), sizes), ["a"])
    [caveat] = decide(uneven, "overall", ">", 0.2).caveats
    assert caveat == (
        "the 30 clusters of a are so unequal that they count as about 2, and limits are as wide as those of so few"
    )
    even = estimate(y, [0] * 258, np.repeat(np.arange(129), 2), ["a"])
    assert decide(even, "overall", ">", 0.2).caveats == ()


def test_heavy_tails_of_values_without_ends_are_a_caveat():
    rewards = np.concatenate([np.linspace(-1, 1, 59), [40.0]])
    unbounded = {"low": -np.inf, "high": np.inf}
    [caveat] = decide(estimate(rewards, [0] * 60, range(60), ["a"], **unbounded), "overall", "<", 2.0).caveats
    assert caveat.startswith("heavy tails: clusters' values have a skewness of 7.")
    assert decide(estimate(rewards[:59], [0] * 59, range(59), ["a"], **unbounded), "overall", "<", 2.0).caveats == ()


def test_a_gap_of_a_hundred_equal_groups_is_near_what_equal_groups_show():
    rng = np.random.default_rng(0)
    y = (rng.random((60, 122)) < 0.5).astype(float)
    large = estimate(y.ravel(), np.tile(np.arange(122), 60), np.repeat(np.arange(60), 122), range(122))
    decision = decide(large, "gap", "<", 0.1)
    assert decision.outcome == "inconclusive"
    assert decision.value == pytest.approx(decision.equal_groups, abs=0.1)
