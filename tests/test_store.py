"""Answers are kept whole or not at all, whatever is killed meanwhile, and no checkpoint gets another's."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairprobe import StoreError
from fairprobe.requests import Choose, Chosen, DoesNotFit, Failed, Generate, Generated, Prompt
from fairprobe.store import Store

CHAT = Prompt((("user", "Who?"), ("assistant", "Me.")), "Be brief.", "It is", "chat")
ANSWERS = {
    Generate(Prompt("It swims.")): Generated("an otter", True, False, 5, 3),
    Generate(CHAT, 3, ("\n", "."), 0.7, 2): Generated("", False, True, 9, 0),
    Choose(Prompt("Which?"), ("A", "B")): Chosen((-1.25, float("-inf")), (1, 2), 4, 0.5),
    Choose(CHAT, ("yes", "no")): Chosen((-0.1, -2.0), (1, 1), 9),
}


def question(number):
    return Generate(Prompt(f"question {number}"))


def answer(text):
    return Generated(text, True, False, 1, 1)


def test_every_kind_of_answer_comes_back_as_it_was(tmp_path):
    Store(tmp_path).write("checkpoint", ANSWERS)
    assert Store(tmp_path).read("checkpoint", ANSWERS) == ANSWERS
    assert Store(tmp_path).read("checkpoint", [question(1)]) == {}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.text(st.characters(), max_size=20), st.text(st.characters(), max_size=20), st.floats(allow_nan=False))
def test_any_text_and_any_number_comes_back(tmp_path_factory, prompt, said, number):
    store = Store(tmp_path_factory.getbasetemp() / "any")
    answers = {
        Generate(Prompt(prompt)): answer(said),
        Choose(Prompt(prompt), (said, "x")): Chosen((number, 0.0), (1, 1), 1),
    }
    store.write("checkpoint", answers)
    assert store.read("checkpoint", answers) == answers


def test_what_failed_or_was_not_asked_is_not_kept(tmp_path):
    answers = {question(1): Failed("out of memory"), question(2): DoesNotFit(300, 256), question(3): answer("x")}
    Store(tmp_path).write("checkpoint", answers)
    assert Store(tmp_path).read("checkpoint", answers) == {question(3): answer("x")}


def test_another_checkpoint_never_gets_them(tmp_path):
    store = Store(tmp_path)
    store.write("one", {question(1): answer("one")})
    store.write("two", {question(1): answer("two"), question(2): answer("two")})
    assert store.read("one", [question(1), question(2)]) == {question(1): answer("one")}
    assert store.read("three", [question(1)]) == {}


@pytest.mark.parametrize(
    "other",
    [
        Generate(Prompt("Q", system="S")),
        Generate(Prompt("Q", prefix="P")),
        Generate(Prompt("Q", format="plain")),
        Generate(Prompt("Q"), 63),
        Generate(Prompt("Q"), stop=("x",)),
        Generate(Prompt("Q"), temperature=1.0),
        Generate(Prompt("Q"), draw=1),
        Generate(Prompt((("user", "Q"),))),
        Choose(Prompt("Q"), ("a", "b")),
        Generate(Prompt("Q ")),
    ],
)
def test_another_request_has_another_answer(tmp_path, other):
    store = Store(tmp_path)
    store.write("checkpoint", {Generate(Prompt("Q")): answer("x")})
    assert store.read("checkpoint", [other]) == {}


def test_an_answer_may_be_given_again(tmp_path):
    store = Store(tmp_path)
    store.write("checkpoint", {question(1): answer("old")})
    store.write("checkpoint", {question(1): answer("new")})
    assert store.read("checkpoint", [question(1)]) == {question(1): answer("new")}


def test_many_answers_are_read_at_once(tmp_path):
    answers = {question(number): answer(str(number)) for number in range(1234)}
    Store(tmp_path).write("checkpoint", answers)
    assert Store(tmp_path).read("checkpoint", answers) == answers


def test_a_store_that_is_not_there_has_nothing_and_reading_makes_none(tmp_path):
    assert Store(tmp_path / "store").read("checkpoint", [question(1)]) == {}
    assert not (tmp_path / "store").exists()


def write_chunks(folder, name, start):
    while not start.is_set():
        pass
    for chunk in range(20):
        Store(Path(folder)).write(
            "checkpoint", {question(f"{name} {chunk} {number}"): answer(name) for number in range(10)}
        )


def test_two_processes_write_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    writers = [context.Process(target=write_chunks, args=(str(tmp_path), name, start)) for name in ("one", "two")]
    for writer in writers:
        writer.start()
    start.set()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    wanted = {
        question(f"{name} {chunk} {number}"): answer(name)
        for name in ("one", "two")
        for chunk in range(20)
        for number in range(10)
    }
    assert Store(tmp_path).read("checkpoint", wanted) == wanted


KILLED = """
import os, signal, sys
from pathlib import Path
from fairprobe.requests import Generate, Generated, Prompt
from fairprobe.store import Store, _key
with Store(Path(sys.argv[1]))._open() as database:
    database.execute("PRAGMA cache_size = 5")  # pages go to the file before the end of the transaction
    database.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", ((f"{n:064}", "x" * 500) for n in range(5000)))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_killed_in_the_middle_leaves_what_was_written_before(tmp_path):
    before = {question(number): answer("before") for number in range(50)}
    store = Store(tmp_path)
    store.write("checkpoint", before)
    size = store.path.stat().st_size
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert done.returncode == -9
    assert store.path.with_name("answers.sqlite-journal").stat().st_size > 0
    assert store.path.stat().st_size > size, "half of the transaction is in the file"
    assert Store(tmp_path).read("checkpoint", before) == before
    with sqlite3.connect(store.path) as database:
        assert database.execute("SELECT count(*) FROM answers").fetchone() == (50,)
    Store(tmp_path).write("checkpoint", {question(99): answer("after")})
    assert Store(tmp_path).read("checkpoint", [question(99)]) == {question(99): answer("after")}


@pytest.mark.parametrize("torn", [b"", b"garbage" * 100])
def test_a_torn_journal_leaves_what_was_written_before(tmp_path, torn):
    store = Store(tmp_path)
    store.write("checkpoint", ANSWERS)
    store.path.with_name("answers.sqlite-journal").write_bytes(torn)
    assert Store(tmp_path).read("checkpoint", ANSWERS) == ANSWERS


def refusal(call, *arguments):
    with pytest.raises(StoreError) as refused:
        call(*arguments)
    return str(refused.value)


def test_a_newer_store_is_refused(tmp_path):
    store = Store(tmp_path)
    store.write("checkpoint", ANSWERS)
    with sqlite3.connect(store.path) as database:
        database.execute("PRAGMA user_version = 7")
    assert refusal(store.read, "checkpoint", ANSWERS) == (
        f"the store {store.path} was written by a newer fairprobe (its version is 7, this one reads 1). "
        "Choose another folder with --fairprobe-store=DIR."
    )
    assert "was written by a newer fairprobe" in refusal(store.write, "checkpoint", ANSWERS)


def test_a_file_that_is_no_store_is_left_alone(tmp_path):
    (tmp_path / "answers.sqlite").write_text("my thesis, chapter one" * 100)
    store = Store(tmp_path)
    assert refusal(store.write, "checkpoint", ANSWERS) == (
        f"the store {store.path} cannot be used: file is not a database. What was written before is kept; make room or "
        "choose another folder with --fairprobe-store=DIR, and run again: nothing is asked twice."
    )
    assert "file is not a database" in refusal(store.read, "checkpoint", ANSWERS)
    assert store.path.read_text().startswith("my thesis")


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "store").write_text("")
    said = refusal(Store(tmp_path / "store").write, "checkpoint", ANSWERS)
    assert said.startswith(f"the store {tmp_path}/store/answers.sqlite cannot be used: ")
    assert "--fairprobe-store=DIR" in said


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.name != "posix" or mount is None or os.geteuid() != 0:
        pytest.skip("a small disk is mounted by root")
    if subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=False, capture_output=True
    ).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_keeps_what_was_written_before(small_disk):
    store = Store(small_disk)
    store.write("checkpoint", ANSWERS)
    large = {question(number): answer("x" * 1000) for number in range(1000)}
    said = refusal(store.write, "checkpoint", large)
    assert said.startswith(
        f"the store {store.path} cannot be used: database or disk is full. What was written before is kept"
    )
    assert store.read("checkpoint", ANSWERS) == ANSWERS
    assert store.read("checkpoint", large) == {}
    store.write("checkpoint", {question(1): answer("a short one")})


def test_a_disk_that_can_only_be_read_still_answers(small_disk):
    Store(small_disk).write("checkpoint", ANSWERS)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert Store(small_disk).read("checkpoint", ANSWERS) == ANSWERS
    assert "cannot be used: attempt to write a readonly database" in refusal(
        Store(small_disk).write, "checkpoint", ANSWERS
    )
