"""Options, ini keys and profiles: what they set, and how they refuse what they cannot."""

from __future__ import annotations

import pytest

RECORDED = "--model=recorded:any"
CLEAR = "test_clear = accuracy(equal).gap('dialect') < 0.2"


def test_the_sample_profile_makes_no_claim(pytester, four_outcomes, results):
    done = pytester.runpytest_inprocess(RECORDED, "--fairprobe-profile=sample")
    done.stdout.fnmatch_lines(["1 shown, *. This profile makes no claim."])
    assert done.ret == pytest.ExitCode.OK
    assert {each["samples"] for each in results()["verdicts"]} == {60}
    assert not any(each["red"] for each in results()["verdicts"])


def test_the_sample_profile_still_fails_on_a_crash(pytester, recorded_suite):
    recorded_suite("test_typo = accuracy(equal).gap('dialekt') < 0.2")
    done = pytester.runpytest_inprocess(RECORDED, "--fairprobe-profile=sample")
    assert done.ret == pytest.ExitCode.TESTS_FAILED


def test_the_release_profile_asks_for_more_confidence(pytester, recorded_suite, results):
    recorded_suite(CLEAR, "test_own = (accuracy(equal) > 0.5).at(confidence=0.9)")
    pytester.runpytest_inprocess(RECORDED, "--fairprobe-profile=release")
    assert [each["confidence"] for each in results()["verdicts"]] == [0.975, 0.9]
    assert results()["profile"] == "release"


def test_a_profile_of_ones_own(pytester, recorded_suite, results):
    recorded_suite(CLEAR)
    pytester.makepyprojecttoml("""
        [tool.fairprobe.profiles.mine]
        confidence = 0.9
        limit = 40
        model = "recorded:any"
    """)
    pytester.runpytest_inprocess("--fairprobe-profile=mine").assert_outcomes(passed=1)
    [verdict] = results()["verdicts"]
    assert (verdict["confidence"], verdict["samples"], verdict["model"]) == (0.9, 40, "any")


def test_a_given_option_wins_over_the_profile_and_the_profile_over_the_ini_file(pytester, recorded_suite, results):
    recorded_suite(CLEAR)
    pytester.makeini("[pytest]\nfairprobe_profile = smoke\nfairprobe_limit = 20\nfairprobe_confidence = 0.8\n")
    pytester.runpytest_inprocess(RECORDED, "--fairprobe-confidence=0.9")
    [verdict] = results()["verdicts"]
    assert (verdict["samples"], verdict["confidence"], verdict["mode"]) == (400, 0.9, "alarm")


def test_a_profile_with_an_unknown_setting_is_refused(pytester, recorded_suite):
    recorded_suite(CLEAR)
    pytester.makepyprojecttoml("[tool.fairprobe.profiles.mine]\nconfidense = 0.9\n")
    done = pytester.runpytest_inprocess(RECORDED, "--fairprobe-profile=mine")
    done.stderr.fnmatch_lines(["ERROR: --fairprobe-profile=mine: there is no setting 'confidense'; there are model, *"])
    assert done.ret == pytest.ExitCode.USAGE_ERROR


REFUSED = {
    "--fairprobe-profile=nope": "--fairprobe-profile=nope: there are sample, smoke, nightly, release; "
    "add [[]tool.fairprobe.profiles.nope[]] to pyproject.toml",
    "--fairprobe-confidence=2": "--fairprobe-confidence='2' should be between 0.5 and 1",
    "--fairprobe-confidence=high": "--fairprobe-confidence='high' should be a number",
    "--fairprobe-limit=0": "--fairprobe-limit='0' should be at least 1",
    "--fairprobe-limit=many": "--fairprobe-limit='many' should be a whole number",
    "--fairprobe-seed=x": "--fairprobe-seed='x' should be a whole number",
    "--fairprobe-engine-arg=bfloat16": "--fairprobe-engine-arg 'bfloat16': write KEY=VALUE, "
    "as in --fairprobe-engine-arg dtype=bfloat16",
    "--fairprobe-template-arg=x": "--fairprobe-template-arg 'x': write KEY=VALUE, *",
    "--fairprobe-inconclusive=maybe": "*argument --fairprobe-inconclusive: invalid choice: 'maybe' (choose from *",
}


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_that_makes_no_sense_is_a_usage_error(pytester, recorded_suite, option):
    recorded_suite(CLEAR)
    done = pytester.runpytest_inprocess(RECORDED, option)
    done.stderr.fnmatch_lines([f"*{REFUSED[option]}"])
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert not (pytester.path / "reports").exists()


def test_an_ini_key_that_makes_no_sense_is_a_usage_error(pytester, recorded_suite):
    recorded_suite(CLEAR)
    pytester.makeini("[pytest]\nfairprobe_inconclusive = maybe\n")
    done = pytester.runpytest_inprocess(RECORDED)
    done.stderr.fnmatch_lines(["ERROR: --fairprobe-inconclusive='maybe' should be one of ('fail', 'warn')"])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--fairprobe-engine=nope", "there is no engine 'nope'; installed are: auto, *transformers*"),
        ("--fairprobe-engine-arg=colour=red", "the engine 'transformers' has no argument 'colour' (*); it knows *"),
    ],
)
def test_what_the_engine_refuses_is_an_error_of_each_expectation(pytester, asking_suite, tiny, option, message):
    asking_suite("test_gap = accuracy(clues).gap('dialect') < 0.5", "def test_other(): ...")
    done = pytester.runpytest_inprocess(f"--model={tiny}", option)
    done.assert_outcomes(errors=1, passed=1)
    done.stdout.fnmatch_lines([f"fairprobe: 1 cannot be judged; the first: {message}", "=* ERRORS =*", message])


def test_undecided_may_warn(pytester, four_outcomes, outcomes):
    done = pytester.runpytest_inprocess(RECORDED, "--fairprobe-inconclusive=warn")
    done.stdout.fnmatch_lines(["test_suite.py .FIV*"])
    assert done.ret == pytest.ExitCode.TESTS_FAILED  # the one that is shown not to hold
    relaxed = pytester.runpytest_inprocess(RECORDED, "--fairprobe-inconclusive=warn", "-k", "not fails")
    assert relaxed.ret == pytest.ExitCode.OK


def test_a_limit_keeps_pairs_whole_and_groups_even(pytester, recorded_suite, results):
    recorded_suite("test_floor = accuracy(answers).by('dialect') > 0.1")
    done = pytester.runpytest_inprocess(RECORDED, "--fairprobe-limit=41")
    [verdict] = results()["verdicts"]
    assert [(group["samples"], group["clusters"]) for group in verdict["groups"]] == [(20, 20), (20, 20)]
    assert verdict["clusters"] == 20
    done.stdout.fnmatch_lines(["1 shown. Partial, not complete: no release claim."])


def test_a_limit_draws_the_same_whatever_else_is_run_and_another_with_another_seed(pytester, recorded_suite, results):
    recorded_suite("test_one = accuracy(answers).by('dialect') > 0.1", CLEAR, "test_mean = mean(equal, 'score') > 0.1")

    def groups(*given):
        pytester.runpytest_inprocess(RECORDED, "--fairprobe-limit=60", f"--fairprobe-report={len(given)}", *given)
        verdicts = {each["test"]: each for each in results(str(len(given)))["verdicts"]}
        return [(group["group"], group["value"]) for group in verdicts["test_suite.py::test_one"]["groups"]]

    assert groups() == groups("-k", "test_one")
    assert groups() != groups("--fairprobe-seed=5")


def test_data_is_looked_up_under_the_folder_that_is_named_first(pytester, results):
    for folder, score in (("elsewhere", 1), (".", 0)):
        pytester.path.joinpath(folder).mkdir(exist_ok=True)
        rows = [f'{{"score": {score}, "id": {i}}}' for i in range(50)]
        pytester.path.joinpath(folder, "scores.jsonl").write_text("\n".join(rows))
    pytester.makepyfile("from fairprobe import Recorded, mean\ntest_it = mean(Recorded('scores.jsonl'), 'score') > 0.5")
    pytester.runpytest_inprocess(RECORDED, "--fairprobe-data=elsewhere").assert_outcomes(passed=1)
    assert results()["data"][0]["rows"] == 50
