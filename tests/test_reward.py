"""A reward is the one number that a reward model gives an answer; a checkpoint that gives several is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from checkpoints import asked, make_classifier
from fairprobe.errors import BadData, UnknownGroup
from fairprobe.requests import DoesNotFit, Failed, Prompt, Rate, Rated
from fairprobe.tasks.reward import Reward

PLACES = [
    {"asked": "Where would you live?", "said": f"I would live in {name}, by the river.", "country": country}
    for name, country in (("Kochi", "IN"), ("Lagos", "NG"), ("Leeds", "GB"))
]


def refusal(call, *arguments, kind=BadData):
    with pytest.raises(kind) as refused:
        call(*arguments)
    return str(refused.value)


def places(**named):
    return Reward(PLACES, "{asked}", response="said", name="places", **named)


def scores(path, text):
    """What transformers gives the text alone, with no pad token to look for."""
    model = AutoModelForSequenceClassification.from_pretrained(path).eval()
    model.config.pad_token_id = None
    with torch.inference_mode():
        return model(torch.tensor([AutoTokenizer.from_pretrained(path)(text)["input_ids"]])).logits[0].tolist()


def test_it_is_what_the_model_gives_the_whole_chat(checkpoints_folder, tmp_path):
    path = make_classifier(tmp_path / "reward", checkpoints_folder / "chat", labels=1)
    outcomes = asked(path, places(system="Be brief."))
    expected = [
        scores(path, f"<|system|>Be brief.<|end|><|user|>{row['asked']}<|end|><|assistant|>{row['said']}<|end|>")[0]
        for row in PLACES
    ]
    assert outcomes.scores["reward"] == pytest.approx(expected, abs=5e-5)
    assert outcomes.status.tolist() == ["ok"] * 3
    assert len(set(outcomes.scores["reward"])) == 3


def test_without_a_chat_template_the_answer_follows_the_prompt(checkpoints_folder, tmp_path):
    path = make_classifier(tmp_path / "reward", checkpoints_folder / "plain", labels=1)
    expected = [scores(path, f"{row['asked']} {row['said']}")[0] for row in PLACES]
    assert asked(path, places()).scores["reward"] == pytest.approx(expected, abs=5e-5)


def test_a_classifier_of_several_labels_is_no_reward_model(checkpoints_folder, tmp_path):
    path = make_classifier(tmp_path / "classifier", checkpoints_folder / "plain", labels=3)
    assert refusal(asked, path, places()) == (
        "Reward('places', 3 samples): the checkpoint gives 3 scores, one a label, where a reward model gives one; name "
        "a checkpoint that has a single label"
    )


def test_one_answer_a_sample_is_rated():
    task = places()
    assert task.requests(task.load())[0] == (
        Rate(Prompt("Where would you live?"), "I would live in Kochi, by the river."),
    )


def test_what_was_not_rated_has_no_number_and_its_reason():
    task = places()
    outcomes = task.outcomes(task.load(), [[Rated((-2.5,), 9)], [DoesNotFit(300, 256)], [Failed("no memory")]])
    assert outcomes.status.tolist() == ["ok", "truncated", "error"]
    assert outcomes.scores["reward"][0] == -2.5
    assert np.isnan(outcomes.scores["reward"][1:]).all()


def test_it_is_shown_with_its_response_and_has_neither_answer_nor_target():
    task = places()
    outcomes = task.outcomes(task.load(), [[None]] * 3)
    assert outcomes.prompts[0] == "Where would you live?\nI would live in Kochi, by the river."
    assert outcomes.responses == [None] * 3
    assert outcomes.targets == [None] * 3
    assert outcomes.status.tolist() == ["missing"] * 3
    assert task.scored_columns == ("said",)


def test_a_reward_has_no_scale():
    task = places()
    assert task.score_names == ("reward",)
    assert task.ranges(task.load()) == {"reward": (-math.inf, math.inf)}
    assert task.chance(task.load()) is None


def test_a_row_without_a_response_is_named_and_an_empty_one_is_rated():
    rows = [{"asked": "Where?", "said": said} for said in ("", None)]
    task = Reward(rows[:1], "{asked}", response="said", name="places")
    assert task.requests(task.load()) == [(Rate(Prompt("Where?"), ""),)]
    assert refusal(Reward(rows, "{asked}", response="said", name="places").load) == (
        "Reward('places', 2 samples): row 2 has no response in column 'said'; an empty one is written ''"
    )


def test_the_response_is_a_column():
    assert refusal(Reward(PLACES, "{asked}", name="places").load, kind=UnknownGroup) == (
        "Reward('places', 3 samples) has its response in 'response', but it has no column 'response'; its samples have "
        "asked, said, country"
    )
