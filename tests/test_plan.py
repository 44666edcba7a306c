"""A plan asks every distinct request once, in an order that shares beginnings; a subset keeps pairs and groups."""

from __future__ import annotations

from collections import Counter

import pytest

from fairprobe import BadData, Generation, MultipleChoice, Recorded, accuracy, mean, valid_rate
from fairprobe.plan import Plan, check_names, needs, plan, subset


def clues(rows=None, name="clues", **named):
    rows = rows or [
        {"id": number, "dialect": dialect, "clue": f"{dialect}: clue {number}", "word": "otter"}
        for number in range(3) for dialect in ("us", "ng")
    ]  # fmt: skip
    return Generation(rows, "{clue}", **{"target": "word", "name": name, **named})


def planned(*expectations):
    tasks = dict.fromkeys(task for expectation in expectations for task, _ in needs(expectation))
    return plan(expectations, {task: task.requests(task.load()) for task in tasks if task.asks})


def counts(made):
    return made.wanted, made.distinct


def test_nothing_wants_nothing():
    assert plan([], {}) == Plan()
    assert counts(Plan()) == (0, 0)


def test_each_sample_is_asked_once_however_many_tests_want_it():
    task = clues()
    made = planned(accuracy(task).gap("dialect") < 0.05, accuracy(task).by("dialect") > 0.3, valid_rate(task) > 0.9)
    assert counts(made) == (18, 6)


def test_equal_requests_of_groups_and_tasks_are_one():
    same = [
        {"id": number, "dialect": dialect, "clue": "Which word?", "word": "otter"}
        for number in range(3)
        for dialect in ("us", "ng")
    ]
    one, other = clues(same), clues(same, name="again", target=None, scorer=lambda *_: 1.0)
    assert counts(planned(accuracy(one) > 0.3, accuracy(other) > 0.3)) == (12, 1)


def test_other_settings_are_other_requests():
    made = planned(accuracy(clues()) > 0.3, accuracy(clues(name="short", max_tokens=3)) > 0.3)
    assert counts(made) == (12, 12)


def test_each_draw_is_a_request():
    assert counts(planned(accuracy(clues(samples=4, temperature=1.0)) > 0.3)) == (24, 24)


def test_a_change_asks_the_baseline_as_well():
    task = clues()
    made = planned(accuracy(task).change() > 0, accuracy(task) > 0.3)
    assert counts(made) == (18, 12)
    assert list(made.requests) == ["model", "baseline"]
    assert made.requests["model"] == made.requests["baseline"]


def test_a_guard_is_asked_too():
    task, other = clues(), clues([{"clue": "?", "word": "x"}], name="other")
    guarded = (accuracy(task) > 0.3).guard(valid_rate(other) > 0.9).guard(accuracy(other).change() > 0)
    assert needs(guarded) == [(task, "model"), (other, "model"), (other, "baseline")]
    made = planned(guarded)
    assert {role: len(requests) for role, requests in made.requests.items()} == {"model": 7, "baseline": 1}


def test_a_difference_needs_both_tasks():
    one, other = clues(), clues([{"clue": "?", "word": "x"}], name="other")
    assert needs(accuracy(one) - accuracy(other).change() > 0) == [
        (one, "model"),
        (other, "model"),
        (other, "baseline"),
    ]
    assert needs((accuracy(one) - accuracy(other)).change().where(dialect="us") > 0) == [
        (one, "model"), (one, "baseline"), (other, "model"), (other, "baseline"),
    ]  # fmt: skip


def test_nothing_is_asked_for_a_recording():
    task = Recorded([{"score": 1.0, "n": 3}], name="answers")
    made = planned(accuracy(task) > 0.3, mean(task, "n") > 0.3)
    assert counts(made) == (0, 0)
    assert made.requests == {}


def test_prompts_that_begin_alike_are_asked_together():
    rows = [
        {"clue": f"{passage} Question {number}?", "word": "x"}
        for number in range(3)
        for passage in ("The sea.", "A law.", "Zoo.")
    ]
    choices = MultipleChoice(
        [{"q": row["clue"], "right": 0} for row in rows], "{q}", options=("yes", "no"), answer="right", name="choices"
    )  # fmt: skip
    ordered = planned(accuracy(clues(rows)) > 0.3, accuracy(choices) > 0.3).requests["model"]
    kinds = [(type(request).__name__, request.prompt.text.split(".")[0]) for request in ordered]
    assert kinds == [
        *[("Choose", beginning) for beginning in ("A law", "The sea", "Zoo") for _ in range(3)],
        *[("Generate", beginning) for beginning in ("A law", "The sea", "Zoo") for _ in range(3)],
    ]


def test_the_order_of_tests_changes_nothing_that_is_asked():
    one, other = accuracy(clues()) > 0.3, accuracy(clues([{"clue": "?", "word": "x"}], name="other")) > 0.3
    assert planned(one, other).requests == planned(other, one).requests


def test_two_different_tasks_of_one_name_are_refused():
    one, other = clues(), clues(max_tokens=3)
    check_names([one, clues(), one])
    with pytest.raises(BadData) as refused:
        check_names([one, other])
    assert str(refused.value) == (
        "two different tasks are named 'clues': Generation('clues', 6 samples) and Generation('clues', 6 samples). "
        "Give one of them another name=."
    )


# -- subsets


def paired(size=50):
    rows = [
        {"id": number, "dialect": dialect, "clue": f"{dialect} {number}", "word": "x"}
        for number in range(size)
        for dialect in ("us", "ng")
    ]
    return clues(rows, pair="id").load()


def test_without_a_limit_or_under_it_all_samples_are_taken():
    samples = paired()
    assert subset(samples, None, 0) is samples
    assert subset(samples, 100, 0) is samples


def test_pairs_stay_whole():
    drawn = subset(paired(), 21, 0)
    assert len(drawn) == 20
    assert set(Counter(drawn.pair.tolist()).values()) == {2}
    assert Counter(drawn.frame["dialect"]) == {"us": 10, "ng": 10}
    assert drawn.cluster.tolist() == drawn.pair.tolist()


def test_a_pair_larger_than_the_limit_is_taken_whole():
    rows = [{"id": 1, "dialect": dialect, "clue": dialect, "word": "x"} for dialect in "abcde"]
    assert len(subset(clues(rows, pair="id").load(), 2, 0)) == 5


def test_groups_stay_balanced():
    rows = [{"dialect": "us" if number < 180 else "ng", "clue": f"{number}", "word": "x"} for number in range(200)]
    drawn = subset(clues(rows).load(), 30, 0)
    assert Counter(drawn.frame["dialect"]) == {"us": 15, "ng": 15}
    assert Counter(subset(clues(rows).load(), 100, 0).frame["dialect"]) == {"us": 80, "ng": 20}


def test_the_order_of_the_samples_is_kept():
    drawn = subset(paired(), 20, 3)
    assert drawn.pair.tolist() == sorted(drawn.pair.tolist())


def test_a_seed_draws_the_same_samples_again_and_another_seed_others():
    drawn = [subset(paired(), 20, seed).pair.tolist() for seed in (7, 7, 8)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_weights_follow_their_samples():
    rows = [{"clue": f"{number}", "word": "x", "w": float(number)} for number in range(60)]
    drawn = subset(clues(rows, weight="w").load(), 5, 0)
    assert [f"{weight:.0f}" for weight in drawn.weight] == drawn.frame["clue"].to_list()


def test_a_subset_is_not_balanced_by_what_is_scored():
    rows = [{"d": d, "score": float(i % 10 > 0)} for d in ("us", "ng") for i in range(500)]
    task = Recorded(rows, name="answers")
    samples = task.load()
    drawn = subset(samples, 200, 0, task.scored_columns)
    assert Counter(drawn.frame["d"]) == {"us": 100, "ng": 100}
    assert 0.8 < drawn.frame["score"].mean() < 0.99
