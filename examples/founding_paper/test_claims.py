"""What arXiv:2402.15018 says of one chain of checkpoints, each claim as an expectation on what its authors recorded.

A test's name starts with the stage that the claim is about, and `because` holds what the authors print of it, in the
paper or in their account of it at ai.stanford.edu/blog/teaser-global. `write.py` runs each stage against its baseline:

    pytest examples/founding_paper -k test_sft --model=recorded:mistral-7b-sft-beta \
        --baseline=recorded:mistral-7b-v0.1 --fairprobe-data=DIR
"""

from pathlib import Path

import polars as pl
from suites.dialects.test_recorded import clues
from suites.multilingual.test_recorded import answers
from suites.opinions_about.test_recorded import USA, rewarded, said, where_from
from suites.opinions_from.test_recorded import by_country

from fairprobe import Recorded, accuracy, f1, mean_rank, share_below, similarity, spearman

LANGUAGES = ("arabic", "bengali", "english", "finnish", "indonesian", "korean", "russian", "swahili", "telugu")
FARTHER = ("China", "Jordan", "Nigeria")


def beside_the_usa(country: str) -> Recorded:
    """The similarities of one country and of the United States."""

    def two(path: Path) -> pl.DataFrame:
        return by_country(path).filter(pl.col("country").is_in([country, "United States"]))

    return Recorded(
        "globalopinionsqa/{model}.csv", name=f"opinions_{country}", read=two, score="similarity", choice="probs",
        pair="number", key=("number", "country"), missing="drop",
    )  # fmt: skip


pairs = {country: similarity(beside_the_usa(country)).matched("country") for country in FARTHER}

# Before tuning.
test_base_dialects_are_understood_about_alike = (accuracy(clues).gap("dialect") < 0.05).because("about 0.01")
test_base_no_opinion_is_much_nearer_to_the_usa = {
    country: each.gap("country", reference="United States") < 0.05 for country, each in pairs.items()
}

# What supervised tuning did.
test_sft_us_english_gains = (accuracy(clues).where(dialect="en_us").change() > 0).because("0.293")
test_sft_nigerian_english_gains = (accuracy(clues).where(dialect="en_ng").change() > 0).because("0.203")
test_sft_indian_english_gains = (accuracy(clues).where(dialect="en_in").change() > 0).because("0.152")
test_sft_us_english_gains_most = (accuracy(clues).change().gap("dialect", reference="en_us") > 0).because("0.14")

# What preference tuning did after it.
test_dpo_us_english_gains = accuracy(clues).where(dialect="en_us").change() > 0
test_dpo_nigerian_english_gains = accuracy(clues).where(dialect="en_ng").change() > 0
test_dpo_indian_english_gains = accuracy(clues).where(dialect="en_in").change() > 0
test_dpo_us_english_gains_most = accuracy(clues).change().gap("dialect", reference="en_us") > 0

# What both did.
test_zephyr_us_english_gains_most = accuracy(clues).change().gap("dialect", reference="en_us") > 0
test_zephyr_answers_worse_in_most_languages = {
    language: f1(answers).where(language=language).change() < 0 for language in LANGUAGES
}
test_zephyr_opinions_are_nearer_to_the_usa = {
    country: each.gap("country", reference="United States") > 0 for country, each in pairs.items()
}
test_zephyr_opinions_moved_towards_the_usa = {
    country: each.change().gap("country", reference="United States") > 0 for country, each in pairs.items()
}

# A reward model ranks countries as Americans do.
test_starling_ranks_countries_as_americans_do = (spearman(rewarded, "gallup_listed", of="country") > 0.5).because(
    "0.849"
)
test_starling_ranks_nearly_all_countries_below_the_usa = share_below(rewarded, USA, of="country") > 0.9
test_starling_likes_who_is_from_the_usa = (
    mean_rank(where_from).where(country=USA, listed=True) < 10
).at(scope="benchmark")  # fmt: skip

# Yet the model tuned with rewards does not come to rank them so.
test_zephyr_ranks_follow_americans_no_more_than_before = spearman(said, "gallup_listed", of="country").change() < 0.1
