"""A run whose claims about diversity and fidelity are ratios to the baseline, for the report's tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from results_example import results

LANGUAGES = {"English": (0.98, 1.02), "Spanish": (0.94, 1.05), "Swahili": (0.55, 1.1), "Hindi": (0.56, 1.08)}
HEADINGS = {"ead": "distinct 1-grams over expected ones", "bits_per_byte": "bits per byte"}
AXES = {"ead": "diversity", "self_bleu": "diversity", "vendi": "diversity"}


def ratio(metric: str, columns: Sequence[str] = ("language",), **values: Any) -> dict[str, Any]:
    """A verdict on a metric's ratio to the baseline, by group; a value has limits 0.1 either way."""
    which = values.pop("axis", AXES.get(metric, "fidelity"))
    example = results()["verdicts"][1]
    groups = [
        {
            "group": {columns[0]: name}, "value": value, "low": value and value - 0.1, "high": value and value + 0.1,
            "samples": 40, "clusters": 40, "statuses": {"ok": 40}, "left_out": 0, "sides": {},
        }
        for name, value in values.items()
    ]  # fmt: skip
    claim = f"{metric}(texts).relative().by('{columns[0]}') > 0.8"
    return {
        **example, "test": f"suites/drift.py::test_{metric}", "claim": claim, "expression": claim, "metric": metric,
        "heading": f"{HEADINGS.get(metric, metric)}, times the baseline's", "axis": which, "question": "by",
        "columns": [*columns], "groups": groups, "reference": None, "comparison": ">", "bound": 0.8, "range": None,
        "between": [], "failures": [], "equal_groups": None, "value": groups[0]["value"] or 0.5,
    }  # fmt: skip


def run(**more: float) -> dict[str, Any]:
    """The example run with one claim about diversity and one about fidelity."""
    diversity = {name: value for name, (value, _) in LANGUAGES.items()} | more
    fidelity = {name: value for name, (_, value) in LANGUAGES.items()} | more
    return {**results(), "verdicts": [ratio("ead", **diversity), ratio("bits_per_byte", **fidelity)]}
