"""What engines of checkpoints on this machine share: configuration, tokenizer, context, and what can be asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal

from fairprobe.engines.arguments import one_of
from fairprobe.engines.checkpoints import ALLOWED, Checkpoint, first_line
from fairprobe.engines.tokens import Encoded, Tokens, quiet
from fairprobe.errors import EngineError
from fairprobe.requests import Choose, DoesNotFit, Embed, Generate, Rate, Request, Response

DTYPES = {
    "auto": "auto", "bf16": "bfloat16", "bfloat16": "bfloat16", "float16": "float16", "float32": "float32",
    "fp16": "float16", "fp32": "float32",
}  # fmt: skip
FLAGS = {"true": True, "false": False}
SHARED = {"adapter", "dtype", "revision", *ALLOWED}
"""The arguments that mean the same to every engine here; two of them are used where the checkpoint is resolved."""
CLASSIFIERS = ("ForSequenceClassification",)
ENCODERS = ("ForMaskedLM", "Model")
"""How the architectures end that give hidden states and write no text; those of language models end in LMHeadModel."""
WRITERS = ("LMHeadModel",)
TRUST = "--fairprobe-engine-arg trust_remote_code=true"


class Local:
    """A checkpoint's requests as tokens; its configuration and tokenizer are read when a request is first encoded.

    A run whose answers are all stored needs neither.
    """

    takes: Literal["tokens"] = "tokens"
    loglikelihoods = True
    room = 0
    """How many tokens an engine writes after an option, wanted or not."""

    def __init__(
        self, checkpoint: Checkpoint, arguments: Mapping[str, str], template_arguments: Mapping[str, str]
    ) -> None:
        self.checkpoint = checkpoint
        allowed = {name: one_of(name, arguments.get(name, "false").lower(), FLAGS) for name in ALLOWED}
        self.trusts, self.unpickles = allowed["trust_remote_code"], allowed["allow_pickle"]
        one_of("dtype", arguments.get("dtype", "auto"), DTYPES)
        if arguments.get("adapter") and checkpoint.role == "model" and not checkpoint.adapter:
            msg = f"{checkpoint.name} has no adapter={arguments['adapter']}: give the arguments to `resolve` as well"
            raise EngineError(msg)
        self.arguments = dict(arguments)
        self.template_arguments = dict(template_arguments)
        self._encoded: dict[Request, Encoded | DoesNotFit] = {}

    @cached_property
    def tokens(self) -> Tokens:
        """The tokenizer, and the requests' way through it."""
        return Tokens(self.checkpoint.tokenizer, self.template_arguments, trust_remote_code=self.trusts)

    @cached_property
    def config(self) -> Any:
        """The model's configuration."""
        from transformers import AutoConfig

        try:
            with quiet():
                return AutoConfig.from_pretrained(
                    str(self.checkpoint.path), local_files_only=True, trust_remote_code=self.trusts
                )
        except Exception as error:  # a bad file or an unknown architecture: each raises its own
            raise unusable(self.checkpoint, error) from error

    @cached_property
    def device(self) -> str:
        """Where the model runs: as set, else on a GPU where there is one."""
        import torch

        return self.arguments.get("device") or ("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def dtype(self) -> str:
        """The weights' dtype: as set, else float32 on a CPU, else the checkpoint's own."""
        said = self.arguments.get("dtype", "float32" if self.device.startswith("cpu") else "auto")
        return DTYPES[said] if said != "auto" else str(self.config.dtype or "auto").removeprefix("torch.")

    @property
    def context_length(self) -> int | None:
        """The most tokens of prompt and answer together; the tokenizer's word counts where the model states none.

        An encoder may have positions that are for padding only, so its tokenizer's word counts where that is less.
        """
        length = getattr(self.config.get_text_config(), "max_position_embeddings", None)
        if not length or length < 0:
            return self.tokens.limit
        return int(length) if self.refuses(Generate) is None else min(length, self.tokens.limit or length)

    @cached_property
    def ends(self) -> frozenset[int]:
        """The ids at which a text ends: the configuration's, the generation configuration's and the tokenizer's."""
        from transformers import GenerationConfig

        ids: set[int] = set() if self.tokens.end is None else {self.tokens.end}
        said = [self.config]
        if (self.checkpoint.path / "generation_config.json").is_file():
            said.append(GenerationConfig.from_pretrained(str(self.checkpoint.path), local_files_only=True))
        for given in said:
            end = getattr(given, "eos_token_id", None)
            ids.update(end if isinstance(end, list | tuple) else [] if end is None else [end])
        return frozenset(ids)

    def encode(self, request: Request) -> Encoded | DoesNotFit:
        """The tokens of a request, or that they do not fit; each distinct request is encoded once."""
        return self.encode_all([request])[0]

    def encode_all(self, requests: Sequence[Request]) -> list[Encoded | DoesNotFit]:
        """The tokens of many requests, in their order."""
        new = [request for request in dict.fromkeys(requests) if request not in self._encoded]
        self._encoded.update(zip(new, self.tokens.encode_all(new, self.context_length, self.room), strict=True))
        return [self._encoded[request] for request in requests]

    def sort_out(self, requests: Sequence[Request]) -> tuple[dict[Request, Response], list[tuple[Request, Encoded]]]:
        """Of distinct requests, the responses to those that do not fit, and the others with their tokens."""
        distinct = list(dict.fromkeys(requests))
        encoded = list(zip(distinct, self.encode_all(distinct), strict=True))
        return (
            {request: each for request, each in encoded if isinstance(each, DoesNotFit)},
            [(request, each) for request, each in encoded if isinstance(each, Encoded)],
        )

    def refuses(self, kind: type[Request]) -> str | None:
        """Why this checkpoint cannot answer requests of a kind; None where it can."""
        named: Sequence[str] = self.config.architectures or ()
        if any(name.endswith(CLASSIFIERS) for name in named):
            able: set[type[Request]] = {Rate}
        elif named and all(name.endswith(ENCODERS) and not name.endswith(WRITERS) for name in named):
            able = {Embed}
        else:
            able = {Choose, Generate, Embed}
        if issubclass(kind, tuple(able)):
            return None
        what = {
            Rate: "is no classifier and gives no reward; name one that has a head for it",
            Embed: "is a classifier and gives no vectors; name an encoder or a language model",
        }
        other = "writes no text and weighs none; name a language model"
        return f"{self.checkpoint.name} ({', '.join(named)}) {what.get(kind, other)}"


def numerics(engine: str, rules: int, **said: Any) -> str:
    """What else than the checkpoint's content changes the numbers, as one line of JSON."""
    return json.dumps({"engine": engine, "rules": rules, **said}, sort_keys=True)


def unusable(checkpoint: Checkpoint, error: Exception) -> EngineError:
    """That transformers cannot load a checkpoint, with what it says of the reason."""
    step = f"; if you trust its code: {TRUST}" if "custom code" in str(error) else ""
    return EngineError(
        f"transformers {version('transformers')} cannot load {checkpoint.path}: {first_line(error)}{step}"
    )
