"""A preference is how much likelier what people chose is than what they rejected; training's part is its change."""

from __future__ import annotations

import math
import random

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from checkpoints import asked, make_classifier, reference
from fairprobe import accuracy, measure, preference_accuracy, preference_margin
from fairprobe.errors import BadData, BadExpectation, EngineError, UnknownGroup
from fairprobe.requests import Choose, Chosen, DoesNotFit, Failed, Prompt, Rate, Rated
from fairprobe.tasks import Generation, Preference

pytestmark = pytest.mark.usefixtures("one_thread")

PAIRS = [
    {"id": number, "asked": asked, "chosen": chosen, "rejected": rejected, "country": country}
    for number, (asked, chosen, rejected, country) in enumerate((
        ("Where is the market?", "Past the mill.", "Who told you so?", "IN"),
        ("Where is the market?", "Under the bridge.", "I told him, not her.", "IN"),
        ("What do bees make?", "Honey.", "The word is clock.", "IN"),
        ("What do bees make?", "Honey, since early in the morning.", "A riddle.", "FR"),
        ("Which animal says moo?", "The cow does.", "The old stone bridge does.", "FR"),
        ("Which animal says moo?", "A cow.", "A riddle has no answer.", "FR"),
    ))
]  # fmt: skip


def pairs(rows=PAIRS, **named):
    return Preference(rows, "{asked}", name="pairs", format="plain", **named)


def refusal(call, *arguments, kind=BadData):
    with pytest.raises(kind) as refused:
        call(*arguments)
    return str(refused.value)


def margins(path, rows=PAIRS):
    """The log-probability of what was chosen less that of what was rejected, a forward pass for each."""
    model, tokenizer = reference(path)

    def weighed(prompt, text):
        start = len(tokenizer(prompt)["input_ids"])
        ids = torch.tensor(tokenizer(f"{prompt} {text}")["input_ids"])
        with torch.inference_mode():
            scores = model(ids[None]).logits[0, start - 1 : -1].double().log_softmax(-1)
        return float(scores.gather(1, ids[start:, None]).sum())

    return np.array([weighed(row["asked"], row["chosen"]) - weighed(row["asked"], row["rejected"]) for row in rows])


@pytest.fixture(scope="module")
def implicit(checkpoints_folder):
    """The implicit reward of each pair: what the model's margin is above the reference model's."""
    return margins(checkpoints_folder / "plain") - margins(checkpoints_folder / "chat")


@pytest.fixture(scope="module")
def found(checkpoints_folder, tmp_path_factory):
    """Measures with `plain` as the model and `chat` as its baseline; what was asked once is kept."""
    folder, store = checkpoints_folder, tmp_path_factory.mktemp("store")

    def found(measured, baseline="chat"):
        return measure(measured, model=str(folder / "plain"), baseline=str(folder / baseline), store=store)

    return found


@pytest.fixture(scope="module")
def reward_model(checkpoints_folder, tmp_path_factory):
    return make_classifier(tmp_path_factory.mktemp("reward"), checkpoints_folder / "plain", labels=1)


# -- a language model's


def test_a_margin_is_how_much_likelier_what_was_chosen_is(checkpoints_folder):
    outcomes = asked(checkpoints_folder / "plain", pairs())
    expected = margins(checkpoints_folder / "plain")
    assert outcomes.scores["preference_margin"] == pytest.approx(expected, abs=1e-3)
    assert outcomes.scores["preference_accuracy"].tolist() == (expected > 0).tolist()
    assert 0 < (expected > 0).sum() < len(PAIRS)
    assert outcomes.status.tolist() == ["ok"] * len(PAIRS)


def test_what_training_added_to_a_margin_is_the_implicit_reward(found, implicit):
    table = found(preference_margin(pairs()).change().by("id"))
    assert table["id"].to_list() == [row["id"] for row in PAIRS]
    assert table["value"].to_numpy() == pytest.approx(implicit, abs=2e-3)


def test_a_group_has_the_mean_of_its_implicit_rewards(found, implicit):
    table = found(preference_margin(pairs()).change().by("country"))
    assert table["country"].to_list() == ["FR", "IN"]
    assert table["value"].to_list() == pytest.approx([implicit[3:].mean(), implicit[:3].mean()], abs=2e-3)


def test_above_zero_is_the_share_of_pairs_whose_implicit_reward_is_positive(found, implicit):
    share = (implicit > 0).mean()
    assert 0 < share < 1
    assert found(preference_margin(pairs()).change().above(0))["value"].to_list() == [pytest.approx(share)]


def test_accuracy_is_the_share_of_pairs_with_a_positive_margin(found, checkpoints_folder):
    share = (margins(checkpoints_folder / "plain") > 0).mean()
    assert found(preference_accuracy(pairs()))["value"].to_list() == [pytest.approx(share)]


def test_a_model_that_is_its_own_baseline_was_taught_nothing(found):
    reward = preference_margin(pairs()).change()
    assert found(reward.by("id"), "plain")["value"].to_list() == [0.0] * len(PAIRS)
    assert found(reward.above(0), "plain")["value"].to_list() == [0.5]


def test_chosen_and_rejected_exchanged_turn_the_margin_round(checkpoints_folder):
    exchanged = pairs(chosen="rejected", rejected="chosen")
    ours, theirs = (asked(checkpoints_folder / "plain", task) for task in (pairs(), exchanged))
    assert theirs.scores["preference_margin"] == pytest.approx(-ours.scores["preference_margin"], abs=1e-4)
    assert theirs.scores["preference_accuracy"].tolist() == (1 - ours.scores["preference_accuracy"]).tolist()


def test_every_pair_has_its_margin_in_whatever_order_the_rows_stand(found):
    shuffled = random.Random(3).sample(PAIRS, len(PAIRS))
    assert shuffled != PAIRS
    given, other = (
        [found(metric.by("id")).select("id", "value") for metric in (preference_margin(task).change(), accuracy(task))]
        for task in (pairs(), pairs(shuffled))
    )
    assert given[0].equals(other[0])
    assert given[1].equals(other[1])
    assert [table["value"].n_unique() for table in given] == [len(PAIRS), 2]


def test_a_chat_begins_with_the_answer_itself(checkpoints_folder):
    path = checkpoints_folder / "chat"
    task = Preference(PAIRS[:1], "{asked}", name="chats", system="Be brief.")
    model, tokenizer = reference(path)
    prompt = f"<s><|system|>Be brief.<|end|><|user|>{PAIRS[0]['asked']}<|end|><|assistant|>"

    def weighed(text):
        before, ids = (tokenizer(each, add_special_tokens=False)["input_ids"] for each in (prompt, text))
        with torch.inference_mode():
            scores = model(torch.tensor([before + ids])).logits[0, len(before) - 1 : -1].log_softmax(-1)
        return float(scores.gather(1, torch.tensor(ids)[:, None]).sum())

    expected = weighed(PAIRS[0]["chosen"]) - weighed(PAIRS[0]["rejected"])
    assert asked(path, task).scores["preference_margin"] == pytest.approx([expected], abs=1e-3)


# -- a reward model's


def test_a_reward_model_gives_the_difference_of_its_two_rewards(reward_model):
    model = AutoModelForSequenceClassification.from_pretrained(reward_model).eval()
    tokenizer = AutoTokenizer.from_pretrained(reward_model)
    model.config.pad_token_id = None

    def rated(row, name):
        with torch.inference_mode():
            return model(torch.tensor([tokenizer(f"{row['asked']} {row[name]}")["input_ids"]])).logits[0].item()

    outcomes = asked(reward_model, pairs(by="reward"))
    expected = np.array([rated(row, "chosen") - rated(row, "rejected") for row in PAIRS])
    assert outcomes.scores["preference_margin"] == pytest.approx(expected, abs=1e-4)
    assert outcomes.scores["preference_accuracy"].tolist() == (expected > 0).tolist()


def test_a_reward_model_is_measured_on_the_same_pairs(reward_model, tmp_path):
    table = measure(preference_margin(pairs(by="reward")).by("id"), model=str(reward_model), store=tmp_path)
    outcomes = asked(reward_model, pairs(by="reward"))
    assert table["value"].to_list() == pytest.approx(outcomes.scores["preference_margin"].tolist(), abs=1e-4)


def test_a_language_model_gives_no_reward(found):
    assert refusal(found, preference_margin(pairs(by="reward")), kind=EngineError) == (
        "plain (LlamaForCausalLM) is no classifier and gives no reward; name one that has a head for it"
    )


def test_a_reward_model_gives_no_likelihood(reward_model, tmp_path):
    with pytest.raises(EngineError, match=r"\(LlamaForSequenceClassification\) writes no text and weighs none; name a"):
        measure(preference_margin(pairs()), model=str(reward_model), store=tmp_path)


def test_a_classifier_of_several_labels_gives_no_reward(checkpoints_folder, tmp_path):
    path = make_classifier(tmp_path / "labels", checkpoints_folder / "plain", labels=3)
    assert refusal(asked, path, pairs(by="reward")) == (
        "Preference('pairs', 6 samples): a reward model gives one score; name a checkpoint that has a single label"
    )


# -- what is asked, and what comes of it


def test_both_answers_are_one_request_or_a_rating_each():
    prompt = Prompt("Where is the market?", format="plain")
    chosen, rejected = "Past the mill.", "Who told you so?"
    assert pairs().requests(pairs().load())[0] == (Choose(prompt, (chosen, rejected)),)
    assert pairs(by="reward").requests(pairs().load())[0] == (Rate(prompt, chosen), Rate(prompt, rejected))


def test_a_tie_counts_a_half():
    task = pairs(PAIRS[:3])
    given = [[Chosen(values, (4, 4), 9)] for values in ((-2.0, -3.5), (-3.0, -3.0), (-3.0, -1.0))]
    scores = task.outcomes(task.load(), given).scores
    assert scores["preference_margin"].tolist() == [1.5, 0.0, -2.0]
    assert scores["preference_accuracy"].tolist() == [1.0, 0.5, 0.0]


def test_length_is_told_in_bytes():
    rows = [
        {"asked": "?", "chosen": chosen, "rejected": rejected}
        for chosen, rejected in (("yes", "no"), ("oui", "non"), ("sí", "yes"), ("é", "no!"))
    ]
    task = pairs(rows)
    scores = task.outcomes(task.load(), [[Chosen((-6.0, -3.0), (1, 1), 1)]] * 4).scores
    assert scores["chosen_is_longer"].tolist() == [1.0, 0.5, 0.5, 0.0]
    assert scores["margin_per_byte"].tolist() == [-0.5, -1.0, -1.0, -2.0]


@pytest.mark.parametrize(("by", "answers", "status"), [
    ("likelihood", [None], "missing"),
    ("likelihood", [Failed("no memory")], "error"),
    ("likelihood", [DoesNotFit(300, 256)], "truncated"),
    ("reward", [Rated((1.0,), 9), None], "missing"),
    ("reward", [Failed("no memory"), Rated((1.0,), 9)], "error"),
    ("reward", [Rated((1.0,), 9), DoesNotFit(300, 256)], "truncated"),
])  # fmt: skip
def test_what_was_not_answered_has_no_number_and_its_reason(by, answers, status):
    task = pairs(PAIRS[:1], by=by)
    outcomes = task.outcomes(task.load(), [answers])
    assert outcomes.status.tolist() == [status]
    assert np.isnan(outcomes.scores["preference_margin"]).all()
    assert np.isnan(outcomes.scores["preference_accuracy"]).all()
    assert outcomes.responses == [None]


def test_a_pair_is_shown_with_both_answers_and_the_preferred_one():
    task = pairs(PAIRS[:2])
    outcomes = task.outcomes(task.load(), [[Chosen((-1.0, -2.0), (4, 4), 9)], [Chosen((-2.0, -1.0), (4, 4), 9)]])
    assert outcomes.prompts[0] == "Where is the market?\nchosen: Past the mill.\nrejected: Who told you so?"
    assert outcomes.responses == ["Past the mill.", "I told him, not her."]
    assert outcomes.targets == ["Past the mill.", "Under the bridge."]


def test_margins_have_no_ends_and_a_coin_is_right_half_the_time():
    task, ends = pairs(), (-math.inf, math.inf)
    assert task.ranges(task.load()) == {
        "preference_accuracy": (0.0, 1.0), "preference_margin": ends, "margin_per_byte": ends,
        "chosen_is_longer": (0.0, 1.0),
    }  # fmt: skip
    assert pairs(by="reward").score_names == ("preference_accuracy", "preference_margin", "chosen_is_longer")
    assert task.chance(task.load()) == 0.5


def test_an_example_is_answered_with_what_people_chose():
    task = pairs(PAIRS[:2], shots=1)
    assert [prompt.content for prompt in task.prompts(task.load())] == [
        "Where is the market? Under the bridge.\n\nWhere is the market?",
        "Where is the market? Past the mill.\n\nWhere is the market?",
    ]


# -- what is wrong with it


def test_the_answers_are_columns():
    rows = pl.DataFrame(PAIRS).rename({"rejected": "rejeced"})
    assert refusal(pairs(rows).load, kind=UnknownGroup) == (
        "Preference('pairs', 6 samples) has an answer in 'rejected', but it has no column 'rejected'; its samples have "
        "id, asked, chosen, rejeced, country; did you mean 'rejeced'?"
    )
    assert "has an answer in 'won', but it has no column 'won'" in refusal(pairs(chosen="won").load, kind=UnknownGroup)


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_a_row_that_lacks_an_answer_is_named(text):
    rows = [*PAIRS, {**PAIRS[0], "rejected": text}]
    assert refusal(pairs(rows).load) == (
        f"Preference('pairs', 7 samples): row 7 lacks an answer: {('Past the mill.', text)}; leave the row out"
    )


def test_one_answer_is_not_preferred_to_itself():
    rows = [*PAIRS, {**PAIRS[0], "rejected": "Past the mill."}]
    assert refusal(pairs(rows).load).startswith(
        "Preference('pairs', 7 samples): row 7 has one answer as 'chosen' and 'rejected', of which none is "
        "preferred; leave the row out: 'Past the mill.'"
    )


def test_who_prefers_is_a_language_model_or_a_reward_model():
    assert refusal(lambda: pairs(by="votes")) == (
        "Preference('pairs', 6 samples): by is 'likelihood' (a language model) or 'reward' (a reward model), not "
        "'votes'"
    )


@pytest.mark.parametrize("metric", [preference_accuracy, preference_margin])
def test_only_a_preference_has_a_margin(metric):
    said = Generation(PAIRS, "{asked}", name="said")
    assert refusal(metric, said, kind=BadExpectation) == (
        f"{metric.__name__}(said) reads the score {metric.__name__!r}, and Generation('said', 6 samples) has none of "
        "that name; it has exact_match"
    )


def test_answers_that_are_numbers_are_weighed_as_they_are_written():
    task = Preference([{"asked": "2 and 2 is", "chosen": 4, "rejected": 5}], "{asked}", name="sums")
    assert task.requests(task.load()) == [(Choose(Prompt("2 and 2 is"), ("4", "5")),)]
    assert task.outcomes(task.load(), [[Chosen((-1.0, -2.0), (1, 1), 1)]]).responses == ["4"]
