"""E-processes: what staking against a claim comes to, on every order there is, and what follows of it."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairprobe.statistics import Asked, Course, Evidence, confidence_sequence, sequential, stopped

SIX = (0.02, 0.04, 0.08, 0.15, 0.3, 0.6)


def course(values, weights=None, known=None, *, finite=True, low=0.0, high=1.0):
    """What is known of clusters in order, from each one's mean in each group."""
    values = np.asarray(values, dtype=float)
    weights = np.ones_like(values) if weights is None else np.asarray(weights, dtype=float)
    known = np.full(values.shape[1], len(values)) if known is None else np.asarray(known)
    sums = np.where(np.arange(len(values))[:, None] < known, values * weights, 0.0)
    return Course(weights, sums, sums, known, low, high, finite)


def heard(values, first, weights=None, **options):
    """The same, of the first clusters alone."""
    return course(values, weights, np.full(np.shape(values)[1], first), **options)


def stakes(made, asked):
    """What the stakes on each contrast have come to after each cluster, against its reaching the threshold, and not."""
    tested = sequential.as_contrasts(np.nan_to_num(made.means), asked)
    both = tested.contrasts.both_ways() if tested.mirrored else tested.contrasts
    contrary = both._replace(plus=-both.plus, minus=-both.minus)
    return [
        np.exp(np.concatenate(list(sequential._paths(made, each, at, exact=False))))
        for each, at in ((both, tested.threshold), (contrary, -tested.threshold))
    ]


def test_a_mixture_without_replacement_gives_the_published_forms_numbers(monkeypatch):
    monkeypatch.setattr(sequential, "FRACTIONS", SIX)
    said = [[float(each)] for each in "000000000000011000011000000000010100"]
    rest = [[0.0]] * 24
    against, _ = stakes(heard(said + rest, 36), Asked("overall", "<", 0.35))
    assert against[0, [0, 9, 19, 35]] == pytest.approx([1.106795, 5.781740, 6.025080, 168.065246], rel=1e-6)


UNEVEN = np.array([[2, 0], [1, 1], [0, 3], [2, 2], [1, 0], [0, 1]], dtype=float)


@pytest.mark.parametrize("weights", [np.ones((6, 2)), np.repeat(np.eye(2), 3, axis=0), UNEVEN])
@pytest.mark.parametrize("claim", [Asked("gap", "<", 0.0), Asked("gap", "<", 0.0, reference=0), Asked("by", ">", 0.0)])
def test_on_average_over_every_order_stakes_at_the_truth_win_nothing(weights, claim):
    values = np.array([[1, 0], [1, 1], [0, 1], [0, 0], [1, 1], [1, 0]], dtype=float)
    theta = (values * weights).sum(axis=0) / weights.sum(axis=0)
    # for one contrast after the other the threshold lies at its very value
    for place in range(2):
        first, second = theta[place], theta[1 - place]
        truth = {"gap": first - second, "by": first}[claim.question]
        if claim.question == "gap" and (truth < 0 or (claim.reference is not None and place != claim.reference)):
            continue
        at = claim._replace(bound=truth)
        paths = [stakes(course(values[list(order)], weights[list(order)]), at) for order in permutations(range(6))]
        which = place if claim.question == "by" else 0
        if claim.question == "gap" and claim.reference is None and place == 1:
            which = 1
        for side in range(2):
            won = np.mean([path[side][which] for path in paths], axis=0)
            assert (won <= 1 + 1e-9).all()
            # and they are stakes: what is won in one order is lost in another
            assert max(path[side][which].max() for path in paths) > 1.01


@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_of_samples_like_these_stakes_at_the_truth_win_nothing_on_average(rate):
    one, other = [], []
    for draw in product((0.0, 1.0), repeat=8):
        chance = np.prod([rate if each else 1 - rate for each in draw])
        below, above = stakes(course(np.array(draw)[:, None], finite=False), Asked("overall", "<", rate))
        one.append(chance * below[0])
        other.append(chance * above[0])
    assert np.sum(one, axis=0) == pytest.approx(np.ones(8))
    assert np.sum(other, axis=0) == pytest.approx(np.ones(8))


def test_what_is_left_may_make_a_claim_certain():
    values = np.array([[0.0]] * 80 + [[1.0]] * 20)
    assert stopped(heard(values, 79), Asked("overall", "<", 0.2), 0.05).for_pass < np.inf
    # twenty of a hundred cannot bring it to 0.21
    told = stopped(heard(values, 80), Asked("overall", "<", 0.21), 0.05)
    assert (told.decision.outcome, told.for_pass, told.decision.p_value_pass) == ("pass", np.inf, 0.0)


@pytest.mark.parametrize(("comparison", "outcome"), [("<", "fail"), ("<=", "pass"), (">", "fail"), (">=", "pass")])
def test_a_benchmark_that_is_known_whole_is_decided_at_the_bound_itself(comparison, outcome):
    values = np.array([[1.0], [0.0]] * 20)
    assert stopped(course(values), Asked("overall", comparison, 0.5), 0.05).decision.outcome == outcome
    pairs = np.array([[1.0, 0.0]] * 10 + [[0.0, 0.0]] * 10)
    assert stopped(course(pairs), Asked("gap", comparison, 0.5), 0.05).decision.outcome == outcome


def test_of_samples_like_these_the_last_one_makes_nothing_certain():
    values = np.array([[1.0], [0.0]] * 20)
    assert stopped(course(values, finite=False), Asked("overall", "<", 0.6), 0.05).decision.outcome == "inconclusive"


def seeded(groups, count, seed, rate=0.6):
    return (np.random.default_rng(seed).random((count, groups)) < rate).astype(float)


@settings(max_examples=12)
@given(
    st.integers(0, 10_000), st.sampled_from(["<", ">"]), st.sampled_from(["gap", "by", "ratio", "reference"]),
    st.booleans(), st.floats(0.05, 0.9),
)  # fmt: skip
def test_limits_lie_beyond_the_bound_iff_the_stakes_say_so(seed, comparison, question, finite, bound):
    asked = Asked(question, comparison, bound) if question != "reference" else Asked("gap", comparison, bound, 1)
    told = stopped(heard(seeded(3, 60, seed), 40, finite=finite), asked, 0.05).decision
    low, high = told.low, told.high
    assert low <= told.value + 1e-3
    assert told.value - 1e-3 <= high
    near = 2 * sequential.TOLERANCE
    passes = high < bound - near if comparison == "<" else low > bound + near
    fails = low > bound + near if comparison == "<" else high < bound - near
    if passes or fails:
        assert told.outcome == ("pass" if passes else "fail")
    if told.outcome == "inconclusive":
        assert low <= bound + near
        assert high >= bound - near


def test_an_e_value_that_no_number_holds_is_large_and_not_certain():
    told = stopped(heard(np.zeros((6000, 1)), 5000, finite=False), Asked("overall", "<", 0.95), 0.05)
    assert told.decision.outcome == "pass"
    assert 1e300 < told.for_pass < np.inf


def test_limits_of_a_benchmark_come_together_at_its_value():
    values = seeded(2, 100, 3)
    gap = abs(np.diff(values.mean(axis=0))[0])
    wide, narrow = (confidence_sequence(heard(values, first), Asked("gap", "<", 0.1), 0.05) for first in (50, 99))
    assert wide[0] <= narrow[0] <= gap <= narrow[1] <= wide[1]
    assert narrow[1] - narrow[0] < 0.05


def test_the_order_of_groups_changes_nothing():
    values = seeded(4, 80, 5)
    one, other = (
        stopped(heard(values[:, list(order)], 60), Asked("gap", "<", 0.3), 0.05)
        for order in ((0, 1, 2, 3), (2, 0, 3, 1))
    )
    assert (one.for_pass, one.for_fail) == pytest.approx((other.for_pass, other.for_fail))
    assert (one.decision.low, one.decision.high) == pytest.approx((other.decision.low, other.decision.high))


def test_many_groups_in_blocks_come_to_the_same(monkeypatch):
    made = heard(seeded(6, 50, 7), 40)
    whole = Evidence(made, Asked("gap", "<", 0.3))
    monkeypatch.setattr(sequential, "BLOCK", 1000)
    parts = Evidence(made, Asked("gap", "<", 0.3))
    assert parts.below == pytest.approx(whole.below)
    assert parts.above == pytest.approx(whole.above)


def test_only_groups_that_some_open_contrast_reads_are_asked_on():
    values = np.zeros((400, 3))
    values[:, 2] = seeded(1, 400, 9, rate=0.2)[:, 0]
    # the first is what both others are compared with, and says the same as the second
    held = Evidence(heard(values, 150), Asked("gap", "<", 0.2, reference=0, two_sided=True))
    assert held.unsettled(0.05).tolist() == [True, False, True]
    assert not Evidence(heard(np.zeros((400, 3)), 150), Asked("gap", "<", 0.2)).unsettled(0.05).any()


def test_what_did_not_come_stands_against_either_claim():
    sums = np.full((60, 1), 0.5)
    known = np.array([60])
    missing = Course(np.ones((60, 1)), np.zeros((60, 1)), np.ones((60, 1)), known, 0.0, 1.0, finite=True)
    there = Course(np.ones((60, 1)), sums, sums, known, 0.0, 1.0, finite=True)
    assert stopped(there, Asked("overall", "<", 0.6), 0.05).decision.outcome == "pass"
    for comparison in ("<", ">"):
        assert stopped(missing, Asked("overall", comparison, 0.6), 0.05).decision.outcome == "inconclusive"


def test_a_ratio_and_a_distance_from_zero_are_decided_too():
    values = np.hstack([np.ones((200, 1)), np.tile([[1.0], [0.0]], (100, 1))])
    assert stopped(heard(values, 150), Asked("ratio", ">", 0.8), 0.05).decision.outcome == "fail"
    signed = Course(np.ones((200, 1)), -np.ones((200, 1)), -np.ones((200, 1)), np.array([150]), -1.0, 1.0, finite=False)
    assert stopped(signed, Asked("overall", "<", 0.5, two_sided=True), 0.05).decision.outcome == "fail"
