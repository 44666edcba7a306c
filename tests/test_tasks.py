"""A task is samples, how to ask, and what came of it; what does not fit is refused with its row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fairprobe import (
    BadData,
    BadExpectation,
    Generation,
    MultipleChoice,
    Recorded,
    Score,
    UnknownGroup,
    accuracy,
    mean,
    scorers,
)
from fairprobe.requests import Choose, Chosen, DoesNotFit, Failed, Generate, Generated, Prompt, Unfinished

CLUES = [
    {"riddle": 1, "dialect": "en_us", "clue": "It swims.", "word": "otter"},
    {"riddle": 1, "dialect": "en_in", "clue": "Swimming it is.", "word": "otter"},
]
ANIMALS = [
    {"question": "Which swims?", "options": ["otter", "owl"], "right": "otter", "pair": 1},
    {"question": "Which flies?", "options": ["cow", "owl"], "right": "owl", "pair": 2},
]


def refusal(call, *arguments, kind=BadData):
    with pytest.raises(kind) as refused:
        call(*arguments)
    return str(refused.value)


def said(text, ended=True, chat=False):
    return Generated(text, ended, chat, 5, 3)


def likely(*loglikelihoods, tokens=None):
    return Chosen(loglikelihoods, tokens or (1,) * len(loglikelihoods), 5)


# -- every task


def test_a_task_reads_as_its_name_and_source():
    assert repr(Generation("clues.jsonl", "{clue}", target="word")) == "Generation('clues', clues.jsonl)"
    assert repr(Recorded(CLUES, name="clues")) == "Recorded('clues', 2 samples)"


def test_a_sample_is_its_own_cluster():
    samples = Generation(CLUES, "{clue}", target="word", name="clues").load()
    assert samples.cluster.tolist() == ["clues:0", "clues:1"]
    assert samples.pair is None
    assert samples.weight is None


def test_a_pair_is_a_cluster_unless_another_is_named():
    paired = Generation(CLUES, "{clue}", target="word", name="clues", pair="riddle").load()
    assert paired.pair.tolist() == paired.cluster.tolist() == [1, 1]
    clustered = Generation(CLUES, "{clue}", target="word", name="clues", pair="riddle", cluster="dialect").load()
    assert clustered.pair.tolist() == [1, 1]
    assert clustered.cluster.tolist() == ["en_us", "en_in"]


@pytest.mark.parametrize("key", ["pair", "cluster"])
def test_a_key_is_needed_in_every_row(key):
    task = Recorded([{"score": 1.0, "id": 1}, {"score": 1.0, "id": None}], name="answers", **{key: "id"})
    assert refusal(task.load) == (
        "Recorded('answers', 2 samples) has no 'id' in row 2; a pair or cluster key is needed in every row"
    )


@pytest.mark.parametrize("key", ["pair", "cluster", "weight"])
def test_a_key_is_a_column(key):
    task = Recorded([{"score": 1.0}], name="answers", **{key: "id"})
    assert (
        refusal(task.load, kind=UnknownGroup)
        == "Recorded('answers', 1 samples) has no column 'id'; its samples have score"
    )


@pytest.mark.parametrize("weight", [-1.0, None, float("nan"), float("inf"), "heavy"])
def test_a_weight_is_a_number_from_0_up(weight):
    rows = pd.DataFrame({"score": [1.0, 0.0], "w": [1.0, 0.5]}).to_dict("records")
    task = Recorded(
        [{**rows[0], "w": weight}, {**rows[1], "w": "light" if weight == "heavy" else 0.5}], name="answers", weight="w"
    )
    assert refusal(task.load).startswith(
        "Recorded('answers', 2 samples): weight='w' should be a column of non-negative numbers, it is "
    )


def test_weights_may_be_0():
    assert Recorded(
        [{"score": 1.0, "w": 0}, {"score": 1.0, "w": 2}], name="answers", weight="w"
    ).load().weight.tolist() == [0, 2]


# -- prompts


def test_a_prompt_is_filled_from_its_row():
    [first, _] = Generation(CLUES, "{clue}\nThe word {{is}}", target="word", name="clues").requests(
        Generation(CLUES, "{clue}", target="word", name="clues").load()
    )
    assert first == (Generate(Prompt("It swims.\nThe word {is}")),)


def test_a_prompt_may_be_a_function_to_text_or_messages():
    as_text = Generation(CLUES, lambda row: row["clue"].upper(), target="word", name="clues")
    assert as_text.prompts(as_text.load())[0].content == "IT SWIMS."
    as_chat = Generation(
        CLUES,
        lambda row: [{"role": "user", "content": row["clue"]}, ("assistant", "Hm.")],
        target="word",
        name="clues",
        system="Guess.",
        prefix="It is",
        format="chat",
    )
    assert as_chat.prompts(as_chat.load())[0] == Prompt(
        (("user", "It swims."), ("assistant", "Hm.")), "Guess.", "It is", "chat"
    )


def test_a_field_of_the_prompt_is_a_column():
    assert refusal(Generation(CLUES, "{hint}", target="word", name="clues").load, kind=UnknownGroup) == (
        "the prompt of Generation('clues', 2 samples) needs {hint}, but it has no column 'hint'; "
        "its samples have riddle, dialect, clue, word"
    )


def test_a_null_in_a_column_of_the_prompt_is_named_by_its_row():
    task = Generation([CLUES[0], {**CLUES[1], "clue": None}], "{clue}", target="word", name="clues")
    assert refusal(task.requests, task.load()) == (
        "Generation('clues', 2 samples): row 2 has no value in column 'clue', which the prompt needs"
    )


def test_an_empty_field_is_refused():
    assert "has an empty {}; name a column in it, or write {{}} for braces" in refusal(
        Generation(CLUES, "{}", target="word", name="clues").load
    )


def test_a_prompt_that_is_no_format_string_is_refused():
    assert refusal(Generation(CLUES, "{clue} {", target="word", name="clues").load) == (
        "Generation('clues', 2 samples): the prompt '{clue} {' is no format string: Single '{' encountered in format "
        "string; write {{ and }} for braces"
    )


def test_a_format_is_one_of_three():
    assert refusal(lambda: Generation(CLUES, "{clue}", name="clues", format="raw")) == (
        "Generation('clues', 2 samples): format is 'auto', 'chat' or 'plain', not 'raw'"
    )


# -- choices


def choice(rows=ANIMALS, **named):
    return MultipleChoice(
        rows,
        "{question}",
        options=named.pop("options", "options"),
        answer=named.pop("answer", "right"),
        name="animals",
        **named,
    )


def test_letters_are_listed_after_the_prompt_or_where_it_says():
    after = choice()
    assert after.requests(after.load())[0] == (Choose(Prompt("Which swims?\nA. otter\nB. owl\nAnswer:"), ("A", "B")),)
    placed = MultipleChoice(ANIMALS, "{options}\n{question} Letter:", options="options", answer="right", name="animals")
    assert placed.requests(placed.load())[0][0].prompt.content == "A. otter\nB. owl\nWhich swims? Letter:"


def test_texts_are_asked_as_they_stand():
    task = choice(scoring="text")
    assert task.requests(task.load())[0] == (Choose(Prompt("Which swims?"), ("otter", "owl")),)


def test_a_written_choice_is_generated():
    task = choice(scoring="generate", max_tokens=4)
    assert task.requests(task.load())[0] == (Generate(Prompt("Which swims?\nA. otter\nB. owl\nAnswer:"), 4),)


@pytest.mark.parametrize(("first", "second"), [(0, 1), ("A", "B"), (" a", "b "), ("otter", "owl")])
def test_an_answer_is_an_index_a_letter_or_a_text(first, second):
    task = choice([{**ANIMALS[0], "right": first}, {**ANIMALS[1], "right": second}])
    outcomes = task.outcomes(task.load(), [[likely(-1.0, -2.0)], [likely(-1.0, -2.0)]])
    assert outcomes.scores["accuracy"].tolist() == [1.0, 0.0]
    assert outcomes.targets == ["otter", "owl"]
    assert outcomes.responses == ["otter", "cow"]


def test_a_text_that_looks_like_a_letter_is_a_text_first():
    task = choice([{"question": "?", "options": ["B", "A"], "right": "A"}])
    assert task.outcomes(task.load(), [[likely(-1.0, -2.0)]]).scores["accuracy"].tolist() == [0.0]


def test_options_are_a_list_column_columns_or_texts():
    rows = [{"question": "?", "a": "otter", "b": 2, "right": 0}]
    columns, texts = choice(rows, options=["a", "b"]), choice(rows, options=["yes", "no"])
    assert columns.requests(columns.load())[0][0].prompt.content == "?\nA. otter\nB. 2\nAnswer:"
    assert texts.requests(texts.load())[0][0].prompt.content == "?\nA. yes\nB. no\nAnswer:"


# bytes: "otter" 5, "owl" 3, "ant" 3; by sum -3.0 wins, by token -0.75 (4 tokens), by byte -0.6
@pytest.mark.parametrize(
    ("scoring", "chosen"), [("letter", "ant"), ("text", "ant"), ("text_mean", "owl"), ("text_bytes", "otter")]
)
def test_each_scoring_weighs_likelihoods_its_own_way(scoring, chosen):
    task = choice([{"question": "?", "options": ["otter", "owl", "ant"], "right": 0}], scoring=scoring)
    given = likely(-4.0, -3.2, -3.0, tokens=(4, 8, 1))
    outcomes = task.outcomes(task.load(), [[given]])
    assert outcomes.responses == [chosen]
    assert outcomes.scores["accuracy"].tolist() == [float(chosen == "otter")]
    assert outcomes.status.tolist() == ["ok"]


@pytest.mark.parametrize(
    ("text", "status", "score"),
    [
        ("A", "ok", 1.0),
        ("A.", "ok", 1.0),
        ("The answer is B", "ok", 0.0),
        ("otter!", "ok", 1.0),
        ("an owl", "ok", 0.0),
        ("A. otter", "ok", 1.0),
        ("A. owl", "unparsable", 0.0),
        ("An owl or a cow: B", "ok", 0.0),
        ("A, not the owl", "unparsable", 0.0),
        ("A or B", "unparsable", 0.0),
        ("otter or owl", "unparsable", 0.0),
        ("no idea", "unparsable", 0.0),
        (" ", "empty", 0.0),
    ],
)
def test_a_written_choice_names_one_option(text, status, score):
    task = choice(ANIMALS[:1], scoring="generate")
    outcomes = task.outcomes(task.load(), [[said(text)]])
    assert outcomes.status.tolist() == [status]
    assert outcomes.scores["accuracy"].tolist() == [score]


@pytest.mark.parametrize(("response", "status", "score"), [
    (None, "missing", None), (Failed("no"), "error", None), (DoesNotFit(300, 256), "truncated", 0.0),
    (Unfinished("Hm, otter", 5, 9), "truncated", 0.0),
])  # fmt: skip
def test_what_was_not_chosen_has_its_status(response, status, score):
    task = choice(ANIMALS[:1])
    outcomes = task.outcomes(task.load(), [[response]])
    assert outcomes.status.tolist() == [status]
    [value] = outcomes.scores["accuracy"]
    assert np.isnan(value) if score is None else value == score


def test_chance_is_one_over_the_options():
    task = choice([ANIMALS[0], {"question": "?", "options": ["a", "b", "c", "d"], "right": "a"}])
    assert task.chance(task.load()) == 0.375


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"right": "seal"},
            "row 1 has the answer 'seal', which is "
            "none of its options ['otter', 'owl'], no index below 2 and no letter",
        ),
        ({"right": "C"}, "row 1 has the answer 'C', which is none of its options"),
        ({"right": None}, "row 1 has the answer None"),
        ({"options": ["otter"]}, "row 1 has 1 options; a choice has between 2 and 26"),
        ({"options": None}, "row 1 has 0 options; a choice has between 2 and 26"),
        ({"options": ["otter"] * 2}, "row 1 has the same option twice: ['otter', 'otter']"),
        ({"options": ["otter", None]}, "row 1 has an option without a value: ['otter', None]"),
    ],
)
def test_a_choice_that_cannot_be_made_is_named_by_its_row(row, message):
    assert f"MultipleChoice('animals', 2 samples): {message}" in refusal(
        choice([{**ANIMALS[0], **row}, ANIMALS[1]]).load
    )


@pytest.mark.parametrize("answer", [2, -1])
def test_an_index_outside_the_options_is_refused(answer):
    task = choice([{**ANIMALS[0], "right": answer}])
    assert f"row 1 has the answer {answer}, which is none of its options" in refusal(task.load)


def test_a_column_without_a_value_is_no_option():
    rows = [{"question": "?", "a": "otter", "b": None, "right": 0}, {"question": "?", "a": "x", "b": "y", "right": 0}]
    assert "row 1 has an option without a value: ['otter', None]" in refusal(choice(rows, options=["a", "b"]).load)


def test_a_pair_has_one_number_of_options():
    rows = [{**ANIMALS[0], "pair": 7}, {**ANIMALS[1], "pair": 7, "options": ["cow", "owl", "ant"]}]
    assert refusal(choice(rows, pair="pair").load) == (
        "MultipleChoice('animals', 2 samples): pair 7 has 2 options in one sample and 3 in row 2; "
        "the same question has the same number of options in every group"
    )


def test_options_are_lists():
    assert refusal(choice([{**ANIMALS[0], "options": "otter, owl"}]).load) == (
        "MultipleChoice('animals', 1 samples): column 'options' should hold lists of options; "
        "it holds String: 'otter, owl'"
    )
    assert "has its options in 'choices', but it has no column 'choices'" in refusal(choice(options="choices").load)
    assert "has an option in 'b', but it has no column 'b'" in refusal(choice(options=["right", "b"]).load)


def test_a_scoring_is_one_of_five():
    assert refusal(lambda: choice(scoring="best")) == (
        "MultipleChoice('animals', 2 samples): scoring is "
        "'letter', 'letter_mean', 'text', 'text_mean', 'text_bytes' or 'generate', not 'best'"
    )


# -- written answers


def written(*responses, **named):
    task = Generation(CLUES[:1], "{clue}", **{"target": "word", "name": "clues", **named})
    return task.outcomes(task.load(), [list(responses)])


def test_an_answer_is_compared_with_its_target():
    outcomes = written(said("The otter."))
    assert outcomes.scores["exact_match"].tolist() == [1.0]
    assert (outcomes.responses, outcomes.prompts, outcomes.targets) == (["The otter."], ["It swims."], ["otter"])


@pytest.mark.parametrize(("response", "status", "score"), [
    (said("otter"), "ok", 1.0),
    (said(" "), "empty", 0.0),
    (None, "missing", None),
    (Failed("out of memory"), "error", None),
    (DoesNotFit(300, 256), "truncated", 0.0),
    (Unfinished("Hm, otter", 5, 9), "truncated", 0.0),
])  # fmt: skip
def test_an_answer_has_a_status(response, status, score):
    outcomes = written(response)
    assert outcomes.status.tolist() == [status]
    [value] = outcomes.scores["exact_match"]
    assert np.isnan(value) if score is None else value == score
    assert outcomes.answered.tolist() == [score is not None]


def test_a_response_that_a_scorer_cannot_read_is_unparsable():
    outcomes = written(said("otter"), scorer=scorers.regex(r"Answer: (\w+)", group=1))
    assert outcomes.status.tolist() == ["unparsable"]
    assert outcomes.scores["regex"].tolist() == [0.0]


@pytest.mark.parametrize(("chat", "stop", "ended", "status"), [
    (False, (), False, "ok"), (False, (), True, "ok"), (False, ("\n",), False, "truncated"), (False, "\n", True, "ok"),
    (True, (), False, "truncated"), (True, (), True, "ok"), (True, ("\n",), False, "truncated"),
])  # fmt: skip
def test_an_answer_is_truncated_where_it_has_an_end_that_it_did_not_reach(chat, stop, ended, status):
    outcomes = written(said("otter", ended, chat), stop=stop)
    assert outcomes.status.tolist() == [status]
    assert outcomes.scores["exact_match"].tolist() == [1.0]


def test_several_draws_are_averaged():
    task = Generation(CLUES[:1], "{clue}", target="word", name="clues", samples=3, temperature=0.7, max_tokens=2)
    [requests] = task.requests(task.load())
    assert [request.draw for request in requests] == [0, 1, 2]
    outcomes = task.outcomes(task.load(), [[said("otter"), said("seal"), said("otter")]])
    assert outcomes.scores["exact_match"].tolist() == [pytest.approx(2 / 3)]
    assert outcomes.responses == ["otter | seal | otter"]
    assert outcomes.status.tolist() == ["ok"]


def test_a_draw_that_did_not_come_makes_the_average_unknown():
    outcomes = written(said("otter"), Failed("no"), samples=2, temperature=1.0)
    assert outcomes.status.tolist() == ["error"]
    assert np.isnan(outcomes.scores["exact_match"]).all()


def test_scorers_by_name_score_side_by_side():
    outcomes = written(
        said("an otter it is"), scorer={"found": scorers.contains, "exact": scorers.exact_match,
                                        "short": lambda response, target, row: Score(0.5)},
    )  # fmt: skip
    assert {name: values.tolist() for name, values in outcomes.scores.items()} == {
        "found": [1.0],
        "exact": [0.0],
        "short": [0.5],
    }


def test_several_targets_are_told_together():
    task = Generation([{"clue": "?", "words": ["otter", "seal"]}], "{clue}", target="words", name="clues")
    outcomes = task.outcomes(task.load(), [[said("Seal")]])
    assert outcomes.targets == ["otter | seal"]
    assert outcomes.scores["exact_match"].tolist() == [1.0]


def test_a_target_is_a_column_with_a_value_in_every_row():
    assert refusal(Generation(CLUES, "{clue}", target="answer", name="clues").load, kind=UnknownGroup) == (
        "Generation('clues', 2 samples) has its target in 'answer', but it has no column 'answer'; "
        "its samples have riddle, dialect, clue, word"
    )
    lacking = Generation([CLUES[0], {**CLUES[1], "word": None}], "{clue}", target="word", name="clues")
    assert refusal(lacking.load) == "Generation('clues', 2 samples): row 2 has no target in column 'word'"


def test_an_accuracy_without_a_target_is_refused():
    task = Generation(CLUES, "{clue}", name="clues")
    message = (
        "accuracy(clues) would be 0 for every model: Generation('clues', 2 samples) names no target to compare answers "
        "with. Give it one, target='column', or a scorer of your own."
    )
    assert refusal(accuracy, task, kind=BadExpectation) == message
    assert "would be 0 for every model" in refusal(mean, task, "exact_match", kind=BadExpectation)
    assert repr(mean(task, "riddle")) == "mean(clues, 'riddle')"
    assert repr(accuracy(Generation(CLUES, "{clue}", name="clues", scorer=lambda *_: 1.0))) == "accuracy(clues)"


@pytest.mark.parametrize("named", [{"max_tokens": 0}, {"samples": 0}, {"temperature": -1.0}])
def test_senseless_numbers_are_refused(named):
    assert "max_tokens and samples are at least 1 and temperature at least 0, not" in refusal(
        lambda: Generation(CLUES, "{clue}", name="clues", **named)
    )


def test_several_draws_need_a_temperature():
    assert refusal(lambda: Generation(CLUES, "{clue}", name="clues", samples=2)) == (
        "Generation('clues', 2 samples): 2 samples at temperature 0 are the same answer; give a temperature"
    )


def test_chance_of_an_open_answer_is_one_in_twenty_where_a_target_is_known():
    task = Generation(CLUES, "{clue}", target="word", name="clues")
    assert task.chance(task.load()) == 0.05
    untargeted = Generation(CLUES, "{clue}", name="clues", scorer=lambda *_: 1.0)
    assert untargeted.chance(untargeted.load()) is None


# -- recorded scores


def recorded(*scores, **named):
    return Recorded([{"score": score} for score in scores], **{"name": "answers", **named})


def test_recorded_scores_stand_as_they_are():
    outcomes = recorded(1.0, 0.25, 0.0).outcomes(recorded(1.0, 0.25, 0.0).load())
    assert outcomes.scores["score"].tolist() == [1.0, 0.25, 0.0]
    assert outcomes.status.tolist() == ["ok"] * 3
    assert outcomes.range_of("score") == (0.0, 1.0)


def test_recorded_scores_may_be_booleans_or_have_other_names():
    task = Recorded([{"right": True, "points": 3}, {"right": False, "points": 7}], name="answers",
                    score={"accuracy": "right", "points": "points"})  # fmt: skip
    outcomes = task.outcomes(task.load())
    assert {name: values.tolist() for name, values in outcomes.scores.items()} == {
        "accuracy": [1.0, 0.0],
        "points": [3.0, 7.0],
    }
    assert outcomes.range_of("accuracy") == (0.0, 1.0)
    assert outcomes.range_of("points") == (-np.inf, np.inf)


def test_a_range_may_be_declared():
    task = recorded(1, 5, 3, range=(1, 5))
    assert task.outcomes(task.load()).range_of("score") == (1, 5)


def test_a_score_outside_its_range_is_refused():
    task = recorded(1, 6, range=(1, 5))
    assert refusal(task.outcomes, task.load()) == (
        "Recorded('answers', 2 samples): 'score' goes from 1.0 to 6.0, outside the declared range (1, 5)"
    )


@pytest.mark.parametrize("lacking", [None, float("nan")])
def test_a_missing_score_is_no_number(lacking):
    task = recorded(1.0, lacking, lacking)
    assert refusal(task.outcomes, task.load()) == (
        "Recorded('answers', 3 samples): 2 of 3 scores in 'score' are missing, the first in row 2; "
        "say what becomes of them: missing='drop' or 'zero'"
    )


def test_a_score_is_a_column_of_numbers():
    task = recorded("good")
    assert refusal(task.outcomes, task.load()) == (
        "Recorded('answers', 1 samples): score='score' should be a column of numbers; it holds String: 'good' in row 1"
    )
    named = Recorded([{"right": 1.0}], name="answers")
    assert refusal(named.load) == ("Recorded('answers', 1 samples) has no column 'score'; its samples have right")


def test_the_model_is_a_word_of_the_path(tmp_path):
    (tmp_path / "gpt.csv").write_text("score\n1\n")
    (tmp_path / "broken.csv").write_text("score\n1,2\n")
    task = Recorded(str(tmp_path / "{model}.csv"))
    assert task.has("gpt")
    assert not task.has("bert")
    assert task.recorded("gpt").frame.to_dicts() == [{"score": 1}]
    assert task.has("broken"), "a broken recording is an error, not a recording that is not there"
    assert "broken.csv, line 2 has" in refusal(task.recorded, "broken")


def test_the_model_may_stand_in_a_column():
    task = Recorded([{"score": 1.0, "by": "gpt"}, {"score": 0.5, "by": "bert"}, {"score": 0.0, "by": None}],
                    name="answers", model="by")  # fmt: skip
    assert task.has("gpt")
    assert not task.has("llama")
    assert task.recorded("bert").frame["score"].to_list() == [0.5]
    assert refusal(task.recorded, "llama") == (
        "Recorded('answers', 3 samples) has no recording of 'llama' in 'by'; it has bert, gpt"
    )


def test_without_either_the_file_answers_for_any_name():
    assert recorded(1.0).has("anyone")
    assert recorded(1.0).recorded("anyone").frame.to_dicts() == [{"score": 1.0}]


def test_a_file_that_lies_nowhere_is_an_error_and_not_a_model_less():
    task = Recorded("/nowhere/answers.csv")
    assert task.has("gpt")
    assert "no file '/nowhere/answers.csv'" in refusal(task.recorded, "gpt")


def test_nothing_is_asked_of_a_recording():
    task = recorded(1.0, 0.0)
    assert not task.asks
    assert task.requests(task.load()) == [(), ()]
    assert task.chance(task.load()) is None


def test_an_answer_that_is_an_option_and_a_place_is_refused():
    rows = [{"q": "1 + 2?", "options": ["2", "3", "4", "5"], "right": 3}]
    task = MultipleChoice(rows, "{q}", options="options", answer="right", name="sums")
    with pytest.raises(BadData, match="has the answer 3: the option, or its place in"):
        task.load()


def test_a_chance_that_is_no_share_is_refused():
    with pytest.raises(BadData, match=r"at_chance is a share of right answers, such as 0\.25, not 25"):
        Recorded([{"score": 1.0}], name="answers", at_chance=25)
