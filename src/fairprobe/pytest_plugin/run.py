"""A run of expectations under pytest: options to a session, expectations to a plan, verdicts to entries."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import pytest
from rich.console import Console

from fairprobe import report
from fairprobe.engines.checkpoints import short_name
from fairprobe.errors import FairprobeError
from fairprobe.expressions import Expectation
from fairprobe.measuring import Model
from fairprobe.metrics import Role
from fairprobe.pace import duration
from fairprobe.plan import Plan
from fairprobe.pytest_plugin import options
from fairprobe.pytest_plugin.candidates import Candidate, named
from fairprobe.pytest_plugin.console import console
from fairprobe.pytest_plugin.folder import folder_of
from fairprobe.pytest_plugin.workers import is_worker
from fairprobe.session import Session
from fairprobe.settings import Counts, Settings
from fairprobe.verdict import Defaults

Found = TypeVar("Found")

ROLES: tuple[Role, Role] = ("model", "baseline")
MOST_LISTED = 12


class Stated(Protocol):
    """A pytest item that states an expectation."""

    expectation: Expectation
    path: Path

    @property
    def nodeid(self) -> str:
        """Its name in the run."""


class Judged(NamedTuple):
    """A verdict as plain data and as text."""

    entry: dict[str, Any]
    text: str


class Run:
    """One model beside its baseline: planned when items are collected, asked when the first is set up, judged by item.

    A run of several candidates has one of these for each, and one more for each checkpoint that they are compared with.
    """

    def __init__(self, config: pytest.Config, candidate: Candidate | None = None, since: str | None = None) -> None:
        self.config = config
        self.candidate = candidate
        self.since = since
        self.settings = settings_of(config, candidate, since)
        self.session = Session(self.settings, _console(config))
        self.started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.planned: Plan | None = None
        self.counts = Counts()
        self.rounds: list[dict[str, Any]] = []
        self.claims = options.profile_name(config) != options.NO_CLAIM
        self._problems: dict[Expectation, FairprobeError] = {}
        self._asked = False
        self._broken: FairprobeError | None = None
        self.files: set[Path] = set()
        self.has_faults = False
        self.audited: list[dict[str, Any]] = []
        self.tests: list[str] = []

    def plan(self, items: Sequence[Stated]) -> list[str]:
        """Plan the items' expectations, and say in lines what that will cost and what it can decide."""
        self._refuse_folder()
        self.files = {item.path for item in items}
        self.tests = sorted(item.nodeid for item in items)
        checked = list(self._each(items, self.session.check))
        try:
            self.planned = self.session.plan(checked)
            return [*self._lines(len(items), checked), *self._problem_line()]
        except FairprobeError as error:
            self._broken = error
            self.planned = Plan(tuple(checked))
            return [f"{self._says}{_counted(len(items))}; {error}"]

    def foresee(self, items: Sequence[Stated]) -> list[str]:
        """What the items' expectations could decide, in lines; nothing is asked."""
        foreseen = self._each(items, self.session.foresee)
        return [*report.power_lines([*foreseen.values()]), *self._problem_line()]

    def audit(self, items: Sequence[Stated]) -> list[str]:
        """What the items' expectations say of kept answers drawn again, in lines; nothing is asked."""
        mine = list(dict.fromkeys(item.expectation for item in items))
        found = self._each(items, lambda each: self.session.audit(each, mine))
        tests = {item.expectation: item.nodeid for item in items}
        self.has_faults = any(each.faults for each in found.values())
        self.audited = [{"test": tests[each], **audit.plain()} for each, audit in found.items()]
        return [*report.audit_lines([*found.values()]), *self._problem_line()]

    def _each(self, items: Sequence[Stated], find: Callable[[Expectation], Found]) -> dict[Expectation, Found]:
        """What is found of each distinct expectation that has no problem; problems are remembered."""
        found = {}
        for expectation in dict.fromkeys(item.expectation for item in items):
            try:
                found[expectation] = find(expectation)
            except FairprobeError as error:
                self._problems[expectation] = error
        return found

    def prepare(self, item: Stated) -> None:
        """Raise what is wrong with an item's expectation; else have everything that is planned asked, once."""
        if item.expectation in self._problems:
            raise self._problems[item.expectation]
        self._ask_planned()

    def _ask_planned(self) -> None:
        if not self._asked and self._broken is None and self.planned is not None:
            self._asked = True
            try:
                self.session.ask(self.planned, self.counts)
                self.session.close()
            except FairprobeError as error:
                self._broken = error
        if self._broken is not None:
            raise self._broken

    def judge(self, expectation: Expectation, test: str) -> Judged:
        """The verdict on an expectation; one that was not planned is asked in a round of its own."""
        if self.planned is None or expectation not in self.planned.expectations:
            self._ask_more(expectation, test)
        else:
            self._ask_planned()
        verdict = self.session.judge(expectation)
        entry = report.entry(test, verdict, self.session.seen(expectation), self.names)
        entry["red"] = entry["red"] and self.claims
        entry["candidate"] = self._called
        return Judged(entry, report.failure(entry, self._page()))

    def error_entry(self, expectation: Expectation, test: str, error: str) -> dict[str, Any]:
        """An expectation that could not be judged."""
        entry = report.error_entry(test, expectation, error, self.settings.defaults, self.names)
        return entry | {"candidate": self._called}

    @property
    def _called(self) -> str | None:
        return self.candidate.name if self.candidate else None

    def role(self, role: Role) -> Model:
        """A checkpoint for tests that ask it themselves. Raises `NoCheckpoint` where none is named."""
        __tracebackhide__ = True
        try:
            self.session.checkpoint(role)
        except FairprobeError as error:
            # where in our code it was found tells its reader nothing
            raise error.with_traceback(None) from None
        self.planned = self.planned or Plan()
        return Model(self.session, role)

    @property
    def has_problems(self) -> bool:
        """Whether some expectation cannot be judged, for what is wrong with it or its data."""
        return bool(self._problems)

    @property
    def is_broken(self) -> bool:
        """Whether something kept it from being asked whole."""
        return self._broken is not None

    @property
    def names(self) -> dict[str, str | None]:
        """What the checkpoints are called in the report."""
        return {role: None if (spec := self.settings.spec(role)) is None else short_name(spec) for role in ROLES}

    def _ask_more(self, expectation: Expectation, test: str) -> None:
        self.session.check(expectation)
        plan = self.session.plan([expectation])
        counts = self.session.ask(plan)
        self.rounds.append({"reason": test, **asdict(counts)})
        before = self.planned or Plan()
        self.planned = replace(before, expectations=(*before.expectations, expectation))

    def _lines(self, items: int, checked: Sequence[Expectation]) -> list[str]:
        assert self.planned is not None
        distinct = self.planned.distinct
        want = "wants" if items == 1 else "want"
        line = f"{self._says}{_counted(items)} {want} {self.planned.wanted:,} answers, {distinct:,} distinct"
        if self.settings.model and self.settings.recorded("model") is None and distinct:
            lacking = self.session.lacking(self.planned)
            todo = sum(map(len, lacking.values()))
            tokens = self.session.tokens(lacking) if todo else None
            at_most = "at most " if self.settings.stop == "sequential" and todo else ""
            line += f"; {distinct - todo:,} are stored, {at_most}{todo:,} to ask"
            cost = [] if tokens is None else [f"{tokens:,} prompt tokens"]
            if todo and (seconds := self.session.seconds_left(lacking)) is not None:
                cost.append(f"{duration(seconds)} at the last run's pace")
            line += f" ({', '.join(cost)})" if cost else ""
        hopeless = [each for each in checked if self.session.can_pass(each) is False]
        return [
            line,
            *([self._stopping(checked)] if self.settings.stop == "sequential" else []),
            *(
                f"{self._says}cannot pass with so few samples, whatever is answered: {each!r}"
                for each in hopeless[:MOST_LISTED]
            ),
            *([f"{self._says}and {len(hopeless) - MOST_LISTED} more"] if len(hopeless) > MOST_LISTED else []),
        ]

    def _stopping(self, checked: Sequence[Expectation]) -> str:
        whole = Counter(filter(None, map(self.session.asked_whole, checked)))
        return f"{self._says}{len(checked) - whole.total()} may stop early{_told(whole)}"

    def _problem_line(self) -> list[str]:
        if not self._problems:
            return []
        return [f"{self._says}{len(self._problems)} cannot be judged; the first: {next(iter(self._problems.values()))}"]

    @property
    def _says(self) -> str:
        """How a line of the plan begins."""
        whom = [self.candidate.name] if self.candidate else []
        since = [f"since {self.since}"] if self.since else []
        return ": ".join(["fairprobe", *filter(None, [", ".join([*whom, *since])]), ""])

    def _refuse_folder(self) -> None:
        """A report that cannot be written is better known before anything is asked."""
        folder = self.folder
        existing = next((place for place in (folder, *folder.parents) if place.exists()), folder)
        try:
            if not self.config.option.collectonly:
                folder.mkdir(parents=True, exist_ok=True)
                # of a name of its own: xdist's workers look at the same time
                with tempfile.TemporaryFile(dir=folder):
                    pass
        except OSError as error:
            msg = (
                f"fairprobe: the report folder {folder} cannot be written ({error}; {existing} exists). "
                "Choose another: --fairprobe-report=DIR"
            )
            raise pytest.UsageError(msg) from error

    @property
    def folder(self) -> Path:
        """Where the report is written: of several candidates, each has a folder in the run's."""
        return folder_of(self.config, self.candidate)

    def unanswerable(self, expectation: Expectation) -> str | None:
        """Why there are no answers to it, so that it is deselected; else None."""
        if self.since is not None and self.settings.baseline == self.settings.model:
            return f"that compare {self.since} with itself"
        return self.session.unanswerable(expectation)

    def _page(self) -> str:
        page = self.folder / "index.html"
        root = self.config.invocation_params.dir
        return str(page.relative_to(root) if page.is_relative_to(root) else page)


def settings_of(config: pytest.Config, candidate: Candidate | None = None, since: str | None = None) -> Settings:
    """The session's settings, from the options of this run; the baseline is the checkpoint that `since` names."""
    baseline = options.single(config, "baseline")
    if since is not None:
        there = [*named(config), *([Candidate(short_name(baseline), baseline)] if baseline else [])]
        called = {each.spec for each in there if each.name == since}
        if len(called) > 1:
            msg = f"since={since!r} may be {' or '.join(sorted(called))}: rename one of the folders"
            raise pytest.UsageError(msg)
        baseline = next(iter(called), None)

    def folder(name: str) -> Path | None:
        held = options.value(config, name)
        return None if held is None else Path(config.invocation_params.dir, held)

    return Settings(
        model=candidate.spec if candidate else options.single(config, "model"),
        baseline=baseline,
        since=since,
        engine=options.value(config, "engine") or "auto",
        engine_arguments=options.pairs(config, "engine-arg"),
        template_arguments=options.pairs(config, "template-arg"),
        data=folder("data"),
        store=folder("store") or config.rootpath / ".fairprobe" / "store",
        limit=options.value(config, "limit"),
        stop=options.value(config, "stop") or "full",
        accepted=frozenset(options.several(config, "accept")),
        sample=options.profile_name(config) == options.NO_CLAIM,
        defaults=Defaults(
            confidence=options.value(config, "confidence") or 0.95,
            mode="alarm" if options.value(config, "inconclusive") == "warn" else "prove",
            seed=options.value(config, "seed") or 0,
        ),
    )


def _told(whole: Mapping[str, int]) -> str:
    """How many are asked whole, by the reason."""
    counts = ", ".join(f"{count} {reason}" for reason, count in whole.items())
    return f"; asked whole: {counts}" if counts else ""


def _counted(items: int) -> str:
    return "1 expectation" if items == 1 else f"{items} expectations"


def _console(config: pytest.Config) -> Console | None:
    is_quiet = config.get_verbosity() < 0
    if is_quiet or is_worker(config) or not config.pluginmanager.hasplugin("terminalreporter"):
        return None
    return console(config)
