"""A run that is killed, with any engine, loses what was not written yet and nothing else.

`make chaos` kills twenty times; here it is three times.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from checkpoints import make_checkpoint

KILLS = int(os.environ.get("FAIRPROBE_KILLS", "3"))
SAMPLES = 800
SUITE = f"""
from fairprobe import Generation, MultipleChoice, accuracy, mean

def length(response, target, row):
    return min(1.0, len(response) / 100)

rows = [
    dict(id=i, dialect=d, clue=f"{{said}} {{i}}, what is {{i + 7}}?", options=["cow", "old mill"], answer=i % 2)
    for i in range({SAMPLES} // 2) for d, said in (("en_us", "What says moo"), ("en_in", "What is saying moo"))
]
sums = MultipleChoice(rows, prompt="{{clue}}", scoring="text", pair="id", name="sums")
told = Generation(rows, prompt="{{clue}}", scorer={{"length": length}}, max_tokens=24, pair="id", name="told")
test_gap = accuracy(sums).gap("dialect") < 0.5
test_length = (mean(told, "length").gap("dialect") < 0.5).waive("above_chance", because="lengths have no chance")
"""
SMALL_CHUNKS = """
import fairprobe.session

# small chunks, so that a kill finds some written and some not
fairprobe.session.CHUNK_SECONDS = 0.3
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("chaos") / "tiny")


@pytest.fixture(scope="module", params=[
    "transformers", pytest.param("vllm", marks=pytest.mark.vllm), pytest.param("openai", marks=pytest.mark.vllm)
])  # fmt: skip
def options(request, checkpoint):
    """What names a checkpoint and its engine on the command line."""
    if request.param == "openai":
        from servers import vllm_server

        with vllm_server(checkpoint) as url:
            yield [f"--model=openai:tiny@{url}", "--fairprobe-engine-arg", f"tokenizer={checkpoint}"]
    else:
        yield [f"--model={checkpoint}", f"--fairprobe-engine={request.param}"]


@pytest.fixture(scope="module")
def whole(options, tmp_path_factory):
    """The verdicts of a run that nobody kills."""
    folder = suite(tmp_path_factory.mktemp("whole"))
    start(folder, options).wait()
    return results(folder)


def suite(folder):
    (folder / "test_chaos_suite.py").write_text(SUITE)
    (folder / "conftest.py").write_text(SMALL_CHUNKS)
    return folder


def start(folder, options):
    command = [
        sys.executable, "-m", "pytest", "-q", *options, "--fairprobe-report=report", "-p", "no:cacheprovider",
        "-p", "no:hypothesispytest",
    ]  # fmt: skip
    with (folder / "run.log").open("a") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)


def results(folder):
    assert (folder / "report" / "results.json").exists(), (folder / "run.log").read_text()[-2000:]
    return json.loads((folder / "report" / "results.json").read_text(encoding="utf-8"))


def stored(folder):
    file = folder / ".fairprobe" / "store" / "answers.sqlite"
    if not file.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10) as database:
            return database.execute("SELECT count(*) FROM answers").fetchone()[0]
    except sqlite3.Error:
        return 0


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_killed_run_asks_only_what_was_lost_and_ends_the_same(options, whole, tmp_path, kill):
    folder = suite(tmp_path)
    run = start(folder, options)
    chance = random.Random(kill)
    # at any moment: while it starts, between two chunks, in the middle of one, when all is written
    aim = chance.randrange(2 * SAMPLES)
    while run.poll() is None and stored(folder) < aim:
        time.sleep(0.02)
    time.sleep(chance.random() / 2)
    run.send_signal(signal.SIGKILL)
    run.wait()
    kept = stored(folder)
    start(folder, options).wait()
    again = results(folder)
    assert (again["requests"]["cached"], again["requests"]["asked"]) == (kept, 2 * SAMPLES - kept)
    for one, other in zip(again["verdicts"], whole["verdicts"], strict=True):
        assert (one["test"], one["outcome"]) == (other["test"], other["outcome"])
        for name in ("value", "low", "high"):
            assert one[name] == pytest.approx(other[name], abs=1e-5)
