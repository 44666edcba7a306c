"""Where a run writes."""

from __future__ import annotations

import re
import time
from itertools import chain, count
from pathlib import Path

import pytest

from fairprobe.pytest_plugin import options
from fairprobe.pytest_plugin.candidates import Candidate

MOST_NAMED = 3
"""Models that the name of a folder tells."""
_FOLDER = pytest.StashKey[Path]()


def report_folder(config: pytest.Config) -> Path:
    """The run's own report folder: the one named, else `reports/<time>-<model>` under the root directory."""
    if _FOLDER not in config.stash:
        named = options.value(config, "report")
        shared = getattr(config, "workerinput", {}).get("fairprobe_report")
        config.stash[_FOLDER] = Path(shared or named or _default(config)).absolute()
    return config.stash[_FOLDER]


def folder_of(config: pytest.Config, candidate: Candidate | None) -> Path:
    """Where one candidate's report lies; of a run of one model, the run's own."""
    folder = report_folder(config)
    return folder / candidate.name if candidate else folder


def _default(config: pytest.Config) -> Path:
    from fairprobe.engines.checkpoints import short_name

    models = options.several(config, "model") or ["none"]
    name = re.sub(r"[^\w.-]+", "-", "-".join(map(short_name, models[:MOST_NAMED]))).strip("-")
    folder = config.rootpath / "reports" / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
    # two runs of one second are two runs
    others = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(each for each in chain([folder], others) if not each.exists())
