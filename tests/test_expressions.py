"""An expression is its source: equal when it reads the same, refused with the line to write."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairprobe import BadExpectation, Generation, Recorded, accuracy, exact_match, mean, valid_rate
from fairprobe.expressions import Expectation
from fairprobe.judging import judge_now

clues = Generation([{"clue": "It swims.", "word": "otter", "dialect": "en_us"}], "{clue}", target="word", name="clues")
words = Recorded([{"score": 1.0, "length": 3, "dialect": "en_us"}], score="score", name="words")
NAMES = {
    "clues": clues, "words": words, "accuracy": accuracy, "exact_match": exact_match, "mean": mean,
    "valid_rate": valid_rate, "pytest": pytest,
}  # fmt: skip

columns = st.sampled_from(["dialect", "Search Query", "class", "self", "größe", "1st", "it's", 'a "b"'])
values = st.one_of(
    st.text(max_size=5), st.integers(-5, 5), st.floats(-2, 2), st.tuples(st.integers(), st.text(max_size=2))
)
leaves = st.sampled_from(
    [
        accuracy(clues),
        exact_match(clues),
        valid_rate(clues),
        mean(words, "length"),
        mean(words, "Search Query"),
        accuracy(words),
    ]
)
conditions = st.dictionaries(columns, values.filter(lambda value: not isinstance(value, tuple)), min_size=1, max_size=2)
absolute = st.recursive(
    leaves,
    lambda inner: (
        st.builds(lambda metric, given: metric.where(**given), inner, conditions)
        | st.builds(lambda metric, column: metric.matched(column), inner, columns)
    ),
    max_leaves=3,
)
metrics = st.recursive(
    absolute | absolute.map(lambda metric: metric.change()),
    lambda inner: (
        st.builds(lambda one, other: one - other, inner, inner)
        | st.builds(lambda metric, given: metric.where(**given), inner, conditions)
    ),
    max_leaves=3,
)
several = st.lists(columns, min_size=1, max_size=2, unique=True)
questions = st.one_of(
    metrics,
    st.builds(lambda metric, names: metric.gap(*names), metrics, several),
    st.builds(
        lambda metric, name, reference, two: metric.gap(name, reference=reference, two_sided=two),
        metrics, columns, values, st.booleans(),
    ),
    st.builds(lambda metric, names: metric.by(*names), metrics, several),
    st.builds(lambda metric, names: metric.ratio(*names), absolute, several),
)  # fmt: skip
comparisons = st.sampled_from(["__lt__", "__le__", "__gt__", "__ge__"])
marks = st.sampled_from(
    [
        pytest.mark.slow,
        pytest.mark.xfail(reason="known", strict=True),
        pytest.mark.skip(reason="later"),
        pytest.mark.usefixtures("model"),
    ]
)
refinements = st.lists(
    st.one_of(
        st.tuples(st.just("at"), st.just(()), st.fixed_dictionaries({"confidence": st.floats(0.51, 0.999)})),
        st.tuples(
            st.just("at"), st.just(()), st.fixed_dictionaries({"scope": st.sampled_from(["population", "benchmark"])})
        ),
        st.tuples(st.just("guard"), st.just((valid_rate(clues).by("dialect") > 0.98,)), st.just({})),
        st.tuples(
            st.just("waive"),
            st.tuples(st.sampled_from(["clusters", "valid_rate"])),
            st.just({"because": 'it\'s "known"'}),
        ),
        st.tuples(st.just("because"), st.tuples(st.text(max_size=8)), st.just({})),
        st.tuples(st.just("mode"), st.tuples(st.sampled_from(["prove", "alarm"])), st.just({})),
        st.tuples(st.just("marked"), st.tuples(marks), st.just({})),
    ),
    max_size=4,
)


def refined(node, steps):
    for name, arguments, named in steps:
        node = getattr(node, name)(*arguments, **named)
    return node


@st.composite
def expectations(draw):
    question = refined(draw(questions), draw(refinements))
    compared = getattr(question, draw(comparisons))(draw(st.floats(0.001, 1.0)))
    return refined(compared, draw(refinements))


@settings(max_examples=200, derandomize=True)
@given(expectations())
def test_an_expectation_reads_back_as_itself(expectation):
    again = eval(repr(expectation), dict(NAMES))
    assert again == expectation
    assert hash(again) == hash(expectation)
    assert repr(again) == repr(expectation)


@settings(max_examples=50, derandomize=True)
@given(expectations())
def test_an_expectation_survives_pickling(expectation):
    again = pickle.loads(pickle.dumps(expectation))
    assert again == expectation
    assert hash(again) == hash(expectation)


@settings(max_examples=50, derandomize=True)
@given(questions, comparisons, st.floats(0.001, 1.0), refinements)
def test_refinements_before_and_after_the_comparison_are_equal(question, comparison, bound, steps):
    before = getattr(refined(question, steps), comparison)(bound)
    after = refined(getattr(question, comparison)(bound), steps)
    assert before == after
    assert hash(before) == hash(after)


def test_a_repr_is_the_source():
    gap = (
        accuracy(clues)
        .where(**{"Search Query": "a", "dialect": "b"})
        .matched("dialect")
        .change()
        .gap("dialect", reference="en_us")
    )
    assert repr(gap < 0.05) == (
        "accuracy(clues).where(**{'Search Query': 'a', 'dialect': 'b'}).matched('dialect').change()"
        ".gap('dialect', reference='en_us') < 0.05"
    )
    assert (
        repr((accuracy(clues) - accuracy(words)).by("dialect") >= 0)
        == "(accuracy(clues) - accuracy(words)).by('dialect') >= 0.0"
    )
    assert repr(accuracy(clues) - accuracy(words) > 0.1) == "accuracy(clues) - accuracy(words) > 0.1"
    assert (
        repr(valid_rate(clues).at(confidence=0.99).mode("alarm") > 0.9)
        == "(valid_rate(clues) > 0.9).at(confidence=0.99).mode('alarm')"
    )


def test_a_column_named_like_a_word_of_python_reads_back():
    assert repr(accuracy(clues).where(**{"class": "x"})) == "accuracy(clues).where(**{'class': 'x'})"
    assert accuracy(clues).where(self="x") == eval("accuracy(clues).where(self='x')", dict(NAMES))


def test_other_expressions_are_other_values():
    assert (accuracy(clues).gap("dialect") < 0.05) != (accuracy(clues).gap("dialect") <= 0.05)
    assert accuracy(clues).gap("dialect") != accuracy(clues).by("dialect")
    assert accuracy(clues) != exact_match(clues)
    assert accuracy(clues) != accuracy(words)
    assert accuracy(clues).where(a=1, b=2) == accuracy(clues).where(b=2, a=1)
    assert len({accuracy(clues) > 0.3, accuracy(clues) > 0.3, accuracy(clues) > 0.4}) == 2


def test_a_bound_on_the_left_is_the_same_expectation():
    assert (accuracy(clues).gap("dialect") < 0.05) == (accuracy(clues).gap("dialect") < 0.05)
    assert (accuracy(clues) >= 0.3) == (accuracy(clues) >= 0.3)


def test_any_real_number_is_a_bound():
    assert (accuracy(clues) > np.float32(0.5)) == (accuracy(clues) > 0.5)
    assert (accuracy(clues) > Fraction(1, 4)).bound == 0.25
    assert repr(accuracy(clues) > 0) == "accuracy(clues) > 0.0"


def test_at_keeps_what_was_said_before():
    said = (accuracy(clues) > 0.3).at(confidence=0.99).at(scope="benchmark")
    assert said == (accuracy(clues) > 0.3).at(confidence=0.99, scope="benchmark")


def test_guards_waivers_reasons_and_marks_add_up():
    claim = accuracy(clues) > 0.3
    said = (
        claim.because("a")
        .because("b")
        .waive("clusters", because="few")
        .marked(pytest.mark.slow)
        .marked(pytest.mark.gpu)
    )
    assert said.terms.reasons == ("a", "b")
    assert [(waiver.guard, waiver.because) for waiver in said.terms.waivers] == [("clusters", "few")]
    assert said == claim.waive("clusters", because="few").marked(pytest.mark.slow, pytest.mark.gpu).because(
        "a"
    ).because("b")


def test_a_test_is_found_by_its_words():
    expectation = accuracy(clues).where(language="swh").change().gap("Search Query", reference="en_us") < 0.05
    assert {
        "accuracy",
        "clues",
        "where",
        "language",
        "swh",
        "change",
        "gap",
        "Search",
        "Query",
        "en_us",
    } <= expectation.words
    assert "pytest" not in expectation.marked(pytest.mark.slow).words
    assert "slow" in expectation.marked(pytest.mark.slow).words


def refusal(write):
    with pytest.raises(BadExpectation) as refused:
        write()
    return str(refused.value)


@pytest.fixture
def importing():
    """While modules are imported no judge is there; this test runs inside one."""
    token = judge_now.set(None)
    yield
    judge_now.reset(token)


def test_a_range_is_refused_with_the_line_to_write(importing):
    said = refusal(lambda: 0.2 < accuracy(clues) < 0.5)
    assert said.startswith("accuracy(clues) > 0.2 is neither true nor false before a model has responded.")
    assert "A range is two expectations, test_low = … > 0.2 and test_high = … < 0.5." in said
    assert "Inside a test write: assert accuracy(clues) > 0.2." in said


def test_a_truth_value_is_refused_with_the_line_to_write(importing):
    assert "give it a name: test_name = accuracy(clues) > 0.2" in refusal(lambda: bool(accuracy(clues) > 0.2))
    assert refusal(lambda: bool(accuracy(clues))) == (
        "accuracy(clues) has no bound, so it is neither true nor false. Compare it: "
        "test_name = accuracy(clues) < 0.05 (or > for a value that should be high)."
    )
    assert "has no bound" in refusal(lambda: not accuracy(clues).gap("dialect"))


def test_inside_a_test_the_truth_is_what_the_judge_says():
    claim = accuracy(clues) > 0.2
    token = judge_now.set(lambda expectation: expectation == claim)
    try:
        assert claim
    finally:
        judge_now.reset(token)


def test_equality_with_a_number_is_refused():
    said = "accuracy(clues) == 0.5 would silently collect nothing: no interval is ever shown to equal a number. "
    assert refusal(lambda: accuracy(clues) == 0.5).startswith(said)
    assert "Write a bound: accuracy(clues) > 0.5" in refusal(lambda: accuracy(clues) == 0.5)
    assert refusal(lambda: accuracy(clues) != 0.5).startswith(said)
    assert "collect nothing" in refusal(lambda: accuracy(clues).gap("dialect") == 0)
    assert "collect nothing" in refusal(lambda: (accuracy(clues) > 0.3) == 1)


def test_the_change_of_a_gap_is_refused_with_both_lines():
    assert refusal(lambda: accuracy(clues).gap("dialect").change()) == (
        "accuracy(clues).gap('dialect').change() is ambiguous. That alignment does not widen the gap is "
        "accuracy(clues).change().gap('dialect', reference='…') < 0.05; "
        "that no two groups' changes differ either way is accuracy(clues).change().gap('dialect') < 0.05."
    )


def test_the_change_of_another_question_is_refused_with_the_line_to_write():
    assert refusal(lambda: accuracy(clues).by("dialect").change()) == (
        "accuracy(clues).by('dialect').change(): a change stands before the question, as in "
        "accuracy(clues).change().by('dialect') > -0.05"
    )


def test_a_change_of_a_change_is_refused():
    assert refusal(lambda: accuracy(clues).change().change()) == (
        "accuracy(clues).change() compares with the baseline already; .change() of it has no meaning here"
    )
    assert "compares with the baseline already" in refusal((accuracy(clues).change() - accuracy(words)).change)


def test_a_ratio_of_differences_is_refused():
    assert refusal(lambda: accuracy(clues).change().ratio("dialect")) == (
        "accuracy(clues).change() is a difference and may be negative, so it has no ratio. "
        "Write accuracy(clues).change().gap('dialect') < 0.05."
    )
    assert "has no ratio" in refusal(lambda: (accuracy(clues) - accuracy(words)).where(a=1).ratio("dialect"))


@pytest.mark.parametrize("bound", [True, float("nan"), float("inf"), "0.05", None, 1j])
def test_a_bound_is_a_finite_number(bound):
    assert refusal(lambda: accuracy(clues).gap("dialect") < bound) == (
        f"accuracy(clues).gap('dialect') < {bound!r}: a bound is "
        "a finite number, as in accuracy(clues).gap('dialect') < 0.05"
    )


@pytest.mark.parametrize("bound", [0, -0.1, 1.25])
def test_a_ratio_is_compared_with_a_share(bound):
    assert refusal(lambda: accuracy(clues).ratio("dialect") > bound) == (
        f"accuracy(clues).ratio('dialect') > {bound!r}: "
        "a ratio of the smallest to the largest lies between 0 and 1, as in > 0.8"
    )
    assert (accuracy(clues).ratio("dialect") >= 1).bound == 1.0


@pytest.mark.parametrize("question", ["gap", "by", "ratio"])
def test_a_question_names_its_columns(question):
    assert refusal(getattr(accuracy(clues), question)) == (
        f"accuracy(clues).{question}() takes the names of columns, as in accuracy(clues).{question}('dialect'), not ()"
    )
    assert "not ('',)" in refusal(lambda: getattr(accuracy(clues), question)(""))
    assert "not (['dialect'],)" in refusal(lambda: getattr(accuracy(clues), question)(["dialect"]))
    assert "names a column twice" in refusal(lambda: getattr(accuracy(clues), question)("dialect", "dialect"))


def test_two_sided_needs_a_reference():
    assert refusal(lambda: accuracy(clues).gap("dialect", two_sided=True)) == (
        "two_sided=True needs a reference: accuracy(clues).gap('dialect', reference='…', two_sided=True)"
    )


def test_a_reference_is_one_group():
    assert "a reference is one group" in refusal(lambda: accuracy(clues).gap("dialect", reference=["en_us"]))


@pytest.mark.parametrize("value", [["a", "b"], ("a",), {"a"}, None])
def test_a_condition_is_one_value(value):
    assert refusal(lambda: accuracy(clues).where(dialect=value)) == (
        f".where(dialect={value!r}): a condition is one value of one column. "
        "Several values are several expectations: a dict of them names its cases."
    )


def test_modes_scopes_and_confidences_are_checked():
    claim = accuracy(clues) > 0.3
    assert refusal(lambda: claim.mode("warn")) == (
        "mode is 'prove' (only a shown pass is green) or 'alarm' (only a shown fail is red), not 'warn'"
    )
    assert refusal(lambda: claim.at(scope="world")) == (
        "scope is 'population' (samples like these) or 'benchmark' (these samples), not 'world'"
    )
    for confidence in (0.5, 1, 95, float("nan")):
        assert refusal(lambda: claim.at(confidence=confidence)) == (  # noqa: B023
            f"confidence lies between 0.5 and 1, as in .at(confidence=0.95), not {confidence!r}"
        )


def test_a_guard_is_an_expectation():
    assert refusal(lambda: (accuracy(clues) > 0.3).guard(valid_rate(clues))) == (
        "guard() takes an expectation, as in .guard(valid_rate(task).by('dialect') > 0.98), not valid_rate(clues)"
    )


def test_a_waiver_has_a_reason():
    assert refusal(lambda: (accuracy(clues) > 0.3).waive("clusters", because=" ")) == (
        "a waiver is printed with its reason: .waive('clusters', because='…')"
    )
    with pytest.raises(TypeError, match="because"):
        (accuracy(clues) > 0.3).waive("clusters")


def test_only_marks_are_marks():
    assert refusal(lambda: (accuracy(clues) > 0.3).marked("slow")) == (
        "marked() takes pytest marks, as in .marked(pytest.mark.slow), not 'slow'"
    )


def test_an_expectation_is_not_called():
    said = refusal(accuracy(clues) > 0.3)
    assert said == (
        "accuracy(clues) > 0.3 is a value, not a function. Marks are given by .marked(pytest.mark.slow); "
        "cases by a dict of expectations."
    )


def test_a_metric_is_of_a_task():
    assert refusal(lambda: accuracy("clues.jsonl")) == (
        "accuracy() takes a task, as in accuracy(Generation('clues.jsonl', …)), not 'clues.jsonl'"
    )
    assert (
        refusal(lambda: exact_match(words))
        == "exact_match(words) reads the score 'exact_match', and Recorded('words', 1 samples) has none of that name; "
        "it has score"
    )


def test_a_difference_is_of_metrics():
    with pytest.raises(TypeError, match="unsupported operand"):
        accuracy(clues) - 0.5


def test_what_was_compared_is_an_expectation():
    assert isinstance(accuracy(clues) > 0.3, Expectation)
    assert (accuracy(clues).change() > 0).question.metric.reads_baseline
    assert not (accuracy(clues) > 0).question.metric.reads_baseline


@pytest.mark.parametrize("text", [
    "accuracy(clues).relative().by('dialect') > 0.9",
    "accuracy(clues).where(dialect='en_in').relative() > 0.9",
    "accuracy(clues).relative().near(1.0) < 0.1",
    "accuracy(clues).near(0.5).by('dialect') < 0.1",
    "accuracy(clues).change().above(0.0).by('dialect') > 0.4",
    "mean(clues, 'exact_match', per='dialect') > 0.4",
])  # fmt: skip
def test_what_is_relative_above_or_near_is_its_own_source(text):
    names = {"clues": clues, "accuracy": accuracy, "mean": mean}
    assert repr(eval(text, names)) == text
    assert eval(text, names) == eval(text, names)


def test_conditions_go_inside_what_is_made_of_groups_values():
    assert (
        repr(accuracy(clues).relative().where(dialect="en_in")) == "accuracy(clues).where(dialect='en_in').relative()"
    )
    assert repr(accuracy(clues).near(0.5).matched("dialect")) == "accuracy(clues).matched('dialect').near(0.5)"


@pytest.mark.parametrize(("write", "said"), [
    (lambda m: m.change().relative(), "may be 0 or less"),
    (lambda m: m.relative().change(), "compares with the baseline already"),
    (lambda m: m.relative().above(1), "no number of each sample"),
    (lambda m: m - m.relative(), "no sum of samples"),
    (lambda m: m.near(0.5) > 0.1, "how far values may lie"),
    (lambda m: m.near(0.5).gap("dialect") < 0.1, "how far values may lie"),
    (lambda m: m.near(float("nan")), "a finite number"),
    (lambda m: m.change().ratio("dialect"), "has no ratio"),
])  # fmt: skip
def test_what_has_no_meaning_is_refused_with_what_to_write(write, said):
    with pytest.raises(BadExpectation, match=said):
        write(accuracy(clues))
