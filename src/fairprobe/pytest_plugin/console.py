"""A console of rich's on pytest's own terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from typing import IO

    from rich.console import Console


class _Writer:
    """pytest's own way to the terminal, which its capturing leaves open, as a file for rich."""

    def __init__(self, config: pytest.Config) -> None:
        self._terminal = config.get_terminal_writer()

    def write(self, text: str) -> int:
        self._terminal.write(text)
        return len(text)

    def flush(self) -> None:
        self._terminal.flush()

    def isatty(self) -> bool:
        return sys.__stdout__ is not None and sys.__stdout__.isatty()


def console(config: pytest.Config) -> Console:
    """A console that writes where pytest does, as wide, and in colour where pytest is."""
    from rich.console import Console

    terminal = config.get_terminal_writer()
    return Console(
        file=cast("IO[str]", _Writer(config)), width=terminal.fullwidth, highlight=False, markup=False, emoji=False,
        color_system="standard" if terminal.hasmarkup else None,
    )  # fmt: skip
