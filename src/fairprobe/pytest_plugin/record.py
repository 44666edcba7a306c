"""What one pytest process remembers of a run: its entries, its plan lines, and the run itself once one is needed."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from fairprobe.errors import FairprobeError

if TYPE_CHECKING:
    from fairprobe.pytest_plugin.items import ExpectationItem
    from fairprobe.pytest_plugin.run import Run


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
        self.refused: str | None = None
        self._run: Run | None = None
        self._workers: list[dict[str, Any]] = []
        self._shared: tempfile.TemporaryDirectory[str] | None = None

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

    @property
    def is_worker(self) -> bool:
        """Whether this process is one of xdist's workers."""
        return hasattr(self.config, "workerinput")

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
        mine = _expectations(items)
        if not mine or not self.run.settings.model:
            return
        reasons = {item: reason for item in mine if (reason := self.run.session.unanswerable(item.expectation))}
        if not reasons:
            return
        self.deselected.update(reasons.values())
        items[:] = [item for item in items if item not in reasons]
        self.config.hook.pytest_deselected(items=list(reasons))
        if len(reasons) == len(mine):
            why = "; ".join(f"{count} {reason}" for reason, count in self.deselected.items())
            msg = f"fairprobe: no expectation is left with --model={self.run.settings.model}: {why}"
            raise pytest.UsageError(msg)

    def plan(self, items: Sequence[pytest.Item]) -> None:
        """Plan every selected expectation; workers hand the lines to the controller, which prints them."""
        declared = _expectations(items)
        mine = [item for item in declared if item.get_closest_marker("skip") is None]
        self.partial = self.partial or len(mine) < len(declared) or self._is_selection
        if not mine:
            return
        self.plan_lines = [*self.run.plan(mine), *self._deselected_line()]
        if self.is_worker:
            shared = Path(self.config.workerinput["fairprobe_plan"])  # type: ignore[attr-defined]  # xdist's
            part = shared.with_name(self.config.workerinput["workerid"])  # type: ignore[attr-defined]  # xdist's
            part.write_text(json.dumps(self.plan_lines), encoding="utf-8")
            part.replace(shared)

    def prepare_worker(self, node: Any) -> None:
        """Tell a worker where to leave its plan."""
        self._shared = self._shared or tempfile.TemporaryDirectory(prefix="fairprobe-")
        node.workerinput["fairprobe_plan"] = str(Path(self._shared.name) / "plan.json")
        node.workerinput["fairprobe_report"] = str(self.run_folder())

    def worker_plan(self) -> list[str]:
        """The lines that the first worker left, once."""
        file = Path(self._shared.name) / "plan.json" if self._shared else Path()
        if self.plan_lines or not file.is_file():
            return []
        self.plan_lines = list(json.loads(file.read_text(encoding="utf-8")))
        return self.plan_lines

    def hear(self, node: Any) -> None:
        """Take over what a worker found out. Raises `pytest.UsageError` for what it refused."""
        known = getattr(node, "workeroutput", {}).get("fairprobe", {})
        if "refused" in known:
            self.refused = known["refused"]
            raise pytest.UsageError(self.refused)
        self._workers += [known["facts"]] if "facts" in known else []

    @property
    def _is_selection(self) -> bool:
        """Whether the command line names single tests or last failures, which pytest does not call deselected."""
        return bool(self.config.getoption("lf", default=False)) or any("::" in arg for arg in self.config.args)

    def run_folder(self) -> Path:
        """The run's own report folder."""
        from fairprobe.pytest_plugin.folder import report_folder

        return report_folder(self.config)

    def finish(self, session: pytest.Session) -> None:
        """Write the report, or hand a worker's facts to the controller."""
        if self._run is not None:
            self._run.session.close()
        if self.is_worker:
            known: dict[str, Any] = {"refused": self.refused} if self.refused else {}
            if self._run is not None and not self.refused:
                known = {"facts": self._run.facts(self.deselected, self.partial)}
            self.config.workeroutput["fairprobe"] = known  # type: ignore[attr-defined]  # xdist's
            return
        if self._shared:
            self._shared.cleanup()
        if self.refused:
            return
        facts = self._workers or (
            [self._run.facts(self.deselected, self.partial)] if self._run and self._run.planned else []
        )
        if facts and not self.config.option.collectonly:
            self._write(session, facts)

    def _write(self, session: pytest.Session, facts: list[dict[str, Any]]) -> None:
        from fairprobe import report
        from fairprobe.pytest_plugin.run import merged

        interrupted = session.exitstatus in {pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR}
        self.results = report.assemble(merged(facts, self.entries, interrupted=interrupted), self.entries)
        try:
            self.page = report.write(self.run_folder(), self.results)
        except FairprobeError as error:
            self.complaint = str(error)
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def _deselected_line(self) -> list[str]:
        if not self.deselected:
            return []
        counted = "; ".join(f"{count} {reason}" for reason, count in self.deselected.items())
        return [f"fairprobe: deselected {counted}"]


def _expectations(items: Sequence[pytest.Item]) -> list[ExpectationItem]:
    from fairprobe.pytest_plugin.items import ExpectationItem

    return [item for item in items if isinstance(item, ExpectationItem)]
