"""What was asked once is stored: a second run asks nothing, an interrupted one is resumed, and no clock counts it."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time

import pytest

GAP = "test_gap = accuracy(clues).gap('dialect') < 0.5"
SLOW = """
import time
import fairprobe.session
from fairprobe.engines.transformers import TransformersEngine

fairprobe.session.CHUNK_SECONDS = 0.02
answers = TransformersEngine.answers

def slowly(self, requests):
    apart = ({request: answer} for chunk in answers(self, requests) for request, answer in chunk.items())
    for place, answer in enumerate(apart):
        if place == 6:
            open("six", "w").close()
            time.sleep(60)
        time.sleep(0.03)
        yield answer

TransformersEngine.answers = slowly
"""


def requests(results, folder):
    counts = results(folder)["requests"]
    return counts["cached"], counts["asked"]


def test_a_second_run_asks_nothing(pytester, asking_suite, tiny, results, outcomes):
    asking_suite(GAP, "test_level = accuracy(sums).by('level') > 0.99")
    pytester.runpytest_inprocess(f"--model={tiny}", "--fairprobe-report=first")
    done = pytester.runpytest_inprocess(f"--model={tiny}", "--fairprobe-report=second")
    done.stdout.fnmatch_lines(["fairprobe: 2 expectations want 48 answers, 48 distinct; 48 are stored, 0 to ask"])
    assert requests(results, "first") == (0, 48)
    assert requests(results, "second") == (48, 0)
    assert results("second")["requests"]["prompt_tokens"] == 0
    computed = results("first")["engine"]["counts"]["model"]["prefill_tokens"]
    assert computed == results("first")["requests"]["prompt_tokens"] > 0
    assert results("second")["engine"]["counts"]["model"]["prefill_tokens"] == 0
    assert outcomes("first") == outcomes("second")
    assert (pytester.path / ".fairprobe/store/answers.sqlite").is_file()


def test_a_larger_suite_asks_only_what_is_new(pytester, asking_suite, tiny, results):
    asking_suite(GAP)
    pytester.runpytest_inprocess(f"--model={tiny}", "--fairprobe-report=first")
    asking_suite(GAP, "test_level = accuracy(sums).by('level') > 0.99")
    pytester.runpytest_inprocess(f"--model={tiny}", "--fairprobe-report=second")
    assert requests(results, "second") == (24, 24)


def test_another_bound_asks_nothing(pytester, asking_suite, tiny, results):
    asking_suite(GAP)
    pytester.runpytest_inprocess(f"--model={tiny}", "--fairprobe-report=first")
    asking_suite(
        GAP.replace("0.5", "0.25"), GAP.replace("test_gap", "test_levels").replace(".gap(", ".by(").replace("<", ">")
    )
    pytester.runpytest_inprocess(f"--model={tiny}", "--fairprobe-report=second")
    assert requests(results, "second") == (24, 0)


def test_other_numerics_are_asked_again(pytester, asking_suite, tiny, results):
    asking_suite(GAP)
    pytester.runpytest_inprocess(f"--model={tiny}", "--fairprobe-report=first")
    pytester.runpytest_inprocess(
        f"--model={tiny}", "--fairprobe-report=second", "--fairprobe-engine-arg", "dtype=bfloat16"
    )
    assert requests(results, "second") == (0, 24)
    assert results("second")["engine"]["dtype"] == "bfloat16"


def test_equal_requests_of_many_tests_are_asked_once(pytester, asking_suite, tiny, results):
    asking_suite(GAP, "test_floor = accuracy(clues).by('dialect') > 0.1", "test_valid = valid_rate(clues) > 0.5")
    pytester.runpytest_inprocess(f"--model={tiny}")
    counts = results()["requests"]
    assert (counts["wanted"], counts["distinct"], counts["asked"]) == (72, 24, 24)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_is_resumed(pytester, asking_suite, tiny, results, stop):
    asking_suite(GAP)
    pytester.makeconftest(SLOW)
    command = [
        sys.executable, "-m", "pytest", "-q", f"--model={tiny}", "--fairprobe-report=first",
        "-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:cacheprovider",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE, text=True) as run:
        started = time.monotonic()
        while not (pytester.path / "six").exists() and run.poll() is None and time.monotonic() - started < 90:
            time.sleep(0.05)
        run.send_signal(stop)
        said = run.communicate(timeout=60)[0]
    (pytester.path / "conftest.py").unlink()
    pytester.runpytest_inprocess(f"--model={tiny}", "--fairprobe-report=second").assert_outcomes(passed=1)
    if stop is signal.SIGINT:
        assert run.returncode == pytest.ExitCode.INTERRUPTED, said
        assert results("first")["interrupted"]
        assert not results("first")["complete"]
        assert "Partial, not complete: no release claim." in said
        assert requests(results, "second") == (6, 18)
    else:
        cached, asked = requests(results, "second")
        assert 4 <= cached <= 6
        assert cached + asked == 24


def test_a_clock_on_single_tests_does_not_count_asking(pytester, asking_suite, tiny, monkeypatch):
    from fairprobe.engines.transformers import TransformersEngine

    answers = TransformersEngine.answers

    def slowly(self, requests):
        time.sleep(1.0)
        yield from answers(self, requests)

    monkeypatch.setattr(TransformersEngine, "answers", slowly)
    asking_suite(GAP, "import time\ndef test_slow():\n    time.sleep(5)")
    done = pytester.runpytest_inprocess(f"--model={tiny}", "--timeout=0.4")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["FAILED test_asking.py::test_slow - *Timeout*"])


@pytest.fixture
def breaking():
    """The engine goes away after five answers; undone when this is called."""
    from fairprobe import EngineError
    from fairprobe.engines.transformers import TransformersEngine

    answers = TransformersEngine.answers

    def five(self, requests):
        apart = ({request: answer} for chunk in answers(self, requests) for request, answer in chunk.items())
        yield from itertools.islice(apart, 5)
        raise EngineError("the device is gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransformersEngine, "answers", five)
        yield patch.undo


def test_an_engine_that_breaks_keeps_what_it_said(pytester, asking_suite, tiny, breaking, results):
    asking_suite(GAP, "test_floor = accuracy(clues).by('dialect') > 0.5", "def test_other(): ...")
    done = pytester.runpytest_inprocess(f"--model={tiny}", "--fairprobe-report=first")
    done.assert_outcomes(errors=2, passed=1)
    done.stdout.fnmatch_lines(["the device is gone", "2 not judged. Partial, not complete: *"])
    breaking()
    pytester.runpytest_inprocess(f"--model={tiny}", "--fairprobe-report=second")
    assert requests(results, "second") == (5, 19)


def test_a_run_that_breaks_counts_what_it_asked(pytester, asking_suite, tiny, breaking, results):
    asking_suite(GAP)
    pytester.runpytest_inprocess(f"--model={tiny}", "--fairprobe-report=first")
    assert requests(results, "first") == (0, 5)


@pytest.mark.parametrize(("quiet", "said"), [((), 1), (("-q",), 0)], ids=["as always", "quietly"])
def test_asking_that_takes_long_is_told_unless_quiet(pytester, asking_suite, tiny, monkeypatch, quiet, said):
    monkeypatch.setattr("fairprobe.progress.PATIENCE", 0.0)
    asking_suite(GAP)
    done = pytester.runpytest_inprocess(f"--model={tiny}", *quiet)
    told = [line for line in done.outlines if "asking the model plain: 24 of 24 requests and " in line]
    assert len(told) == said
    assert ("asking the model" in done.stdout.str()) is bool(said)


def test_the_plan_says_how_long_it_takes_at_the_last_runs_pace(pytester, checkpoints_folder):
    pytester.makepyfile("""
        from fairprobe import Generation, valid_rate
        rows = [{"clue": f"clue {number}: it swims", "word": "otter"} for number in range(60)]
        clues = Generation(rows, "{clue}", target="word", name="clues", max_tokens=2)
        test_valid = valid_rate(clues) > 0.1
    """)
    model = f"--model={checkpoints_folder / 'plain'}"
    pytester.runpytest_inprocess(model).stdout.no_fnmatch_line("*last run's pace*")
    again = pytester.runpytest_inprocess(model, "--fairprobe-store=.fairprobe/another", "--collect-only")
    again.stdout.fnmatch_lines(
        ["fairprobe: *; 0 are stored, 60 to ask (* prompt tokens, under 10 s at the last run's pace)"]
    )
