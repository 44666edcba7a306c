"""Expectations that this run has no answers to are taken out, counted by reason, and never forgotten."""

from __future__ import annotations

import json

import pytest

BOTH = ["test_asked = accuracy(clues).gap('dialect') < 0.5", "test_recorded = accuracy(answers).gap('dialect') < 0.5"]
RECORDED_TASK = """
from fairprobe import Recorded
answers = Recorded([dict(dialect=d, score=1.0, id=i) for d in ("en_us", "en_in") for i in range(50)],
                   score="score", name="answers", pair="id")
"""


def test_asked_tasks_are_left_out_of_a_recorded_run(pytester, asking_suite, outcomes, results):
    asking_suite(RECORDED_TASK, *BOTH)
    done = pytester.runpytest_inprocess("--model=recorded:any")
    done.assert_outcomes(passed=1, deselected=1)
    done.stdout.fnmatch_lines(
        [
            "fairprobe: 1 expectation wants 0 answers, 0 distinct",
            "fairprobe: deselected 1 that ask a checkpoint, since --model names recorded answers",
            "1 shown, 1 deselected. Partial, not complete: no release claim.",
        ]
    )
    assert outcomes() == {"test_recorded": "pass"}
    assert results()["deselected"] == [
        {"reason": "that ask a checkpoint, since --model names recorded answers", "count": 1}
    ]


def test_recorded_tasks_are_left_out_of_an_asking_run(pytester, asking_suite, tiny):
    asking_suite(RECORDED_TASK, *BOTH)
    done = pytester.runpytest_inprocess(f"--model={tiny}")
    done.assert_outcomes(passed=1, deselected=1)
    done.stdout.fnmatch_lines(
        [
            "fairprobe: deselected 1 that read recorded answers, since --model names none (--model=recorded:NAME)",
            "1 shown, 1 deselected. Partial, not complete: *",
        ]
    )


@pytest.mark.parametrize("other", ["", "def test_other(): ..."], ids=["alone", "beside another test"])
def test_nothing_left_is_a_usage_error(pytester, asking_suite, other):
    asking_suite(BOTH[0], other)
    done = pytester.runpytest_inprocess("--model=recorded:any")
    done.stderr.fnmatch_lines(
        [
            "ERROR: fairprobe: no expectation is left with --model=recorded:any: "
            "1 that ask a checkpoint, since --model names recorded answers"
        ]
    )
    assert done.ret == pytest.ExitCode.USAGE_ERROR


def test_a_selection_without_expectations_is_no_error(pytester, asking_suite):
    asking_suite(BOTH[0], "def test_other(): ...")
    pytester.runpytest_inprocess("--model=recorded:any", "-k", "other").assert_outcomes(passed=1, deselected=1)


def test_what_the_checkpoint_cannot_answer_is_left_out(pytester, asking_suite, tiny, outcomes, results, monkeypatch):
    from fairprobe.engines.transformers import TransformersEngine
    from fairprobe.requests import Choose

    monkeypatch.setattr(TransformersEngine, "refuses", lambda _, kind: "no numbers" if kind is Choose else None)
    asking_suite(BOTH[0], "test_chosen = accuracy(sums).by('level') > 0.1")
    done = pytester.runpytest_inprocess(f"--model={tiny}")
    done.assert_outcomes(passed=1, deselected=1)
    done.stdout.fnmatch_lines([
        "fairprobe: deselected 1 that the model cannot answer: no numbers",
        "1 shown, 1 deselected. Partial, not complete: *",
    ])  # fmt: skip
    assert outcomes() == {"test_asked": "pass"}
    assert results()["deselected"] == [{"reason": "that the model cannot answer: no numbers", "count": 1}]


@pytest.fixture
def recordings(pytester):
    """Recordings of the model `a` for two tasks, and of `b` for the first alone."""
    for task, model in (("riddles", "a"), ("riddles", "b"), ("sums", "a")):
        rows = [{"dialect": d, "score": 1, "id": i} for d in ("en_us", "en_in") for i in range(50)]
        folder = pytester.path / task
        folder.mkdir(exist_ok=True)
        folder.joinpath(f"{model}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pytester.makepyfile("""
        from fairprobe import Recorded, accuracy

        riddles = Recorded("riddles/{model}.jsonl", score="score", pair="id", name="riddles")
        sums = Recorded("sums/{model}.jsonl", score="score", pair="id", name="sums")
        test_riddles = accuracy(riddles).gap("dialect") < 0.5
        test_sums = accuracy(sums).gap("dialect") < 0.5
        test_change = accuracy(sums).change().gap("dialect") < 0.5
    """)


def test_a_model_without_a_recording_of_a_task_leaves_it_out(pytester, recordings, outcomes):
    done = pytester.runpytest_inprocess("--model=recorded:b", "--baseline=recorded:a")
    done.assert_outcomes(passed=1, deselected=2)
    done.stdout.fnmatch_lines([
        "fairprobe: deselected 2 without a recording of 'b'", "1 shown, 2 deselected. Partial, not complete: *",
    ])  # fmt: skip
    assert outcomes() == {"test_riddles": "pass"}


def test_a_baseline_without_a_recording_leaves_out_its_changes(pytester, recordings, outcomes):
    done = pytester.runpytest_inprocess("--model=recorded:a", "--baseline=recorded:b")
    done.stdout.fnmatch_lines(["fairprobe: deselected 1 without a recording of 'b'"])
    assert outcomes() == {"test_riddles": "pass", "test_sums": "pass"}


def test_a_name_that_was_never_recorded_is_a_usage_error(pytester, recordings):
    done = pytester.runpytest_inprocess("--model=recorded:c", "--baseline=recorded:a")
    done.stderr.fnmatch_lines(["*no expectation is left with --model=recorded:c: 3 without a recording of 'c'"])
    assert done.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("workers", ["-n1", "-n2"])
def test_nothing_left_is_an_error_for_workers_too(pytester, recordings, workers):
    done = pytester.runpytest_inprocess("--model=recorded:c", workers, "-p", "no:hypothesispytest", "-p", "no:anyio")
    done.stderr.fnmatch_lines(
        ["ERROR: fairprobe: no expectation is left with --model=recorded:c: 3 without a recording *"]
    )
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert "INTERNALERROR" not in done.stdout.str() + done.stderr.str()
    assert not (pytester.path / "reports").exists()
