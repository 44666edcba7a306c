"""Anything long says how far it has come; anything short, or without a console, says nothing."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

from fairprobe import progress
from fairprobe.progress import Progressing

NOW = 1000.0


@pytest.fixture(autouse=True)
def _clock_that_stands_still(monkeypatch):
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: NOW))


@pytest.fixture
def console():
    """A place that is no terminal."""
    return Console(file=io.StringIO(), width=60)


def asking(console, seconds, total=400):
    """Asking that began so many seconds ago, and computes 100 tokens a request."""
    made = Progressing("asking the model tiny", total, console, lambda: 100 * made.done)
    made._started = NOW - seconds
    return made


def test_what_is_short_says_nothing(console):
    with asking(console, 1.0) as run:
        run.advance(400)
    assert console.file.getvalue() == ""


def test_without_a_console_nothing_is_said():
    with asking(None, 60.0) as run:
        run.advance(400)


def test_without_a_terminal_there_are_plain_lines_and_the_totals(console):
    with asking(console, 10.0) as run:
        run.advance(200)
        run.advance(1)
        run._started -= 90.0
        run.advance(99)
        run.advance(100)
    assert console.file.getvalue().splitlines() == [
        "asking the model tiny: 200 of 400 requests, 20/s, 2,000 tokens/s, 0:10 left",
        "asking the model tiny: 300 of 400 requests, 3.0/s, 300 tokens/s, 0:33 left",
        "asking the model tiny: 400 of 400 requests and 40,000 tokens in 1:40",
    ]


def test_a_line_is_said_at_most_so_often(console):
    with asking(console, 10.0, total=1000) as run:
        for _ in range(1000):
            run._started -= 0.1
            run.advance(1)
    assert len(console.file.getvalue().splitlines()) == 1 + 100 // progress.EVERY + 1


def test_what_breaks_says_how_far_it_came(console):
    with pytest.raises(KeyboardInterrupt), asking(console, 10.0) as run:
        run.advance(100)
        raise KeyboardInterrupt
    assert console.file.getvalue().endswith("asking the model tiny: 100 of 400 requests and 10,000 tokens in 0:10\n")


def test_a_terminal_has_a_bar_that_goes_when_it_is_done():
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    with asking(console, 10.0) as run:
        run.advance(200)
        run._bar.refresh()
        shown = console.file.getvalue()
        run.advance(200)
    assert re.search(r"asking the model tiny ━+╸? *200 of 400, 20/s, 2,000 tokens/s, 0:10 left", shown)
    assert "asking the model tiny: 400 of 400 requests and 40,000 tokens in 0:10\n" in console.file.getvalue()
