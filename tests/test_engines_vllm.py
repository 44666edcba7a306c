"""The engine `vllm` keeps kinds apart, believes no value that is not there, and ends with its process."""

from __future__ import annotations

import contextlib
import math
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from checkpoints import answered, make_adapter, make_checkpoint, make_classifier, make_tokenizer
from fairprobe.engines import open_engine, resolve
from fairprobe.errors import EngineError
from fairprobe.requests import Choose, Chosen, Embed, Failed, Generate, Generated, Prompt, Rate

pytestmark = pytest.mark.vllm

QUESTIONS = ("Which animal says moo?", "What do bees make?", "Where is the market, and who told him so this morning?")
TEXTS = [
    Choose(Prompt(f"Question: {text}\nAnswer:"), ("cow", "the old stone bridge", "the old mill")) for text in QUESTIONS
]
LETTERS = [Choose(Prompt(f"{text}\nA. cow\nB. honey\nAnswer:"), ("A", "B")) for text in QUESTIONS]
WRITTEN = [Generate(Prompt(text), max_tokens=8) for text in QUESTIONS]
RATED = [Rate(Prompt(text), answer) for text in QUESTIONS for answer in ("honey", "the old mill by the bridge")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture(scope="module")
def tiny(folder):
    return make_checkpoint(folder / "tiny")


def engine(name, path, **arguments):
    return open_engine(name, resolve(str(path), "model", arguments), arguments, {})


def answer(name, path, requests, **arguments):
    opened = engine(name, path, **arguments)
    try:
        return answered(opened, requests)
    finally:
        opened.close()


def agree(path, requests, **arguments):
    """The answers of both engines to the same requests, which lie within 1e-4 of each other."""
    ours, theirs = answer("transformers", path, requests, **arguments), answer("vllm", path, requests, **arguments)
    for request in requests:
        if isinstance(ours[request], Generated):
            assert theirs[request] == ours[request]
        else:
            assert values(theirs[request]) == pytest.approx(values(ours[request]), abs=1e-4)
    return theirs


def values(response):
    return response.loglikelihoods if isinstance(response, Chosen) else response.scores


@pytest.mark.parametrize("family", ["gpt2", "qwen2"])
def test_architectures_agree_with_transformers(folder, family):
    agree(make_checkpoint(folder / family, family=family, seed=3), [*TEXTS, *LETTERS, *WRITTEN])


@pytest.mark.parametrize("labels", [1, 2])
def test_a_classifier_gives_its_raw_scores(folder, tiny, labels):
    found = agree(make_classifier(folder / f"{labels}-label", tiny, labels=labels), RATED)
    assert {len(found[request].scores) for request in RATED} == {labels}


def test_an_adapter_changes_its_own_answers_and_no_others(folder, tiny):
    adapter = make_adapter(folder / "adapter", tiny)
    adapted = agree(tiny, [*TEXTS, *LETTERS, *WRITTEN], adapter=str(adapter))
    bare = answer("vllm", tiny, LETTERS)
    assert all(values(adapted[each]) != pytest.approx(values(bare[each]), abs=1e-3) for each in LETTERS)


def test_texts_read_twice_are_the_same_whatever_is_in_the_prefix_cache(tiny):
    # read from the cache, log-probabilities of a prompt are memory that nobody wrote
    opened = engine("vllm", tiny)
    long = [Choose(Prompt("The river ran past the mill. " * 12 + text), ("cow", "the old mill")) for text in QUESTIONS]
    first = answered(opened, [*long, *LETTERS])
    computed = opened.counts["prefill_tokens"]
    second = answered(opened, [*LETTERS, *long])
    opened.close()
    assert computed
    for request in [*long, *LETTERS]:
        assert values(second[request]) == pytest.approx(values(first[request]), abs=1e-5)


def test_a_value_that_is_no_number_is_a_failure(tiny, folder):
    from shutil import copytree

    from safetensors.torch import load_file, save_file

    path = copytree(tiny, folder / "nan")
    weights = load_file(path / "model.safetensors")
    weights["lm_head.weight"] = weights["lm_head.weight"] * math.nan
    save_file(weights, path / "model.safetensors", {"format": "pt"})
    found = answer("vllm", path, [*LETTERS, *TEXTS, *WRITTEN])
    assert all(isinstance(each, Failed) and "not finite" in each.error for each in found.values())


def test_the_answers_of_an_interrupted_call_are_nobodys(tiny, monkeypatch):
    opened = engine("vllm", tiny)
    right = answered(opened, LETTERS)
    process = opened._process
    receive = type(process)._receive

    def interrupted(self, what):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(process), "_receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        answered(opened, [Choose(Prompt(f"{text} And how?"), ("A", "B")) for text in QUESTIONS])
    monkeypatch.setattr(type(process), "_receive", receive)
    again = answered(opened, LETTERS)
    opened.close()
    for request in LETTERS:
        assert values(again[request]) == pytest.approx(values(right[request]), abs=1e-5)


def test_the_callers_random_states_stay_as_they_were(tiny):
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    opened = engine("vllm", tiny)
    assert len(answered(opened, LETTERS)) == len(LETTERS)
    opened._process._process.send_signal(signal.SIGKILL)
    # what kills an engine is an error that says so, and another is started for what is asked next
    with pytest.raises(EngineError, match=r"vLLM cannot be used for tiny: it (ended \(exit status -9\)|has ended)"):
        answered(opened, WRITTEN)
    assert len(answered(opened, WRITTEN[:1])) == 1
    opened.close()
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert after == before


def test_an_engine_ends_with_the_run_that_started_it(tiny):
    code = (
        "import os, sys\n"
        "from fairprobe.engines import open_engine, resolve\n"
        "from fairprobe.requests import Generate, Prompt\n"
        "engine = open_engine('vllm', resolve(sys.argv[1], 'model'), {}, {})\n"
        "list(engine.answers([Generate(Prompt('The'), 2)]))\n"
        "print(engine._process._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    made = subprocess.run([sys.executable, "-c", code, str(tiny)], capture_output=True, text=True, check=False)
    assert ended(int(made.stdout.split()[-1])), "the engine outlived the run"


def ended(group):
    """Whether no process of a group is left, within ten seconds; one that nobody waits for has ended too."""
    for _ in range(100):
        if not any(alive == group for alive in groups()):
            return True
        time.sleep(0.1)
    return False


def groups():
    """The group of each process that has not ended."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group = file.read_text().rpartition(")")[2].split()[:3]
            if state != "Z":
                yield int(group)


def test_a_checkpoint_in_parts_answers_the_same_and_ends_with_all_its_processes(tiny, monkeypatch):
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "0|1")
    opened = engine("vllm", tiny, tensor_parallel_size="2")
    theirs = answered(opened, [*TEXTS, *WRITTEN])
    group = opened._process._process.pid
    opened.close()
    assert ended(group)
    ours = answer("transformers", tiny, [*TEXTS, *WRITTEN])
    for request in TEXTS:
        assert values(theirs[request]) == pytest.approx(values(ours[request]), abs=1e-4)
    for request in WRITTEN:
        assert theirs[request] == ours[request]


def test_an_argument_that_vllm_does_not_know_is_named(tiny):
    with pytest.raises(EngineError, match=r"vLLM cannot be used for tiny: .*colour"):
        answer("vllm", tiny, LETTERS, colour="red")


def test_a_device_is_nothing_that_vllm_can_be_told(tiny):
    with pytest.raises(EngineError, match=r"device=cpu: vLLM runs on what it was built for"):
        engine("vllm", tiny, device="cpu")


def test_a_length_that_needs_more_room_starts_again_with_more(tiny):
    opened = engine("vllm", tiny)
    short, long = LETTERS[0], Generate(Prompt("moo " * 90), max_tokens=4)
    assert isinstance(answered(opened, [short])[short], Chosen)
    assert isinstance(answered(opened, [long])[long], Generated)
    opened.close()


def test_a_causal_model_gives_no_reward(tiny, folder):
    refusal = engine("vllm", tiny).refuses(Rate)
    assert "tiny (LlamaForCausalLM) is no classifier and gives no reward" in refusal
    classifier = make_classifier(folder / "refusing", tiny, labels=2)
    assert "writes no text" in engine("vllm", classifier).refuses(Generate)
    assert "gives no vectors" in engine("vllm", classifier).refuses(Embed)
    assert engine("vllm", classifier).refuses(Rate) is None


def test_numerics_tell_version_dtype_and_what_is_passed_through(tiny):
    seen = {
        engine("vllm", tiny).numerics,
        engine("vllm", tiny, dtype="bfloat16").numerics,
        engine("vllm", tiny, max_num_seqs="8").numerics,
        engine("transformers", tiny).numerics,
    }
    assert len(seen) == 4
    assert '"version": "0.' in engine("vllm", tiny).numerics


def test_many_options_and_equal_ones(tiny):
    tokenizer = make_tokenizer()
    words = [text for text in (tokenizer.decode([index]) for index in range(6, 400)) if text.strip() and text[0] == " "]
    many = Choose(Prompt("The"), tuple(dict.fromkeys(word.strip() for word in words)))
    twice = Choose(Prompt("The"), ("A", "A", "B"))
    found = agree(tiny, [many, twice])
    assert found[twice].loglikelihoods[0] == found[twice].loglikelihoods[1]
    assert found[twice].mass is None
