"""The command `fairprobe store` says what is kept, and removes what is chosen and nothing else."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from fairprobe.cli import app
from fairprobe.requests import Generate, Generated, Prompt
from fairprobe.store import Origin, Store

ALIGNED = Origin("aligned", "a1b2c3" + "0" * 58, '{"dtype": "float32", "engine": "transformers"}')
BASE = Origin("base", "d4e5f6" + "0" * 58, '{"dtype": "bfloat16", "engine": "vllm"}')
SERVED = Origin("gpt", "0718" + "f" * 60, "somebody's own engine")


def answers(count):
    return {Generate(Prompt(f"question {each}")): Generated("x" * 500, True, False, 1, 1) for each in range(count)}


@pytest.fixture
def kept(tmp_path):
    """A store with 1,200 answers of one checkpoint, 3 of another, and 2 of a third that are 40 days old."""
    store = Store(tmp_path / "store")
    store.write(SERVED, answers(2))
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE origins SET last = last - 40 * 86400")
    store.write(BASE, answers(3))
    store.write(ALIGNED, answers(1200))
    return store


def run(store, *arguments):
    return CliRunner().invoke(app, ["store", *arguments, f"--store={store.folder}"], env={"COLUMNS": "200"})


def left(store):
    return {each.origin.name for each in store.kept()}


def test_it_says_what_is_kept_and_whose(kept):
    done = run(kept)
    today = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.kept()[0].last))
    heading, columns, first, second, third = done.output.splitlines()
    assert re.fullmatch(rf"{kept.path}, \d(\.\d+)? MB", heading)
    assert columns == "  checkpoint  fingerprint   engine                 answers  last written"
    assert first == f"  aligned     a1b2c3000000  transformers float32     1,200  {today}"
    assert second.startswith("  base        d4e5f6000000  vllm bfloat16                3  ")
    assert third.startswith("  gpt         0718ffffffff  somebody's own engine        2  ")
    assert done.exit_code == 0


def test_nothing_kept_is_said_and_nothing_is_made(tmp_path):
    done = run(Store(tmp_path / "none"))
    assert (done.exit_code, done.output) == (0, f"nothing is kept in {tmp_path}/none/answers.sqlite\n")
    done = run(Store(tmp_path / "none"), "prune", "--all")
    assert (done.exit_code, done.output) == (0, f"nothing to remove from {tmp_path}/none/answers.sqlite, 0 B freed\n")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("chosen", "stay"),
    [
        (["--checkpoint=aligned"], {"base", "gpt"}),
        (["--checkpoint=a1b2c3"], {"base", "gpt"}),
        (["--checkpoint=0718ffffffff"], {"aligned", "base"}),
        (["--older-than=30"], {"aligned", "base"}),
        (["--older-than=0"], set()),
        (["--older-than=50"], {"aligned", "base", "gpt"}),
        (["--checkpoint=gpt", "--older-than=30"], {"aligned", "base"}),
        (["--checkpoint=base", "--older-than=30"], {"aligned", "base", "gpt"}),
        (["--checkpoint=a1b2"], {"aligned", "base", "gpt"}),
        (["--checkpoint="], {"aligned", "base", "gpt"}),
        (["--all"], set()),
    ],
)
def test_what_is_chosen_is_removed_and_nothing_else(kept, chosen, stay):
    before, size = left(kept), kept.size
    done = run(kept, "prune", *chosen)
    assert done.exit_code == 0
    assert left(kept) == stay
    heading, *rows = done.output.splitlines()
    assert {row.split()[0] for row in rows[1:]} == before - stay
    freed = size - kept.size
    assert heading.startswith(f"removed from {kept.path}, " if rows else f"nothing to remove from {kept.path}, 0 B")
    assert ("kB freed" in heading) is (freed >= 1000)


def test_the_folder_may_stand_before_prune(kept):
    done = CliRunner().invoke(app, ["store", f"--store={kept.folder}", "prune", "--all"])
    assert done.exit_code == 0
    assert left(kept) == set()


@pytest.mark.parametrize("chosen", [[], ["--all", "--checkpoint=base"], ["--all", "--older-than=30"]])
def test_without_a_choice_nothing_is_removed(kept, chosen):
    done = run(kept, "prune", *chosen)
    assert done.exit_code == 2
    assert "choose what to remove: --older-than=DAYS, --checkpoint=NAME or both, or --all alone" in done.output
    assert left(kept) == {"aligned", "base", "gpt"}


@pytest.mark.parametrize("arguments", [[], ["prune", "--all"]])
def test_a_file_that_is_no_store_is_named_and_left_alone(tmp_path, arguments):
    store = Store(tmp_path)
    store.path.write_text("my thesis, chapter one" * 100)
    done = run(store, *arguments)
    assert done.exit_code == 1
    assert done.output.startswith(f"the store {store.path} is damaged or no store: file is not a database. ")
    assert store.path.read_text() == "my thesis, chapter one" * 100


def test_the_default_folder_is_that_of_a_run(tmp_path):
    Store(tmp_path / ".fairprobe/store").write(BASE, answers(3))
    command = [sys.executable, "-c", "from fairprobe.cli import app; app()", "store"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    heading, _, row = done.stdout.splitlines()
    assert heading.startswith(".fairprobe/store/answers.sqlite, ")
    assert row.startswith("  base        d4e5f6000000  vllm bfloat16        3  ")
