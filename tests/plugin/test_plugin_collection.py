"""Which names become tests, what they are called, where they lie, and what selects them."""

from __future__ import annotations

import pytest

GAP = "accuracy(equal).gap('dialect') < 0.2"


def test_a_name_is_a_test(pytester, recorded_suite):
    recorded_suite(f"test_gap = {GAP}", "test_floor = accuracy(equal).by('dialect') > 0.5")
    done = pytester.runpytest_inprocess("--model=recorded:any", "-v")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["test_suite.py::test_gap PASSED*", "test_suite.py::test_floor PASSED*"])


def test_a_dict_names_its_cases(pytester, recorded_suite):
    recorded_suite("test_langs = {name: accuracy(equal).where(dialect=name) > 0.5 for name in ('en_us', 'en_in')}")
    done = pytester.runpytest_inprocess("--model=recorded:any", "-v", "test_suite.py::test_langs[en_in]")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["test_suite.py::test_langs[[]en_in[]] PASSED*"])


def test_a_class_groups_and_a_function_stands_beside_an_expectation(pytester, recorded_suite):
    recorded_suite(f"""
class TestGaps:
    test_gap = {GAP}

    def test_arithmetic(self):
        assert 1 + 1 == 2
""")
    done = pytester.runpytest_inprocess("--model=recorded:any", "-v")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["test_suite.py::TestGaps::test_gap PASSED*", "*TestGaps::test_arithmetic PASSED*"])


def test_the_source_is_the_heading(pytester, recorded_suite):
    recorded_suite('test_gap = accuracy(answers).gap("dialect") < .05')
    done = pytester.runpytest_inprocess("--model=recorded:any")
    done.stdout.fnmatch_lines(["___* accuracy(answers).gap('dialect') < 0.05 *___"])


def test_a_test_knows_its_line(pytester):
    module = pytester.makepyfile(f"""
        from fairprobe import Recorded, accuracy

        equal = Recorded([dict(score=1.0, dialect="en_us")], score="score", name="equal")
        test_gap = {GAP}
        test_cases = {{
            "one": {GAP},
        }}

        class TestFirst:
            test_floor: object = accuracy(equal) > 0.5

        class TestSecond:
            test_floor = accuracy(equal) > 0.5

        globals()["test_made"] = {GAP}
    """)
    items, _ = pytester.inline_genitems(module)
    lines = {item.nodeid.partition("::")[2]: item.location[1] for item in items}
    assert lines == {
        "test_gap": 3,
        "test_cases[one]": 4,
        "TestFirst::test_floor": 9,
        "TestSecond::test_floor": 12,
        "test_made": None,
    }


@pytest.mark.parametrize("word", ["accuracy", "equal", "dialect", "en_in", "test_one"])
def test_words_of_the_expression_select_it(pytester, recorded_suite, word):
    recorded_suite(
        "test_one = accuracy(equal).where(dialect='en_in') > 0.5", "test_other = mean(answers, 'score') > 0.5"
    )
    done = pytester.runpytest_inprocess("--collect-only", "-q", "-k", word)
    done.stdout.fnmatch_lines(["test_suite.py::test_one", "*1/2 tests collected (1 deselected)*"])


def test_a_word_can_be_excluded(pytester, recorded_suite):
    recorded_suite(f"test_gap = {GAP}", "test_floor = accuracy(equal).by('dialect') > 0.5")
    done = pytester.runpytest_inprocess("--collect-only", "-q", "-k", "accuracy and not gap")
    done.stdout.fnmatch_lines(["test_suite.py::test_floor", "*1/2 tests collected*"])


def test_collecting_without_a_model_loads_no_tokenizer(pytester, asking_suite):
    asking_suite("test_gap = accuracy(clues).gap('dialect') < 0.05")
    pytester.makeconftest("""
        import sys

        def pytest_unconfigure():
            print("loaded:", sorted({"torch", "transformers", "tokenizers"} & set(sys.modules)))
    """)
    done = pytester.runpytest_subprocess("--collect-only", "-q", "-p", "no:hypothesispytest")
    done.stdout.fnmatch_lines(["test_asking.py::test_gap", "loaded: []"])
    assert done.ret == 0
    assert not (pytester.path / "reports").exists()


def test_collecting_with_a_model_plans_and_asks_nothing(pytester, asking_suite, tiny):
    asking_suite(
        "test_gap = accuracy(clues).gap('dialect') < 0.9",
        "test_again = accuracy(clues).by('dialect') > 0.5",
        "test_high = accuracy(sums).by('level') > 0.9",
    )
    done = pytester.runpytest_inprocess("--collect-only", f"--model={tiny}")
    done.stdout.fnmatch_lines(
        [
            "fairprobe: 3 expectations want 72 answers, 48 distinct; 0 are stored, 48 to ask (* prompt tokens)",
            "fairprobe: cannot pass with so few samples, whatever is answered: accuracy(sums).by('level') > 0.9",
        ]
    )
    assert done.ret == 0
    assert not (pytester.path / "reports").exists()
    assert not (pytester.path / ".fairprobe/store/answers.sqlite").exists()


def test_containers_of_a_librarys_own_are_not_looked_into(pytester):
    pytester.makepyfile(
        library="class Lazy(dict):\n    def values(self):\n        raise ValueError('loaded too much')\n",
        test_lazy=(
            "from library import Lazy\n"
            "import fairprobe\n"
            "fairprobe.accuracy\n"
            "import fairprobe.expressions\n"
            "table = Lazy(a=1)\n"
            "class Model:\n    mapping = Lazy(a=1)\n"
            "def test_it(): ...\n"
        ),
    )
    pytester.syspathinsert()
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
