"""What a run is told, and what its asking cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from fairprobe.data import Places
from fairprobe.engines.checkpoints import RECORDED
from fairprobe.metrics import Role
from fairprobe.verdict import Defaults

Seat = str
"""Who is asked: the model, the baseline, or a judge by its name."""


@dataclass(frozen=True)
class Settings:
    """What a run was told: checkpoints, engine, where things lie, and what expectations leave unsaid."""

    model: str | None = None
    baseline: str | None = None
    since: str | None = None
    """What the baseline is called, where expectations name it."""
    engine: str = "auto"
    engine_arguments: Mapping[str, str] = field(default_factory=dict)
    template_arguments: Mapping[str, str] = field(default_factory=dict)
    data: Path | None = None
    store: Path = Path(".fairprobe/store")
    limit: int | None = None
    stop: Literal["full", "sequential"] = "full"
    accepted: frozenset[str] = frozenset()
    sample: bool = False
    defaults: Defaults = field(default_factory=Defaults)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", None if self.data is None else Path(self.data))
        object.__setattr__(self, "store", Path(self.store))
        object.__setattr__(self, "defaults", replace(self.defaults, limited=self.limit is not None))

    @property
    def places(self) -> Places:
        """Where data is looked up."""
        return Places(self.data, accepted=self.accepted, sample=self.sample)

    @property
    def counterexamples(self) -> Path:
        """Where counterexamples are kept: beside the store."""
        return self.store.parent / "counterexamples"

    def spec(self, role: Seat) -> str | None:
        """The checkpoint named for a role."""
        return self.model if role == "model" else self.baseline

    def recorded(self, role: Role) -> str | None:
        """The name of the recorded model that plays a role, if one does."""
        spec = self.spec(role)
        return spec.removeprefix(RECORDED) if spec is not None and spec.startswith(RECORDED) else None


@dataclass
class Counts:
    """What asking cost: `prompt_tokens` are tokens that the engine really computed; `too_long` were not asked.

    `spared` were not asked either: everything that wanted them was decided.
    """

    wanted: int = 0
    distinct: int = 0
    cached: int = 0
    asked: int = 0
    too_long: int = 0
    spared: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0

    def add(self, other: Counts) -> None:
        """Count another round in."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)
