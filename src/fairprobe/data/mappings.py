"""Public data sets by group, as we have seen them: where they lie, their licence, and which columns hold what.

Each is a file in `public/`. A revision stands in it once someone verified it against the hub.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from fairprobe.data.sources import Dataset
from fairprobe.errors import BadData


@dataclass(frozen=True)
class Mapped:
    """One public set: `columns` are those that were seen, `group` those that hold groups, `pair` the same question."""

    title: str
    licence: str
    columns: tuple[str, ...]
    hub: str | None = None
    url: str | None = None
    configuration: str | None = None
    revision: str | None = None
    non_commercial: bool = False
    group: tuple[str, ...] = ()
    pair: tuple[str, ...] = ()
    cluster: str | None = None
    notes: str = ""


@cache
def mapped() -> Mapping[str, Mapped]:
    """Every mapping by its name."""
    folder = files("fairprobe.data") / "public"
    found = sorted(each.name for each in folder.iterdir() if each.name.endswith(".toml"))
    return {name.removesuffix(".toml"): _made(tomllib.loads((folder / name).read_text("utf-8"))) for name in found}


def mapping(name: str) -> Mapped:
    """One mapping; raises `BadData` for a name that none has."""
    if name not in mapped():
        msg = f"there is no set {name!r}; there are {', '.join(mapped())}"
        raise BadData(msg)
    return mapped()[name]


def public(name: str, path: str, **given: Any) -> Dataset:
    """A public data set by its name here: its hub id, licence and revision; `given` are other fields of a `Dataset`.

    >>> public("belebele", "**/{dialect}.jsonl").hub
    'facebook/belebele'
    """
    known = mapping(name)
    return Dataset(
        path, **{"hub": known.hub, "revision": known.revision, "licence": known.licence,
                 "non_commercial": known.non_commercial, **given},
    )  # fmt: skip


def _made(held: Mapping[str, Any]) -> Mapped:
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in held.items()}
    return Mapped(**given)
