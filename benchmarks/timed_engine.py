"""The engine `transformers` with a watch: an engine named `timed`, found as any engine of another package is.

`overhead.py` gives it to a real pytest run, with `-p timed_engine` so that other packages are imported, and their
import is timed, before anything else. The CPU seconds go into the file that $FAIRPROBE_TIMES names.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SPENT: Counter[str] = Counter()


@contextmanager
def spending(what: str) -> Iterator[None]:
    """Adds the CPU seconds of its body, those of all threads."""
    started = time.process_time()
    try:
        yield
    finally:
        SPENT[what] += time.process_time() - started


with spending("imports"):
    import jinja2  # noqa: F401
    import polars  # noqa: F401
    import scipy.special
    import scipy.stats  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedModel  # noqa: F401


def open(checkpoint: Any, arguments: Mapping[str, str], template_arguments: Mapping[str, str]) -> Timed:  # noqa: A001
    """The engine for a checkpoint."""
    from fairprobe.engines import transformers

    _watch(PreTrainedModel)
    return Timed(transformers.open(checkpoint, arguments, template_arguments))


class Timed:
    """An engine, of which it is known how long it tokenised and answered."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def encode_all(self, requests: Sequence[Any]) -> list[Any]:
        """As the engine does."""
        with spending("tokenising"):
            return self._engine.encode_all(requests)  # type: ignore[no-any-return]

    def answers(self, requests: Sequence[Any]) -> Iterator[Mapping[Any, Any]]:
        """As the engine does; what is done with a chunk is no part of the time."""
        chunks = self._engine.answers(requests)
        while True:
            with spending("answering"):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk

    def close(self) -> None:
        """Free the weights, and write down the seconds so far."""
        self._engine.close()
        Path(os.environ["FAIRPROBE_TIMES"]).write_text(json.dumps(SPENT), encoding="utf-8")


def _watch(kind: Any) -> None:
    """Times calls of models, the outermost of nested ones."""
    call, inside = kind.__call__, []

    def timed(self: Any, *args: Any, **kwargs: Any) -> Any:
        if inside:
            return call(self, *args, **kwargs)
        inside.append(self)
        try:
            with spending("model"):
                return call(self, *args, **kwargs)
        finally:
            inside.clear()

    kind.__call__ = timed
