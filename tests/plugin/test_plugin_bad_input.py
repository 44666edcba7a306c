"""What is wrong with recordings is told in a paragraph that names it, and ends nothing but its own expectations."""

from __future__ import annotations

import csv
import io

import pytest


def recording(dialects=("en_us", "en_in", "en_ng"), **also) -> str:
    rows = [{"id": i, "dialect": dialect, "correct": int(i < 36), **also} for dialect in dialects for i in range(40)]
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]))
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


@pytest.fixture
def suite(pytester):
    """Write recordings by path and a module of expectations about the task `answers`."""

    def write(*lines: str, arguments: str = 'key=("id", "dialect")', path: str = "out/{model}.csv", **recordings: str):
        for name, text in recordings.items():
            file = pytester.path / "out" / f"{name}.csv"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        pytester.makepyfile(
            "\n".join(
                [
                    "from fairprobe import Recorded, accuracy",
                    f"answers = Recorded({path!r}, score='correct', name='answers', pair='id', {arguments})",
                    *lines,
                ]
            )
        )

    return write


def run(pytester, baseline="mistral"):
    return pytester.runpytest_inprocess("--model=recorded:zephyr", f"--baseline=recorded:{baseline}")


SOUND = "test_gap = accuracy(answers).gap('dialect') < 0.5"


WRONG = ["response='said', target='wrd'", "response='sayd', target='word'", "weight='sayd'", "key='sayd'"]


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_column_of_a_task_is_told_with_the_nearest(pytester, suite, arguments):
    suite(SOUND, arguments=arguments, zephyr=recording(said="otter", word="otter"))
    done = run(pytester)
    done.assert_outcomes(errors=1)
    wrong, meant = ("wrd", "word") if "wrd" in arguments else ("sayd", "said")
    done.stdout.fnmatch_lines([
        f"Recorded('answers', out/{{model}}.csv) has no column '{wrong}'; its samples have id, dialect, correct, said, "
        f"word; did you mean '{meant}'?"
    ])  # fmt: skip
    done.stdout.no_fnmatch_line("*Traceback*")


def test_a_wrong_column_of_models_errors_alone(pytester, suite):
    suite(
        SOUND,
        "other = Recorded('out/zephyr.csv', score='correct', name='other', model='modle')",
        "test_other = accuracy(other) > 0.5",
        zephyr=recording(model="zephyr"),
    )
    done = run(pytester)
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["Recorded('other', *) has no column 'modle'; *; did you mean 'model'?"])


def test_a_baseline_without_the_column_of_groups_is_named(pytester, suite):
    without = "\n".join(",".join((row.split(",")[0], row.split(",")[2])) for row in recording().split())
    suite(
        "test_gap = accuracy(answers).change().gap('dialect') < 0.5", arguments="", zephyr=recording(), mistral=without
    )
    done = run(pytester)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["Recorded('answers', *) for the baseline has no column 'dialect'; *"])


def test_a_misspelt_recording_is_told_with_those_there_are(pytester, suite):
    # a test that wants a baseline is no expectation that is left
    suite(SOUND, "def test_own(baseline): ...", zephyr=recording(), mistral=recording())
    done = pytester.runpytest_inprocess("--model=recorded:zephir")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([
        "*no expectation is left with --model=recorded:zephir: 1 without a recording of 'zephir'",
        f"no file 'out/zephir.csv': looked in {pytester.path}. * Recorded are mistral, zephyr; did you mean 'zephyr'?",
    ])  # fmt: skip


def test_a_misspelt_recording_of_the_baseline_is_told_in_the_plan(pytester, suite):
    suite(SOUND, "test_change = accuracy(answers).change() > -0.5", zephyr=recording(), mistral=recording())
    done = run(pytester, "mistrel")
    done.assert_outcomes(passed=1, deselected=1)
    done.stdout.fnmatch_lines([
        "fairprobe: deselected 1 without a recording of 'mistrel'",
        "fairprobe: no file 'out/mistrel.csv': *; did you mean 'mistral'?",
    ])  # fmt: skip


def test_a_recording_that_lies_nowhere_is_told_with_the_profile_of_its_sample(pytester, suite):
    suite(SOUND.replace("answers", "public"))
    test = next(pytester.path.glob("test_*.py"))
    test.write_text(
        "from fairprobe import Dataset, Recorded, accuracy\n"
        "public = Recorded(Dataset('public/{model}.csv', sample='own.csv'), score='correct', name='public')\n"
        + SOUND.replace("answers", "public")
    )
    done = run(pytester)
    done.stderr.fnmatch_lines(["no file 'public/zephyr.csv': looked in *--fairprobe-profile=sample*"])


def test_a_model_in_a_column_that_is_misspelt_is_told_with_those_there_are(pytester, suite):
    suite(SOUND, arguments="model='model'", path="out/all.csv", all=recording(model="zephyr"))
    done = pytester.runpytest_inprocess("--model=recorded:zephir")
    done.stderr.fnmatch_lines(["*has no recording of 'zephir' in 'model'; it has zephyr; did you mean 'zephyr'?"])


def test_tests_that_ask_a_checkpoint_themselves_are_left_out_of_a_recorded_run(pytester, suite, results):
    suite(
        SOUND, "def test_asks(model): ...", "def test_compares(baseline): ...", zephyr=recording(), mistral=recording()
    )
    done = run(pytester)
    done.assert_outcomes(passed=1, deselected=2)
    assert results()["deselected"] == [
        {"reason": f"that ask a checkpoint, since --{role} names recorded answers", "count": 1}
        for role in ("model", "baseline")
    ]


def test_a_fixture_of_that_name_in_a_suite_is_its_own(pytester, suite):
    suite(SOUND, "import pytest", "@pytest.fixture", "def model(): return 3", "def test_own(model): assert model == 3",
          zephyr=recording())  # fmt: skip
    run(pytester).assert_outcomes(passed=2)


def test_a_checkpoint_beside_recorded_answers_is_named(pytester, suite):
    suite("test_change = accuracy(answers).change() > -0.5", zephyr=recording())
    done = pytester.runpytest_inprocess("--model=recorded:zephyr", "--baseline=path/to/base")
    done.stdout.fnmatch_lines([
        "Recorded('answers', *) holds recorded answers, and --baseline=path/to/base names none: *"
    ])  # fmt: skip


@pytest.mark.parametrize("value", ["inf", "-inf"])
def test_a_score_that_is_infinite_is_named_by_its_row(pytester, suite, value):
    suite(SOUND, zephyr=recording() + f"99,en_us,{value}\n")
    done = run(pytester)
    done.stdout.fnmatch_lines([
        "Recorded('answers', *): 1 of 121 scores in 'correct' are infinite, the first in row 121; say what becomes of "
        f"them: missing={{float('{value}'): 'drop'}}"
    ])  # fmt: skip


def test_a_score_that_is_no_number_is_named_by_its_row(pytester, suite):
    suite(SOUND, zephyr=recording() + "99,en_us,n/a\n")
    run(pytester).stdout.fnmatch_lines(["*should be a column of numbers; it holds String: 'n/a' in row 121"])


@pytest.mark.parametrize("kind", ["by('dialect') > -0.3", "gap('dialect') < 0.3"])
@pytest.mark.parametrize(("model", "baseline"), [((), ("en_us", "en_in")), (("en_us", "en_in"), ())])
def test_a_group_that_one_recording_lacks_is_not_shown(pytester, suite, results, kind, model, baseline):
    held = {"zephyr": model, "mistral": baseline}
    every = ("en_us", "en_in", "en_ng")
    suite(f"test_change = accuracy(answers).change().{kind}", **{n: recording(d or every) for n, d in held.items()})
    done = run(pytester)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines([
        "*was not measured: no sample of en_ng in Recorded('answers', *) was answered; 40 rows*left out, *",
        "rows are left out of 1 of the verdicts, most of *::test_change: 40",
    ])  # fmt: skip
    [verdict] = results()["verdicts"]
    assert {each["group"]["dialect"]: (each["value"], each["left_out"]) for each in verdict["groups"]} == {
        "en_in": (0.0, 0), "en_ng": (None, 40), "en_us": (0.0, 0),
    }  # fmt: skip


def test_rows_that_one_recording_lacks_are_told_of_a_green_verdict_too(pytester, suite):
    suite("test_change = accuracy(answers).change().by('dialect') > -0.3",
          zephyr=recording(), mistral=recording() + "99,en_us,1\n")  # fmt: skip
    done = run(pytester)
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["rows are left out of 1 of the verdicts, most of *::test_change: 1"])


def test_a_group_that_is_all_dropped_is_not_shown(pytester, suite):
    without = recording().replace(",en_ng,1", ",en_ng,-1").replace(",en_ng,0", ",en_ng,-1")
    suite("test_by = accuracy(answers).by('dialect') > 0.3", arguments="missing={-1: 'drop'}", zephyr=without)
    run(pytester).stdout.fnmatch_lines(
        ["*was not measured: no sample of en_ng *; 40 rows left out, correct is missing*"]
    )
