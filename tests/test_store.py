"""Answers are kept whole or not at all, whatever is killed meanwhile, and no checkpoint gets another's."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairprobe import StoreError
from fairprobe.requests import (
    Choose,
    Chosen,
    DoesNotFit,
    Embed,
    Embedded,
    Failed,
    Generate,
    Generated,
    Prompt,
    Rate,
    Rated,
    Unfinished,
)
from fairprobe.store import Origin, Store

ORIGIN = Origin("tiny", "f" * 64, '{"engine": "transformers"}')
CHAT = Prompt((("user", "Who?"), ("assistant", "Me.")), "Be brief.", "It is", "chat")
ANSWERS = {
    Generate(Prompt("It swims.")): Generated("an otter", True, False, 5, 3),
    Generate(CHAT, 3, ("\n", "."), 0.7, 2): Generated("", False, True, 9, 0),
    Choose(Prompt("Which?"), ("A", "B")): Chosen((-1.25, float("-inf")), (1, 2), 4, 0.5),
    Choose(CHAT, ("yes", "no")): Chosen((-0.1, -2.0), (1, 1), 9),
    Generate(Prompt("How many?"), 9): Generated("two", True, True, 5, 8, "One and one."),
    Generate(Prompt("How many?"), 2): Unfinished("One and", 5, 2),
    Rate(CHAT): Rated((1.5,), 9),
    Rate(CHAT, "Me."): Rated((0.1, -3.0, 2.0), 11),
    Embed(Prompt("It swims.")): Embedded((0.6, -0.8), 3),
}


def origin(name, numerics=ORIGIN.numerics):
    return Origin(name, name, numerics)


def question(number):
    return Generate(Prompt(f"question {number}"))


def answer(text):
    return Generated(text, True, False, 1, 1)


def test_every_kind_of_answer_comes_back_as_it_was(tmp_path):
    Store(tmp_path).write(ORIGIN, ANSWERS)
    assert Store(tmp_path).read(ORIGIN, ANSWERS) == ANSWERS
    assert Store(tmp_path).read(ORIGIN, [question(1)]) == {}


@settings(max_examples=40, derandomize=True)
@given(st.text(st.characters(), max_size=20), st.text(st.characters(), max_size=20), st.floats(allow_nan=False))
def test_any_text_and_any_number_comes_back(tmp_path_factory, prompt, said, number):
    store = Store(tmp_path_factory.getbasetemp() / "any")
    answers = {
        Generate(Prompt(prompt)): answer(said),
        Choose(Prompt(prompt), (said, "x")): Chosen((number, 0.0), (1, 1), 1),
    }
    store.write(ORIGIN, answers)
    assert store.read(ORIGIN, answers) == answers


def test_what_failed_or_was_not_asked_is_not_kept(tmp_path):
    answers = {question(1): Failed("out of memory"), question(2): DoesNotFit(300, 256), question(3): answer("x")}
    Store(tmp_path).write(ORIGIN, answers)
    assert Store(tmp_path).read(ORIGIN, answers) == {question(3): answer("x")}


def test_another_checkpoint_never_gets_them(tmp_path):
    store = Store(tmp_path)
    store.write(origin("one"), {question(1): answer("one")})
    store.write(origin("two"), {question(1): answer("two"), question(2): answer("two")})
    assert store.read(origin("one"), [question(1), question(2)]) == {question(1): answer("one")}
    assert store.read(origin("three"), [question(1)]) == {}
    assert store.read(origin("one", "bfloat16"), [question(1)]) == {}


def test_the_same_content_has_the_same_answers_under_another_name(tmp_path):
    Store(tmp_path).write(Origin("tiny", "f", "n"), {question(1): answer("x")})
    assert Store(tmp_path).read(Origin("copy", "f", "n"), [question(1)]) == {question(1): answer("x")}


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
        Rate(Prompt("Q")),
        Embed(Prompt("Q")),
    ],
)
def test_another_request_has_another_answer(tmp_path, other):
    store = Store(tmp_path)
    store.write(ORIGIN, {Generate(Prompt("Q")): answer("x")})
    assert store.read(ORIGIN, [other]) == {}


def test_an_answer_may_be_given_again(tmp_path):
    store = Store(tmp_path)
    store.write(ORIGIN, {question(1): answer("old")})
    store.write(ORIGIN, {question(1): answer("new")})
    assert store.read(ORIGIN, [question(1)]) == {question(1): answer("new")}


def test_many_answers_are_read_at_once(tmp_path):
    answers = {question(number): answer(str(number)) for number in range(1234)}
    Store(tmp_path).write(ORIGIN, answers)
    assert Store(tmp_path).read(ORIGIN, answers) == answers


def test_a_store_that_is_not_there_has_nothing_and_reading_makes_none(tmp_path):
    assert Store(tmp_path / "store").read(ORIGIN, [question(1)]) == {}
    assert not (tmp_path / "store").exists()


def write_chunks(folder, name, start):
    while not start.is_set():
        pass
    for chunk in range(20):
        Store(Path(folder)).write(ORIGIN, {question(f"{name} {chunk} {number}"): answer(name) for number in range(10)})


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
    assert Store(tmp_path).read(ORIGIN, wanted) == wanted


KILLED = """
import os, signal, sys
from pathlib import Path
from fairprobe.requests import Generate, Generated, Prompt
from fairprobe.store import Store
with Store(Path(sys.argv[1]))._open() as database:
    database.execute("PRAGMA cache_size = 5")  # pages go to the file before the end of the transaction
    database.executemany("INSERT INTO answers VALUES (?, 1, ?)", ((f"{n:064}", "x" * 500) for n in range(5000)))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_killed_in_the_middle_leaves_what_was_written_before(tmp_path):
    before = {question(number): answer("before") for number in range(50)}
    store = Store(tmp_path)
    store.write(ORIGIN, before)
    size = store.path.stat().st_size
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert done.returncode == -9
    assert store.path.with_name("answers.sqlite-journal").stat().st_size > 0
    assert store.path.stat().st_size > size, "half of the transaction is in the file"
    assert Store(tmp_path).read(ORIGIN, before) == before
    with sqlite3.connect(store.path) as database:
        assert database.execute("SELECT count(*) FROM answers").fetchone() == (50,)
    Store(tmp_path).write(ORIGIN, {question(99): answer("after")})
    assert Store(tmp_path).read(ORIGIN, [question(99)]) == {question(99): answer("after")}


@pytest.mark.parametrize("torn", [b"", b"garbage" * 100])
def test_a_torn_journal_leaves_what_was_written_before(tmp_path, torn):
    store = Store(tmp_path)
    store.write(ORIGIN, ANSWERS)
    store.path.with_name("answers.sqlite-journal").write_bytes(torn)
    assert Store(tmp_path).read(ORIGIN, ANSWERS) == ANSWERS


def refusal(call, *arguments):
    with pytest.raises(StoreError) as refused:
        call(*arguments)
    return str(refused.value)


def test_a_newer_store_is_refused(tmp_path):
    store = Store(tmp_path)
    store.write(ORIGIN, ANSWERS)
    with sqlite3.connect(store.path) as database:
        database.execute("PRAGMA user_version = 7")
    assert refusal(store.read, ORIGIN, ANSWERS) == (
        f"the store {store.path} was written by a newer fairprobe (its version is 7, this one reads 2). "
        "Choose another folder with --fairprobe-store=DIR."
    )
    assert "was written by a newer fairprobe" in refusal(store.write, ORIGIN, ANSWERS)


def test_a_file_that_is_no_store_is_left_alone(tmp_path):
    (tmp_path / "answers.sqlite").write_text("my thesis, chapter one" * 100)
    store = Store(tmp_path)
    for call in (store.write, store.read):
        assert refusal(call, ORIGIN, ANSWERS) == (
            f"the store {store.path} is damaged or no store: file is not a database. It is left as it is; move it away "
            "or choose another folder with --fairprobe-store=DIR, and run again: what it held will be asked again."
        )
    assert store.path.read_text() == "my thesis, chapter one" * 100


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9])
def test_a_store_that_was_cut_short_says_what_to_do_and_is_left_alone(tmp_path, share):
    store = Store(tmp_path)
    answers = {question(number): answer("x" * 200) for number in range(1000)}
    store.write(ORIGIN, answers)
    whole = store.path.read_bytes()
    store.path.write_bytes(whole[: int(len(whole) * share)])
    assert refusal(store.read, ORIGIN, answers) == (
        f"the store {store.path} is damaged or no store: database disk image is malformed. It is left as it is; move "
        "it away or choose another folder with --fairprobe-store=DIR, and run again: what it held will be asked again."
    )
    assert store.path.read_bytes() == whole[: int(len(whole) * share)]


@pytest.mark.parametrize("torn", ['{"kind":"Gener', '{"kind":"Painted","text":"x"}', '{"kind":"Generated"}'])
def test_an_answer_that_cannot_be_understood_is_not_there(tmp_path, torn):
    store = Store(tmp_path)
    store.write(ORIGIN, {question(1): answer("x")})
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE answers SET answer = ?", [torn])
    assert store.read(ORIGIN, [question(1)]) == {}
    store.write(ORIGIN, {question(1): answer("again")})
    assert store.read(ORIGIN, [question(1)]) == {question(1): answer("again")}


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "store").write_text("")
    said = refusal(Store(tmp_path / "store").write, ORIGIN, ANSWERS)
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
    store.write(ORIGIN, ANSWERS)
    large = {question(number): answer("x" * 1000) for number in range(1000)}
    said = refusal(store.write, ORIGIN, large)
    assert said.startswith(
        f"the store {store.path} cannot be used: database or disk is full. What was written before is kept"
    )
    assert store.read(ORIGIN, ANSWERS) == ANSWERS
    assert store.read(ORIGIN, large) == {}
    store.write(ORIGIN, {question(1): answer("a short one")})


def test_what_is_pruned_is_gone_though_the_disk_has_no_room_to_make_the_file_smaller(small_disk):
    store, other = Store(small_disk), dataclasses.replace(ORIGIN, fingerprint="e" * 64)
    store.write(ORIGIN, ANSWERS)
    store.write(other, {question(number): answer(f"{number} " + "x" * 1000) for number in range(40)})
    free = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize - 48 * 1024))
    assert store.prune([ORIGIN]) == 0
    assert [kept.origin for kept in store.kept()] == [other]


def test_a_disk_that_can_only_be_read_still_answers(small_disk):
    Store(small_disk).write(ORIGIN, ANSWERS)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert Store(small_disk).read(ORIGIN, ANSWERS) == ANSWERS
    assert [kept.origin for kept in Store(small_disk).kept()] == [ORIGIN]
    assert "cannot be used: attempt to write a readonly database" in refusal(Store(small_disk).write, ORIGIN, ANSWERS)


# -- version 1


@pytest.fixture
def version_1(tmp_path):
    """A store as version 1 wrote it, with the answer of ORIGIN to question 1."""
    asked = json.dumps(["Generate", dataclasses.asdict(question(1))], sort_keys=True)
    key = hashlib.sha256(f"{ORIGIN.fingerprint}\n{ORIGIN.numerics}\n{asked}".encode()).hexdigest()
    held = {"kind": "Generated", "text": "old", "ended": True, "chat": False, "prompt_tokens": 1, "output_tokens": 1}
    database = sqlite3.connect(tmp_path / "answers.sqlite")
    with database:
        database.execute("CREATE TABLE answers (key TEXT PRIMARY KEY, answer TEXT) WITHOUT ROWID")
        database.execute("INSERT INTO answers VALUES (?, ?)", [key, json.dumps(held)])
        database.execute("PRAGMA user_version = 1")
    database.close()
    return Store(tmp_path)


def test_the_answers_of_version_1_stay_valid(version_1):
    assert version_1.read(ORIGIN, [question(1), question(2)]) == {question(1): answer("old")}
    version_1.write(ORIGIN, {question(2): answer("new")})
    assert version_1.read(ORIGIN, [question(1), question(2)]) == {
        question(1): answer("old"),
        question(2): answer("new"),
    }


def test_whose_the_answers_of_version_1_are_is_not_known(version_1):
    version_1.write(ORIGIN, {question(2): answer("new")})
    assert {(kept.origin.name, kept.answers) for kept in version_1.kept()} == {("unknown", 1), ("tiny", 1)}
    version_1.write(ORIGIN, {question(1): answer("again")})
    assert [(kept.origin, kept.answers) for kept in version_1.kept()] == [(ORIGIN, 2)]


# -- what is kept


def test_what_is_kept_is_told_origin_by_origin(tmp_path):
    store = Store(tmp_path)
    assert store.kept() == []
    before = time.time()
    store.write(origin("one"), {question(number): answer("x") for number in range(3)})
    store.write(origin("one", "bfloat16"), {question(1): answer("x")})
    store.write(Origin("renamed", "one", ORIGIN.numerics), {question(3): answer("x")})
    last, first = store.kept()
    assert (last.origin.name, last.origin, last.answers) == ("renamed", origin("one"), 4)
    assert (first.origin, first.answers) == (origin("one", "bfloat16"), 1)
    assert before <= last.first <= first.first == first.last <= last.last <= time.time()


def test_nothing_kept_is_nothing_told(tmp_path):
    Store(tmp_path).write(ORIGIN, {question(1): Failed("out of memory")})
    assert Store(tmp_path).kept() == []
    assert not Store(tmp_path).path.exists()


def test_what_is_pruned_is_gone_and_its_room_is_free(tmp_path):
    store = Store(tmp_path)
    for each in (origin("one"), origin("two")):
        store.write(each, {question(number): answer("x" * 1000) for number in range(200)})
    size = store.path.stat().st_size
    freed = store.prune([origin("one")])
    assert store.path.stat().st_size == size - freed
    assert 200_000 < freed < size
    assert store.read(origin("one"), [question(1)]) == {}
    assert store.read(origin("two"), [question(1)]) == {question(1): answer("x" * 1000)}
    assert [kept.origin for kept in store.kept()] == [origin("two")]
