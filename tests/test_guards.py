"""A guard fires where a pass would be no evidence, at the design's limits and not before."""

from __future__ import annotations

import numpy as np
import pytest

from answers import clues, right
from fairprobe import MultipleChoice, Recorded, accuracy, mean, refusal_rate, valid_rate
from fairprobe.requests import Chosen
from fairprobe.tasks import Outcomes
from fairprobe.verdict import judge


def verdict(model, baseline=None, claim=lambda task: accuracy(task).gap("dialect") < 0.5):
    task, look = clues(model, baseline)
    return judge(claim(task), look)


def found(judged, name):
    """The outcomes of the guards of a name, in their order."""
    return [guard.outcome for guard in judged.guards if guard.name == name]


def details(judged, name):
    return [guard.detail for guard in judged.guards if guard.name == name]


HALF = {"us": right(60, 100), "ng": right(60, 100)}


def test_a_healthy_run_is_quiet():
    healthy = verdict(HALF)
    assert healthy.outcome == "pass"
    assert [(guard.name, guard.outcome) for guard in healthy.guards] == [
        ("clusters", "pass"),
        ("answered", "pass"),
        ("valid_rate", "pass"),
        ("truncated", "pass"),
        ("above_chance", "pass"),
        ("duplicates", "pass"),
        ("leaked", "pass"),
        ("unwinnable", "pass"),
        ("overlap", "pass"),
        ("ceiling", "pass"),
    ]
    assert healthy.caveats == ()


@pytest.mark.parametrize(("size", "outcome"), [(9, "fail"), (10, "pass")])
def test_ten_clusters_are_enough(size, outcome):
    judged = verdict({"us": right(size, size), "ng": right(size, size)})
    assert found(judged, "clusters") == [outcome]
    assert judged.outcome == ("pass" if outcome == "pass" else "invalid")


def test_the_smallest_group_needs_ten_clusters():
    assert details(verdict({"us": right(90, 90), "ng": right(9, 9)}), "clusters") == [
        "9 clusters in ng; a verdict needs 10 in every group"
    ]


@pytest.mark.parametrize(("size", "outcome"), [(29, "fail"), (30, "pass")])
def test_an_unbounded_metric_needs_thirty_clusters(size, outcome):
    task = Recorded(
        [{"g": group, "score": 2.0 + number % 2} for group in "ab" for number in range(size)], name="answers"
    )
    judged = judge(accuracy(task).gap("g") < 1, lambda asked, role: asked.outcomes(asked.load()))
    assert found(judged, "clusters") == [outcome]


def test_samples_of_one_cluster_count_once():
    rows = [{"g": group, "passage": number % 5, "score": 1.0} for group in "ab" for number in range(50)]
    task = Recorded(rows, name="answers", cluster="passage")
    judged = judge(accuracy(task).gap("g") < 0.5, lambda asked, role: asked.outcomes(asked.load()))
    assert details(judged, "clusters") == ["5 clusters in a; a verdict needs 10 in every group"]


# of 100 answers 81 % are shown below 90 % at one-sided 99 %, 82 % are not
@pytest.mark.parametrize(("bad", "outcome"), [(18, "pass"), (19, "fail")])
@pytest.mark.parametrize("status", ["empty", "unparsable", "refused"])
def test_nine_in_ten_answers_are_valid(bad, outcome, status):
    judged = verdict({"us": right(60, 100 - bad) + [status] * bad, "ng": right(60, 100 - bad) + [status] * bad})
    assert found(judged, "valid_rate") == [outcome]
    shown = "; shown below 90%" if outcome == "fail" else ""
    assert details(judged, "valid_rate") == [f"{100 - bad}.0% valid in ng ({bad} {status}){shown}"]


@pytest.mark.parametrize(("bad", "outcome"), [(13, "pass"), (60, "fail")])
def test_groups_have_about_the_same_share_of_valid_answers(bad, outcome):
    judged = verdict({"us": right(200, 400), "ng": right(200, 400 - bad) + ["empty"] * bad})
    assert found(judged, "valid_rate") == [outcome]
    assert ("groups shown to differ by more than 10%" in details(judged, "valid_rate")[0]) == (outcome == "fail")


@pytest.mark.parametrize(("cut", "outcome"), [(18, "pass"), (19, "fail")])
def test_one_in_ten_answers_may_be_truncated(cut, outcome):
    judged = verdict({"us": right(60, 100), "ng": right(60, 100 - cut) + ["truncated"] * cut})
    assert found(judged, "truncated") == [outcome]
    assert details(judged, "truncated")[0].startswith(f"{cut}.0% truncated in ng")
    assert found(judged, "valid_rate") == ["pass"], "a truncated answer is an answer"


# of 100 answers 12 right are shown above 5 % at one-sided 99 %, 11 are not
@pytest.mark.parametrize(("count", "outcome"), [(11, "fail"), (12, "pass")])
def test_the_best_off_group_is_above_chance(count, outcome):
    judged = verdict({"us": right(count, 100), "ng": right(0, 100)})
    assert found(judged, "above_chance") == [outcome]
    missed = "; not shown above chance" if outcome == "fail" else ""
    assert details(judged, "above_chance") == [f"best-off group us at {count}.0%, chance 5.0%{missed}"]


def test_a_checkpoint_that_answers_nothing_right_shows_no_equality():
    judged = verdict(
        {"us": right(1, 200), "ng": right(1, 200)}, claim=lambda task: accuracy(task).gap("dialect") < 0.05
    )
    assert judged.decision.outcome == "pass"
    assert judged.outcome == "invalid"


def test_chance_of_a_choice_is_one_over_its_options():
    rows = [
        {"number": number, "options": ["a", "b", "c", "d"], "right": "a", "g": group}
        for group in "xy"
        for number in range(50)
    ]
    task = MultipleChoice(rows, "{number}?", options="options", answer="right", name="choices")

    def look(asked, role):
        hits = [number % 2 == 0 for number in range(100)]
        given = [[Chosen((0.0, -1.0, -2.0, -3.0) if hit else (-1.0, 0.0, -2.0, -3.0), (1,) * 4, 5)] for hit in hits]
        return asked.outcomes(asked.load(), given)

    assert details(judge(accuracy(task).gap("g") < 0.5, look), "above_chance") == [
        "best-off group x at 50.0%, chance 25.0%"
    ]


def lettered(mass, scoring="letter"):
    rows = [{"number": number, "right": number % 2, "g": group} for group in "xy" for number in range(50)]
    options = ("cow", "honey")
    task = MultipleChoice(rows, "{number}?", options=options, answer="right", scoring=scoring, name="choices")

    def look(asked, role):
        samples = asked.load()
        right = samples.frame["right"].to_list()
        groups = samples.frame["g"].to_list()
        return asked.outcomes(samples, [
            [Chosen((-1.0, -2.0) if index == 0 else (-2.0, -1.0), (1, 1), 5, mass[group])]
            for index, group in zip(right, groups, strict=True)
        ])  # fmt: skip

    return judge(accuracy(task).gap("g") < 0.5, look)


@pytest.mark.parametrize(("least", "outcome"), [(0.2, "fail"), (0.8, "pass")])
def test_letters_that_carry_little_of_the_probability_are_no_evidence(least, outcome):
    judged = lettered({"x": 0.9, "y": least})
    assert judged.outcome == ("pass" if outcome == "pass" else "invalid")
    assert found(judged, "option_mass") == [outcome]
    assert details(judged, "option_mass")[0].startswith(f"{least:.1%} of the probability on the options in y")


def test_a_probability_of_letters_that_no_engine_gave_is_no_number():
    assert found(lettered({"x": None, "y": None}), "option_mass") == []
    assert found(lettered({"x": 0.1, "y": 0.1}, scoring="text"), "option_mass") == []


def test_a_recording_is_above_the_chance_that_it_names_and_says_when_it_names_none():
    rows = [{"g": group, "score": 0.0} for group in "ab" for _ in range(20)]

    def look(asked, role):
        return asked.outcomes(asked.load())

    unknown, named = Recorded(rows, name="answers"), Recorded(rows, name="answers", at_chance=0.25)
    quiet, broken = (judge(accuracy(task).gap("g") < 0.5, look) for task in (unknown, named))
    assert (quiet.outcome, broken.outcome) == ("pass", "invalid")
    assert quiet.caveats == ("above_chance: not known for answers: say it with at_chance=0.25",)


def test_chance_is_that_of_the_samples_that_are_read():
    rows = [
        {"kind": kind, "options": list("abcdefgh")[:size], "right": "a"}
        for kind, size in (("two", 2), ("eight", 8))
        for _ in range(100)
    ]
    task = MultipleChoice(rows, "{kind}", options="options", answer="right", name="mixed")
    samples = task.load()
    half = [float(row["kind"] == "eight" or place % 2) for place, row in enumerate(samples.rows)]
    coin = Outcomes(samples, {"accuracy": np.array(half)}, np.full(200, "ok", dtype=object))
    judged = judge(accuracy(task).where(kind="two") > 0.3, lambda task, role: coin)
    assert judged.outcome == "invalid"


def test_a_mean_has_no_chance():
    judged = verdict(HALF, claim=lambda clues: mean(clues, "exact_match").gap("dialect") < 0.5)
    assert found(judged, "above_chance") == []


def test_a_baseline_at_its_floor_is_a_caveat():
    judged = verdict(
        HALF,
        {"us": right(0, 100), "ng": right(0, 100)},
        claim=lambda task: accuracy(task).change().gap("dialect") < 0.5,
    )
    assert found(judged, "above_chance") == ["pass", "caveat"]
    assert judged.outcome == "pass"
    assert judged.caveats == (
        "above_chance: best-off group ng (baseline) at 0.0%, chance 5.0%; not shown above chance",
    )


def test_a_baselines_answers_are_guarded_too():
    broken = {"us": right(60, 100), "ng": right(20, 40) + ["empty"] * 60}
    judged = verdict(HALF, broken, claim=lambda task: accuracy(task).change().gap("dialect") < 0.9)
    assert found(judged, "valid_rate") == ["pass", "fail"]
    assert "40.0% valid in ng (baseline) (60 empty)" in details(judged, "valid_rate")[1]


@pytest.mark.parametrize(("lacking", "outcome"), [(1, "pass"), (2, "fail")])
@pytest.mark.parametrize("status", ["error", "missing"])
def test_one_in_a_hundred_may_lack_an_answer(lacking, outcome, status):
    judged = verdict({"us": right(60, 100), "ng": right(60, 100 - lacking) + [status] * lacking})
    assert found(judged, "answered") == [outcome]
    assert details(judged, "answered") == [f"{lacking} of 100 not answered in ng"]
    assert judged.outcome == ("pass" if outcome == "pass" else "invalid")


def test_a_group_without_an_answer_fires_every_guard_that_reads_it():
    judged = verdict({"us": right(60, 100), "ng": ["error"] * 100})
    assert {guard.name for guard in judged.guards if guard.fired} == {
        "clusters",
        "answered",
        "valid_rate",
        "truncated",
        "above_chance",
    }
    assert details(judged, "valid_rate") == ["a group has no answer at all"]


def test_a_shown_fail_stays_a_fail_with_the_guard_beside_it():
    judged = verdict(
        {"us": right(95, 100), "ng": right(5, 40) + ["empty"] * 60},
        claim=lambda task: accuracy(task).gap("dialect") < 0.1,
    )
    assert judged.outcome == "fail"
    assert found(judged, "valid_rate") == ["fail"]


def test_an_undecided_claim_with_a_fired_guard_is_invalid():
    judged = verdict(
        {"us": right(95, 100), "ng": right(5, 40) + ["empty"] * 60},
        claim=lambda task: accuracy(task).gap("dialect") < 0.88,
    )
    assert judged.decision.outcome == "inconclusive"
    assert judged.outcome == "invalid"


def test_a_valid_rate_is_not_guarded_by_itself():
    judged = verdict(
        {"us": right(95, 100), "ng": right(5, 40) + ["empty"] * 60},
        claim=lambda task: valid_rate(task).by("dialect") > 0.3,
    )
    assert [guard.name for guard in judged.guards] == ["clusters", "answered", "truncated", "duplicates", "leaked"]
    assert judged.outcome == "pass"


def test_a_waiver_lets_the_verdict_stand_and_says_why():
    few = {"us": right(8, 9), "ng": right(8, 9)}
    judged = verdict(few, claim=lambda task: (accuracy(task).gap("dialect") < 0.5).waive("clusters", because="a pilot"))
    assert judged.outcome == "pass"
    assert found(judged, "clusters") == ["waived"]
    assert judged.caveats == ("clusters: 9 clusters in ng; a verdict needs 10 in every group; waived because a pilot",)


def test_a_waiver_of_a_quiet_guard_changes_nothing():
    judged = verdict(
        HALF, claim=lambda task: (accuracy(task).gap("dialect") < 0.5).waive("clusters", because="a pilot")
    )
    assert found(judged, "clusters") == ["pass"]
    assert judged.caveats == ()


def test_a_guard_of_ones_own_must_be_shown():
    def claim(rate):
        return lambda task: (accuracy(task).gap("dialect") < 0.5).guard(accuracy(task).by("dialect") > rate)

    held, undecided = verdict(HALF, claim=claim(0.4)), verdict(HALF, claim=claim(0.58))
    assert held.outcome == "pass"
    assert details(held, "accuracy(clues).by('dialect') > 0.4") == ["shown"]
    assert undecided.outcome == "invalid"
    assert details(undecided, "accuracy(clues).by('dialect') > 0.58") == ["not shown: inconclusive"]


def test_a_guard_of_ones_own_is_waived_by_its_source():
    def claim(task):
        return (
            (accuracy(task).gap("dialect") < 0.5)
            .guard(accuracy(task) > 0.9)
            .waive("accuracy(clues) > 0.9", because="hard")
        )

    judged = verdict(HALF, claim=claim)
    assert judged.outcome == "pass"
    assert judged.caveats == ("accuracy(clues) > 0.9: not shown: fail; waived because hard",)


def test_a_sentence_of_its_own_passage_is_no_leak():
    said = [f"it swims at night, number {n}" for n in range(20)]
    rows = [{"passage": f"They say: {each}.", "said": each, "g": g, "right": 0} for g in "xy" for each in said]
    task = MultipleChoice(rows, "{passage}\n\n{said}?", options=("yes", "no"), answer="right", name="read")
    assert not task.leaked(task.load()).any()
    shown = MultipleChoice(
        rows, f"{rows[3]['said']}? no\n\n{{said}}?", options=("yes", "no"), answer="right", name="it"
    )
    assert shown.leaked(shown.load()).sum() == 2


def test_empty_answers_are_no_evidence_of_few_refusals():
    judged = verdict(
        {"us": ["empty"] * 100, "ng": ["empty"] * 100}, claim=lambda task: refusal_rate(task).gap("dialect") < 0.05
    )
    assert judged.outcome == "invalid"
    refusing = {"us": right(60, 70) + ["refused"] * 30, "ng": right(60, 70) + ["refused"] * 30}
    shown = verdict(refusing, claim=lambda task: refusal_rate(task).gap("dialect") < 0.3)
    assert found(shown, "valid_rate") == ["pass"]
