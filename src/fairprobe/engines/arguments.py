"""What engines are told on the command line, as values; what cannot be meant is refused with what can."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from fairprobe.errors import EngineError

Meant = TypeVar("Meant")


def check_names(engine: str, given: Mapping[str, str], known: Collection[str]) -> None:
    """Raise `EngineError` for a `KEY=VALUE` whose key the engine does not know."""
    for name, value in given.items():
        if name not in known:
            msg = (
                f"the engine {engine!r} has no argument {name!r} (given: {name}={value}); it knows "
                f"{', '.join(sorted(known))}"
            )
            raise EngineError(msg)


def one_of(name: str, value: str, known: Mapping[str, Meant]) -> Meant:
    """What a value stands for among those that are known."""
    if value not in known:
        msg = f"{name} is one of {', '.join(sorted(known))}; it is {value!r}"
        raise EngineError(msg)
    return known[value]


def whole_number(name: str, value: str, least: int) -> int:
    """A whole number that is not below `least`."""
    if not value.isdecimal() or int(value) < least:
        msg = f"{name} should be a whole number, at least {least}; it is {value!r}"
        raise EngineError(msg)
    return int(value)
