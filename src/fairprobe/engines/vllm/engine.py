"""Says what vLLM is asked, of one kind of request at a time, and reads what comes back; `process` runs it."""

from __future__ import annotations

import json
import math
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from fairprobe.engines.arguments import whole_number
from fairprobe.engines.checkpoints import ADAPTER_CONFIG, Checkpoint
from fairprobe.engines.local import SHARED, Local, numerics
from fairprobe.engines.tokens import Encoded, chosen, scored_at_once
from fairprobe.engines.vllm.process import Ask, Kind, Process, Told
from fairprobe.errors import EngineError
from fairprobe.requests import (
    Choose,
    Embed,
    Embedded,
    Failed,
    Generate,
    Rate,
    Rated,
    Request,
    Response,
)

RULES = 2
"""Raised when how a request is put or read changes, so that the store asks again."""
OURS = {"timeout", *SHARED}
"""Arguments that we read; any other goes to `vllm.LLM`."""
FIRST, MOST, SECONDS = 256, 20_000, 20.0
"""Requests of the first call, of the largest one, and how long a call should take: what a killed run loses."""
PATIENCE = 1800.0
LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
BROKEN = "vLLM gave a value that is missing or not finite"


def open(  # noqa: A001 - the name every engine's module gives it
    checkpoint: Checkpoint, arguments: Mapping[str, str], template_arguments: Mapping[str, str]
) -> VllmEngine:
    """The engine for a checkpoint; reads its tokenizer and configuration, and no weights."""
    if find_spec("vllm") is None:
        msg = "the engine 'vllm' needs vllm, which cannot be imported: pip install 'fairprobe[vllm]'"
        raise EngineError(msg)
    if "device" in arguments:
        msg = f"device={arguments['device']}: vLLM runs on what it was built for; leave it out, or use another engine"
        raise EngineError(msg)
    return VllmEngine(checkpoint, arguments, template_arguments)


class Question(NamedTuple):
    """What is put to vLLM for a request: questions of one kind."""

    kind: Kind
    request: Request
    encoded: Encoded
    asks: tuple[Ask, ...]


class VllmEngine(Local):
    """Answers requests with vLLM, in float32 on a CPU and the checkpoint's own dtype on a GPU."""

    room = 1

    def __init__(
        self, checkpoint: Checkpoint, arguments: Mapping[str, str], template_arguments: Mapping[str, str]
    ) -> None:
        super().__init__(checkpoint, arguments, template_arguments)
        self._passed = {name: _value(text) for name, text in arguments.items() if name not in OURS}
        self._patience = _seconds(arguments.get("timeout"))
        for name in ("tensor_parallel_size", "pipeline_parallel_size"):
            whole_number(name, arguments.get(name, "1"), 1)
        self._counts: Counter[str] = Counter()
        self._process: Process | None = None
        self._runs: tuple[str, int] = ("", 0)

    @property
    def numerics(self) -> str:
        """Engine and version, dtype, kind of device and what else changes the numbers, as one line of JSON."""
        return numerics(
            "vllm", RULES, version=self.version, device=self.device, dtype=self.dtype, passed=self._passed,
            template_arguments=self.template_arguments,
        )  # fmt: skip

    @property
    def counts(self) -> Mapping[str, int]:
        """Calls of vLLM, prompts put to it, and tokens computed since the engine was opened."""
        return {name: self._counts[name] for name in ("calls", "prompts", "prefill_tokens", "output_tokens")}

    @cached_property
    def version(self) -> str:
        """VLLM's version, without importing it: the distribution may have another name."""
        spec = find_spec("vllm")
        file = Path(spec.origin).parent / "_version.py" if spec and spec.origin else Path()
        found = re.search(r"__version__ = .*?'([^']+)'", file.read_text(encoding="utf-8")) if file.is_file() else None
        return found[1] if found else "unknown"

    def answers(self, requests: Sequence[Request]) -> Iterator[Mapping[Request, Response]]:
        """The responses to distinct requests, call by call; what does not fit comes first and loads nothing."""
        unfit, fitting = self.sort_out(requests)
        if unfit:
            yield unfit
        kinds: dict[Kind, list[Question]] = {}
        for request, fit in fitting:
            kind = _kind(request, fit)
            asks = tuple(_asks(kind, request, fit, stops=not self.tokens.stops_late(fit)))
            kinds.setdefault(kind, []).append(Question(kind, request, fit, asks))
        for kind, questions in kinds.items():
            yield from self._answers(kind, questions)

    def describe(self) -> dict[str, Any]:
        """Name, version, device, dtype and arguments, as plain JSON."""
        return {
            "name": "vllm",
            "version": self.version,
            "device": self.device,
            "dtype": self.dtype,
            "arguments": self.arguments,
        }

    def close(self) -> None:
        """End the process; the engine still encodes, and starts another when it is asked again."""
        if self._process is not None:
            self._process.close()
        self._process = None

    def _answers(self, kind: Kind, questions: Sequence[Question]) -> Iterator[Mapping[Request, Response]]:
        # what begins alike is asked together, so that the prefix cache has it
        left = sorted(questions, key=lambda question: question.encoded.prompt)[::-1]
        longest = max(len(ask.prompt) + ask.max_tokens for question in left for ask in question.asks)
        size = FIRST
        while left:
            process = self._load(kind, longest)
            some = [left.pop() for _ in range(min(1 if self._one_by_one(kind) else size, len(left)))]
            started = time.monotonic()
            told = self._ask(process, kind, some)
            size = max(1, min(MOST, round(len(some) * min(4.0, SECONDS / max(1e-3, time.monotonic() - started)))))
            yield {question.request: self._response(question, answers) for question, answers in told}

    def _one_by_one(self, kind: Kind) -> bool:
        """Whether a call has one prompt: with an adapter on a CPU vLLM weighs no more at a time, or fails."""
        return kind == "rows" and self.checkpoint.adapter is not None and self.device == "cpu"

    def _ask(self, process: Process, kind: Kind, questions: Sequence[Question]) -> list[tuple[Question, list[Told]]]:
        asks = [ask for question in questions for ask in question.asks]
        calls = [[ask] for ask in asks] if self._one_by_one(kind) else [asks]
        try:
            found = [told for call in calls for told in process.ask(kind, call)]
        except BaseException:
            # an interrupted call, too: its answers would be taken for those to the next one
            process.kill()
            self.close()
            raise
        self._counts["calls"] += len(calls)
        self._counts["prompts"] += len(asks)
        self._counts["prefill_tokens"] += sum(told.computed for told in found)
        self._counts["output_tokens"] += sum(len(told.ids) for told in found)
        answers = iter(found)
        return [(question, [next(answers) for _ in question.asks]) for question in questions]

    def _response(self, question: Question, answers: Sequence[Told]) -> Response:
        request, encoded = question.request, question.encoded
        given = [value for told in answers for value in told.values]
        values = [value for value in given if value is not None and math.isfinite(value)]
        if len(values) < len(given) or not values:
            return Failed(BROKEN)
        if isinstance(request, Generate):
            [told] = answers
            return self.tokens.generated(request, encoded, told.ids, told.ended and told.ids[-1] in self.ends)
        if isinstance(request, Choose):
            if question.kind == "ids":
                known = dict(zip(encoded.letters, values, strict=True))
                values = [known[token] for (token,) in encoded.continuations]
            return chosen(encoded, values) or Failed(BROKEN)
        answer = Rated if isinstance(request, Rate) else Embedded
        return answer(tuple(values), len(encoded.prompt))

    def _load(self, kind: Kind, longest: int) -> Process:
        runner = {"rate": "classify", "embed": "embed"}.get(kind, "generate")
        # no longer than what will be asked: the memory for a long context may not be there
        length = min(self.context_length or 1 << 30, -(-longest // 256) * 256)
        if self._process is None or self._runs[0] != runner or self._runs[1] < length:
            self.close()
            given = self._arguments(runner, length)
            self._process = Process(self.checkpoint.name, given, self._adapter, self._patience)
            self._runs = (runner, length)
        return self._process

    def _arguments(self, runner: str, length: int) -> dict[str, Any]:
        pools = runner != "generate"
        adapted = {}
        if self.checkpoint.adapter:
            rank = int(json.loads((self.checkpoint.adapter / ADAPTER_CONFIG).read_text(encoding="utf-8")).get("r", 8))
            fitting = next((size for size in LORA_RANKS if size >= rank), rank)
            # with a slot more than adapters, rows without one never fall into the last one's
            adapted = {"enable_lora": True, "max_loras": 2, "max_lora_rank": fitting}
        return {
            "model": str(self.checkpoint.path),
            "tokenizer": str(self.checkpoint.tokenizer),
            "dtype": self.dtype,
            "seed": 0,
            "max_model_len": length,
            "trust_remote_code": self.trusts,
            "enforce_eager": self.device == "cpu",
            "runner": "pooling" if pools else "generate",
            "convert": runner if pools else "none",
            "generation_config": "vllm",
            # on a CPU this is a share of the machine's memory, which others use as well
            **({"gpu_memory_utilization": 0.4} if self.device == "cpu" else {}),
            # all positions of a step are weighed over the whole vocabulary at once where prompts are read
            "max_num_batched_tokens": max(2048, length),
            **adapted,
            **self._passed,
        }

    @property
    def _adapter(self) -> dict[str, Any] | None:
        folder = self.checkpoint.adapter
        return None if folder is None else {"lora_name": folder.name, "lora_int_id": 1, "lora_path": str(folder)}


def _kind(request: Request, encoded: Encoded) -> Kind:
    """One-token options are weighed as next tokens, longer ones as the end of a prompt."""
    if isinstance(request, Choose):
        return "ids" if scored_at_once(encoded) else "rows"
    kinds: dict[type[Request], Kind] = {Generate: "write", Rate: "rate", Embed: "embed"}
    return kinds[type(request)]


def _asks(kind: Kind, request: Request, encoded: Encoded, *, stops: bool) -> Iterator[Ask]:
    prompt = list(encoded.prompt)
    if kind == "ids":
        yield Ask(prompt, list(encoded.letters))
    elif kind == "rows":
        yield from (Ask([*prompt, *ids], start=len(prompt)) for ids in encoded.continuations)
    elif isinstance(request, Generate):
        seed = request.seed if request.temperature else None
        yield Ask(prompt, [], 0, request.max_tokens, list(request.stop) if stops else [], request.temperature, seed)
    else:
        yield Ask(prompt)


def _value(text: str) -> Any:
    """An argument as what it says it is: a JSON value, or a text."""
    try:
        return json.loads({"true": "true", "false": "false", "none": "null"}.get(text.lower(), text))
    except ValueError:
        return text


def _seconds(text: str | None) -> float:
    try:
        seconds = PATIENCE if text is None else float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        msg = f"timeout should be a number of seconds above 0; it is {text!r}"
        raise EngineError(msg)
    return seconds
