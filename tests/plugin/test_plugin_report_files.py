"""What a run leaves beside its page, what it says of the run before it, and what it tells GitHub."""

from __future__ import annotations

import polars as pl
import pytest

from fairprobe.report.schema import checker

EXPECTED = {"fail": "test_fails = accuracy(answers).gap('dialect') < 0.05"}

GAP = "test_gap = accuracy(equal).gap('dialect') < 0.2"
FLOOR = "test_floor = accuracy(answers).by('dialect') > 0.8"


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_every_sample_lies_in_parquet_and_the_results_fit_the_schema(pytester, recorded_suite, results, workers):
    recorded_suite(GAP, FLOOR, "test_valid = valid_rate(equal).by('dialect') > 0.9")
    pytester.runpytest_inprocess("--model=recorded:any", "--fairprobe-report=out", *workers)
    held = results("out")
    checker()(held)
    assert {each["file"] for each in held["samples"]} == {"samples/answers.parquet", "samples/equal.parquet"}
    for each in held["samples"]:
        assert pl.read_parquet(pytester.path / "out" / each["file"]).height == each["rows"] == 400


@pytest.mark.usefixtures("four_outcomes")
def test_every_outcome_fits_the_schema(pytester, results):
    pytester.makepyfile(
        test_broken="from fairprobe import *\ntest_it = accuracy(Generation('no.jsonl', '{a}', target='b')) > 0.1"
    )
    pytester.runpytest_inprocess("--model=recorded:any")
    checker()(results())


def test_samples_with_both_checkpoints_are_kept(pytester, asking_suite, tiny, results):
    asking_suite("test_change = accuracy(clues).change().by('dialect') > -0.5")
    pytester.runpytest_inprocess(f"--model={tiny}", f"--baseline={tiny}")
    held = results()
    checker()(held)
    assert {(each["role"], each["file"]) for each in held["samples"]} == {
        ("model", "samples/clues.parquet"), ("baseline", "samples/clues.baseline.parquet"),
    }  # fmt: skip
    [change] = held["verdicts"]
    assert {side for group in change["groups"] for side in group["sides"]} == {"model", "baseline"}
    for group in change["groups"]:
        assert group["sides"]["model"] - group["sides"]["baseline"] == pytest.approx(group["value"])


def test_samples_are_kept_whatever_is_asked_after_they_were_judged(pytester, asking_suite, tiny, results):
    asking_suite(
        "test_a = valid_rate(clues).by('dialect') > 0.1",
        "def test_z(model):\n    model.generate(['one more'])\n    assert valid_rate(sums) > 0.1",
    )
    pytester.runpytest_inprocess(f"--model={tiny}")
    assert {each["task"] for each in results()["samples"]} == {"clues", "sums"}


@pytest.mark.parametrize("broken", ["load", "compare"])
def test_a_run_before_that_breaks_costs_this_one_nothing(pytester, recorded_suite, results, monkeypatch, broken):
    recorded_suite(GAP)
    pytester.runpytest_inprocess("--model=recorded:any", "--fairprobe-report=reports/one")

    def breaks(*given):
        raise ZeroDivisionError(broken)

    monkeypatch.setattr(f"fairprobe.report.comparison.{broken}", breaks)
    done = pytester.runpytest_inprocess("--model=recorded:any", "--fairprobe-report=reports/two")
    done.stdout.fnmatch_lines(["the run before this one could not be compared: ZeroDivisionError*"])
    assert done.ret == 0
    assert results("reports/two")["previous"] is None


def test_a_worker_that_could_not_write_its_samples_is_heard():
    from fairprobe.pytest_plugin.facts import merged

    known = {"requests": dict.fromkeys(("asked", "prompt_tokens", "output_tokens", "cached"), 0), "rounds": [],
             "engine": {}, "samples": [], "seconds": {}, "plan": {"tests": []}, "complete": True}  # fmt: skip
    run = merged([{**known, "unwritten": None}, {**known, "unwritten": "disk full"}], [], interrupted=False)
    assert run["unwritten"] == "disk full"


def test_the_run_before_is_found_beside_it(pytester, recorded_suite, results):
    recorded_suite(FLOOR)
    pytester.runpytest_inprocess("--model=recorded:first", "--fairprobe-report=reports/one")
    assert results("reports/one")["previous"] is None
    pytester.makepyfile(test_suite=(pytester.path / "test_suite.py").read_text().replace("en_in=0.7", "en_in=0.9"))
    pytester.runpytest_inprocess("--model=recorded:second", "--fairprobe-report=reports/two")
    previous = results("reports/two")["previous"]
    assert (previous["run"], previous["model"]) == ("one", "first")
    [claim] = previous["claims"]
    assert (claim["outcome_before"], claim["outcome"]) == ("fail", "pass")
    assert claim["difference"] == pytest.approx(0.2)
    page = (pytester.path / "reports/two/index.html").read_text()
    assert "Since the previous run" in page
    assert "1 verdict changed" in page


def test_a_run_that_is_written_over_is_compared_by_its_values(pytester, recorded_suite, results):
    recorded_suite(FLOOR)
    for _ in range(2):
        pytester.runpytest_inprocess("--model=recorded:any", "--fairprobe-report=out/it")
    [claim] = results("out/it")["previous"]["claims"]
    assert (claim["value_before"], claim["difference"], claim["why"]) == (0.7, None, "its samples are not kept")


@pytest.mark.parametrize("content", ["{", '{"schema": 99}', '{"schema": 1, "fairprobe": "0", "verdicts": []}'])
def test_strange_files_beside_a_run_are_no_run_before_it(pytester, recorded_suite, results, content):
    (pytester.path / "reports/odd").mkdir(parents=True)
    (pytester.path / "reports/odd/results.json").write_text(content)
    recorded_suite(GAP)
    pytester.runpytest_inprocess("--model=recorded:any", "--fairprobe-report=reports/two").assert_outcomes(passed=1)
    assert results("reports/two")["previous"] is None


def test_samples_that_cannot_be_written_are_told_and_red(pytester, recorded_suite, results):
    recorded_suite(GAP)
    (pytester.path / "out").mkdir()
    (pytester.path / "out/samples").write_text("")
    done = pytester.runpytest_inprocess("--model=recorded:any", "--fairprobe-report=out")
    done.stdout.fnmatch_lines(["the samples cannot be written to *out/samples: *nothing is asked twice*"])
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert results("out")["samples"] == []


@pytest.mark.usefixtures("four_outcomes")
def test_a_table_of_verdicts_reads_without_colour(pytester, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = pytester.runpytest_inprocess("--model=recorded:any", "--color=no")
    done.stdout.fnmatch_lines([
        "verdict       test *",
        "fail          test_fails *",
        "              0.20 (0.14 to 0.25), expected < 0.05, 200 clusters, en_in: 0.70 / *",
        "*report: *index.html",
    ])  # fmt: skip
    assert "\x1b" not in done.stdout.str()


@pytest.mark.usefixtures("four_outcomes")
def test_a_wide_terminal_has_a_line_for_each_verdict(pytester, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    done = pytester.runpytest_inprocess("--model=recorded:any", "--color=yes")
    plain = [line for line in done.stdout.lines if "test_fails" in line and "clusters" in line]
    assert plain[-1].startswith("\x1b[1;31mfail")
    assert "0.14 to 0.25" in plain[-1]


@pytest.mark.usefixtures("four_outcomes")
def test_a_quiet_run_has_no_table(pytester):
    done = pytester.runpytest_inprocess("--model=recorded:any", "-q")
    done.stdout.no_fnmatch_line("verdict  *test*")
    done.stdout.fnmatch_lines(["1 shown, *"])


@pytest.mark.usefixtures("four_outcomes")
def test_github_gets_a_summary_and_annotations(pytester, monkeypatch):
    summary = pytester.path / "summary.md"
    summary.write_text("what stood there\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    done = pytester.runpytest_inprocess("--model=recorded:any")
    text = summary.read_text()
    assert text.startswith("what stood there\n## fairprobe: Not every claim was shown: of 4 expectations")
    lines = [line for line in done.stdout.lines if line.startswith("::")]
    [error, *warnings] = lines
    written = (pytester.path / "test_suite.py").read_text().splitlines()
    assert error.startswith(f"::error file=test_suite.py,line={written.index(EXPECTED['fail']) + 1},title=fail%3A ")
    assert [line.partition(" ")[0] for line in warnings] == ["::warning"] * 2


@pytest.mark.usefixtures("four_outcomes")
def test_a_summary_that_cannot_be_written_is_said(pytester, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path))
    done = pytester.runpytest_inprocess("--model=recorded:any", "-k", "passes")
    done.stdout.fnmatch_lines(["the step's summary cannot be written to *: *"])
    assert done.ret == 0


def test_elsewhere_nothing_is_annotated(pytester, recorded_suite, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    recorded_suite(FLOOR)
    pytester.runpytest_inprocess("--model=recorded:any").stdout.no_fnmatch_line("::*")


def test_the_line_of_a_test_is_known(pytester, recorded_suite, results):
    recorded_suite("", FLOOR, "def test_inside():\n    assert accuracy(equal) > 0.1")
    pytester.runpytest_inprocess("--model=recorded:any")
    lines = (pytester.path / "test_suite.py").read_text().splitlines()
    assert {each["test"].rpartition("::")[2]: each["line"] for each in results()["verdicts"]} == {
        "test_floor": lines.index(FLOOR) + 1, "test_inside": lines.index("def test_inside():") + 1,
    }  # fmt: skip


def test_names_cannot_move_the_cursor(pytester, recorded_suite):
    recorded_suite(
        "rows = [dict(g=g, score=float(n % 2)) for n in range(40) for g in ('a\\x1b[2J', 'b\\u202e')]",
        "odd = Recorded(rows, score='score', name='odd')",
        "test_odd = {'c\\x1b[2J\\u202e': accuracy(odd).by('g') > 0.9}",
    )
    done = pytester.runpytest_inprocess("--model=recorded:any", "--color=no", "-v")
    assert "\x1b" not in done.stdout.str()
    assert "\u202e" not in done.stdout.str()
    assert "a␛[2J" in done.stdout.str()
    assert "test_odd[c\\x1b[2J\\u202e] FAILED" in done.stdout.str()
