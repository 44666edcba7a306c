"""Two runs of the same claims, compared sample by sample, and what of them is kept beside the report."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import polars as pl
import pytest

from answers import clues, right
from fairprobe import (
    BadExpectation,
    FairprobeError,
    Ranking,
    Recorded,
    accuracy,
    bits_per_byte,
    kendall,
    mean,
    mean_rank,
    share_below,
    spearman,
    valid_rate,
    win_rate,
)
from fairprobe.metrics import grouped, measured
from fairprobe.report.claims import read
from fairprobe.report.comparison import compare
from fairprobe.tasks import Outcomes
from fairprobe.verdict import judge
from runs import run

EQUAL = {"us": right(80, 100), "ng": right(80, 100)}
APART = {"us": right(90, 100), "ng": right(70, 100)}
BY_DIALECT = {"test_by": lambda task: accuracy(task).by("dialect") > 0.3}
GAP = {"test_gap": lambda task: accuracy(task).gap("dialect") < 0.05}


def moved(before, after):
    """What moved of the one claim that both runs judged."""
    [claim] = compare(before, after)["claims"]
    return claim


def recorded(rows, **given):
    """A recorded task with its outcomes."""
    task = Recorded(rows, name="said", **given)
    samples = task.recorded("any")
    return task, lambda asked, role: asked.outcomes(samples)


# -- how far a claim moved


def test_a_gap_moves_as_the_gap_of_the_changes_does(tmp_path):
    claim = moved(run(tmp_path / "a", clues(EQUAL), GAP), run(tmp_path / "b", clues(APART), GAP))
    task, look = clues(APART, EQUAL)
    change = judge(accuracy(task).change().gap("dialect", reference="us") < 0.5, look).decision
    assert claim["difference"] == pytest.approx(change.value) == pytest.approx(0.2)
    assert claim["low"] == pytest.approx(change.low, abs=0.02)
    assert (claim["outcome_before"], claim["outcome"], claim["clusters"]) == ("pass", "fail", 100)
    assert (claim["value_before"], claim["value"], claim["why"]) == (0.0, pytest.approx(0.2), None)


def test_a_floor_moves_with_the_group_that_is_lowest_now(tmp_path):
    floor = {"test_floor": lambda task: accuracy(task).by("dialect") > 0.3}
    claim = moved(run(tmp_path / "a", clues(EQUAL), floor), run(tmp_path / "b", clues(APART), floor))
    assert claim["difference"] == pytest.approx(-0.1)
    assert claim["low"] < -0.1 < claim["high"] < 0


def test_an_overall_value_moves_by_itself(tmp_path):
    overall = {"test_overall": lambda task: accuracy(task) > 0.3}
    claim = moved(run(tmp_path / "a", clues(EQUAL), overall), run(tmp_path / "b", clues(APART), overall))
    assert claim["difference"] == pytest.approx(0.0)
    assert (claim["lost"], claim["won"]) == (10, 10)


def test_lost_samples_are_those_that_were_right_and_are_named(tmp_path):
    claim = moved(run(tmp_path / "a", clues(EQUAL), GAP), run(tmp_path / "b", clues(APART), GAP))
    assert claim["lost_samples"] == [f"clues:{100 + number}" for number in range(70, 80)]


def test_only_samples_of_the_claim_are_lost(tmp_path):
    here = {"test_here": lambda task: accuracy(task).where(dialect="us") > 0.3}
    claim = moved(run(tmp_path / "a", clues(APART), here), run(tmp_path / "b", clues(EQUAL), here))
    assert (claim["lost"], claim["won"]) == (10, 0)


def test_the_same_answers_are_shown_to_have_moved_nowhere(tmp_path):
    claim = moved(run(tmp_path / "a", clues(APART), GAP), run(tmp_path / "b", clues(APART), GAP))
    assert (claim["difference"], claim["lost"], claim["won"]) == (0.0, 0, 0)
    assert -0.06 < claim["low"] < 0 < claim["high"] < 0.06


def test_a_change_from_a_baseline_moves_too(tmp_path):
    change = {"test_change": lambda task: accuracy(task).change().by("dialect") > -0.5}
    both = ("model", "baseline")
    before = run(tmp_path / "a", clues(EQUAL, EQUAL), change, both)
    claim = moved(before, run(tmp_path / "b", clues(APART, EQUAL), change, both))
    assert claim["difference"] == pytest.approx(-0.1)


def test_limits_allow_for_the_choice_among_many_groups(tmp_path):
    few = {name: right(50, 100) for name in "ab"}
    many = {name: right(50, 100) for name in "abcdefghijkl"}
    floor = {"test_floor": lambda task: accuracy(task).by("dialect") > 0.3}
    [narrow, wide] = (
        moved(run(tmp_path / f"{size}a", clues(given), floor), run(tmp_path / f"{size}b", clues(given), floor))
        for size, given in (("few", few), ("many", many))
    )
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


ROWS = [{"g": "ab"[n % 2], "q": f"question {n}", "score": float(n % 3 > 0)} for n in range(60)]
BY = {"test_by": lambda task: accuracy(task).by("g") > 0.2}


def test_samples_are_found_by_what_they_ask_wherever_they_stand(tmp_path):
    before = run(tmp_path / "a", recorded(ROWS), BY)
    others = [{"g": "ab"[n % 2], "q": f"other {n}", "score": 0.0} for n in range(10)]
    rows = [*others, *({**row, "score": 1.0} for row in ROWS)]
    random.Random(0).shuffle(rows)
    claim = moved(before, run(tmp_path / "b", recorded(rows), BY))
    assert claim["clusters"] == 60
    assert claim["difference"] == pytest.approx(1 / 3)
    assert (claim["lost"], claim["won"]) == (0, 20)


def test_runs_that_share_no_sample_are_compared_as_strangers(tmp_path):
    strangers = [{**row, "q": f"another {row['q']}", "score": 1.0} for row in ROWS]
    claim = moved(run(tmp_path / "a", recorded(ROWS), BY), run(tmp_path / "b", recorded(strangers), BY))
    assert claim["clusters"] == 0
    assert claim["difference"] == pytest.approx(1 / 3)
    assert (claim["lost"], claim["won"]) == (None, None)


def test_samples_with_a_key_are_found_by_it(tmp_path):
    told = [{**row, "run": "other words", "score": 1.0} for row in ROWS]
    before, after = (recorded(rows, key="q") for rows in ([{**row, "run": "words"} for row in ROWS], told))
    assert moved(run(tmp_path / "a", before, BY), run(tmp_path / "b", after, BY))["clusters"] == 60


def test_whose_recording_a_row_is_tells_no_sample_apart(tmp_path):
    both = [{**row, "m": m, "score": score} for row in ROWS for m, score in (("one", row["score"]), ("two", 1.0))]
    runs = []
    for model in ("one", "two"):
        task = Recorded(both, name="said", model="m")
        samples = task.recorded(model)
        runs.append(run(tmp_path / model, (task, lambda asked, role, held=samples: asked.outcomes(held)), BY))
    claim = moved(*runs)
    assert (claim["clusters"], claim["won"]) == (60, 20)


def test_categories_are_compared_by_name(tmp_path):
    frames = [
        pl.DataFrame(ROWS).with_columns(pl.col("g").cast(pl.Enum(order))).sample(fraction=1.0, shuffle=True, seed=seed)
        for seed, order in enumerate((["a", "b"], ["b", "a"]))
    ]
    claim = moved(*(run(tmp_path / str(n), recorded(frame), BY) for n, frame in enumerate(frames)))
    assert (claim["clusters"], claim["lost"], claim["won"]) == (60, 0, 0)


def test_several_claims_of_one_test_are_each_compared(tmp_path):
    two = {"test_gap": GAP["test_gap"], "test_floor": lambda task: accuracy(task).by("dialect") > 0.3}
    runs = [run(tmp_path / name, clues(EQUAL), two) for name in "ab"]
    for each in runs:
        for verdict in each.results["verdicts"]:
            verdict["test"] = "t.py::test_both"
    runs[0].results["verdicts"].pop()
    found = compare(*runs)
    assert [claim["claim"] for claim in found["claims"]] == ["accuracy(clues).gap('dialect') < 0.05"]
    assert found["claims"][0]["difference"] == 0.0
    assert found["added"] == ["t.py::test_both"]


def test_the_limits_of_a_gap_allow_for_who_is_ahead_by_chance(tmp_path):
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(150):
        answers = [{name: (rng.random(60) < 0.7).astype(float).tolist() for name in ("us", "ng")} for _ in range(2)]
        claim = moved(*(run(tmp_path / "a", clues(given), GAP) for given in answers[:1]),
                      run(tmp_path / "b", clues(answers[1]), GAP))  # fmt: skip
        missed += claim["low"] > 0
    assert missed <= 14, "5 % of 150, and two standard deviations"


# -- what is not known


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (lambda task: accuracy(task).ratio("dialect") > 0.5, None, "a ratio has no difference between runs"),
        (lambda task: accuracy(task).gap("dialect") < 0.1, GAP["test_gap"], "another claim was made then: accuracy"),
    ],
)
def test_what_has_no_difference_says_why(tmp_path, before, after, why):
    runs = [
        run(tmp_path / name, clues(EQUAL), {"test_it": claim})
        for name, claim in (("a", before), ("b", after or before))
    ]
    claim = moved(*runs)
    assert claim["difference"] is None
    assert claim["why"].startswith(why)


def test_a_run_without_its_samples_is_compared_by_its_values(tmp_path):
    before, after = run(tmp_path / "a", clues(EQUAL), GAP), run(tmp_path / "b", clues(APART), GAP)
    (tmp_path / "a/samples/clues.parquet").unlink()
    claim = moved(type(before).of(before.folder, before.results), after)
    assert (claim["value"], claim["difference"], claim["why"]) == (pytest.approx(0.2), None, "its samples are not kept")


def test_a_broken_file_of_samples_is_said_and_no_error(tmp_path):
    before, after = run(tmp_path / "a", clues(EQUAL), GAP), run(tmp_path / "b", clues(APART), GAP)
    (tmp_path / "a/samples/clues.parquet").write_bytes(b"PAR1 and nothing")
    assert moved(before, after)["difference"] is None


def test_tests_of_one_run_only_are_listed(tmp_path):
    floor = {"test_floor": lambda task: accuracy(task).by("dialect") > 0.3}
    found = compare(run(tmp_path / "a", clues(EQUAL), GAP), run(tmp_path / "b", clues(EQUAL), floor))
    assert (found["claims"], found["added"], found["removed"]) == ([], ["t.py::test_floor"], ["t.py::test_gap"])


def test_an_unbounded_value_that_never_varied_has_no_limits_and_costs_no_report(tmp_path):
    rows = [{"g": "ab"[n % 2], "score": float(n % 50 - 5)} for n in range(100)]
    floor = {"test_mean": lambda task: mean(task, "score").by("g") > 0.2}
    claim = moved(*(run(tmp_path / name, recorded(rows), floor) for name in "ab"))
    assert (claim["difference"], claim["low"], claim["high"]) == (0.0, None, None)
    assert claim["why"].startswith("nothing is known of how far an unbounded value varies")


def test_runs_without_a_group_in_common_are_not_compared(tmp_path):
    others = [{**row, "g": row["g"].upper(), "q": f"other {row['q']}"} for row in ROWS]
    claim = moved(run(tmp_path / "a", recorded(ROWS), BY), run(tmp_path / "b", recorded(others), BY))
    assert claim["why"] == "the runs have no group in common"


# -- samples that are kept


def test_every_sample_lies_in_parquet_with_its_own_columns(tmp_path):
    run(tmp_path / "a", clues({"us": [1.0, "empty"], "ng": [0.0, "error"]}), {})
    held = pl.read_parquet(tmp_path / "a/samples/clues.parquet")
    row = held.rename({name: name.removeprefix("fairprobe_") for name in held.columns}).row(1, named=True)
    assert held.columns[4:] == [f"fairprobe_{name}" for name in [*row][4:]]
    assert row == {
        "id": 1, "dialect": "us", "clue": "clue 1 in us", "word": "otter", "sample": "clues:1",
        "cluster": "1", "pair": "1", "status": "empty", "score_exact_match": 0.0, "prompt": "clue 1 in us",
        "response": "an answer", "target": "otter",
    }  # fmt: skip
    assert np.isnan(held["fairprobe_score_exact_match"][3])


def test_what_parquet_has_no_place_for_is_kept_as_text(tmp_path):
    rows = [{"g": "ab"[n % 2], "cfg": {}, "score": 1.0} for n in range(4)]
    run(tmp_path / "a", recorded(rows), {})
    assert pl.read_parquet(tmp_path / "a/samples/said.parquet")["cfg"].to_list() == ["{}"] * 4


def test_half_a_pair_in_an_answer_costs_no_samples(tmp_path):
    task, look = clues({"us": right(2, 2), "ng": right(2, 2)})
    held = look(task, "model")
    odd = dataclasses.replace(held, responses=["\ud800", *held.responses[1:]])
    run(tmp_path / "a", (task, lambda asked, role: odd), {})
    assert pl.read_parquet(tmp_path / "a/samples/clues.parquet")["fairprobe_response"][0] == "\N{REPLACEMENT CHARACTER}"


def test_kept_samples_are_scored_again_and_kept_again(tmp_path):
    run(tmp_path / "a", clues({"us": right(20, 30), "ng": right(10, 30)}), {})
    again = pl.read_parquet(tmp_path / "a/samples/clues.parquet")
    held = run(tmp_path / "b", recorded(again, response="fairprobe_response", target="fairprobe_target",
                                        key="fairprobe_sample"), BY_DIALECT)  # fmt: skip
    kept = held.kept.look(held.kept.tasks["said"], "model")
    assert set(kept.scores) == {"exact_match"}
    assert kept.scores["exact_match"].max() == 0.0, "an answer is no otter"
    assert set(again.columns) <= set(kept.samples.frame.columns)
    assert moved(held, held)["clusters"] == 60


@pytest.mark.parametrize("given", [{}, {"pair": "q"}])
def test_rows_that_belong_together_stay_together(tmp_path, given):
    ranking = Ranking(
        [{"q": q, "answer": "I would say {candidate}."} for q in range(12)],
        "{q}: who has the best trains?",
        candidates=["Chile", "Peru", "Fiji"],
        name="said",
        **given,
    )
    samples = ranking.load()
    ranks = np.tile([1.0, 2.0, 3.0], len(samples) // 3)
    held = Outcomes(samples, {"rank": ranks}, np.full(len(samples), "ok", dtype=object), ranges={"rank": (1, 3)})
    kept = run(tmp_path / "a", (ranking, lambda asked, role: held), {}).kept
    again = kept.look(kept.tasks["said"], "model").samples
    assert len(set(again.cluster)) == len(set(samples.cluster)) == 12


def test_a_question_is_found_wherever_it_stands_among_others(tmp_path):
    def ranking(questions):
        rows = [{"q": q, "answer": "I would say {candidate}."} for q in questions]
        task = Ranking(rows, "{q}: who has the best trains?", candidates=["Chile", "Peru", "Fiji"], name="said")
        samples = task.load()
        ranks = np.tile([1.0, 2.0, 3.0], len(questions))
        none = [None] * len(samples)
        status = np.full(len(samples), "ok", dtype=object)
        held = Outcomes(samples, {"rank": ranks}, status, none, none, none, ranges={"rank": (1, 3)})
        return task, lambda asked, role: held

    by = {"test_by": lambda task: mean(task, "rank").by("candidate") < 2.9}
    before = run(tmp_path / "a", ranking([f"In {n}" for n in range(12)]), by)
    claim = moved(before, run(tmp_path / "b", ranking(["New", *(f"In {n}" for n in range(12))]), by))
    assert (claim["clusters"], claim["difference"]) == (12, 0.0), claim["why"]


def test_a_folder_that_refuses_is_an_error_that_says_what_is_kept(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(
        FairprobeError, match=r"the samples cannot be written to .*/a/samples: .* nothing is asked twice"
    ):
        run(tmp_path / "a", clues(EQUAL), {})


RANKED = [
    {"c": f"c{c}", "q": q, "rank": 1 + (c + q) % 20, "order": float(c), "tokens": c, "g": "ab"[q % 2]}
    for q in range(12)
    for c in range(20)
]


@pytest.mark.parametrize(
    "claim",
    [
        lambda task: mean_rank(task).by("g") < 15,
        lambda task: win_rate(task, "c1", of="c").by("g") > 0.2,
        lambda task: spearman(task, "order", of="c") > -1,
        lambda task: kendall(task, "order", of="c").by("g") > -1,
        lambda task: share_below(task, "c3", of="c") > 0,
        lambda task: mean(task, "tokens").where(g="a") > 1,
        lambda task: valid_rate(task).by("g") > 0.5,
        lambda task: mean_rank(task).matched("c").gap("c", reference="c1") < 30,
        lambda task: (mean_rank(task) - mean(task, "tokens")).by("g") < 30,
    ],
)
def test_what_is_kept_is_measured_as_it_was(tmp_path, claim):
    task, look = recorded(RANKED, score={"rank": "rank"}, pair="q", range=(1, 20))
    stated = claim(task)
    kept = run(tmp_path / "a", (task, look), {}).kept
    again = read(stated.claim, kept.tasks)
    assert again.claim == stated.claim
    then = grouped(stated.question, measured(stated.question.metric, look))
    now = grouped(again.question, measured(again.question.metric, kept.look))
    assert now.labels == then.labels
    assert now.estimates().theta.tolist() == pytest.approx(then.estimates().theta.tolist())
    assert now.estimates().covariance == pytest.approx(then.estimates().covariance)


def test_tokens_noise_weights_and_ranges_are_kept(tmp_path):
    rows = [{"g": "ab"[n % 2], "w": float(n), "score": n - 5.0} for n in range(20)]
    task = Recorded(rows, name="said", weight="w")
    samples = task.recorded("any")
    own = task.outcomes(samples)
    full = Outcomes(
        samples, own.scores, own.status, ranges=own.ranges, noise={"score": np.full(20, 0.25)},
        tokens={"prompt": np.arange(20.0)},
    )  # fmt: skip
    kept = run(tmp_path / "a", (task, lambda asked, role: full), {}).kept
    held = kept.look(kept.tasks["said"], "model")
    assert held.samples.weight.tolist() == [row["w"] for row in rows]
    assert (held.noise["score"].tolist(), held.tokens["prompt"].tolist()) == ([0.25] * 20, list(range(20)))
    assert held.range_of("score") == (-np.inf, np.inf)


# -- claims read back


CLAIMS = [
    "accuracy(clues).gap('dialect') < 0.05",
    "accuracy(clues).change().gap('dialect', reference='en_us', two_sided=True) <= 0.05",
    "accuracy(clues).where(b=True, dialect='en_in', n=3).by('a', 'b') >= -0.5",
    "accuracy(clues).where(**{'a b': 'c'}).ratio('dialect') > 0.8",
    "(accuracy(clues) - accuracy(other)).matched('dialect').gap('a', 'b', reference=('x', 1)) < 0.05",
    "accuracy(clues) - accuracy(other) < 0.05",
    "tokens_per_sample(clues, 'prompt').by('g') < 20.0",
    "valid_rate(clues) > 1e-05",
]


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_read_back_from_its_source(claim):
    tasks = {name: Recorded([{"x": 1}], score="x", name=name) for name in ("clues", "other")}
    assert read(claim, tasks).claim == claim


@pytest.mark.parametrize(
    "claim",
    [
        "__import__('os').system('true') < 1",
        "accuracy(__import__('os')) < 1",
        "accuracy(clues).gap(open('/etc/passwd').read()) < 1",
        "accuracy(clues).__class__ < 1",
        "accuracy(clues).__repr__() < 1",
        "(lambda: 1)() < 1",
        "accuracy(clues).gap('dialect')",
        "accuracy(nowhere).gap('dialect') < 1",
        "nothing(clues) < 1",
        "accuracy(clues) < 1 < 2",
        "accuracy(clues) == 1",
        "accuracy(clues).gap('dialect') < x",
        "",
        "(" * 500,
        "accuracy(clues" + ").where(a=1" * 5000 + ") < 1",
    ],
)
def test_nothing_else_is_evaluated(claim):
    with pytest.raises(BadExpectation, match="no claim"):
        read(claim, {"clues": Recorded([{"x": 1}], score="x", name="clues")})


def test_a_file_of_bytes_is_measured_as_it_was(tmp_path):
    task = Recorded(
        [{"g": "ab"[n % 2], "l": -float(n), "b": 10.0 + n} for n in range(30)],
        score={"loglikelihood": "l", "bytes": "b"}, name="said",
    )  # fmt: skip
    samples = task.recorded("any")
    kept = run(tmp_path / "a", (task, lambda asked, role: asked.outcomes(samples)), {}).kept
    claim = read("bits_per_byte(said).by('g') < 9", kept.tasks)
    now = grouped(claim.question, measured(claim.question.metric, kept.look)).estimates().theta
    then = bits_per_byte(task).by("g")
    looked = grouped(then, measured(then.metric, lambda asked, role: asked.outcomes(samples)))
    assert now == pytest.approx(looked.estimates().theta)
