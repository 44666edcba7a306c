"""The handful of errors that users meet."""

from __future__ import annotations


class FairprobeError(Exception):
    """What fairprobe raises when it was asked for something it cannot do: catch this one for all below."""


class BadExpectation(FairprobeError, TypeError):
    """An expression that cannot mean what was written; the message shows the line to write."""


class BadData(FairprobeError, ValueError):
    """Samples that cannot be read or do not fit their task: a file, a line, a column, a pair."""


class UnknownGroup(BadData, KeyError):
    """A column or a group that the samples do not have."""

    # KeyError quotes its message as if it were a key
    __str__ = Exception.__str__


class NoCheckpoint(FairprobeError, LookupError):
    """A checkpoint that was named and is not there, or needed and not named."""


class EngineError(FairprobeError, RuntimeError):
    """An engine that cannot be loaded or cannot answer what is asked of it."""


class StoreError(FairprobeError, OSError):
    """The answers cannot be written or read: no room, no permission, not a store."""


class NotShown(AssertionError):
    """What `assert expectation` raises inside a test when the verdict is no pass; the message is its table."""
