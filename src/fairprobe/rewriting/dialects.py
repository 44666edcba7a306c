"""Rewritings into varieties of English, by the features that each has."""

from __future__ import annotations

from functools import partial

from fairprobe.errors import BadData
from fairprobe.rewriting.features import FEATURES
from fairprobe.rewriting.rewriting import Change, Rewriting
from fairprobe.rewriting.varieties import VARIETIES, Variety

SHARES = {"A": 1.0, "B": 0.5, "C": 0.1}
"""In what share of its places a feature is taken by its rating: our choice, since eWAVE rates no frequencies."""


def dialects(*names: str) -> tuple[Rewriting, ...]:
    """Rewritings into varieties of English: `urban-aave`, `indian`, `nigerian`, `appalachian`, `chicano`, `singapore`.

    Each (`irish` and `rural-aave` as well) takes the features that eWAVE attests for it. They are rules of
    ours, which say nothing of how often or when speakers use a feature.

    >>> dialects("urban-aave", "indian")
    (dialects('urban-aave')[0], dialects('indian')[0])
    """
    unknown = [name for name in names if name not in VARIETIES]
    if unknown or not names:
        msg = f"dialects({', '.join(map(repr, names))}): name one or more of {', '.join(sorted(VARIETIES))}"
        raise BadData(msg)
    return tuple(_rewriting(VARIETIES[name]) for name in names)


def feature(*numbers: int) -> Rewriting:
    """A rewriting by single features, by their numbers in eWAVE, wherever they fit.

    >>> feature(155).taken("She isn't home.", sample=0)
    [Change(edit=Edit(start=4, end=9, new="ain't"), name='155')]
    """
    unknown = [number for number in numbers if number not in FEATURES]
    if unknown or not numbers:
        msg = (
            f"feature({', '.join(map(repr, numbers))}): the features known are {', '.join(map(str, sorted(FEATURES)))}"
        )
        raise BadData(msg)
    named = ", ".join(map(str, numbers))
    return Rewriting(f"features {named}", f"feature({named})", partial(_proposed, numbers))


def _rewriting(variety: Variety) -> Rewriting:
    shares = tuple((str(number), SHARES[rating]) for number, rating in sorted(variety.ratings.items()))
    numbers = tuple(sorted(variety.ratings))
    return Rewriting(variety.name, f"dialects({variety.name!r})[0]", partial(_proposed, numbers), shares)


def _proposed(numbers: tuple[int, ...], text: str) -> list[Change]:
    edits = ((edit, str(number)) for number in numbers for edit in FEATURES[number].edits(text))
    # a text that is set with curly apostrophes keeps them
    curly = "’" in text and "'" not in text
    return sorted(
        Change(edit._replace(new=edit.new.replace("'", "’")) if curly else edit, name) for edit, name in edits
    )
