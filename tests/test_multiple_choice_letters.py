"""Letters are written as a task says, listed so and scored so; options may stand in a text, as CSV files hold them."""

from __future__ import annotations

import pytest

from fairprobe import BadData, MultipleChoice
from fairprobe.requests import Choose, Chosen, Generate, Generated, Prompt

ROW = {"question": "Which swims?", "options": ["otter", "owl"], "right": "otter"}


def choice(*rows, **named):
    return MultipleChoice(list(rows) or [ROW], "{question}", answer="right", name="animals", **named)


def request(task):
    [(asked,)] = task.requests(task.load())
    return asked


@pytest.mark.parametrize(
    ("letters", "listed", "labels"),
    [
        ("{}", "A. otter\nB. owl", ("A", "B")),
        ("{})", "A) otter\nB) owl", ("A)", "B)")),
        ("({})", "(A) otter\n(B) owl", ("(A)", "(B)")),
    ],
)
@pytest.mark.parametrize("scoring", ["letter", "letter_mean"])
def test_letters_are_listed_and_asked_as_they_are_written(letters, listed, labels, scoring):
    task = choice(letters=letters, scoring=scoring)
    assert request(task) == Choose(Prompt(f"Which swims?\n{listed}\nAnswer:"), labels)


def test_the_list_stands_where_the_prompt_says():
    task = MultipleChoice([ROW], "{options}\n{question} Letter:", answer="right", name="animals", letters="({})")
    assert request(task).prompt.content == "(A) otter\n(B) owl\nWhich swims? Letter:"


# by sum "(A)" wins, by token "(B)": -6 / 3 tokens against -7 / 4
@pytest.mark.parametrize(("scoring", "chosen"), [("letter", "otter"), ("letter_mean", "owl")])
def test_likelihoods_of_letters_are_summed_or_averaged_over_their_tokens(scoring, chosen):
    task = choice(letters="({})", scoring=scoring)
    outcomes = task.outcomes(task.load(), [[Chosen((-6.0, -7.0), (3, 4), 9)]])
    assert outcomes.responses == [chosen]
    assert outcomes.scores["accuracy"].tolist() == [float(chosen == "otter")]


@pytest.mark.parametrize(("scoring", "names"), [
    ("letter", ("accuracy", "entropy", "option_mass")), ("letter_mean", ("accuracy", "entropy", "option_mass")),
    ("text", ("accuracy", "entropy")),
])  # fmt: skip
def test_letters_have_a_mass(scoring, names):
    task = choice(scoring=scoring)
    outcomes = task.outcomes(task.load(), [[Chosen((-1.0, -2.0), (1, 1), 9, mass=0.75)]])
    assert task.score_names == tuple(outcomes.scores) == names
    assert outcomes.scores.get("option_mass", [0.75]) == [0.75]


def test_a_written_choice_may_be_a_letter_as_it_was_listed():
    task = choice(letters="({})", scoring="generate")
    assert request(task) == Generate(Prompt("Which swims?\n(A) otter\n(B) owl\nAnswer:"), 8)
    outcomes = task.outcomes(task.load(), [[Generated("(A)", True, False, 5, 3)]])
    assert outcomes.scores["accuracy"].tolist() == [1.0]


@pytest.mark.parametrize("letters", ["A)", "{}{}", "{letter}"])
def test_letters_are_written_with_one_place_for_the_letter(letters):
    with pytest.raises(BadData) as refused:
        choice(letters=letters)
    assert str(refused.value) == (
        "MultipleChoice('animals', 1 samples): letters has one {} for the letter, as in '({})', which "
        f"{letters!r} has not"
    )


def test_options_in_a_csv_file_are_a_list_as_python_writes_it(tmp_path):
    file = tmp_path / "animals.csv"
    file.write_text('question,options,right\nWhich swims?,"[\'otter\', ""snow owl""]",otter\n')
    task = MultipleChoice(file, "{question}", answer="right")
    assert request(task).prompt.content == "Which swims?\nA. otter\nB. snow owl\nAnswer:"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("otter, owl", "row 2, column 'options' holds 'otter, owl', which is no list or mapping as Python writes them"),
        ("__import__('os')", "row 2, column 'options' holds \"__import__('os')\", which is no list or mapping"),
        ("'otter'", "row 2 should hold a list of options in 'options'; it holds \"'otter'\""),
        ("['otter']", "row 2 has 1 options; a choice has between 2 and 26"),
        (None, "row 2 has 0 options; a choice has between 2 and 26"),
    ],
)
def test_a_text_that_is_no_list_of_options_is_named_by_its_row(text, message):
    with pytest.raises(BadData) as refused:
        choice({**ROW, "options": "['otter', 'owl']"}, {**ROW, "options": text}).load()
    assert f"MultipleChoice('animals', 2 samples): {message}" in str(refused.value)
