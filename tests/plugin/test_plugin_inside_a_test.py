"""Inside a test an expectation is its verdict: true when shown, else an assertion with the table, never false."""

from __future__ import annotations

import pytest

PASSES = "accuracy(equal).gap('dialect') < 0.2"
FAILS = "accuracy(answers).gap('dialect') < 0.05"
UNDECIDED = "accuracy(answers).gap('dialect') < 0.2"
RECORDED = "--model=recorded:any"


def test_a_shown_expectation_is_true(pytester, recorded_suite, results):
    recorded_suite(f"def test_gap():\n    assert {PASSES}\n    assert ({PASSES}) is not None")
    pytester.runpytest_inprocess(RECORDED).assert_outcomes(passed=1)
    assert [(each["test"], each["outcome"]) for each in results()["verdicts"]] == [("test_suite.py::test_gap", "pass")]


def test_what_is_not_shown_raises_its_table(pytester, recorded_suite, outcomes):
    recorded_suite(f"def test_gap():\n    assert {FAILS}")
    done = pytester.runpytest_inprocess(RECORDED)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        [
            "E *NotShown: accuracy(answers).gap('dialect') is 0.200, *expected < 0.05: shown not to hold",
            "E *en_in       0.700  200",
            "FAILED test_suite.py::test_gap - *",
        ]
    )
    assert outcomes() == {"test_gap": "fail"}


@pytest.mark.parametrize("claim", [PASSES, FAILS, UNDECIDED])
def test_a_negation_is_never_green(pytester, recorded_suite, claim):
    recorded_suite(f"def test_negated():\n    assert not ({claim})")
    pytester.runpytest_inprocess(RECORDED).assert_outcomes(failed=1)


def test_a_returned_expectation_is_never_green(pytester, recorded_suite):
    recorded_suite(f"def test_returned():\n    return {FAILS}")
    assert pytester.runpytest_inprocess(RECORDED, "-W", "error").ret == pytest.ExitCode.TESTS_FAILED


def test_a_range_may_be_asserted(pytester, recorded_suite, results):
    recorded_suite("def test_range():\n    assert 0.2 < accuracy(equal).by('dialect') < 0.95")
    pytester.runpytest_inprocess(RECORDED).assert_outcomes(passed=1)
    assert [each["comparison"] for each in results()["verdicts"]] == [">", "<"]


def test_what_is_raised_is_an_assertion_that_can_be_caught(pytester, recorded_suite):
    recorded_suite(
        "import pytest\nfrom fairprobe import NotShown",
        f"def test_gap():\n    with pytest.raises(NotShown, match='not decided'):\n        bool({UNDECIDED})",
    )
    pytester.runpytest_inprocess(RECORDED).assert_outcomes(passed=1)


def test_an_undecided_alarm_warns(pytester, recorded_suite):
    recorded_suite(f"def test_alarm():\n    assert ({UNDECIDED}).mode('alarm')")
    done = pytester.runpytest_inprocess(RECORDED, "-W", "default")
    done.assert_outcomes(passed=1, warnings=1)
    done.stdout.fnmatch_lines(["*/test_suite.py:15: PytestWarning: accuracy(answers)*not decided"])


def test_an_alarm_whose_claim_is_shown_false_raises(pytester, recorded_suite):
    recorded_suite(f"def test_alarm():\n    assert ({FAILS}).mode('alarm')")
    pytester.runpytest_inprocess(RECORDED).assert_outcomes(failed=1)


def test_without_a_model_it_names_the_option(pytester, recorded_suite):
    recorded_suite(f"def test_gap():\n    assert {PASSES}")
    done = pytester.runpytest_inprocess()
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["E *NoCheckpoint: *needs a model, and none is named: pytest … --model=*"])


def test_what_was_not_planned_is_a_round_of_its_own(pytester, asking_suite, tiny, results):
    asking_suite(
        "test_gap = accuracy(clues).gap('dialect') < 0.5",
        "level = accuracy(sums).by('level').waive('above_chance', because='untrained').mode('alarm')",
        "def test_level():\n    assert level > 0.01",
        "def test_again():\n    assert accuracy(clues).gap('dialect') < 0.5",
    )
    done = pytester.runpytest_inprocess(f"--model={tiny}")
    done.assert_outcomes(passed=3)
    counts = results()["requests"]
    assert (counts["distinct"], counts["asked"]) == (24, 24)
    [extra] = results()["rounds"]
    assert (extra["reason"], extra["distinct"], extra["asked"]) == ("test_asking.py::test_level", 24, 24)
    judged = [each["test"].partition("::")[2] for each in results()["verdicts"]]
    assert judged == ["test_gap", "test_level", "test_again"]


def test_fixtures_give_the_checkpoints(pytester, tiny):
    pytester.makepyfile("""
        def test_model(model):
            texts = model.generate(["Question: Which animal says moo?\\nAnswer:"] * 2, max_tokens=3)
            assert len(texts) == 2 and texts[0] == texts[1]
            assert model.choose("The word is", [" cow", " honey"]) in {" cow", " honey"}
            low, high = sorted(model.loglikelihood("The word is", [" cow", " honey"]))
            assert low < high < 0

        def test_baseline(model, baseline):
            assert repr(baseline) != repr(model)
            prompt, words = "The word is", [" cow", " honey"]
            assert baseline.loglikelihood(prompt, words) != model.loglikelihood(prompt, words)
    """)
    chat = tiny.parent / "chat"
    done = pytester.runpytest_inprocess(f"--model={tiny}", f"--baseline={chat}")
    done.assert_outcomes(passed=2)


def test_a_fixture_without_its_checkpoint_names_the_option(pytester):
    pytester.makepyfile("def test_baseline(baseline): ...")
    done = pytester.runpytest_inprocess()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["E *NoCheckpoint: this test needs a baseline, and none is named: pytest … --baseline=*"])
