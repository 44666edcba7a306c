"""What would silently test nothing is an error that shows the line to write."""

from __future__ import annotations

import pytest

GAP = "accuracy(equal).gap('dialect') < 0.05"

REFUSED = {
    "a list": (
        f"test_gaps = [{GAP}]",
        "*test_gaps is a list of expectations, whose cases have no names. "
        f"Write a dict: test_gaps = {{'en_in': {GAP}, …}}",
    ),
    "a tuple": (f"test_gaps = {GAP},", "*test_gaps is a tuple of expectations, whose cases have no names.*"),
    "a list of any name": (f"bounds = [{GAP}]", "*bounds is a list of expectations*"),
    "a dict of lists": (f"test_gaps = {{'en_in': [{GAP}]}}", "*test_gaps is a dict of containers of expectations*"),
    "a dict with other things": (
        f"test_gaps = {{'en_in': {GAP}, 'en_us': 0.05}}", "*test_gaps['en_us'] is no expectation but 0.05",
    ),
    "a wrong name": (
        f"dialect_gap = {GAP}",
        f"*dialect_gap = {GAP} would not be collected*Call it test_dialect_gap; or put it into .guard(…)*",
    ),
    "a dict of a wrong name": (f"gaps = {{'en_in': {GAP}}}", "*gaps = *would not be collected*Call it test_gaps;*"),
    "a mark around it": (
        f"import pytest\ntest_gap = pytest.mark.slow({GAP})",
        f"*test_gap is an expectation wrapped in a mark*Write test_gap = ({GAP}).marked(pytest.mark.slow)",
    ),
    "a mark with arguments around it": (
        f"import pytest\ntest_gap = pytest.mark.xfail(strict=True)({GAP})",
        f"*Write test_gap = ({GAP}).marked(pytest.mark.xfail(strict=True))",
    ),
    "a parametrisation": (
        f"import pytest\ntest_gap = pytest.mark.parametrize('case', [1, 2])({GAP})",
        f"*wrapped in a mark*Write test_gap = {{'case': {GAP}, …}}, a dict that names its cases",
    ),
    "a decorator that calls it": (
        f"import functools\ntest_gap = functools.cache({GAP})()",
        "*is a value, not a function. Marks are given by .marked(pytest.mark.slow); cases by a dict of expectations.",
    ),
    "a question without a bound": (
        "test_gap = accuracy(equal).gap('dialect')",
        "*test_gap = accuracy(equal).gap('dialect') has no bound, so it tests nothing.*gap('dialect') < 0.05",
    ),
    "a metric without a bound": ("test_it = accuracy(equal)", "*test_it = accuracy(equal) has no bound*"),
    "equality": (
        "test_it = accuracy(equal) == 0.5",
        "*accuracy(equal) == 0.5 would silently collect nothing*Write a bound: accuracy(equal) > 0.5*",
    ),
    "a range": (
        "test_it = 0.2 < accuracy(equal) < 0.5",
        "*accuracy(equal) > 0.2 is neither true nor false*A range is two expectations, test_low = … > 0.2*",
    ),
    "a conjunction": (f"test_it = {GAP} and {GAP}", "*is neither true nor false before a model has responded.*"),
    "a class of a wrong name": (
        f"class DialectTests:\n    test_gap = {GAP}",
        "*class DialectTests holds the expectation test_gap and would not be collected. Call it TestDialect,*",
    ),
    "a class of a wrong name that holds a dict": (
        f"class Dialects:\n    test_gaps = {{'en_in': {GAP}}}", "*class Dialects holds the expectation test_gaps*",
    ),
    "a unittest class": (
        f"import unittest\nclass TestGaps(unittest.TestCase):\n    test_gap = {GAP}",
        "*class TestGaps holds the expectation test_gap*without a base class or __init__.",
    ),
    "a class with __init__": (
        f"class TestGaps:\n    test_gap = {GAP}\n    def __init__(self): ...",
        "*class TestGaps holds the expectation test_gap and would not be collected.*",
    ),
    "a wrong name in a class": (f"class TestGaps:\n    gap = {GAP}", "*gap = *Call it test_gap;*"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_pytest_would_lose_is_refused(pytester, recorded_suite, case):
    lines, message = REFUSED[case]
    recorded_suite(lines)
    done = pytester.runpytest_inprocess("--model=recorded:any", "-q")
    done.stdout.fnmatch_lines([message.replace("[", "[[]")])
    done.assert_outcomes(errors=1)
    assert done.ret == pytest.ExitCode.INTERRUPTED


def test_a_class_that_says_it_is_no_test_is_let_be(pytester, recorded_suite):
    recorded_suite(f"class Shared:\n    __test__ = False\n    test_gap = {GAP}", "def test_other(): ...")
    pytester.runpytest_inprocess("--model=recorded:any").assert_outcomes(passed=1)


@pytest.mark.parametrize("way", ["-p no:fairprobe", "PYTEST_DISABLE_PLUGIN_AUTOLOAD"])
def test_an_expectation_without_the_plugin_names_the_flag(pytester, recorded_suite, monkeypatch, way):
    recorded_suite(f"test_gap = {GAP}")
    if not way.startswith("-p"):
        monkeypatch.setenv(way, "1")
    done = pytester.runpytest_subprocess("-q", *(way.split() if way.startswith("-p") else ()))
    done.stdout.fnmatch_lines([f"*{GAP} would be collected by nobody*Load it with -p fairprobe*".replace("[", "[[]")])
    assert done.ret == pytest.ExitCode.INTERRUPTED


def test_the_flag_loads_the_plugin(pytester, recorded_suite, monkeypatch):
    recorded_suite(f"test_gap = {GAP}")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    done = pytester.runpytest_subprocess("-p", "fairprobe", "--model=recorded:any")
    done.assert_outcomes(passed=1)
