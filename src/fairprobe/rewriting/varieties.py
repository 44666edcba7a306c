"""How common each feature is in some varieties of English, by the electronic World Atlas of Varieties of English.

Kortmann, Lunkenheimer and Ehret (eds.), 2020, https://ewave-atlas.org, CC BY 3.0. A: pervasive or obligatory; B:
neither pervasive nor extremely rare; C: it exists, but is extremely rare. What is absent or unknown is not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Rating = Literal["A", "B", "C"]


@dataclass(frozen=True)
class Variety:
    """A variety of English: our name for it, its number and name in eWAVE, and the ratings of the features we know."""

    name: str
    ewave: int
    title: str
    ratings: Mapping[int, Rating] = field(hash=False, repr=False)


VARIETIES: Mapping[str, Variety] = {each.name: each for each in (
    Variety("appalachian", 19, "Appalachian English", {
        **dict.fromkeys((7, 34, 99, 126, 147, 154, 155, 156, 172, 173, 180, 185, 220, 221), "A"),
        **dict.fromkeys((11, 48, 56, 68, 70, 88, 104, 121, 128, 130, 134, 158, 159), "B"),
        **dict.fromkeys((55, 78, 131, 174, 175), "C"),
    }),
    Variety("chicano", 22, "Chicano English", {
        **dict.fromkeys((154,), "A"),
        **dict.fromkeys((7, 34, 70, 99, 121, 126, 128, 130, 147, 155, 158, 170, 172, 173, 185, 220, 221), "B"),
        **dict.fromkeys((56, 90, 175), "C"),
    }),
    Variety("indian", 52, "Indian English", {
        **dict.fromkeys((48, 55, 63, 88, 147, 165, 228, 229), "A"),
        **dict.fromkeys((34, 56, 71, 78, 80, 172, 174, 175), "B"),
        **dict.fromkeys((7, 128, 130, 131, 154, 158, 170, 176, 178, 220, 221), "C"),
    }),
    Variety("irish", 3, "Irish English", {
        **dict.fromkeys((34, 68, 99, 147, 159, 172, 220, 221, 229), "A"),
        **dict.fromkeys((7, 11, 56, 70, 78, 80, 88, 90, 130, 154, 158, 174, 175, 180, 185, 228), "B"),
        **dict.fromkeys((173,), "C"),
    }),
    Variety("nigerian", 41, "Nigerian English", {
        **dict.fromkeys((7, 55, 174, 221), "A"),
        **dict.fromkeys((34, 48, 71, 88, 128, 130, 185), "B"),
        **dict.fromkeys((11, 78, 99, 158, 170, 175), "C"),
    }),
    Variety("rural-aave", 16, "Rural African American Vernacular English", {
        **dict.fromkeys((7, 11, 34, 48, 68, 70, 78, 126, 130, 147, 154, 155, 156, 158, 172), "A"),
        **dict.fromkeys((55, 56, 80, 88, 90, 104, 121, 128, 131, 157, 159, 170, 173, 174, 175, 176, 177, 178, 180, 185,
                         220, 221, 228, 229), "B"),
        **dict.fromkeys((71, 134, 165), "C"),
    }),
    Variety("singapore", 57, "Colloquial Singapore English (Singlish)", {
        **dict.fromkeys((63, 165, 173, 174, 176, 177, 178, 228, 229), "A"),
        **dict.fromkeys((7, 34, 48, 55, 78, 80, 99, 128, 147, 158, 159, 170, 175), "B"),
        **dict.fromkeys((88, 220, 221), "C"),
    }),
    Variety("urban-aave", 15, "Urban African American Vernacular English", {
        **dict.fromkeys((7, 11, 34, 48, 68, 78, 80, 90, 126, 130, 147, 154, 155, 156, 157, 158, 170, 172, 173, 174, 176,
                         177, 178, 185), "A"),
        **dict.fromkeys((55, 70, 104, 121, 128, 131, 165, 180, 220, 221, 228, 229), "B"),
        **dict.fromkeys((56, 88, 99, 159), "C"),
    }),
)}  # fmt: skip
"""Every variety by its name."""
