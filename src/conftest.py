"""The names that the examples in docstrings use."""

from typing import Any

import pytest

import fairprobe
from fairprobe.rewriting import Edit, Feature, applied
from fairprobe.rewriting import feature as by_number


@pytest.fixture(autouse=True)
def _names(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    public = {name: getattr(fairprobe, name) for name in fairprobe.__all__}
    rows = [{"clue": "It swims.", "word": "otter", "dialect": dialect} for dialect in ("en_us", "en_in")]
    clues = fairprobe.Generation(rows, "{clue}", target="word", name="clues")
    answered = [
        {"country": country, "similarity": value} for country, value in (("IN", 0.5), ("US", 1.0)) for _ in range(5)
    ]
    answers = fairprobe.Recorded(answered, score="similarity", name="answers")
    own = request.node.dtest.globs  # a module's own names come first
    names = {**public, "clues": clues, "answers": answers, "loud": _loud, "changed": _changed, "kept": _kept}
    doctest_namespace.clear()  # it lives as long as the session
    doctest_namespace.update({name: held for name, held in names.items() if name not in own})


def _loud(response: str, _target: object, _row: object) -> float:
    """How much of an answer is capitals."""
    return sum(map(str.isupper, response)) / max(len(response), 1)


def _changed(feature: Feature, *sentences: str) -> None:
    """Print each sentence with all edits of a feature."""
    for sentence in sentences:
        print(applied(sentence, _proposed(feature, sentence)))


def _kept(feature: Feature, *sentences: str) -> bool:
    """Whether a feature proposes nothing in any of these sentences."""
    return not any(_proposed(feature, sentence) for sentence in sentences)


def _proposed(feature: Feature, sentence: str) -> list[Edit]:
    return [each.edit for each in by_number(feature.ewave).changes(sentence)]
