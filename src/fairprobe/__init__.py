"""Tests that ask whether a language-model checkpoint treats groups of people alike.

test_dialect_gap = accuracy(clues).gap("dialect") < 0.05
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fairprobe import rewriting, scorers, strategies
    from fairprobe.data import Dataset, public
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
    from fairprobe.invariance import invariant
    from fairprobe.learning import distinguishability, learning_lag
    from fairprobe.measuring import Model, measure
    from fairprobe.metrics import (
        accuracy,
        alignment,
        bits_per_byte,
        distinct,
        ead,
        exact_match,
        exceed_rate,
        expected_max,
        f1,
        flip_rate,
        kendall,
        kl_from_base,
        mean,
        mean_rank,
        option_entropy,
        persona_lift,
        preference_accuracy,
        preference_margin,
        refusal_rate,
        reward,
        self_bleu,
        share_below,
        similarity,
        spearman,
        tokens_per_sample,
        truncation_rate,
        valid_rate,
        vendi,
        win_rate,
    )
    from fairprobe.relations import Relation
    from fairprobe.rewriting import dialects
    from fairprobe.scorers import Score
    from fairprobe.tasks import (
        Drift,
        Generation,
        Likelihood,
        MultipleChoice,
        Preference,
        Ranking,
        Recorded,
        Reward,
        Shots,
        Simulation,
        Survey,
        Treatment,
        anthropological,
        ranked,
    )

_HOME = {
    **dict.fromkeys((
        "accuracy", "alignment", "bits_per_byte", "distinct", "ead", "exact_match", "exceed_rate",
        "expected_max", "f1", "flip_rate", "kendall", "kl_from_base", "mean", "mean_rank", "option_entropy",
        "persona_lift", "preference_accuracy", "preference_margin", "refusal_rate", "reward", "self_bleu",
        "share_below", "similarity", "spearman", "tokens_per_sample", "truncation_rate", "valid_rate",
        "vendi", "win_rate",
    ), "metrics"),
    **dict.fromkeys((
        "Drift", "Generation", "Likelihood", "MultipleChoice", "Preference", "Ranking", "Recorded", "Reward",
        "Shots", "Simulation", "Survey", "Treatment", "anthropological", "ranked",
    ), "tasks"),
    "distinguishability": "learning", "learning_lag": "learning",
    "Relation": "relations", "dialects": "rewriting", "invariant": "invariance",
    "Dataset": "data", "public": "data", "Score": "scorers", "Model": "measuring", "measure": "measuring",
    "BadData": "errors", "BadExpectation": "errors", "EngineError": "errors", "FairprobeError": "errors",
    "NoCheckpoint": "errors", "NotShown": "errors", "StoreError": "errors", "UnknownGroup": "errors",
}  # fmt: skip

MODULES = ("rewriting", "scorers", "strategies")
"""Modules whose names are used with a dot."""

__all__ = [
    "BadData", "BadExpectation", "Dataset", "Drift", "EngineError", "FairprobeError", "Generation", "Likelihood",
    "Model", "MultipleChoice", "NoCheckpoint", "NotShown", "Preference", "Ranking", "Recorded", "Relation",
    "Reward", "Score", "Shots", "Simulation", "StoreError", "Survey", "Treatment", "UnknownGroup", "accuracy",
    "alignment", "anthropological", "bits_per_byte", "dialects", "distinct", "distinguishability", "ead",
    "exact_match", "exceed_rate", "expected_max", "f1", "flip_rate", "invariant", "kendall", "kl_from_base",
    "learning_lag", "mean", "mean_rank", "measure", "option_entropy", "persona_lift", "preference_accuracy",
    "preference_margin", "public", "ranked", "refusal_rate", "reward", "rewriting", "scorers", "self_bleu",
    "share_below", "similarity", "spearman", "strategies", "tokens_per_sample", "truncation_rate", "valid_rate",
    "vendi", "win_rate",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # what every pytest start imports stays light: a name is loaded when it is first used
    if name in MODULES:
        return import_module(f"fairprobe.{name}")
    if name not in _HOME:
        msg = f"module 'fairprobe' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"fairprobe.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
