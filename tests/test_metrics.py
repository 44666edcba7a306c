"""A metric is one number per group: filtered, matched, changed and subtracted sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answers import clues, right
from fairprobe import (
    BadData,
    BadExpectation,
    Generation,
    Recorded,
    UnknownGroup,
    accuracy,
    exact_match,
    mean,
    valid_rate,
)
from fairprobe.expressions import Question
from fairprobe.metrics import grouped, measured
from fairprobe.tasks import Outcomes
from fairprobe.verdict import judge


def recorded_look(task, role):
    return task.outcomes(task.load())


def values(question, look=recorded_look):
    """The value of every group."""
    asked = question if isinstance(question, Question) else question._asked()
    data = grouped(asked, measured(asked.metric, look))
    found = data.estimates().theta
    return {
        " x ".join(map(str, label)): round(float(value), 6) for label, value in zip(data.labels, found, strict=True)
    }


def refusal(question, look=recorded_look, kind=BadData):
    with pytest.raises(kind) as refused:
        values(question, look)
    return str(refused.value)


def table(*rows, **named):
    """A recorded task: rows of dialect, topic, pair and score."""
    return Recorded(
        [dict(zip(("dialect", "topic", "id", "score"), row, strict=True)) for row in rows], name="answers", **named
    )


ANSWERS = table(
    ("us", "law", 1, 1.0), ("us", "law", 2, 0.0), ("us", "sea", 3, 1.0),
    ("in", "law", 1, 0.0), ("in", "law", 2, 0.0), ("in", "sea", 3, 1.0),
    ("ng", "law", 1, 1.0), ("ng", "sea", 4, 0.5), pair="id",
)  # fmt: skip


def test_a_value_is_the_mean_of_a_group():
    assert values(accuracy(ANSWERS).by("dialect")) == {"in": 0.333333, "ng": 0.75, "us": 0.666667}
    assert values(accuracy(ANSWERS)) == {"": 0.5625}


def test_groups_of_several_columns_are_their_declared_intersection():
    assert values(accuracy(ANSWERS).by("topic", "dialect")) == {
        "law x in": 0.0, "law x ng": 1.0, "law x us": 0.5, "sea x in": 1.0, "sea x ng": 0.5, "sea x us": 1.0,
    }  # fmt: skip


def test_only_samples_that_meet_the_conditions_count():
    assert values(accuracy(ANSWERS).where(topic="law").by("dialect")) == {"in": 0.0, "ng": 1.0, "us": 0.5}
    assert values(accuracy(ANSWERS).where(topic="sea", dialect="ng")) == {"": 0.5}
    assert values(accuracy(ANSWERS).where(topic="sea").where(dialect="ng")) == {"": 0.5}


def test_a_condition_is_of_the_columns_own_kind():
    task = Recorded([{"flag": True, "n": 1, "score": 1.0}, {"flag": False, "n": 0, "score": 0.0}], name="answers")
    assert values(accuracy(task).where(flag=True)) == {"": 1.0}
    assert values(accuracy(task).where(n=1)) == {"": 1.0}
    assert "no sample whose 'flag' is 1" in refusal(accuracy(task).where(flag=1), kind=UnknownGroup)
    assert "no sample whose 'n' is '1'; there are 0, 1" in refusal(accuracy(task).where(n="1"), kind=UnknownGroup)


def test_a_matched_metric_is_of_complete_pairs():
    # pair 1 alone was put to all three dialects
    assert values(accuracy(ANSWERS).matched("dialect").by("dialect")) == {"in": 0.0, "ng": 1.0, "us": 1.0}
    # without ng, pairs 1, 2 and 3 are complete
    two = accuracy(ANSWERS).where(topic="law").matched("dialect")
    assert values(two.by("dialect")) == {"in": 0.0, "ng": 1.0, "us": 1.0}


def test_a_match_needs_pairs():
    task = table(("us", "law", 1, 1.0), ("in", "law", 1, 0.0))
    assert refusal(accuracy(task).matched("dialect"), kind=BadExpectation) == (
        "Recorded('answers', 2 samples) declares no pair, "
        "so .matched('dialect') does not know which samples belong together"
    )
    apart = table(("us", "law", 1, 1.0), ("in", "law", 2, 0.0), pair="id")
    assert refusal(accuracy(apart).matched("dialect")) == (
        "Recorded('answers', 2 samples) has no pair with a sample in every group of 'dialect'"
    )


def test_a_change_is_the_model_less_the_baseline():
    task, look = clues(
        {"us": right(8, 10), "in": right(5, 10)}, {"us": right(6, 10), "in": right(6, 10)}
    )  # fmt: skip
    assert values(accuracy(task).change().by("dialect"), look) == {"in": -0.1, "us": 0.2}
    assert values(accuracy(task).change(), look) == {"": 0.05}
    assert values(exact_match(task).where(dialect="us").change(), look) == {"": 0.2}


def test_a_change_of_paired_answers_varies_only_where_they_changed():
    answered = {"us": right(8, 20), "in": right(8, 20)}
    task, look = clues(answered, answered)
    question = accuracy(task).change().gap("dialect")
    estimates = grouped(question, measured(question.metric, look)).estimates()
    assert not estimates.psi.any()
    assert (estimates.low, estimates.high) == (-1.0, 1.0)


def test_a_change_of_a_difference_is_a_difference_of_changes():
    task, look = clues({"us": right(8, 10), "in": right(5, 10)}, {"us": right(6, 10), "in": right(6, 10)})
    before_after = (accuracy(task).where(dialect="us") - accuracy(task).where(dialect="in")).change()
    changes = accuracy(task).where(dialect="us").change() - accuracy(task).where(dialect="in").change()
    assert values(before_after, look) == values(changes, look) == {"": 0.3}


def test_a_difference_of_two_scores_of_the_same_samples_is_taken_sample_by_sample():
    task = Recorded([{"a": 1.0, "b": 0.5}, {"a": 0.5, "b": 0.0}], name="answers", score={"a": "a", "b": "b"})
    question = (mean(task, "a") - mean(task, "b"))._asked()
    estimates = grouped(question, measured(question.metric, recorded_look)).estimates()
    assert estimates.theta.tolist() == [0.5]
    assert not estimates.psi.any()


def test_two_tasks_are_aligned_by_their_clusters():
    one = Recorded([{"id": number, "score": float(number < 5)} for number in range(10)], name="one", cluster="id")
    other = Recorded(
        [{"id": number, "score": float(number < 5)} for number in reversed(range(10))], name="other", cluster="id"
    )
    question = (accuracy(one) - accuracy(other))._asked()
    estimates = grouped(question, measured(question.metric, recorded_look)).estimates()
    assert estimates.theta.tolist() == [0.0]
    assert np.allclose(estimates.psi, 0.0), "equal answers to the same clusters cancel"
    apart = Recorded(
        [{"id": -1 - number, "score": float(number < 5)} for number in range(10)], name="apart", cluster="id"
    )
    question = (accuracy(one) - accuracy(apart))._asked()
    assert grouped(question, measured(question.metric, recorded_look)).estimates().psi.any()


def test_two_tasks_have_the_same_groups():
    one, other = (
        table(("us", "law", 1, 1.0), ("in", "law", 1, 1.0)),
        Recorded([{"dialect": "us", "score": 1.0}], name="other"),
    )
    assert refusal((accuracy(one) - accuracy(other)).by("dialect")) == (
        "(accuracy(answers) - accuracy(other)).by('dialect'): Recorded('answers', 2 samples) and "
        "Recorded('other', 1 samples) do not have the same groups of dialect"
    )


def test_a_mean_is_of_any_column_of_numbers():
    task = Recorded(
        [{"score": 1.0, "length": 3, "text": "x"}, {"score": 0.0, "length": 8, "text": "y"}], name="answers"
    )
    assert values(mean(task, "length")) == {"": 5.5}
    assert values(mean(task, "score")) == {"": 0.5}
    assert refusal(mean(task, "text")) == "mean(answers, 'text'): column 'text' should hold numbers; it holds String"
    assert refusal(mean(task, "words"), kind=UnknownGroup) == (
        "mean(answers, 'words'): Recorded('answers', 2 samples) has no score 'words' and has no column 'words'; "
        "its samples have score, length, text"
    )


def test_accuracy_reads_the_first_score_and_exact_match_its_own():
    rows = [{"clue": "?", "word": "otter"}]
    from fairprobe import scorers
    from fairprobe.requests import Generated

    task = Generation(
        rows,
        "{clue}",
        target="word",
        name="clues",
        scorer={"found": scorers.contains, "exact_match": scorers.exact_match},
    )

    def look(asked, role):
        return asked.outcomes(asked.load(), [[Generated("an otter, I think", True, False, 1, 1)]])

    assert values(accuracy(task), look) == {"": 1.0}
    assert values(exact_match(task), look) == {"": 0.0}


def test_the_valid_rate_is_of_answered_samples():
    task, look = clues(
        {"us": [1.0, 0.0, "empty", "truncated", "error"], "in": ["refused", "unparsable", 1.0, 1.0, "missing"]}
    )
    assert values(valid_rate(task).by("dialect"), look) == {"in": 0.5, "us": 0.75}


def test_a_sample_with_a_null_group_counts_in_none():
    task = table(("us", "law", 1, 1.0), ("in", "law", 1, 0.0), (None, "law", 1, 1.0), ("us", "law", 2, 0.0))
    assert values(accuracy(task).by("dialect")) == {"in": 0.0, "us": 0.5}
    assert values(accuracy(task)) == {"": 0.5}
    verdict = judge(accuracy(task).by("dialect") > 0.3, recorded_look)
    assert [(group.group, group.samples) for group in verdict.groups] == [
        ({"dialect": "in"}, 1),
        ({"dialect": "us"}, 2),
    ]


def test_weights_weigh():
    rows = [
        {"g": "a", "score": 1.0, "w": 3},
        {"g": "a", "score": 0.0, "w": 1},
        {"g": "b", "score": 1.0, "w": 0},
        {"g": "b", "score": 0.0, "w": 2},
    ]
    task = Recorded(rows, name="answers", weight="w")
    assert values(accuracy(task).by("g")) == {"a": 0.75, "b": 0.0}


def test_a_column_that_is_not_there_is_told_with_those_there_are():
    for question in (
        accuracy(ANSWERS).by("accent"),
        accuracy(ANSWERS).where(accent="x"),
        accuracy(ANSWERS).matched("accent"),
    ):
        assert refusal(question, kind=UnknownGroup) == (
            "Recorded('answers', 8 samples) has no column 'accent'; its samples have dialect, topic, id, score"
        )


def test_a_value_that_no_sample_has_is_told_with_those_there_are():
    assert refusal(accuracy(ANSWERS).where(dialect="uk"), kind=UnknownGroup) == (
        "Recorded('answers', 8 samples) has no sample whose 'dialect' is 'uk'; there are in, ng, us"
    )
    assert refusal(accuracy(ANSWERS).gap("dialect", reference="uk"), kind=UnknownGroup) == (
        "accuracy(answers).gap('dialect', reference='uk'): there is no group 'uk'; there are in, ng, us"
    )
    assert refusal(accuracy(ANSWERS).where(topic="sea", id=1), kind=UnknownGroup) == (
        "Recorded('answers', 8 samples) has no sample that meets all of {'id': 1, 'topic': 'sea'}"
    )
    many = Recorded([{"n": number, "score": 1.0} for number in range(20)], name="many")
    assert refusal(accuracy(many).where(n=-1), kind=UnknownGroup).endswith(
        "there are 0, 1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, …"
    )


def test_a_reference_of_several_columns_is_a_tuple():
    assert values(accuracy(ANSWERS).gap("topic", "dialect", reference=("law", "us")))["law x us"] == 0.5


@pytest.mark.parametrize("kind", ["gap", "ratio"])
def test_one_group_is_nothing_to_compare(kind):
    question = getattr(accuracy(ANSWERS).where(dialect="us"), kind)("dialect")
    assert refusal(question) == f"{question.plain} compares groups, and the samples have one group only: us"


def test_no_group_at_all_is_refused():
    task = table((None, "law", 1, 1.0), ("us", "sea", 2, 1.0))
    assert refusal(accuracy(task).where(topic="law").by("dialect")) == (
        "accuracy(answers).where(topic='law').by('dialect'): no sample has a value in dialect"
    )


def test_a_ratio_needs_scores_from_0_up_to_a_highest():
    task = Recorded([{"g": "a", "score": -1.0}, {"g": "b", "score": 2.0}], name="answers")
    assert refusal(accuracy(task).ratio("g"), kind=BadExpectation) == (
        "accuracy(answers).ratio('g'): a ratio needs scores from 0 up to a highest value; "
        "these are unbounded. Use .gap()."
    )


def test_a_pair_stands_once_in_each_group():
    twice = table(("us", "a", 1, 1.0), ("us", "b", 1, 0.0), ("in", "c", 1, 1.0), ("us", "d", 2, 1.0), pair="id")
    assert refusal(accuracy(twice).gap("dialect")) == (
        "Recorded('answers', 4 samples): pair '1' has 2 samples in us; "
        "a pair is one question put once to each group of dialect"
    )
    assert values(accuracy(twice)) == {"": 0.75}


def test_a_pair_may_be_crossed_by_another_column():
    rows = [
        {"id": 1, "gender": gender, "dialect": dialect, "score": 1.0}
        for gender in ("f", "m")
        for dialect in ("us", "in")
    ]
    task = Recorded(rows, name="answers", pair="id")
    assert values(accuracy(task).gap("dialect")) == {"in": 1.0, "us": 1.0}
    assert values(accuracy(task).gap("gender")) == {"f": 1.0, "m": 1.0}
    assert len(values(accuracy(task).gap("gender", "dialect"))) == 4


def test_a_change_is_on_the_same_samples():
    task, look = clues({"us": right(2, 4), "in": right(2, 4)}, {"us": right(2, 4), "in": right(2, 4)})
    fewer, look_at_fewer = clues({"us": right(2, 3), "in": right(2, 3)}, name="clues")

    def mixed(asked, role):
        return look(asked, role) if role == "model" else look_at_fewer(fewer, "model")

    assert refusal(accuracy(task).change(), mixed) == (
        "Generation('clues', 8 samples): the model has 8 samples and the baseline 6, and they are not the same ones in "
        "the same order; a change needs both on the same samples"
    )


scores = st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=6, max_size=20)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(scores, scores, st.randoms(use_true_random=False), st.sampled_from(["gap", "by", "ratio", "overall"]))
def test_the_order_of_samples_changes_nothing(us, india, random, kind):
    rows = [
        {"id": number, "dialect": "us", "score": score, "w": number % 3 + 1} for number, score in enumerate([*us, 1.0])
    ]
    rows += [{"id": number, "dialect": "in", "score": score, "w": 1} for number, score in enumerate([*india, 0.25])]
    shuffled = random.sample(rows, len(rows))
    for named in ({"pair": "id"}, {"weight": "w"}):
        verdicts = []
        for data in (rows, shuffled):
            metric = accuracy(Recorded(data, name="answers", **named))
            question = metric if kind == "overall" else getattr(metric, kind)("dialect")
            verdicts.append(judge(question > 0.5, recorded_look))
        one, other = verdicts
        assert one.outcome == other.outcome
        assert one.between == other.between
        for field in ("value", "low", "high", "p_value_pass", "p_value_fail", "needed"):
            assert getattr(one.decision, field) == pytest.approx(getattr(other.decision, field), abs=1e-9), field
        assert [group.group for group in one.groups] == [group.group for group in other.groups]
        assert [group.value for group in one.groups] == pytest.approx([group.value for group in other.groups])


def test_outcomes_lie_in_the_range_that_is_declared():
    task = Recorded([{"g": "a", "score": 5}, {"g": "b", "score": 1}], name="answers", range=(1, 5))
    question = accuracy(task).gap("g")
    estimates = grouped(question, measured(question.metric, recorded_look)).estimates()
    assert (estimates.low, estimates.high) == (1.0, 5.0)
    assert isinstance(recorded_look(task, "model"), Outcomes)


def test_recordings_whose_rows_are_in_other_groups_are_not_subtracted(tmp_path):
    (tmp_path / "new.csv").write_text("id,dialect,score\n1,us,1\n1,in,0\n2,us,1\n2,in,0\n")
    (tmp_path / "old.csv").write_text("id,dialect,score\n1,in,1\n1,us,0\n2,in,1\n2,us,0\n")
    recorded = Recorded(str(tmp_path / "{model}.csv"), score="score", name="answers", pair="id")
    names = {"model": "new", "baseline": "old"}

    def look(task, role):
        return task.outcomes(task.recorded(names[role]))

    question = accuracy(recorded).change().gap("dialect")
    with pytest.raises(BadData, match="in other groups of dialect than the model's"):
        grouped(question, measured(question.metric, look))
