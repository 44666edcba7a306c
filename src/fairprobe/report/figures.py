"""Figures: how numbers are printed, and where they lie on an axis, in shares of its width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NO_EVIDENCE = "no evidence"
MINUS = "\N{MINUS SIGN}"


def places(numbers: Iterable[float | None]) -> int:
    """The fewest decimals, two or three as a rule, with which different numbers still look different.

    >>> places([0.12, 0.08, 0.16, 0.05]), places([0.0499, 0.05]), places([128.25, 97.5])
    (2, 4, 0)
    """
    known = {n for n in numbers if n is not None}
    largest = max(map(abs, known), default=1.0) or 1.0
    start = 2 if 0.02 <= largest < 10 else min(4, max(0, 2 - math.floor(math.log10(largest))))
    choices = (d for d in range(start, start + 3) if len({f"{n:.{d}f}" for n in known}) == len(known))
    return next(choices, start + 2)


def number(value: float | None, decimals: int = 2) -> str:
    """A number as it is printed: with a true minus, and never a minus zero.

    >>> number(0.123), number(-0.001), number(12800, 0), number(None)
    ('0.12', '0.00', '12,800', 'no evidence')
    """
    if value is None:
        return NO_EVIDENCE
    text = f"{value:,.{decimals}f}"
    return text.replace("-", MINUS if text.strip("-0.,") else "")


def within(low: float | None, high: float | None, decimals: int) -> str:
    """The limits between which a value is shown to lie; nothing where there are none.

    >>> within(0.081, 0.159, 2), within(None, None, 2)
    ('0.08 to 0.16', '')
    """
    return "" if low is None else f"{number(low, decimals)} to {number(high, decimals)}"


def exact(value: float) -> str:
    """A round number as people write it.

    >>> exact(0.15000000000000002), exact(3.0)
    ('0.15', '3')
    """
    return f"{value:.6g}".replace("-", MINUS)


def p_value(p: float) -> str:
    """A p-value as it is printed in a sentence.

    >>> p_value(0.00021), p_value(0.042), p_value(0.99999)
    ('< 0.001', '= 0.042', '> 0.999')
    """
    if 0.0005 <= p < 0.9995:
        return f"= {p:.2f}" if 0.1 <= p < 0.99 else f"= {p:.3f}"
    return "< 0.001" if p < 0.5 else "> 0.999"


def counted(n: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "expectation"), counted(1572, "sample")
    ('1 expectation', '1,572 samples')
    """
    return f"{n:,} {noun if n == 1 else noun + 's'}"


def tint(value: float | None, highest: float | None, unit: float) -> str:
    """A class for how far a value lies below the highest one, in steps of 2, 5, 10 and 20 per cent of the unit.

    >>> tint(0.7, 0.71, 1.0), tint(0.59, 0.71, 1.0), tint(None, 0.71, 1.0)
    ('h0', 'h3', 'none')
    """
    if value is None or highest is None:
        return "none"
    return f"h{sum((highest - value) / unit >= step - 1e-9 for step in (0.02, 0.05, 0.1, 0.2))}"


@dataclass(frozen=True)
class Scale:
    """An axis: where a number lies between its ends."""

    low: float
    high: float

    @classmethod
    def over(cls, numbers: Iterable[float | None]) -> Scale:
        """The axis that shows all numbers with some air."""
        known = [n for n in numbers if n is not None] or [0.0, 1.0]
        low, high = min(known), max(known)
        air = 0.12 * (high - low) or 0.1 * abs(high) or 0.1
        return cls(low - air, high + air)

    def share(self, value: float) -> float:
        """0 at the left end, 100 at the right one."""
        return 100 * (value - self.low) / (self.high - self.low)

    def at(self, value: float | None) -> str | None:
        """The position as an SVG length; what is not known has none."""
        return None if value is None else f"{self.share(value):.2f}%"

    def down(self, value: float | None) -> str | None:
        """The position from above, on an axis that goes up."""
        return None if value is None else f"{100 - self.share(value):.2f}%"

    def ticks(self) -> list[float]:
        """About four round numbers along the axis.

        >>> [exact(tick) for tick in Scale(-0.01, 0.21).ticks()]
        ['0', '0.05', '0.1', '0.15', '0.2']
        """
        rough = (self.high - self.low) / 4
        power = 10.0 ** math.floor(math.log10(rough))
        step = next((m * power for m in (1, 2, 5) if rough <= m * power * 1.2), 10 * power)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]

    def anchor(self, value: float) -> str:
        """Which end of a label to fasten at a position so that it stays inside."""
        share = self.share(value)
        return "start" if share < 6 else "end" if share > 94 else "middle"


def gone(groups: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Which counts of samples that a table of groups has beside those that were compared, and their words."""
    words = {"left_out": "left out", "unasked": "not asked"}
    return [(name, word) for name, word in words.items() if any(group.get(name) for group in groups)]


def stopping(entry: Mapping[str, Any]) -> str | None:
    """When asking stopped, and what the bets had come to; None of an expectation that was asked whole."""
    held = entry.get("e_values")
    if not held:
        return None
    spared = sum(group.get("unasked") or 0 for group in entry["groups"])
    asked = f"{entry['samples']:,} of {entry['samples'] + spared:,} samples were asked"
    came = {side: "certainty" if held[side] is None else f"{held[side]:.3g}" for side in ("pass", "fail")}
    bets = f"betting for the claim came to {came['pass']} and against it to {came['fail']}"
    return f"{asked}; {bets}, and {held['needed']:.4g} decides"
