"""Verdicts to what people and machines read: `results.json`, one HTML page computed from it, and terminal text."""

from fairprobe.report.results import assemble, entry, error_entry, write
from fairprobe.report.text import audit_lines, banner, engine_lines, failure, power_lines

__all__ = [
    "assemble", "audit_lines", "banner", "engine_lines", "entry", "error_entry", "failure", "power_lines", "write",
]  # fmt: skip
