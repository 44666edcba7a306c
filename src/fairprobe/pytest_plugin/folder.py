"""Where a run writes."""

from __future__ import annotations

import re
import time
from itertools import chain, count
from pathlib import Path

import pytest

from fairprobe.pytest_plugin import options

_FOLDER = pytest.StashKey[Path]()


def report_folder(config: pytest.Config) -> Path:
    """The run's own report folder: the one named, else `reports/<time>-<model>` under the root directory."""
    if _FOLDER not in config.stash:
        named = options.value(config, "report")
        shared = getattr(config, "workerinput", {}).get("fairprobe_report")
        config.stash[_FOLDER] = Path(shared or named or _default(config)).absolute()
    return config.stash[_FOLDER]


def _default(config: pytest.Config) -> Path:
    from fairprobe.engines.checkpoints import short_name

    name = re.sub(r"[^\w.-]+", "-", short_name(options.single(config, "model") or "none")).strip("-")
    folder = config.rootpath / "reports" / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
    # two runs of one second are two runs
    others = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(each for each in chain([folder], others) if not each.exists())
