"""A treatment stands before a prompt, and the same samples are compared with it and without it."""

from __future__ import annotations

import math

import pytest

from fairprobe import (
    BadData,
    BadExpectation,
    Generation,
    MultipleChoice,
    Recorded,
    Simulation,
    Survey,
    Treatment,
    accuracy,
    alignment,
    anthropological,
    persona_lift,
    valid_rate,
)
from fairprobe.metrics import grouped, measured
from fairprobe.plan import needs, plan
from fairprobe.requests import Chosen, Failed, Generated
from fairprobe.verdict import judge

careful = Treatment("careful", "Think of who is asking.")
polite = Treatment("polite", {"en": "Be polite.", "es": "Sé cortés."})

ENGLISH = [
    "Emic and etic perspectives",
    "Cultural context",
    "Individual values and personal experience",
    "Socioeconomic position and education",
    "Cultural relativism",
    "Space and time",
    "Nuance",
]
SPANISH = [
    "Perspectivas emic y etic",
    "Contexto cultural",
    "Valores individuales y experiencia personal",
    "Posición socioeconómica y educación",
    "Relativismo cultural",
    "Espacio y tiempo",
    "Matices",
]
BOOK = {
    "persona": {
        "education": {"column": "Q275", "labels": {each: {"1": "lower", "2": "higher"} for each in ("en", "es")}},
        "age": {"column": "age"},
    },
    "languages": {
        "en": "Education: {education}, age: {age}.\n{question}\n{options}\nAnswer:",
        "es": "Educación: {education}, edad: {age}.\n{question}\n{options}\nRespuesta:",
    },
    "questions": [
        {
            "id": "hue",
            "kind": "nominal",
            "codes": [1, 2, 3],
            "options": {"en": ["Red", "Green", "Blue"], "es": ["Rojo", "Verde", "Azul"]},
            "paraphrases": {"en": ["Which hue?"], "es": ["¿Qué color?"]},
        }
    ],
}
# how probable a respondent's own answer is without a treatment
OWN = [0.1 + 0.02 * (7 * number % 30) for number in range(30)]
PEOPLE = [
    {"country": "Peru", "Q275": 1 + number % 2, "hue": 1 + number % 3, "age": 20 + number, "own": own}
    for number, own in enumerate(OWN)
]
QUESTIONS = [
    {"question": f"Question {number}?", "education": ("lower", "higher")[number % 2], "score": own}
    for number, own in enumerate(OWN)
]


def people(name="people", **named):
    return Simulation(PEOPLE, codebook=BOOK, name=name, **named)


def number(response, target, row):
    return float(response)


def answers(name="answers", **named):
    return Generation(QUESTIONS, "{question}", scorer=number, name=name, **named)


def contents(task):
    return [request.prompt.content for (request,) in task.requests(task.load())]


def said(score):
    return Generated(repr(score), True, False, 5, 3)


def preferring(row, share):
    """The respondent's own answer with this probability, the others alike."""
    shares = [(1 - share) / 2] * 3
    shares[row["answer"]] = share
    return Chosen(tuple(map(math.log, shares)), (1, 1, 1), 5)


def looked(**answers):
    """A look at what is answered to each row of each task, by the tasks' names."""

    def look(task, role):
        samples = task.load()
        return task.outcomes(samples, [[answers[task.name](row)] for row in samples.rows])

    return look


def estimates(metric, look, *columns):
    question = metric.by(*columns) if columns else (metric > 0).question
    return grouped(question, measured(metric, look)).estimates()


def width(metric, look):
    decision = judge(metric > 0, look).decision
    return decision.high - decision.low


def refusal(call, *arguments, kind=BadData):
    with pytest.raises(kind) as refused:
        call(*arguments)
    return str(refused.value)


# -- prompts


@pytest.mark.parametrize(
    "task",
    [
        people(),
        people(scoring="generate"),
        answers(),
        MultipleChoice(
            [{"q": "Which swims?", "o": ["otter", "owl"], "r": 0}], "{q}", options="o", answer="r", name="m"
        ),
        Survey([{"question": "Tea?", "options": ["Yes", "No"], "human": [0.5, 0.5]}], "{question}", name="views"),
    ],
    ids=["weighed", "written", "open", "choice", "survey"],
)
def test_a_treated_prompt_is_the_treatment_and_then_what_was_asked_without_it(task):
    assert contents(task.treated(careful)) == [f"Think of who is asking.\n\n{asked}" for asked in contents(task)]


def test_every_order_of_the_options_is_treated():
    rows = [{"q": "Which swims?", "o": ["otter", "owl"], "r": 0}]
    task = MultipleChoice(rows, "{q}", options="o", answer="r", name="animals", orders=2).treated(careful)
    assert [request.prompt.content for request in task.requests(task.load())[0]] == [
        "Think of who is asking.\n\nWhich swims?\nA. otter\nB. owl\nAnswer:",
        "Think of who is asking.\n\nWhich swims?\nA. owl\nB. otter\nAnswer:",
    ]


def test_a_chat_is_treated_before_the_first_of_the_users_messages():
    def chat(row):
        return [("system", "Be brief."), ("user", row["question"]), ("assistant", "What?"), ("user", "I said.")]

    task = Generation(QUESTIONS[:1], chat, scorer=number, name="chats")
    assert contents(task.treated(careful)) == [
        (
            ("system", "Be brief."),
            ("user", "Think of who is asking.\n\nQuestion 0?"),
            ("assistant", "What?"),
            ("user", "I said."),
        )
    ]


def test_examples_stand_before_the_treatment_and_are_not_treated():
    rows = [{"clue": "It swims.", "word": "otter"}, {"clue": "It flies.", "word": "owl"}]
    task = Generation(rows, "{clue}", target="word", shots=1, name="clues").treated(careful)
    assert contents(task) == [
        "It flies. owl\n\nThink of who is asking.\n\nIt swims.",
        "It swims. otter\n\nThink of who is asking.\n\nIt flies.",
    ]


def test_a_system_message_and_the_beginning_of_an_answer_stay_as_they_are():
    task = answers(system="Be brief.", prefix="I say")
    [without, *_], [treated, *_] = (each.prompts(each.load()) for each in (task, task.treated(careful)))
    assert (treated.system, treated.prefix, treated.format) == (without.system, without.prefix, without.format)


def test_every_notion_of_the_treatment_is_in_the_prompt_of_each_language():
    english, spanish, *_ = contents(people().treated(anthropological))
    assert [notion for notion in ENGLISH if f" {notion}: " not in f" {english}"] == []
    assert [notion for notion in SPANISH if f" {notion}: " not in f" {spanish}"] == []
    assert english.endswith("\n\nEducation: lower, age: 20.\nWhich hue?\nA. Red\nB. Green\nC. Blue\nAnswer:")
    assert spanish.endswith("\n\nEducación: lower, edad: 20.\n¿Qué color?\nA. Rojo\nB. Verde\nC. Azul\nRespuesta:")


def test_the_treatment_is_in_the_rows_own_language():
    task = people()
    languages = task.load().frame["language"].to_list()
    treated = [text.partition("\n\n")[0] for text in contents(task.treated(polite))]
    assert treated == [{"en": "Be polite.", "es": "Sé cortés."}[language] for language in languages]
    assert set(languages) == {"en", "es"}


def test_another_column_may_say_which_text_it_is():
    by_group = Treatment("by_group", {"lower": "Slowly.", "higher": "Quickly."}, column="education")
    assert contents(answers().treated(by_group))[:2] == ["Slowly.\n\nQuestion 0?", "Quickly.\n\nQuestion 1?"]


def test_a_language_that_it_has_no_text_for_is_named():
    task = Generation([{"q": "?", "language": "sw"}], "{q}", scorer=number, name="asked").treated(polite)
    assert refusal(task.requests, task.load()) == (
        "the treatment polite has a text for en, es in 'language', and a sample has 'sw' there; "
        "give it one: Treatment('polite', {'sw': '…'})"
    )


# -- the same samples


@pytest.mark.parametrize("task", [people(), answers(), answers(pair="question")], ids=["people", "answers", "paired"])
def test_a_treated_task_has_the_same_samples(task):
    without, treated = task.load(), task.treated(careful).load()
    assert treated.frame.equals(without.frame)
    assert treated.cluster.tolist() == without.cluster.tolist()
    assert (treated.pair is None) == (without.pair is None)
    assert without.pair is None or treated.pair.tolist() == without.pair.tolist()


def test_its_value_is_that_with_the_treatment_less_that_without_it():
    look = looked(answers=lambda row: said(row["score"]), answers_careful=lambda row: said(row["score"] * 0.5))
    found = estimates(accuracy(answers()).treated_by(careful), look)
    assert found.theta == pytest.approx([-0.5 * sum(OWN) / 30])


SHIFTED = looked(
    answers=lambda row: said(row["score"]),
    answers_careful=lambda row: said(row["score"] + 0.1),
    others=lambda row: said(row["score"] + 0.1),
)


def test_a_constant_shift_does_not_vary_as_that_of_two_tasks_does():
    treated = accuracy(answers()).treated_by(careful)
    apart = accuracy(answers("others")) - accuracy(answers())
    for metric in (treated, apart):
        assert estimates(metric, SHIFTED).theta == pytest.approx([0.1])
    assert estimates(treated, SHIFTED).covariance == pytest.approx(0, abs=1e-12)
    assert estimates(apart, SHIFTED).covariance[0, 0] > 0.001
    assert width(treated, SHIFTED) < 0.75 * width(apart, SHIFTED)


@pytest.mark.parametrize("kind", ["soft", "hard"])
@pytest.mark.parametrize(("corrected", "shift"), [(False, 0.1), (True, 0.15)])
def test_alignment_is_compared_respondent_by_respondent(kind, corrected, shift):
    look = looked(
        people=lambda row: preferring(row, row["own"]),
        people_careful=lambda row: preferring(row, row["own"] + 0.1),
        others=lambda row: preferring(row, row["own"] + 0.1),
    )
    treated = alignment(people(), kind, corrected=corrected).treated_by(careful)
    apart = alignment(people("others"), kind, corrected=corrected) - alignment(people(), kind, corrected=corrected)
    for metric in (treated, apart):
        assert estimates(metric, look).theta == pytest.approx([shift])
    assert estimates(treated, look).covariance == pytest.approx(0, abs=1e-12)
    assert estimates(apart, look).covariance[0, 0] > 0.001


def test_lift_may_be_treated():
    look = looked(
        people=lambda row: preferring(row, 1 / 3),
        people_careful=lambda row: preferring(row, 0.8),
    )
    # nothing without it; with it 0.8 less what others have: 9 of the other 29 say the same
    expected = 0.8 - (9 * 0.8 + 20 * 0.1) / 29
    assert estimates(persona_lift(people()).treated_by(careful), look).theta == pytest.approx([expected])


def test_the_gap_of_a_treatment_is_how_unevenly_it_works():
    look = looked(
        answers=lambda row: said(row["score"]),
        answers_careful=lambda row: said(row["score"] + {"lower": 0.05, "higher": 0.25}[row["education"]]),
    )
    judged = judge(accuracy(answers()).treated_by(careful).gap("education") < 0.5, look)
    assert {each.group["education"]: each.value for each in judged.groups} == pytest.approx(
        {"lower": 0.05, "higher": 0.25}
    )
    assert judged.decision.value == pytest.approx(0.2)
    assert judged.outcome == "pass"


def test_the_gap_of_a_treatment_is_between_personas_in_words():
    look = looked(
        people=lambda row: preferring(row, row["own"]),
        people_anthropological=lambda row: preferring(row, row["own"] + {1: 0.0, 2: 0.2}[row["Q275"]]),
    )
    claim = alignment(people(), corrected=False).treated_by(anthropological).gap("education") < 0.1
    assert repr(claim) == (
        "alignment(people, 'soft', corrected=False).treated_by(anthropological).gap('education') < 0.1"
    )
    judged = judge(claim, look)
    assert {each.group["education"]: each.value for each in judged.groups} == pytest.approx(
        {"lower": 0, "higher": 0.2}, abs=1e-9
    )
    assert judged.decision.value == pytest.approx(0.2)


def test_a_part_of_the_samples_may_be_compared():
    look = looked(
        answers=lambda row: said(row["score"]),
        answers_careful=lambda row: said(row["score"] + {"lower": 0.05, "higher": 0.25}[row["education"]]),
    )
    before = accuracy(answers()).where(education="higher").treated_by(careful)
    after = accuracy(answers()).treated_by(careful).where(education="higher")
    assert estimates(before, look).theta == pytest.approx([0.25])
    assert estimates(after, look).theta == pytest.approx([0.25])


def test_a_sample_without_one_of_its_answers_is_compared_in_neither():
    look = looked(
        answers=lambda row: said(row["score"]),
        answers_careful=lambda row: said(row["score"] + 0.1) if row["score"] < 0.5 else Failed("no"),
    )
    assert estimates(accuracy(answers()).treated_by(careful), look).theta == pytest.approx([0.1])


def test_the_share_of_samples_that_a_treatment_helps_is_above_0():
    look = looked(
        answers=lambda row: said(row["score"]),
        answers_careful=lambda row: said(row["score"] + (0.1 if row["score"] < 0.3 else -0.1)),
    )
    helped = accuracy(answers()).treated_by(careful).above(0)
    assert estimates(helped, look).theta == pytest.approx([sum(own < 0.3 for own in OWN) / 30])


def test_respondents_that_are_left_out_are_counted_once():
    rows = [*PEOPLE, {**PEOPLE[0], "hue": None}]
    task = Simulation(rows, codebook=BOOK, name="people")
    look = looked(people=lambda row: preferring(row, 0.5), people_careful=lambda row: preferring(row, 0.6))
    judged = judge(alignment(task).treated_by(careful).by("education") > 0, look)
    assert {each.group["education"]: each.left_out for each in judged.groups} == {"lower": 2, "higher": 0}


# -- names


def test_a_treatment_reads_as_its_name():
    assert repr(careful) == "careful"
    assert repr(anthropological) == "anthropological"
    assert repr(people().treated(careful)) == "Simulation('people_careful', 30 samples)"


def test_a_claim_can_be_read_back():
    task = answers()
    claim = accuracy(task).treated_by(careful).gap("education") < 0.1
    names = {"accuracy": accuracy, "answers": task, "careful": careful}
    assert repr(claim) == "accuracy(answers).treated_by(careful).gap('education') < 0.1"
    assert repr(eval(repr(claim), names)) == repr(claim)


@pytest.mark.parametrize("name", ["", "two words", "1st", "de-biased", "class"])
def test_a_name_stands_in_expressions(name):
    assert refusal(Treatment, name, "Think.") == (
        f"Treatment({name!r}): its name stands in expressions, so it is a word of letters, digits and _ that "
        "Python does not use itself"
    )


def test_treatments_are_equal_by_what_they_say():
    same = Treatment("polite", {"en": "Be polite.", "es": "Sé cortés."})
    task = people()
    assert (same, hash(same)) == (polite, hash(polite))
    assert task.treated(same) == task.treated(polite) != task
    assert task.treated(Treatment("polite", "Please.")) != task.treated(polite)


def test_a_claim_asks_with_the_treatment_and_without_it_and_nothing_twice():
    task = answers()
    claims = accuracy(task).treated_by(careful).gap("education") < 0.1, accuracy(task).by("education") > 0.1
    assert set(needs(claims[0])) == {(task, "model"), (task.treated(careful), "model")}
    asked = {each: each.requests(each.load()) for each in (task, task.treated(careful))}
    assert plan(claims, asked).distinct == 2 * len(QUESTIONS)


# -- what cannot be treated


def test_recorded_answers_were_given_and_cannot_be_treated():
    recorded = Recorded([{"score": 1.0}], name="recorded")
    message = "Recorded('recorded', 1 samples) prompts no checkpoint, so nothing is treated by careful"
    assert refusal(accuracy(recorded).treated_by, careful, kind=BadExpectation) == message
    assert refusal(valid_rate(recorded).where(score=1.0).treated_by, careful, kind=BadExpectation) == message
    difference = accuracy(answers()) - accuracy(recorded)
    assert refusal(difference.treated_by, careful, kind=BadExpectation) == message


def test_a_change_is_not_treated_but_a_treatment_may_change():
    assert refusal(accuracy(answers()).change().treated_by, careful, kind=BadExpectation) == (
        "accuracy(answers).change() compares with the baseline already; .treated_by() of it has no meaning here"
    )
    assert repr(accuracy(answers()).treated_by(careful).change() > 0) == (
        "accuracy(answers).treated_by(careful).change() > 0.0"
    )


def test_how_a_treatment_changes_is_a_difference_of_differences():
    def look(task, role):
        step = {("answers", "model"): 0.0, ("answers_careful", "model"): 0.2,
                ("answers", "baseline"): 0.05, ("answers_careful", "baseline"): 0.1}[task.name, role]  # fmt: skip
        return looked(**{task.name: lambda row: said(row["score"] + step)})(task, role)

    assert estimates(accuracy(answers()).treated_by(careful).change(), look).theta == pytest.approx([0.2 - 0.05])


def test_a_treatment_has_a_gap_and_no_ratio():
    message = refusal(accuracy(answers()).treated_by(careful).ratio, "education", kind=BadExpectation)
    assert "is a difference and may be negative, so it has no ratio" in message


def test_a_treated_metric_is_treated_once():
    task = people()
    with pytest.raises(BadExpectation, match="of two, one text says both"):
        alignment(task).treated_by(anthropological).treated_by(anthropological)
