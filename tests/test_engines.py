"""An engine is found by name; finding one loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from checkpoints import make_checkpoint
from fairprobe import engines
from fairprobe.engines import open_engine, resolve
from fairprobe.errors import EngineError


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return resolve(str(make_checkpoint(tmp_path_factory.mktemp("tiny"))), "model")


def python(code, *arguments):
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_engines_is_light():
    code = "import sys, fairprobe.engines; print(sorted(sys.modules))"
    loaded = set(python(code).replace("'", "").strip("[]\n").split(", "))
    assert "fairprobe.engines.tokens" in loaded
    assert not loaded & {"torch", "transformers", "tokenizers", "peft", "huggingface_hub", "numpy", "polars", "pytest"}


def test_resolving_a_folder_is_light(checkpoint):
    code = "import sys, fairprobe.engines as e; e.resolve(sys.argv[1], 'model'); print('torch' in sys.modules)"
    assert python(code, str(checkpoint.path)) == "False\n"


@pytest.mark.parametrize("name", ["auto", "transformers"])
def test_auto_is_transformers(checkpoint, name):
    assert open_engine(name, checkpoint, {}, {}).describe()["name"] == "transformers"


def test_an_unknown_engine_names_those_that_are_installed(checkpoint):
    with pytest.raises(EngineError, match=r"there is no engine 'vlm'; installed are: auto, .*transformers"):
        open_engine("vlm", checkpoint, {}, {})


def test_a_missing_extra_shows_the_line_to_write(checkpoint):
    code = (
        "import sys; from pathlib import Path; sys.modules['torch'] = None\n"
        "from fairprobe.engines import Checkpoint, open_engine\n"
        "try: open_engine('auto', Checkpoint('model', 'tiny', Path(sys.argv[1]), None, '0'), {}, {})\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    assert python(code, str(checkpoint.path)) == (
        "EngineError the engine 'transformers' needs torch, which cannot be imported: "
        "pip install 'fairprobe[transformers]'\n"
    )


def test_another_package_brings_an_engine_of_its_own(checkpoint, tmp_path, monkeypatch):
    (tmp_path / "other_engine.py").write_text("def open(*given):\n    return given\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(engines, "entry_points", lambda group: [EntryPoint("other", "other_engine", group)])
    assert open_engine("other", checkpoint, {"a": "1"}, {"b": "2"}) == (checkpoint, {"a": "1"}, {"b": "2"})


def test_another_packages_missing_import_is_named(checkpoint, monkeypatch):
    monkeypatch.setattr(engines, "entry_points", lambda group: [EntryPoint("other", "no_such_module", group)])
    with pytest.raises(EngineError, match=r"'other' needs no_such_module, .*: install what no_such_module imports"):
        open_engine("other", checkpoint, {}, {})
