"""A new user's first hour: a clean clone, an empty folder, a file of their own, a failure they can read, the report."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytest_plugins = ["chromium"]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The commands of a fresh environment into which a clean clone was installed.

    torch and transformers are a gigabyte, and lent by this environment; the rest is installed as a user would.
    """
    folder = tmp_path_factory.mktemp("user")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder / "fairprobe")], check=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    own = folder / "venv" / "bin"
    subprocess.run([own / "python", "-m", "pip", "install", "--quiet", str(folder / "fairprobe")], check=True)
    [site] = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "lent.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return own


@pytest.fixture(scope="module")
def riddles(tmp_path_factory):
    """An empty folder but for a file of the user's own."""
    folder = tmp_path_factory.mktemp("project")
    lines = (ROOT / "suites" / "demo" / "clues.jsonl").read_text(encoding="utf-8").splitlines()
    columns = ("riddle", "dialect", "clue", "word")
    with (folder / "data.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, columns, extrasaction="ignore")
        rows.writeheader()
        rows.writerows(map(json.loads, lines))
    return folder


def run(installed, folder, *command):
    """What a command says, with the environment's own commands first."""
    plain = {name: held for name, held in os.environ.items() if not name.startswith(("PYTEST", "PYTHON", "COV"))}
    path = {"PATH": f"{installed}:{plain['PATH']}", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, cwd=folder, env=plain | path, capture_output=True, text=True, check=False)


def test_the_first_hour(installed, riddles, demo_checkpoints, open_page):
    begun = run(installed, riddles, "fairprobe", "init", "data.csv")
    assert begun.returncode == 0, begun.stdout + begun.stderr
    told = [line.split() for line in begun.stdout.splitlines()]
    assert [line[:2] for line in told if line[:1] in (["prompt"], ["answer"], ["group"], ["pair"])] == [
        ["prompt", "clue:"], ["answer", "word:"], ["group", "dialect:"], ["pair", "riddle:"]
    ]  # fmt: skip
    assert (riddles / "suites" / "data" / "test_data.py").is_file()

    model = f"--model={demo_checkpoints / 'aligned'}"
    judged = run(installed, riddles, "pytest", "suites/data", model)
    assert judged.returncode == 1, judged.stdout + judged.stderr
    [line] = [line for line in judged.stdout.splitlines() if line.startswith("accuracy(data).gap('dialect') is")]
    assert line.endswith("expected < 0.05: shown not to hold")
    assert "Traceback" not in judged.stdout + judged.stderr
    shown = next(line for line in judged.stdout.splitlines() if line.startswith("report: ")).removeprefix("report: ")

    page = open_page(Path(shown).read_text(encoding="utf-8"))
    assert page.locator("h1").inner_text().startswith("Not every claim was shown")
    assert page.get_by_role("link", name="test_dialect_gap").first.is_visible()


def test_the_environment_is_the_users_own(installed, riddles):
    where = run(installed, riddles, "python", "-c", "import fairprobe; print(fairprobe.__file__)")
    assert str(installed.parent) in where.stdout
    doctor = run(installed, riddles, "fairprobe", "doctor")
    assert doctor.returncode == 0, doctor.stdout
