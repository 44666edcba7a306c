"""vLLM in a process of its own, which ends with the checkpoint: nothing of it stays in memory or in random states.

This side sends calls over a pipe and waits; `serve` is the other side. A call is a kind and a list of questions, all of
that kind: vLLM answers wrongly where kinds are mixed in a batch. Answers are plain numbers; whether they are all there
is checked by whoever asked.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Literal, NamedTuple

from fairprobe.engines.checkpoints import first_line
from fairprobe.errors import EngineError

Kind = Literal["ids", "rows", "write", "rate", "embed"]
SHUTDOWN = 10.0
"""Seconds that vLLM has to end by itself."""
BEAT = 5.0
"""Seconds between two signs of life while an engine works."""
ENVIRONMENT = {
    "DO_NOT_TRACK": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "WARNING", "TOKENIZERS_PARALLELISM": "false",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}  # fmt: skip


class Ask(NamedTuple):
    """A prompt and what is asked of it: ids to weigh, the place from which on to weigh it, or how to go on."""

    prompt: list[int]
    ids: list[int] = []  # noqa: RUF012 - never changed
    start: int = 0
    max_tokens: int = 1
    stop: list[str] = []  # noqa: RUF012
    temperature: float = 0.0
    seed: int | None = None


class Told(NamedTuple):
    """What came back: log-probabilities, scores or a vector (None where one is not there), or written ids."""

    values: list[float | None] = []  # noqa: RUF012
    ids: list[int] = []  # noqa: RUF012
    ended: bool = False
    computed: int = 0


class Process:
    """A running vLLM with one checkpoint; any error ends it: what it would say afterwards is not to be trusted."""

    def __init__(
        self, name: str, arguments: Mapping[str, Any], adapter: Mapping[str, Any] | None, patience: float
    ) -> None:
        self.name = name
        self._patience = patience
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        here, there = Pipe()
        parallel = any(int(arguments.get(key, 1)) > 1 for key in ("tensor_parallel_size", "pipeline_parallel_size"))
        # in one process the same questions in the same order give the same numbers
        alone = {} if parallel else {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
        command = "from fairprobe.engines.vllm.process import serve; import sys; serve(int(sys.argv[1]))"
        environment = {**ENVIRONMENT, **alone, **os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", command, str(there.fileno())], pass_fds=[there.fileno()], env=environment,
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        there.close()
        self._pipe = here
        self._send((dict(arguments), adapter))
        self._receive("start")

    def ask(self, kind: Kind, questions: Sequence[Ask]) -> list[Told]:
        """The answers to questions of one kind, in their order. Raises `EngineError`, and has ended then."""
        self._send((kind, list(questions)))
        told: list[Told] = self._receive(f"answer {len(questions)} questions")
        return told

    def close(self) -> None:
        """End the process, and wait until its memory is free."""
        with suppress(OSError):
            self._pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=20)
        self.kill()
        self._log.close()

    def kill(self) -> None:
        """End it with every process that vLLM started in it, which would keep their memory."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _send(self, message: Any) -> None:
        try:
            self._pipe.send(message)
        except OSError:
            raise self._failure("it has ended") from None

    def _receive(self, what: str) -> Any:
        while self._pipe.poll(self._patience):
            try:
                kind, content = self._pipe.recv()
            except (EOFError, OSError):
                self._process.wait()
                raise self._failure(
                    f"it ended (exit status {self._process.returncode}) before it could {what}"
                ) from None
            if kind == "error":
                raise self._failure(content)
            if kind == "done":
                return content
        msg = f"it gave no sign of life for {self._patience:g} s when it was to {what}; try timeout=SECONDS"
        raise self._failure(msg)

    def _failure(self, reason: str) -> EngineError:
        """The process ended, and what to say of it."""
        self.kill()
        self._log.seek(0)
        said = [line.strip() for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        last = f" Its last words: {said[-1]:.300}" if said and said[-1] not in reason else ""
        self.close()
        return EngineError(f"vLLM cannot be used for {self.name}: {reason.rstrip('.')}.{last}")


def serve(descriptor: int) -> None:
    """The other side: load a checkpoint, then answer call after call until the pipe closes."""
    pipe = Connection(descriptor)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    engine = None
    try:
        arguments, adapter = pipe.recv()
        engine = _Served(pipe, arguments, adapter)
        pipe.send(("done", None))
        while True:
            kind, questions = pipe.recv()
            pipe.send(("done", engine.answer(kind, questions)))
    except EOFError:
        pass
    except Exception as error:  # whatever vLLM raises; the other side tells it
        with suppress(OSError):
            pipe.send(("error", f"{type(error).__name__}: {first_line(error)}"))
    finally:
        # a teardown that hangs would keep the memory
        threading.Timer(SHUTDOWN, _end).start()
        if engine is not None:
            engine.close()
        _end()


def _end_with(parent: int) -> None:
    """End where the parent has: a killed run leaves no engine behind."""
    while os.getppid() == parent:
        time.sleep(1)
    _end()


def _end() -> None:
    """End at once, with every process that vLLM started: they are of this one's group."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


class _Served:
    """The engine on its own side of the pipe."""

    def __init__(self, pipe: Connection, arguments: Mapping[str, Any], adapter: Mapping[str, Any] | None) -> None:
        from vllm import LLM
        from vllm.lora.request import LoRARequest

        self._beat = _beats(pipe)
        self._llm = LLM(**arguments)
        self._lora = LoRARequest(**adapter) if adapter else None

    def answer(self, kind: Kind, questions: Sequence[Ask]) -> list[Told]:
        """One call of `LLM` for all of them."""
        prompts = [{"prompt_token_ids": question.prompt} for question in questions]
        common = {"use_tqdm": self._beat, "lora_request": self._lora}
        if kind == "rate":
            found = self._llm.classify(prompts, pooling_params=self._raw(), **common)
            return [_told(each, each.outputs.probs) for each in found]
        if kind == "embed":
            found = self._llm.embed(prompts, **common)
            return [_told(each, each.outputs.embedding) for each in found]
        found = self._llm.generate(prompts, [_sampling(kind, question) for question in questions], **common)
        read = {"ids": _ids, "rows": _rows, "write": _written}[kind]
        return [read(question, each) for question, each in zip(questions, found, strict=True)]

    def close(self) -> None:
        """Let vLLM end the processes that it started, where it did: they free what they share."""
        if os.environ.get("VLLM_ENABLE_V1_MULTIPROCESSING") != "0":
            with suppress(Exception):
                self._llm.llm_engine.engine_core.shutdown()

    def _raw(self) -> Any:
        from vllm import PoolingParams

        return PoolingParams(use_activation=False)


def _sampling(kind: Kind, question: Ask) -> Any:
    from vllm import SamplingParams

    if kind == "ids":
        said: dict[str, Any] = {"logprob_token_ids": question.ids}
    elif kind == "rows":
        # more than the token's own would be a dictionary of them for every position
        said = {"prompt_logprobs": 0, "flat_logprobs": True}
    else:
        # the value of each token that is written: text of a model whose logits are no numbers is no answer
        said = {"stop": question.stop, "seed": question.seed, "logprobs": 0, "flat_logprobs": True}
    return SamplingParams(
        temperature=question.temperature, max_tokens=question.max_tokens, detokenize=bool(question.stop),
        skip_special_tokens=False, **said,
    )  # fmt: skip


def _ids(question: Ask, found: Any) -> Told:
    [there] = found.outputs[0].logprobs
    return Told([there[token].logprob if token in there else None for token in question.ids], computed=_computed(found))


def _rows(question: Ask, found: Any) -> Told:
    flat = found.prompt_logprobs
    values: list[float | None] = []
    for place in range(question.start, len(question.prompt)):
        there = range(flat.start_indices[place], flat.end_indices[place])
        values.append(next((flat.logprobs[at] for at in there if flat.token_ids[at] == question.prompt[place]), None))
    return Told(values, computed=_computed(found))


def _written(_: Ask, found: Any) -> Told:
    output = found.outputs[0]
    return Told(
        list(output.logprobs.logprobs), list(output.token_ids), output.finish_reason == "stop", _computed(found)
    )


def _told(found: Any, values: Sequence[float]) -> Told:
    return Told(list(values), computed=_computed(found))


def _computed(found: Any) -> int:
    """The tokens of a prompt that were computed and not found in the prefix cache."""
    return len(found.prompt_token_ids) - (found.num_cached_tokens or 0)


def _beats(pipe: Connection) -> type:
    """A progress bar that says over the pipe that the engine works."""
    from tqdm import tqdm

    class Beats(tqdm):  # type: ignore[misc]  # the library has no types
        _said = 0.0

        def __init__(self, *args: Any, **given: Any) -> None:
            super().__init__(*args, **{**given, "file": open(os.devnull, "w")})  # noqa: PTH123, SIM115

        def update(self, n: float | None = 1) -> None:
            if time.monotonic() - self._said > BEAT:
                self._said = time.monotonic()
                pipe.send(("beat", None))
            super().update(n)

    return Beats
