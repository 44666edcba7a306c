"""`fairprobe power` prints what could be decided, and asks nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

SUITE = """
    from fairprobe import Generation, Recorded, accuracy

    rows = [dict(id=i, dialect=d, clue=f"{i} in {d}", word="otter") for d in ("en_us", "en_in") for i in range(100)]
    clues = Generation(rows, "{clue}", target="word", name="clues", pair="id", max_tokens=2)
    recorded = Recorded([dict(r, score=r["id"] % 2) for r in rows], score="score", name="recorded", pair="id")

    test_gap = accuracy(clues).gap("dialect") < 0.3
    test_tight = accuracy(clues).gap("dialect") < 0.001
    test_recorded = accuracy(recorded).gap("dialect") < 0.1

    def test_other():
        raise AssertionError("nothing is run")
"""


@pytest.fixture
def suite(pytester):
    """Two expectations of a task that asks, one of a recording, and a test."""
    pytester.makepyfile(test_suite=SUITE)


def rows(result):
    """The table's rows by their expectation."""
    lines = [line.split("  ") for line in result.outlines if " < 0." in line]
    return {line[1]: [cell.strip() for cell in line[2:] if cell.strip()] for line in lines}


def test_a_table_is_printed_and_nothing_is_asked_or_written(suite, pytester):
    result = pytester.runpytest_subprocess("--fairprobe-power")
    assert result.ret == pytest.ExitCode.TESTS_FAILED, "the recording names no model"
    table = rows(result)
    samples, clusters, can_pass, passes, fails, needed = table["accuracy(clues).gap('dialect') < 0.3"]
    assert (samples, clusters, can_pass) == ("200", "100", "yes")
    assert passes.startswith("<= 0.1")
    assert fails.startswith(">= 0.4")
    assert 10 < int(needed.removesuffix("*")) < 100
    assert table["accuracy(clues).gap('dialect') < 0.001"][2:4] == ["no", "none*"]
    result.stdout.fnmatch_lines(["*nobody's answers are kept, so 70 % right ones are assumed*"])
    result.stdout.fnmatch_lines(["fairprobe: 1 cannot be judged; the first: *recorded*--model=recorded:NAME"])
    assert not (pytester.path / "reports").exists()
    assert not (pytester.path / ".fairprobe").exists()


def test_a_recording_tells_how_its_own_answers_vary(suite, pytester):
    result = pytester.runpytest_subprocess("--fairprobe-power", "--model=recorded:any")
    cells = rows(result)["accuracy(recorded).gap('dialect') < 0.1"]
    assert cells[:3] == ["200", "100", "yes"]
    # both groups answer alike, so they hardly vary apart
    assert "*" not in "".join(cells)
    assert int(cells[5]) < 100
    result.stdout.fnmatch_lines(["fairprobe: deselected 2 that ask a checkpoint*"])


def test_answers_that_are_kept_are_taken(suite, pytester, checkpoints_folder):
    model = f"--model={checkpoints_folder / 'plain'}"
    before = rows(pytester.runpytest_subprocess("--fairprobe-power", model))
    pytester.runpytest_subprocess(model, "-k", "gap")
    after = rows(pytester.runpytest_subprocess("--fairprobe-power", model))
    claim = "accuracy(clues).gap('dialect') < 0.3"
    assert before[claim][5].endswith("*")
    assert not after[claim][5].endswith("*")


def test_nothing_is_run_beside_a_module_that_cannot_be_collected(suite, pytester):
    pytester.makepyfile(test_broken="raise ValueError")
    goes_on = pytester.runpytest_subprocess("--fairprobe-power", "--continue-on-collection-errors")
    assert rows(goes_on)
    goes_on.stdout.no_fnmatch_line("*nothing is run*")
    assert goes_on.ret == pytest.ExitCode.TESTS_FAILED
    stops = pytester.runpytest_subprocess("--fairprobe-power")
    assert stops.ret == pytest.ExitCode.INTERRUPTED


def test_a_benchmark_is_told_as_it_is(pytester):
    pytester.makepyfile(test_suite=SUITE.replace('gap("dialect") < 0.3', 'gap("dialect").at(scope="benchmark") < 0.3'))
    result = pytester.runpytest_subprocess("--fairprobe-power", "-k", "test_gap")
    result.stdout.fnmatch_lines(["*at(scope='benchmark')*200*100*yes*< 0.3*any other*these"])


def test_a_limit_is_seen(suite, pytester):
    table = rows(pytester.runpytest_subprocess("--fairprobe-power", "--fairprobe-limit=40"))
    assert table["accuracy(clues).gap('dialect') < 0.3"][:2] == ["40", "20"]


def test_a_folder_without_expectations_says_so(pytester):
    pytester.makepyfile(test_other="def test_other(): ...")
    result = pytester.runpytest_subprocess("--fairprobe-power")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["fairprobe: there is no expectation; name the folder of a suite, as in: *"])


def test_a_folder_that_is_not_there_is_pytests_to_name(pytester):
    result = pytester.runpytest_subprocess("--fairprobe-power", "nowhere")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.no_fnmatch_line("*there is no expectation*")
    command = [sys.executable, "-c", "from fairprobe.cli import app; app()", "power"]
    pytester.run(*command).stderr.fnmatch_lines(["*Missing argument 'suite'*"])


def test_several_processes_are_refused(suite, pytester):
    result = pytester.runpytest_subprocess("--fairprobe-power", "-n", "2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--fairprobe-power asks nothing and is told by one process: leave -n out*"])


def test_the_command_is_the_option(suite, pytester):
    command = [sys.executable, "-c", "from fairprobe.cli import app; app()", "power", "test_suite.py", "-k", "tight"]
    result = pytester.run(*command)
    assert result.ret == 0
    assert [*rows(result)] == ["accuracy(clues).gap('dialect') < 0.001"]


def test_the_command_line_loads_nothing_heavy():
    listing = "import sys, fairprobe.cli; print(sorted({'numpy', 'torch', 'polars', 'pytest'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", listing], text=True).strip() == "[]"
