"""Small files of JSON that spare work: one that cannot be read is empty, one that cannot be written costs it again."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def read(file: Path) -> dict[str, Any]:
    """What a file holds by its keys; nothing where there is no such file."""
    with suppress(OSError, ValueError):
        content = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}


def keep(file: Path, entries: Mapping[str, Any]) -> None:
    """Write a file whole, in place of what it held. Neither a full disk nor a folder that is read-only stops a run."""
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name, suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as part:
                json.dump(entries, part)
            Path(name).replace(file)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
