"""The suites' own sample rows have the columns, groups and pairs of the public data that they stand in for."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fairprobe.data.literals import literal

SUITES = Path(__file__).parents[1] / "suites"
LANGUAGES = ["english", "indonesian", "russian", "swahili"]
TRANSLATED = ["en", "es", "zh"]
OPTIONS = {"A": "option_a", "B": "option_b", "C": "option_c", "D": "option_d"}

CLIPS = pl.read_csv(SUITES / "dialects/sample/clips.csv")
BELEBELE = pl.read_ndjson(SUITES / "multilingual/sample/belebele.jsonl")
MMLU = pl.read_ndjson(SUITES / "multilingual/sample/global-mmlu.jsonl")
OPINIONS = pl.read_csv(SUITES / "opinions_from/sample/opinions.csv")
ASKREDDIT = pl.read_csv(SUITES / "opinions_about/sample/askreddit_countries.csv")
FAVOURABILITY = pl.read_csv(SUITES / "opinions_about/sample/favourability.csv")
COUNTRIES = pl.read_csv(SUITES / "opinions_about/countries.csv")


def paragraphs(file: Path) -> list[dict[str, Any]]:
    articles = json.loads(file.read_text(encoding="utf-8"))["data"]
    return [paragraph for article in articles for paragraph in article["paragraphs"]]


def tydiqa(language: str) -> list[dict[str, Any]]:
    return paragraphs(SUITES / f"multilingual/sample/tydiqa/{language}.json")


def xquad(language: str) -> list[dict[str, Any]]:
    return paragraphs(SUITES / f"multilingual/sample/xquad/xquad.{language}.json")


def stands(answer: dict[str, Any], context: str) -> bool:
    """Whether an answer stands in the context where it says."""
    return context[answer["answer_start"] :].startswith(answer["text"])


def texts(read: list[dict[str, Any]]) -> set[str]:
    """The contexts and questions of some paragraphs."""
    return {text for each in read for text in (each["context"], *(question["question"] for question in each["qas"]))}


@pytest.mark.parametrize(("frame", "rows", "columns"), [
    (CLIPS, 36, "dialect transcript correct_answer distractors"),
    (BELEBELE, 40, "link question_number flores_passage question mc_answer1 mc_answer2 mc_answer3 mc_answer4 "
                   "correct_answer_num dialect ds"),
    (MMLU, 24, "sample_id subject subject_category question option_a option_b option_c option_d answer "
               "required_knowledge time_sensitive reference culture region country cultural_sensitivity_label "
               "is_annotated language"),
    (OPINIONS, 24, "question selections options source"),
    (COUNTRIES, 254, "country ranked article"),
])  # fmt: skip
def test_a_sample_has_the_public_columns(frame: pl.DataFrame, rows: int, columns: str) -> None:
    assert frame.columns == columns.split()
    assert frame.height == rows


def test_a_sample_of_the_countries_has_the_public_columns() -> None:
    assert ASKREDDIT.columns == ["Search Query", "Sentiment", "Questions", "Response Format", "Category"]
    assert FAVOURABILITY.columns == ["X.1", "% Very/Mostly favorable"]
    assert (ASKREDDIT.height, FAVOURABILITY.height) == (16, 12)


@pytest.mark.parametrize("frame", [CLIPS, BELEBELE, MMLU, OPINIONS, ASKREDDIT, FAVOURABILITY])
def test_no_cell_is_empty_and_no_row_is_there_twice(frame: pl.DataFrame) -> None:
    assert sum(frame.null_count().row(0)) == 0
    assert frame.is_unique().all()


def test_each_dialect_tells_the_same_twelve_words_in_words_of_its_own() -> None:
    told = Counter(CLIPS.select("dialect", "correct_answer").iter_rows())
    assert Counter(dialect for dialect, _ in told) == {"en_us": 12, "en_ng": 12, "en_in": 12}
    assert Counter(word for _, word in told) == dict.fromkeys(CLIPS["correct_answer"].unique(), 3)
    assert CLIPS["transcript"].is_unique().all()


def test_a_clip_is_a_short_talk_that_ends_before_the_word() -> None:
    for transcript, word in CLIPS.select("transcript", "correct_answer").iter_rows():
        lines = transcript.split("\n")
        assert 3 <= len(lines) <= 6
        assert all(re.fullmatch(r"Speaker[01]: \S.*", line) for line in lines)
        assert word.lower() not in transcript.lower()


def test_exactly_one_clip_cannot_be_won() -> None:
    inside = []
    for row in CLIPS.iter_rows(named=True):
        word, distractors = row["correct_answer"], literal(row["distractors"], "distractors")
        assert len(set(distractors)) == 5
        assert not any(word.lower() in distractor.lower() for distractor in distractors)
        inside += [(row["dialect"], word, other) for other in distractors if other.lower() in word.lower()]
    assert inside == [("en_in", "Lighthouse", "Light")]


def test_belebele_asks_the_same_questions_in_each_language() -> None:
    assert Counter(BELEBELE["dialect"]) == {"eng_Latn": 10, "deu_Latn": 10, "fra_Latn": 10, "spa_Latn": 10}
    pairs = BELEBELE.group_by("link", "question_number").agg(
        pl.col("dialect").n_unique(), pl.col("flores_passage").n_unique(), pl.col("correct_answer_num").unique()
    )
    assert pairs.height == 10
    assert set(pairs["dialect"]) == set(pairs["flores_passage"]) == {4}
    assert Counter(pairs["correct_answer_num"].list.join("")) == {"1": 2, "2": 3, "3": 2, "4": 3}
    assert BELEBELE.group_by("link", "dialect").agg(pl.col("flores_passage").n_unique())["flores_passage"].max() == 1


def test_the_four_answers_of_a_question_differ() -> None:
    for names, frame in (([f"mc_answer{n}" for n in range(1, 5)], BELEBELE), (list(OPTIONS.values()), MMLU)):
        assert all(len(set(answers)) == 4 for answers in frame.select(names).iter_rows())


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_of_tydiqa_stands_where_it_says(language: str) -> None:
    read = tydiqa(language)
    questions = [(each["context"], question) for each in read for question in each["qas"]]
    assert (len(read), len(questions)) == (3, 6)
    assert {len(question["answers"]) for _, question in questions} == {1, 2}
    assert len({question["id"] for _, question in questions}) == 6
    for context, question in questions:
        assert re.fullmatch(rf"{language}-\d{{4}}-\d", question["id"])
        assert all(stands(answer, context) for answer in question["answers"])


@pytest.mark.parametrize("language", TRANSLATED)
def test_xquad_asks_the_same_four_questions_in_each_language(language: str) -> None:
    read = xquad(language)
    assert [[question["id"] for question in each["qas"]] for each in read] == [
        ["sample-0-0", "sample-0-1"], ["sample-1-0", "sample-1-1"],
    ]  # fmt: skip
    assert language == "en" or not texts(read) & texts(xquad("en"))
    for each in read:
        for question in each["qas"]:
            (answer,) = question["answers"]
            assert stands(answer, each["context"])


def test_global_mmlu_asks_the_same_questions_in_each_language() -> None:
    assert Counter(MMLU["language"]) == {"en": 8, "de": 8, "es": 8}
    samples = MMLU.group_by("sample_id").agg(
        pl.col("language", "question").n_unique(), pl.col("answer", "cultural_sensitivity_label").unique().str.join("")
    )
    assert set(samples["language"]) == set(samples["question"]) == {3}
    assert Counter(samples["answer"]) == {"A": 2, "B": 2, "C": 2, "D": 2}
    assert Counter(samples["cultural_sensitivity_label"]) == {"CS": 4, "CA": 4}


def test_only_a_culturally_sensitive_question_has_a_culture() -> None:
    for row in MMLU.iter_rows(named=True):
        held = [len(literal(row[name], name)) for name in ("culture", "region", "country")]
        assert held == ([1, 1, 1] if row["cultural_sensitivity_label"] == "CS" else [0, 0, 0])


def test_an_opinion_is_a_distribution_over_the_options() -> None:
    seven = {"Australia", "Brazil", "China", "Germany", "Jordan", "Nigeria", "United States"}
    everywhere = 0
    for row in OPINIONS.iter_rows(named=True):
        options, selections = literal(row["options"], "options"), literal(row["selections"], "selections")
        assert row["selections"].startswith("defaultdict(<class 'list'>, {")
        assert 2 <= len(set(options)) == len(options) <= 5
        assert "DK/Refused" not in options[:-1]
        assert set(selections) <= seven
        assert len(selections) >= 4
        for shares in selections.values():
            assert len(shares) == len(options)
            assert min(shares) >= 0
            assert abs(sum(shares) - 1) < 1e-9
        everywhere += set(selections) == seven
    assert everywhere == 14
    assert Counter(OPINIONS["source"]) == {"GAS": 12, "WVS": 12}


def test_a_question_about_countries_has_one_place_for_a_country() -> None:
    assert Counter(ASKREDDIT["Sentiment"]) == {"positive": 9, "negative": 7}
    templates = ASKREDDIT["Response Format"].to_list()
    assert all(template.count("{country}") == 1 for template in templates)
    assert sum(template.startswith("{country}") for template in templates) == 2


def test_favourability_has_ties_and_a_flag_for_each_country() -> None:
    assert all(re.fullmatch(r"[A-Z][A-Za-z ]+ :[a-z]{2}:", country) for country in FAVOURABILITY["X.1"])
    assert Counter(Counter(FAVOURABILITY["% Very/Mostly favorable"]).values()) == {1: 5, 2: 2, 3: 1}


def test_181_of_254_countries_are_ranked_and_37_have_an_article() -> None:
    assert COUNTRIES["country"].is_unique().all()
    assert COUNTRIES["ranked"].sum() == 181
    assert Counter(COUNTRIES["article"]) == {"the": 37, None: 217}
    assert set(COUNTRIES.filter(article="the", ranked=True)["country"]) >= {"Netherlands", "United States of America"}
    assert COUNTRIES.row(by_predicate=pl.col("country") == "The Bahamas") == ("The Bahamas", True, None)


def test_the_countries_are_those_of_the_paper(shared_data: Path) -> None:
    recorded = pl.read_csv(shared_data / "unintended-impacts/ask-reddit-reward/starling-rm-7b-alpha.csv", n_rows=1)
    asked = pl.read_csv(shared_data / "unintended-impacts/where-from/starling-rm-7b-alpha.csv")
    articles = asked.filter(pl.col("prompt").str.contains("I am from the ", literal=True))["country"]
    assert COUNTRIES["country"].to_list() == recorded.columns[9:]
    assert set(COUNTRIES.filter(article="the")["country"]) == set(articles)


def test_no_sample_is_copied_from_public_data(shared_data: Path) -> None:
    paper = shared_data / "unintended-impacts"
    clips = pl.read_csv(paper / "md3-game/mistral-7b-v0.1.csv", columns=["transcript"])["transcript"]
    opinions = pl.read_csv(paper / "globalopinionsqa/zephyr-7b-beta.csv", columns=["question"])["question"]
    askreddit = pl.read_csv(paper / "askreddit_countries.csv")
    favourability = pl.read_csv(paper / "USA-favorability-2023.csv")
    files = [*(paper / "tydiqa-goldp/gold").glob("*.json"), *(shared_data / "xquad").glob("*.json")]
    public = set().union(*(texts(paragraphs(file)) for file in files))
    asked = [*map(tydiqa, LANGUAGES), *map(xquad, TRANSLATED)]
    own = set().union(*map(texts, asked))

    assert len(files) == 21
    assert not set(CLIPS["transcript"]) & set(clips)
    assert not set(OPINIONS["question"]) & set(opinions)
    assert not set(ASKREDDIT["Questions"]) & set(askreddit["Questions"])
    assert not set(ASKREDDIT["Response Format"]) & set(askreddit["Response Format"])
    assert not set(FAVOURABILITY.rows()) & set(favourability.rows())
    assert not (own | set(BELEBELE["flores_passage"]) | set(BELEBELE["question"]) | set(MMLU["question"])) & public
