"""Tests that ask whether a language-model checkpoint treats groups of people alike.

test_dialect_gap = accuracy(clues).gap("dialect") < 0.05
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fairprobe import scorers
    from fairprobe.errors import (
        BadData,
        BadExpectation,
        EngineError,
        FairprobeError,
        NoCheckpoint,
        NotShown,
        StoreError,
        UnknownGroup,
    )
    from fairprobe.metrics import accuracy, exact_match, mean, valid_rate
    from fairprobe.scorers import Score
    from fairprobe.session import Model, measure
    from fairprobe.tasks import Generation, MultipleChoice, Recorded

_HOME = {
    "accuracy": "metrics", "exact_match": "metrics", "mean": "metrics", "valid_rate": "metrics",
    "Generation": "tasks", "MultipleChoice": "tasks", "Recorded": "tasks",
    "Score": "scorers", "Model": "session", "measure": "session",
    "BadData": "errors", "BadExpectation": "errors", "EngineError": "errors", "FairprobeError": "errors",
    "NoCheckpoint": "errors", "NotShown": "errors", "StoreError": "errors", "UnknownGroup": "errors",
}  # fmt: skip

__all__ = [
    "BadData", "BadExpectation", "EngineError", "FairprobeError", "Generation", "Model", "MultipleChoice",
    "NoCheckpoint", "NotShown", "Recorded", "Score", "StoreError", "UnknownGroup", "accuracy", "exact_match", "mean",
    "measure", "scorers", "valid_rate",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # what every pytest start imports stays light: a name is loaded when it is first used
    if name == "scorers":
        return import_module("fairprobe.scorers")
    if name not in _HOME:
        msg = f"module 'fairprobe' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"fairprobe.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
