"""What a verdict looks like in pytest: letters, words, sections, summary lines, exit codes, and every usual option."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from fairprobe import NotShown

SUMMARY = [
    "FAILED test_suite.py::test_fails - *",
    "INCONCLUSIVE test_suite.py::test_undecided - accuracy(answers).gap('dialect') *",
    "INVALID test_suite.py::test_without_evidence - accuracy(equal).gap('dialect') *",
]
RECORDED = "--model=recorded:any"
PASSES = "test_passes = accuracy(equal).gap('dialect') < 0.2"
FAILS = "accuracy(answers).gap('dialect') < 0.05"
UNDECIDED = "accuracy(answers).gap('dialect') < 0.2"


def lines_of(done, *, beginning):
    return [line for line in done.outlines if line.startswith(beginning)]


def test_each_outcome_has_a_letter_and_a_section(pytester, four_outcomes):
    done = pytester.runpytest_inprocess(RECORDED)
    done.stdout.fnmatch_lines(
        [
            "test_suite.py .FIV *",
            "=* FAILURES =*",
            "_* accuracy(answers).gap('dialect') < 0.05 _*",
            "*expected < 0.05: shown not to hold",
            "  80 of 400 samples missed  reports/*/index.html#test_fails",
            "=* INCONCLUSIVE =*",
            "_* accuracy(answers).gap('dialect') < 0.2 _*",
            "accuracy(answers).gap('dialect') is 0.200, shown above 0.140 and below 0.246 "
            "(95 % each side, 200 clusters), expected < 0.2: not decided",
            "  dialect  accuracy    n",
            "  en_in       0.700  200",
            "  en_us       0.900  200",
            "=* INVALID =*",
            "_* (accuracy(equal).gap('dialect') < 0.2).guard(accuracy(equal) > 0.95) _*",
            "  guard accuracy(equal) > 0.95: not shown: fail",
            "=* short test summary info =*",
            *SUMMARY,
            "=* fairprobe =*",
            "1 shown, 1 shown not to hold (1 after Holm's correction for the suite), 1 not decided, 1 not measured. "
            "1 of 4 claims are shown.",
            "report: */index.html",
            "=* 1 failed, 1 passed, 1 inconclusive, 1 invalid in *",
        ]
    )
    assert done.ret == pytest.ExitCode.TESTS_FAILED


def test_it_says_so_when_no_size_would_decide(pytester, recorded_suite):
    recorded_suite(f"test_undecided = {UNDECIDED}")
    done = pytester.runpytest_inprocess(RECORDED)
    done.stdout.fnmatch_lines(["  no number of samples like these would decide it: the value lies at the bound"])


@pytest.mark.parametrize("flag", ["-q", "-rA", "-ra", "-rfE", "--tb=no", "-s"])
def test_each_outcome_has_one_summary_line(pytester, four_outcomes, flag):
    done = pytester.runpytest_inprocess(RECORDED, flag)
    done.stdout.fnmatch_lines(["=* short test summary info =*", *SUMMARY])
    assert len(lines_of(done, beginning=("FAILED ", "INCONCLUSIVE ", "INVALID "))) == 3
    assert len(lines_of(done, beginning="===")) - len(set(lines_of(done, beginning="==="))) == 0
    assert bool(lines_of(done, beginning="PASSED ")) == (flag == "-rA")
    assert any("FAILURES" in line for line in done.outlines) == (flag != "--tb=no")
    assert any("= INVALID =" in line for line in done.outlines) == (flag != "--tb=no")


def test_the_summary_can_be_switched_off(pytester, four_outcomes):
    done = pytester.runpytest_inprocess(RECORDED, "-rN")
    assert not lines_of(done, beginning=("FAILED ", "INCONCLUSIVE ", "INVALID "))


def test_each_outcome_has_a_word(pytester, four_outcomes):
    done = pytester.runpytest_inprocess(RECORDED, "-v")
    done.stdout.fnmatch_lines([
        "test_suite.py::test_passes PASSED *", "test_suite.py::test_fails FAILED *",
        "test_suite.py::test_undecided INCONCLUSIVE *", "test_suite.py::test_without_evidence INVALID *",
    ])  # fmt: skip


def test_undecided_alone_is_red_and_has_its_heading(pytester, recorded_suite):
    recorded_suite(f"test_undecided = {UNDECIDED}")
    done = pytester.runpytest_inprocess(RECORDED, "-q")
    done.stdout.fnmatch_lines(["=* short test summary info =*", "INCONCLUSIVE test_suite.py::test_undecided - *"])
    assert done.ret == pytest.ExitCode.TESTS_FAILED


def test_a_shown_claim_alone_is_green_and_makes_a_release(pytester, recorded_suite, results):
    recorded_suite(PASSES)
    done = pytester.runpytest_inprocess(RECORDED)
    done.stdout.fnmatch_lines(["1 shown. The one claim is shown; if it were false*"])
    assert done.ret == pytest.ExitCode.OK
    assert results()["complete"]


def test_an_alarm_is_green_unless_its_claim_is_shown_false(pytester, recorded_suite, outcomes):
    recorded_suite(f"test_quiet = ({UNDECIDED}).mode('alarm')")
    done = pytester.runpytest_inprocess(RECORDED)
    done.stdout.fnmatch_lines(
        [
            "test_suite.py I *",
            "=* INCONCLUSIVE =*",
            "accuracy(answers).gap('dialect') is 0.200, *expected < 0.2: not decided",
            "INCONCLUSIVE test_suite.py::test_quiet - accuracy(answers).gap('dialect') is 0*…",
        ]
    )
    assert done.ret == pytest.ExitCode.OK
    assert outcomes() == {"test_quiet": "inconclusive"}


def test_an_alarm_rings_when_its_claim_is_shown_false(pytester, recorded_suite):
    recorded_suite(f"test_alarm = ({FAILS}).mode('alarm')")
    assert pytester.runpytest_inprocess(RECORDED).ret == pytest.ExitCode.TESTS_FAILED


def test_an_expected_failure_is_no_failure_and_no_claim(pytester, recorded_suite, results):
    recorded_suite("import pytest", PASSES, f"test_known = ({FAILS}).marked(pytest.mark.xfail(reason='known'))")
    done = pytester.runpytest_inprocess(RECORDED, "-rx")
    done.assert_outcomes(passed=1, xfailed=1)
    done.stdout.fnmatch_lines(["XFAIL test_suite.py::test_known - known", "*The one claim is shown*"])
    assert done.ret == pytest.ExitCode.OK
    assert [each["expected_failure"] for each in results()["verdicts"]] == [False, True]


def test_an_undecided_expected_failure_is_an_expected_failure(pytester, recorded_suite):
    recorded_suite("import pytest", f"test_known = ({UNDECIDED}).marked(pytest.mark.xfail(strict=True))")
    done = pytester.runpytest_inprocess(RECORDED)
    done.assert_outcomes(xfailed=1)
    assert "INCONCLUSIVE" not in done.stdout.str()


@pytest.mark.parametrize(("strict", "code"), [(True, pytest.ExitCode.TESTS_FAILED), (False, pytest.ExitCode.OK)])
def test_a_strict_expected_failure_that_passes_is_red(pytester, recorded_suite, strict, code):
    claim = PASSES.partition(" = ")[2]
    recorded_suite("import pytest", f"test_passes = ({claim}).marked(pytest.mark.xfail(strict={strict}))")
    done = pytester.runpytest_inprocess(RECORDED, "-rfX")
    done.stdout.fnmatch_lines(["FAILED *test_passes - [[]XPASS(strict)*" if strict else "XPASS *test_passes*"])
    assert done.ret == code


@pytest.mark.parametrize("mark", ["skip(reason='not today')", "skipif(True, reason='not today')"])
def test_a_skipped_claim_is_not_judged_and_leaves_the_release_open(pytester, recorded_suite, outcomes, results, mark):
    recorded_suite("import pytest", PASSES, f"test_later = ({FAILS}).marked(pytest.mark.{mark})")
    done = pytester.runpytest_inprocess(RECORDED, "-rs")
    done.assert_outcomes(passed=1, skipped=1)
    done.stdout.fnmatch_lines(["SKIPPED * not today", "1 shown. Partial, not complete: *"])
    assert outcomes() == {"test_passes": "pass"}
    assert not results()["complete"]


def test_waivers_and_reasons_are_in_the_report(pytester, recorded_suite, results):
    recorded_suite(
        "few = Recorded(rows(dict(en_us=1.0, en_in=1.0), n=5), score='score', name='few', pair='id')",
        "claim = accuracy(few).gap('dialect').waive('clusters', because='all there are').because('policy 3.2')",
        "test_few = claim < 0.9",
    )
    pytester.runpytest_inprocess(RECORDED)
    [verdict] = results()["verdicts"]
    assert results()["waivers"] == [
        {"expression": "accuracy(few).gap('dialect') < 0.9", "guard": "clusters", "because": "all there are"}
    ]
    assert verdict["because"] == ["policy 3.2"]
    assert [guard["outcome"] for guard in verdict["guards"] if guard["name"] == "clusters"] == ["waived"]
    assert any("waived because all there are" in caveat for caveat in verdict["caveats"])


def test_x_stops_at_the_first_and_makes_no_release(pytester, four_outcomes, outcomes):
    done = pytester.runpytest_inprocess(RECORDED, "-x")
    done.stdout.fnmatch_lines(
        [
            "1 shown, 1 shown not to hold (1 after Holm's correction for the suite). Partial, not complete: *",
            "* stopping after 1 failures *",
        ]
    )
    assert outcomes() == {"test_passes": "pass", "test_fails": "fail"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["--deselect=test_suite.py::test_fails"], ["test_passes", "test_undecided", "test_without_evidence"]),
        (["-k", "passes"], ["test_passes"]),
        (["test_suite.py::test_passes"], ["test_passes"]),
        (["-m", "not slow"], ["test_passes", "test_fails", "test_undecided", "test_without_evidence"]),
    ],
    ids=["--deselect", "-k", "by name", "-m"],
)
def test_a_part_of_the_suite_is_judged_alike_and_makes_no_release(pytester, recorded_suite, results, given, kept):
    expected = {"fails": FAILS, "passes": PASSES.partition("= ")[2], "undecided": UNDECIDED}
    recorded_suite(
        "import pytest", PASSES, f"test_fails = {FAILS}", f"test_undecided = {UNDECIDED}",
        "test_without_evidence = (accuracy(equal).gap('dialect') < 0.2).guard(accuracy(equal) > 0.95)",
        f"test_slow = ({expected['passes']}).marked(pytest.mark.slow)" if "-m" in given else "",
    )  # fmt: skip
    pytester.makeini("[pytest]\nmarkers = slow\n")
    pytester.runpytest_inprocess(RECORDED, "--fairprobe-report=whole")
    done = pytester.runpytest_inprocess(RECORDED, "--fairprobe-report=part", *given)
    done.stdout.fnmatch_lines(["* Partial, not complete: no release claim."])

    def judged(folder):
        unlike = {"p_value_pass_holm", "p_value_fail_holm", "seconds"}
        return {
            each["test"].rpartition("::")[2]: {name: value for name, value in each.items() if name not in unlike}
            for each in results(folder)["verdicts"]
        }

    whole, part = judged("whole"), judged("part")
    assert list(part) == kept
    assert part == {name: whole[name] for name in kept}


def test_last_failed_judges_again_what_was_red(pytester, four_outcomes, recorded_suite, outcomes):
    recorded_suite("test_other = accuracy(equal).gap('dialect') < 0.3", name="test_green")
    pytester.runpytest_inprocess(RECORDED, "--fairprobe-report=first")
    done = pytester.runpytest_inprocess(RECORDED, "--fairprobe-report=second", "--lf")
    assert list(outcomes("second")) == ["test_fails", "test_undecided", "test_without_evidence"]
    done.stdout.fnmatch_lines(["* Partial, not complete: no release claim."])


def test_junit_carries_the_verdict(pytester, four_outcomes):
    pytester.runpytest_inprocess(RECORDED, "--junitxml=junit.xml")
    cases = {case.get("name"): case for case in ET.parse(pytester.path / "junit.xml").iter("testcase")}
    properties = {each.get("name"): each.get("value") for each in cases["test_fails"].iter("property")}
    assert properties["fairprobe_outcome"] == "fail"
    assert float(properties["fairprobe_value"]) == pytest.approx(0.2)
    assert float(properties["fairprobe_low"]) < 0.2 < float(properties["fairprobe_high"])
    assert properties["fairprobe_bound"] == "0.05"
    [failure] = cases["test_undecided"].iter("failure")
    assert "expected < 0.2: not decided" in failure.get("message")
    assert "en_in       0.700  200" in failure.text
    assert [name for name, case in cases.items() if case.find("failure") is None] == ["test_passes"]


def test_durations_are_listed(pytester, four_outcomes):
    done = pytester.runpytest_inprocess(RECORDED, "--durations=0", "-vv")
    done.stdout.fnmatch_lines(["*slowest durations*", "* call * test_suite.py::test_undecided"])


@pytest.mark.parametrize("plugin", ["cacheprovider", "terminal", "junitxml", "skipping"])
def test_it_works_without_a_plugin_of_pytests(pytester, four_outcomes, outcomes, plugin):
    assert pytester.runpytest_inprocess(RECORDED, "-p", f"no:{plugin}").ret == pytest.ExitCode.TESTS_FAILED
    assert list(outcomes().values()) == ["pass", "fail", "inconclusive", "invalid"]


def test_two_runs_of_one_second_keep_two_reports(pytester, four_outcomes):
    for _ in range(3):
        pytester.runpytest_inprocess(RECORDED, "-q")
    assert len(list(pytester.path.glob("reports/*/results.json"))) == 3


def test_not_shown_is_an_assertion():
    assert issubclass(NotShown, AssertionError)
