"""What a run found, as plain data that JSON keeps, and as text that reads from the top."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest

from answers import clues, right
from fairprobe import FairprobeError, Recorded, accuracy, spearman, valid_rate, win_rate
from fairprobe.report import assemble, banner, engine_lines, entry, error_entry, failure, write
from fairprobe.report.results import suite_facts
from fairprobe.verdict import Defaults, judge

NAMES = {"model": "aligned", "baseline": "base"}
EQUAL = {"us": right(80, 100), "ng": right(80, 100)}
APART = {"us": right(90, 100), "ng": right(70, 100)}
FEW = {"us": right(9, 9), "ng": right(9, 9)}
LACKING = {"us": right(80, 100), "ng": ["error"] * 100}


def judged(test, model, claim, baseline=None, **defaults):
    task, look = clues(model, baseline)
    return entry(test, judge(claim(task), look, Defaults(**defaults)), look, NAMES)


def gap(bound):
    return lambda task: accuracy(task).gap("dialect") < bound


PASS, FAIL = judged("suites/t.py::test_pass", EQUAL, gap(0.05)), judged("suites/t.py::test_fail", APART, gap(0.05))
UNDECIDED, INVALID = (
    judged("suites/t.py::test_undecided", APART, gap(0.25)),
    judged("suites/t.py::test_invalid", FEW, gap(0.5)),
)
UNMEASURED = judged("suites/t.py::test_unmeasured", LACKING, gap(0.5))
BROKEN = error_entry(
    "suites/t.py::test_broken", accuracy(clues(EQUAL)[0]) > 0.3, "no file 'clues.jsonl'", Defaults(), NAMES
)


def results(*entries, **run):
    return assemble({"complete": True, **run}, entries)


# -- the data


def test_an_entry_holds_what_the_schema_says():
    of_the_schema = {
        "test",
        "expression",
        "model",
        "baseline",
        "outcome",
        "value",
        "low",
        "high",
        "confidence",
        "scope",
        "comparison",
        "bound",
        "between",
        "p_value_pass",
        "p_value_fail",
        "samples",
        "clusters",
        "needed",
        "more_samples",
        "method",
        "mode",
        "groups",
        "guards",
        "failures",
    }
    for each in (PASS, FAIL, UNDECIDED, INVALID, UNMEASURED, BROKEN):
        assert of_the_schema <= each.keys()
        assert each.keys() == PASS.keys()


def test_an_entry_says_what_was_claimed_and_found():
    wanted = {
        "test": "suites/t.py::test_fail", "expression": "accuracy(clues).gap('dialect') < 0.05", "metric": "accuracy",
        "question": "gap", "columns": ["dialect"], "reference": None, "model": "aligned", "baseline": None,
        "comparison": "<", "bound": 0.05, "confidence": 0.95, "scope": "population", "mode": "prove", "outcome": "fail",
        "red": True, "between": ["us", "ng"], "samples": 200, "clusters": 100, "range": [0.0, 1.0], "missed": 40,
        "answered": 200, "error": None,
    }  # fmt: skip
    assert {name: FAIL[name] for name in wanted} == wanted
    assert FAIL["value"] == pytest.approx(0.2)
    assert FAIL["groups"][0] == {
        "group": {"dialect": "ng"},
        "value": 0.7,
        "low": pytest.approx(0.62, abs=0.01),
        "high": pytest.approx(0.77, abs=0.01),
        "samples": 100,
        "clusters": 100,
        "statuses": {"ok": 100},
        "left_out": 0,
        "unasked": 0,
        "sides": {},
    }
    assert FAIL["guards"][0] == {
        "name": "clusters", "outcome": "pass", "detail": "100 clusters in ng", "groups": [], "example": None,
    }  # fmt: skip


def test_an_overall_claim_has_one_entry_with_an_empty_group():
    overall = judged("t.py::test", EQUAL, lambda task: accuracy(task) > 0.3)
    assert [(group["group"], group["value"], group["samples"]) for group in overall["groups"]] == [({}, 0.8, 200)]


def test_a_baseline_is_named_where_it_was_read():
    changed = judged(
        "t.py::test", EQUAL, lambda task: accuracy(task).change().gap("dialect", reference="us") < 0.2, APART
    )
    assert (changed["baseline"], changed["reference"]) == ("base", "us")
    assert changed["range"] == [-1.0, 1.0]


def test_a_reference_of_several_columns_is_named_as_its_group_is():
    rows = [{"sex": sex, "old": old, "score": 1.0} for sex in "fm" for old in (True, False) for _ in range(12)]
    task = Recorded(rows, name="answers")

    def look(asked, role):
        return asked.outcomes(asked.load())

    claim = accuracy(task).gap("sex", "old", reference=("f", True)) < 0.5
    held = entry("t.py::test", judge(claim, look), look, NAMES)
    assert held["reference"] == "f x True" == held["between"][0]


def test_what_has_no_evidence_is_null_and_never_a_number():
    for name in ("value", "low", "high", "p_value_pass", "p_value_fail", "needed", "between", "method", "equal_groups"):
        assert UNMEASURED[name] is None
        assert BROKEN[name] is None
    assert [group["value"] for group in UNMEASURED["groups"]] == [None, 0.8]
    assert (UNMEASURED["outcome"], BROKEN["outcome"], BROKEN["red"]) == ("invalid", "error", True)


def is_plain(value):
    if type(value) in {list, dict}:
        return all(map(is_plain, value.values() if isinstance(value, dict) else value))
    return type(value) in {str, int, float, bool, type(None)}


def test_everything_is_plain_json():
    made = results(
        PASS,
        FAIL,
        UNDECIDED,
        INVALID,
        UNMEASURED,
        BROKEN,
        seed=np.int64(3),
        when=date(2024, 5, 1),
        rate=float("nan"),
        pair=(1, np.float64(0.5)),
        names={"a"},
    )
    assert is_plain(made)
    assert (made["seed"], made["when"], made["rate"], made["pair"]) == (3, "2024-05-01", None, [1, 0.5])
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_groups_of_any_kind_are_plain():
    rows = [
        {"day": date(2024, 1, day), "old": old, "score": 1.0}
        for day in (1, 2)
        for old in (True, False)
        for _ in range(12)
    ]
    task = Recorded(rows, name="answers")

    def look(asked, role):
        return asked.outcomes(asked.load())

    held = entry("t.py::test", judge(accuracy(task).gap("day", "old") < 0.5, look), look, NAMES)
    assert is_plain(held)
    assert held["groups"][0]["group"] == {"day": "2024-01-01", "old": False}


def test_the_run_and_the_schema_stand_beside_the_verdicts():
    made = results(PASS, started="2024-05-01T12:00:00+0000", waivers=[])
    assert (made["schema"], made["fairprobe"], made["started"], made["waivers"]) == (
        1,
        "0.1.0",
        "2024-05-01T12:00:00+0000",
        [],
    )


def with_p_values(*values):
    return [
        {**PASS, "test": f"t.py::test_{number}", "p_value_pass": p, "p_value_fail": None if p is None else 1 - p}
        for number, p in enumerate(values)
    ]


def test_p_values_are_adjusted_by_holm_over_what_was_judged():
    made = results(*with_p_values(0.01, 0.04, None, 0.03))
    assert [each["p_value_pass_holm"] for each in made["verdicts"]] == [
        pytest.approx(0.03), pytest.approx(0.06), None, pytest.approx(0.06),
    ]  # fmt: skip
    assert [each["p_value_fail_holm"] for each in made["verdicts"]] == [1.0, 1.0, None, 1.0]
    assert [each["p_value_pass"] for each in made["verdicts"]] == [0.01, 0.04, None, 0.03]


def test_fails_are_counted_as_they_stand_over_the_suite_and_change_no_outcome():
    weak = [{**FAIL, "test": f"t.py::test_{place}", "p_value_fail": p} for place, p in enumerate((0.0001, 0.04, 0.03))]
    assert banner(results(*weak)).startswith("3 shown not to hold (1 after Holm's correction for the suite)")
    assert [each["outcome"] for each in results(*weak)["verdicts"]] == ["fail"] * 3
    assert banner(results(FAIL)).startswith("1 shown not to hold. ")


def test_what_is_worth_a_look_is_listed_with_one_false_alarm_in_ten():
    assert results(*with_p_values(0.999, 0.96, None, 0.5, 0.1))["triage"] == ["t.py::test_0", "t.py::test_1"]
    assert results(PASS)["triage"] == results()["triage"] == []


# -- the release


def release(*entries, **run):
    return results(*entries, **run)["release"]


def test_all_claims_shown_is_a_statement_with_its_error():
    assert release(PASS, PASS) == {
        "complete": True,
        "sentence": "All 2 claims are shown; if any of them were false, "
        "this would be said with a probability of at most 0.05.",
    }
    strict = judged("t.py::test", EQUAL, gap(0.1), confidence=0.99)
    assert "at most 0.01." in release(strict)["sentence"]
    assert "at most 0.05." in release(strict, PASS)["sentence"], "the least confident claim counts"


def test_a_claim_that_is_not_shown_is_counted():
    assert release(PASS, FAIL, UNDECIDED, INVALID, BROKEN)["sentence"] == "1 of 5 claims are shown."


def test_alarms_and_expected_failures_claim_nothing():
    alarm = judged("t.py::test_alarm", APART, lambda task: gap(0.05)(task).mode("alarm"))
    assert release(PASS, alarm, {**FAIL, "expected_failure": True})["sentence"] == (
        "The one claim is shown; if it were false, this would be said with a probability of at most 0.05."
    )
    assert release(alarm)["sentence"] == "No claim is made: these are alarms only."


def test_a_part_of_a_suite_says_nothing_of_a_release():
    assert release(PASS, complete=False) == {
        "complete": False, "sentence": "Partial, not complete: no release claim.",
    }  # fmt: skip


def test_a_profile_without_claims_makes_none():
    assert release(PASS, claims=False)["sentence"] == "This profile makes no claim."


# -- samples to read


def sample_ids(each):
    return [(sample["pair"], sample["group"]["dialect"], sample["score"]) for sample in each["failures"]]


def test_the_pairs_that_groups_are_split_on_come_first_and_stand_together():
    missed = judged("t.py::test", {"us": [0.0, 1.0, 1.0, 1.0], "ng": [0.0, 1.0, 0.0, 1.0]}, gap(0.9))
    assert sample_ids(missed) == [("2", "ng", 0.0), ("2", "us", 1.0), ("0", "ng", 0.0), ("0", "us", 0.0)]
    assert (missed["missed"], missed["answered"]) == (3, 8)


def test_a_sample_carries_all_that_is_read_side_by_side():
    task, look = clues({"us": [1.0], "ng": ["error"]})
    [first, second] = entry("t.py::test", judge(gap(0.5)(task), look), look, NAMES)["failures"] or [None, None]
    assert (first, second) == (None, None), "what was not answered was not missed"
    missed = judged("t.py::test", {"us": [1.0], "ng": [0.0]}, gap(0.5))["failures"]
    assert missed[0] == {
        "sample": "clues:1", "pair": "0", "group": {"dialect": "ng"}, "prompt": "clue 0 in ng", "response": "an answer",
        "target": "otter", "score": 0.0, "status": "ok", "missed": True,
    }  # fmt: skip


def test_where_a_value_is_to_be_low_the_high_scores_are_missed():
    answers = {"us": [0.0, 1.0, 0.0], "ng": [0.0, 0.0, 0.0]}
    for claim in (lambda task: accuracy(task).by("dialect") < 0.6, lambda task: accuracy(task) < 0.6):
        low = judged("t.py::test", answers, claim)
        assert sorted((each["sample"], each["missed"]) for each in low["failures"]) == [
            ("clues:1", True),
            ("clues:4", False),
        ]
        assert low["missed"] == 1
    assert judged("t.py::test", answers, gap(0.6))["missed"] == 5, "a gap says nothing of which scores are good"


def test_twenty_pairs_are_shown():
    missed = judged("t.py::test", {"us": right(100, 100), "ng": right(0, 100)}, gap(0.5))
    assert len(missed["failures"]) == 40
    assert missed["missed"] == 100


def test_samples_without_pairs_stand_in_their_order():
    task = Recorded([{"g": "ab"[number % 2], "score": float(number % 3 > 0)} for number in range(90)], name="answers")

    def look(asked, role):
        return asked.outcomes(asked.load())

    held = entry("t.py::test", judge(accuracy(task).gap("g") < 0.5, look), look, NAMES)
    assert [sample["sample"] for sample in held["failures"]] == [f"answers:{number}" for number in range(0, 60, 3)]
    assert held["missed"] == 30


def test_unbounded_scores_are_not_missed():
    task = Recorded([{"g": "ab"[number % 2], "score": -float(number)} for number in range(90)], name="answers")

    def look(asked, role):
        return asked.outcomes(asked.load())

    held = entry("t.py::test", judge(accuracy(task).gap("g") < 5, look), look, NAMES)
    assert (held["missed"], held["failures"]) == (None, [])


def told(rows, claim, **given):
    task = Recorded(rows, name="answers", **given)

    def look(asked, role):
        return asked.outcomes(asked.recorded(role))

    return entry("t.py::test", judge(claim(task), look), look, NAMES)


GRADED = [{"g": g, "q": q, "score": (q + 1) / 20 * (0.5 if g == "a" else 0.9)} for q in range(20) for g in "ab"]


def test_of_graded_scores_the_lowest_are_shown_and_none_is_missed():
    held = told(GRADED, lambda task: accuracy(task).by("g") > 0.1)
    assert held["missed"] is None
    assert [sample["sample"] for sample in held["failures"]][:4] == ["answers:0", "answers:1", "answers:2", "answers:3"]
    assert {sample["missed"] for sample in held["failures"]} == {None}
    low = told(GRADED, lambda task: accuracy(task).by("g") < 0.6)
    assert [sample["sample"] for sample in low["failures"]][:2] == ["answers:39", "answers:38"]


def test_of_graded_pairs_those_furthest_apart_are_shown():
    held = told(GRADED, lambda task: accuracy(task).gap("g") < 0.6, pair="q")
    assert held["missed"] is None
    assert [(sample["pair"], sample["group"]["g"]) for sample in held["failures"]][:4] == [
        ("19", "a"), ("19", "b"), ("18", "a"), ("18", "b"),
    ]  # fmt: skip


def test_samples_without_pairs_are_shown_of_each_group_in_turn():
    rows = [{"g": "ab"[number >= 40], "score": float(number % 2)} for number in range(80)]
    held = told(rows, lambda task: accuracy(task).gap("g") < 0.5)
    assert [sample["sample"] for sample in held["failures"]][:3] == ["answers:0", "answers:40", "answers:2"]


def test_no_rank_is_missed():
    rows = [{"c": c, "q": q, "rank": 1 + (c == "b")} for q in range(20) for c in "ab"]
    wins = told(rows, lambda task: win_rate(task, "a", of="c").by("c") > 0.1, score="rank", pair="q")
    assert (wins["missed"], wins["failures"]) == (None, [])


def test_what_matching_leaves_out_is_counted_by_group():
    rows = [{"g": g, "q": q, "score": float(q % 2)} for g, size in (("a", 20), ("b", 27)) for q in range(size)]
    held = told(rows, lambda task: accuracy(task).matched("g").gap("g") < 0.5, pair="q")
    assert [(group["samples"], group["left_out"]) for group in held["groups"]] == [(20, 0), (20, 7)]
    assert "7 rows left out, their pair is not in every group of g, most in b (7)" in held["caveats"]
    assert text(held)[0][1:4] == [
        "  g  accuracy   n  left out",
        "  a     0.500  20         0",
        "  b     0.500  20         7",
    ]


def test_a_row_that_both_recordings_lack_is_left_out_once():
    rows = [{"g": "ab"[q % 2], "q": q, "score": 0.5 if q > 2 else None} for q in range(40)]
    for key in ("q", ()):
        held = told(rows, lambda task: accuracy(task).change().by("g") > -0.5, key=key, missing="drop")
        assert [(group["samples"], group["left_out"]) for group in held["groups"]] == [(18, 2), (19, 1)]


def test_candidates_without_a_place_in_the_order_are_left_out():
    rows = [
        {"c": f"c{c}", "q": q, "rank": 1 + (c + q) % 30, "order": float(c) if c < 12 else None}
        for q in range(10)
        for c in range(30)
    ]
    held = told(rows, lambda task: spearman(task, "order", of="c") > 0.5, score="rank")
    assert [(group["samples"], group["left_out"]) for group in held["groups"]] == [(120, 180)]
    assert (held["clusters"], held["candidates"]) == (12, "c")
    assert "(95 % each side, 12 clusters, each a c)" in text(held)[0][0]


# -- the text


def text(each):
    """The text without its last line, and where that points."""
    *lines, last = failure(each, "reports/x/index.html").splitlines()
    return lines, last


def test_a_fail_reads_from_the_top():
    lines, last = text(FAIL)
    assert lines == [
        "accuracy(clues).gap('dialect') is 0.200, shown above 0.111 and below 0.265 (95 % each side, 100 clusters), "
        "expected < 0.05: shown not to hold",
        "  dialect  accuracy    n",
        "  ng          0.700  100",
        "  us          0.900  100",
    ]
    assert last.startswith("  40 of 200 samples missed  reports/x/index.html#")


def test_an_undecided_verdict_says_how_many_clusters_would_decide():
    lines, _ = text(UNDECIDED)
    assert lines == [
        "accuracy(clues).gap('dialect') is 0.200, shown above 0.111 and below 0.265 (95 % each side, 100 clusters), "
        "expected < 0.25: not decided",
        "  dialect  accuracy    n",
        "  ng          0.700  100",
        "  us          0.900  100",
        f"  about {UNDECIDED['more_samples']} more samples would decide it: {UNDECIDED['needed']} clusters in the "
        "smallest group, which has 100",
    ]
    assert UNDECIDED["more_samples"] == 2 * (UNDECIDED["needed"] - 100), "each cluster is asked in two dialects"
    assert 150 < UNDECIDED["needed"] < 250


def test_on_the_bound_no_number_of_samples_would_decide():
    on_it = judged("t.py::test", APART, lambda task: accuracy(task).by("dialect") > 0.7)
    assert text(on_it)[0][-1] == "  no number of samples like these would decide it: the value lies at the bound"


def test_samples_without_an_answer_are_named_where_they_leave_it_open():
    open_ = judged("t.py::test", {"us": right(215, 301), "ng": [*right(214, 300), "error"]}, gap(0.012))
    assert (open_["outcome"], open_["needed"]) == ("inconclusive", None)
    assert text(open_)[0][-1] == "  samples were not answered, and their answers could turn it: see to those first"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clusters": 1}, "  a group has one cluster, so nothing is known of how clusters vary: give it more"),
        ({}, "  more samples like these would not decide it at this value"),
    ],
)
def test_more_samples_are_not_asked_for_where_they_would_not_help(changes, said):
    assert text({**UNDECIDED, "needed": None, **changes})[0][-1] == said


def test_needed_and_present_clusters_are_those_of_the_smallest_group():
    rows = [
        {"g": g, "id": f"{g}{number}", "score": float(number % 5 > 0)}
        for g, size in (("a", 900), ("b", 60))
        for number in range(size)
    ]
    task = Recorded(rows, name="answers", cluster="id")

    def look(asked, role):
        return asked.outcomes(asked.load())

    held = entry("t.py::test", judge(accuracy(task).gap("g") < 0.08, look), look, NAMES)
    assert (held["outcome"], held["clusters"]) == ("inconclusive", 60)
    assert 60 < held["needed"] < 200


def test_a_table_is_headed_by_what_its_numbers_are():
    change = judged("t.py::test", EQUAL, lambda task: accuracy(task).change().gap("dialect") < 0.2, APART)
    assert text(change)[0][1] == "  dialect  change in accuracy    n"
    assert text(change)[1].startswith("  40 of 200 samples missed by the model  ")


def test_what_was_asked_whole_is_exact():
    whole = judged("t.py::test", APART, lambda task: (accuracy(task).by("dialect") > 0.8).at(scope="benchmark"))
    assert text(whole)[0][0] == (
        "accuracy(clues).by('dialect') is 0.700, exactly, of these samples, expected > 0.8: shown not to hold"
    )


def test_large_numbers_are_written_out_alike():
    ranks = {**FAIL, "claim": "mean_rank(said) < 120.0", "value": 116.14, "low": 111.2, "high": 121.0, "bound": 120.0}
    assert "is 116.1, shown above 111.2 and below 121.0 (" in text(ranks)[0][0]
    costs = {**ranks, "value": 12345.6, "low": 12000.0, "high": 13000.0, "bound": 14000.0}
    assert "is 12,346, shown above 12,000 and below 13,000 (" in text(costs)[0][0]


def test_a_small_bound_is_told_from_the_value_and_its_limits():
    small = {**FAIL, "claim": "rate(clues) < 0.0005", "value": 0.0004, "low": 0.0001, "high": 0.0012, "bound": 0.0005}
    assert text(small)[0][0].startswith("rate(clues) is 0.0004, shown above 0.0001 and below 0.0012 (")
    close = {**FAIL, "value": 0.05, "low": 0.0499, "high": 0.2}
    assert "is 0.0500, shown above 0.0499 and below 0.2000" in text(close)[0][0]


def test_an_invalid_verdict_names_the_guard():
    lines, last = text(INVALID)
    assert lines == [
        "accuracy(clues).gap('dialect') is 0.000, shown above 0.000 and below 0.231 (95 % each side, 9 clusters), "
        "expected < 0.5: not measured",
        "  dialect  accuracy  n",
        "  ng          1.000  9",
        "  us          1.000  9",
        "  guard clusters: 9 clusters in ng; a verdict needs 10 in every group",
    ]
    assert last.startswith("  reports/x/index.html#"), "nothing was missed"


def test_no_evidence_is_said_and_not_a_number():
    lines, _ = text(UNMEASURED)
    assert lines[:4] == [
        "accuracy(clues).gap('dialect') was not measured: "
        "no sample of ng in Generation('clues', 200 samples) was answered; "
        "expected < 0.5",
        "  dialect     accuracy    n",
        "  ng       no evidence  100",
        "  us             0.800  100",
    ]


def test_what_could_not_be_judged_says_why():
    lines, last = text(BROKEN)
    assert lines == ["accuracy(clues) was not measured: no file 'clues.jsonl'; expected > 0.3"]
    assert last.startswith("  reports/x/index.html#")


def test_the_groups_that_speak_against_the_claim_come_first():
    high = judged("t.py::test", APART, lambda task: accuracy(task).by("dialect") < 0.6)
    assert [line.split()[0] for line in text(high)[0][1:]] == ["dialect", "us", "ng"]


def test_many_groups_are_cut_and_counted():
    rows = [{"country": f"c{number:02}", "score": float(number % 2)} for number in range(30) for _ in range(12)]
    task = Recorded(rows, name="answers")

    def look(asked, role):
        return asked.outcomes(asked.load())

    held = entry("t.py::test", judge(accuracy(task).gap("country") < 0.1, look), look, NAMES)
    lines, _ = text(held)
    assert len(lines) == 1 + 1 + 12 + 1
    assert lines[-1] == "  and 18 more groups"


def test_the_groups_that_decide_are_never_cut():
    rows = [{"country": f"c{number:02}", "score": number / 30} for number in range(30) for _ in range(12)]
    held = told(rows, lambda task: accuracy(task).gap("country", reference="c29") < 0.1)
    shown = [line.split()[0] for line in text(held)[0][2:-1]]
    assert (len(shown), shown[0], shown[-1]) == (12, "c00", "c29")


def test_a_shown_fail_keeps_its_guard_beside_it():
    both = judged("t.py::test", {"us": right(95, 100), "ng": right(5, 40) + ["empty"] * 60}, gap(0.1))
    assert text(both)[0][-2] == (
        "  guard valid_rate: 40.0% valid in ng (60 empty); shown below 90%; groups shown to differ by more than 10%"
    )


def test_a_banner_is_one_sentence_of_counts_and_the_release():
    assert banner(results(PASS, FAIL, UNDECIDED, INVALID, BROKEN)) == (
        "1 shown, 1 shown not to hold (1 after Holm's correction for the suite), 1 not decided, 1 not measured, "
        "1 not judged. 1 of 5 claims are shown."
    )
    assert banner(
        results(PASS, deselected=[{"reason": "x", "count": 2}, {"reason": "y", "count": 1}], complete=False)
    ) == ("1 shown, 3 deselected. Partial, not complete: no release claim.")
    assert banner(results()).startswith("nothing judged. ")


def test_an_engines_notes_and_the_noise_that_could_turn_an_answer_are_told():
    still = {"requests": 32, "nats": 2e-6, "changed": 0}
    loud = {"requests": 32, "nats": 0.041, "changed": 2}
    engine = {"name": "transformers", "notes": ["it runs no tree"], "noise": {"model": still, "baseline": loud}}
    engine["failures"] = {"model": {"requests": 1, "first": "out of memory"}}
    assert engine_lines(results(engine=engine)) == [
        "engine transformers: 1 request to the model failed; the first: out of memory",
        "engine transformers: it runs no tree",
        "engine transformers: of 32 choices that the baseline was asked again, the likelihoods moved by up to "
        "0.041 nats, and 2 fell on another option",
    ]
    assert engine_lines(results(engine={})) == []


def test_a_banner_counts_alarms_expected_failures_and_waivers_apart():
    quiet = judged("t.py::test_alarm", APART, lambda task: gap(0.25)(task).mode("alarm"))
    rang = judged("t.py::test_alarm", APART, lambda task: gap(0.05)(task).mode("alarm"))
    waivers = [{"test": "t.py::test", "guard": "clusters", "because": "few"}]
    made = results(PASS, {**FAIL, "expected_failure": True}, quiet, rang, waivers=waivers)
    assert banner(made).startswith(
        "1 shown, 1 shown not to hold (1 after Holm's correction for the suite), 1 alarm did not ring, "
        "1 expected failure, 1 guard waived. "
    )
    assert banner(results({**PASS, "expected_failure": True})).startswith("1 shown. "), "it was not to be expected"


def test_a_quantity_of_ones_own_reads_as_one():
    rate = judged(
        "t.py::test",
        {"us": right(50, 50), "ng": right(50, 50)},
        lambda task: valid_rate(task).at(confidence=0.999) > 0.99,
    )
    assert text(rate)[0][0].startswith("valid_rate(clues) is 1.000, shown above 0.871")
    assert text(rate)[0][0].endswith("and below 1.000 (99.9 % each side, 50 clusters), expected > 0.99: not decided")


# -- files


def test_a_report_is_two_files(tmp_path):
    made = results(PASS, FAIL, started="2024-05-01T12:00:00+0000", command="pytest suites", seed=0)
    page = write(tmp_path / "run", made)
    assert page == tmp_path / "run" / "index.html"
    assert sorted(file.name for file in page.parent.iterdir()) == ["index.html", "results.json"]
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == made


def test_a_report_that_cannot_be_written_says_what_is_kept(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(FairprobeError) as refused:
        write(tmp_path / "run", results(PASS))
    assert str(refused.value).startswith(f"the report cannot be written to {tmp_path}/run: ")
    assert str(refused.value).endswith(
        "The answers are kept: choose another folder with --fairprobe-report=DIR and run again, nothing is asked twice."
    )


def test_a_suite_is_known_by_its_files(tmp_path):
    file = tmp_path / "test_it.py"
    file.write_text("x = 1\n")
    facts = suite_facts(tmp_path, [file, file, tmp_path / "gone.py"])
    assert facts == {
        "commit": None, "dirty": None,
        "files": {"test_it.py": "9e26bf369911c45c243c684147b23fc9e1dcfcf257d299a1c632016a6fcd33f4"},
    }  # fmt: skip
