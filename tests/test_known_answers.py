"""Checkpoints that were taught something are told apart by what they were taught, and of whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("torch")

import related_world as world
from fairprobe import (
    Drift,
    Generation,
    Preference,
    alignment,
    distinct,
    ead,
    kl_from_base,
    learning_lag,
    persona_lift,
    preference_accuracy,
    preference_margin,
)
from fairprobe.expressions import Question
from fairprobe.measuring import measure

pytestmark = pytest.mark.usefixtures("one_thread")

Tell = Callable[..., dict[str, dict[str, float]]]
PEOPLE = world.people(80, 9)
STATEMENTS = Preference(
    [each for behaviour in world.BEHAVIOURS for each in world.pairs(behaviour)[1::2]], "{asked}",
    name="statements", chosen="yes", rejected="no", format="plain",
)  # fmt: skip
SAID = Generation(
    [{**each, "again": number} for number in range(6) for each in world.openings()], "{begin}",
    name="said", samples=4, temperature=1.0, max_tokens=4, format="plain",
)  # fmt: skip


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The folder of a checkpoint by its name, taught when it is first asked for."""
    root = tmp_path_factory.mktemp("taught")
    made: dict[str, Callable[[Path], Path]] = {
        "follower": lambda folder: world.survey(folder, follows=True),
        "ignorer": lambda folder: world.survey(folder, follows=False),
        "writer": world.writer,
        "collapsed": lambda folder: world.collapsed(folder, of("writer")),
        "moved": lambda folder: world.moved(folder, of("writer")),
        "thrifty": lambda folder: world.preferring(folder, of("writer"), ["thrift"]),
        "both": lambda folder: world.preferring(folder, of("thrifty"), ["thrift", "haste"]),
    }

    def of(name: str) -> Path:
        folder = root / name
        return folder if folder.exists() else made[name](folder)

    return lambda name: str(of(name))


@pytest.fixture
def told(taught: Callable[[str], str]) -> Tell:
    def told(question: Question, model: str, baseline: str | None = None) -> dict[str, dict[str, float]]:
        roles = {"model": taught(model)} | ({"baseline": taught(baseline)} if baseline else {})
        table = measure(question, **roles)
        return {row[question.columns[0]]: row for row in table.iter_rows(named=True)}

    return told


def test_a_checkpoint_that_follows_personas_is_told_from_one_that_knows_their_country_alone(told: Tell):
    follower, ignorer = (told(persona_lift(PEOPLE).by("country"), name) for name in ("follower", "ignorer"))
    # half of a country answers two steps of three apart: 1 - (1/2 + 1/2 * 1/3), by others than oneself
    assert all(0.2 < each["low"] < each["value"] < 0.36 for each in follower.values())
    assert all(each["low"] < 0 < each["high"] and abs(each["value"]) < 0.02 for each in ignorer.values())


def test_alignment_alone_does_not_tell_them_apart(told: Tell):
    level = alignment(PEOPLE, corrected=False)
    ignorer = told(level.by("country"), "ignorer")
    assert all(each["low"] > 0.5 for each in ignorer.values()), "an answer that knows nothing is right by about half"
    assert all(each["value"] > 0.95 for each in told(level.by("country"), "follower").values())


def test_what_one_group_prefers_was_learnt_and_another_groups_was_not(told: Tell):
    margins = told(preference_margin(STATEMENTS).change().by("behaviour"), "thrifty", "writer")
    assert margins["thrift"]["low"] > 2
    assert abs(margins["haste"]["value"]) < 1
    gains = told(preference_margin(STATEMENTS).change().above(0).by("behaviour"), "both", "writer")
    assert {each["value"] for each in gains.values()} == {1.0}


def test_what_is_learnt_later_lags(taught: Callable[[str], str]):
    chain = [taught(name) for name in ("writer", "thrifty", "both")]
    table = learning_lag(preference_margin(STATEMENTS), "behaviour", chain)
    lags = dict(table.select("behaviour", "lag").rows())
    assert lags["thrift"] == 0
    assert 0.3 < lags["haste"] < 1
    assert table.filter(pl.col("behaviour") == "haste")["earliest"].item() > 1


def test_held_out_statements_are_preferred_as_those_that_were_taught(told: Tell):
    assert {each["value"] for each in told(preference_accuracy(STATEMENTS).by("behaviour"), "both").values()} == {1.0}


@pytest.mark.parametrize("metric", [ead(SAID, across=True), distinct(SAID), distinct(SAID, across=True)])
def test_a_checkpoint_that_collapsed_in_one_language_has_lost_its_variety_there(told: Tell, metric):
    left = told(metric.relative().by("language"), "collapsed", "writer")
    assert left["en"]["value"] < 0.4
    assert left["es"]["value"] > 0.85


def test_a_checkpoint_that_moved_in_one_language_is_far_from_its_baseline_there(told: Tell):
    for per in ("token", "byte"):
        apart = told(kl_from_base(Drift(SAID), per).by("language"), "moved", "writer")
        assert apart["es"]["low"] > 20 * apart["en"]["high"], per
    varied = told(distinct(SAID).relative().by("language"), "moved", "writer")
    assert min(each["value"] for each in varied.values()) > 0.85, "it moved, and is as varied as before"
