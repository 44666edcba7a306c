"""A verdict is what the interval decides and the guards let stand; what did not come counts against the claim."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answers import clues, right
from fairprobe import Generation, Recorded, accuracy, mean, valid_rate
from fairprobe.power import can_pass
from fairprobe.requests import Generated
from fairprobe.verdict import Defaults, judge


def verdict(model, claim, baseline=None, **defaults):
    task, look = clues(model, baseline)
    return judge(claim(task), look, Defaults(**defaults))


def gap(bound):
    return lambda task: accuracy(task).gap("dialect") < bound


EQUAL = {"us": right(80, 100), "ng": right(80, 100)}
APART = {"us": right(90, 100), "ng": right(70, 100)}


# -- outcomes


@pytest.mark.parametrize(("model", "bound", "outcome"), [
    (EQUAL, 0.05, "pass"), (APART, 0.05, "fail"), (APART, 0.2, "inconclusive"), (APART, 0.4, "pass"),
])  # fmt: skip
def test_a_gap_is_shown_shown_not_to_hold_or_neither(model, bound, outcome):
    judged = verdict(model, gap(bound))
    assert judged.outcome == judged.decision.outcome == outcome


@pytest.mark.parametrize(("bound", "outcome"), [(0.5, "pass"), (0.7, "inconclusive"), (0.9, "fail")])
def test_a_floor_must_hold_for_every_group(bound, outcome):
    judged = verdict(APART, lambda task: accuracy(task).by("dialect") > bound)
    assert (judged.outcome, judged.decision.value, judged.between) == (outcome, 0.7, ("ng",))


@pytest.mark.parametrize(("bound", "outcome"), [(0.6, "pass"), (0.78, "inconclusive"), (0.95, "fail")])
def test_a_ratio_is_of_the_smallest_to_the_largest(bound, outcome):
    judged = verdict(APART, lambda task: accuracy(task).ratio("dialect") > bound)
    assert judged.outcome == outcome
    assert judged.decision.value == pytest.approx(0.7 / 0.9)
    assert judged.between == ("us", "ng")


def test_a_reference_gap_is_signed():
    towards, away = (lambda task, r=r: accuracy(task).gap("dialect", reference=r) < 0.05 for r in ("us", "ng"))
    assert verdict(APART, towards).outcome == "fail"
    assert verdict(APART, away).outcome == "pass"
    assert verdict(APART, away).decision.value == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("model", "bound", "outcome", "red", "red_alarm"),
    [
        (EQUAL, 0.05, "pass", False, False),
        (APART, 0.05, "fail", True, True),
        (APART, 0.2, "inconclusive", True, False),
        ({"us": right(9, 9), "ng": right(9, 9)}, 0.5, "invalid", True, False),
    ],
)
def test_an_alarm_asks_for_a_shown_fail(model, bound, outcome, red, red_alarm):
    prove, alarm = verdict(model, gap(bound)), verdict(model, lambda task: gap(bound)(task).mode("alarm"))
    assert prove.outcome == alarm.outcome == outcome
    assert (prove.is_red, alarm.is_red) == (red, red_alarm)


def test_what_an_expectation_leaves_unsaid_the_run_says():
    unsaid = verdict(EQUAL, gap(0.05), confidence=0.99, mode="alarm", scope="benchmark")
    assert (unsaid.claim.confidence, unsaid.claim.mode, unsaid.claim.scope) == (0.99, "alarm", "benchmark")
    said = verdict(
        EQUAL,
        lambda task: gap(0.05)(task).at(confidence=0.9, scope="population").mode("prove"),
        confidence=0.99,
        mode="alarm",
    )
    assert (said.claim.confidence, said.claim.mode, said.claim.scope) == (0.9, "prove", "population")


def test_more_confidence_asks_for_wider_limits():
    one, other = verdict(APART, gap(0.2)), verdict(APART, gap(0.2), confidence=0.99)
    assert other.decision.low < one.decision.low < one.decision.value < one.decision.high < other.decision.high


def test_a_verdict_says_how_many_samples_it_rests_on():
    judged = verdict({"us": right(40, 80), "ng": right(30, 50)}, gap(0.5))
    assert (judged.samples, judged.fewest_clusters) == (130, 50)
    assert [(group.group, group.value, group.samples, group.clusters) for group in judged.groups] == [
        ({"dialect": "ng"}, 0.6, 50, 50), ({"dialect": "us"}, 0.5, 80, 80),
    ]  # fmt: skip


def test_a_group_carries_what_became_of_its_samples():
    judged = verdict({"us": right(8, 10), "ng": [*right(5, 7), "empty", "empty", "truncated"]}, gap(0.5))
    assert [dict(group.statuses) for group in judged.groups] == [{"ok": 7, "empty": 2, "truncated": 1}, {"ok": 10}]


# -- benchmark


def test_of_a_benchmark_that_was_asked_whole_the_numbers_are_exact():
    def claim(bound):
        return lambda task: (accuracy(task).gap("dialect") < bound).at(scope="benchmark")

    over, under = verdict(APART, claim(0.19)), verdict(APART, claim(0.21))
    assert (over.outcome, under.outcome) == ("fail", "pass")
    assert under.decision.low == under.decision.value == under.decision.high == pytest.approx(0.2)
    assert (under.decision.p_value_pass, under.decision.p_value_fail) == (0.0, 1.0)
    assert under.decision.method == "these samples only, and all of them were asked"


@pytest.mark.parametrize(("comparison", "outcome"), [("<", "fail"), ("<=", "pass"), (">", "fail"), (">=", "pass")])
def test_on_the_bound_of_a_benchmark_the_comparison_decides(comparison, outcome):
    def claim(task):
        metric = accuracy(task).at(scope="benchmark")
        return {"<": metric < 0.75, "<=": metric <= 0.75, ">": metric > 0.75, ">=": metric >= 0.75}[comparison]

    assert verdict({"us": right(75, 100)}, claim).outcome == outcome


def drawn(shares, draws, scope, claim=lambda task: accuracy(task).gap("dialect") < 0.05, prompt="{id} in {dialect}"):
    """A verdict on samples that were each answered `draws` times, so many of them right."""
    rows = [{"id": n, "dialect": d, "clue": "c", "word": "w"} for d in ("us", "ng") for n in range(len(shares))]
    task = Generation(rows, prompt, target="word", name="clues", pair="id", samples=draws, temperature=1.0)

    def responses(share):
        return [Generated("w" if n < round(share * draws) else "no", True, False, 1, 1) for n in range(draws)]

    answered = task.outcomes(task.load(), [responses(share) for share in [*shares, *shares]])
    return judge(claim(task).at(scope=scope), lambda *_: answered)


def test_of_a_benchmark_whose_samples_were_answered_several_times_only_the_draw_varies():
    shares = [1.0, 0.0, 0.8, 0.2] * 25
    these, like = drawn(shares, 5, "benchmark"), drawn(shares, 5, "population", lambda task: accuracy(task) > 0.4)
    assert these.decision.method.startswith("these samples only, by the draw of their answers: ")
    # of 100 samples half vary, with 0.2 * 0.8 / 4 each: the error of a gap of two such means is 0.02
    assert these.decision.high == pytest.approx(1.65 * 0.02, rel=0.15)
    fixed = drawn(shares, 5, "benchmark", lambda task: accuracy(task) > 0.4)
    assert like.decision.low < fixed.decision.low < 0.5


def test_answers_that_happen_to_agree_are_not_exact():
    agreed = drawn([1.0] * 100, 2, "benchmark", lambda task: accuracy(task) > 0.98)
    assert agreed.decision.low < 0.99 < agreed.decision.high == 1.0
    assert agreed.decision.method.startswith("these samples only, by the draw of their answers")


def test_answers_drawn_once_tell_of_samples_like_these():
    once = drawn([1.0, 0.0] * 50, 1, "benchmark")
    assert once.decision.high > 0.0
    assert "these samples only" not in once.decision.method


def test_equal_prompts_are_one_draw():
    shares = [0.4] * 40
    apart = drawn(shares, 5, "benchmark", lambda task: accuracy(task) < 0.5)
    alike = drawn(shares, 5, "benchmark", lambda task: accuracy(task) < 0.5, prompt="{dialect}")
    assert apart.decision.clusters == 80
    assert alike.decision.clusters == 2
    assert alike.decision.high > apart.decision.high + 0.1


def test_of_drawn_answers_of_these_samples_no_more_samples_are_asked_for():
    open_ = drawn([0.4, 0.6] * 20, 5, "benchmark", lambda task: accuracy(task) < 0.51)
    assert (open_.outcome, open_.decision.needed, open_.more_samples) == ("inconclusive", None, None)


def test_few_samples_answered_many_times_are_enough_for_a_benchmark():
    few = drawn([1.0] * 8, 50, "benchmark", lambda task: accuracy(task) > 0.5)
    assert (few.outcome, few.decision.p_value_pass < 0.05) == ("pass", True)


def test_a_benchmark_needs_no_number_of_clusters():
    few = {"us": right(5, 6), "ng": right(5, 6)}
    assert verdict(few, lambda task: (accuracy(task).gap("dialect") < 0.2).at(scope="benchmark")).outcome == "pass"
    assert verdict(few, gap(0.2)).outcome == "invalid"


def test_a_waiver_lets_a_few_clusters_decide():
    few = {"us": right(8, 9), "ng": right(8, 9)}
    assert verdict(few, gap(0.5)).outcome == "invalid"
    waived = verdict(few, lambda task: gap(0.5)(task).waive("clusters", because="nine is all we have"))
    assert (waived.outcome, waived.caveats) == (
        "pass", ("clusters: 9 clusters in ng; a verdict needs 10 in every group; waived because nine is all we have",),
    )  # fmt: skip


def test_what_makes_limits_unsure_is_a_caveat():
    uneven = [{"passage": 0 if n < 200 else n, "dialect": d, "score": n % 2} for d in "ab" for n in range(230)]
    task = Recorded(uneven, score="score", name="answers", cluster="passage")
    outcomes = task.outcomes(task.load(), [()] * 460)
    judged = judge(accuracy(task).gap("dialect") < 0.5, lambda *_: outcomes)
    assert (
        "the 31 clusters of a are so unequal that they count as about 1, and limits are as wide as those of so few"
        in judged.caveats
    )


def test_a_part_of_a_benchmark_is_a_sample_of_it():
    def claim(task):
        return (accuracy(task).gap("dialect") < 0.21).at(scope="benchmark")

    assert verdict(APART, claim, limited=True).outcome == "inconclusive"
    lacking = {**APART, "ng": [*right(70, 99), "error"]}
    assert verdict(lacking, claim).decision.low < verdict(lacking, claim).decision.high


# -- what did not come


def test_one_missing_answer_in_a_hundred_costs_its_own_weight():
    whole, lacking = verdict(EQUAL, gap(0.1)), verdict({**EQUAL, "ng": [*right(80, 99), "error"]}, gap(0.1))
    assert lacking.outcome == "pass"
    assert lacking.decision.value == pytest.approx(80 / 99 - 0.8)
    assert lacking.decision.high > whole.decision.high
    assert lacking.decision.method.endswith("; samples without an answer imputed against the claim")


def test_a_claim_that_a_missing_answer_could_undo_is_undecided():
    # 70 of 100 is shown above 0.6, 69 of 100 is not
    def claim(task):
        return accuracy(task) > 0.617

    assert verdict({"us": right(70, 100)}, claim).outcome == "pass"
    assert verdict({"us": [*right(69, 99), "missing"]}, claim).outcome == "inconclusive"
    assert verdict({"us": right(69, 100)}, claim).outcome == "inconclusive"


answers = st.lists(st.sampled_from([0.0, 1.0, 1.0, "error"]), min_size=12, max_size=30)
claims = st.sampled_from([
    lambda metric, bound: metric.gap("dialect") < bound,
    lambda metric, bound: metric.gap("dialect") > bound,
    lambda metric, bound: metric.gap("dialect", reference="us") < bound,
    lambda metric, bound: metric.by("dialect") > bound,
    lambda metric, bound: metric.by("dialect") < bound,
    lambda metric, bound: metric.ratio("dialect") > bound,
])  # fmt: skip


def completed(given, filling):
    return {
        group: [fill if answer == "error" else answer for answer in row]
        for (group, row), fill in zip(given.items(), filling, strict=True)
    }


@settings(max_examples=60, derandomize=True)
@given(answers, answers, claims, st.floats(0.05, 0.9))
def test_missing_answers_are_never_better_than_any_end_they_could_have(us, ng, claim, bound):
    given = {"us": [*us, 1.0], "ng": [*ng, 1.0]}
    decision = verdict(given, lambda task: claim(accuracy(task), bound)).decision
    for filling in product((0.0, 1.0), repeat=2):
        whole = verdict(completed(given, filling), lambda task: claim(accuracy(task), bound)).decision
        assert decision.outcome in {whole.outcome, "inconclusive"}
        assert decision.low <= whole.low + 1e-12
        assert decision.high >= whole.high - 1e-12
        assert decision.p_value_pass >= whole.p_value_pass
        assert decision.p_value_fail >= whole.p_value_fail


@settings(max_examples=30, derandomize=True)
@given(answers, answers, st.floats(-0.5, 0.5))
def test_what_is_subtracted_is_imputed_the_other_way(one, other, bound):
    def difference(left, right_):
        (first, look), (second, look_too) = (
            clues({"us": [*left, 1.0]}, name="one"),
            clues({"us": [*right_, 1.0]}, name="other"),
        )
        return judge(
            accuracy(first) - accuracy(second) < bound,
            lambda task, role: (look if task == first else look_too)(task, role),
        ).decision

    decision = difference(one, other)
    for left, right_ in product((0.0, 1.0), repeat=2):
        whole = difference(completed({"us": one}, [left])["us"], completed({"us": other}, [right_])["us"])
        assert decision.outcome in {whole.outcome, "inconclusive"}
        assert decision.low <= whole.low + 1e-12
        assert decision.high >= whole.high - 1e-12


def test_no_gap_is_shown_where_missing_answers_could_close_it():
    # of 400 each: us between 0.5 and 1, ng between 0.25 and 0.75; at either end they differ by 0.25
    given = {"us": [1.0] * 200 + ["error"] * 200, "ng": right(100, 200) + ["error"] * 200}
    judged = verdict(given, gap(0.1))
    assert judged.decision.outcome == "inconclusive"
    assert (judged.decision.low, judged.decision.p_value_fail) == (0.0, 1.0)
    assert judged.outcome == "invalid"
    far = {"us": [1.0] * 300 + ["error"] * 100, "ng": [0.0] * 300 + ["error"] * 100}
    assert verdict(far, gap(0.1)).outcome == "fail", "us is at least 0.75, ng at most 0.25"


@pytest.mark.parametrize("status", ["error", "missing"])
def test_a_group_without_any_answer_has_no_number(status):
    judged = verdict({"us": right(80, 100), "ng": [status] * 100}, gap(0.5))
    assert judged.outcome == "invalid"
    assert judged.decision is None
    assert judged.between is None
    empty, answered = judged.groups
    assert (empty.value, empty.low, empty.high, empty.samples) == (None, None, None, 100)
    assert (answered.value, answered.samples) == (0.8, 100), "what others answered is not lost"
    assert judged.caveats == ("no sample of ng in Generation('clues', 200 samples) was answered",)
    assert judged.is_red


def test_numbers_without_ends_cannot_be_imputed():
    rows = [{"score": 1.0, "length": None if number == 0 else number} for number in range(40)]
    judged = judge(mean(Recorded(rows, name="answers"), "length") > 1, lambda task, role: task.outcomes(task.load()))
    assert judged.outcome == "invalid"
    assert judged.decision is None
    assert judged.caveats == ("samples without an answer cannot be imputed, since their values are unbounded",)


# -- p-values, limits, and what can pass


@settings(max_examples=60, derandomize=True)
@given(st.integers(0, 60), st.integers(0, 60), claims, st.floats(0.01, 0.95), st.sampled_from([0.9, 0.95, 0.99]))
def test_p_values_and_outcome_agree(us, ng, claim, bound, confidence):
    decision = verdict(
        {"us": right(us + 1, 61), "ng": right(ng, 61)}, lambda task: claim(accuracy(task), bound), confidence=confidence
    ).decision
    assert (decision.outcome == "pass") == (decision.p_value_pass < round(1 - confidence, 9))
    assert (decision.outcome == "fail") == (decision.p_value_fail < round(1 - confidence, 9))
    assert decision.low <= decision.value <= decision.high


@pytest.mark.parametrize(("size", "bound", "possible"), [
    (20, 0.05, False), (60, 0.05, True), (9, 0.9, False), (10, 0.9, True),
])  # fmt: skip
def test_a_claim_that_no_answers_could_show_is_known_beforehand(size, bound, possible):
    task, look = clues({"us": right(size, size), "ng": right(size, size)})
    claim = accuracy(task).gap("dialect") < bound
    assert can_pass(claim, {task: task.load()}, Defaults()) is possible
    assert (judge(claim, look).outcome == "pass") is possible


@settings(max_examples=40, derandomize=True)
@given(st.integers(5, 60), st.floats(0.02, 0.6), st.sampled_from(["gap", "by >", "by <", "ratio", "change"]))
def test_what_can_pass_is_what_the_best_answers_pass(size, bound, kind):
    best = {"us": right(size, size), "ng": right(size, size)}
    worst = {"us": right(0, size), "ng": right(0, size)}
    task, look = clues(worst if kind == "by <" else best, worst)
    metric = accuracy(task)
    claim = {
        "gap": metric.gap("dialect") < bound,
        "by >": metric.by("dialect") > bound,
        "by <": metric.by("dialect") < bound,
        "ratio": metric.ratio("dialect") > 1 - bound,
        "change": metric.change().by("dialect") > bound,
    }[kind]
    judged = judge(claim, look)
    quiet = not any(guard.fired for guard in judged.guards if guard.name == "clusters")
    assert can_pass(claim, {task: task.load()}, Defaults()) is (judged.decision.outcome == "pass" and quiet)


@pytest.mark.parametrize(("bound", "size", "possible"), [(0.05, 30, True), (-0.1, 300, True), (-0.9, 30, False)])
def test_what_can_pass_against_a_reference_is_that_all_others_are_better(bound, size, possible):
    task, look = clues({"us": right(0, size), "ng": right(size, size)})
    claim = accuracy(task).gap("dialect", reference="us") < bound
    assert can_pass(claim, {task: task.load()}, Defaults()) is possible
    assert (judge(claim, look).decision.outcome == "pass") is possible
    change = accuracy(task).change().gap("dialect", reference="us") < bound
    assert can_pass(change, {task: task.load()}, Defaults())


def test_what_can_pass_is_not_known_of_every_claim():
    task, _ = clues({"us": right(30, 30), "ng": right(30, 30)})
    samples = {task: task.load()}
    for claim in (
        accuracy(task).gap("dialect") > 0.5,
        accuracy(task).ratio("dialect") < 0.5,
        valid_rate(task).by("dialect") < 0.9,
        mean(task, "exact_match") > 0.5,
        accuracy(task).where(dialect="us") - accuracy(task) < 0.1,
    ):
        assert can_pass(claim, samples, Defaults()) is None


def test_what_recorded_scores_can_show_lies_in_their_range():
    def possible(claim, task):
        return can_pass(claim, {task: task.load()}, Defaults())

    likert = Recorded([{"score": 1}] * 40 + [{"score": 5}] * 40, name="answers", range=(1, 5))
    assert possible(accuracy(likert) > 4, likert) is True
    assert possible(accuracy(likert) > 5.5, likert) is False
    lengths = Recorded([{"score": 100}] * 40, name="answers")
    assert possible(accuracy(lengths) > 50, lengths) is None
