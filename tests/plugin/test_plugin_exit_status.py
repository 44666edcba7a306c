"""What a run and a command end with, as docs/running.md has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fairprobe.cli import app

PAGE = (Path(__file__).parents[2] / "docs/running.md").read_text(encoding="utf-8")
SHOWN = "test_shown = accuracy(equal).gap('dialect') < 0.2"
NOT_SHOWN = "test_not_shown = accuracy(answers).gap('dialect') < 0.05"
BROKEN = "def pytest_collection_modifyitems():\n    raise RuntimeError('a conftest of theirs')"

RUNS = {
    "every claim is shown": (0, [SHOWN], []),
    "a claim is not shown": (1, [SHOWN, NOT_SHOWN], []),
    "a claim is not shown, by an alarm": (0, ["test_odd = (accuracy(answers).gap('dialect') < 0.2).mode('alarm')"], []),
    "no checkpoint is named": (1, [SHOWN], None),
    "a module cannot be collected": (2, ["raise ImportError('of theirs')"], []),
    "a test is interrupted": (2, ["def test_stop():\n    raise KeyboardInterrupt"], []),
    "a plugin breaks": (3, [SHOWN], ["-p", "breaking"]),
    "there is no such folder": (4, [SHOWN], ["nowhere"]),
    "an option is unknown": (4, [SHOWN], ["--fairprobe-modle=x"]),
    "a setting is senseless": (4, [SHOWN], ["--fairprobe-limit=0"]),
    "no test is left for this model": (4, ["test_a = valid_rate(Generation([{'q': 'a'}], '{q}', name='a')) > 0.5"], []),
    "nothing is collected": (5, [], []),
    "nothing is selected": (5, [SHOWN], ["-k", "another"]),
}


def rows(heading):
    """The statuses of a table of the page, by its heading."""
    [table] = re.findall(rf"\| {heading} \|.*?\n((?:\|.*\n)+)", PAGE)
    return {int(status) for status in re.findall(r"^\| (\d) \|", table, re.MULTILINE)}


@pytest.mark.parametrize("case", RUNS)
def test_a_run_ends_with(pytester, recorded_suite, case):
    status, lines, arguments = RUNS[case]
    recorded_suite(*lines, imports="from fairprobe import Generation")
    pytester.makepyfile(breaking=BROKEN)
    pytester.syspathinsert()
    given = [] if arguments is None else ["--model=recorded:any", *arguments]
    assert pytester.runpytest_subprocess(*given).ret == status


def test_the_page_has_every_status_of_a_run():
    assert rows("exit status") == {status for status, *_ in RUNS.values()}


COMMANDS = {
    "sets": 0,
    "store": 0,
    "doctor": 0,
    "doctor --model=nowhere/at/all": 1,
    "init nowhere.csv": 1,
    "sets nowhere": 1,
    "report nowhere": 1,
    "compare nowhere nowhere": 1,
    "store prune": 2,
    "nonsense": 2,
    "init": 2,
    "power empty": 5,
    "power nowhere": 4,
    "audit empty": 5,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_with(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert CliRunner().invoke(app, command.split()).exit_code == COMMANDS[command]


def test_the_page_has_every_status_of_the_commands():
    assert rows("`fairprobe` ends with") == {0, 1, 2}
    assert "`power` and `audit` end with pytest's" in PAGE
