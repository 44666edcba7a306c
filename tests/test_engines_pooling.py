"""A classifier's scores and an embedding model's vectors are those of each text by itself."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from checkpoints import answered, make_checkpoint, make_classifier
from fairprobe.engines import open_engine, resolve
from fairprobe.errors import EngineError
from fairprobe.requests import Choose, Embed, Embedded, Generate, Prompt, Rate, Rated

TEXTS = ("bees", "Which animal says moo?", "Where is the market, and who told him so this morning? </s>")
EMBEDDED = [Embed(Prompt(text)) for text in TEXTS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture(scope="module")
def tiny(folder):
    return make_checkpoint(folder / "tiny", chat=True)


def engine(path, **arguments):
    return open_engine("transformers", resolve(str(path), "model", arguments), arguments, {})


def scores(path, text):
    """What transformers gives the text alone, with no pad token to look for."""
    model = AutoModelForSequenceClassification.from_pretrained(path).eval()
    model.config.pad_token_id = None
    with torch.inference_mode():
        return model(torch.tensor([AutoTokenizer.from_pretrained(path)(text)["input_ids"]])).logits[0].tolist()


@pytest.mark.parametrize("labels", [1, 2])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_scores_are_raw_and_those_of_each_text_alone(folder, family, labels):
    base = make_checkpoint(folder / f"base-{family}-{labels}", family=family)
    path = make_classifier(folder / f"{family}-{labels}", base, labels=labels)
    requests = [Rate(Prompt(text)) for text in TEXTS]
    found = answered(engine(path), requests)
    for request, text in zip(requests, TEXTS, strict=True):
        assert isinstance(found[request], Rated)
        assert found[request].scores == pytest.approx(scores(path, text), abs=5e-5)


def test_an_answer_is_the_last_message_of_a_chat(folder, tiny):
    path = make_classifier(folder / "reward", tiny, labels=1)
    request = Rate(Prompt("What do bees make?", system="Be brief."), "honey")
    text = "<|system|>Be brief.<|end|><|user|>What do bees make?<|end|><|assistant|>honey<|end|>"
    assert answered(engine(path), [request])[request].scores == pytest.approx(scores(path, text), abs=5e-5)


def test_an_answer_follows_a_space_where_there_is_no_chat(folder, tiny):
    path = make_classifier(folder / "plain-reward", tiny, labels=1)
    request = Rate(Prompt("What do bees make?", format="plain"), "honey")
    alone = scores(path, "What do bees make? honey")
    assert answered(engine(path), [request])[request].scores == pytest.approx(alone, abs=5e-5)


@pytest.mark.parametrize("pooling", ["last", "mean", "cls"])
def test_a_vector_is_pooled_as_the_checkpoint_says(tiny, tmp_path, pooling):
    path = shutil.copytree(tiny, tmp_path / pooling)
    if pooling != "last":
        (path / "1_Pooling").mkdir()
        modes = {f"pooling_mode_{each}_token{'s' * (each == 'mean')}": each == pooling for each in ("cls", "mean")}
        (path / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 128, **modes}))
    model, tokenizer = AutoModel.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)
    found = answered(engine(path), EMBEDDED)
    for request, text in zip(EMBEDDED, TEXTS, strict=True):
        with torch.inference_mode():
            hidden = model(torch.tensor([tokenizer(text)["input_ids"]])).last_hidden_state[0]
        pooled = {"last": hidden[-1], "mean": hidden.mean(0), "cls": hidden[0]}[pooling]
        assert isinstance(found[request], Embedded)
        assert found[request].vector == pytest.approx(torch.nn.functional.normalize(pooled, dim=0).tolist(), abs=5e-5)


def test_how_a_vector_is_pooled_is_part_of_the_content(tiny, tmp_path):
    path = shutil.copytree(tiny, tmp_path / "pooled")
    before = resolve(str(path), "model").fingerprint
    (path / "1_Pooling").mkdir()
    (path / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    assert resolve(str(path), "model").fingerprint != before


def test_a_way_of_pooling_that_is_not_known_is_named(tiny, tmp_path):
    path = shutil.copytree(tiny, tmp_path / "odd")
    (path / "1_Pooling").mkdir()
    (path / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(EngineError, match="asks for pooling_mode_max_tokens; the ways of pooling that are known"):
        answered(engine(path), EMBEDDED)


def test_a_batch_that_memory_cannot_hold_is_halved(tiny, monkeypatch):
    from fairprobe.engines.transformers.network import Network

    whole, sizes, run = answered(engine(tiny), EMBEDDED), [], Network.__call__

    def starved(self, prefill, ids, **inputs):
        sizes.append(len(ids))
        if len(ids) > 1:
            msg = "CUDA out of memory"
            raise torch.OutOfMemoryError(msg)
        return run(self, prefill, ids, **inputs)

    monkeypatch.setattr(Network, "__call__", starved)
    found = answered(engine(tiny), EMBEDDED)
    assert max(sizes) > 1
    for request in EMBEDDED:
        assert found[request].vector == pytest.approx(whole[request].vector, abs=1e-6)


def test_a_checkpoint_refuses_what_it_cannot_answer(folder, tiny):
    writer, classifier = engine(tiny), engine(make_classifier(folder / "judge", tiny, labels=2))
    assert [kind for kind in (Choose, Generate, Rate, Embed) if writer.refuses(kind)] == [Rate]
    assert [kind for kind in (Choose, Generate, Rate, Embed) if classifier.refuses(kind)] == [Choose, Generate, Embed]
    assert (
        classifier.refuses(Choose)
        == "judge (LlamaForSequenceClassification) writes no text and weighs none; name a language model"
    )


def test_one_checkpoint_answers_several_kinds_and_loads_each_once(tiny):
    opened = engine(tiny)
    asked = [Choose(Prompt("bees"), ("honey", "moo")), *EMBEDDED, Generate(Prompt("bees"), 2)]
    assert set(answered(opened, asked)) == set(asked)
