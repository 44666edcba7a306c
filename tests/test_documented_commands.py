"""Every command that README, docs/ and the suites' READMEs show is run, or stands here with the reason why not.

The commands run in a folder where what they name exists: `path/to/aligned` is a tiny checkpoint, `path/to/folder` the
README's suite, `reports/…` a run. A command that is added to a page is run without a word here, unless it cannot be.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pages import PAGES, ROOT, blocks

PROGRAMS = ("fairprobe", "make", "pip", "pytest", "python", ".venv/bin/python", ".ci/run", "git", "docker")
"""What the first word of a line of code is, where no language says that it is for a shell."""

ELSEWHERE = {
    "make demo": ".ci/run",
    "make test": ".ci/run",
    "pytest suites/demo --model=.fairprobe/demo/aligned --baseline=.fairprobe/demo/base": "examples/demo/run.py",
    ".venv/bin/python -m pytest suites/demo *": "examples/demo/run.py",
    "fairprobe audit suites/demo *": "tests/test_audit.py",
    "fairprobe init clues.csv": "tests/test_new_user.py",
    "pytest suites/demo --model=.fairprobe/demo/base --model=*": "tests/plugin/test_plugin_candidates.py",
    ".venv/bin/python -m pytest tests/test_engine_contract.py -k single": "tests/test_engines.py",
}
"""Commands that are run elsewhere in CI, and where."""

CANNOT = {
    "pip install *": "downloads packages",
    "git add *": "is git's",
    "pytest * --fairprobe-engine=vllm *": "needs a vLLM: `make test-vllm` asks it the same contract",
    "pytest path/to/suite --model=openai:*": "needs a server: tests/test_engines_openai.py starts one",
    ".venv/bin/python benchmarks/*": "takes minutes and measures: `make bench`",
    "* --fairprobe-data=DIR*": "needs public data or recordings, which are not in the repository: tests/test_suites.py",
    "pytest suites/opinions_from * --fairprobe-accept=CC-BY-NC-SA-4.0": "needs a hub",
}
"""Commands that cannot be run here, and why; `*` is anything."""

STATUSES = {"pytest": {0, 1}}
"""Exit statuses that are an answer, by how a command begins: checkpoints of random weights fail. Of all others, 0."""

FEWER = " --fairprobe-limit=1000"
"""Left out here: the profile `sample` then asks 60 samples of a task, which says as much of a command."""

WHOLE = {"docs/tutorial.md": "tests/test_tutorial.py"}
"""Pages whose commands are run in their order by a test of their own."""


class Command(NamedTuple):
    """A command, and the page and line where it stands."""

    text: str
    place: str


def commands() -> Iterator[Command]:
    """Every command of the pages, optional arguments left out."""
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        if name in WHOLE or not (name == "README.md" or name.startswith("docs/") or page.match("suites/*/README.md")):
            continue
        for block in blocks(page):
            if block.language in {"", "sh", "bash", "shell", "console"}:
                text = re.sub(r"\\\n\s*", "", block.text)
                for line in [text] if "<<" in text else text.splitlines():
                    command = re.sub(r"\s+# .*|\s+\[-[^\]]*\]", "", line.strip().removeprefix("$ ")).replace(FEWER, "")
                    if command and (block.language or command.split()[0] in PROGRAMS) and not command.startswith("#"):
                        yield Command(command, f"{name}:{block.line}")


def exception(command: str) -> str | None:
    """The pattern, among those that are not run here, that a command matches."""
    patterns = (*ELSEWHERE, *CANNOT)
    return next((each for each in patterns if re.fullmatch(re.escape(each).replace(r"\*", ".*"), command)), None)


def runs() -> dict[str, list[Command]]:
    """What is run, and the commands that it stands for: those that differ in their suites alone are one run."""
    grouped: dict[tuple[str, ...], list[Command]] = {}
    for command in commands():
        if exception(command.text) is None:
            grouped.setdefault(options(command.text), []).append(command)
    return {merged([each.text for each in group]): group for group in grouped.values()}


def options(command: str) -> tuple[str, ...]:
    """A command of suites without these; any other as it is."""
    words = shlex.split(command)
    if words[0] == "pytest" or words[:2] == ["fairprobe", "power"]:
        return tuple(word for word in words if not word.startswith("suites/"))
    return (command,)


def merged(texts: list[str]) -> str:
    """One command for several that differ in their suites."""
    first, *others = dict.fromkeys(texts)
    suites = [word for each in others for word in shlex.split(each) if word.startswith("suites/")]
    return " ".join([first, *suites])


RUNS = runs()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, checkpoints_folder: Path, demo_checkpoints: Path) -> Path:
    """A clone in which the paths that pages name are there."""
    clone = tmp_path_factory.mktemp("clone")
    paths = {
        **{name: ROOT / name for name in ("suites", "examples", "docs", "pyproject.toml", "tests")},
        "path/to/aligned": checkpoints_folder / "chat",
        "path/to/base": checkpoints_folder / "plain",
        "path/to/the/last/checkpoint": checkpoints_folder / "plain",
        ".fairprobe/demo": demo_checkpoints,
    }
    for name, target in paths.items():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).symlink_to(target)
    folder, suite = clone / "path" / "to" / "folder", clone / "path" / "to" / "suite"
    folder.mkdir()
    (module,) = (block for block in blocks(ROOT / "README.md") if block.language == "python")
    (folder / "test_dialects.py").write_text(module.text)
    riddles = [(i, dialect) for i in range(40) for dialect in ("en_us", "en_in")]
    clues = [{"riddle": i, "dialect": dialect, "clue": f"{dialect} {i}", "word": "otter"} for i, dialect in riddles]
    (folder / "clues.jsonl").write_text("".join(json.dumps(clue) + "\n" for clue in clues))
    (suite / "outputs").mkdir(parents=True)
    (suite / "test_recorded.py").write_text(RECORDED)
    for name, right in {"zephyr": 30, "mistral": 36}.items():
        rows = "".join(f"{i},{dialect},{int(i < right)}\n" for i, dialect in riddles)
        (suite / "outputs" / f"{name}.csv").write_text(f"id,dialect,correct\n{rows}")
    for day, name in ("20261120", "mistral"), ("20261126", "zephyr"):
        run(f"pytest path/to/suite --model=recorded:{name} --fairprobe-report=reports/{day}-101500-aligned", clone)
    return clone


RECORDED = """
from fairprobe import Recorded, accuracy

answers = Recorded("outputs/{model}.csv", score="correct", pair="id")
test_gap = accuracy(answers).gap("dialect") < 0.2
"""


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command as a user gives it, in an environment that has fairprobe."""
    ours = Path(sys.executable).parent
    more = {"PATH": f"{ours}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1", "COLUMNS": "150"}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=os.environ | more, text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.parametrize("command", RUNS, ids=[group[0].place for group in RUNS.values()])
def test_a_command_does_what_a_page_says_it_does(command: str, world: Path) -> None:
    done = run(command, world)
    places = ", ".join(each.place for each in RUNS[command])
    statuses = next((known for begin, known in STATUSES.items() if command.startswith(begin)), {0})
    assert done.returncode in statuses, f"{places}\n{done.stdout}"
    assert "Traceback" not in done.stdout
    if command.startswith("pytest"):
        assert not re.search(r"\b[1-9]\d* errors?\b", done.stdout.strip().splitlines()[-1]), f"{places}\n{done.stdout}"


@pytest.mark.parametrize("pattern", [*ELSEWHERE, *CANNOT])
def test_an_exception_still_stands_in_some_page(pattern: str) -> None:
    assert pattern in {exception(command.text) for command in commands()}, "take it out of the list"


@pytest.mark.parametrize("place", [*ELSEWHERE.values(), *WHOLE.values(), *WHOLE])
def test_where_a_command_is_run_elsewhere_there_is_such_a_place(place: str) -> None:
    assert (ROOT / place).is_file()


def test_commands_are_found_with_a_fence_and_without_and_nothing_else_is() -> None:
    found = {command.text for command in commands()}
    assert "fairprobe power path/to/folder" in found
    assert "pytest path/to/suite --model=recorded:zephyr --baseline=recorded:mistral" in found
    assert not any("shown above" in text or "->" in text for text in found)
    assert len(found) > 40
