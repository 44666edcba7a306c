"""`fairprobe doctor` says what is here and what a run would do, which is what a run does; no weights are loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from checkpoints import make_checkpoint, make_classifier, make_hub_cache
from fairprobe import engines
from fairprobe.cli import app
from fairprobe.doctor import examine
from fairprobe.engines import choose, open_engine, resolve
from fairprobe.errors import FairprobeError
from fairprobe.requests import Generate, Generated, Prompt
from fairprobe.session import Session
from fairprobe.settings import Settings
from fairprobe.store import Origin, Store
from servers import Reply, free_port, scripted

HIDE = """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
hidden = {"torch", "vllm", "httpx"}
PathFinder.find_spec = lambda name, *given: None if name.partition(".")[0] in hidden else find(name, *given)
"""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A checkpoint whose weights nobody can load."""
    folder = make_checkpoint(tmp_path_factory.mktemp("tiny") / "tiny", chat=True)
    (folder / "model.safetensors").write_bytes(b"no tensors at all")
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def doctor(*arguments, **environment):
    """The exit status of the command, and what is said by name."""
    done = CliRunner().invoke(app, ["doctor", *arguments], env=environment)
    return done.exit_code, by_name(done.output)


def doctor_apart(*arguments, code="", **environment):
    """The same in a process of its own: what is imported once reads its settings no more."""
    command = [sys.executable, "-c", f"{code}\nfrom fairprobe.cli import app; app()", "doctor", *arguments]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    return done.returncode, by_name(done.stdout + done.stderr)


def by_name(said):
    return {line[:13].strip(): line[14:] for line in said.splitlines() if line[:13].strip()}


def of_model(model, engine="auto", arguments=None):
    """What is found of a model, by name, and whether all of it works."""
    held = [*examine(model, engine, arguments or {}, Path("store"))]
    after = held[[each.name for each in held].index("store") + 1 :]
    return {each.name: each.said for each in after}, all(each.works for each in after), after


def test_it_says_what_is_installed_and_what_is_here(here):
    Store(here / ".fairprobe/store").write(
        Origin("base", "d4e5f6" + "0" * 58, "{}"), {Generate(Prompt("one")): Generated("two", True, False, 1, 1)}
    )
    status, said = doctor(HF_HUB_OFFLINE="1", HF_TOKEN="hf_secret", OPENAI_API_KEY="sk-secret")
    assert status == 0
    assert [*said][:4] == ["python", "platform", "fairprobe", "pytest"]
    assert {"numpy", "polars", "scipy", "torch", "transformers", "vllm", "httpx"} < said.keys()
    assert said["pytest"] == pytest.__version__
    assert said["python"].endswith(sys.executable)
    assert said["plugin"] == "loaded by pytest in this folder"
    assert said["devices"].startswith("CPU, ")
    assert "HF_HUB_OFFLINE=1" in said["environment"]
    assert said["store"].startswith(f"{here}/.fairprobe/store/answers.sqlite, ")
    assert said["store"].endswith(": 1 answers")
    assert "secret" not in str(said)


def test_what_is_not_installed_is_said_with_the_line_to_write():
    status, said = doctor_apart(code=HIDE)
    assert status == 0, "nothing was asked for that needs one of them"
    assert said["torch"] == "not installed: pip install 'fairprobe[transformers]'"
    assert said["vllm"] == "not installed: pip install 'fairprobe[vllm]'"
    assert said["httpx"] == "not installed: pip install 'fairprobe[openai]'"
    assert said["devices"].endswith(" cores; torch is not there")
    assert said["engine"].endswith("which cannot be imported: pip install 'fairprobe[transformers]'")
    status, said = doctor_apart("--engine=openai", code=HIDE)
    assert (status, said["engine"]) == (
        1, "the engine 'openai' needs httpx, which cannot be imported: pip install 'fairprobe[openai]'"
    )  # fmt: skip


def test_a_plugin_that_pytest_does_not_load_is_a_fault():
    status, said = doctor(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert status == 1
    assert said["plugin"].startswith("not loaded by pytest in this folder: ")
    assert "-p fairprobe" in said["plugin"]
    assert "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1" in said["environment"]
    status, said = doctor(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", PYTEST_ADDOPTS="-p fairprobe")
    assert (status, said["plugin"]) == (0, "loaded by pytest in this folder")


def test_settings_that_pytest_cannot_read_are_named(here):
    (here / "pytest.ini").write_text("[pytest\n")
    status, said = doctor()
    assert status == 1
    assert "pytest.ini" in said["plugin"]


@pytest.mark.parametrize(
    ("has_vllm", "has_gpu", "name", "reason"),
    [
        (False, True, "transformers", "vllm is not installed"),
        (True, False, "transformers", "vllm is installed and there is no GPU"),
        (True, True, "vllm", "it is installed and there is a GPU"),
    ],
)
def test_the_engine_it_names_is_the_one_that_a_run_opens(tiny, monkeypatch, has_vllm, has_gpu, name, reason):
    import torch

    opened = []
    monkeypatch.setattr(engines, "find_spec", lambda wanted: has_vllm or None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    monkeypatch.setattr(engines, "_load", lambda entry: opened.append(entry.name))
    here = resolve(str(tiny), "model")
    assert choose("auto", here)[:2] == choose("auto")[:2] == (name, reason)
    with pytest.raises(AttributeError):
        open_engine("auto", here, {}, {})
    assert opened == [name] * 3
    found, _, _ = of_model(None)
    assert found["engine"] == f"auto, for a checkpoint on this machine: {name}, since {reason}"


def test_a_folder_is_told_without_its_weights(tiny):
    status, said = doctor(f"--model={tiny}", "--engine-arg", "dtype=bfloat16")
    assert status == 0, said
    fingerprint = resolve(str(tiny), "model").fingerprint[:12]
    assert said["model"] == f"tiny, a folder, {tiny}, a chat template, fingerprint {fingerprint}"
    assert said["architecture"] == "LlamaForCausalLM"
    assert said["it is asked"] == "to write an answer, to weigh options and texts, for vectors of texts"
    assert said["engine"].startswith("transformers, since ")


def test_what_a_classifier_cannot_be_asked_is_said_as_a_run_says_it(tiny, tmp_path):
    folder = make_classifier(tmp_path / "reward", make_checkpoint(tmp_path / "base"), labels=1)
    found, works, lines = of_model(str(folder), "transformers")
    assert works
    assert found["it is asked"] == "to rate a response"
    engine = open_engine("transformers", resolve(str(folder), "model"), {}, {})
    assert f"not to write an answer: {engine.refuses(Generate)}" in [each.said for each in lines]


@pytest.mark.parametrize(
    ("model", "engine", "arguments", "message"),
    [
        ("nowhere/at/all", "auto", {}, "there is no folder "),
        ("", "auto", {}, "a checkpoint is named by a folder or a hub id; the name given is empty"),
        ("{tiny}/config.json", "auto", {}, "/config.json is a file; name the folder that holds it: "),
        ("{tiny}", "vlm", {}, "there is no engine 'vlm'; installed are: auto, "),
        ("{tiny}", "openai", {}, "the engine 'openai' asks servers: name tiny as openai:NAME@URL, or another engine"),
        ("{tiny}", "transformers", {"dtpye": "x"}, "the engine 'transformers' has no argument 'dtpye'"),
        ("openai:tiny", "auto", {}, "a server is named openai:NAME@URL, as in "),
        ("openai:tiny@http://127.0.0.1:{port}/v1", "auto", {}, "no server answers at http://127.0.0.1:"),
        ("openai:tiny@http://127.0.0.1:{port}/v1", "transformers", {}, " is a server, which the engine 'openai' asks"),
    ],
)
def test_what_cannot_work_is_said_as_a_run_says_it(here, tiny, model, engine, arguments, message):
    spec = model.format(tiny=tiny, port=free_port())
    found, works, _ = of_model(spec, engine, arguments)
    assert not works
    assert message in found["cannot run"]
    session = Session(Settings(spec, engine=engine, engine_arguments=arguments, store=here / "store"))
    with pytest.raises(FairprobeError) as raised:
        session.engine("model").refuses(Generate)
    session.close()
    assert str(raised.value) == found["cannot run"]


def test_it_exits_with_1_where_the_model_is_not_found():
    status, said = doctor("--model=nowhere/at/all")
    assert status == 1
    assert said["cannot run"].startswith("there is no folder ")


def test_an_argument_without_a_value_is_a_usage_error():
    assert doctor("--engine-arg", "dtype")[0] == 2


def test_recorded_answers_need_no_engine():
    found, works, _ = of_model("recorded:zephyr")
    assert works
    assert found == {"model": "recorded:zephyr: nothing is loaded or asked, and no engine is used"}


def test_a_server_is_asked_what_it_serves_and_no_more():
    hi = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    models = [Reply({"data": [{"id": "tiny", "owned_by": "somebody"}]})]
    with scripted(models=models) as server:
        found, works, lines = of_model(f"openai:tiny@{server.url}")
        assert server.posted("/v1/chat/completions") == [hi], "what a run asks first, to see whether it may"
    assert works
    assert found["model"] == f"tiny, which the server {server.url} answers for"
    assert found["engine"] == "openai, since the checkpoint is a server's"
    assert found["it is asked"].startswith("to write an answer")
    assert any('scoring="generate"' in each.said for each in lines)


def test_a_checkpoint_in_the_hubs_cache_is_told_offline(tiny, tmp_path):
    cache = make_hub_cache(tmp_path / "cache", tiny, "maker/tiny", COMMIT)
    status, said = doctor_apart("--model=maker/tiny", HF_HUB_OFFLINE="1", HF_HUB_CACHE=str(cache))
    assert status == 0
    assert said["model"].startswith(f"maker/tiny, revision {COMMIT} of the hub, ")
    status, said = doctor_apart("--model=maker/other", HF_HUB_OFFLINE="1", HF_HUB_CACHE=str(cache))
    assert status == 1
    assert "and the hub gives no maker/other: " in said["cannot run"]


def test_what_would_be_downloaded_is_told_and_not_downloaded(tmp_path):
    files = [{"rfilename": "model.safetensors", "size": 2_300_000_000}, {"rfilename": "config.json", "size": 600},
             {"rfilename": "pytorch_model.bin", "size": 9_000_000_000}]  # fmt: skip
    about = {"id": "maker/big", "siblings": files, "config": {"architectures": ["OlmoForCausalLM"]}}
    with scripted() as server:
        server.routes["/api/models/maker/big?blobs=true"] = [Reply(about)]
        hub = {"HF_ENDPOINT": server.url.removesuffix("/v1"), "HF_HUB_CACHE": str(tmp_path / "cache"),
               "HF_HUB_OFFLINE": "0"}  # fmt: skip
        status, said = doctor_apart("--model=maker/big", **hub)
        assert status == 0, said
        assert said["model"] == "maker/big of the hub is not on this machine: a run downloads 2.3 GB"
        assert said["architecture"] == "OlmoForCausalLM"
        assert said["engine"].startswith("transformers, since ")
        status, said = doctor_apart("--model=maker/no", **hub)
        assert status == 1
        assert "and the hub gives no maker/no: " in said["cannot run"]
    assert not [*(tmp_path / "cache").rglob("*.safetensors")]


def test_a_store_that_is_none_is_a_fault(here):
    Store(here / "store").folder.mkdir()
    Store(here / "store").path.write_text("a thesis" * 100)
    status, said = doctor("--store=store")
    assert status == 1
    assert said["store"].startswith("the store store/answers.sqlite is damaged or no store: ")


def test_what_it_says_is_what_the_run_reports(here, tmp_path):
    """The same words as in the run's results: engine, device and dtype."""
    folder = make_checkpoint(tmp_path / "plain")
    (here / "test_suite.py").write_text(
        "from fairprobe import Generation, valid_rate\n"
        "rows = [dict(q=f'{n}', a='b', side='lr'[n % 2]) for n in range(24)]\n"
        "task = Generation(rows, '{q}', target='a', max_tokens=2, name='task')\n"
        "test_it = valid_rate(task).by('side') > 0.01\n"
    )
    status, said = doctor(f"--model={folder}")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--model={folder}", "--fairprobe-report=report", "test_suite.py"],
        cwd=here, check=False, capture_output=True,
    )  # fmt: skip
    ran = json.loads((here / "report/results.json").read_text())
    assert status == 0
    assert said["engine"].startswith(f"{ran['engine']['name']}, since ")
    assert ran["checkpoints"][0]["fingerprint"][:12] in said["model"]
    _, _, lines = of_model(str(folder))
    told = ", ".join(f"{name} {ran['engine'][name]}" for name in ("version", "device", "dtype"))
    assert told in [each.said for each in lines]
