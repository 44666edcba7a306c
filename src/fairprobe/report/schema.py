"""The shape of `results.json`, a JSON Schema in the package, and the reading of files that should have it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import fastjsonschema

from fairprobe import __version__
from fairprobe.errors import FairprobeError

CANDIDATES = "candidates.json"
"""What lies in the folder of a run of several candidates, each of which has a folder there."""
SCHEMA = 1
"""The number that is raised when a reader of older files would misread a newer one."""


def load(path: Path) -> dict[str, Any]:
    """The results of a run, by its folder or its `results.json`. Raises `FairprobeError` for what is none."""
    file = path / "results.json" if path.is_dir() else path
    try:
        results = json.loads(file.read_bytes())
        if isinstance(results, dict) and isinstance(number := results.get("schema"), int) and number > SCHEMA:
            msg = (
                f"{file} has schema {number}, written by fairprobe {results.get('fairprobe')}; this is fairprobe "
                f"{__version__}, which knows schemas up to {SCHEMA}: pip install --upgrade fairprobe"
            )
            raise FairprobeError(msg)
        return dict(checker()(results))
    except OSError as error:
        beside = sorted(each.parent for each in file.parent.glob("*/results.json"))
        if (file.parent / CANDIDATES).is_file() and beside:
            msg = f"{file.parent} is a run of several candidates; name one: {', '.join(map(str, beside))}"
            raise FairprobeError(msg) from error
        msg = f"{file} cannot be read: {error.strerror or error}. Name the folder of a run, or its results.json."
    except (ValueError, RecursionError) as error:
        msg = f"{file} is no results.json of fairprobe: {error}. Name the folder of a run, or its results.json."
    raise FairprobeError(msg)


@functools.cache
def checker(name: str = "results") -> Callable[[Any], Any]:
    """Gives what fits the schema, and raises a ValueError that names the first place that does not."""
    schema = json.loads(files("fairprobe.report").joinpath(f"{name}.schema.json").read_text(encoding="utf-8"))
    compiled: Callable[[Any], Any] = fastjsonschema.compile(schema)
    return compiled
