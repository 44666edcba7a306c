"""What one pytest process remembers of a run: its entries, its plan lines, and the run itself once one is needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from fairprobe.errors import FairprobeError
from fairprobe.pytest_plugin.folder import report_folder
from fairprobe.pytest_plugin.options import asks_nothing, audits
from fairprobe.pytest_plugin.workers import Controller, is_worker, leave_facts, leave_plan

if TYPE_CHECKING:
    from fairprobe.metrics import Role
    from fairprobe.pytest_plugin.run import Run


NOTHING = "fairprobe: there is no expectation; name the folder of a suite, as in: fairprobe power suites/demo"


class Record:
    """Kept on `config.stash[Record.KEY]`, and registered as a plugin, since reports know no config."""

    KEY: ClassVar[pytest.StashKey[Record]] = pytest.StashKey()

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.entries: list[dict[str, Any]] = []
        self.plan_lines: list[str] = []
        self.deselected: Counter[str] = Counter()
        self.partial = False
        self.page: Path | None = None
        self.results: dict[str, Any] | None = None
        self.complaint: str | None = None
        self.messages: list[str] = []
        self.refused: str | None = None
        self._run: Run | None = None
        self.workers = Controller()

    @classmethod
    def of(cls, config: pytest.Config) -> Record:
        """The record of this process."""
        return config.stash[cls.KEY]

    @property
    def run(self) -> Run:
        """The run; made, with all that it imports, when it is first needed."""
        if self._run is None:
            from fairprobe.pytest_plugin.run import Run

            self._run = Run(self.config)
        return self._run

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Reports reach the process that writes the page, and bring their entries with them."""
        self.entries += vars(report).get("fairprobe", ())

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """A partial selection makes no statement about a release."""
        self.partial = self.partial or bool(_expectations(items))

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Remember why a run was refused: nobody hears a worker say it."""
        try:
            yield
        except pytest.UsageError as error:
            self.refused = str(error)
            raise

    def deselect(self, items: list[pytest.Item]) -> None:
        """Take out the expectations that this run has no answers to, by reason; nothing left is an error."""
        mine = [item for item in items if hasattr(item, "expectation") or asked_roles(item)]
        if not mine or not self.run.settings.model:
            return
        reasons = {item: reason for item in mine if (reason := self._unanswerable(item))}
        if not reasons:
            return
        self.deselected.update(reasons.values())
        items[:] = [item for item in items if item not in reasons]
        self.config.hook.pytest_deselected(items=list(reasons))
        if all(item in reasons for item in _expectations(mine) or mine):
            why = "; ".join(f"{count} {reason}" for reason, count in self.deselected.items())
            msg = f"fairprobe: no expectation is left with --model={self.run.settings.model}: {why}"
            raise pytest.UsageError("\n".join([msg, *self.run.session.unrecorded.values()]))

    def _unanswerable(self, item: Any) -> str | None:
        if hasattr(item, "expectation"):
            return self.run.session.unanswerable(item.expectation)
        recorded = [role for role in asked_roles(item) if self.run.settings.recorded(role) is not None]
        return f"that ask a checkpoint, since --{recorded[0]} names recorded answers" if recorded else None

    def plan(self, items: Sequence[pytest.Item]) -> None:
        """Plan every selected expectation; workers hand the lines to the controller, which prints them."""
        declared = _expectations(items)
        mine = [item for item in declared if item.get_closest_marker("skip") is None]
        self.partial = self.partial or len(mine) < len(declared) or self._is_selection
        if not mine:
            return
        told = self.run.audit if audits(self.config) else self.run.foresee
        lines = told(mine) if asks_nothing(self.config) else self.run.plan(mine)
        self.plan_lines = [*lines, *self._deselected_line()]
        if is_worker(self.config):
            leave_plan(self.config, self.plan_lines)

    def prepare_worker(self, node: Any) -> None:
        """Tell a worker where to leave its plan."""
        self.workers.prepare(node, report_folder(self.config))

    def hear(self, node: Any) -> None:
        """Take over what a worker found out, or refused."""
        with self.refusing():
            self.workers.hear(node)

    @property
    def _is_selection(self) -> bool:
        """Whether the command line names single tests or last failures, which pytest does not call deselected."""
        return bool(self.config.getoption("lf", default=False)) or any("::" in arg for arg in self.config.args)

    def finish(self, session: pytest.Session) -> None:
        """Write the report, or hand a worker's facts to the controller."""
        if self._run is not None:
            self._run.session.close()
        own = [self._facts(self._run)] if self._run and self._run.planned and not self.refused else []
        if is_worker(self.config):
            leave_facts(self.config, {"refused": self.refused} if self.refused else {"facts": own[0]} if own else {})
            return
        self.workers.close()
        if asks_nothing(self.config):
            # nothing failed, but what cannot be judged is red here as it would be in a run
            if not session.exitstatus and self._run is None:
                self.complaint = NOTHING
            session.exitstatus = session.exitstatus or self._power_status
            return
        found = self.workers.facts or own
        if found and not self.refused and not self.config.option.collectonly:
            self._write(session, found)

    @property
    def _power_status(self) -> int:
        if self._run is None:
            return pytest.ExitCode.NO_TESTS_COLLECTED
        return pytest.ExitCode.TESTS_FAILED if self._run.has_problems or self._run.has_faults else pytest.ExitCode.OK

    def _facts(self, run: Run) -> dict[str, Any]:
        from fairprobe.pytest_plugin.facts import facts

        return facts(run, self.config, self.deselected, partial=self.partial)

    def _write(self, session: pytest.Session, found: list[dict[str, Any]]) -> None:
        from fairprobe import report
        from fairprobe.pytest_plugin.facts import merged

        interrupted = session.exitstatus in {pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR}
        folder = report_folder(self.config)
        self.results = report.assemble(merged(found, self.entries, interrupted=interrupted), self.entries)
        try:
            self.results["previous"] = report.since_previous(folder, self.results)
        except Exception as error:  # the run before must not cost this one its report
            self.results["previous"] = None
            self.complaint = f"the run before this one could not be compared: {error!r}"
        self._remember(self.results)
        try:
            self.page = report.write(folder, self.results)
        except FairprobeError as error:
            self._complain(session, str(error))
        if unwritten := self.results.get("unwritten"):
            self._complain(session, unwritten)

    def _remember(self, results: dict[str, Any]) -> None:
        """What was blessed and tried before, which must not cost this run its report either."""
        from fairprobe.pytest_plugin.memory import remember
        from fairprobe.pytest_plugin.run import settings_of

        try:
            found, self.messages = remember(results, self.config.rootpath, settings_of(self.config).store)
            results |= found
        except Exception as error:
            self.messages = [f"what is remembered of this suite could not be read: {error!r}"]

    def _complain(self, session: pytest.Session, complaint: str) -> None:
        self.complaint = self.complaint or complaint
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def _deselected_line(self) -> list[str]:
        if not self.deselected:
            return []
        counted = "; ".join(f"{count} {reason}" for reason, count in self.deselected.items())
        told = [f"fairprobe: {each}" for each in self.run.session.unrecorded.values()]
        return [f"fairprobe: deselected {counted}", *told]


def asked_roles(item: pytest.Item) -> list[Role]:
    """The checkpoints that a test asks itself, through fixtures of ours and not of its own by these names."""
    if not isinstance(item, pytest.Function):
        return []
    held = item._fixtureinfo.name2fixturedefs
    roles: list[Role] = ["model", "baseline"]
    return [role for role in roles if role in held and held[role][-1].func.__module__ == "fairprobe.pytest_plugin"]


def _expectations(items: Sequence[pytest.Item]) -> list[Any]:
    return [item for item in items if hasattr(item, "expectation")]
