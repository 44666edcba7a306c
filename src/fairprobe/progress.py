"""How far a long round of asking has come: a bar in a terminal, plain lines elsewhere, nothing under two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

PATIENCE = 2.0
"""Seconds before anything is shown."""
EVERY = 30.0
"""Seconds between two plain lines."""


@dataclass
class Progressing:
    """Counts answers as they come, and shows rates and time left on the console (None: shows nothing).

    `tokens` tells how many tokens were computed so far.
    """

    what: str
    total: int
    console: Console | None = None
    tokens: Callable[[], int] = lambda: 0
    done: int = 0
    _started: float = field(default_factory=time.monotonic)
    _said: float = 0.0
    _bar: Progress | None = None
    _task: TaskID = field(default=TaskID(0))

    def advance(self, count: int) -> None:
        """So many more are done."""
        self.done += count
        seconds = self._seconds
        if self.console is None or seconds < PATIENCE:
            return
        if self.console.is_terminal:
            self._advance_bar()
        elif seconds - self._said > EVERY or self._said == 0.0:
            self._said = seconds
            self._say(f"{self.done} of {self.total} requests, {self._rates}")

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def _rates(self) -> str:
        seconds = self._seconds
        left = seconds / self.done * (self.total - self.done)
        return f"{_rate(self.done / seconds)}/s, {_rate(self.tokens() / seconds)} tokens/s, {_clock(left)} left"

    def _advance_bar(self) -> None:
        if self._bar is None:
            # where a terminal is narrow the bar gives way, not the words
            columns = (
                TextColumn("{task.description}", markup=False), BarColumn(20),
                TextColumn("{task.completed:.0f} of {task.total:.0f}, {task.fields[rates]}", markup=False),
            )  # fmt: skip
            self._bar = Progress(*columns, console=self.console, transient=True)
            self._task = self._bar.add_task(self.what, total=self.total, rates="")
            self._bar.start()
        self._bar.update(self._task, completed=self.done, rates=self._rates)

    def _say(self, text: str) -> None:
        assert self.console is not None
        self.console.print(f"{self.what}: {text}", highlight=False, markup=False, soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._bar is not None or self._said:
            self._say(f"{self.done} of {self.total} requests and {self.tokens():,} tokens in {_clock(self._seconds)}")


def _rate(each_second: float) -> str:
    return f"{each_second:,.0f}" if each_second >= 10 else f"{each_second:.1f}"


def _clock(seconds: float) -> str:
    """A time as people read it.

    >>> _clock(75), _clock(3725)
    ('1:15', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
