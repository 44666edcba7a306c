"""Whatever `-n` is: one plan, one batch of questions, one report, the same verdicts."""

from __future__ import annotations

import pytest

LINES = (
    "test_gap = accuracy(clues).gap('dialect') < 0.5",
    "test_floor = accuracy(clues).by('dialect') > 0.5",
    "test_level = accuracy(sums).by('level') > 0.99",
    "test_change = accuracy(clues).change().by('dialect') > -0.5",
)
QUICK = ("-p", "no:hypothesispytest", "-p", "no:anyio")


def test_two_workers_ask_once_and_judge_alike(pytester, asking_suite, tiny, results, outcomes):
    asking_suite(*LINES)
    models = (f"--model={tiny}", f"--baseline={tiny.parent / 'chat'}")
    # `-W error`: neither we nor what we load warns of anything
    done = pytester.runpytest_inprocess(*models, "-n2", "-W", "error", "--fairprobe-report=two", *QUICK)
    alone = pytester.runpytest_inprocess(*models, "--fairprobe-report=one", "--fairprobe-store=other")
    assert sorted(outcomes("two").values()) == ["fail", "invalid", "pass", "pass"]
    plan = [line for line in done.outlines if line.startswith("fairprobe: 4 expectations want")]
    assert plan == [line for line in alone.outlines if line.startswith("fairprobe: 4 expectations want")]
    assert len(plan) == 1
    assert results("two")["requests"] == results("one")["requests"]
    assert results("two")["requests"]["asked"] == results("two")["requests"]["distinct"] == 72
    assert results("two")["engine"]["counts"] == results("one")["engine"]["counts"]
    assert results("two")["complete"]
    assert outcomes("two") == outcomes("one")
    one, two = (
        {each["test"]: (each["value"], each["low"]) for each in results(name)["verdicts"]} for name in ("one", "two")
    )
    assert one == two
    assert not list(pytester.path.glob("reports/*"))


def test_workers_report_every_outcome(pytester, four_outcomes, outcomes):
    done = pytester.runpytest_inprocess("--model=recorded:any", "-n2", "-rA", *QUICK)
    done.stdout.fnmatch_lines(
        [
            "fairprobe: 4 expectations want 0 answers, 0 distinct",
            "=* INCONCLUSIVE =*",
            "  guard accuracy(equal) > 0.95: not shown: fail",
            "FAILED test_suite.py::test_fails - *",
            "INCONCLUSIVE test_suite.py::test_undecided - accuracy(answers).gap('dialect') *",
            "INVALID test_suite.py::test_without_evidence - *",
            "1 shown, 1 shown not to hold (1 after Holm's correction for the suite), 1 not decided, 1 not measured. "
            "1 of 4 claims are shown.",
            "report: */index.html",
            "=* 1 failed, 1 passed, 1 inconclusive, 1 invalid in *",
        ]
    )
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert sorted(outcomes().values()) == ["fail", "inconclusive", "invalid", "pass"]
