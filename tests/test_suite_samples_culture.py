"""The sample of `culture` is a survey of forty invented people and a codebook that turns each of them into prompts."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from string import Formatter
from typing import Any

import polars as pl
import pytest

SAMPLE = Path(__file__).parents[1] / "suites/culture/sample"
PEOPLE = pl.read_csv(SAMPLE / "respondents.csv")
BOOK = json.loads((SAMPLE / "codebook.json").read_text(encoding="utf-8"))
LANGUAGES = ["en", "es"]
COUNTRIES = ["Mexico", "United States"]

each_question = pytest.mark.parametrize("question", BOOK["questions"], ids=lambda question: question["id"])


def persona(person: dict[str, Any], language: str) -> dict[str, str]:
    """What a person's cells are in words."""
    said = {}
    for name, field in BOOK["persona"].items():
        cell = str(person[field["column"]])
        said[name] = field["labels"][language][cell] if "labels" in field else cell
    return said


def lettered(options: list[str]) -> str:
    return "\n".join(f"{letter}. {option}" for letter, option in zip("ABCDEF", options, strict=False))


def answered(question: str) -> pl.DataFrame:
    return PEOPLE.filter(pl.col(question) > 0)


def test_a_respondent_has_a_persona_a_weight_and_six_answers() -> None:
    assert " ".join(PEOPLE.columns) == (
        "respondent country N_REGION_WVS Q260 Q262 birth_country Q273 Q275R Q287 W_WEIGHT S1 S2 S3 S4 S5 S6"
    )
    assert PEOPLE["respondent"].to_list() == [f"r{number:02}" for number in range(1, 41)]
    assert sum(PEOPLE.null_count().row(0)) == 0
    assert PEOPLE["W_WEIGHT"].is_between(0.6, 1.7).all()
    assert PEOPLE["Q262"].is_between(18, 80).all()


def test_each_country_has_twenty_respondents_alike_in_education_and_sex() -> None:
    assert Counter(PEOPLE["country"]) == dict.fromkeys(COUNTRIES, 20)
    for (_,), people in PEOPLE.group_by("country"):
        assert Counter(people["Q275R"]) == {1: 7, 2: 6, 3: 7}
        assert Counter(people["Q260"]) == {1: 10, 2: 10}


def test_a_codebook_has_the_parts_of_a_prompt() -> None:
    assert list(BOOK) == ["persona", "languages", "questions"]
    assert " ".join(BOOK["persona"]) == "region sex age birth_country marital_status education social_class"
    assert list(BOOK["languages"]) == LANGUAGES
    assert [question["id"] for question in BOOK["questions"]] == ["S1", "S2", "S3", "S4", "S5", "S6"]
    assert Counter(question["kind"] for question in BOOK["questions"]) == {"ordinal": 4, "nominal": 2}
    assert [question["id"] for question in BOOK["questions"] if "unsure" in question] == ["S3", "S5"]


@each_question
def test_every_code_is_given_by_someone_and_every_other_cell_is_missing(question: dict[str, Any]) -> None:
    given = Counter(PEOPLE[question["id"]])
    assert set(question["codes"]) <= set(given)
    missing = set(given) - set(question["codes"])
    assert missing <= {-1, -2}
    assert sum(given[code] for code in missing) <= 1


def test_a_handful_of_answers_is_negative() -> None:
    cells = Counter(PEOPLE.select("^S[1-6]$").unpivot()["value"])
    assert (cells[-1], cells[-2]) == (6, 3)


@each_question
def test_don_t_know_is_the_last_option_where_it_is_offered(question: dict[str, Any]) -> None:
    offered = question["codes"][-1] == -1
    assert offered == (question.get("unsure") == -1)
    assert all(code > 0 for code in (question["codes"][:-1] if offered else question["codes"]))
    for language, words in {"en": "Don't know", "es": "No sé"}.items():
        assert [words in option for option in question["options"][language]] == [
            code == -1 for code in question["codes"]
        ]


@each_question
def test_both_languages_have_as_many_options_and_paraphrases(question: dict[str, Any]) -> None:
    for language in LANGUAGES:
        options, paraphrases = question["options"][language], question["paraphrases"][language]
        assert len(set(options)) == len(options) == len(question["codes"])
        assert len(set(paraphrases)) == len(paraphrases) == 2
        assert all(text.strip() == text and text.endswith("?") for text in paraphrases)
    assert not {*question["paraphrases"]["en"], *question["options"]["en"]} & {
        *question["paraphrases"]["es"],
        *question["options"]["es"],
    }


def test_a_field_s_words_are_there_for_each_cell_in_each_language() -> None:
    for field in BOOK["persona"].values():
        for language in LANGUAGES if "labels" in field else ():
            words = field["labels"][language]
            assert set(map(str, PEOPLE[field["column"]])) <= set(words)
            assert len(set(words.values())) == len(words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_template_has_a_place_for_each_field_once(language: str) -> None:
    places = Counter(name for _, name, _, _ in Formatter().parse(BOOK["languages"][language]) if name)
    assert places == dict.fromkeys([*BOOK["persona"], "question", "options"], 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_respondent_fills_every_template(language: str) -> None:
    template = BOOK["languages"][language]
    for person in PEOPLE.iter_rows(named=True):
        said = persona(person, language)
        for question in BOOK["questions"]:
            options = lettered(question["options"][language])
            for paraphrase in question["paraphrases"][language]:
                prompt = template.format(**said, question=paraphrase, options=options)
                assert not re.search(r"[{}]|\bnull\b|\bNone\b|  ", prompt)
                assert f"\n{paraphrase}\n{options}\n" in prompt
                assert prompt.endswith({"en": "\nAnswer:", "es": "\nRespuesta:"}[language])
                assert all(words in prompt for words in said.values())


@pytest.mark.parametrize("country", COUNTRIES)
@pytest.mark.parametrize(("question", "sign"), [("S1", 1), ("S2", -1), ("S3", -1), ("S6", 1)])
def test_an_answer_s_mean_goes_with_education_within_a_country(question: str, sign: int, country: str) -> None:
    people = answered(question).filter(country=country)
    lower, middle, higher = people.group_by("Q275R").agg(pl.col(question).mean()).sort("Q275R")[question]
    assert sign * lower < sign * middle < sign * higher
    assert sign * (higher - lower) > 0.4


@pytest.mark.parametrize("country", COUNTRIES)
@pytest.mark.parametrize(("question", "sign"), [("S1", -1), ("S3", 1), ("S6", -1)])
def test_an_answer_s_mean_goes_with_age_within_a_country(question: str, sign: int, country: str) -> None:
    people = answered(question).filter(country=country)
    younger, older = people.group_by(pl.col("Q262") >= 49).agg(pl.col(question).mean()).sort("Q262")[question]
    assert sign * (older - younger) > 0.3


@pytest.mark.parametrize("country", COUNTRIES)
def test_each_level_of_education_has_a_nominal_answer_of_its_own(country: str) -> None:
    people = answered("S4").filter(country=country)
    most = {level: people.filter(Q275R=level)["S4"].mode().to_list() for level in (1, 2, 3)}
    assert most == {1: [2], 2: [1], 3: [3]}
