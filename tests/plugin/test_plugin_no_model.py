"""Without a checkpoint, or with one that is not there, each expectation errors with the line to write."""

from __future__ import annotations

import pytest

GAP = "accuracy(equal).gap('dialect') < 0.2"


def test_without_a_model_expectations_error_and_other_tests_pass(pytester, recorded_suite):
    recorded_suite(f"test_gap = {GAP}", "test_floor = accuracy(equal) > 0.5", "def test_other(): ...")
    done = pytester.runpytest_inprocess()
    done.assert_outcomes(errors=2, passed=1)
    done.stdout.fnmatch_lines(
        [
            f"fairprobe: 2 cannot be judged; the first: {GAP} needs a model, and none is named: *",
            "=* ERRORS =*",
            f"_* ERROR at setup of {GAP} _*",
            f"{GAP} needs a model, and none is named: pytest … --model=*",
            "ERROR test_suite.py::test_gap - *",
            "ERROR test_suite.py::test_floor - *",
        ]
    )
    assert done.ret == pytest.ExitCode.TESTS_FAILED


def test_ordinary_tests_alone_need_no_model_and_get_no_report(pytester):
    pytester.makepyfile("def test_other(): ...")
    done = pytester.runpytest_inprocess()
    done.assert_outcomes(passed=1)
    assert "fairprobe:" not in done.stdout.str()
    assert not (pytester.path / "reports").exists()


def test_a_change_without_a_baseline_names_the_option(pytester, recorded_suite):
    recorded_suite(f"test_gap = {GAP}", "test_change = accuracy(equal).change().by('dialect') > -0.2")
    done = pytester.runpytest_inprocess("--model=recorded:any")
    done.assert_outcomes(errors=1, passed=1)
    done.stdout.fnmatch_lines(["*.change().by('dialect') > -0.2 needs a baseline, *: pytest … --baseline=*"])


def test_a_checkpoint_that_is_not_there_is_named_with_what_is(pytester, asking_suite):
    asking_suite("test_gap = accuracy(clues).gap('dialect') < 0.2", "def test_other(): ...")
    pytester.mkdir("aligned-v2")
    done = pytester.runpytest_inprocess("--model=./aligned-v3")
    done.assert_outcomes(errors=1, passed=1)
    done.stdout.fnmatch_lines(
        [
            f"fairprobe: 1 cannot be judged; the first: there is no folder {pytester.path}/aligned-v3; *",
            f"there is no folder {pytester.path}/aligned-v3; {pytester.path} holds aligned-v2",
        ]
    )
    assert done.ret == pytest.ExitCode.TESTS_FAILED


def test_a_folder_that_is_no_checkpoint_is_named_with_what_it_holds(pytester, asking_suite):
    asking_suite("test_gap = accuracy(clues).gap('dialect') < 0.2")
    pytester.mkdir("empty").joinpath("notes.txt").touch()
    done = pytester.runpytest_inprocess("--model=./empty")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*empty is no checkpoint: it has no config.json. It holds notes.txt*"])


def test_an_empty_name_is_no_checkpoint(pytester, asking_suite):
    asking_suite("test_gap = accuracy(clues).gap('dialect') < 0.2")
    done = pytester.runpytest_inprocess("--model=")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*the name given is empty*"])


def test_a_group_that_is_not_there_errors_alone(pytester, recorded_suite, outcomes):
    recorded_suite(f"test_gap = {GAP}", "test_typo = accuracy(equal).gap('dialekt') < 0.2")
    done = pytester.runpytest_inprocess("--model=recorded:any")
    done.assert_outcomes(errors=1, passed=1)
    done.stdout.fnmatch_lines(["*no column 'dialekt'; its samples have id, dialect, score*"])
    assert outcomes() == {"test_gap": "pass", "test_typo": "error"}


def test_two_tasks_of_one_name_are_an_error(pytester, recorded_suite):
    recorded_suite(
        "again = Recorded(rows(dict(en_us=0.5)), score='score', name='equal')",
        f"test_gap = {GAP}", "test_again = accuracy(again) > 0.2",
    )  # fmt: skip
    done = pytester.runpytest_inprocess("--model=recorded:any")
    done.assert_outcomes(errors=2)
    done.stdout.fnmatch_lines(["*two different tasks are named 'equal'*Give one of them another name=.*"])
