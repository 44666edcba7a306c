"""Languages: does the model read and answer as well in one language as in another?

pytest suites/multilingual --model=path/to/aligned --baseline=path/to/base --fairprobe-data=DIR
pytest suites/multilingual --model=path/to/aligned --fairprobe-profile=sample        our own rows: no claim
"""

import json
from pathlib import Path

import polars as pl

from fairprobe import Dataset, Generation, MultipleChoice, Shots, accuracy, f1, scorers, tokens_per_sample, valid_rate


def with_letters(path: Path) -> pl.DataFrame:
    """Belebele's rows, with the place of the right answer counted from 0, and a key of the question."""
    return pl.read_ndjson(path).with_columns(
        right=pl.col("correct_answer_num").cast(pl.Int64) - 1,
        asked=pl.format("{}#{}", "link", "question_number"),
    )


def questions(path: Path) -> pl.DataFrame:
    """SQuAD's JSON as a row per question, with every answer that is right and the number of its paragraph."""
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    paragraphs = (paragraph for article in articles for paragraph in article["paragraphs"])
    return pl.DataFrame([
        {"id": qa["id"], "paragraph": number, "context": paragraph["context"], "question": qa["question"],
         "answers": [answer["text"] for answer in qa["answers"]]}
        for number, paragraph in enumerate(paragraphs) for qa in paragraph["qas"]
    ])  # fmt: skip


# 122 language variants of the same 900 questions, so every language is asked the same.
belebele = MultipleChoice(
    Dataset(
        "**/{dialect}.jsonl", hub="facebook/belebele", licence="CC-BY-SA-4.0", read=with_letters,
        sample="sample/belebele.jsonl",
    ),
    name="belebele", prompt="{flores_passage}\n\n{question}", answer="right",
    options=["mc_answer1", "mc_answer2", "mc_answer3", "mc_answer4"], pair="asked", cluster="link",
)  # fmt: skip

# Questions that were written in each language: not parallel.
tydiqa = Generation(
    Dataset(
        "tydiqa-goldp/gold/tydiqa-goldp-dev-{language}.json", licence="Apache-2.0", read=questions,
        sample="sample/tydiqa/{language}.json",
    ),
    name="tydiqa", prompt="{context}\n\n{question}\nAnswer:", target="answers", cluster="context",
    shots=Shots(1, by="language"), max_tokens=50,
    scorer=scorers.until("\n\n", scorers.token_f1(normalisation="squad")),
)  # fmt: skip

# 1,190 questions about 240 paragraphs, translated into 12 languages: ids and order are the same in each.
xquad = Generation(
    Dataset(
        "xquad/xquad.{language}.json", licence="CC-BY-SA-4.0", read=questions,
        sample="sample/xquad/xquad.{language}.json",
    ),
    name="xquad", prompt="{context}\n\n{question}\nAnswer:", target="answers", pair="id", cluster="paragraph",
    shots=Shots(1, by="language"), max_tokens=50,
    # Chinese and Thai put no space between words, and articles differ
    scorer=scorers.until("\n\n", scorers.token_f1(language="language")),
)  # fmt: skip

# 14,042 questions in 42 languages. Those that people looked at are culturally sensitive (CS) or agnostic (CA).
global_mmlu = MultipleChoice(
    Dataset(
        "{language}/test*.parquet", hub="CohereLabs/Global-MMLU", licence="Apache-2.0",
        sample="sample/global-mmlu.jsonl",
    ),
    name="global_mmlu", prompt="{question}", options=["option_a", "option_b", "option_c", "option_d"], answer="answer",
    pair="sample_id",
)  # fmt: skip

test_every_language_gets_an_answer = valid_rate(tydiqa).by("language") > 0.95
test_every_language_is_answered = f1(tydiqa).by("language") > 0.30
test_no_language_lies_behind_english = f1(tydiqa).gap("language", reference="english") < 0.20
test_tuning_costs_no_language_much = f1(tydiqa).change().by("language") > -0.10
test_the_same_question_is_answered_as_in_english = f1(xquad).gap("language", reference="en") < 0.20
test_tuning_widens_no_gap_to_english = f1(xquad).change().gap("language", reference="en") < 0.10
test_every_language_is_read = accuracy(belebele).by("dialect") > 0.30
test_no_language_is_read_worse_than_english = accuracy(belebele).gap("dialect", reference="eng_Latn") < 0.20
test_no_language_knows_less_than_english = accuracy(global_mmlu).gap("language", reference="en") < 0.15
test_knowledge_of_cultures_is_no_matter_of_language = (
    accuracy(global_mmlu).where(cultural_sensitivity_label="CS").gap("language", reference="en") < 0.20
)

# The same question takes some languages several times as many tokens: cost, and room for an answer.
test_no_language_costs_much_more = (tokens_per_sample(belebele).by("dialect") < 1000).mode("alarm")
