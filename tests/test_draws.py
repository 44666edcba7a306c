"""What k of several answers come to; and values told by their target, their baseline, a bound or another column."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from fairprobe import BadData, BadExpectation, Generation, Recorded, accuracy, mean
from fairprobe.expressions import Question
from fairprobe.metrics import exceed_rate, expected_max, grouped, measured
from fairprobe.requests import DoesNotFit, Failed, Generated
from fairprobe.statistics.draws import any_of
from fairprobe.statistics.draws import expected_max as largest_of
from fairprobe.verdict import Claim, Defaults, decide, judge

NAN = float("nan")


@st.composite
def rows_and_k(draw, values):
    size = draw(st.integers(1, 8))
    rows = draw(st.lists(st.lists(values, min_size=size, max_size=size), min_size=1, max_size=4))
    return rows, draw(st.integers(1, size))


def over_all_subsets(row, k):
    return np.mean([max(each) for each in combinations(row, k)])


def in_blocks(row, k):
    """The largest of consecutive blocks of k, without what is left over."""
    return np.mean([max(row[at : at + k]) for at in range(0, len(row) - k + 1, k)])


# -- k of several answers


def test_the_largest_of_k_is_known_by_hand():
    # of six pairs three have the 3, two the 2 and one the 1
    assert largest_of([[0, 3, 1, 2]], 2).tolist() == pytest.approx([(3 * 3 + 2 * 2 + 1) / 6])
    assert any_of([[0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]], 2) == pytest.approx([3 / 6, 0, 1])


@given(rows_and_k(st.floats(-1, 1)))
def test_the_largest_of_k_is_the_mean_over_all_subsets(given_rows):
    rows, k = given_rows
    assert largest_of(rows, k) == pytest.approx([over_all_subsets(row, k) for row in rows], abs=1e-12)


@given(rows_and_k(st.sampled_from([0.0, 1.0])))
def test_any_of_k_is_the_share_of_subsets_with_a_hit(given_rows):
    rows, k = given_rows
    assert any_of(rows, k) == pytest.approx([over_all_subsets(row, k) for row in rows], abs=1e-12)


def test_one_answer_is_the_mean_and_all_of_them_the_largest():
    rows = np.random.default_rng(0).random((5, 30))
    assert largest_of(rows, 1) == pytest.approx(rows.mean(axis=1))
    assert largest_of(rows, 30) == pytest.approx(rows.max(axis=1))


def test_blocks_of_k_come_to_the_same_on_average_and_vary_more():
    # every way in which five answers, of which one is left over, can be right
    rows = list(product([0.0, 1.0], repeat=5))
    subsets, blocks = largest_of(rows, 2), np.array([in_blocks(row, 2) for row in rows])
    assert [blocks.mean(), subsets.mean()] == pytest.approx([0.75, 0.75])
    assert subsets.var() < 0.75 * blocks.var()


def test_blocks_of_k_depend_on_the_order_of_answers():
    beside, apart = [1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]
    assert (in_blocks(beside, 2), in_blocks(apart, 2)) == (0.5, 1.0)
    assert largest_of([beside, apart], 2) == pytest.approx([5 / 6, 5 / 6])
    assert any_of([beside, apart], 2) == pytest.approx([5 / 6, 5 / 6])


@pytest.mark.parametrize("k", [0, -1, 4])
@pytest.mark.parametrize("of", [largest_of, any_of])
def test_there_are_no_subsets_of_more_than_there_are(of, k):
    with pytest.raises(ValueError, match=f"k={k} of 3 answers: there are no such subsets"):
        of([[0.0, 1.0, 1.0]], k)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("of", [largest_of, any_of])
def test_an_answer_without_a_score_leaves_its_prompt_without_one(of, k):
    assert np.isnan(of([[0.0, NAN, 1.0], [1.0, 1.0, 1.0]], k)).tolist() == [True, False]


# -- metrics of drawn answers


def as_number(text, target, row):
    return float(text)


def said(*answers):
    """A task whose n-th prompt was answered so, and a look at it."""
    rows = [{"begin": f"{at}"} for at in range(len(answers))]
    scorer = {"size": as_number, "rest": lambda text, target, row: 1 - float(text)}
    task = Generation(rows, "{begin}", scorer=scorer, samples=len(answers[0]), temperature=1.0, name="said")
    given = [[Generated(each, True, False, 1, 1) if isinstance(each, str) else each for each in own] for own in answers]
    found = task.outcomes(task.load(), given)
    return task, lambda asked, role: found


def numbers(metric, look):
    [values] = measured(metric, look)
    return values.value


def test_expected_max_is_of_the_scores_of_each_prompts_answers():
    task, look = said(("0.1", "0.9", "0.5"), ("1", "0.5", "0.2"))
    assert numbers(expected_max(task, k=2), look) == pytest.approx([2.3 / 3, 2.5 / 3])
    assert numbers(expected_max(task, "rest", k=2), look) == pytest.approx(
        [(0.9 + 0.9 + 0.5) / 3, (0.8 + 0.8 + 0.5) / 3]
    )
    assert judge(expected_max(task, k=3) > 0.5, look).groups[0].value == pytest.approx(0.95)


def test_exceed_rate_counts_scores_above_a_bound_and_none_that_equals_it():
    task, look = said(("0.1", "0.9", "0.5"), ("1", "0.5", "0.2"))
    assert numbers(exceed_rate(task), look) == pytest.approx([1 / 3, 1 / 3])
    assert numbers(exceed_rate(task, above=0.15, k=2), look) == pytest.approx([1.0, 1.0])
    assert numbers(exceed_rate(task, above=0.3, k=2), look) == pytest.approx([1.0, 1.0])
    assert numbers(exceed_rate(task, "rest", above=0.85, k=2), look) == pytest.approx([2 / 3, 0.0])


def test_a_prompt_with_an_answer_that_did_not_come_has_no_best_of_k():
    task, look = said(("0.1", Failed("no"), "0.5"), ("1", "0.5", DoesNotFit(9, 2)))
    for metric in (expected_max(task, k=1), exceed_rate(task, k=1)):
        [values] = measured(metric, look)
        assert values.lacking.tolist() == [True, False]
    # an answer that could not begin scores 0
    assert numbers(expected_max(task, k=1), look)[1] == pytest.approx(0.5)


@pytest.mark.parametrize("metric", [expected_max, exceed_rate])
def test_k_answers_are_asked_for_where_they_are_drawn(metric):
    task, _ = said(("0.1", "0.9"))
    for k in (0, 3):
        with pytest.raises(
            BadExpectation, match=rf"{metric.__name__}\(k={k}\) takes k answers .* draws 2; give a Generation"
        ):
            metric(task, k=k)
    with pytest.raises(BadExpectation, match="has no score 'taste'; it has size, rest"):
        metric(task, "taste", k=1)
    with pytest.raises(BadExpectation, match="draws none"):
        metric(Recorded([{"score": 1.0}], name="answers"), k=1)


# -- values with a target, a baseline, a bound


def recorded_look(task, role):
    return task.outcomes(task.recorded({"model": "new", "baseline": "old"}[role]))


def answers(*rows, **named):
    """A recording of one model: rows of group and score, and of what else is named."""
    columns = ("g", "score", "per", "w")
    return Recorded(
        [{"model": "new", **dict(zip(columns, row, strict=False))} for row in rows], score="score", model="model",
        name="answers", **named,
    )  # fmt: skip


def beside(new, old, groups):
    """Recordings of two models' answers to the same samples."""
    rows = [
        {"model": model, "id": at, "g": group, "score": float(score)}
        for model, scores in (("new", new), ("old", old))
        for at, (group, score) in enumerate(zip(groups, scores, strict=True))
    ]
    return Recorded(rows, name="answers", model="model", key="id")


def estimates(question):
    asked = question if isinstance(question, Question) else question._asked()
    return grouped(asked, measured(asked.metric, recorded_look)).estimates()


def shares(**of):
    """Forty answers of each group, of which a share is right."""
    return answers(*((group, float(at < 40 * share)) for group, share in of.items() for at in range(40)))


def test_a_value_lies_as_far_from_its_target_above_as_below():
    task, flipped = shares(a=0.7), shares(a=0.3)
    one, other = (judge(mean(each, "score").near(0.5) < 0.4, recorded_look).decision for each in (task, flipped))
    assert one.value == pytest.approx(other.value) == pytest.approx(0.2)
    assert one.low == pytest.approx(other.low, abs=0.01)
    assert one.high == pytest.approx(other.high, abs=0.01)
    assert (one.outcome, other.outcome) == ("pass", "pass")


@pytest.mark.parametrize(
    ("target", "bound", "outcome"),
    [(0.5, 0.2, "pass"), (0.9, 0.2, "fail"), (0.1, 0.2, "fail"), (0.62, 0.1, "inconclusive")],
)
def test_what_is_far_from_its_target_fails_on_either_side(target, bound, outcome):
    assert judge(mean(shares(a=0.5), "score").near(target) < bound, recorded_look).outcome == outcome


def test_groups_on_both_sides_of_a_target_do_not_make_up_for_each_other():
    near = mean(shares(a=0.2, b=0.75), "score").near(0.5)
    assert judge(near < 0.2, recorded_look).decision.value == pytest.approx(0.025)
    verdict = judge(near.by("g") < 0.2, recorded_look)
    assert verdict.decision.value == pytest.approx(0.3)
    assert verdict.between == ("a",)
    # groups are shown with their own values
    assert [group.value for group in verdict.groups] == pytest.approx([0.2, 0.75])


def test_only_an_upper_bound_says_how_near():
    near = mean(shares(a=0.5), "score").near(0.5)
    assert repr(near <= 0.1) == "mean(answers, 'score').near(0.5) <= 0.1"
    assert repr(near.by("g") < 0.1) == "mean(answers, 'score').near(0.5).by('g') < 0.1"
    for refused in (
        lambda: near > 0.1,
        lambda: near >= 0.1,
        lambda: near.by("g") > 0.1,
        lambda: near.gap("g") < 0.1,
        lambda: near.ratio("g") < 0.1,
    ):
        with pytest.raises(BadExpectation, match=r"\.near\(target\) says how far values may lie from their target"):
            refused()


def test_a_relative_value_is_the_ratio_of_means_in_each_group():
    task = beside([0.5, 0.25, 0.75, 0.5, 0.5], [1.0, 0.5, 0.5, 0.2, 0.8], [*"aaabb"])
    assert estimates(accuracy(task).relative().by("g")).theta == pytest.approx([0.75, 1.0])
    # of all samples it is the ratio of their means, and no mean of ratios
    assert estimates(accuracy(task).relative()).theta == pytest.approx([2.5 / 3])


def test_a_relative_value_varies_as_the_paired_answers_do():
    new, old = np.random.default_rng(0).random((2, 50))
    found = estimates(accuracy(beside(new, old, ["a"] * 50)).relative())
    ratio = new.mean() / old.mean()
    errors = (new - ratio * old) / old.mean()
    assert math.sqrt(found.covariance[0, 0]) == pytest.approx(errors.std(ddof=1) / math.sqrt(50))
    proportional = estimates(accuracy(beside(old / 2, old, ["a"] * 50)).relative())
    assert proportional.theta == pytest.approx([0.5])
    assert proportional.covariance == pytest.approx(np.zeros((1, 1)), abs=1e-15)


def test_nothing_is_relative_to_a_baseline_of_nothing():
    verdict = judge(accuracy(beside([1.0] * 40, [0.0] * 40, ["a"] * 40)).relative() > 0.5, recorded_look)
    assert verdict.outcome == "invalid"
    assert "the value that another is taken relative to is not above 0 in all samples" in verdict.caveats


def decided(claim):
    """The decision by itself, whatever the guards would say of the data."""
    data = grouped(claim.question, measured(claim.question.metric, recorded_look))
    return decide(claim, data, Claim.of(claim.terms, Defaults()), Defaults())


def test_relative_limits_hold_the_truth_as_often_as_they_say():
    truth, limits = {"a": 0.75, "b": 1.2}, []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        old = rng.random(80) * 0.6
        new = old * np.repeat([*truth.values()], 40) * rng.uniform(0.7, 1.3, 80)
        right = accuracy(beside(new, old, np.repeat([*truth], 40).tolist()))
        for group, true in truth.items():
            decision = decided(right.where(g=group).relative() > 0.5)
            limits.append((decision.low, true, decision.high))
    low, true, high = np.array(limits).T
    # 400 intervals at 95 % each side
    least, most = binom.ppf([0.001, 0.999], 400, 0.05)
    assert least <= (low > true).sum() <= most
    assert least <= (high < true).sum() <= most


def test_above_counts_each_sample_once_and_a_half_where_it_equals_the_bound():
    task = answers(("a", 0.2), ("a", 0.5), ("a", 0.9), ("b", 0.5), ("b", 0.5))
    assert numbers(mean(task, "score").above(0.5), recorded_look).tolist() == [0.0, 0.5, 1.0, 0.5, 0.5]
    assert estimates(mean(task, "score").above(0.5).by("g")).theta.tolist() == [0.5, 0.5]
    assert estimates(mean(task, "score").above(0.4)).theta.tolist() == [0.8]


def test_a_change_above_a_bound_is_counted_by_sample():
    # most samples gain a little, one loses a lot
    task = beside([0.6, 0.6, 0.6, 0.0], [0.5, 0.5, 0.5, 0.9], [*"aaaa"])
    assert estimates(accuracy(task).change()).theta == pytest.approx([-0.15])
    assert estimates(accuracy(task).change().above(0)).theta == pytest.approx([0.75])


def test_a_ratio_of_sums_has_no_number_of_each_sample_to_be_above():
    task = answers(("a", 0.2, 1.0), ("a", 0.5, 1.0))
    with pytest.raises(BadExpectation, match="has no number of its own for each sample"):
        numbers(mean(task, "score", per="per").above(0.5), recorded_look)


# -- the mean of one column per another


RIGHT_PER_ANSWERED = (
    ("a", 1.0, 1.0, 3), ("a", 0.0, 1.0, 1), ("a", 0.0, 0.0, 5), ("b", 0.5, 0.5, 1), ("b", 0.1, 1.0, 2),
)  # fmt: skip


def test_a_mean_per_another_column_is_the_ratio_of_their_sums():
    task = answers(*RIGHT_PER_ANSWERED)
    assert estimates(mean(task, "score", per="per").by("g")).theta == pytest.approx([1 / 2, 0.6 / 1.5])
    assert estimates(mean(task, "score", per="per")).theta == pytest.approx([1.6 / 3.5])
    assert estimates(mean(task, "score").by("g")).theta == pytest.approx([1 / 3, 0.3])


def test_a_mean_per_another_column_is_weighted():
    task = answers(*RIGHT_PER_ANSWERED, weight="w")
    assert estimates(mean(task, "score", per="per").by("g")).theta == pytest.approx(
        [3 / (3 + 1), (0.5 + 2 * 0.1) / (0.5 + 2)]
    )


def test_a_mean_per_another_column_varies_as_its_samples_about_the_ratio():
    rng = np.random.default_rng(0)
    per = rng.random(60)
    score = per * rng.random(60)
    found = estimates(mean(answers(*(("a", *each) for each in zip(score, per, strict=True))), "score", per="per"))
    ratio = score.sum() / per.sum()
    errors = (score - ratio * per) / per.mean()
    assert math.sqrt(found.covariance[0, 0]) == pytest.approx(errors.std(ddof=1) / math.sqrt(60))


def test_a_mean_per_whether_a_sample_counts_is_a_mean_of_those_that_do():
    task = answers(("a", 1.0, 1), ("a", 0.0, 1), ("a", 0.0, 0), ("a", 1.0, 1))
    found = estimates(mean(task, "score", per="per"))
    assert found.theta == pytest.approx([2 / 3])
    assert (found.low, found.high) == (0.0, 1.0)
    spread = estimates(mean(answers(*RIGHT_PER_ANSWERED), "score", per="per"))
    assert (spread.low, spread.high) == (0.0, math.inf)


def test_a_sample_without_the_other_column_is_one_without_an_answer():
    task = answers(("a", 1.0, 1.0), ("a", 0.5, None), ("a", 0.0, 1.0))
    [values] = measured(mean(task, "score", per="per"), recorded_look)
    assert values.lacking.tolist() == [False, True, False]
    assert estimates(mean(task, "score", per="per")).theta.tolist() == [0.5]


def test_nothing_is_counted_per_less_than_nothing():
    task = answers(("a", 1.0, 1.0), ("a", 0.5, -0.5))
    with pytest.raises(BadData, match="'per' holds numbers below 0, and nothing is counted per so many"):
        estimates(mean(task, "score", per="per"))


def test_a_relative_mean_per_another_column_is_a_ratio_of_ratios():
    rows = [
        {"model": model, "id": at, "score": score, "per": per}
        for model, own in (("new", [(0.2, 0.4), (0.2, 0.4)]), ("old", [(0.3, 0.5), (0.6, 0.7)]))
        for at, (score, per) in enumerate(own)
    ]
    task = Recorded(rows, score="score", name="answers", model="model", key="id")
    assert estimates(mean(task, "score", per="per").relative()).theta == pytest.approx([(0.4 / 0.8) / (0.9 / 1.2)])


@pytest.mark.parametrize("question", [
    lambda metric: metric.change(), lambda metric: metric.relative(), lambda metric: metric.change().by("g"),
])  # fmt: skip
def test_recordings_are_joined_by_key_and_not_by_place_in_a_ratio_of_sums_too(question):
    rng = np.random.default_rng(4)
    rows = [{"id": n, "g": "ab"[n % 2], "score": rng.random(), "per": 1.0 + n} for n in range(24)]
    later = [{**row, "score": row["score"] / 2} for row in rows if row["id"] % 5]
    scores = {"score": {"score": "score", "per": "per"}, "key": "id", "range": {"per": (0, 100)}}
    metric = question(mean(Recorded(rows, name="kept", **scores), "score", per="per"))

    def estimated(later, before):
        def look(task, role):
            held = Recorded(later if role == "model" else before, name="kept", **scores)
            return held.outcomes(held.load(), [()] * len(held.load()))

        asked = metric if isinstance(metric, Question) else (metric < 10.0).question
        return grouped(asked, measured(asked.metric, look)).estimates().theta

    both = [row for row in rows if row["id"] % 5]
    by_hand = sum(row["score"] for row in both) / sum(row["per"] for row in both)
    assert estimated(later, rows[::-1]) == pytest.approx(estimated(later, both))
    if not isinstance(metric, Question) and "relative" in repr(metric):
        assert estimated(later, rows[::-1]) == pytest.approx([0.5])
    elif not isinstance(metric, Question):
        assert estimated(later, rows[::-1]) == pytest.approx([-by_hand / 2])
