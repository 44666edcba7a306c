"""What an expectation could decide is told before anything is asked."""

from __future__ import annotations

import numpy as np
import pytest

from answers import clues, right
from fairprobe import BadData, Generation, Recorded, accuracy, mean, valid_rate
from fairprobe.power import foresee
from fairprobe.verdict import Defaults


def foreseen(claim, size=300, groups=("us", "ng"), look=None, **defaults):
    task, _ = clues({group: right(size, size) for group in groups})
    return foresee(claim(task), {task: task.load()}, look, Defaults(**defaults))


def test_samples_and_clusters_are_counted_and_the_verdict_on_the_best_answers_told():
    few = foreseen(lambda task: accuracy(task).gap("dialect") < 0.05, size=30)
    assert (few.samples, few.clusters, few.can_pass, few.assumed) == (60, 30, False, True)
    assert foreseen(lambda task: accuracy(task).gap("dialect") < 0.05).can_pass


def test_without_answers_equal_groups_with_half_in_common_are_assumed():
    power = foreseen(lambda task: accuracy(task).gap("dialect") < 0.1).power
    # 300 pairs whose answers are correlated by half; equal groups are shown within 4.13 / sqrt 2 errors of a difference
    assert 0.1 - power.below == pytest.approx(2.92 * (2 * 0.21 * 0.5 / 300) ** 0.5, rel=0.1)
    assert power.needed < 300


@pytest.mark.parametrize("size", [10, 20, 100, 720])
def test_what_is_needed_hardly_depends_on_how_many_samples_there_are(size):
    # docs/statistics.md: two groups, the same questions, correlated by half, a bound of 5 points
    needed = foreseen(lambda task: accuracy(task).gap("dialect") < 0.05, size=size).power.needed
    assert needed == pytest.approx(720, rel=0.12)


def test_a_floor_is_told_half_way_to_the_best():
    power = foreseen(lambda task: accuracy(task).by("dialect") > 0.9).power
    assert 0.9 < power.above < 0.97
    assert power.below < 0.9
    assert foreseen(lambda task: valid_rate(task) > 0.9).power.needed < 300


def test_a_change_is_told_for_a_model_that_did_not_change():
    power = foreseen(lambda task: accuracy(task).change() > -0.05).power
    assert power.above == pytest.approx(-0.05 + 2.49 * (2 * 0.21 * 0.5 / 300) ** 0.5, abs=0.02)
    assert 200 < power.needed < 1200
    assert foreseen(lambda task: accuracy(task).change() > 0.05).power.needed is None


def test_kept_answers_tell_how_answers_vary():
    model = {"us": right(285, 300), "ng": right(285, 300)}
    task, look = clues(model)
    kept = foresee(accuracy(task).gap("dialect") < 0.05, {task: task.load()}, look, Defaults())
    assumed = foresee(accuracy(task).gap("dialect") < 0.05, {task: task.load()}, None, Defaults())
    assert (kept.assumed, assumed.assumed) == (False, True)
    assert kept.power.needed < assumed.power.needed / 10


def test_a_floor_is_told_by_the_worst_kept_value():
    task, look = clues({"us": right(280, 300), "ng": right(240, 300)})

    def needed(bound):
        return foresee(accuracy(task).by("dialect") > bound, {task: task.load()}, look, Defaults()).power.needed

    assert needed(0.7) < needed(0.78)
    assert needed(0.85) is None


def test_of_a_benchmark_that_is_asked_whole_everything_is_told():
    exact = foreseen(lambda task: (accuracy(task).gap("dialect") < 0.05).at(scope="benchmark"), size=30)
    assert (exact.exact, exact.power, exact.can_pass) == (True, None, True)
    part = foreseen(lambda task: (accuracy(task).gap("dialect") < 0.05).at(scope="benchmark"), size=30, limited=True)
    assert not part.exact
    assert part.power.below < 0.05 < part.power.above


def test_of_values_without_ends_nothing_is_known_before_there_are_some():
    rows = [{"reward": reward, "group": group} for group in "ab" for reward in np.linspace(-3, 3, 60).tolist()]
    task = Recorded(rows, score="reward", name="rewards")
    samples = {task: task.load()}
    unknown = foresee(mean(task, "reward").gap("group") < 1, samples, None, Defaults())
    assert (unknown.power, unknown.can_pass, unknown.samples) == (None, None, 120)
    outcomes = task.outcomes(samples[task])
    known = foresee(mean(task, "reward").gap("group") < 2, samples, lambda *_: outcomes, Defaults())
    assert known.power.below < 2 < known.power.above


def test_one_cluster_tells_nothing_and_breaks_nothing():
    one = foreseen(lambda task: accuracy(task).gap("dialect") < 0.1, size=1)
    assert (one.can_pass, one.power.needed) == (False, None)
    assert one.power.below == -np.inf


def test_a_rate_near_one_takes_as_many_as_its_own_limits_do():
    task, look = clues({"us": right(100, 100), "ng": right(100, 100)})
    needed = foresee(valid_rate(task).by("dialect") > 0.95, {task: task.load()}, look, Defaults()).power.needed
    assert needed == pytest.approx(59, abs=1), "0.95 to the 59th is less than 0.05"
    floor = foresee(accuracy(task).by("dialect") > 0.3, {task: task.load()}, look, Defaults()).power.needed
    assert floor >= 10, "with fewer nothing passes"


def test_what_would_not_be_measured_is_bad_data():
    rows = [{"id": n, "dialect": d, "weight": float(d == "us"), "score": 1.0} for d in ("us", "ng") for n in range(40)]
    task = Recorded(rows, name="weighted", weight="weight")
    with pytest.raises(BadData, match="would not be measured: the weights sum to 0 in ng"):
        foresee(accuracy(task).gap("dialect") < 0.1, {task: task.load()}, None, Defaults())


def test_two_tasks_of_the_same_clusters_are_told_as_pairs():
    def task(name):
        rows = [{"id": n, "dialect": "us", "clue": f"{n}", "word": "w"} for n in range(300)]
        return Generation(rows, "{clue}", target="word", name=name, pair="id")

    one, other = task("one"), task("other")
    power = foresee(
        accuracy(one) - accuracy(other) < 0.1, {one: one.load(), other: other.load()}, None, Defaults()
    ).power
    assert 0.1 - power.below == pytest.approx(2.49 * (2 * 0.21 * 0.5 / 300) ** 0.5, rel=0.25)


def test_values_without_ends_of_too_few_clusters_cannot_pass():
    rows = [{"reward": reward, "group": group} for group in "ab" for reward in np.linspace(-3, 3, 12).tolist()]
    task = Recorded(rows, score="reward", name="rewards")
    claim = mean(task, "reward").gap("group") < 2
    assert foresee(claim, {task: task.load()}, None, Defaults()).can_pass is False
    waived = claim.waive("clusters", because="so few there are")
    assert foresee(waived, {task: task.load()}, None, Defaults()).can_pass is None
