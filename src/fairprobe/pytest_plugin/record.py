"""What one pytest process remembers of a run: its entries, its plan lines, and the run itself once one is needed."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from fairprobe.errors import FairprobeError
from fairprobe.pytest_plugin.candidates import Candidate, candidate_of, candidates, first, told
from fairprobe.pytest_plugin.folder import folder_of, report_folder
from fairprobe.pytest_plugin.options import AUDIT_JSON, asks_nothing, audits, several
from fairprobe.pytest_plugin.workers import Controller, is_worker, leave_facts, leave_plan

if TYPE_CHECKING:
    from fairprobe.expressions import Expectation
    from fairprobe.metrics import Role
    from fairprobe.pytest_plugin.run import Run
    from fairprobe.session import Session


NOTHING = "fairprobe: there is no expectation; name the folder of a suite, as in: fairprobe power suites/demo"


class Record:
    """Kept on `config.stash[Record.KEY]`, and registered as a plugin, since reports know no config."""

    KEY: ClassVar[pytest.StashKey[Record]] = pytest.StashKey()

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.entries: list[dict[str, Any]] = []
        self.plan_lines: list[str] = []
        self.deselected: dict[str, Counter[str]] = defaultdict(Counter)
        """Why expectations were taken out, by the candidate that they were about."""
        self.partial: set[str] = set()
        """The candidates of which not all expectations are judged; the one model of a run has no name."""
        self.page: Path | None = None
        self.results: list[dict[str, Any]] = []
        """Of every candidate; of one where a run judges one model."""
        self.complaint: str | None = None
        self.messages: list[str] = []
        self.refused: str | None = None
        self._runs: dict[tuple[Candidate | None, str | None], Run] = {}
        self._sessions: list[Session] = []
        self.workers = Controller()

    @classmethod
    def of(cls, config: pytest.Config) -> Record:
        """The record of this process."""
        return config.stash[cls.KEY]

    def run(self, candidate: Candidate | None = None, since: str | None = None) -> Run:
        """The run of a model beside its baseline; made, with all that it imports, when it is first needed."""
        if (candidate, since) not in self._runs:
            from fairprobe.pytest_plugin.run import Run

            self._runs[candidate, since] = run = Run(self.config, candidate, since)
            self._sessions.append(run.session)
            run.session.beside = self._sessions
        return self._runs[candidate, since]

    def run_of(self, item: pytest.Item, expectation: Expectation) -> Run:
        """The run in which an expectation of a test is judged."""
        from fairprobe.expressions import since

        return self.run(candidate_of(item), since(expectation))

    def error_entry(self, item: pytest.Item, expectation: Expectation, error: str) -> dict[str, Any]:
        """An expectation that could not be judged."""
        try:
            run = self.run_of(item, expectation)
        except FairprobeError:
            run = self.run(first(self.config))
        return run.error_entry(expectation, item.nodeid, error)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Reports reach the process that writes the page, and bring their entries with them."""
        self.entries += vars(report).get("fairprobe", ())

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """A partial selection makes no statement about a release."""
        self.partial.update(map(_about, _expectations(items)))

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
        if not mine or not several(self.config, "model"):
            return
        reasons = {item: reason for item in mine if (reason := self._unanswerable(item))}
        if not reasons:
            return
        for item, reason in reasons.items():
            self.deselected[_about(item)][reason] += 1
        items[:] = [item for item in items if item not in reasons]
        self.config.hook.pytest_deselected(items=list(reasons))
        if all(item in reasons for item in _expectations(mine) or mine):
            models = ", ".join(several(self.config, "model"))
            msg = f"fairprobe: no expectation is left with --model={models}: {self._why}"
            raise pytest.UsageError("\n".join([msg, *self._unrecorded]))

    def _unanswerable(self, item: Any) -> str | None:
        if hasattr(item, "expectation"):
            return self.run_of(item, item.expectation).unanswerable(item.expectation)
        roles = asked_roles(item)
        settings = self.run(candidate_of(item) if "model" in roles else first(self.config)).settings
        recorded = [role for role in roles if settings.recorded(role) is not None]
        return f"that ask a checkpoint, since --{recorded[0]} names recorded answers" if recorded else None

    def plan(self, items: Sequence[pytest.Item]) -> None:
        """Plan every selected expectation; workers hand the lines to the controller, which prints them."""
        declared = _expectations(items)
        mine = [item for item in declared if item.get_closest_marker("skip") is None]
        self.partial.update(_about(item) for item in declared if item not in mine or self._is_selection)
        if not mine:
            return
        by_run: dict[Run, list[Any]] = defaultdict(list)
        for item in mine:
            by_run[self.run_of(item, item.expectation)].append(item)
        tell = "audit" if audits(self.config) else "foresee" if asks_nothing(self.config) else "plan"
        lines = [line for run, asked in by_run.items() for line in getattr(run, tell)(asked)]
        self._write_audit()
        self.plan_lines = [*lines, *self._deselected_line()]
        if is_worker(self.config):
            leave_plan(self.config, self.plan_lines)

    def _write_audit(self) -> None:
        if file := self.config.getoption(AUDIT_JSON):
            told = [each for run in self._runs.values() for each in run.audited]
            Path(self.config.invocation_params.dir, file).write_text(json.dumps(told, indent=1), encoding="utf-8")

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
        for run in self._runs.values():
            run.session.close()
        own = {} if self.refused else self._facts()
        if is_worker(self.config):
            leave_facts(self.config, {"refused": self.refused} if self.refused else {"facts": own} if own else {})
            return
        self.workers.close()
        if asks_nothing(self.config):
            # nothing failed, but what cannot be judged is red here as it would be in a run
            if not session.exitstatus and not self._runs:
                self.complaint = NOTHING
            session.exitstatus = session.exitstatus or self._power_status
            return
        found = self.workers.facts or ([own] if own else [])
        if found and not self.refused and not self.config.option.collectonly:
            self._write(session, found)

    @property
    def _power_status(self) -> int:
        if not self._runs:
            return pytest.ExitCode.NO_TESTS_COLLECTED
        red = any(run.has_problems or run.has_faults for run in self._runs.values())
        return pytest.ExitCode.TESTS_FAILED if red else pytest.ExitCode.OK

    def _facts(self) -> dict[str, dict[str, Any]]:
        """What this process knows of each candidate, by its name; of the one model by none."""
        from fairprobe.pytest_plugin.facts import apart, facts, joined

        runs: dict[str, list[Run]] = defaultdict(list)
        for (candidate, _), run in self._runs.items():
            if run.planned:
                runs[_called(candidate)].append(run)
        return {
            name: joined([
                facts(run, self.config, self.deselected[name], looked, partial=name in self.partial)
                for run, looked in zip(each, apart(each), strict=True)
            ])
            for name, each in runs.items()
        }  # fmt: skip

    def _write(self, session: pytest.Session, found: Sequence[Mapping[str, dict[str, Any]]]) -> None:
        """Each candidate's report, and a page that compares them where there are several."""
        from fairprobe import report
        from fairprobe.pytest_plugin.facts import merged

        interrupted = session.exitstatus in {pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR}
        competing = candidates(self.config)
        among: list[Candidate | None] = [*competing] or [None]
        whose = [each for each in among if any(_called(each) in facts for facts in found)]
        for candidate in whose:
            name = _called(candidate)
            entries = [each for each in self.entries if not name or each["candidate"] == name]
            facts = [each[name] for each in found if name in each]
            self.results.append(report.assemble(merged(facts, entries, interrupted=interrupted), entries))
        self._remember()
        for candidate, results in zip(whose, self.results, strict=True):
            self._write_one(session, results, candidate)
        if competing:
            try:
                self.page = report.write_candidates(report_folder(self.config), self.results)
            except FairprobeError as error:
                self._complain(session, str(error))

    def _write_one(self, session: pytest.Session, results: dict[str, Any], candidate: Candidate | None) -> None:
        from fairprobe import report

        folder = folder_of(self.config, candidate)
        try:
            results["previous"] = report.since_previous(folder, results, candidate=candidate is not None)
        except Exception as error:  # the run before must not cost this one its report
            results["previous"] = None
            self.complaint = f"the run before this one could not be compared: {error!r}"
        try:
            self.page = report.write(folder, results)
        except FairprobeError as error:
            self._complain(session, str(error))
        if unwritten := results.get("unwritten"):
            self._complain(session, unwritten)

    def _remember(self) -> None:
        """What was blessed and tried before, which must not cost this run its report either."""
        from fairprobe.pytest_plugin.memory import remember
        from fairprobe.pytest_plugin.run import settings_of

        store = settings_of(self.config, first(self.config)).store
        try:
            self.messages = remember(self.results, self.config.rootpath, store)
        except Exception as error:
            self.messages = [f"what is remembered of this suite could not be read: {error!r}"]

    def _complain(self, session: pytest.Session, complaint: str) -> None:
        self.complaint = self.complaint or complaint
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def _deselected_line(self) -> list[str]:
        if not self.deselected:
            return []
        return [f"fairprobe: deselected {self._why}", *(f"fairprobe: {each}" for each in self._unrecorded)]

    @property
    def _why(self) -> str:
        """How many expectations were taken out, by reason."""
        counts = sum(self.deselected.values(), Counter[str]())
        return "; ".join(f"{count} {reason}" for reason, count in counts.items())

    @property
    def _unrecorded(self) -> list[str]:
        """Where recordings were looked for, and which there are."""
        return list(dict.fromkeys(each for run in self._runs.values() for each in run.session.unrecorded.values()))


def asked_roles(item: pytest.Item) -> list[Role]:
    """The checkpoints that a test asks itself, through fixtures of ours and not of its own by these names."""
    if not isinstance(item, pytest.Function):
        return []
    held = item._fixtureinfo.name2fixturedefs
    roles: list[Role] = ["model", "baseline"]
    return [role for role in roles if role in held and held[role][-1].func.__module__ == "fairprobe.pytest_plugin"]


def _called(candidate: Candidate | None) -> str:
    return candidate.name if candidate else ""


def _about(item: pytest.Item) -> str:
    """The name of the candidate that a test is about; nothing where a run judges one model."""
    return _called(told(item))


def _expectations(items: Sequence[pytest.Item]) -> list[Any]:
    return [item for item in items if hasattr(item, "expectation")]
