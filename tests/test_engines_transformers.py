"""The engine `transformers` gives what the model gives one request at a time, whatever the batch."""

from __future__ import annotations

import gc
import json
import math
import os
import random
import shutil
import subprocess
import sys
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from checkpoints import FAMILIES, SPECIAL, answered, make_adapter, make_checkpoint, make_tokenizer, reference
from fairprobe.engines import open_engine, resolve
from fairprobe.engines.transformers import network, writing
from fairprobe.errors import EngineError
from fairprobe.requests import Choose, Chosen, DoesNotFit, Failed, Generate, Generated, Prompt, Unfinished

pytestmark = pytest.mark.usefixtures("one_thread")

QUESTIONS = ("Which animal says moo?", "What do bees make?", "Where is the market, and who told him so this morning?")
OPTIONS = ("cow", "honey", "the old stone bridge", "the old mill", "b")
CHOICES = [Choose(Prompt(f"Question: {text}\nAnswer:"), OPTIONS) for text in QUESTIONS]
LETTERS = [Choose(Prompt(f"{text}\nA. cow\nB. honey\nC. clock\nAnswer:"), ("A", "B", "C")) for text in QUESTIONS]
WRITTEN = [
    Generate(Prompt(text), max_tokens=size) for text, size in zip((*QUESTIONS, "The"), (3, 12, 7, 20), strict=True)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture(scope="module")
def tiny(folder):
    return make_checkpoint(folder / "tiny")


@pytest.fixture(scope="module")
def chat(folder):
    return make_checkpoint(folder / "chat", chat=True)


@pytest.fixture(scope="module")
def adapter(folder, tiny):
    return make_adapter(folder / "adapter", tiny)


def engine(path, **arguments):
    return open_engine("transformers", resolve(str(path), "model", arguments), arguments, {})


def answer(path, requests, **arguments):
    return answered(engine(path, **arguments), requests)


def loglikelihoods(path, request, **options):
    """Each option by itself: one forward pass over prompt and option, the tokens' log-softmax summed."""
    model, tokenizer = reference(path, **options)
    prompt = tokenizer(request.prompt.text)["input_ids"]
    sums = []
    for option in request.options:
        ids = torch.tensor([tokenizer(f"{request.prompt.text} {option}")["input_ids"]])
        with torch.inference_mode():
            scores = model(ids).logits[0].float().log_softmax(-1)
        sums.append(sum(float(scores[at - 1, ids[0, at]]) for at in range(len(prompt), ids.shape[1])))
    return sums


def greedy(path, request, **options):
    """The tokens that transformers' own greedy generation gives after the prompt, by itself."""
    model, tokenizer = reference(path)
    ids = tokenizer(request.prompt.text, return_tensors="pt")["input_ids"]
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=request.max_tokens, do_sample=False, pad_token_id=0,
        **options,
    )  # fmt: skip
    return tokenizer, made[0, ids.shape[1] :].tolist()


def near(one, other, tolerance=1e-5):
    return all(math.isclose(a, b, abs_tol=tolerance) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_choices_are_what_the_model_gives_one_at_a_time(folder, family):
    path = make_checkpoint(folder / f"choose-{family}", family=family)
    answers = answer(path, CHOICES + LETTERS)
    for request in CHOICES + LETTERS:
        assert near(answers[request].loglikelihoods, loglikelihoods(path, request), 2e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_are_transformers_own_greedy_ones(folder, family):
    path = make_checkpoint(folder / f"write-{family}", family=family, context=48)
    answers = answer(path, WRITTEN)
    for request in WRITTEN:
        tokenizer, ids = greedy(path, request)
        assert answers[request] == Generated(
            tokenizer.decode(ids, skip_special_tokens=True), 1 in ids, False,
            len(tokenizer(request.prompt.text)["input_ids"]), len(ids),
        )  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_runs_a_tree_unless_it_has_a_state_or_its_mask_makes_positions(folder, family):
    opened = engine(make_checkpoint(folder / f"tree-{family}", family=family))
    for _ in range(2):
        opened.close()
        answered(opened, CHOICES[:1])
        assert opened._network.branches == (family not in {"bloom", "gpt_neo", "lfm2"})
    model = type(opened._network.model).__name__
    note = f"{model} runs no tree of tokens: what prompts share is computed for each of them"
    assert opened.describe()["notes"] == ([] if opened._network.branches else [note])


def test_a_model_that_counts_positions_by_itself_runs_no_tree(tiny, monkeypatch):
    whole = network.Network.__call__

    def call(self, prefill, ids, position_ids=None, **inputs):
        return whole(self, prefill, ids, **inputs)

    monkeypatch.setattr(network.Network, "__call__", call)
    opened = engine(tiny)
    found = answered(opened, CHOICES[:1])[CHOICES[0]]
    assert not opened._network.branches
    assert near(found.loglikelihoods, loglikelihoods(tiny, CHOICES[0]))


@pytest.mark.parametrize("size", ["1", "64", "4096"])
def test_neither_batch_nor_order_changes_a_number(tiny, size):
    requests = CHOICES + LETTERS + WRITTEN
    whole = answer(tiny, requests)
    shuffled = answer(tiny, random.Random(int(size)).sample(requests, len(requests)), batch_tokens=size)
    for request in CHOICES + LETTERS:
        assert near(shuffled[request].loglikelihoods, whole[request].loglikelihoods)
    assert [shuffled[request] for request in WRITTEN] == [whole[request] for request in WRITTEN]


def test_equal_requests_are_answered_once(tiny):
    chunks = list(engine(tiny).answers([CHOICES[0], CHOICES[0], CHOICES[1]]))
    assert sum(map(len, chunks)) == 2


def test_tokens_are_counted(tiny):
    tokenizer = make_tokenizer()
    found = answer(tiny, CHOICES)[CHOICES[0]]
    assert found.tokens == tuple(len(tokenizer(f" {text}", add_special_tokens=False)["input_ids"]) for text in OPTIONS)
    assert found.prompt_tokens == len(tokenizer(CHOICES[0].prompt.text)["input_ids"])


def test_mass_is_the_share_of_the_options_where_each_is_one_token(tiny):
    found = answer(tiny, LETTERS + CHOICES)
    for request in LETTERS:
        assert found[request].mass == pytest.approx(sum(math.exp(x) for x in found[request].loglikelihoods))
    assert {found[request].mass for request in CHOICES} == {None}


def test_equal_options_have_no_mass(tiny):
    request = Choose(Prompt("Answer:"), ("A", "A"))
    assert answer(tiny, [request])[request].mass is None


def test_letters_take_one_row_and_one_head_row_a_request(tiny):
    opened = engine(tiny)
    answers = answered(opened, LETTERS)
    assert opened.counts == {
        "forward_calls": 1,
        "prefill_tokens": sum(found.prompt_tokens for found in answers.values()),
        "padded_tokens": 3 * max(found.prompt_tokens for found in answers.values()),
        "head_rows": 3,
        "output_tokens": 0,
    }


def test_the_head_computes_no_more_rows_than_option_tokens(tiny):
    opened = engine(tiny)
    answers = answered(opened, CHOICES)
    assert opened.counts["head_rows"] <= sum(sum(found.tokens) for found in answers.values())


def test_a_model_whose_head_is_out_of_reach_gives_the_same(tiny, monkeypatch):
    whole = answer(tiny, CHOICES)
    monkeypatch.setattr("transformers.LlamaForCausalLM.get_output_embeddings", lambda self: None)
    for request, found in answer(tiny, CHOICES).items():
        assert near(found.loglikelihoods, whole[request].loglikelihoods)


def test_the_chat_template_is_applied(chat):
    model, tokenizer = reference(chat)
    request = Choose(Prompt("What do bees make?"), ("honey", "cow"))
    text = "<|user|>What do bees make?<|end|><|assistant|>"
    with torch.inference_mode():
        ids = tokenizer(f"{text}honey", return_tensors="pt")["input_ids"]
        scores = model(ids).logits[0].log_softmax(-1)
    start = len(tokenizer(text)["input_ids"])
    wanted = sum(float(scores[at - 1, ids[0, at]]) for at in range(start, ids.shape[1]))
    assert math.isclose(answer(chat, [request])[request].loglikelihoods[0], wanted, abs_tol=1e-5)


def ended_by(path, target, token):
    """A copy of a checkpoint whose texts end with `token` too."""
    shutil.copytree(path, target)
    config = json.loads((target / "generation_config.json").read_text())
    # sampling defaults of its own, which must not leak in
    config |= {"eos_token_id": [1, token], "do_sample": True, "temperature": 5.0, "top_k": 3, "repetition_penalty": 9.0}
    (target / "generation_config.json").write_text(json.dumps(config))
    return target


def test_a_text_ends_at_any_end_token(tiny, tmp_path):
    request = WRITTEN[3]
    tokenizer, ids = greedy(tiny, request)
    at = next(index for index, token in enumerate(ids) if index and token not in ids[:index])
    path = ended_by(tiny, tmp_path / "ending", ids[at])
    assert answer(path, WRITTEN)[request] == Generated(tokenizer.decode(ids[:at]), True, False, 2, at + 1)


def test_an_end_as_first_token_is_an_empty_text(tiny, tmp_path):
    _, ids = greedy(tiny, WRITTEN[3])
    path = ended_by(tiny, tmp_path / "ending", ids[0])
    assert answer(path, WRITTEN)[WRITTEN[3]] == Generated("", True, False, 2, 1)


def test_a_stop_text_is_cut_off_with_what_follows_it(tiny):
    tokenizer, ids = greedy(tiny, WRITTEN[3])
    whole = tokenizer.decode(ids, skip_special_tokens=True)
    stop = whole[len(whole) // 2 :][:3]
    request = Generate(WRITTEN[3].prompt, max_tokens=20, stop=("never seen", stop))
    found = answer(tiny, [request, *WRITTEN])[request]
    assert (found.text, found.ended) == (whole[: whole.index(stop)], True)
    assert found.output_tokens <= len(ids)


def test_a_stop_text_in_a_reasoning_ends_nothing(folder):
    path = make_checkpoint(
        folder / "reasoning",
        chat="{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<think>' }}{% endif %}",
    )
    request = Generate(Prompt("Which animal says moo?"), max_tokens=20)
    whole = answer(path, [request])[request]
    assert (type(whole), whole.output_tokens) == (Unfinished, 20)
    stopped = Generate(request.prompt, max_tokens=20, stop=(whole.reasoning[5:7],))
    assert answer(path, [stopped])[stopped] == whole


def test_an_answer_that_reaches_its_limit_has_not_ended(tiny):
    request = Generate(WRITTEN[3].prompt, max_tokens=2, stop=("never seen",))
    assert not answer(tiny, [request])[request].ended


def test_draws_differ_and_repeat_in_any_company(tiny):
    draws = [Generate(Prompt("The river"), max_tokens=8, temperature=1.5, draw=number) for number in range(12)]
    alone = {request: answer(tiny, [request], batch_tokens="1")[request] for request in draws[:4]}
    together = answer(tiny, draws + WRITTEN)
    assert {request: together[request] for request in alone} == alone
    assert len({together[request].text for request in draws}) > 6


def test_a_longer_limit_continues_the_same_draw(tiny):
    short, long = (Generate(Prompt("The"), max_tokens=size, temperature=1.0, draw=1) for size in (4, 9))
    answers = answer(tiny, [short, long])
    assert answers[long].text.startswith(answers[short].text.rstrip("\ufffd"))


def test_draws_follow_the_models_distribution(tiny):
    model, tokenizer = reference(tiny)
    with torch.inference_mode():
        logits = model(tokenizer("The", return_tensors="pt")["input_ids"]).logits[0, -1]
    shares = (logits.double() / 0.7).softmax(-1)
    numbers = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000

    class Fixed:
        def __init__(self, number):
            self.request, self.draw = Generate(Prompt("The"), temperature=0.7), lambda: number

    drawn = writing._drawn(logits.expand(4000, -1).float(), [Fixed(float(number)) for number in numbers])
    counts = torch.bincount(torch.tensor(drawn), minlength=len(shares)) / 4000
    assert float((counts - shares).abs().max()) < 1e-3
    assert writing._drawn(torch.tensor([[-math.inf, 0.0, -math.inf]] * 2), [Fixed(0.0), Fixed(1.0 - 2**-53)]) == [1, 1]


def test_what_does_not_fit_is_said_before_weights_are_loaded(tiny):
    opened = engine(tiny)
    long = Generate(Prompt("The river. " * 100), max_tokens=64)
    assert isinstance(opened.encode(long), DoesNotFit)
    assert not opened.loaded
    ((request, found),) = answered(opened, [long]).items()
    assert (request, found.limit, opened.loaded) == (long, 256, False)
    assert found.tokens > 256


def test_encoding_loads_no_weights(tiny):
    opened = engine(tiny)
    assert len(opened.encode_all([*CHOICES, *WRITTEN])) == 7
    assert opened.describe()["dtype"] == "float32"
    assert opened.numerics
    assert not opened.loaded


def test_numerics_tell_what_changes_the_numbers(tiny, chat):
    lines = {
        engine(tiny).numerics,
        engine(tiny, dtype="bfloat16").numerics,
        engine(tiny, attn_implementation="eager").numerics,
        open_engine("auto", resolve(str(chat), "model"), {}, {"shout": "true"}).numerics,
    }
    assert len(lines) == 4
    assert engine(tiny).numerics == engine(chat).numerics  # their templates are part of their contents
    assert engine(tiny, batch_tokens="7").numerics == engine(tiny, dtype="fp32", device="cpu").numerics
    assert not any("\n" in line for line in lines)


def test_bfloat16_gives_other_numbers(tiny):
    assert not near(
        answer(tiny, CHOICES, dtype="bf16")[CHOICES[0]].loglikelihoods, loglikelihoods(tiny, CHOICES[0]), 1e-4
    )


def test_auto_is_the_checkpoints_own_dtype(folder):
    path = make_checkpoint(folder / "half", dtype="bfloat16")
    opened = engine(path, dtype="auto")
    assert opened.dtype == "bfloat16"
    assert (engine(path).dtype, opened.describe()["dtype"]) == ("float32", "bfloat16")
    found = answered(opened, CHOICES[:1])[CHOICES[0]]
    assert near(found.loglikelihoods, loglikelihoods(path, CHOICES[0], dtype=torch.bfloat16), 0.3)


def test_an_adapter_gives_what_peft_gives(tiny, adapter):
    from peft import PeftModel

    model, tokenizer = reference(tiny)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = PeftModel.from_pretrained(model, adapter)
    prompt, whole = (tokenizer(text)["input_ids"] for text in ("Answer:", "Answer: cow"))
    with torch.inference_mode():
        scores = model(torch.tensor([whole])).logits[0].log_softmax(-1)
    wanted = sum(float(scores[at - 1, whole[at]]) for at in range(len(prompt), len(whole)))
    request = Choose(Prompt("Answer:"), ("cow", "honey"))
    by_folder = answer(adapter, [request])[request]
    assert math.isclose(by_folder.loglikelihoods[0], wanted, abs_tol=1e-5)
    assert answer(tiny, [request], adapter=str(adapter))[request] == by_folder
    assert not near(answer(tiny, [request])[request].loglikelihoods, by_folder.loglikelihoods, 1e-3)


def test_an_adapter_that_was_not_resolved_is_refused(tiny, adapter):
    with pytest.raises(EngineError, match=r"has no adapter=.*: give the arguments to `resolve` as well"):
        open_engine("auto", resolve(str(tiny), "model"), {"adapter": str(adapter)}, {})


def test_an_adapter_of_another_shape_is_named(adapter, folder, tmp_path):
    other = make_checkpoint(folder / "gpt2", family="gpt2")
    with pytest.raises(EngineError, match=f"the adapter {adapter} cannot be put on {other}"):
        answer(other, CHOICES, adapter=str(adapter))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtyp": "float32"}, r"no argument 'dtyp' \(given: dtyp=float32\); it knows adapter, allow_pickle"),
        ({"dtype": "int3"}, "dtype is one of auto, bf16, .*; it is 'int3'"),
        ({"batch_tokens": "many"}, "batch_tokens should be a whole number, at least 1; it is 'many'"),
        ({"batch_tokens": "0"}, "at least 1; it is '0'"),
        ({"trust_remote_code": "perhaps"}, "trust_remote_code is one of false, true; it is 'perhaps'"),
        ({"device": "abacus"}, "device is written as cpu, cuda or cuda:1; it is 'abacus'"),
        ({"device": "cpu", "device_map": "auto"}, "give device=cpu or device_map=auto, not both"),
    ],
)  # fmt: skip
def test_an_argument_that_cannot_be_meant_is_refused(tiny, arguments, message):
    with pytest.raises(EngineError, match=message):
        engine(tiny, **arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused(tiny):
    with pytest.raises(EngineError, match=r"device=cuda: torch .* sees no CUDA device here; .* say device=cpu"):
        engine(tiny, device="cuda")


def rewritten(path, target, change):
    from safetensors.torch import load_file, save_file

    shutil.copytree(path, target)
    weights = load_file(target / "model.safetensors")
    save_file(change(weights), target / "model.safetensors", metadata={"format": "pt"})
    return target


def test_weights_that_are_not_there_are_not_made_up(tiny, tmp_path):
    path = rewritten(
        tiny, tmp_path / "headless", lambda weights: {k: v for k, v in weights.items() if k != "lm_head.weight"}
    )
    with pytest.raises(EngineError, match=r"lacks weights that LlamaForCausalLM needs, .* random: lm_head.weight$"):
        answer(path, CHOICES)


def test_not_a_number_is_a_failure_and_never_a_number(tiny, tmp_path):
    path = rewritten(
        tiny, tmp_path / "nan", lambda weights: {k: v * (math.nan if "lm_head" in k else 1) for k, v in weights.items()}
    )
    answers = answer(path, CHOICES + WRITTEN)
    assert len(answers) == 7
    assert set(answers.values()) == {Failed(network.NOT_A_NUMBER)}


def test_one_row_that_is_not_a_number_fails_alone(tiny, tmp_path):
    bad = make_tokenizer()(" honey", add_special_tokens=False)["input_ids"][0]

    def poison(weights):
        weights["model.embed_tokens.weight"][bad] = math.nan
        return weights

    path = rewritten(tiny, tmp_path / "nan", poison)
    fine, broken = (Choose(Prompt(text), ("A", "B")) for text in ("The mill and", "The honey and"))
    made, failed = (Generate(Prompt(text), max_tokens=4) for text in ("The mill and", "The honey and"))
    answers = answer(path, [fine, broken, made, failed])
    assert (type(answers[fine]), type(answers[broken])) == (Chosen, Failed)
    assert (type(answers[made]), type(answers[failed])) == (Generated, Failed)


def test_a_checkpoint_that_is_no_causal_model_is_refused(tiny, tmp_path):
    path = Path(shutil.copytree(tiny, tmp_path / "odd"))
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "model_type": "no_such_model"}))
    with pytest.raises(EngineError, match=r"transformers [\d.]+ cannot load .*no_such_model"):
        engine(path).encode(CHOICES[0])


def test_code_that_comes_with_a_checkpoint_runs_only_when_asked_by_name(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "modules")])
    path = Path(shutil.copytree(tiny, tmp_path / "coded"))
    (path / "own.py").write_text(
        "from transformers import LlamaConfig, LlamaForCausalLM\n\n\n"
        "class OwnConfig(LlamaConfig):\n    model_type = 'own'\n\n\n"
        "class OwnModel(LlamaForCausalLM):\n    config_class = OwnConfig\n"
    )
    config = json.loads((path / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}}
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(EngineError, match=r"custom code .*; if you trust its code: --fairprobe-engine-arg trust_rem"):
        engine(path).encode(CHOICES[0])
    trusted = answer(path, CHOICES, trust_remote_code="true")
    assert near(trusted[CHOICES[0]].loglikelihoods, loglikelihoods(tiny, CHOICES[0]))
    trusting = resolve(str(path), "model", {"trust_remote_code": "true"})
    assert trusting.fingerprint != resolve(str(path), "model").fingerprint


def pickled(tiny, folder, content):
    """A copy of a checkpoint whose weights are a pickle."""
    path = Path(shutil.copytree(tiny, folder))
    (path / "model.safetensors").unlink()
    torch.save(content, path / "pytorch_model.bin")
    return path


def test_pickled_weights_give_the_same_numbers_once_they_are_allowed(tiny, tmp_path):
    model, _ = reference(tiny)
    path = pickled(tiny, tmp_path / "pickled", model.state_dict())
    allowed = answer(path, CHOICES, allow_pickle="true")
    assert near(allowed[CHOICES[0]].loglikelihoods, loglikelihoods(tiny, CHOICES[0]))


def test_a_long_text_changes_nothing_for_those_that_are_asked_with_it(folder):
    # beyond a length of 64 the library turns the positions of a whole batch otherwise
    tiny = make_checkpoint(folder / "longrope", family="phi3")
    near, far = CHOICES[0], Choose(Prompt("The river ran past the mill and under the bridge. " * 8), OPTIONS)
    written = Generate(Prompt("Which animal?"), max_tokens=8)
    alone = answer(tiny, [near]) | answer(tiny, [far]) | answer(tiny, [written])
    together = answer(tiny, [near, far, written])
    assert together[near].loglikelihoods == pytest.approx(alone[near].loglikelihoods, abs=1e-4)
    assert together[far].loglikelihoods == pytest.approx(alone[far].loglikelihoods, abs=1e-4)
    assert together[written] == alone[written]


def test_a_row_that_memory_cannot_hold_is_parted_at_its_branches(tiny, monkeypatch):
    whole = network.Network.__call__
    most = 120

    def small(self, prefill, ids, **inputs):
        if ids.numel() > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return whole(self, prefill, ids, **inputs)

    asked = [Choose(Prompt(f"Question: {text}\nAnswer:"), OPTIONS) for text in QUESTIONS * 2]
    known = answer(tiny, asked)
    monkeypatch.setattr(network.Network, "__call__", small)
    found = answer(tiny, asked)
    for request in asked:
        assert found[request].loglikelihoods == pytest.approx(known[request].loglikelihoods, abs=1e-4)


class Hostile:
    """A pickle of it makes a folder when it is loaded as Python would."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_would_run_code_runs_none_where_pickles_are_allowed(tiny, tmp_path):
    path = pickled(tiny, tmp_path / "hostile", Hostile(tmp_path / "ran"))
    with pytest.raises(EngineError, match="cannot load"):
        answer(path, CHOICES, allow_pickle="true")
    assert not (tmp_path / "ran").exists()


def test_a_model_without_a_key_value_cache_says_that_it_cannot_write(folder, monkeypatch):
    tiny = make_checkpoint(folder / "uncached", family="bloom")
    whole = network.Network.__call__

    def call(self, prefill, ids, **inputs):
        return whole(self, prefill, ids, **{**inputs, "use_cache": False})

    monkeypatch.setattr(network.Network, "__call__", call)
    assert answer(tiny, CHOICES)
    with pytest.raises(EngineError, match="BloomForCausalLM keeps no key-value cache, and writing without one"):
        answer(tiny, WRITTEN)


def test_a_tokenizer_of_another_model_is_found_out(tiny, tmp_path):
    def cut(weights):
        return {k: v[:300].clone() if v.shape[0] == 400 else v for k, v in weights.items()}

    path = rewritten(tiny, tmp_path / "short", cut)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "vocab_size": 300}))
    with pytest.raises(EngineError, match=r"gives token 3\d\d, and the model has embeddings for 300 only"):
        answer(path, CHOICES)


def starved(monkeypatch, tokens):
    """Memory for at most so many tokens a batch."""
    sizes = []
    whole = network.Network.__call__

    def call(self, prefill, ids, **inputs):
        sizes.append(ids.numel())
        if ids.numel() > tokens:
            msg = "CUDA out of memory"
            raise torch.OutOfMemoryError(msg)
        return whole(self, prefill, ids, **inputs)

    monkeypatch.setattr(network.Network, "__call__", call)
    return sizes


def test_a_batch_that_memory_cannot_hold_is_halved(tiny, monkeypatch):
    whole = answer(tiny, CHOICES + WRITTEN)
    sizes = starved(monkeypatch, 60)
    found = answer(tiny, CHOICES + WRITTEN)
    assert max(sizes) > 60
    assert [found[request] for request in WRITTEN] == [whole[request] for request in WRITTEN]
    for request in CHOICES:
        assert near(found[request].loglikelihoods, whole[request].loglikelihoods)


def test_a_single_request_that_memory_cannot_hold_fails(tiny, monkeypatch):
    starved(monkeypatch, 10)
    found = answer(tiny, [*CHOICES, Generate(Prompt("The"), max_tokens=2)])
    assert all("out of memory on cpu for a single request" in found[request].error for request in CHOICES)
    assert isinstance(found[Generate(Prompt("The"), max_tokens=2)], Generated)


def test_what_the_model_raises_is_an_engine_error(tiny, monkeypatch):
    def call(self, prefill, ids, **inputs):
        msg = "mat1 and mat2\nhave shapes"
        raise RuntimeError(msg)

    monkeypatch.setattr(network.Network, "__call__", call)
    with pytest.raises(EngineError, match=r"tiny failed on a batch of 9: mat1 and mat2$"):
        answer(tiny, CHOICES)


def test_closing_frees_the_weights_and_keeps_the_tokens(tiny):
    opened = engine(tiny)
    first = answered(opened, CHOICES)
    model = weakref.ref(opened._network.model)
    opened.close()
    gc.collect()
    assert model() is None
    assert not opened.loaded
    assert opened.encode(WRITTEN[0])
    assert answered(opened, CHOICES) == first


def test_the_callers_random_states_stay_as_they_were(tiny):
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    answer(tiny, [*CHOICES, Generate(Prompt("The"), max_tokens=3, temperature=1.0)])
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert after == before


def test_between_batches_the_caller_is_in_its_own_world(tiny):
    for _ in engine(tiny, batch_tokens="1").answers(CHOICES):
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()


def test_an_engine_says_nothing_and_opens_no_socket(chat, adapter):
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise SystemExit('a socket was opened')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from fairprobe.engines import open_engine, resolve\n"
        "from fairprobe.requests import Choose, Generate, Prompt\n"
        "for path in sys.argv[1:]:\n"
        "    engine = open_engine('auto', resolve(path, 'model'), {}, {})\n"
        "    long = Generate(Prompt('a ' * 999))\n"
        "    asked = [Choose(Prompt('The ' * 9), ('a', 'b c')), Generate(Prompt('The'), 3), long]\n"
        "    assert sum(map(len, engine.answers(asked))) == 3\n"
        "    engine.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(chat), str(adapter)], check=False,
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_end_of_turn_ends_a_chat_answer(chat, tmp_path):
    opened = engine(chat)
    list(opened.answers([WRITTEN[0]]))
    assert opened._network.ends == {1, SPECIAL.index("<|end|>")}
