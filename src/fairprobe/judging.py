"""Who answers for the truth of an expectation right now: a running test's judge, or nobody."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

judge_now: ContextVar[Callable[[Any], bool] | None] = ContextVar("judge_now", default=None)
"""What `bool(expectation)` asks while a test runs; unset while tests are being collected."""
