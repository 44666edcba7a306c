"""The release sentence stands only where every claim that was collected was judged."""

from __future__ import annotations

import json

import pytest

RECORDED = "--model=recorded:any"
HOLDS = "accuracy(equal).by('dialect') > 0.5"


@pytest.fixture
def release(pytester):
    """The release entry of the run's results.json."""

    def read(*arguments: str) -> dict:
        pytester.runpytest_inprocess(RECORDED, "--fairprobe-report=report", *arguments)
        return json.loads((pytester.path / "report" / "results.json").read_text())["release"]

    return read


def test_it_stands_where_every_claim_is_shown(recorded_suite, release):
    recorded_suite(f"test_one = {HOLDS}", "test_two = accuracy(equal) > 0.5")
    assert release()["complete"]
    assert release()["sentence"].startswith("All 2 claims are shown")


def test_equal_expectations_under_two_names_are_both_to_be_judged(recorded_suite, release):
    recorded_suite(
        f"test_one = {HOLDS}",
        f"test_two = ({HOLDS}).marked(pytest.mark.skipif(True, reason='not today'))",
        imports="import pytest",
    )
    assert not release()["complete"]


def test_a_run_that_stopped_early_is_not_complete(recorded_suite, release):
    recorded_suite(f"test_one = {HOLDS}", "def test_two():\n    assert False", f"test_three = {HOLDS}")
    assert not release("-x")["complete"]


def test_an_assert_that_cannot_be_judged_is_an_error_and_not_left_out(recorded_suite, release, pytester):
    recorded_suite(f"test_one = {HOLDS}", "def test_two():\n    assert accuracy(equal).by('dialekt') > 0.5")
    assert not release()["complete"]
    verdicts = json.loads((pytester.path / "report" / "results.json").read_text())["verdicts"]
    assert [each["outcome"] for each in verdicts] == ["pass", "error"]
    assert "no column 'dialekt'" in verdicts[1]["error"]


def test_two_asserts_in_one_test_are_complete(recorded_suite, release):
    recorded_suite(
        f"test_one = {HOLDS}",
        "def test_two():\n    assert accuracy(equal) > 0.5\n    assert accuracy(equal) > 0.6",
    )
    assert release()["complete"]
