"""The notebook runs from its first cell to its last, with what it shows, and is kept without outputs."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pages import ROOT

NOTEBOOK = ROOT / "examples" / "measure.ipynb"
KEPT: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
CODE = ["".join(cell["source"]) for cell in KEPT["cells"] if cell["cell_type"] == "code"]


def run(cells: list[str]) -> dict[str, Any]:
    """The names that the cells leave, run in order in one namespace; the tables that end a cell, by its number, too."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, source in enumerate(cells):
        *body, last = ast.parse(source).body
        if not isinstance(last, ast.Expr):
            body.append(last)
        exec(compile(ast.Module(body, []), f"cell {number}", "exec"), names)
        if isinstance(last, ast.Expr):
            names[f"shown {number}"] = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    return names


def test_it_runs_and_its_tables_say_what_its_text_says(
    demo_checkpoints: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(NOTEBOOK.parent)
    names = run(CODE)
    values = dict(names["by_phrasing"].select("phrasing", "value").iter_rows())
    assert min(values, key=values.__getitem__) == "slang"
    change = {row["phrasing"]: row for row in names["changes"].iter_rows(named=True)}
    assert change["slang"]["high"] < -0.1, "what one phrasing lost is shown"
    assert change["digits"]["low"] < 0 < change["digits"]["high"]
    assert names["table"]["dialect"].to_list() == ["en_in", "en_ng", "en_us"]
    assert names["table"]["clusters"].min() >= 40
    assert re.search(r"^slang is 0\.\d\d behind", capsys.readouterr().out)


def test_it_says_what_is_missing_where_no_demo_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run(CODE)
    assert "`make demo` trains the checkpoints" in capsys.readouterr().out


def test_it_is_a_notebook_of_version_4_without_outputs() -> None:
    assert (KEPT["nbformat"], KEPT["nbformat_minor"]) == (4, 5)
    assert KEPT["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in KEPT["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", each) for each in ids)
    for cell in KEPT["cells"]:
        expected = {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            expected |= {"outputs", "execution_count"}
        assert cell.keys() == expected
        assert all(line.endswith("\n") for line in cell["source"][:-1])
