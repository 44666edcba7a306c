"""On a GPU the engines give what they give on a CPU, and give the memory back."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from checkpoints import answered, make_checkpoint, make_classifier
from fairprobe.engines import open_engine, resolve
from fairprobe.noise import again, noise
from fairprobe.requests import Choose, Embed, Generate, Prompt, Rate, Weigh

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here"),
]
QUESTIONS = ("Which animal says moo?", "What do bees make?", "Where is the market, and who told him so this morning?")
CHOICES = [
    Choose(Prompt(f"{number}. {text}\nAnswer:", format="plain"), options)
    for number in range(40)
    for text in QUESTIONS
    for options in (("cow", "the old stone bridge"), ("A", "B"))
]
WRITTEN = [Generate(Prompt(f"{number}. {text}"), max_tokens=12) for number in range(40) for text in QUESTIONS]
WEIGHED = [Weigh(Prompt(text, format="plain"), (" The old mill, and then the market.",)) for text in QUESTIONS]
EMBEDDED = [Embed(Prompt(text)) for text in QUESTIONS]
RATED = [Rate(Prompt(text), "A cow.") for text in QUESTIONS]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("gpu") / "tiny", chat=True)


def ask(folder, requests, name="transformers", **arguments):
    engine = open_engine(name, resolve(str(folder), "model", arguments), arguments, {})
    try:
        return answered(engine, requests), engine.describe()
    finally:
        engine.close()


def assert_alike(requests, one, other):
    for request in requests:
        if isinstance(request, Choose):
            assert one[request].loglikelihoods == pytest.approx(other[request].loglikelihoods, abs=1e-4)
        elif isinstance(request, Generate):
            assert one[request].text == other[request].text
        elif isinstance(request, Rate):
            assert one[request].scores == pytest.approx(other[request].scores, abs=1e-4)
        else:
            assert one[request].vector == pytest.approx(other[request].vector, abs=1e-4)


def test_a_gpu_gives_what_a_cpu_does(tiny):
    requests = [*CHOICES, *WRITTEN, *WEIGHED, *EMBEDDED]
    there, described = ask(tiny, requests, dtype="float32")
    here, _ = ask(tiny, requests, device="cpu")
    assert described["device"] == "cuda"
    assert_alike(requests, there, here)


def test_a_classifier_on_a_gpu_rates_as_on_a_cpu(tiny, tmp_path):
    judge = make_classifier(tmp_path / "judge", tiny, labels=2)
    there, _ = ask(judge, RATED, dtype="float32")
    here, _ = ask(judge, RATED, device="cpu")
    assert_alike(RATED, there, here)


def test_what_a_gpu_cannot_hold_at_once_is_asked_in_parts(tmp_path):
    large = make_checkpoint(tmp_path / "large", context=8192)
    requests = [Choose(Prompt(f"{number} " + "moo " * 900, format="plain"), ("a b", "c")) for number in range(64)]
    whole, _ = ask(large, requests, dtype="float32", batch_tokens="200000")
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, 1.5e9 / total))
    try:
        parts, _ = ask(large, requests, dtype="float32", batch_tokens="200000")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert_alike(requests, parts, whole)


def test_a_closed_engine_gives_the_memory_back(tiny):
    before = torch.cuda.memory_allocated()
    ask(tiny, CHOICES)
    assert torch.cuda.memory_allocated() <= before + 2**20


def test_noise_in_half_precision_is_measured(tiny):
    engine = open_engine("transformers", resolve(str(tiny), "model"), {"dtype": "bfloat16"}, {})
    first = answered(engine, CHOICES)
    found = noise(first, answered(engine, again(first, 0)[::-1]))
    engine.close()
    assert found is not None
    assert found.requests == len(CHOICES) // 50
    assert 0 <= found.nats < 1


@pytest.mark.skipif(find_spec("vllm") is None, reason="vllm is not installed")
def test_vllm_answers_where_there_is_a_gpu_and_agrees_with_transformers(tiny):
    requests = [*CHOICES, *WRITTEN]
    arguments = {"dtype": "float32", "enforce_eager": "true", "gpu_memory_utilization": "0.3"}
    there, described = ask(tiny, requests, "auto", **arguments)
    here, _ = ask(tiny, requests, device="cpu")
    assert described["name"] == "vllm"
    assert_alike(requests, there, here)
    assert torch.cuda.mem_get_info()[0] > 0.5 * torch.cuda.mem_get_info()[1], "its process has ended"
