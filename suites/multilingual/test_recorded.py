"""Answers in nine languages, from recorded generations: does a model answer as well in every language?

    pytest suites/multilingual/test_recorded.py --model=recorded:zephyr-7b-beta --baseline=recorded:mistral-7b-v0.1 \
        --fairprobe-data=DIR        with DIR/tydiqa-goldp/{model}/{language}.json and DIR/tydiqa-goldp/gold

The questions are those of TyDiQA-GoldP (Clark et al. 2020, Apache-2.0), each written in its own language: they are not
parallel, so there are no pairs. An answer is what was written before the first blank line, scored as SQuAD does.
"""

import json
from pathlib import Path

import polars as pl

from fairprobe import BadData, Recorded, exact_match, f1, mean, scorers, valid_rate


def with_gold(path: Path) -> pl.DataFrame:
    """A row per question: what was written, and every answer that is right."""
    written = json.loads(path.read_text(encoding="utf-8"))
    gold = path.parents[1] / "gold" / f"tydiqa-goldp-dev-{path.stem}.json"
    if not gold.is_file():
        msg = f"the right answers are to lie in {gold}"
        raise BadData(msg)
    paragraphs = (p for article in json.loads(gold.read_text(encoding="utf-8"))["data"] for p in article["paragraphs"])
    rows = [
        {"id": qa["id"], "question": qa["question"], "written": written.get(qa["id"]),
         "answers": [answer["text"] for answer in qa["answers"]]}
        for paragraph in paragraphs for qa in paragraph["qas"]
    ]  # fmt: skip
    return pl.DataFrame(rows)


squad_f1 = scorers.token_f1(normalisation="squad")
answers = Recorded(
    "tydiqa-goldp/{model}/{language}.json",
    name="answers",
    read=with_gold,
    response="written",
    target="answers",
    scorer={
        "f1": scorers.until("\n\n", squad_f1),
        "exact_match": scorers.until("\n\n", scorers.exact_match(normalisation="squad")),
        "f1_uncut": squad_f1,  # a model that goes on writing loses most of it
    },
    key="id",
)

test_every_language_gets_an_answer = valid_rate(answers).by("language") > 0.95
test_every_language_is_answered = f1(answers).by("language") > 0.30
test_every_language_is_answered_exactly = exact_match(answers).by("language") > 0.15
test_every_language_is_answered_without_the_cut = mean(answers, "f1_uncut").by("language") > 0.05
test_no_language_lies_behind_english = f1(answers).gap("language", reference="english") < 0.20
test_tuning_costs_no_language_much = f1(answers).change().by("language") > -0.10
test_tuning_costs_no_language_more_than_english = f1(answers).change().gap("language", reference="english") < 0.05
