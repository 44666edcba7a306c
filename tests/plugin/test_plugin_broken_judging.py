"""What goes wrong with one expectation is that expectation's error: other tests run, and nothing is asked in vain."""

from __future__ import annotations

import json

import pytest

SUITE = """
from fairprobe import Generation, accuracy, valid_rate

def rows():
    return [dict(id=i, dialect=d, clue=f"{d} {i}", word="cow") for i in range(12) for d in ("en_us", "en_in")]

clues = Generation(rows(), "{clue}", target="word", name="clues", pair="id", max_tokens=2)
"""


@pytest.fixture
def asked(pytester, checkpoints_folder):
    """Run a suite against a tiny checkpoint: its outcome, and what its results.json counts."""

    def run(*lines: str) -> tuple[pytest.RunResult, dict]:
        pytester.makepyfile(SUITE + "\n".join(lines))
        done = pytester.runpytest_inprocess(f"--model={checkpoints_folder / 'plain'}", "--fairprobe-report=report")
        return done, json.loads((pytester.path / "report" / "results.json").read_text())

    return run


def test_a_column_that_is_not_there_is_found_before_anything_is_asked(asked):
    done, results = asked("test_typo = valid_rate(clues).by('dialekt') > 0.5")
    done.stdout.fnmatch_lines(["*cannot be judged*no column 'dialekt'*"])
    assert results["requests"]["asked"] == 0
    assert done.ret == 1


def test_a_guard_that_does_not_fit_is_found_before_anything_is_asked(asked):
    _, results = asked("test_it = (accuracy(clues) > 0.5).guard(valid_rate(clues).by('dialekt') > 0.5)")
    assert results["requests"]["asked"] == 0


def test_a_scorer_that_raises_breaks_its_own_test_only(asked):
    done, results = asked(
        "def broken(response, target, row):",
        "    raise RuntimeError('no such thing')",
        "odd = Generation(rows(), '{clue}', target='word', name='odd', scorer=broken, pair='id', max_tokens=2)",
        "test_odd = accuracy(odd) > 0.5",
        "test_fine = valid_rate(clues).by('dialect') > 0.01",
        "def test_other(): pass",
    )
    assert [each["outcome"] for each in results["verdicts"]] == ["error", "pass"]
    done.assert_outcomes(failed=1, passed=2)
    done.stdout.fnmatch_lines(["*no such thing*"])


def test_a_prompt_that_raises_breaks_its_own_test_only(asked):
    done, results = asked(
        "odd = Generation(rows(), lambda row: row['clew'], target='word', name='odd', pair='id', max_tokens=2)",
        "test_odd = accuracy(odd) > 0.5",
        "test_fine = valid_rate(clues).by('dialect') > 0.01",
    )
    assert sorted(each["outcome"] for each in results["verdicts"]) == ["error", "pass"]
    assert done.ret == 1


def test_an_assert_that_comes_before_what_is_planned_is_judged_on_answers(asked):
    _, results = asked(
        "def test_first():",
        "    assert valid_rate(clues).by('dialect') > 0.01",
        "test_second = valid_rate(clues).by('dialect') > 0.01",
    )
    assert [each["outcome"] for each in results["verdicts"]] == ["pass", "pass"]
    assert results["requests"]["asked"] == 24


def test_an_expectation_may_be_imported_inside_a_test(pytester):
    pytester.makepyfile("""
        def test_lazily():
            from fairprobe import Recorded, accuracy
            rows = [dict(score=1.0, dialect=d) for d in ("a", "b") for _ in range(40)]
            assert accuracy(Recorded(rows, score="score", name="answers")) > 0.5
    """)
    done = pytester.runpytest_subprocess("--model=recorded:any", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=1)
