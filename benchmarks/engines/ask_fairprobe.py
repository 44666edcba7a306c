"""fairprobe's side: the engine `transformers`, asked as a session asks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import phase
import torch

from fairprobe.engines import open_engine, resolve
from fairprobe.requests import Choose, Chosen, Generate, Generated, Prompt, Request


def opened(order: Mapping[str, Any], _: int) -> tuple[phase.Ask, Any]:
    """A new engine, since one keeps the tokens of what it was asked; it sets the size of its batches itself."""
    arguments = {"dtype": "float32", "device": order["device"]}
    engine = open_engine("transformers", resolve(order["folder"], "model", arguments), arguments, {})
    embedded = _embedded()

    def ask(items: Sequence[Mapping[str, Any]]) -> list[Any]:
        requests = [_request(item, order["max_tokens"]) for item in items]
        responses = {request: answer for chunk in engine.answers(requests) for request, answer in chunk.items()}
        return [_answer(responses[request]) for request in requests]

    return ask, lambda: {**engine.counts, **embedded}


def _request(item: Mapping[str, Any], max_tokens: int) -> Request:
    prompt = Prompt(item["prompt"], format="plain")
    return Generate(prompt, max_tokens) if max_tokens else Choose(prompt, tuple(item["options"]))


def _answer(response: object) -> Any:
    match response:
        case Chosen(loglikelihoods):
            return list(loglikelihoods)
        case Generated(text):
            return text
    msg = f"fairprobe did not answer: {response}"
    raise RuntimeError(msg)


def _embedded() -> Counter[str]:
    """Counts what goes through an embedding from now on, so that an engine's own counts are not merely believed."""
    counts, forward = Counter({"embedded_tokens": 0}), torch.nn.Embedding.forward

    def counted(self: torch.nn.Embedding, ids: torch.Tensor) -> torch.Tensor:
        counts["embedded_tokens"] += ids.numel()
        return forward(self, ids)

    torch.nn.Embedding.forward = counted
    return counts


if __name__ == "__main__":
    phase.main(opened, lambda: {name: version(name) for name in ("fairprobe", "torch", "transformers")})
