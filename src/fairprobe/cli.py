"""The command line beside pytest: what there is to know of suites without asking a checkpoint."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

app = typer.Typer(
    help="fairprobe: expectations of how a checkpoint treats groups. Suites are run by pytest.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
)  # fmt: skip


@app.callback()
def _commands() -> None:
    # with one command alone typer would take its name away
    pass


@app.command(context_settings={"ignore_unknown_options": True})
def power(suite: Annotated[list[str], typer.Argument(help="Folders or modules, and any option of pytest.")]) -> None:
    """What the expectations of a suite could decide: fairprobe power suites/demo [--model=…].

    Nothing is asked. How answers vary is read from those that a checkpoint gave before, if you name it; else assumed.
    """
    # a process of its own: pytest wants to be the first that imports its plugins
    command = [sys.executable, "-m", "pytest", "--fairprobe-power", "--no-header", *suite]
    raise typer.Exit(subprocess.run(command, check=False).returncode)
