"""Engines answer requests: one small protocol, and the entry points by which an engine is found by name.

Importing this package loads neither torch nor transformers; `open_engine` loads the one that is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, Protocol

from fairprobe.engines.checkpoints import Checkpoint, Served, resolve
from fairprobe.engines.tokens import Encoded
from fairprobe.errors import EngineError
from fairprobe.requests import DoesNotFit, Request, Response

__all__ = ["Checkpoint", "Choice", "Encoded", "Engine", "Served", "choose", "open_engine", "resolve"]

GROUP = "fairprobe.engines"
OURS = ("openai", "transformers", "vllm")
"""Our own engines; an extra of fairprobe's by the same name brings what each of them imports."""


class Engine(Protocol):
    """What answers the requests put to one checkpoint."""

    @property
    def takes(self) -> Literal["tokens", "messages"]:
        """Whether requests are put to it as token ids, or as messages that a server turns into tokens."""

    @property
    def loglikelihoods(self) -> bool:
        """Whether it gives the log-likelihoods that `Choose` asks for."""

    def refuses(self, kind: type[Request]) -> str | None:
        """Why this checkpoint cannot answer requests of a kind, with the next step; None where it can."""

    @property
    def counts(self) -> Mapping[str, int]:
        """What was computed since it was opened: `prefill_tokens`, `output_tokens`, and what else it counts.

        A beginning that requests share counts as often as it was computed.
        """

    @property
    def numerics(self) -> str:
        """What else than the checkpoint's content changes its numbers, as one line; known without its weights.

        It goes into the store's key: engine, dtype, kind of device, arguments that matter.
        """

    def encode_all(self, requests: Sequence[Request]) -> list[Encoded | DoesNotFit]:
        """The tokens of requests, in their order, or that they do not fit; needs no weights."""

    def answers(self, requests: Sequence[Request]) -> Iterator[Mapping[Request, Response]]:
        """The responses to distinct requests, in chunks and in any order.

        A chunk is all that is known before the engine computes on, so that it can be kept by then. The weights are
        loaded when the first request is put to them.
        """

    def describe(self) -> dict[str, Any]:
        """Name, version, device, dtype and arguments, as plain JSON; `notes` are sentences for whoever reads them."""

    def close(self) -> None:
        """Free the weights; a closed engine still encodes, and loads them again when asked again."""


class Choice(NamedTuple):
    """The engine that answers for a checkpoint, why it is that one, and the module that opens it."""

    name: str
    reason: str
    opener: Any


def choose(name: str, checkpoint: Checkpoint | Served | None = None) -> Choice:
    """The engine called `name` for a checkpoint, or for any that lies on this machine; and why it is that one.

    Raises `EngineError` where there is no such engine, where it asks no such checkpoint, and where what it imports is
    not installed.
    """
    served = isinstance(checkpoint, Served)
    wanted, reason = _default(served) if name == "auto" else (name, "it is named")
    if checkpoint is not None and served != (wanted == "openai"):
        msg = (
            f"{checkpoint.url} is a server, which the engine 'openai' asks; the engine named is {wanted!r}"
            if isinstance(checkpoint, Served)
            else f"the engine 'openai' asks servers: name {checkpoint.name} as openai:NAME@URL, or another engine"
        )
        raise EngineError(msg)
    return Choice(wanted, reason, _load(_found(wanted)))


def open_engine(
    name: str, checkpoint: Checkpoint | Served, arguments: Mapping[str, str], template_arguments: Mapping[str, str]
) -> Engine:
    """The engine that is chosen for a checkpoint, with the `KEY=VALUE` arguments the user gave.

    Raises `EngineError` as `choose` does, and where the engine does not know an argument.
    """
    engine: Engine = choose(name, checkpoint).opener.open(checkpoint, arguments, template_arguments)
    return engine


def _default(served: bool) -> tuple[str, str]:
    """The engine for a server, for a GPU on which vLLM can run, or for any machine; and the reason."""
    if served:
        return "openai", "the checkpoint is a server's"
    if find_spec("vllm") is None:
        return "transformers", "vllm is not installed"
    import torch

    if torch.cuda.is_available():
        return "vllm", "it is installed and there is a GPU"
    return "transformers", "vllm is installed and there is no GPU"


def _found(name: str) -> EntryPoint:
    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in installed:
        msg = f"there is no engine {name!r}; installed are: auto, {', '.join(sorted(installed))}"
        raise EngineError(msg)
    return installed[name]


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except ImportError as error:
        missing = error.name or str(error)
        ours = entry.name in OURS
        step = f"pip install 'fairprobe[{entry.name}]'" if ours else f"install what {entry.value} imports"
        msg = f"the engine {entry.name!r} needs {missing}, which cannot be imported: {step}"
        raise EngineError(msg) from error
