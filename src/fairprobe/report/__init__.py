"""Verdicts to what people and machines read: `results.json`, one HTML page computed from it, and terminal text."""

from fairprobe.report.comparison import Run, compare, since_previous
from fairprobe.report.exports import card, markdown, table, workflow_commands
from fairprobe.report.page import render
from fairprobe.report.printable import printable
from fairprobe.report.results import assemble, entry, error_entry, write
from fairprobe.report.schema import load
from fairprobe.report.tables import moved, summary
from fairprobe.report.text import audit_lines, banner, engine_lines, failure, power_lines, stopping_lines

__all__ = [
    "Run",
    "assemble",
    "audit_lines",
    "banner",
    "card",
    "compare",
    "engine_lines",
    "entry",
    "error_entry",
    "failure",
    "load",
    "markdown",
    "moved",
    "power_lines",
    "printable",
    "render",
    "since_previous",
    "stopping_lines",
    "summary",
    "table",
    "workflow_commands",
    "write",
]  # fmt: skip
