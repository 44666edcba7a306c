"""The engine `transformers`: a causal language model in this process, asked in batches of similar length.

What is asked and what comes back are values; `tokens` makes the ids, `forward` the numbers, this module the batches.
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal, TypeVar

import torch

from fairprobe.engines import forward
from fairprobe.engines.checkpoints import Checkpoint, first_line
from fairprobe.engines.forward import Network
from fairprobe.engines.tokens import Encoded, Tokens, quiet
from fairprobe.errors import EngineError
from fairprobe.requests import Choose, DoesNotFit, Failed, Generate, Request, Response

RULES = 1
"""Raised when how a request is tokenised or scored changes, so that the store asks again."""
DTYPES = {
    "auto": "auto", "bf16": "bfloat16", "bfloat16": "bfloat16", "float16": "float16", "float32": "float32",
    "fp16": "float16", "fp32": "float32",
}  # fmt: skip
BATCH_TOKENS = {"cpu": 4096, "other": 16384}
HEAD_VALUES = 2**28
"""Logits that one batch may compute at a time: 1 GiB of them."""
LONG_ANSWER = 128
"""Tokens a written answer is taken to need in a batch's budget, where `max_tokens` is more."""

Asked = TypeVar("Asked", bound=Request)


@dataclass(frozen=True, slots=True)
class Settings:
    """The engine's arguments; `revision` and `adapter` are used where the checkpoint is resolved."""

    dtype: str | None = None
    device: str | None = None
    device_map: str | None = None
    revision: str | None = None
    adapter: str | None = None
    attn_implementation: str | None = None
    batch_tokens: int | None = None
    trust_remote_code: bool = False

    @classmethod
    def read(cls, arguments: Mapping[str, str]) -> Settings:
        """The settings that `KEY=VALUE` arguments give; raises `EngineError` for an unknown or senseless one."""
        for name, value in arguments.items():
            if name not in cls.__slots__:
                msg = (
                    f"the engine 'transformers' has no argument {name!r} (given: {name}={value}); it knows "
                    f"{', '.join(sorted(cls.__slots__))}"
                )
                raise EngineError(msg)
        if {"device", "device_map"} <= set(arguments):
            msg = f"give device={arguments['device']} or device_map={arguments['device_map']}, not both"
            raise EngineError(msg)
        return cls(**{name: _parsed(name, value) for name, value in arguments.items()})


def _parsed(name: str, value: str) -> Any:
    if name == "dtype":
        return _one_of(name, value, DTYPES)
    if name == "trust_remote_code":
        return _one_of(name, value.lower(), {"true": True, "false": False})
    if name == "batch_tokens":
        if not value.isdecimal() or int(value) < 1:
            msg = f"batch_tokens should be a whole number of tokens, at least 1; it is {value!r}"
            raise EngineError(msg)
        return int(value)
    if name == "device":
        _check_device(value)
    return value


def _one_of(name: str, value: str, known: Mapping[str, Any]) -> Any:
    if value not in known:
        msg = f"{name} is one of {', '.join(sorted(known))}; it is {value!r}"
        raise EngineError(msg)
    return known[value]


def _check_device(value: str) -> None:
    try:
        kind = torch.device(value).type
    except RuntimeError as error:
        msg = f"device is written as cpu, cuda or cuda:1; it is {value!r}"
        raise EngineError(msg) from error
    if kind == "cuda" and not torch.cuda.is_available():
        msg = f"device={value}: torch {torch.__version__} sees no CUDA device here; leave it out, or say device=cpu"
        raise EngineError(msg)


def open(  # noqa: A001 - the name every engine's module gives it
    checkpoint: Checkpoint, arguments: Mapping[str, str], template_arguments: Mapping[str, str]
) -> TransformersEngine:
    """The engine for a checkpoint; reads its tokenizer and configuration, and no weights."""
    return TransformersEngine(checkpoint, arguments, template_arguments)


class TransformersEngine:
    """Answers requests with `AutoModelForCausalLM`, in float32 on a CPU and the checkpoint's own dtype elsewhere."""

    def __init__(
        self, checkpoint: Checkpoint, arguments: Mapping[str, str], template_arguments: Mapping[str, str]
    ) -> None:
        self.checkpoint = checkpoint
        self.settings = Settings.read(arguments)
        if self.settings.adapter and checkpoint.role == "model" and not checkpoint.adapter:
            msg = f"{checkpoint.name} has no adapter={self.settings.adapter}: give the arguments to `resolve` as well"
            raise EngineError(msg)
        self._arguments = dict(arguments)
        self._template_arguments = dict(template_arguments)
        self._encoded: dict[Request, Encoded | DoesNotFit] = {}
        self._counts: Counter[str] = Counter()
        self._network: Network | None = None

    takes: Literal["tokens"] = "tokens"
    loglikelihoods = True

    def refuses(self, kind: type[Request]) -> str | None:
        """Why this checkpoint cannot answer requests of a kind; None where it can."""
        return None if kind in {Choose, Generate} else f"{kind.__name__} is not answered yet"

    # read when a request is first encoded: a run whose answers are all stored needs neither

    @cached_property
    def tokens(self) -> Tokens:
        """The tokenizer, and the requests' way through it."""
        trusts = self.settings.trust_remote_code
        return Tokens(self.checkpoint.tokenizer, self._template_arguments, trust_remote_code=trusts)

    @cached_property
    def _config(self) -> Any:
        return _read_config(self.checkpoint, self.settings.trust_remote_code)

    @property
    def numerics(self) -> str:
        """Engine, dtype, kind of device and what else changes the numbers, as one line of JSON.

        The chat template is not among them: it is part of the checkpoint's content.
        """
        said = {
            "engine": "transformers",
            "rules": RULES,
            "device": self.device.partition(":")[0],
            "dtype": self.dtype,
            "attention": self.settings.attn_implementation,
            "remote_code": self.settings.trust_remote_code,
            "template_arguments": self._template_arguments,
        }
        return json.dumps(said, sort_keys=True)

    @property
    def counts(self) -> Mapping[str, int]:
        """Forward calls, tokens and head rows computed since the engine was opened; a retried batch counts twice."""
        names = ("forward_calls", "prefill_tokens", "padded_tokens", "head_rows", "output_tokens")
        return {name: self._counts[name] for name in names}

    @property
    def loaded(self) -> bool:
        """Whether the weights are in memory."""
        return self._network is not None

    @cached_property
    def device(self) -> str:
        """Where the model runs; with `device_map` where it would begin."""
        return self.settings.device or ("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def dtype(self) -> str:
        """The weights' dtype: as set, else float32 on a CPU, else the checkpoint's own."""
        chosen = self.settings.dtype or ("float32" if self.device.startswith("cpu") else "auto")
        return chosen if chosen != "auto" else str(self._config.dtype or "auto").removeprefix("torch.")

    @property
    def context_length(self) -> int | None:
        """The most tokens of prompt and answer together; the tokenizer's word counts where the model states none."""
        length = getattr(self._config.get_text_config(), "max_position_embeddings", None)
        return int(length) if length and length > 0 else self.tokens.limit

    def encode(self, request: Request) -> Encoded | DoesNotFit:
        """The tokens of a request, or that they do not fit; each distinct request is encoded once."""
        return self.encode_all([request])[0]

    def encode_all(self, requests: Sequence[Request]) -> list[Encoded | DoesNotFit]:
        """The tokens of many requests, in their order."""
        new = [request for request in dict.fromkeys(requests) if request not in self._encoded]
        self._encoded.update(zip(new, self.tokens.encode_all(new, self.context_length), strict=True))
        return [self._encoded[request] for request in requests]

    def answers(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Response]]:
        """Each distinct request with its response, batch by batch; what does not fit comes first and loads nothing."""
        distinct = list(dict.fromkeys(requests))
        encoded = list(zip(distinct, self.encode_all(distinct), strict=True))
        yield from ((request, answer) for request, answer in encoded if isinstance(answer, DoesNotFit))
        fitting = [(request, answer) for request, answer in encoded if isinstance(answer, Encoded)]
        choices = [(request, answer) for request, answer in fitting if isinstance(request, Choose)]
        written = [(request, answer) for request, answer in fitting if isinstance(request, Generate)]
        yield from self._run(choices, lambda network, batch: forward.choose(network, [answer for _, answer in batch]))
        yield from self._run(written, lambda network, batch: forward.generate(network, batch, self.tokens.text))

    def describe(self) -> dict[str, Any]:
        """Name, version, device, dtype and arguments, as plain JSON."""
        return {
            "name": "transformers",
            "version": version("transformers"),
            "device": self.device,
            "dtype": self.dtype,
            "arguments": self._arguments,
        }

    def close(self) -> None:
        """Free the weights; the engine still encodes, and loads them again when it is asked again."""
        if self._network is None:
            return
        self._network = None
        gc.collect()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def _run(
        self,
        items: list[tuple[Asked, Encoded]],
        ask: Callable[[Network, list[tuple[Asked, Encoded]]], list[Response]],
    ) -> Iterator[tuple[Asked, Response]]:
        """Batches of at most the budget's tokens, longest first; a batch that memory cannot hold is halved."""
        left = sorted(items, key=lambda item: (_length(item), item[1].prompt))
        budget = self.settings.batch_tokens or BATCH_TOKENS["cpu" if self.device.startswith("cpu") else "other"]
        while left:
            network = self._load()
            size = _batch(left, budget, HEAD_VALUES // network.vocabulary)
            batch = left[-size:]
            _check_ids(batch, network.vocabulary, self.checkpoint)
            responses = _asked(network, batch, ask, self.checkpoint)
            if responses is None and size > 1:
                budget = _cost(batch) // 2
                _empty(network)
                continue
            del left[-size:]
            lacking = Failed(f"out of memory on {network.device} for a single request of {_cost(batch)} tokens")
            yield from zip((request for request, _ in batch), responses or [lacking], strict=True)

    def _load(self) -> Network:
        if self._network is None:
            with quiet(), _unmoved(self.device):
                self._network = _network(self)
        return self._network


def _length(item: tuple[Request, Encoded]) -> int:
    """The tokens one row of a request takes in a batch."""
    request, encoded = item
    if isinstance(request, Choose):
        return len(encoded.prompt) + max(map(len, encoded.continuations))
    return len(encoded.prompt) + (min(request.max_tokens, LONG_ANSWER) if isinstance(request, Generate) else 0)


def _rows(encoded: Encoded) -> int:
    """The rows a request takes in a batch, at most."""
    return 1 if all(len(ids) == 1 for ids in encoded.continuations) else len(encoded.continuations)


def _cost(batch: Sequence[tuple[Request, Encoded]]) -> int:
    """The tokens of a batch, padding included."""
    return max(map(_length, batch)) * sum(_rows(encoded) for _, encoded in batch)


def _batch(items: Sequence[tuple[Request, Encoded]], budget: int, heads: int) -> int:
    """How many items from the end, the longest, fit into `budget` tokens and `heads` positions; at least one."""
    width, rows, positions = _length(items[-1]), 0, 0
    for size, (_, encoded) in enumerate(reversed(items)):
        rows += _rows(encoded)
        positions += sum(map(len, encoded.continuations)) or 1
        if size and (rows * width > budget or positions > heads):
            return size
    return len(items)


def _check_ids(batch: Sequence[tuple[Request, Encoded]], vocabulary: int, checkpoint: Checkpoint) -> None:
    """Raise where the tokenizer gives ids that the model has no embedding for: a GPU would only say that it crashed."""
    highest = max(max(ids) for _, encoded in batch for ids in (encoded.prompt, *encoded.continuations))
    if highest >= vocabulary:
        msg = (
            f"the tokenizer of {checkpoint.tokenizer} gives token {highest}, and the model has embeddings for "
            f"{vocabulary} only: they are not of one checkpoint"
        )
        raise EngineError(msg)


def _asked(
    network: Network,
    batch: list[tuple[Asked, Encoded]],
    ask: Callable[[Network, list[tuple[Asked, Encoded]]], list[Response]],
    checkpoint: Checkpoint,
) -> list[Response] | None:
    """The responses of a batch, or None where memory is too small for it."""
    try:
        with torch.inference_mode(), quiet():
            return ask(network, batch)
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            msg = f"{checkpoint.path} failed on a batch of {len(batch)}: {first_line(error)}"
            raise EngineError(msg) from error
        # out of the handler, so that the traceback no longer holds the batch's tensors
    return None


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) or "DefaultCPUAllocator" in str(error)


def _empty(network: Network) -> None:
    gc.collect()
    if network.device.type == "cuda":
        torch.cuda.empty_cache()


def _unmoved(device: str) -> Any:
    """Within it torch's random state may change; after it, it is what it was."""
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()) if device.startswith("cuda") else [])


def _read_config(checkpoint: Checkpoint, trust_remote_code: bool) -> Any:
    from transformers import AutoConfig

    try:
        with quiet():
            return AutoConfig.from_pretrained(
                str(checkpoint.path), local_files_only=True, trust_remote_code=trust_remote_code
            )
    except Exception as error:  # a bad file or an unknown architecture: each raises its own
        raise _unusable(checkpoint, error) from error


def _network(engine: TransformersEngine) -> Network:
    from transformers import AutoModelForCausalLM

    checkpoint, settings = engine.checkpoint, engine.settings
    # what is not said is left to the library
    said = {"attn_implementation": settings.attn_implementation, "device_map": settings.device_map}
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            str(checkpoint.path), config=engine._config, dtype=engine.dtype, use_safetensors=True,
            local_files_only=True, trust_remote_code=settings.trust_remote_code, output_loading_info=True,
            **{name: value for name, value in said.items() if value},
        )  # fmt: skip
    except Exception as error:  # a bad file, an architecture that writes no text, no memory: each raises its own
        raise _unusable(checkpoint, error) from error
    if lacking := sorted(report["missing_keys"]):
        msg = (
            f"{checkpoint.path} lacks weights that {type(model).__name__} needs, which would be random: "
            f"{', '.join(lacking[:3])}{f' and {len(lacking) - 3} more' if len(lacking) > 3 else ''}"
        )
        raise EngineError(msg)
    if checkpoint.adapter:
        model = _adapted(model, checkpoint)
    if not settings.device_map:
        model = model.to(engine.device)
    return Network(model.eval(), _ends(model, engine.tokens), engine._counts)


def _adapted(model: Any, checkpoint: Checkpoint) -> Any:
    """The model with its adapter beside its weights, not merged into them: merging rounds in half precision."""
    try:
        from peft import PeftConfig, PeftModel
    except ImportError as error:
        msg = f"the adapter {checkpoint.adapter} needs peft: pip install 'fairprobe[transformers]'"
        raise EngineError(msg) from error
    try:
        if PeftConfig.from_pretrained(str(checkpoint.adapter)).is_prompt_learning:
            msg = "it is a learnt prompt; only adapters that change layers (LoRA and its kin) can be asked"
            raise EngineError(msg)
        return PeftModel.from_pretrained(model, str(checkpoint.adapter), is_trainable=False).get_base_model()
    except Exception as error:  # shapes that do not fit, a bad file: each raises its own
        msg = f"the adapter {checkpoint.adapter} cannot be put on {checkpoint.path}: {first_line(error)}"
        raise EngineError(msg) from error


def _ends(model: Any, tokens: Tokens) -> frozenset[int]:
    """The ids at which a text ends: the generation configuration's, the configuration's and the tokenizer's."""
    ids: set[int] = set()
    for given in (model.generation_config, model.config):
        end = getattr(given, "eos_token_id", None)
        ids.update(end if isinstance(end, list | tuple) else [] if end is None else [end])
    return frozenset(ids if tokens.end is None else ids | {tokens.end})


def _unusable(checkpoint: Checkpoint, error: Exception) -> EngineError:
    step = "; if you trust its code, say trust_remote_code=true" if "custom code" in str(error) else ""
    return EngineError(
        f"transformers {version('transformers')} cannot load {checkpoint.path}: {first_line(error)}{step}"
    )
