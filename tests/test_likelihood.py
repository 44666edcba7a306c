"""A likelihood is what the model itself gives a text after its prompt; what it could not weigh has none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from checkpoints import answered, make_checkpoint, reference
from fairprobe.engines import open_engine, resolve
from fairprobe.errors import BadData, EngineError, UnknownGroup
from fairprobe.requests import Choose, Chosen, DoesNotFit, Failed, Prompt
from fairprobe.tasks.likelihood import Likelihood

LINES = [
    {"begun": "The old mill", "said": "stood by the river.", "dialect": "en_us"},
    {"begun": "The old mill", "said": "been standing by the river, na só.", "dialect": "en_ng"},
]


def refusal(call, *arguments, kind=BadData):
    with pytest.raises(kind) as refused:
        call(*arguments)
    return str(refused.value)


def engine(path):
    return open_engine("transformers", resolve(str(path), "model", {}), {}, {})


def asked(path, task):
    """The outcomes of a task put to the checkpoint in a folder."""
    samples = task.load()
    requests = task.requests(samples)
    found = answered(engine(path), [request for row in requests for request in row])
    return task.outcomes(samples, [[found[request] for request in row] for row in requests])


def weighed(path, prompt, text):
    """The summed log-likelihood of a text after a prompt, and how many tokens it has, from one forward pass."""
    model, tokenizer = reference(path)
    start = len(tokenizer(prompt)["input_ids"])
    ids = torch.tensor([tokenizer(f"{prompt} {text}")["input_ids"]])
    with torch.inference_mode():
        scores = model(ids).logits[0].double().log_softmax(-1)
    return sum(float(scores[at - 1, ids[0, at]]) for at in range(start, ids.shape[1])), ids.shape[1] - start


def test_it_is_what_the_model_gives_the_text_after_the_prompt(checkpoints_folder):
    path = checkpoints_folder / "plain"
    outcomes = asked(path, Likelihood(LINES, "{begun}", text="said", name="lines"))
    expected = [weighed(path, line["begun"], line["said"]) for line in LINES]
    sums, counts = zip(*expected, strict=True)
    assert outcomes.scores["loglikelihood"] == pytest.approx(sums, abs=1e-3)
    assert outcomes.scores["tokens"].tolist() == list(counts)
    assert outcomes.scores["per_token"] == pytest.approx([total / count for total, count in expected], abs=1e-4)
    assert outcomes.scores["bytes"].tolist() == [19, 35]
    assert outcomes.status.tolist() == ["ok", "ok"]


def test_without_a_prompt_the_text_is_weighed_from_its_first_token_on(checkpoints_folder):
    path = checkpoints_folder / "plain"
    outcomes = asked(path, Likelihood(LINES, text="said", name="lines"))
    expected, count = weighed(path, "", LINES[0]["said"])
    assert outcomes.scores["loglikelihood"][0] == pytest.approx(expected, abs=1e-3)
    assert outcomes.scores["tokens"][0] == count


def test_without_a_prompt_a_tokenizer_that_begins_no_text_is_refused(tmp_path):
    bare = make_checkpoint(tmp_path / "bare", bos=False)
    task = Likelihood(LINES, text="said", name="lines")
    assert refusal(asked, bare, task, kind=EngineError) == (
        "the prompt '' has no token before the answer; a model needs at least one"
    )
    assert asked(bare, Likelihood(LINES, "{begun}", text="said", name="lines")).status.tolist() == ["ok", "ok"]


def test_a_text_that_does_not_fit_has_no_number(tmp_path):
    short = make_checkpoint(tmp_path / "short", context=48)
    rows = [*LINES, {"begun": "The old mill", "said": "went round and round " * 20, "dialect": "en_us"}]
    outcomes = asked(short, Likelihood(rows, "{begun}", text="said", name="lines"))
    assert outcomes.status.tolist() == ["ok", "ok", "truncated"]
    assert all(np.isnan(values[2]) and np.isfinite(values[:2]).all() for values in outcomes.scores.values())


def test_one_text_a_sample_is_asked():
    task = Likelihood(LINES, "{begun}", text="said", name="lines")
    assert task.requests(task.load())[0] == (Choose(Prompt("The old mill"), ("stood by the river.",)),)


def test_a_number_is_weighed_as_it_is_written(tmp_path):
    (tmp_path / "codes.csv").write_text("said\n007\n")
    task = Likelihood(tmp_path / "codes.csv", "The code is", text="said")
    assert task.requests(task.load()) == [(Choose(Prompt("The code is"), ("007",)),)]


def test_what_was_not_answered_has_no_number_and_its_reason():
    task = Likelihood(LINES * 2, "{begun}", text="said", name="lines")
    outcomes = task.outcomes(
        task.load(), [[Chosen((-6.0,), (4,), 3)], [None], [Failed("no memory")], [DoesNotFit(300, 256)]]
    )
    assert outcomes.status.tolist() == ["ok", "missing", "error", "truncated"]
    assert {name: values[0] for name, values in outcomes.scores.items()} == {
        "per_token": -1.5, "loglikelihood": -6.0, "tokens": 4.0, "bytes": 19.0,
    }  # fmt: skip
    assert all(np.isnan(values[1:]).all() for values in outcomes.scores.values())


def test_it_is_shown_with_its_text_and_has_neither_answer_nor_target():
    task = Likelihood(LINES, "{begun}", text="said", name="lines")
    outcomes = task.outcomes(task.load(), [[None], [None]])
    assert outcomes.prompts[0] == "The old mill stood by the river."
    assert outcomes.responses == [None, None]
    assert outcomes.targets == [None, None]
    assert task.scored_columns == ("said",)
    assert task.chance(task.load()) is None


def test_likelihoods_have_no_lowest_value_and_counts_no_highest():
    task = Likelihood(LINES, "{begun}", text="said", name="lines")
    assert task.score_names == ("per_token", "loglikelihood", "tokens", "bytes")
    assert task.ranges(task.load()) == {
        "per_token": (-math.inf, 0.0), "loglikelihood": (-math.inf, 0.0), "tokens": (0.0, math.inf),
        "bytes": (0.0, math.inf),
    }  # fmt: skip


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_a_row_without_a_text_is_named(text):
    task = Likelihood(
        [*LINES, {"begun": "The", "said": text, "dialect": "en_us"}], "{begun}", text="said", name="lines"
    )
    assert refusal(task.load) == (
        f"Likelihood('lines', 3 samples): row 3 has {text!r} in column 'said', and no text has no likelihood; leave "
        "the row out"
    )


def test_the_text_is_a_column():
    assert refusal(Likelihood(LINES, "{begun}", name="lines").load, kind=UnknownGroup) == (
        "Likelihood('lines', 2 samples) has its text in 'text', but it has no column 'text'; its samples have begun, "
        "said, dialect"
    )
