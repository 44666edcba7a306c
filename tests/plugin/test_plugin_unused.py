"""A suite without expectations does not notice the plugin."""

from __future__ import annotations

import json
import sys

import pytest

HEAVY = {
    "numpy", "polars", "scipy", "torch", "transformers", "jinja2", "rich", "filelock", "sqlite3", "hypothesis",
    "fairprobe.session", "fairprobe.expressions", "fairprobe.report", "fairprobe.engines", "fairprobe.tasks",
}  # fmt: skip
OURS = {
    "fairprobe", "fairprobe.errors", "fairprobe.pytest_plugin", "fairprobe.pytest_plugin.items",
    "fairprobe.pytest_plugin.options", "fairprobe.pytest_plugin.record", "fairprobe.pytest_plugin.terminal",
    "fairprobe.judging", "fairprobe.pytest_plugin.folder", "fairprobe.pytest_plugin.gaps",
    "fairprobe.pytest_plugin.candidates",
    "fairprobe.pytest_plugin.workers",
}  # fmt: skip
LISTING = """
import json
import sys

def test_other(): ...

def test_modules():
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)
"""


@pytest.fixture
def modules(pytester, monkeypatch):
    """The modules that a run of ordinary tests has imported, with these plugins alone."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(test_other=LISTING)

    def loaded(*plugins):
        pytester.runpytest_subprocess(*plugins).assert_outcomes(passed=2)
        return set(json.loads((pytester.path / "modules.json").read_text()))

    return loaded


def test_it_imports_a_handful_of_modules_and_nothing_heavy(modules):
    with_plugin, without = modules("-p", "fairprobe"), modules()
    added = with_plugin - without
    assert not with_plugin & HEAVY
    assert {name for name in added if name.startswith("fairprobe")} == OURS
    assert {name.partition(".")[0] for name in added} - {"fairprobe"} <= set(sys.stdlib_module_names)
    assert len(added) <= 20


def test_a_run_says_nothing_and_writes_nothing(pytester):
    pytester.makepyfile("def test_other(): ...")
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    assert "fairprobe" not in done.stdout.str().replace("fairprobe-0.1.0", "")
    assert sorted(path.name for path in pytester.path.iterdir()) == ["test_a_run_says_nothing_and_writes_nothing.py"]
