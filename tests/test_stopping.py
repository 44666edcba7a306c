"""Early stopping: clusters in one seeded order, what is settled is asked no more, and the verdict that comes of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from answers import clues, right
from fairprobe import Generation, Recorded, Reward, accuracy, mean, reward, scorers, valid_rate, vendi
from fairprobe.plan import needs
from fairprobe.power import favourable, planned
from fairprobe.stopping import LEAST, LOOKS, Stopping, begin
from fairprobe.verdict import Defaults, judge

BENCHMARK = Defaults(scope="benchmark")


def asked_whole(*begun):
    """Why an expectation is asked whole."""
    start = begin(*begun)
    return start if isinstance(start, str) else start.asked_whole


def shuffled(count, of, seed=0):
    """So many right answers, in any order."""
    return np.random.default_rng([seed, count]).permutation(right(count, of)).tolist()


def played(expectation, task, look, defaults=BENCHMARK):
    """The expectation asked until it is settled; and how far it had come at each look."""

    def unasked(stopping):
        def partly(of, role):
            whole, asked = look(of, role), stopping.asked
            scores = {name: np.where(asked, held, np.nan) for name, held in whole.scores.items()}
            return replace(whole, scores=scores, status=np.where(asked, whole.status, "missing"))

        return partly

    samples = {task: task.load()}
    best = favourable(expectation, samples)
    history = [Stopping.of(expectation, planned(expectation.question, samples), defaults, best).further()]
    while (after := history[-1].after(unasked(history[-1]))) is not None:
        history.append(after)
    return history, history[-1].judge(unasked(history[-1]))


@pytest.mark.parametrize(
    ("other", "outcome", "most"), [(280, "pass", 0.45), (200, "fail", 0.45), (264, "pass", 1.0), (256, "fail", 1.0)]
)
def test_a_clear_claim_is_decided_on_a_part_and_a_close_one_is_asked_on(other, outcome, most):
    # nobody is told apart where both are right about the same
    task, look = clues({"us": shuffled(280, 400), "ng": shuffled(other, 400, seed=int(other != 280))})
    history, verdict = played(accuracy(task).gap("dialect") < 0.05, task, look)
    assert verdict.outcome == outcome
    asked = history[-1].asked.mean()
    assert asked <= most
    assert asked > 0.9 or most < 1.0
    assert verdict.samples == history[-1].asked.sum()
    assert verdict.samples + sum(group.unasked for group in verdict.groups) == 800


def test_a_benchmark_that_was_asked_whole_has_the_full_runs_verdict():
    task, look = clues({"us": shuffled(300, 400), "ng": shuffled(280, 400, 1)})
    claim = accuracy(task).gap("dialect") <= 0.05
    history, verdict = played(claim, task, look)
    assert history[-1].is_whole
    assert (replace(verdict, seconds=0.0), verdict.stopped) == (judge(claim, look, BENCHMARK), None)
    assert verdict.decision.low == verdict.decision.high == pytest.approx(0.05)


def test_a_claim_about_samples_like_these_keeps_its_inconclusive():
    task, look = clues({"us": shuffled(300, 400), "ng": shuffled(284, 400, 1)})
    history, verdict = played(accuracy(task).gap("dialect") < 0.05, task, look, Defaults())
    assert history[-1].is_whole
    assert verdict.outcome == "inconclusive"
    assert verdict.decision.low < 0.05 < verdict.decision.high
    assert max(verdict.stopped.for_pass, verdict.stopped.for_fail) < 20


def test_it_looks_after_every_twentieth_of_the_clusters_and_takes_them_whole():
    task, look = clues({"us": shuffled(300, 400), "ng": shuffled(281, 400, 1)})
    history, _ = played(accuracy(task).gap("dialect") < 0.05, task, look)
    assert [each.known.tolist() for each in history[:3]] == [[20, 20], [40, 40], [60, 60]]
    assert len(history) <= LOOKS
    clusters = task.load().cluster
    for one, more in pairwise(history):
        assert not (one.asked & ~more.asked).any()
        assert len(set(clusters[more.asked])) * 2 == more.asked.sum()


def test_the_order_is_drawn_by_the_seed_before_anything_is_known():
    task, look = clues({"us": shuffled(300, 400), "ng": shuffled(200, 400, 1)})
    other_answers = clues({"us": shuffled(100, 400), "ng": shuffled(100, 400, 1)})[1]
    claim = accuracy(task).gap("dialect") < 0.05
    one, two = (played(claim, task, each)[0][0].asked for each in (look, other_answers))
    assert (one == two).all()
    assert (played(claim, task, look, replace(BENCHMARK, seed=1))[0][0].asked != one).any()


def test_all_expectations_of_a_task_take_its_clusters_in_one_order():
    task, look = clues({"us": shuffled(300, 400), "ng": shuffled(200, 400, 1)})
    one, other = (
        played(each, task, look)[0][0].asked
        for each in (accuracy(task).gap("dialect") < 0.05, valid_rate(task).by("dialect") > 0.5)
    )
    assert (one == other).all()
    [alone] = {tuple(played(accuracy(task).where(dialect="us") > 0.5, task, look)[0][0].asked.tolist())}
    assert set(np.flatnonzero(alone)) <= set(np.flatnonzero(one))


def test_groups_that_are_settled_are_asked_no_more_while_others_are():
    task, look = clues({
        "a": shuffled(380, 400), "b": shuffled(380, 400, 1), "c": shuffled(362, 400, 2)
    })  # fmt: skip
    history, verdict = played(accuracy(task).by("dialect") > 0.88, task, look)
    known = history[-1].known
    assert known[2] > known[0]
    assert known[2] > known[1]
    assert verdict.outcome == "pass"
    # of what groups were asked, their own sizes tell
    assert [group.samples for group in verdict.groups] == known.tolist()
    assert {guard.name: guard.outcome for guard in verdict.guards}["clusters"] == "pass"


def test_groups_that_stopped_at_different_looks_still_were_to_be_asked_the_same():
    task, look = clues({"a": [1.0] * 600, "b": [1.0] * 600, "c": shuffled(582, 600, 2)})
    history, verdict = played(accuracy(task).gap("dialect", reference="a") < 0.06, task, look)
    assert len(set(history[-1].known.tolist())) > 1
    assert {guard.name: guard.outcome for guard in verdict.guards}["overlap"] == "pass"
    assert verdict.outcome == "pass"


def test_a_pass_that_a_guard_contradicts_is_asked_to_the_end():
    empty = ["empty"] * 60 + [1.0] * 340
    task, look = clues({
        dialect: np.random.default_rng(seed).permutation(np.array(empty, dtype=object)).tolist()
        for seed, dialect in enumerate(("us", "ng"))
    })  # fmt: skip
    history, verdict = played(accuracy(task).gap("dialect") < 0.2, task, look)
    assert verdict.outcome == "invalid"
    assert history[-1].is_whole


def test_little_is_not_looked_at_however_clear_it_is():
    task, look = clues({"us": [1.0] * 60, "ng": [0.0] * 60})
    history, verdict = played(accuracy(task).gap("dialect") < 0.05, task, look)
    assert verdict.outcome == "fail"
    assert history[-1].known.min() >= LEAST


def test_a_change_asks_both_checkpoints_and_is_decided_by_both():
    task, look = clues(
        {"us": shuffled(300, 400), "ng": shuffled(200, 400, 1)}, {"us": shuffled(300, 400), "ng": shuffled(300, 400, 1)}
    )
    history, verdict = played(accuracy(task).change().gap("dialect", reference="us") < 0.05, task, look)
    assert history[0].roles == ("model", "baseline")
    assert verdict.outcome == "fail"
    assert history[-1].asked.mean() < 0.6


def test_missing_answers_stand_against_either_claim():
    lost = np.random.default_rng(3).permutation(np.array(["error"] * 2 + [1.0] * 398, dtype=object)).tolist()
    task, look = clues({"us": [1.0] * 400, "ng": lost})
    _, verdict = played(accuracy(task).gap("dialect") < 0.05, task, look)
    assert verdict.outcome == "pass"
    assert verdict.decision.high > played(accuracy(task).gap("dialect") < 0.05, *clues({
        "us": [1.0] * 400, "ng": [1.0] * 400
    }))[1].decision.high  # fmt: skip


ROWS = [{"id": at, "dialect": name, "clue": f"{name} {at}", "word": "otter"} for at in range(400) for name in "ab"]
TASK = Generation(ROWS, "{clue}", target="word", name="clues", pair="id")
DRAWN = Generation(ROWS, "{clue}", target="word", name="drawn", pair="id", samples=3, temperature=1.0)


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (accuracy(TASK).gap("dialect") < 0.1, None),
        (accuracy(TASK).change().gap("dialect") < 0.1, None),
        (mean(TASK, "exact_match").near(0.5).by("dialect") < 0.1, None),
        (accuracy(DRAWN).gap("dialect") < 0.1, None),
        ((accuracy(DRAWN).gap("dialect") < 0.1).at(scope="benchmark"), "with answers that are drawn"),
        ((accuracy(TASK).gap("dialect") < 0.1).guard(valid_rate(TASK) > 0.9), "guarded by other expectations"),
        ((accuracy(TASK) - accuracy(DRAWN)).gap("dialect") < 0.1, "of several tasks"),
        (vendi(DRAWN).gap("dialect") < 0.1, "no means of samples"),
        (accuracy(TASK).where(id=3) > 0.1, "too few clusters"),
    ],
)
def test_what_cannot_stop_early_says_why(claim, reason):
    samples = {task: task.load() for task in (TASK, DRAWN)}
    said = asked_whole(claim, planned(claim.question, samples), Defaults(), favourable(claim, samples))
    assert said is reason if reason is None else reason in said


BY_JUDGE = scorers.judged_by("a judge", "Is {response} right?")
JUDGED = Generation(ROWS, "{clue}", target="word", name="judged", pair="id", scorer=BY_JUDGE)
REWARDS = Reward(ROWS, "{clue}", "word", name="rewards", pair="id")


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (reward(REWARDS).gap("dialect") < 0.1, "unbounded"),
        (accuracy(JUDGED).gap("dialect") < 0.1, "asked in rounds"),
        (accuracy(TASK).relative().by("dialect") > 0.5, "no means of samples"),
    ],
)  # fmt: skip
def test_what_is_no_plain_mean_says_what_it_is(claim, reason):
    samples = {task: task.load() for task, _ in needs(claim)}
    assert asked_whole(claim, planned(claim.question, samples), Defaults(), None) == reason


def test_what_is_recorded_spares_nothing():
    task = Recorded([{"dialect": "a", "score": 1.0}, {"dialect": "b", "score": 1.0}], score="score", name="kept")
    claim = accuracy(task).gap("dialect") < 0.1
    samples = {task: task.recorded("any")}
    assert asked_whole(claim, planned(claim.question, samples), Defaults(), None) == "recorded"


def test_a_claim_that_no_bet_could_win_is_asked_at_once_and_judged_as_in_a_full_run():
    task, look = clues({"us": [1.0] * 100, "ng": [1.0] * 100})
    claim = accuracy(task).by("dialect") > 0.95
    samples = {task: task.load()}
    question = planned(claim.question, samples)
    assert "too few clusters" in asked_whole(claim, question, Defaults(), favourable(claim, samples))
    history, verdict = played(claim, task, look, Defaults())
    assert len(history) == 1
    assert (verdict.outcome, verdict.stopped) == ("pass", None)
    # of these very samples every answer decides
    assert asked_whole(claim, question, BENCHMARK, favourable(claim, samples)) is None
