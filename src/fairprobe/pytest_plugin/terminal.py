"""What the terminal shows beside pytest's own: letters, sections and summary lines, and the run in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fairprobe.pytest_plugin.record import Record

LETTERS = {"inconclusive": "I", "invalid": "V"}
"""Outcomes that pytest has no category for, and their letters."""


def status(report: pytest.TestReport) -> Any:
    """The category, letter and word of an outcome that pytest does not know; None leaves it to pytest."""
    outcome = getattr(report, "fairprobe_outcome", None)
    if report.when != "call" or outcome not in LETTERS or hasattr(report, "wasxfail"):
        return None
    return outcome, LETTERS[outcome], (outcome.upper(), {"yellow": True})


class Sections:
    """A plugin of its own, since pytest calls it after its failures and before its short summary."""

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The tables of what was not decided or not measured."""
        sections(terminalreporter)


def sections(reporter: pytest.TerminalReporter) -> None:
    """The tables of what was not decided or not measured, as pytest shows those of failures."""
    if reporter.config.option.tbstyle == "no":
        return
    for outcome in LETTERS:
        reports = reporter.getreports(outcome)
        if reports:
            reporter.write_sep("=", outcome.upper(), yellow=True)
        for report in reports:
            reporter.write_sep("_", report.head_line or report.nodeid, yellow=True)
            reporter.write_line(report.fairprobe_text)


def lines(reporter: pytest.TerminalReporter) -> None:
    """Short summary lines like those of failures, then the run in one sentence and where its page lies."""
    _short_lines(reporter)
    record = Record.of(reporter.config)
    if record.complaint:
        reporter.write_line(record.complaint, red=True)
    if not record.results:
        return
    for results in record.results:
        _one(reporter, record, results, several=len(record.results) > 1)
    from fairprobe import report
    from fairprobe.pytest_plugin.console import console

    if len(record.results) > 1 and reporter.config.get_verbosity() >= 0:
        reporter.write_sep("=", "fairprobe: candidates")
        console(reporter.config).print(report.candidate_table(record.results))
        reporter.write_line("")
    for line in record.messages:
        reporter.write_line(line)
    if record.page is not None:
        reporter.write_line(f"report: {record.page}")


def _one(reporter: pytest.TerminalReporter, record: Record, results: Mapping[str, Any], *, several: bool) -> None:
    """A model's verdicts, and what to know of its run; of several candidates the sentence alone."""
    from fairprobe import report
    from fairprobe.pytest_plugin import github
    from fairprobe.pytest_plugin.console import console

    reporter.write_sep("=", f"fairprobe: {report.name_of(results)}" if several else "fairprobe")
    if results["verdicts"] and reporter.config.get_verbosity() >= 0 and not several:
        own = console(reporter.config)
        own.print(report.summary(results, own.width))
        reporter.write_line("")
    reporter.write_line(report.banner(results))
    blessed = report.blessed_lines(found) if (found := results.get("blessed")) else []
    for line in (*blessed, *_left_out(results), *report.stopping_lines(results), *report.engine_lines(results)):
        reporter.write_line(line)
    for line in github.tell(results, str(record.page)):
        reporter.write_line(line)


def _left_out(results: Mapping[str, Any]) -> list[str]:
    """That verdicts, green ones too, say nothing of some rows."""
    counts = {each["test"]: sum(group["left_out"] for group in each["groups"]) for each in results["verdicts"]}
    gone = {test: count for test, count in counts.items() if count}
    most = max(gone, key=lambda test: gone[test], default="")
    return [f"rows are left out of {len(gone)} of the verdicts, most of {most}: {gone[most]:,}"] if gone else []


def worker_planned(config: pytest.Config) -> None:
    """Print the plan that the first of xdist's workers made."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    for line in Record.of(config).workers.plan_lines():
        if reporter is not None:
            reporter.write_line(line)


def _short_lines(reporter: pytest.TerminalReporter) -> None:
    shown = [(outcome, report) for outcome in LETTERS for report in reporter.getreports(outcome)]
    if not shown or "f" not in reporter.reportchars:
        return
    if not any(reporter.getreports(category) for category in ("failed", "error")):
        reporter.write_sep("=", "short test summary info", cyan=True, bold=True)
    for outcome, report in shown:
        text = report.fairprobe_text.partition("\n")[0]
        width = max(reporter._tw.fullwidth - len(outcome) - len(report.nodeid) - 5, 30)
        reporter.write_line(
            f"{outcome.upper()} {report.nodeid} - {text if len(text) <= width else text[: width - 1] + '…'}"
        )
