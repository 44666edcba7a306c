"""What an OpenAI-compatible server says of itself and of the model that is asked: found out once, before anything."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fairprobe.engines.checkpoints import Served
from fairprobe.engines.openai.http import Api, Call, Refused, Unanswered
from fairprobe.errors import EngineError


@dataclass(frozen=True, slots=True)
class Server:
    """None stands for what it does not say; `length` is what it calls the most tokens of an answer."""

    models: tuple[str, ...] = ()
    owned_by: str | None = None
    root: str | None = None
    max_model_len: int | None = None
    version: str | None = None
    system_fingerprint: str | None = None
    length: str = "max_tokens"

    @property
    def is_vllm(self) -> bool:
        """Whether it takes what only vLLM does: log-likelihoods by token id, an answer's beginning, classifiers."""
        return self.owned_by == "vllm"

    @property
    def folder(self) -> Path | None:
        """The folder of the checkpoint it serves, where that is one on this machine."""
        root = Path(self.root or "")
        return root if self.is_vllm and root.is_absolute() and root.is_dir() else None

    @property
    def files(self) -> str | None:
        """A sha256 of names, sizes and times of that folder's files: other weights at the same path are others."""
        if self.folder is None:
            return None
        kept = sorted(file for file in self.folder.iterdir() if file.is_file())
        lines = [f"{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}\n" for file in kept]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def meet(api: Api, checkpoint: Served) -> Server:
    """What the server says. Raises `EngineError` where there is none, it wants a key, or it has no such model."""
    try:
        listed = _listed(api, checkpoint)
        card = listed.get(checkpoint.name, {})
        met = Server(tuple(listed), card.get("owned_by"), card.get("root"), card.get("max_model_len"))
        if met.is_vllm:
            met = replace(met, version=api.get(f"{origin(checkpoint.url)}/version").get("version"))
        return _tried(api, checkpoint, met)
    except Unanswered as error:
        msg = f"{checkpoint.url} cannot be asked now: {error}; run again later, or with a higher retries=N"
        raise EngineError(msg) from error
    except (Refused, AttributeError, KeyError, TypeError) as error:
        msg = f"{checkpoint.url} does not answer as an OpenAI-compatible server does: {error}; its address ends in /v1?"
        raise EngineError(msg) from error


def origin(url: str) -> str:
    """Where a vLLM has its own routes, beside the API's."""
    return url.removesuffix("/v1")


def unknown(checkpoint: Served, server: Server, error: Refused) -> EngineError:
    """What to say where a server has no such model, or no such route."""
    near = difflib.get_close_matches(checkpoint.name, server.models, n=8, cutoff=0.4) or server.models[:8]
    more = f" and {len(server.models) - len(near)} more" if len(server.models) > len(near) else ""
    has = f"it has {', '.join(near)}{more}" if server.models else "it lists no models"
    return EngineError(
        f"{checkpoint.url} does not answer for the model {checkpoint.name!r} (404: {error.message}); {has}; "
        "a server is named openai:NAME@URL"
    )


def _listed(api: Api, checkpoint: Served) -> Mapping[str, Mapping[str, Any]]:
    try:
        return {card["id"]: card for card in api.get(f"{checkpoint.url}/models").get("data") or ()}
    except Refused as error:
        # not every server lists its models
        if error.status not in {404, 405}:
            raise
        return {}


def _tried(api: Api, checkpoint: Served, server: Server) -> Server:
    """The server with what an answer of one token says of it; a server that writes none is taken as it is."""
    said: dict[str, Any] = {"prompt": "Hi"} if server.is_vllm else {"messages": [{"role": "user", "content": "Hi"}]}
    route = "completions" if server.is_vllm else "chat/completions"
    call = Call(f"{checkpoint.url}/{route}", {"model": checkpoint.name, **said, server.length: 1})
    try:
        return replace(server, system_fingerprint=api.post(call).get("system_fingerprint"))
    except Refused as error:
        if error.status == 404 and checkpoint.name not in server.models:
            raise unknown(checkpoint, server, error) from error
        if error.status == 400 and "max_completion_tokens" in error.message and server.length == "max_tokens":
            return _tried(api, checkpoint, replace(server, length="max_completion_tokens"))
        if error.status < 400:
            # not even JSON: no server of this kind
            raise
        return server
