"""Checkpoints are found by folder or hub id, and known by their content."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from checkpoints import make_adapter, make_checkpoint, make_hub_cache
from fairprobe.engines.checkpoints import SETTLED, resolve
from fairprobe.errors import EngineError, NoCheckpoint

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "base", chat=True)


@pytest.fixture(scope="module")
def adapter(base):
    return make_adapter(base.parent / "adapter", base)


@pytest.fixture
def copy(base, tmp_path):
    return Path(shutil.copytree(base, tmp_path / "copy"))


def fingerprint(folder, **options):
    return resolve(str(folder), "model", **options).fingerprint


def test_a_folder_is_a_checkpoint(base):
    found = resolve(str(base), "baseline")
    assert (found.role, found.name, found.path, found.revision, found.adapter) == ("baseline", "base", base, None, None)
    assert len(found.fingerprint) == 64


def test_a_relative_folder_is_the_same_one(base, monkeypatch):
    monkeypatch.chdir(base.parent)
    assert resolve("base", "model") == resolve(f"./{base.name}", "model") == resolve(str(base), "model")


def test_a_copy_elsewhere_has_the_same_fingerprint(base, copy):
    assert fingerprint(copy) == fingerprint(base)


@pytest.mark.parametrize(
    "name",
    ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
     "model.safetensors"],
)  # fmt: skip
def test_any_changed_byte_is_another_fingerprint(base, copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    assert fingerprint(copy) != fingerprint(base)


def test_a_missing_template_is_another_fingerprint(base, copy):
    (copy / "chat_template.jinja").unlink()
    assert fingerprint(copy) != fingerprint(base)


def test_files_that_are_never_read_change_nothing(base, copy):
    for name in ("README.md", "pytorch_model.bin", "consolidated.safetensors", "training.log"):
        (copy / name).write_text("other")
    assert fingerprint(copy) == fingerprint(base)


def test_two_names_swapped_are_another_fingerprint(base, copy):
    one, two = copy / "added_tokens.json", copy / "special_tokens_map.json"
    one.write_text("{}"), two.write_text("[]")
    before = fingerprint(copy)
    one.write_text("[]"), two.write_text("{}")
    assert fingerprint(copy) != before


def test_shards_are_read_by_their_index(base, copy):
    (copy / "model.safetensors").rename(copy / "model-00001-of-00001.safetensors")
    index = {"weight_map": {"lm_head.weight": "model-00001-of-00001.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    assert fingerprint(copy) != fingerprint(base)
    (copy / "model-00001-of-00001.safetensors").unlink()
    with pytest.raises(NoCheckpoint, match=r"index.json names 1 files; missing: model-00001-of-00001.safetensors"):
        resolve(str(copy), "model")


def test_a_missing_folder_is_named_with_what_is_near(base):
    with pytest.raises(NoCheckpoint) as caught:
        resolve(str(base.parent / "bsae"), "model")
    assert str(caught.value) == f"there is no folder {base.parent / 'bsae'}; {base.parent} holds base"


def test_a_misspelt_relative_folder_is_never_asked_of_the_hub(base, monkeypatch):
    monkeypatch.chdir(base.parent.parent)
    monkeypatch.setattr(socket, "socket", None)
    with pytest.raises(NoCheckpoint, match=r"there is no folder .*/bsae; .* holds base$"):
        resolve(f"{base.parent.name}/bsae", "model")


def test_a_file_is_no_folder(base):
    with pytest.raises(NoCheckpoint, match=f"config.json is a file; name the folder that holds it: {base}"):
        resolve(str(base / "config.json"), "model")


def test_an_empty_name_is_no_checkpoint():
    with pytest.raises(NoCheckpoint, match="the name given is empty"):
        resolve("", "model")


def test_a_folder_without_config_says_what_it_holds(base):
    with pytest.raises(NoCheckpoint) as caught:
        resolve(str(base.parent), "model")
    assert f"{base.parent} is no checkpoint: it has no config.json. It holds " in str(caught.value)
    assert f"did you mean {base}?" in str(caught.value)


def test_pickles_are_refused_with_the_argument_that_allows_them(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(
        EngineError,
        match=r"pickles \(pytorch_model.bin\).* run code; .*; if .*: --fairprobe-engine-arg allow_pickle=true",
    ):
        resolve(str(copy), "model")


def test_pickles_that_are_allowed_are_part_of_the_content(copy):
    allowed = {"allow_pickle": "true"}
    alone = resolve(str(copy), "model", allowed).fingerprint
    (copy / "pytorch_model.bin").write_bytes(b"not read where safetensors are there")
    assert resolve(str(copy), "model", allowed).fingerprint == alone
    (copy / "model.safetensors").rename(copy / "training_args.bin")
    one = resolve(str(copy), "model", allowed).fingerprint
    (copy / "pytorch_model.bin").write_bytes(b"others")
    assert len({alone, one, resolve(str(copy), "model", allowed).fingerprint}) == 3
    (copy / "pytorch_model.bin").unlink()
    with pytest.raises(EngineError, match=r"pickles \(training_args.bin\).*; neither pytorch_model.bin nor"):
        resolve(str(copy), "model", allowed)


def test_a_folder_without_weights_says_so(copy):
    (copy / "model.safetensors").unlink()
    with pytest.raises(NoCheckpoint, match=r"no weights: neither model.safetensors nor model.safetensors.index.json"):
        resolve(str(copy), "model")


def test_recorded_answers_are_no_checkpoint_on_disk():
    with pytest.raises(EngineError, match="recorded:mistral names recorded answers, which have nothing to ask"):
        resolve("recorded:mistral", "model")


def test_a_server_is_known_by_name_and_address():
    served = resolve("openai:org/gpt-9@http://localhost:1/v1/", "model")
    assert (served.name, served.url) == ("org/gpt-9", "http://localhost:1/v1")
    assert served.fingerprint == resolve("openai:org/gpt-9@http://localhost:1/v1", "baseline").fingerprint
    assert served.fingerprint != resolve("openai:org/gpt-9@http://localhost:2/v1", "model").fingerprint


@pytest.mark.parametrize("spec", ["openai:gpt-9", "openai:@http://localhost:1", "openai:gpt-9@localhost:1"])
def test_a_server_without_name_or_address_shows_the_line_to_write(spec):
    with pytest.raises(NoCheckpoint, match="openai:NAME@URL"):
        resolve(spec, "model")


def test_an_adapter_folder_finds_its_base(base, adapter):
    found = resolve(str(adapter), "model")
    assert (found.name, found.path, found.adapter, found.tokenizer) == ("adapter", base, adapter, base)
    assert found.fingerprint != fingerprint(base)


def test_an_adapter_named_apart_is_the_same_content(base, adapter):
    arguments = {"adapter": str(adapter)}
    found = resolve(str(base), "model", arguments)
    assert (found.name, found.adapter) == ("base+adapter", adapter)
    assert found.fingerprint == resolve(str(adapter), "model").fingerprint


def test_an_adapter_is_put_on_the_model_never_on_its_baseline(base, adapter):
    assert resolve(str(base), "baseline", {"adapter": str(adapter)}) == resolve(str(base), "baseline")


def test_an_adapters_own_tokenizer_counts(base, adapter, tmp_path):
    own = Path(shutil.copytree(adapter, tmp_path / "own"))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base / name, own / name)
    assert resolve(str(own), "model").tokenizer == own
    assert fingerprint(own) != fingerprint(adapter)


def test_an_adapter_without_its_base_shows_the_line_to_write(adapter, tmp_path):
    lost = Path(shutil.copytree(adapter, tmp_path / "lost"))
    config = json.loads((lost / "adapter_config.json").read_text())
    (lost / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "/gone/base"}))
    with pytest.raises(NoCheckpoint, match=f"--model=BASE --fairprobe-engine-arg adapter={lost}"):
        resolve(str(lost), "model")


def test_a_base_may_lie_beside_its_adapter(base, adapter, tmp_path):
    near, _ = Path(shutil.copytree(adapter, tmp_path / "near")), shutil.copytree(base, tmp_path / "start")
    config = json.loads((near / "adapter_config.json").read_text())
    (near / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "../start"}))
    assert resolve(str(near), "model").path == tmp_path / "start"


def test_weights_beside_an_adapter_are_ambiguous(adapter, copy):
    shutil.copy(adapter / "adapter_config.json", copy)
    with pytest.raises(EngineError, match=r"holds both full weights and adapter_config.json"):
        resolve(str(copy), "model")


def test_an_adapter_on_an_adapter_is_refused(adapter):
    with pytest.raises(EngineError, match="is an adapter itself"):
        resolve(str(adapter), "model", {"adapter": str(adapter)})


def test_an_adapter_of_pickles_is_refused(base, adapter, tmp_path):
    pickled = Path(shutil.copytree(adapter, tmp_path / "pickled"))
    (pickled / "adapter_model.safetensors").rename(pickled / "adapter_model.bin")
    with pytest.raises(NoCheckpoint, match=r"is no adapter in safetensors: it has no adapter_model.safetensors"):
        resolve(str(pickled), "model")


def aged(folder):
    for path in folder.iterdir():
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 2 * SETTLED))


def test_hashes_of_unchanged_files_are_kept(copy, tmp_path, monkeypatch):
    aged(copy)
    cache = tmp_path / "deep" / "hashes.json"
    first = fingerprint(copy, cache=cache)
    assert sorted(Path(name).name for name in json.loads(cache.read_text())) == sorted(
        path.name for path in copy.iterdir()
    )
    assert [path.name for path in cache.parent.iterdir()] == ["hashes.json"]
    monkeypatch.setattr("fairprobe.engines.checkpoints._sha256", None)
    assert fingerprint(copy, cache=cache) == first


def test_a_changed_file_is_hashed_again_even_where_its_size_and_time_are_the_same(copy, tmp_path):
    aged(copy)
    cache, file = tmp_path / "hashes.json", copy / "model.safetensors"
    first, stat = fingerprint(copy, cache=cache), file.stat()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns, file.stat().st_ino) == (
        stat.st_size, stat.st_mtime_ns, stat.st_ino
    )  # fmt: skip
    assert fingerprint(copy, cache=cache) != first


def test_a_file_written_a_moment_ago_is_not_trusted_to_stay(copy, tmp_path):
    cache = tmp_path / "hashes.json"
    for path in copy.iterdir():
        path.touch()
    fingerprint(copy, cache=cache)
    assert not cache.exists()


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1}', "{"])
def test_a_torn_cache_is_an_empty_one(base, tmp_path, content):
    cache = tmp_path / "hashes.json"
    cache.write_text(content)
    assert fingerprint(base, cache=cache) == fingerprint(base)


def test_a_cache_that_cannot_be_written_stops_nothing(copy, tmp_path):
    aged(copy)
    (tmp_path / "file").touch()
    assert fingerprint(copy, cache=tmp_path / "file" / "hashes.json") == fingerprint(copy)


def offline(cache, *specs):
    """What resolving gives in a process of its own: the hub reads its settings when it is imported."""
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise SystemExit('a socket was opened')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from fairprobe.engines.checkpoints import resolve\n"
        "for spec in sys.argv[1:]:\n"
        "    try: found = resolve(spec, 'model')\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
        "    else: print(found.name, found.revision, found.fingerprint)\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code, *specs], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_a_hub_id_is_found_in_the_hubs_cache_without_a_socket(base, tmp_path):
    cache = make_hub_cache(tmp_path, base, "maker/tiny", COMMIT)
    found = offline(cache, "maker/tiny", "maker/tiny@main", f"maker/tiny@{COMMIT}", "maker/tiny@v9", "maker/other")
    assert found[:3] == [f"maker/tiny {COMMIT} {fingerprint(base)}"] * 3
    assert found[3].startswith("NoCheckpoint there is no folder ")
    assert "and the hub gives no maker/tiny@v9: " in found[3]
    assert "and the hub gives no maker/other: " in found[4]
