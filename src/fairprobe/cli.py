"""The command line beside pytest: what there is to know of suites and of kept answers without asking a checkpoint."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairprobe.errors import FairprobeError

if TYPE_CHECKING:
    from fairprobe.store import Kept, Store

DAY = 24 * 60 * 60
STORE = Path(".fairprobe/store")
PYTEST = [sys.executable, "-m", "pytest", "--no-header"]
"""A process of its own: pytest wants to be the first that imports its plugins."""
MOVED = """\
moved by: the value of the groups that decide in the later run, which may be others than those of the earlier one
lost, won: samples that were right in the earlier run and are missed in the later, and the other way round"""
LEAST_PREFIX = 6
"""Characters of a fingerprint that are enough to name a checkpoint."""

app = typer.Typer(
    help="fairprobe: expectations of how a checkpoint treats groups. Suites are run by pytest.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
)  # fmt: skip
store = typer.Typer(rich_markup_mode=None)
app.add_typer(store, name="store")

Folder = Annotated[Path | None, typer.Option("--store", help="What --fairprobe-store names; default: .fairprobe/store")]


@app.command()
def init(
    data: Annotated[Path, typer.Argument(help="A file of samples: CSV, JSON Lines or Parquet.")],
    to: Annotated[Path | None, typer.Option("--to", metavar="FOLDER", help="Where to; default: suites/NAME.")] = None,
    *,
    prompt: Annotated[str, typer.Option(metavar="COL,…", help="What is asked, one read after the other.")] = "",
    answer: Annotated[str | None, typer.Option(metavar="COL", help="The right answer.")] = None,
    group: Annotated[str | None, typer.Option(metavar="COL", help="The groups to compare.")] = None,
    pair: Annotated[str | None, typer.Option(metavar="COL", help="The same question put to several groups.")] = None,
    options: Annotated[str, typer.Option(metavar="COL,…", help="A column of lists, or one column an option.")] = "",
) -> None:
    """Write a first suite for a file of samples: fairprobe init clues.csv [--to=FOLDER] [--group=COL …].

    Columns are told by their names and values, and it says which were taken. No file is ever overwritten.
    """
    from fairprobe.starting import Given, begin

    def several(names: str) -> tuple[str, ...]:
        return tuple(filter(None, names.split(",")))

    with _refusing():
        start = begin(data, to, Given(several(prompt), answer, group, pair, several(options)))
        _write_new(start.file, start.text)
    folder, model = shlex.quote(str(start.file.parent)), shlex.quote(f"--model={start.model}")
    typer.echo(f"{start.file}: {start.columns.kind} of {start.samples:,} samples")
    for role, (columns, why) in start.columns.chosen:
        typer.echo(f"  {role:8}  {', '.join(columns)}: {why}")
    if start.columns.pair is None:
        typer.echo("  pair      none: no column's values stand once in each group, so every row counts as evidence")
    typer.echo("To choose otherwise: --prompt, --options, --answer, --group, --pair, and --to=FOLDER. Next:")
    for name in start.hopeless:
        typer.echo(f"  {name} cannot pass with so few samples, whatever is answered: more of them, or a wider bound")
    # a recording tells how its own answers vary; a checkpoint that is still to be named does not
    typer.echo(f"  fairprobe power {folder}" + (f" {model}" if start.columns.kind == "Recorded" else ""))
    typer.echo(f"  pytest {folder} {model}")


@app.command()
def doctor(
    model: Annotated[
        str | None, typer.Option(help="What --model of a run names: will it be answered, and by what?")
    ] = None,
    engine: Annotated[str, typer.Option(help="What --fairprobe-engine of a run names.")] = "auto",
    engine_arg: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="As --fairprobe-engine-arg; repeatable.")
    ] = None,
    folder: Folder = None,
) -> None:
    """Say what is installed, what is here, and what would answer for a checkpoint: fairprobe doctor [--model=…].

    No weights are loaded and nothing is downloaded. It exits with 1 where what is asked for cannot work.
    """
    from fairprobe.doctor import examine

    if odd := next((each for each in engine_arg or () if "=" not in each), None):
        msg = f"{odd!r}: write KEY=VALUE, as in --engine-arg dtype=bfloat16"
        raise typer.BadParameter(msg)
    arguments = dict(each.split("=", 1) for each in engine_arg or ())
    works = True
    for finding in examine(model, engine, arguments, folder or STORE):
        typer.echo(f"{finding.name:13} {finding.said}", err=not finding.works)
        works &= finding.works
    raise typer.Exit(not works)


@app.command(context_settings={"ignore_unknown_options": True})
def power(suite: Annotated[list[str], typer.Argument(help="Folders or modules, and any option of pytest.")]) -> None:
    """What the expectations of a suite could decide: fairprobe power suites/demo [--model=…].

    Nothing is asked. How answers vary is read from those that a checkpoint gave before, if you name it; else assumed.
    """
    raise typer.Exit(subprocess.run([*PYTEST, "--fairprobe-power", *suite], check=False).returncode)


@app.command(context_settings={"ignore_unknown_options": True})
def audit(
    suite: Annotated[list[str], typer.Argument(help="Folders or modules, --model=…, and any option of pytest.")],
    to: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write it as JSON, too.")] = None,
) -> None:
    """Whether a suite can be trusted: fairprobe audit suites/demo --model=… [--baseline=…] [--json=FILE].

    Nothing is asked. Answers that are kept (or recorded) are drawn again, with no gap and with planted ones. It exits
    with 1 where an expectation fails too often, notices too little, cannot fail, cannot pass or says nothing new.
    """
    written = [] if to is None else [f"--fairprobe-audit-json={to}"]
    raise typer.Exit(subprocess.run([*PYTEST, "--fairprobe-audit", *written, *suite], check=False).returncode)


@app.command()
def sets(
    name: Annotated[str | None, typer.Argument(help="One of them: its columns, and what to know of it.")] = None,
) -> None:
    """The public data sets that fairprobe knows the columns of: fairprobe sets [NAME]."""
    from dataclasses import asdict

    from fairprobe.data import mapped, mapping

    if name is None:
        wide = max(map(len, mapped()))
        for each, held in mapped().items():
            typer.echo(f"{each:{wide}}  {held.licence:16}  {held.hub or held.url}")
        return
    with _refusing():
        known = mapping(name)
    for field, value in asdict(known).items():
        shown = ", ".join(value) if isinstance(value, tuple) else value
        if field == "revision" or shown:
            typer.echo(f"{field}: {shown or 'not verified against the hub'}")


class Form(StrEnum):
    """What a run can be written as."""

    html = "html"
    markdown = "markdown"
    card = "card"
    csv = "csv"


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or its results.json.")],
    form: Annotated[
        Form, typer.Option("--as", help="The page, Markdown, a model card's fragment, or the groups as CSV.")
    ] = Form.html,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Where to; a page: beside its results.")
    ] = None,
) -> None:
    """Write the report of a run again, or for other readers: fairprobe report reports/… [--as=markdown] [--to=FILE].

    Without --to it is printed; a page is written beside its results.json.
    """
    from fairprobe import report as reporting

    with _refusing():
        found = reporting.Run.at(run)
        write = {
            "html": reporting.render,
            "markdown": reporting.markdown,
            "card": reporting.card,
            "csv": reporting.table,
        }
        text = write[form.value](found.results)
        file = to or (found.folder / "index.html" if form is Form.html else None)
        if file is None:
            typer.echo(text, nl=False)
            return
        _write(file, text, "--to")
        typer.echo(file)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="The folder of a run, or its results.json.")],
    after: Annotated[Path, typer.Argument(help="That of a later run of the same tests.")],
    to: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write it as JSON, too.")] = None,
) -> None:
    """What moved between two runs of the same tests; nothing is asked.

    Samples that both runs asked are compared one by one. The exit status says nothing of the verdicts.
    """
    from rich.console import Console

    from fairprobe import report as reporting

    with _refusing():
        runs = [reporting.Run.at(path) for path in (before, after)]
        found = reporting.compare(*runs)
        if to is not None:
            _write(to, json.dumps(found, indent=1, ensure_ascii=False), "--json")
    console = Console(highlight=False, markup=False, emoji=False)

    def say(line: str) -> None:
        console.print(reporting.printable(line), soft_wrap=True)

    say(f"{runs[0].folder} ({runs[0].model}), then {runs[1].folder} ({runs[1].model})")
    if found["claims"]:
        console.print(reporting.moved(found, console.width))
        say(MOVED)
    else:
        say("they judged no test of the same name")
    for name, word in (("added", "in the later one only"), ("removed", "in the earlier one only")):
        for test in found[name]:
            say(f"{word}: {test}")


@app.command()
def bless(
    run: Annotated[Path, typer.Argument(help="The folder of a run, or its results.json.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Where to; else baseline.json beside the tests.")
    ] = None,
) -> None:
    """Write what a run found as the baseline of its suite, to be committed: fairprobe bless reports/… [--to=FILE].

    Later runs say what moved since. It lies in the folder that the tests share, seen from pytest's root directory.
    """
    from fairprobe import report as reporting

    with _refusing():
        for line in reporting.bless(run, to, Path.cwd()):
            typer.echo(line)


@app.command()
def attempts(
    suite: Annotated[str | None, typer.Argument(help="The folder of its tests, or its hash.")] = None,
    folder: Folder = None,
) -> None:
    """How often suites were tried, and the error that this adds up to: fairprobe attempts [SUITE]."""
    from fairprobe import attempts as ledger
    from fairprobe import report as reporting

    with _refusing():
        file = (folder or Path(".fairprobe/store")).parent / ledger.NAME
        held = ledger.read(file)
        blessed = {each.tests: reporting.blessed_at(Path.cwd(), each.tests) for each in held.attempts}
        lines = list(ledger.told(held, suite, blessed))
    for line in lines or [f"no attempt{f' of {suite}' if suite else ''} is written in {file}"]:
        typer.echo(reporting.printable(line))


def _write(file: Path, text: str, option: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{file} cannot be written: {error.strerror or error}. Name another file: {option}=FILE"
        raise FairprobeError(msg) from error


def _write_new(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as held:
            held.write(text)
    except OSError as error:
        msg = f"{file} cannot be written: {error.strerror or error}. Name another folder: --to=FOLDER"
        raise FairprobeError(msg) from error


@contextmanager
def _refusing() -> Iterator[None]:
    """What is wrong with what was named ends the command."""
    try:
        yield
    except FairprobeError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from error


@store.callback(invoke_without_command=True)
def show(context: typer.Context, folder: Folder = None) -> None:
    """Whose answers are kept. To remove some: fairprobe store prune."""
    from fairprobe.store import in_bytes

    context.obj = folder
    if context.invoked_subcommand is None:
        with _opened(folder) as held:
            kept = held.kept()
            typer.echo(f"{held.path}, {in_bytes(held.size)}" if kept else f"nothing is kept in {held.path}")
            _table(kept)


@store.command()
def prune(
    context: typer.Context,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="To which nothing was added for so many days.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this name, or whose fingerprint begins so.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are kept.")] = False,
    folder: Folder = None,
) -> None:
    """Remove kept answers: those of one checkpoint, old ones, or all. What is removed is asked again when it is needed.

    With both --older-than and --checkpoint it is that checkpoint's old ones.
    """
    if everything == (older_than is not None or checkpoint is not None):
        msg = "choose what to remove: --older-than=DAYS, --checkpoint=NAME or both, or --all alone"
        raise typer.BadParameter(msg)
    from fairprobe.store import in_bytes

    with _opened(folder or context.obj) as held:
        removed = [
            kept
            for kept in held.kept()
            if (older_than is None or kept.last < time.time() - older_than * DAY)
            and (checkpoint is None or _is_named(kept, checkpoint))
        ]
        freed = held.prune([kept.origin for kept in removed]) if removed else 0
        typer.echo(f"{'removed' if removed else 'nothing to remove'} from {held.path}, {in_bytes(freed)} freed")
        _table(removed)


@contextmanager
def _opened(folder: Path | None) -> Iterator[Store]:
    """The store, to work with."""
    from fairprobe.store import Store

    with _refusing():
        yield Store(folder or STORE)


def _is_named(kept: Kept, name: str) -> bool:
    print_ = kept.origin.fingerprint
    return name == kept.origin.name or (len(name) >= LEAST_PREFIX and print_.startswith(name))


def _table(kept: Sequence[Kept]) -> None:
    """A row for each origin, under a heading; nothing where there is none."""
    rows = [("checkpoint", "fingerprint", "engine", "answers", "last written"), *map(_row, kept)] if kept else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, print_, engine, answers, last in rows:
        typer.echo(f"  {name:{widths[0]}}  {print_:{widths[1]}}  {engine:{widths[2]}}  {answers:>{widths[3]}}  {last}")


def _row(kept: Kept) -> tuple[str, ...]:
    written = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept.last))
    return kept.origin.name, kept.origin.fingerprint[:12], _engine(kept.origin.numerics), f"{kept.answers:,}", written


def _engine(numerics: str) -> str:
    """Engine and dtype, of an engine that says them as ours do; else its own line."""
    try:
        said = json.loads(numerics)
        return " ".join(str(said[name]) for name in ("engine", "dtype") if name in said)
    except (ValueError, TypeError):
        return numerics[:30]
