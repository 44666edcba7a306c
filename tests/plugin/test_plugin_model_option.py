"""`--model` and `--baseline`: in every form, and never a way to run what lies in a checkpoint's folder."""

from __future__ import annotations

import shutil

import pytest

GAP = "test_gap = accuracy(equal).gap('dialect') < 0.2"
OWNER = """
def pytest_addoption(parser):
    parser.addoption("--model", default="none")

import pytest

@pytest.fixture
def their_model(request):
    return request.config.getoption("--model")
"""


@pytest.mark.parametrize(
    "given",
    [
        ["--model=recorded:any"],
        ["--model", "recorded:any"],
        ["--fairprobe-model=recorded:any"],
        ["--fairprobe-model", "recorded:any"],
        ["-q", "--model", "recorded:any", "test_suite.py", "--baseline", "recorded:any"],
        ["test_suite.py", "--baseline=recorded:any", "--model=recorded:any"],
    ],
    ids=" ".join,
)
def test_a_model_is_named_on_the_command_line(pytester, recorded_suite, given):
    recorded_suite(GAP)
    pytester.runpytest_inprocess(*given).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "key", ["fairprobe_model = recorded:any", "addopts = --model=recorded:any", "addopts = --model recorded:any"]
)
def test_a_model_is_named_in_the_ini_file(pytester, recorded_suite, key):
    recorded_suite(GAP)
    pytester.makeini(f"[pytest]\n{key}\n")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_model_is_named_in_the_environment(pytester, recorded_suite, monkeypatch):
    recorded_suite(GAP)
    monkeypatch.setenv("PYTEST_ADDOPTS", "--model=recorded:any")
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


def test_the_command_line_wins_over_the_ini_file(pytester, recorded_suite, results):
    recorded_suite(GAP)
    pytester.makeini("[pytest]\nfairprobe_model = recorded:other\n")
    pytester.runpytest_inprocess("--model=recorded:any")
    assert results()["checkpoints"][0]["name"] == "any"
    assert results()["settings"]["model"] == "recorded:any"


def test_two_baselines_are_refused(pytester, recorded_suite):
    recorded_suite(GAP)
    two = "--baseline=recorded:any", "--fairprobe-baseline=recorded:other"
    done = pytester.runpytest_inprocess("--model=recorded:any", *two)
    done.stderr.fnmatch_lines(["*--baseline is given 2 times (recorded:any, recorded:other); a run has one baseline*"])
    assert done.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("given", [["--model"], ["--model", "--baseline=recorded:any"]], ids=" ".join)
def test_a_missing_value_is_refused(pytester, recorded_suite, given):
    recorded_suite(GAP)
    done = pytester.runpytest_inprocess(*given)
    done.stderr.fnmatch_lines(["*--model needs a value: --model=path/to/checkpoint*"])
    assert done.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("form", [["--model=theirs"], ["--model", "theirs"]], ids=["=", "bare"])
@pytest.mark.parametrize("place", [".", "nested"])
def test_a_conftest_that_owns_the_name_keeps_it(pytester, recorded_suite, form, place):
    folder = pytester.path / place
    folder.mkdir(exist_ok=True)
    folder.joinpath("conftest.py").write_text(OWNER)
    folder.joinpath("test_theirs.py").write_text("def test_theirs(their_model): assert their_model == 'theirs'\n")
    recorded_suite(GAP)
    done = pytester.runpytest_inprocess(place, "test_suite.py", "--fairprobe-model=recorded:any", *form)
    done.assert_outcomes(passed=2)


@pytest.fixture
def hostile(pytester, tiny):
    """A real checkpoint with a conftest.py and a test module, both of which leave a trace when they are executed."""
    folder = shutil.copytree(tiny, pytester.path / "downloaded")
    trace = str(pytester.path / "executed")
    for name in ("conftest.py", "test_hostile.py"):
        folder.joinpath(name).write_text(f"open({trace!r}, 'w').close()\nraise SystemExit(3)\n")
    return folder


@pytest.mark.parametrize(
    "form", ["--model=downloaded", "--model downloaded", "--baseline downloaded --model downloaded"]
)
@pytest.mark.parametrize("where", ["test_asking.py", ""], ids=["a file", "everything"])
def test_code_in_a_checkpoints_folder_is_never_executed(pytester, hostile, asking_suite, form, where):
    asking_suite("test_gap = accuracy(clues).gap('dialect') < 0.5")
    done = pytester.runpytest_inprocess(*form.split(), *where.split(), "--collect-only", "-q")
    done.stdout.fnmatch_lines(["fairprobe: * 24 to ask (* prompt tokens)", "test_asking.py::test_gap", "1 test *"])
    assert done.ret == 0
    assert not (pytester.path / "executed").exists()


def test_the_name_reaches_workers(pytester, recorded_suite):
    recorded_suite(GAP)
    pytester.runpytest_inprocess("--model", "recorded:any", "-n1").assert_outcomes(passed=1)
