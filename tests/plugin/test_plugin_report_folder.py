"""A report that cannot be written is known before anything is asked; one that is written lies where it was told to."""

from __future__ import annotations

import pytest

GAP = "test_gap = accuracy(equal).gap('dialect') < 0.2"


@pytest.mark.parametrize("folder", ["taken", "taken/inside"])
def test_a_file_in_its_place_is_a_usage_error_before_anything_is_asked(pytester, asking_suite, tiny, folder):
    asking_suite("test_gap = accuracy(clues).gap('dialect') < 0.5")
    (pytester.path / "taken").write_text("not a folder")
    done = pytester.runpytest_inprocess(f"--model={tiny}", f"--fairprobe-report={folder}")
    done.stderr.fnmatch_lines(
        [
            f"*the report folder {pytester.path}/{folder} cannot be written (*; {pytester.path}/taken exists). "
            "Choose another: --fairprobe-report=DIR"
        ]
    )
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert not (pytester.path / ".fairprobe/store/answers.sqlite").exists()


def test_a_folder_that_goes_away_is_told_and_red(pytester, recorded_suite):
    pytester.makepyfile(
        test_taking="import shutil\ndef test_it():\n    shutil.rmtree('mine')\n    open('mine', 'w').close()"
    )
    recorded_suite(GAP)
    done = pytester.runpytest_inprocess("--model=recorded:any", "--fairprobe-report=mine")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["the report cannot be written to *mine: *--fairprobe-report=DIR*"])
    assert done.ret == pytest.ExitCode.TESTS_FAILED


def test_it_lies_in_the_folder_that_is_named(pytester, recorded_suite):
    recorded_suite(GAP)
    done = pytester.runpytest_inprocess("--model=recorded:any", "--fairprobe-report=mine/today")
    assert sorted(path.name for path in (pytester.path / "mine/today").iterdir()) == [
        "index.html",
        "results.json",
        "samples",
    ]
    done.stdout.fnmatch_lines([f"report: {pytester.path}/mine/today/index.html"])


def test_by_default_it_is_named_for_the_checkpoint(pytester, recorded_suite):
    recorded_suite(GAP)
    pytester.runpytest_inprocess("--model=recorded:any/thing")
    [folder] = (pytester.path / "reports").iterdir()
    assert folder.name.endswith("-thing")


def test_a_run_of_ordinary_tests_leaves_nothing(pytester, recorded_suite):
    recorded_suite(GAP, "def test_other(): ...")
    pytester.runpytest_inprocess("--model=recorded:any", "-k", "other").assert_outcomes(passed=1, deselected=1)
    assert not (pytester.path / "reports").exists()
