"""Verdicts to what people and machines read: `results.json`, one HTML page computed from it, and terminal text."""

from fairprobe.report.baselines import against, bless, blessed_at, nearest
from fairprobe.report.baselines import read as read_baseline
from fairprobe.report.blessed import blessed_lines
from fairprobe.report.candidates import candidate_table, write_candidates
from fairprobe.report.comparison import Run, compare, since_previous
from fairprobe.report.expectation import name_of
from fairprobe.report.exports import card, markdown, table, workflow_commands
from fairprobe.report.page import render
from fairprobe.report.printable import printable
from fairprobe.report.results import assemble, entry, error_entry, write
from fairprobe.report.schema import load
from fairprobe.report.tables import moved, summary
from fairprobe.report.text import audit_lines, banner, engine_lines, failure, power_lines, stopping_lines

__all__ = [
    "Run", "against", "assemble", "audit_lines", "banner", "bless", "blessed_at", "blessed_lines", "candidate_table",
    "card", "compare", "engine_lines", "entry", "error_entry", "failure", "load", "markdown", "moved", "name_of",
    "nearest", "power_lines", "printable", "read_baseline", "render", "since_previous", "stopping_lines", "summary",
    "table", "workflow_commands", "write", "write_candidates",
]  # fmt: skip
