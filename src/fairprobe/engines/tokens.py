"""The one place that tokenises: a request becomes token ids, or does not fit; no weights are needed.

A continuation is scored as the tokens of the *joint* text. Where the tokenizer merges across the end of the prompt,
the boundary moves back to the first token on which the prompt alone and any of the joint texts differ, for all options
of a request alike: each option is then scored as P(end of the prompt + option | the rest of the prompt), so that the
options stay comparable, and `Encoded.moved` counts the tokens.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from fairprobe.engines.checkpoints import first_line
from fairprobe.errors import EngineError
from fairprobe.requests import (
    Choose,
    Chosen,
    DoesNotFit,
    Embed,
    Generate,
    Generated,
    Prompt,
    Rate,
    Request,
    Unfinished,
    Weigh,
    Weighed,
)

Ids = tuple[int, ...]
MOST_IDS = 128
"""A vLLM weighs no more ids of a next token than this."""
FAR = 10**9
"""A tokenizer's `model_max_length` above this says that it knows none."""
RESERVED = {"add_generation_prompt", "chat_template", "continue_final_message", "conversation", "messages", "tokenize"}
"""What a chat template is told anyway, and no user can."""
REASONING = (
    ("<think>", "</think>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ("[THINK]", "[/THINK]"),
    ("<reasoning>", "</reasoning>"),
)
"""What begins a model's reasoning, and what ends it: what follows is the answer."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """The token ids of a prompt and of each option after it, the beginning-of-text token included in the prompt.

    `chat` says whether the chat template was applied; `moved` how many tokens of the prompt's own encoding went to
    the continuations since an option merges with them; `reasoning` whether the prompt has begun a reasoning that the
    model is to end; `weighed` whether each token is told by itself.
    """

    prompt: Ids
    continuations: tuple[Ids, ...] = ()
    chat: bool = False
    moved: int = 0
    reasoning: bool = False
    weighed: bool = False

    @property
    def letters(self) -> Ids:
        """The distinct options where each is a single token, which are then weighed at one place; else none."""
        distinct = dict.fromkeys(self.continuations)
        return tuple(ids[0] for ids in distinct) if all(len(ids) == 1 for ids in distinct) else ()


class Said(NamedTuple):
    """What a model wrote: its reasoning, and its answer, which is None where the reasoning did not end."""

    reasoning: str | None
    text: str | None


def chosen(encoded: Encoded, values: Sequence[float]) -> Chosen | Weighed | None:
    """The choice that the log-likelihoods of the options' tokens make, in their order; None if one is no number."""
    left, options = iter(values), encoded.continuations
    totals = tuple(math.fsum(islice(left, len(ids))) for ids in options)
    if len(values) != sum(map(len, options)) or not all(map(math.isfinite, totals)):
        return None
    if encoded.weighed:
        return Weighed(tuple(values), options[0], len(encoded.prompt))
    mass = min(1.0, math.fsum(map(math.exp, totals))) if len(encoded.letters) == len(options) else None
    return Chosen(totals, tuple(map(len, options)), len(encoded.prompt), mass)


def scored_at_once(encoded: Encoded) -> bool:
    """Whether the options' log-likelihoods stand at one position, and are no more than a vLLM gives there."""
    return 0 < len(encoded.letters) <= MOST_IDS


def cut(text: str, stop: Sequence[str]) -> int | None:
    """Where the first stop text in a text begins; None where there is none."""
    return min((text.index(end) for end in stop if end in text), default=None)


def divided(
    text: str, marks: Sequence[tuple[str, str]] = REASONING, bare: Callable[[str], str] = lambda text: text
) -> Said:
    """What a text says where its reasoning is still in it, between marks, and without what `bare` takes away.

    >>> divided("<think>A bird?</think> An owl.")
    Said(reasoning='A bird?', text='An owl.')
    """
    for begin, end in marks:
        reasoning, ended, answer = text.partition(end)
        if ended:
            return Said(bare(reasoning.replace(begin, "")).strip(), bare(answer).lstrip())
        before, begun, reasoning = text.partition(begin)
        if begun and not bare(before).strip():
            return Said(bare(reasoning).strip(), None)
    return Said(None, bare(text))


class Tokens:
    """A checkpoint's tokenizer and chat template, and the longest text it can read (None: no limit known)."""

    def __init__(self, path: Path, template_arguments: Mapping[str, str], *, trust_remote_code: bool = False) -> None:
        self.path = path
        if reserved := sorted(RESERVED.intersection(template_arguments)):
            msg = f"{reserved[0]} is said to the chat template by fairprobe itself; it can be no template argument"
            raise EngineError(msg)
        self.template_arguments = {key: template_value(text) for key, text in template_arguments.items()}
        self._tokenizer = _load(path, trust_remote_code)
        self._lead, self._trail = self._around()
        self._template = self._chat_template()
        self._special = [str(token) for token in self._tokenizer.added_tokens_decoder.values() if token.special]
        self._marks = [marks for marks in REASONING if self._template and marks[1] in self._template]

    @property
    def template(self) -> str | None:
        """The sha256 of the chat template's text, or None without one."""
        return hashlib.sha256(self._template.encode()).hexdigest() if self._template else None

    @property
    def limit(self) -> int | None:
        """The tokenizer's own `model_max_length`, where it states one."""
        length = getattr(self._tokenizer, "model_max_length", None)
        return int(length) if length and length < FAR else None

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return len(self._tokenizer)

    def ids(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of the tokens of each text, with nothing put around it."""
        with quiet():
            rows = self._tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"]
        return [tuple(row) for row in rows]

    @property
    def end(self) -> int | None:
        """The id of the tokenizer's end-of-text token."""
        return getattr(self._tokenizer, "eos_token_id", None)

    def encode(self, request: Request, context_length: int | None) -> Encoded | DoesNotFit:
        """The token ids of one request, or that prompt and answer together exceed `context_length` tokens.

        Raises `EngineError` for chat format without a template, a template that refuses the messages, an empty
        option, and a prompt of no tokens.
        """
        return self.encode_all([request], context_length)[0]

    def encode_all(
        self, requests: Sequence[Request], context_length: int | None, room: int = 0
    ) -> list[Encoded | DoesNotFit]:
        """The same for many requests, in their order; every distinct text is tokenised once.

        `room` is how many tokens more must fit after an option, where the engine cannot but write some.
        """
        with quiet():
            dressed = [(request, *self.dress(request)) for request in requests]
            ids = self._ids([text for _, prompt, joint, _ in dressed for text in (prompt, *joint)])
        encoded = (
            replace(
                self._encoded(request, ids[prompt], [ids[text] for text in joint], chat),
                reasoning=chat and self._opened(request.prompt, prompt),
            )
            for request, prompt, joint, chat in dressed
        )
        return [_fitted(request, each, context_length, room) for request, each in zip(requests, encoded, strict=True)]

    def dress(self, request: Request) -> tuple[str, list[str], bool]:
        """The text of the prompt as the model reads it, the same with each option after it, and whether it is chat.

        Plain: the system text and messages with a blank line between them, then the prefix after a space. Chat: the
        template with its generation prompt, then the prefix as it is. An option follows a space, except at the very
        beginning of a chat answer or after a chat prefix that ends in white space. An answer to rate is the last
        message of a chat, and follows a space elsewhere; a text to embed is plain unless chat is asked for.
        """
        check(request)
        prompt = request.prompt
        if isinstance(request, Embed) and prompt.format == "auto":
            prompt = replace(prompt, format="plain")
        chat = self._is_chat(prompt)
        answer = request.answer if isinstance(request, Rate) else None
        if not chat:
            text = plain(prompt if answer is None else replace(prompt, prefix=prompt.prefix + answer))
        else:
            text = self._chat(prompt, answer, begin=isinstance(request, (Choose, Generate)))
        options = request.options if isinstance(request, Choose) else ()
        bare = isinstance(request, Weigh) or (chat and (not prompt.prefix or prompt.prefix[-1].isspace()))
        return text, [text + ("" if bare else " ") + option for option in options], chat

    def text(self, ids: Sequence[int]) -> str:
        """The text of generated tokens, special ones left out."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    @property
    def reasons(self) -> bool:
        """Whether the chat template knows of a reasoning: what a model writes first is then not its answer."""
        return bool(self._marks)

    def stops_late(self, encoded: Encoded) -> bool:
        """Whether a stop text may be in a reasoning, where it ends nothing: it is then cut off after all is written."""
        return encoded.chat and self.reasons

    def said(self, ids: Sequence[int], encoded: Encoded) -> Said:
        """What generated tokens say: the reasoning, where there is one, and the answer, where it has begun."""
        if not self.stops_late(encoded):
            return Said(None, self.text(ids))
        whole = str(self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))
        said = divided(whole, self._marks, self._bare)
        if said.reasoning is None and encoded.reasoning:
            return Said(str(said.text).strip(), None)
        return said

    def generated(self, request: Generate, encoded: Encoded, ids: Sequence[int], ended: bool) -> Generated | Unfinished:
        """Generated tokens as a response, without the text from the first stop on; `ended` where the last is an end."""
        counts = (len(encoded.prompt), len(ids))
        said = self.said(ids[:-1] if ended else ids, encoded)
        if said.text is None:
            return Unfinished(said.reasoning or "", *counts)
        end = cut(said.text, request.stop)
        text = said.text if end is None else said.text[:end]
        return Generated(text, ended or end is not None, encoded.chat, *counts, reasoning=said.reasoning)

    def _bare(self, text: str) -> str:
        """A text without special tokens, those included that have no name of their own."""
        for special in self._special:
            text = text.replace(special, "")
        return text

    def _encoded(self, request: Request, prompt: Ids, joint: Sequence[Ids], chat: bool) -> Encoded:
        if isinstance(request, (Rate, Embed)):
            whole = prompt if chat or prompt[len(prompt) - len(self._trail) :] == self._trail else prompt + self._trail
            if not whole:
                msg = f"{request!r:.100} has no tokens, so there is nothing to rate or embed; leave this sample out"
                raise EngineError(msg)
            return Encoded(whole, chat=chat)
        return _split(request, prompt, joint, chat)

    def _opened(self, prompt: Prompt, text: str) -> bool:
        """Whether the template begins a reasoning after the last message, which a prefix may go on with or end."""
        *_, (_, last) = messages(prompt)
        text = text.removesuffix(prompt.prefix)
        after = (text.rpartition(last.strip())[2] if last.strip() else text) + prompt.prefix
        return any(after.rfind(begin) > after.rfind(end) for begin, end in self._marks)

    def _is_chat(self, prompt: Prompt) -> bool:
        if prompt.format == "chat" and not self._template:
            msg = f"{self.path} has no chat template, and the prompt asks for format='chat'; use 'auto' or 'plain'"
            raise EngineError(msg)
        return prompt.format != "plain" and self._template is not None

    def _chat(self, prompt: Prompt, answer: str | None, *, begin: bool) -> str:
        """The messages in the chat template; where `begin`, with what makes the model begin its answer."""
        turns = [{"role": role, "content": text} for role, text in messages(prompt)]
        if answer is not None:
            turns.append({"role": "assistant", "content": prompt.prefix + answer})
        try:
            text = self._tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=begin, **self.template_arguments
            )
        except Exception as error:  # whatever a template raises
            roles = ", ".join(role for role, _ in messages(prompt))
            msg = f"the chat template of {self.path} refuses these messages ({roles}): {first_line(error)}"
            raise EngineError(msg) from error
        for role, content in messages(prompt):
            # an earlier answer may rightly lose its reasoning; an instruction or a question may lose nothing
            if role != "assistant" and content.strip() not in text:
                msg = f"the chat template of {self.path} leaves out or changes the {role} message {content!r:.60}"
                raise EngineError(msg)
        return f"{text}{prompt.prefix}" if begin else str(text)

    def _ids(self, texts: Sequence[str]) -> dict[str, Ids]:
        """Each text's tokens, with what the tokenizer's own encoding puts before a text exactly once."""
        distinct = list(dict.fromkeys(texts))
        if not distinct:
            return {}
        rows = self._tokenizer(
            distinct, add_special_tokens=False, padding=False, truncation=False, return_attention_mask=False,
            verbose=False,
        )["input_ids"]  # fmt: skip
        size = len(self._lead)
        tuples = map(tuple, rows)
        return {
            text: ids if ids[:size] == self._lead else self._lead + ids
            for text, ids in zip(distinct, tuples, strict=True)
        }

    def _around(self) -> tuple[Ids, Ids]:
        """What the tokenizer's own encoding puts before a text and after it: its BOS, its EOS, or nothing."""
        with quiet():
            bare = self._tokenizer("a", add_special_tokens=False)["input_ids"]
            own = self._tokenizer("a")["input_ids"]
        starts = (start for start in range(len(own)) if bare and own[start : start + len(bare)] == bare)
        start = next(starts, 0)
        return tuple(own[:start]), tuple(own[start + len(bare) :])

    def _chat_template(self) -> str | None:
        if not getattr(self._tokenizer, "chat_template", None):
            return None
        try:
            return str(self._tokenizer.get_chat_template())
        except ValueError as error:
            msg = f"{self.path}: {error}"
            raise EngineError(msg) from error


@contextmanager
def quiet() -> Iterator[None]:
    """No warning, log line or progress bar of the libraries: users' tests may run with `-W error`."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()


def _load(path: Path, trust_remote_code: bool) -> Any:
    from transformers import AutoTokenizer

    try:
        with quiet():
            return AutoTokenizer.from_pretrained(
                str(path), use_fast=True, local_files_only=True, trust_remote_code=trust_remote_code
            )
    except Exception as error:  # a missing file, a bad file, a missing package: each raises its own
        msg = f"the tokenizer in {path} cannot be loaded: {first_line(error)}"
        raise EngineError(msg) from error


def template_value(text: str) -> str | int | bool:
    """A template argument as what it says it is: true, false, a whole number, or a text."""
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        return int(text)
    except ValueError:
        return text


def messages(prompt: Prompt) -> list[tuple[str, str]]:
    """Roles and texts, the system's first."""
    said = [("user", prompt.content)] if isinstance(prompt.content, str) else list(prompt.content)
    return [("system", prompt.system), *said] if prompt.system else said


def plain(prompt: Prompt) -> str:
    """The text in plain format: a blank line between system and messages, the prefix after a space."""
    text = "\n\n".join(text for _, text in messages(prompt))
    glued = not text or not prompt.prefix or text[-1].isspace() or prompt.prefix[0].isspace()
    return text + ("" if glued else " ") + prompt.prefix


def check(request: Request) -> None:
    """Raise `EngineError` for a request that no engine could answer."""
    if isinstance(request, Choose) and not request.options:
        msg = f"{request!r:.100} has no options to choose from"
        raise EngineError(msg)
    said = request.options if isinstance(request, Choose) and not isinstance(request, Weigh) else ()
    if not all(option.strip() for option in said):
        msg = f"an option is empty, which cannot be chosen: {list(said)} after {request.prompt.text[-60:]!r}"
        raise EngineError(msg)
    if isinstance(request, Generate) and request.max_tokens < 1:
        msg = f"max_tokens should be at least 1; it is {request.max_tokens}"
        raise EngineError(msg)


def _split(request: Request, prompt: Ids, joint: Sequence[Ids], chat: bool) -> Encoded:
    """The boundary all options share: the prompt's end, or the first token on which one of them differs from it."""
    boundary = min([len(prompt), *(shared(prompt, ids) for ids in joint)])
    if not boundary:
        msg = f"the prompt {request.prompt.text!r:.60} has no token before the answer; a model needs at least one"
        raise EngineError(msg)
    continuations = tuple(ids[boundary:] for ids in joint)
    if not all(continuations) and isinstance(request, Choose):
        option = request.options[continuations.index(())]
        msg = f"the option {option!r} has no tokens of its own after {request.prompt.text[-60:]!r}"
        raise EngineError(msg)
    return Encoded(prompt[:boundary], continuations, chat, len(prompt) - boundary, weighed=isinstance(request, Weigh))


def shared(one: Ids, other: Ids) -> int:
    """How many tokens two sequences begin with alike."""
    low, high = 0, min(len(one), len(other))
    # by halving: a slice is compared at once, a token costs a step of the interpreter
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def length(request: Request, encoded: Encoded) -> int:
    """The most tokens that a prompt and what follows it can have."""
    written = request.max_tokens if isinstance(request, Generate) else 0
    return len(encoded.prompt) + max(map(len, encoded.continuations), default=written)


def _fitted(request: Request, encoded: Encoded, limit: int | None, room: int) -> Encoded | DoesNotFit:
    # a letter is itself what is written after the prompt
    spare = room if encoded.continuations and not encoded.letters else 0
    tokens = length(request, encoded) + spare
    return encoded if limit is None or tokens <= limit else DoesNotFit(tokens, limit)
