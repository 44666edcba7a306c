"""Several models of one run: every expectation is judged for each, in the order in which they are named."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

import pytest

from fairprobe.errors import NoCheckpoint
from fairprobe.pytest_plugin import options


class Candidate(NamedTuple):
    """A checkpoint that `--model` names: what its tests and its folder are called, and where it lies."""

    name: str
    spec: str


_NAMED = pytest.StashKey[list[Candidate]]()


def named(config: pytest.Config) -> list[Candidate]:
    """Every model of a run. Raises `pytest.UsageError` for two of one name."""
    if _NAMED not in config.stash:
        from fairprobe.engines.checkpoints import short_name

        found = [Candidate(_plain(short_name(spec)), spec) for spec in options.several(config, "model")]
        twice = next((name for name, count in Counter(each.name for each in found).items() if count > 1), None)
        if twice is not None:
            specs = ", ".join(each.spec for each in found if each.name == twice)
            msg = f"--model: {specs} are both called {twice}, and tests are told apart by it; rename one of the folders"
            raise pytest.UsageError(msg)
        config.stash[_NAMED] = found
    return config.stash[_NAMED]


def check(config: pytest.Config) -> None:
    """Raise `pytest.UsageError` for two models of one name, before anything is collected."""
    if len(config.getoption("fairprobe_model") or ()) > 1:
        named(config)


def candidates(config: pytest.Config) -> list[Candidate]:
    """The models of a run that judges more than one; none of any other."""
    return named(config) if len(options.several(config, "model")) > 1 else []


def first(config: pytest.Config) -> Candidate | None:
    """The first of several; None where a run judges one model."""
    return next(iter(candidates(config)), None)


def told(item: pytest.Item) -> Candidate | None:
    """The candidate that a test says it is about, by itself or by the fixture `model`."""
    held = getattr(item, "candidate", None) or getattr(getattr(item, "callspec", None), "params", {}).get("model")
    return held if isinstance(held, Candidate) else None


def candidate_of(item: pytest.Item) -> Candidate | None:
    """Whom a test is about; None where a run judges one model. Raises `NoCheckpoint` where it does not say."""
    found, several = told(item), candidates(item.config)
    if found is None and several:
        names = ", ".join(each.name for each in several)
        msg = (
            f"{item.nodeid} asks a model, and this run judges {names}: state it at module level, or let the test take "
            "the fixture `model`"
        )
        raise NoCheckpoint(msg)
    return found


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes our fixture `model` once for each."""
    several = candidates(metafunc.config)
    held = metafunc._arg2fixturedefs.get("model", ())
    if several and "model" in metafunc.fixturenames and held and held[-1].func.__module__ == __package__:
        metafunc.parametrize("model", several, indirect=True, ids=[each.name for each in several], scope="session")


def called(case: str, candidate: Candidate | None) -> str:
    """What is added to the name of a test: its case, and whom it is about.

    >>> called("", None), called("[swh]", None), called("[swh]", Candidate("base", "path/to/base"))
    ('', '[swh]', '[swh-base]')
    """
    if candidate is None:
        return case
    return f"[{case[1:-1]}-{candidate.name}]" if case else f"[{candidate.name}]"


def _plain(name: str) -> str:
    """A name that can be a folder's."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "model"
