"""How far a long round of asking has come: a bar in a terminal, plain lines elsewhere, nothing under two seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

PATIENCE = 2.0
"""Seconds before anything is shown."""
EVERY = 30.0
"""Seconds between two plain lines."""


@dataclass
class Progressing:
    """Counts answers as they come, and shows rate and time left on the console (None: shows nothing)."""

    what: str
    total: int
    console: Console | None = None
    done: int = 0
    _started: float = field(default_factory=time.monotonic)
    _said: float = 0.0
    _bar: Progress | None = None
    _task: TaskID = field(default=TaskID(0))

    def advance(self, count: int) -> None:
        """So many more are done."""
        self.done += count
        seconds = time.monotonic() - self._started
        if self.console is None or seconds < PATIENCE:
            return
        if self.console.is_terminal:
            self._advance_bar()
        elif seconds - self._said > EVERY or self._said == 0.0:
            self._said = seconds
            left = seconds / self.done * (self.total - self.done)
            self.console.print(
                f"{self.what}: {self.done} of {self.total} requests, {self.done / seconds:.0f} a second, "
                f"about {left:.0f} s left", highlight=False, soft_wrap=True,
            )  # fmt: skip

    def _advance_bar(self) -> None:
        if self._bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self.console, transient=True)
            self._task = self._bar.add_task(self.what, total=self.total)
            self._bar.start()
        self._bar.update(self._task, completed=self.done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
