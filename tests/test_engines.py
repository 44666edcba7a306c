"""An engine is found by name; finding one loads nothing heavy."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from checkpoints import answered, make_checkpoint
from fairprobe import engines
from fairprobe.engines import open_engine, resolve
from fairprobe.errors import EngineError
from fairprobe.requests import Choose, Generate, Prompt


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


def test_the_engine_that_the_documentation_shows_answers_as_ours_does(checkpoint, tmp_path, monkeypatch):
    page = (Path(__file__).parents[1] / "docs" / "engines.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(\"\"\"The engine `single`.*?)```", page, re.DOTALL)
    (tmp_path / "single_engine.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(engines, "entry_points", lambda group: [EntryPoint("single", "single_engine", group)])
    theirs = open_engine("single", checkpoint, {}, {})
    monkeypatch.undo()
    ours = open_engine("transformers", checkpoint, {}, {})
    asked = [Choose(Prompt(f"{number} and 1 is"), ("cow", "the old mill")) for number in range(3)]
    mine, said = answered(ours, asked), answered(theirs, asked)
    for request in asked:
        assert said[request].loglikelihoods == pytest.approx(mine[request].loglikelihoods, abs=1e-4)
        assert (said[request].tokens, said[request].prompt_tokens) == (
            mine[request].tokens,
            mine[request].prompt_tokens,
        )
    assert theirs.refuses(Choose) is None
    assert "weighs options only" in theirs.refuses(Generate)
    assert set(theirs.describe()) <= set(ours.describe())
