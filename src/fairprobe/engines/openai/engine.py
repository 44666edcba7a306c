"""Says what a server is asked; `http` asks it and `replies` reads the answers.

With a tokenizer here, prompts go as token ids and a vLLM scores options; without one they go as messages, and only
answers, vectors and ratings come back.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from fairprobe.engines.arguments import check_names, whole_number
from fairprobe.engines.checkpoints import Served, has_tokenizer, tokenizer_fingerprint
from fairprobe.engines.openai import replies
from fairprobe.engines.openai.http import Api, Call, Patience, Refused, Unanswered
from fairprobe.engines.openai.server import Server, meet, origin, unknown
from fairprobe.engines.tokens import Encoded, Tokens, check, messages, plain, scored_at_once, template_value
from fairprobe.errors import EngineError
from fairprobe.requests import Choose, DoesNotFit, Embed, Failed, Generate, Prompt, Rate, Request, Response

RULES = 1
"""Raised when how a request is put or read changes, so that the store asks again."""
LOST = 50
"""So many requests lost one after the other, each with all its retries, mean that the server is gone."""
ROOM = 1
"""A server writes a token after every prompt, wanted or not."""
AS_IT_IS = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""What a vLLM would else take from the checkpoint's generation_config.json, and change the model's answers by."""
SAMPLE = Prompt("Which animal says moo? Ọ̀kọ̀ọ̀kan, 猫 and 42.", format="plain")
"""A text on which two tokenizers differ."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The engine's arguments."""

    tokenizer: Path | None = None
    parallel: int = 32
    retries: int = 5
    timeout: float = 600.0
    key_env: str = "OPENAI_API_KEY"
    date: str | None = None

    @classmethod
    def read(cls, arguments: Mapping[str, str]) -> Settings:
        """The settings that `KEY=VALUE` arguments give; raises `EngineError` for an unknown or senseless one."""
        check_names("openai", arguments, cls.__slots__)
        return cls(**{name: _parsed(name, value) for name, value in arguments.items()})


def _parsed(name: str, value: str) -> Any:
    if name == "tokenizer":
        folder = Path(value).expanduser().resolve()
        if not has_tokenizer(folder):
            msg = f"tokenizer names the folder of the checkpoint that is served; {folder} holds no tokenizer"
            raise EngineError(msg)
        return folder
    if name == "date":
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError as error:
            msg = f"date should be a day such as 2026-11-20, whose answers are to be used again; it is {value!r}"
            raise EngineError(msg) from error
    if name in {"parallel", "retries", "timeout"}:
        return whole_number(name, value, 0 if name == "retries" else 1)
    return value


def open(  # noqa: A001 - the name every engine's module gives it
    checkpoint: Served, arguments: Mapping[str, str], template_arguments: Mapping[str, str]
) -> OpenAIEngine:
    """The engine for a served checkpoint; the server is first asked when something depends on it."""
    return OpenAIEngine(checkpoint, arguments, template_arguments)


class OpenAIEngine:
    """Answers requests by what a server answers, several at a time."""

    def __init__(self, checkpoint: Served, arguments: Mapping[str, str], template_arguments: Mapping[str, str]) -> None:
        self.checkpoint = checkpoint
        self.settings = given = Settings.read(arguments)
        self._arguments = dict(arguments)
        self._template_arguments = dict(template_arguments)
        self._day = given.date or date.today().isoformat()
        self._api = Api(Patience(given.parallel, given.retries, given.timeout), given.key_env)
        self._encoded: dict[Request, Encoded | DoesNotFit] = {}
        self._counts: Counter[str] = Counter()
        self._has = cache(self._route)

    @property
    def takes(self) -> Literal["tokens", "messages"]:
        """Whether prompts go as token ids: where there is a tokenizer here."""
        return "messages" if self.tokens is None else "tokens"

    @property
    def loglikelihoods(self) -> bool:
        """Whether options can be scored: where there is a tokenizer here."""
        return self.tokens is not None

    def refuses(self, kind: type[Request]) -> str | None:
        """Why this server cannot answer requests of a kind, with the next step; None where it can."""
        url = self.checkpoint.url
        if issubclass(kind, Choose) and self.tokens is None:
            return (
                f'{url} gives no log-likelihoods of options: let the model write its choice, scoring="generate"; or, '
                "where the server is a vLLM, name the folder of its checkpoint: tokenizer=PATH (an engine argument)"
            )
        if kind is Rate and not self.server.is_vllm:
            return f"{url} is no vLLM, whose /classify is what gives ratings: serve the classifier with vLLM"
        if self.server.is_vllm and not self._has(self._url(kind)):
            return (
                f"the vLLM at {url} serves {self.checkpoint.name} with no {self._url(kind)}: it is no model for "
                f"{kind.__name__}, or was not started as one (--runner)"
            )
        return None

    @cached_property
    def server(self) -> Server:
        """What the server says of itself, asked once. Raises `EngineError` where there is none, or not this model."""
        return meet(self._api, self.checkpoint)

    @cached_property
    def tokens(self) -> Tokens | None:
        """The tokenizer and the requests' way through it: the one named, else that of a folder served from here.

        None where neither is there, or transformers is not and none was named.
        """
        served = self.server.folder
        folder = self.settings.tokenizer or (served if served and has_tokenizer(served) else None)
        if folder is None:
            return None
        try:
            tokens = Tokens(folder, self._template_arguments)
        except ImportError as error:
            if self.settings.tokenizer is None:
                return None
            msg = f"tokenising for {self.checkpoint.url} needs transformers: pip install 'fairprobe[transformers]'"
            raise EngineError(msg) from error
        if self.server.is_vllm:
            _check(tokens, self._api, self.checkpoint)
        return tokens

    @cached_property
    def numerics(self) -> str:
        """What the server says of itself, mode, tokenizer and day, as one line of JSON; asks the server once."""
        said = {
            "engine": "openai",
            "rules": RULES,
            "mode": self.takes,
            "date": self._day,
            "owned_by": self.server.owned_by,
            "root": self.server.root,
            "max_model_len": self.server.max_model_len,
            "version": self.server.version,
            "system_fingerprint": self.server.system_fingerprint,
            "files": self.server.files,
            "tokenizer": tokenizer_fingerprint(self.tokens.path) if self.tokens else None,
            "template_arguments": self._template_arguments,
        }
        return json.dumps(said, sort_keys=True)

    @property
    def counts(self) -> Mapping[str, int]:
        """Tokens by the server's own count, those it had in its cache left out, and how often it was asked."""
        asked = {"http_requests": self._api.requests, "retries": self._api.retries}
        return {**{name: self._counts[name] for name in ("prefill_tokens", "output_tokens")}, **asked}

    def encode_all(self, requests: Sequence[Request]) -> list[Encoded | DoesNotFit]:
        """The tokens of requests, in their order; nothing is known of them where the server tokenises.

        Raises `EngineError` for what this server cannot answer.
        """
        new = [request for request in dict.fromkeys(requests) if request not in self._encoded]
        for request in new:
            check(request)
            if problem := self._problem(request):
                raise EngineError(problem)
        limit = self.server.max_model_len
        encoded = self.tokens.encode_all(new, limit, ROOM) if self.tokens else [Encoded(())] * len(new)
        self._encoded.update(zip(new, encoded, strict=True))
        return [self._encoded[request] for request in requests]

    def answers(self, requests: Sequence[Request]) -> Iterator[Mapping[Request, Response]]:
        """The response to each distinct request, as it comes; `parallel` of them are under way at a time."""
        distinct = list(dict.fromkeys(requests))
        encoded = dict(zip(distinct, self.encode_all(distinct), strict=True))
        if unfit := {request: each for request, each in encoded.items() if isinstance(each, DoesNotFit)}:
            yield unfit
        # one kind after the other: a vLLM can mix up the log-likelihoods of different kinds in one batch
        for kind in (Choose, Generate, Rate, Embed):
            calls = (
                (request, self._call(request, each))
                for request, each in encoded.items()
                if isinstance(request, kind) and isinstance(each, Encoded)
            )
            yield from self._answers(calls)

    def describe(self) -> dict[str, Any]:
        """Name, version of the server, and arguments, as plain JSON; asks nothing."""
        server: Server = self.__dict__.get("server", Server())
        return {
            "name": "openai",
            "version": server.version or server.owned_by or "unknown",
            "device": None,
            "dtype": None,
            "url": self.checkpoint.url,
            "arguments": self._arguments,
        }

    def close(self) -> None:
        """Let the connections go; the engine makes them again when it is asked again."""
        self._api.close()

    # what is asked

    def _problem(self, request: Request) -> str | None:
        prefix = request.prompt.prefix and isinstance(request, Generate) and request.prompt.format != "plain"
        if prefix and self.tokens is None and not self.server.is_vllm:
            return (
                f"a prefix ({request.prompt.prefix!r:.40}) is the beginning of the model's own answer, and the chat of "
                f"{self.checkpoint.url} takes none: leave it out, or name the folder of the checkpoint, tokenizer=PATH"
            )
        return self.refuses(type(request))

    def _is_chat(self, request: Request) -> bool:
        """Whether a prompt goes as messages; a text to embed does only where that is asked for."""
        return request.prompt.format == "chat" or (request.prompt.format == "auto" and not isinstance(request, Embed))

    def _url(self, kind: type[Request], *, chat: bool = False) -> str:
        base = self.checkpoint.url
        if kind is Rate:
            return f"{origin(base)}/classify"
        return f"{base}/embeddings" if kind is Embed else f"{base}/chat/completions" if chat else f"{base}/completions"

    def _route(self, url: str) -> bool:
        """Whether there is such a route: one that is only posted to says so, at no cost."""
        try:
            self._api.get(url)
        except Refused as error:
            return error.status != 404
        except Unanswered as error:
            raise EngineError(str(error)) from error
        return True

    def _call(self, request: Request, encoded: Encoded) -> Call:
        chat = self.tokens is None and self._is_chat(request)
        body = {"model": self.checkpoint.name, **self._prompt(request, encoded, chat)}
        if isinstance(request, Choose):
            body |= _scoring(encoded)
        if isinstance(request, Generate):
            body |= self._sampling(request, encoded)
        if isinstance(request, Rate):
            body["use_activation"] = False
        return Call(self._url(type(request), chat=chat), body)

    def _prompt(self, request: Request, encoded: Encoded, chat: bool) -> dict[str, Any]:
        name = "input" if isinstance(request, (Rate, Embed)) else "prompt"
        if self.tokens is not None:
            return {name: encoded.prompt}
        answer = request.answer if isinstance(request, Rate) else None
        prompt = request.prompt if answer is None else replace(request.prompt, prefix=request.prompt.prefix + answer)
        if not chat:
            return {name: plain(prompt)}
        said = [{"role": role, "content": text} for role, text in messages(prompt)]
        given: dict[str, Any] = {}
        if prompt.prefix:
            said.append({"role": "assistant", "content": prompt.prefix})
        if prompt.prefix and isinstance(request, Generate):
            given = {"add_generation_prompt": False, "continue_final_message": True}
        if self._template_arguments:
            given["chat_template_kwargs"] = {
                key: template_value(text) for key, text in self._template_arguments.items()
            }
        return {"messages": said, **given}

    def _sampling(self, request: Generate, encoded: Encoded) -> dict[str, Any]:
        said: dict[str, Any] = {self.server.length: request.max_tokens, "temperature": request.temperature}
        if request.stop and not (self.tokens and self.tokens.stops_late(encoded)):
            said["stop"] = list(request.stop)
        if request.temperature > 0:
            said["seed"] = request.seed
        if self.server.is_vllm:
            said |= AS_IT_IS
        return said | ({"return_token_ids": True} if self.tokens else {})

    # how it is read

    def _answers(self, calls: Iterator[tuple[Request, Call]]) -> Iterator[Mapping[Request, Response]]:
        lost = 0
        for request, got in self._api.all(calls):
            response = self._response(request, got)
            lost = lost + 1 if isinstance(response, Failed) else 0
            yield {request: response}
            if isinstance(response, Failed) and lost == LOST:
                msg = (
                    f"{self.checkpoint.url} has left {lost} requests in a row without an answer; the last: "
                    f"{response.error}. What it answered before is kept; run again when the server is well, or with "
                    "--fairprobe-engine-arg parallel=N, a lower one"
                )
                raise EngineError(msg)

    def _response(self, request: Request, got: Any) -> Response:
        if isinstance(got, Refused) and got.status == 404:
            raise unknown(self.checkpoint, self.server, got)
        if isinstance(got, Refused):
            return replies.unfit(got.message) or Failed(str(got))
        if isinstance(got, Unanswered):
            return Failed(str(got))
        if isinstance(got, Exception):
            raise got
        encoded = self._encoded[request]
        assert isinstance(encoded, Encoded)
        try:
            response = self._read(request, encoded, got)
            usage = replies.usage(got)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            return Failed(f"the server's answer cannot be read ({type(error).__name__}: {error}): {got!r:.200}")
        self._counts.update(prefill_tokens=usage.prefill, output_tokens=usage.output)
        return response

    def _read(self, request: Request, encoded: Encoded, got: Any) -> Response:
        if isinstance(request, Choose):
            return replies.scored(encoded, got)
        if isinstance(request, Rate):
            return replies.rated(got)
        if isinstance(request, Embed):
            return replies.embedded(got)
        return replies.generated(request, encoded, got, replies.Means(self.tokens, self.server.max_model_len))


def _scoring(encoded: Encoded) -> dict[str, Any]:
    """How a vLLM is asked for options: by their ids after the prompt, else each as the end of a prompt of its own."""
    asked: dict[str, Any] = {"max_tokens": 1, "temperature": 0.0}
    if not scored_at_once(encoded):
        options = dict.fromkeys(encoded.continuations)
        return asked | {"prompt": [encoded.prompt + ids for ids in options], "prompt_logprobs": 0}
    ids = encoded.letters
    # by id, since two tokens of the same text would fall together
    return asked | {"logprobs": len(ids), "logprob_token_ids": ids, "return_tokens_as_token_ids": True}


def _check(tokens: Tokens, api: Api, checkpoint: Served) -> None:
    """Raise where the server's tokens are others than ours: every number would be about another text."""
    body = {"model": checkpoint.name, "prompt": SAMPLE.text, "add_special_tokens": False}
    try:
        theirs = tuple(api.post(Call(f"{origin(checkpoint.url)}/tokenize", body))["tokens"])
    except Refused:
        return
    except Unanswered as error:
        raise EngineError(str(error)) from error
    ours = tokens.encode(Generate(SAMPLE), None)
    # ours may have a beginning-of-text token before it
    if isinstance(ours, Encoded) and ours.prompt[-len(theirs) :] != theirs:
        msg = (
            f"the tokenizer in {tokens.path} is not that of {checkpoint.name} at {checkpoint.url}: it makes other "
            f"tokens of {SAMPLE.text!r}; name the folder of the checkpoint that is served: tokenizer=PATH"
        )
        raise EngineError(msg)
