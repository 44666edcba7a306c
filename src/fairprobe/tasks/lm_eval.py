"""The samples that lm-eval logs (`--log_samples`): a JSON line per document, as rows with its fields as columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from fairprobe.errors import BadData

OWN = ("doc_id", "target", "filter", "response", "prompt")
"""Columns of ours; a document's field of the same name is kept as `doc_NAME`."""


def samples(path: Path) -> pl.DataFrame:
    """One row per document and filter: its fields, what it was asked and answered, and every metric by its name."""
    with path.open(encoding="utf-8") as lines:
        rows = [_row(json.loads(line), number) for number, line in enumerate(lines, start=1) if line.strip()]
    return pl.from_dicts(rows, infer_schema_length=None)


def _row(logged: Any, number: int) -> dict[str, Any]:
    if not isinstance(logged, dict) or not {"doc_id", "doc", "filtered_resps"} <= logged.keys():
        msg = f"line {number} is no sample that lm-eval logs: it has no doc_id, doc and filtered_resps"
        raise BadData(msg)
    doc = logged["doc"] if isinstance(logged["doc"], dict) else {"doc": logged["doc"]}
    fields = {f"doc_{name}" if name in OWN or name in logged else name: held for name, held in doc.items()}
    first: Any = next(iter((logged.get("arguments") or {}).values()), {})
    return {
        **fields,
        "doc_id": logged["doc_id"],
        "target": str(logged.get("target")),
        "filter": logged.get("filter"),
        "prompt": first.get("arg_0") if isinstance(first, dict) else None,
        "response": _said(logged["filtered_resps"]),
        **{name: logged[name] for name in logged.get("metrics", ()) if isinstance(logged.get(name), (int, float))},
    }


def _said(responses: Any) -> str | None:
    """The first answer, where answers are texts; log-likelihoods of options are none."""
    first = responses[0] if isinstance(responses, list) and responses else responses
    return first if isinstance(first, str) else None
