"""What an OpenAI-compatible server's JSON says, as responses; a value that is absent or not finite is a failure.

Whatever is not where it should be raises `KeyError`, `IndexError`, `TypeError` or `ValueError`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from fairprobe.engines.tokens import Encoded, Ids, Said, Tokens, chosen, cut, divided, scored_at_once
from fairprobe.requests import (
    DoesNotFit,
    Embedded,
    Failed,
    Generate,
    Generated,
    Rated,
    Response,
    Unfinished,
)

Json = Mapping[str, Any]

ENDS = {"stop": True, "content_filter": True, "length": False}
"""Why an answer is over, and whether that was its end."""
LOWEST = -9999.0
"""What a vLLM writes for minus infinity, which JSON has no number for."""
TOO_LONG = re.compile(r"maximum context length|context_length_exceeded|max_model_len")


class Usage(NamedTuple):
    """Tokens as the server counts them: of the prompt, of those the ones computed anew, and of the answer."""

    prompt: int
    prefill: int
    output: int


def usage(got: Json) -> Usage:
    """What an answer cost."""
    said = got["usage"]
    prompt = int(said["prompt_tokens"])
    cached = (said.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return Usage(prompt, prompt - int(cached), int(said.get("completion_tokens") or 0))


class Means(NamedTuple):
    """What it takes to read an answer: our tokenizer, where we have one, and the model's context, where it is known."""

    tokens: Tokens | None
    limit: int | None


def generated(request: Generate, encoded: Encoded, got: Json, means: Means) -> Response:
    """A written answer: by its token ids where we have a tokenizer and the server gives them, else by its text."""
    choice = got["choices"][0]
    reason = choice["finish_reason"]
    if reason not in ENDS:
        return Failed(f"the server ended the answer with finish_reason={reason!r}")
    ended, ids = ENDS[reason], choice.get("token_ids")
    if means.tokens is not None and ids is not None:
        # after a stop text the last token is the answer's own
        return means.tokens.generated(request, encoded, ids, ended and not isinstance(choice.get("stop_reason"), str))
    cost = usage(got)
    if not ended and cost.output < request.max_tokens and cost.prompt + cost.output >= (means.limit or math.inf):
        # a vLLM allows a message fewer tokens than it was asked for, rather than refuse it
        return DoesNotFit(cost.prompt + request.max_tokens, cost.prompt + cost.output)
    said = _said(choice, encoded)
    hidden = (got["usage"].get("completion_tokens_details") or {}).get("reasoning_tokens")
    if said.text is None or (not said.text and not ended and (said.reasoning or hidden)):
        return Unfinished(said.reasoning or "", cost.prompt, cost.output)
    end = cut(said.text, request.stop)
    text, chat = said.text if end is None else said.text[:end], encoded.chat or "message" in choice
    return Generated(text, ended or end is not None, chat, cost.prompt, cost.output, said.reasoning)


def _said(choice: Json, encoded: Encoded) -> Said:
    message = choice.get("message")
    if message is None:
        said = divided(choice["text"]) if encoded.chat else Said(None, str(choice["text"]))
        return Said(said.text, None) if encoded.reasoning and said.reasoning is None else said
    text = str(message.get("content") or message.get("refusal") or "")
    reasoning = message.get("reasoning") or message.get("reasoning_content")
    return Said(str(reasoning).strip(), text.lstrip()) if reasoning else divided(text)


def scored(encoded: Encoded, got: Json) -> Response:
    """The summed log-likelihoods of the options: of the next token, or of the last tokens of prompt and option."""
    options = encoded.continuations
    if scored_at_once(encoded):
        top = got["choices"][0]["logprobs"]["top_logprobs"][0]
        rows: dict[Ids, list[float | None]] = {ids: [top.get(f"token_id:{ids[0]}")] for ids in options}
    else:
        ordered = sorted(got["choices"], key=lambda choice: choice["index"])
        rows = {
            ids: _last(ids, encoded, choice["prompt_logprobs"])
            for ids, choice in zip(dict.fromkeys(options), ordered, strict=True)
        }
    values = [LOWEST if value is None else value for ids in options for value in rows[ids]]
    found = chosen(encoded, values) if min(values) > LOWEST else None
    return found or Failed(f"the log-likelihoods of the options' tokens are not all there and finite: {rows!r:.200}")


def _last(ids: Ids, encoded: Encoded, given: list[Json | None]) -> list[float | None]:
    """The log-likelihoods of an option's tokens, at the end of those of the prompt and the option."""
    if len(given) != len(encoded.prompt) + len(ids):
        msg = f"{len(given)} log-likelihoods for {len(encoded.prompt) + len(ids)} tokens"
        raise ValueError(msg)
    found = zip(ids, given[len(encoded.prompt) :], strict=True)
    return [((each or {}).get(str(token)) or {}).get("logprob") for token, each in found]


def rated(got: Json) -> Response:
    """A classifier's raw scores."""
    scores = tuple(map(float, got["data"][0]["probs"]))
    if not scores or not all(map(math.isfinite, scores)):
        return Failed(f"the ratings are not finite: {scores}")
    return Rated(scores, usage(got).prompt)


def embedded(got: Json) -> Response:
    """A vector, of length 1."""
    vector = tuple(map(float, got["data"][0]["embedding"]))
    length = math.hypot(*vector)
    if not length or not math.isfinite(length):
        return Failed(f"the vector has no direction: its length is {length}")
    return Embedded(tuple(value / length for value in vector), usage(got).prompt)


def unfit(message: str) -> DoesNotFit | None:
    """What a server means that refuses a prompt for its length; None where it refuses it for something else."""
    numbers = sorted(int(number) for number in re.findall(r"\d+", message)[:2])
    return DoesNotFit(numbers[-1], numbers[0]) if TOO_LONG.search(message) and len(numbers) == 2 else None
