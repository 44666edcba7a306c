"""The frontier of diversity and fidelity: each group's ratios to the baseline, one drawn against the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Literal, NamedTuple

from fairprobe.expressions import Measure, Metric, Relative, unconditioned
from fairprobe.report.expectation import LOW_IS_GOOD, Expectation, label
from fairprobe.report.figures import Scale, number

Axis = Literal["diversity", "fidelity"]
AXES: Mapping[str, Axis] = {
    **dict.fromkeys(("distinct", "ead", "vendi", "self_bleu", "option_entropy"), "diversity"),
    **dict.fromkeys(
        ("accuracy", "exact_match", "f1", "similarity", "alignment", "preference_accuracy", "bits_per_byte"),
        "fidelity",
    ),
}
"""What a metric's ratio to the baseline says how much is left of."""
MOST = 6
"""Panels on a page: of every metric of diversity with every one of fidelity."""
DECIMALS = 2
LINE = 6.0
"""The height of a name, in per cent of the picture's."""


class Ratio(NamedTuple):
    """A ratio to the baseline with its limits."""

    value: float
    low: float | None
    high: float | None


class Dot(NamedTuple):
    """A group of a panel: its ratios, and where its name is written, in per cent of the height."""

    group: str
    diversity: Ratio
    fidelity: Ratio
    name_at: float


class Frontier(NamedTuple):
    """A panel: diversity from left to right, fidelity from below, one dot for each group that has both."""

    columns: str
    diversity: Expectation
    fidelity: Expectation
    dots: list[Dot]
    across: Scale
    up: Scale

    @property
    def title(self) -> str:
        """What is drawn, in words."""
        return f"{ratio_of(self.diversity)} against {ratio_of(self.fidelity)} by {self.columns}"

    def ratio(self, found: Ratio) -> str:
        """A ratio in figures."""
        if found.low is None and found.high is None:
            return number(found.value, DECIMALS)
        limits = " to ".join(number(each, DECIMALS) for each in (found.low, found.high))
        return f"{number(found.value, DECIMALS)} ({limits})"


def axis(metric: Metric) -> Axis | None:
    """Which axis of the frontier a metric's values lie along; None for what is no ratio of either.

    >>> axis(accuracy(clues).relative()), axis(accuracy(clues).change())
    ('fidelity', None)
    """
    match metric:
        case Relative(metric=of):
            plain = unconditioned(of)
            return AXES.get(plain.function) if isinstance(plain, Measure) else None
    return None


def ratio_of(found: Expectation) -> str:
    """What a ratio is of, highest where most is left.

    A metric of which less is better is turned around.
    """
    plain = str(found.raw["heading"] or found.raw["metric"]).removesuffix(", times the baseline's")
    return f"{plain}, {'baseline over model' if _turned(found) else 'model over baseline'}"


def frontiers(shown: Iterable[Expectation]) -> list[Frontier]:
    """A panel for each two metrics of the same groups, as many as are read."""
    asked = [each for each in shown if each.raw["question"] == "by" and each.raw["axis"]]
    sides = [[each for each in asked if each.raw["axis"] == which] for which in ("diversity", "fidelity")]
    made = (
        _frontier(one, other) for one, other in product(*sides) if one.raw["columns"] == other.raw["columns"]
    )  # fmt: skip
    return [panel for panel in made if panel.dots][:MOST]


def _frontier(diversity: Expectation, fidelity: Expectation) -> Frontier:
    across, up = _ratios(diversity), _ratios(fidelity)
    both = [group for group in across if group in up]
    wide, high = (Scale.over([1.0, *(end for group in both for end in held[group])]) for held in (across, up))
    placed = _names({group: (wide.share(across[group].value), high.share(up[group].value)) for group in both})
    dots = [Dot(group, across[group], up[group], placed[group]) for group in both]
    return Frontier(" x ".join(diversity.raw["columns"]), diversity, fidelity, dots, wide, high)


def _names(places: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Where the names of dots stand, from above: beside the dot, or below the name of one that is close."""
    found: dict[str, float] = {}
    for group in sorted(places, key=lambda group: -places[group][1]):
        x, y = places[group]
        near = [found[other] for other in found if abs(places[other][0] - x) < 30]
        found[group] = max([100 - y, *(at + LINE for at in near)])
    return found


def _turned(found: Expectation) -> bool:
    return found.raw["metric"] in LOW_IS_GOOD


def _ratios(found: Expectation) -> dict[str, Ratio]:
    """Each group's ratio; one that is 0 has no other way round."""
    ratios = {}
    for group in found.raw["groups"]:
        value, low, high = (group[key] for key in ("value", "low", "high"))
        if value is None or (_turned(found) and value <= 0):
            continue
        if _turned(found):
            value, low, high = 1 / value, high and 1 / high, 1 / low if low else None
        ratios[label(group["group"])] = Ratio(value, low, high)
    return ratios
