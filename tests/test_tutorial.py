"""The tutorial does what it says: its commands in order, from an empty folder, print what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from pages import ROOT, Block, blocks

TUTORIAL = ROOT / "docs" / "tutorial.md"
STEPS = [block for block in blocks(TUTORIAL) if block.language != "text"]
RED = re.compile(r"^\d+ (failed|invalid)", re.MULTILINE)
# `make demo` is a fixture here, so that tests share the checkpoints; .ci/run has the command itself
MAKE = 'make() { [ "$*" = demo ] && [ -d .fairprobe/demo/aligned ]; }\n'
STEP = '{{\n{text}}} > "$STEPS/{number}" 2>&1\necho $? > "$STEPS/{number}.status"\n'


def shown(step: Block) -> str | None:
    """The output that the page shows below a step, if it does."""
    everything = blocks(TUTORIAL)
    following = everything[everything.index(step) + 1 :][:1]
    return following[0].text if following and following[0].language == "text" else None


def pattern(line: str) -> str:
    """What a shown line may be in a run: `…` is anything, a number with a decimal point any such number."""
    words = re.escape(" ".join(line.split())).replace(r"\ ", " ").replace("…", ".*")
    return re.sub(r"(?:\\-)?\d+\\\.\d+", r"-?\\d+\\.\\d+", words)


def absent(expected: str, output: str) -> list[str]:
    """The shown lines that an output lacks. They come in their order, and one after another unless `…` lies between."""
    real = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    missing, place, anywhere = [], 0, False
    for line in filter(str.strip, expected.splitlines()):
        if line.strip() == "…":
            anywhere = True
            continue
        reach = range(place, len(real) if anywhere else min(place + 1, len(real)))
        found = next((at for at in reach if re.fullmatch(pattern(line), real[at])), None)
        if found is None:
            missing.append(line)
        else:
            place = found + 1
        anywhere = False
    return missing


def followed(folder: Path, demo: Path) -> list[tuple[str, str]]:
    """What each step printed, and its exit status, from an empty folder beside a clone that has the demo."""
    clone, steps = folder / "fairprobe", folder / "steps"
    steps.mkdir()
    (clone / ".fairprobe").mkdir(parents=True)
    (clone / ".fairprobe" / "demo").symlink_to(demo)
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "activate").write_text(f'PATH="{Path(sys.executable).parent}:$PATH"\n')
    script = MAKE + "".join(STEP.format(text=step.text, number=number) for number, step in enumerate(STEPS))
    environment = os.environ | {"STEPS": str(steps), "COLUMNS": "150"}
    subprocess.run(["bash", "-c", script], cwd=clone, check=True, env=environment)
    return [
        ((steps / str(number)).read_text(), (steps / f"{number}.status").read_text().strip())
        for number in range(len(STEPS))
    ]


def test_a_shown_line_is_found_with_other_numbers_and_not_with_other_words() -> None:
    output = "a gap of 0.41\nis -0.3 here\nand 12 more\n"
    assert absent("a gap of 0.52\n…\nand 12 …", output) == []
    assert absent("a gap of 0.52\nand 12 more", output) == ["and 12 more"], "a line is left out without a word"
    assert absent("a gap of 7\n…\nand 13 more", output) == ["a gap of 7", "and 13 more"]


def test_each_step_prints_what_the_tutorial_shows_and_fails_only_where_it_shows_that(
    tmp_path: Path, demo_checkpoints: Path
) -> None:
    red = 0
    for step, (output, status) in zip(STEPS, followed(tmp_path, demo_checkpoints), strict=True):
        expected = shown(step)
        if expected is None:
            assert output == "", f"line {step.line}"
        else:
            assert absent(expected, output) == [], f"line {step.line}\n{output}"
        failing = RED.search(expected or "") is not None
        assert failing == (status != "0"), f"line {step.line} ended with {status}"
        red += failing
    assert red == 3


def test_the_tutorial_has_no_block_that_is_not_run_or_shown() -> None:
    assert {block.language for block in blocks(TUTORIAL)} == {"sh", "text"}
