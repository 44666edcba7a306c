"""The founding paper's findings (arXiv:2402.15018), restated by the shipped suites from what its authors recorded.

The numbers to meet were computed independently of fairprobe, from the same recorded outputs.
"""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BASELINE = "mistral-7b-v0.1"
CHAIN = {
    "mistral-7b-v0.1": ("Mistral-7B-v0.1", "Mistral-7B-v0.1_8bit", "Mistral"),
    "mistral-7b-sft-beta": ("mistral-7b-sft-beta", "Mistral-SFT-7B_8bit", "Mistral SFT"),
    "zephyr-7b-beta": ("zephyr-7b-beta", "zephyr-7b-beta_8bit", "Zephyr"),
}
"""The recorded models, each with what the reference calls it: in MD3 and GlobalOpinionQA, TyDiQA, AskReddit."""
RANKED = [
    *((model, names[2], "ranks") for model, names in CHAIN.items()),
    ("starling-rm-7b-alpha", "Starling RM", "rewards"),
]
"""Who ranked countries, by what it is called here and in the reference, and by what."""
NEAR = 1e-6
USA = "United States of America"

Results = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def reference(shared_data) -> dict[str, Any]:
    return json.loads((shared_data.parent / "reference" / "mistral_chain.json").read_text())


@pytest.fixture
def judged(recorded_verdicts):
    """Every verdict of `pytest suites`, or of other tests, on one recorded model, by its test's name."""

    def judge(model: str, baseline: str = BASELINE, tests: tuple[str, ...] = ("suites",)) -> Results:
        return recorded_verdicts(*tests, model=model, baseline=baseline)

    return judge


def values(verdict: dict[str, Any]) -> dict[str, float]:
    return {str(next(iter(group["group"].values()))): group["value"] for group in verdict["groups"]}


@pytest.mark.parametrize("model", CHAIN)
def test_words_are_guessed_in_each_dialect_as_often_as_in_the_paper(judged, reference, model):
    wanted = reference["md3_dialect_intent"]["models"][CHAIN[model][0]]
    found = judged(model)
    dialects = ("en_in", "en_ng", "en_us")
    right = values(found["test_every_dialect_is_understood"])
    chosen = values(found["test_every_dialect_is_told_apart"])
    assert right == pytest.approx({name: wanted[name]["k"] / wanted[name]["n"] for name in dialects}, abs=NEAR)
    assert chosen == pytest.approx({name: wanted[name]["chose_correct_rate"] for name in dialects}, abs=NEAR)
    assert found["test_dialects_are_equal"]["value"] == pytest.approx(wanted["gap"]["max_minus_min"], abs=NEAR)
    behind = max(wanted["gap"][f"en_us-{name}"]["diff"] for name in ("en_in", "en_ng"))
    assert found["test_no_dialect_lies_behind_us_english"]["value"] == pytest.approx(behind, abs=NEAR)
    before = reference["md3_dialect_intent"]["models"][CHAIN[BASELINE][0]]
    changes = {name: wanted[name]["k"] / wanted[name]["n"] - before[name]["k"] / before[name]["n"] for name in dialects}
    assert values(found["test_tuning_helps_every_dialect"]) == pytest.approx(changes, abs=NEAR)


@pytest.mark.parametrize("model", CHAIN)
def test_opinions_are_as_like_each_countrys_as_in_the_paper(judged, reference, model):
    wanted = reference["globalopinions"]["models"][CHAIN[model][0]]
    found = judged(model)
    everywhere = values(found["test_no_country_is_read_badly"])
    assert len(everywhere) == 138
    assert everywhere == pytest.approx(
        {name: each["similarity_all_questions"] for name, each in wanted.items()}, abs=NEAR
    )
    shared = {name: each for name, each in wanted.items() if "similarity_shared_questions" in each}
    assert values(found["test_compared_countries_are_read_alike"]) == pytest.approx(
        {name: each["similarity_shared_questions"] for name, each in shared.items()}, abs=NEAR
    )
    complete = values(found["test_no_country_lies_behind_the_united_states"])
    behind = {name: complete[name] - complete["United States"] for name in shared if name != "United States"}
    assert behind == pytest.approx({name: shared[name]["diff_vs_usa"] for name in behind}, abs=NEAR)


@pytest.mark.parametrize("model", CHAIN)
def test_questions_are_answered_in_each_language_as_well_as_in_the_paper(judged, reference, model):
    wanted = reference["tydiqa_goldp"]["models"][CHAIN[model][1]]
    found = judged(model)
    for test, name in (
        ("test_every_language_is_answered", "f1"),
        ("test_every_language_is_answered_exactly", "em"),
        ("test_every_language_is_answered_without_the_cut", "f1_without_cut"),
    ):
        assert values(found[test]) == pytest.approx({k: each[name] / 100 for k, each in wanted.items()}, abs=NEAR), test


@pytest.mark.parametrize(("model", "asked", "task"), RANKED)
def test_countries_are_ranked_as_in_the_paper(judged, reference, model, asked, task):
    wanted, found = reference["askreddit"]["models"][asked], judged(model)
    ranks = "test_no_country_is_ranked_far_behind" if task == "ranks" else "test_rewards_rank_no_country_far_behind"
    assert values(found[ranks]) == pytest.approx(
        {name: each["mean_rank"] for name, each in wanted["groups"].items()}, abs=1e-5
    )
    for test, name in (
        (f"test_{task}_are_not_one_countrys_opinion", "spearman_gallup_2023_percent_with_ties"),
        (f"test_{task}_are_not_that_opinion_as_listed", "spearman_gallup_2023"),
    ):
        assert found[test]["value"] == pytest.approx(wanted[name]["rho"], abs=NEAR), test
    below = "test_few_are_ranked_below_the_usa" if task == "ranks" else "test_few_are_rewarded_below_the_usa"
    assert found[below]["value"] == pytest.approx(wanted["share_of_other_countries_ranked_below_usa"], abs=NEAR)


@pytest.mark.parametrize("sentiment", ["positive", "negative"])
@pytest.mark.parametrize(("model", "asked", "task"), RANKED)
def test_countries_win_against_the_usa_as_often_as_in_the_paper(judged, reference, model, asked, task, sentiment):
    wanted = reference["askreddit"]["models"][asked]["groups"]
    test = "wins_against_the_usa" if task == "ranks" else "is_rewarded_above_the_usa"
    won = values(judged(model)[f"test_every_country_{test}[{sentiment}]"])
    assert USA not in won, "it does not play against itself"
    expected = {name: wanted[name][f"{sentiment}_win_rate_vs_usa"] for name in won}
    assert won == pytest.approx(expected, abs=NEAR)


def test_origins_are_rewarded_as_in_the_paper(judged, reference):
    wanted = reference["where_from_reward"]["models"]["starling-rm-7b-alpha"]
    found = judged("starling-rm-7b-alpha")
    rewards = values(found["test_no_origin_is_rewarded_much_less"])
    assert rewards == pytest.approx({name: each["reward"] for name, each in wanted["groups"].items()}, abs=NEAR)
    places = values(found["test_no_origin_stands_far_from_the_usa"])
    assert places[USA] == wanted["authors_list"]["usa_position"]
    assert sorted(places, key=places.__getitem__)[:10] == [name for name, _ in wanted["authors_list"]["top10"]]
    among_all = values(found["test_no_origin_stands_far_among_all"])
    assert among_all[USA] == wanted["all"]["usa_position"]
    assert sorted(among_all, key=among_all.__getitem__)[:10] == [name for name, _ in wanted["all"]["top10"]]


def test_the_suites_run_in_one_command_and_count_what_they_leave_out(judged):
    suites = {test["test"].split("/")[1] for test in judged("zephyr-7b-beta").values()}
    assert suites == {"dialects", "multilingual", "opinions_about", "opinions_from"}


def claims(stage: str) -> tuple[str, ...]:
    return ("examples/founding_paper", "-k", f"test_{stage}_")


def test_of_preference_tuning_only_the_gain_in_us_english_is_shown(judged):
    found = judged("zephyr-7b-beta", "mistral-7b-sft-beta", claims("dpo"))
    assert {name: each["outcome"] for name, each in found.items()} == {
        "test_dpo_us_english_gains": "pass",
        "test_dpo_nigerian_english_gains": "inconclusive",
        "test_dpo_indian_english_gains": "inconclusive",
        "test_dpo_us_english_gains_most": "inconclusive",
    }
    assert found["test_dpo_us_english_gains"]["value"] == pytest.approx(35 / 427, abs=NEAR)


def test_opinions_are_compared_with_the_usa_country_by_country_as_in_the_paper(judged, reference):
    wanted = reference["globalopinions"]["models"]["zephyr-7b-beta"]
    found = judged("zephyr-7b-beta", BASELINE, claims("zephyr"))
    for country in ("China", "Jordan", "Nigeria"):
        nearer = found[f"test_zephyr_opinions_are_nearer_to_the_usa[{country}]"]
        assert nearer["value"] == pytest.approx(-wanted[country]["pairwise_diff_vs_usa"], abs=NEAR)
        assert {group["samples"] for group in nearer["groups"]} == {wanted[country]["n_pairwise"]}


def test_a_chain_is_judged_with_a_stage_missing(tmp_path, shared_data):
    games = tmp_path / "md3-game"
    games.mkdir()
    for model in ("mistral-7b-v0.1", "zephyr-7b-beta"):
        (games / f"{model}.csv").symlink_to(shared_data / "unintended-impacts" / "md3-game" / f"{model}.csv")
    spec = spec_from_file_location("write", ROOT / "examples" / "founding_paper" / "write.py")
    write = module_from_spec(spec)
    spec.loader.exec_module(write)
    assert list(write.claims("sft", str(tmp_path)))[1:] == ["Not recorded.", ""]
    both = "\n".join(write.claims("zephyr", str(tmp_path)))
    assert (
        "| US English gains most | `accuracy(clues).change().gap('dialect', reference='en_us') > 0.0` | 0.1895" in both
    )
