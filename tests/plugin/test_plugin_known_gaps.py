"""A known gap is an expected failure until its day, and red again after it, with what was promised in its text."""

from __future__ import annotations

from datetime import date

import pytest

from fairprobe import Recorded, accuracy
from fairprobe.pytest_plugin import gaps
from fairprobe.report.schema import checker

RECORDED = "--model=recorded:any"
FAILS = "accuracy(answers).gap('dialect') < 0.05"
XFAIL = "pytest.mark.xfail(reason='the new data comes in January', until='2027-01-31')"
KNOWN = f"test_known = ({FAILS}).marked({XFAIL})"
OVER = (
    "it was expected to fail until 2027-01-31 (the new data comes in January), and that day has passed: close the gap, "
    "or name another day with its reason, .marked(pytest.mark.xfail(reason='…', until='YYYY-MM-DD'))"
)


@pytest.fixture
def on(monkeypatch):
    """Let it be another day."""
    return lambda day: monkeypatch.setattr(gaps, "today", lambda: date.fromisoformat(day))


def page_of(pytester) -> str:
    [page] = pytester.path.glob("reports/*/index.html")
    return page.read_text(encoding="utf-8")


def test_it_is_expected_on_its_last_day(pytester, recorded_suite, results, on):
    on("2027-01-31")
    recorded_suite(KNOWN, imports="import pytest")
    done = pytester.runpytest_inprocess(RECORDED)
    done.assert_outcomes(xfailed=1)
    done.stdout.fnmatch_lines(["1 expected failure (1 expiring within 14 days). No claim is made*"])
    [verdict] = results()["verdicts"]
    checker()(results())
    assert (done.ret, verdict["expected_failure"]) == (pytest.ExitCode.OK, True)
    assert verdict["known_gap"] == {
        "until": "2027-01-31", "reason": "the new data comes in January", "days_left": 0,
    }  # fmt: skip
    assert "<p>expected to fail until 2027-01-31: the new data comes in January</p>" in page_of(pytester)


def test_long_before_its_day_the_banner_has_no_word_of_it(pytester, recorded_suite, on):
    on("2027-01-16")
    recorded_suite(KNOWN, imports="import pytest")
    pytester.runpytest_inprocess(RECORDED).stdout.fnmatch_lines(["1 expected failure. *"])


def test_it_is_red_the_day_after_and_says_what_was_promised(pytester, recorded_suite, results, on):
    on("2027-02-01")
    recorded_suite(KNOWN, imports="import pytest")
    done = pytester.runpytest_inprocess(RECORDED)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines([OVER.replace("[", "[[]"), "accuracy(answers).gap('dialect') is 0.200, *"])
    done.stdout.fnmatch_lines(["FAILED test_suite.py::test_known - it was expected to fail until 2027-01-31*"])
    done.stdout.fnmatch_lines(["1 shown not to hold. 0 of 1 claims are shown."])
    [verdict] = results()["verdicts"]
    assert (verdict["expected_failure"], verdict["known_gap"]["days_left"]) == (False, -1)
    assert "<p>was expected to fail until 2027-01-31: the new data comes in January</p>" in page_of(pytester)


def test_a_gap_that_was_closed_is_green_after_its_day(pytester, recorded_suite, on):
    on("2027-02-01")
    recorded_suite(f"test_known = (accuracy(equal).gap('dialect') < 0.2).marked({XFAIL})", imports="import pytest")
    done = pytester.runpytest_inprocess(RECORDED)
    done.assert_outcomes(passed=1)
    assert "was expected" not in done.stdout.str()


SUITES = {
    "a dict of cases": f"test_known = {{'a': ({FAILS}).marked({XFAIL}), 'b': ({FAILS}).marked({XFAIL})}}",
    "a class": f"@{XFAIL}\nclass TestKnown:\n    test_a = {FAILS}\n    test_b = {FAILS}",
    "a module": f"pytestmark = {XFAIL}\ntest_a = {FAILS}\ntest_b = {FAILS}",
    "functions": f"@{XFAIL}\n@pytest.mark.parametrize('n', [1, 2])\ndef test_it(n):\n    assert {FAILS}",
}


@pytest.mark.parametrize("suite", SUITES.values(), ids=list(SUITES))
def test_it_holds_for_each_test_that_is_marked(pytester, recorded_suite, on, suite):
    recorded_suite(suite, imports="import pytest")
    on("2027-01-31")
    pytester.runpytest_inprocess(RECORDED, "--fairprobe-report=before").assert_outcomes(xfailed=2)
    on("2027-02-01")
    done = pytester.runpytest_inprocess(RECORDED, "--fairprobe-report=after")
    done.assert_outcomes(failed=2)
    assert sum("it was expected to fail until" in line for line in done.outlines) >= 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "reason='why', until='2027-1-31'",
            "until='2027-1-31' is no day. Write .marked(pytest.mark.xfail(reason='why'",
        ),
        ("reason='why', until='2027-02-30'", "until='2027-02-30' is no day. Write .marked(pytest.mark.xfail("),
        ("reason='why', until=None", "until=None is no day. "),
        ("until='2027-01-31'", "a known gap is reported with its reason. Write .marked(pytest.mark.xfail(reason='…', "),
        ("reason=' ', until='2027-01-31'", "a known gap is reported with its reason. "),
    ],
)
def test_a_gap_without_a_day_or_a_reason_is_refused_with_the_line_to_write(pytester, recorded_suite, given, said):
    recorded_suite(f"test_known = {{'a': ({FAILS}).marked(pytest.mark.xfail({given}))}}", imports="import pytest")
    done = pytester.runpytest_inprocess(RECORDED)
    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.assert_outcomes(errors=1)
    assert f"test_suite.py: test_known[a]: {said}" in done.stdout.str()


def test_a_function_without_a_day_is_refused_before_anything_runs(pytester, recorded_suite):
    recorded_suite(f"@pytest.mark.xfail(until='soon')\ndef test_it():\n    assert {FAILS}", imports="import pytest")
    done = pytester.runpytest_inprocess(RECORDED)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: test_suite.py::test_it: until='soon' is no day. Write *"])


def test_its_repr_is_its_source():
    clues = Recorded([{"dialect": "a", "score": 1.0}], score="score", name="clues")
    known = (accuracy(clues).gap("dialect") < 0.05).marked(pytest.mark.xfail(reason="why", until="2027-01-31"))
    assert repr(known).endswith(".marked(pytest.mark.xfail(reason='why', until='2027-01-31'))")
    assert eval(repr(known)) == known
