"""Loads the model and hands requests out.

`network` runs tokens; what is run and read for each kind of request, `choosing`, `writing` and `pooling` say.
"""

from __future__ import annotations

import gc
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch

from fairprobe.engines.arguments import check_names, one_of, whole_number
from fairprobe.engines.checkpoints import Checkpoint, first_line
from fairprobe.engines.local import SHARED, Local, numerics, unusable
from fairprobe.engines.tokens import Encoded, length, quiet
from fairprobe.engines.transformers import choosing, pooling, writing
from fairprobe.engines.transformers.network import COUNTED, Network, Pooling
from fairprobe.errors import EngineError
from fairprobe.requests import Choose, Embed, Generate, Rate, Request, Response

RULES = 2
"""Raised when how a request is tokenised or scored changes, so that the store asks again."""
BATCH_TOKENS = {"cpu": 1024, "other": 16384}
CLASSES = {
    Choose: "AutoModelForCausalLM", Generate: "AutoModelForCausalLM", Rate: "AutoModelForSequenceClassification",
    Embed: "AutoModel",
}  # fmt: skip
"""The class by which transformers loads what answers each kind of request."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The engine's own arguments, beside those that engines here share."""

    device: str | None = None
    device_map: str | None = None
    attn_implementation: str | None = None
    quantization: str | None = None
    batch_tokens: int | None = None

    @classmethod
    def read(cls, arguments: Mapping[str, str]) -> Settings:
        """The settings that `KEY=VALUE` arguments give; raises `EngineError` for an unknown or senseless one."""
        check_names("transformers", arguments, {*cls.__slots__, *SHARED})
        if {"device", "device_map"} <= set(arguments):
            msg = f"give device={arguments['device']} or device_map={arguments['device_map']}, not both"
            raise EngineError(msg)
        return cls(**{name: _parsed(name, value) for name, value in arguments.items() if name not in SHARED})


def _parsed(name: str, value: str) -> Any:
    if name == "quantization":
        return one_of(name, value, {"8bit": "load_in_8bit", "4bit": "load_in_4bit"})
    if name == "batch_tokens":
        return whole_number(name, value, 1)
    if name == "device":
        _check_device(value)
    return value


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


class TransformersEngine(Local):
    """Answers requests in float32 on a CPU, and in the checkpoint's own dtype elsewhere."""

    def __init__(
        self, checkpoint: Checkpoint, arguments: Mapping[str, str], template_arguments: Mapping[str, str]
    ) -> None:
        self.settings = Settings.read(arguments)
        super().__init__(checkpoint, arguments, template_arguments)
        self._counts: Counter[str] = Counter()
        self._network: Network | None = None
        self._class: str | None = None
        self._notes: dict[str, None] = {}

    @property
    def numerics(self) -> str:
        """Engine, dtype, kind of device and what else changes the numbers, as one line of JSON.

        The chat template is not among them: it is part of the checkpoint's content.
        """
        return numerics(
            "transformers", RULES, device=self.device.partition(":")[0], dtype=self.dtype,
            attention=self.settings.attn_implementation, quantization=self.settings.quantization,
            template_arguments=self.template_arguments,
        )  # fmt: skip

    @property
    def counts(self) -> Mapping[str, int]:
        """Forward calls, tokens and head rows computed since the engine was opened; a retried batch counts twice."""
        return {name: self._counts[name] for name in COUNTED}

    @property
    def loaded(self) -> bool:
        """Whether the weights are in memory."""
        return self._network is not None

    def answers(self, requests: Sequence[Request]) -> Iterator[Mapping[Request, Response]]:
        """The responses to distinct requests as they come; what does not fit comes first and loads nothing."""
        unfit, fitting = self.sort_out(requests)
        if unfit:
            yield unfit
        for kind in CLASSES:
            for asked in self._together([each for each in fitting if isinstance(each[0], kind)]):
                yield from ({asked[index][0]: response} for index, response in self._answers(kind, asked))

    def describe(self) -> dict[str, Any]:
        """Name, version, device, dtype, arguments, and what to know of how the model was run, as plain JSON."""
        return {
            "name": "transformers",
            "version": version("transformers"),
            "device": self.device,
            "dtype": self.dtype,
            "arguments": self.arguments,
            "notes": list(self._notes),
        }

    def close(self) -> None:
        """Free the weights; the engine still encodes, and loads them again when it is asked again."""
        if self._network is None:
            return
        self._network = self._class = None
        gc.collect()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def _answers(self, kind: type[Request], asked: Sequence[tuple[Any, Encoded]]) -> Iterator[tuple[int, Response]]:
        network = self._load(CLASSES[kind])
        encoded = [each for _, each in asked]
        _check_ids(encoded, network.vocabulary, self.checkpoint)
        budget = self.settings.batch_tokens or BATCH_TOKENS["cpu" if network.device.type == "cpu" else "other"]
        if kind is Generate:
            return writing.write(network, asked, self.tokens, budget)
        ask = {Choose: choosing.choose, Rate: pooling.rate, Embed: pooling.embed}[kind]
        return ask(network, encoded, budget)

    def _together(self, asked: list[tuple[Request, Encoded]]) -> Iterator[list[tuple[Request, Encoded]]]:
        """Requests that may be in one batch: all but those so long that the library turns positions by the longest."""
        reach = _reach(self.config)
        if near := [each for each in asked if length(*each) <= reach]:
            yield near
        yield from ([each] for each in asked if length(*each) > reach)

    def _load(self, name: str) -> Network:
        if self._network is None or self._class != name:
            self.close()
            with quiet(), _unmoved(self.device):
                self._network, self._class = _network(self, name), name
            if name == CLASSES[Choose] and not self._network.branches:
                model = type(self._network.model).__name__
                self._notes[f"{model} runs no tree of tokens: what prompts share is computed for each of them"] = None
        return self._network


def _reach(config: Any) -> float:
    """How many tokens a text may have without changing how its batch's positions are turned."""
    said = getattr(config.get_text_config(), "rope_parameters", None) or {}
    kinds = [said, *(each for each in said.values() if isinstance(each, dict))]
    reaches = [
        each.get("original_max_position_embeddings")
        for each in kinds
        if each.get("rope_type") in {"longrope", "dynamic"}
    ]
    return min(filter(None, reaches), default=math.inf)


def _check_ids(encoded: Sequence[Encoded], vocabulary: int, checkpoint: Checkpoint) -> None:
    """Raise where the tokenizer gives ids that the model has no embedding for: a GPU would only say that it crashed."""
    highest = max(max(ids) for each in encoded for ids in (each.prompt, *each.continuations))
    if highest >= vocabulary:
        msg = (
            f"the tokenizer of {checkpoint.tokenizer} gives token {highest}, and the model has embeddings for "
            f"{vocabulary} only: they are not of one checkpoint"
        )
        raise EngineError(msg)


def _unmoved(device: str) -> Any:
    """Within it torch's random state may change; after it, it is what it was."""
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()) if device.startswith("cuda") else [])


def _network(engine: TransformersEngine, name: str) -> Network:
    import transformers

    checkpoint, settings = engine.checkpoint, engine.settings
    # what is not said is left to the library
    said = {
        "attn_implementation": settings.attn_implementation,
        "device_map": settings.device_map,
        "use_safetensors": not engine.unpickles,
        "quantization_config": settings.quantization
        and transformers.BitsAndBytesConfig(**{settings.quantization: True}),
    }
    try:
        model, report = getattr(transformers, name).from_pretrained(
            str(checkpoint.path), config=engine.config, dtype=engine.dtype, local_files_only=True,
            trust_remote_code=engine.trusts, output_loading_info=True,
            **{key: value for key, value in said.items() if value},
        )  # fmt: skip
    except Exception as error:  # a bad file, an architecture that writes no text, no memory: each raises its own
        raise unusable(checkpoint, error) from error
    if lacking := sorted(key for key in report["missing_keys"] if not key.startswith("pooler.")):
        msg = (
            f"{checkpoint.path} lacks weights that {type(model).__name__} needs, which would be random: "
            f"{', '.join(lacking[:3])}{f' and {len(lacking) - 3} more' if len(lacking) > 3 else ''}"
        )
        raise EngineError(msg)
    if checkpoint.adapter:
        model = _adapted(model, checkpoint)
    if not settings.device_map and not settings.quantization:
        model = model.to(engine.device)
    network = Network(model.eval(), engine._counts, str(checkpoint.path))
    if name == CLASSES[Choose]:
        network.ends = engine.ends
        network.branches = choosing.is_faithful(network)
    elif name == CLASSES[Embed]:
        network.pooling = _pooling(checkpoint, engine.config)
    return network


def _pooling(checkpoint: Checkpoint, config: Any) -> Pooling:
    """Which hidden states make a text's vector: what its `1_Pooling` says, else an encoder's first, else the last."""
    from transformers import MODEL_FOR_MASKED_LM_MAPPING

    said = checkpoint.path / "1_Pooling" / "config.json"
    modes = json.loads(said.read_text(encoding="utf-8")) if said.is_file() else {}
    known: dict[str, Pooling] = {
        "pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean", "pooling_mode_lasttoken": "last",
    }  # fmt: skip
    chosen = [mode for mode, on in modes.items() if on is True and mode.startswith("pooling_mode")]
    if unknown := [mode for mode in chosen if mode not in known] or chosen[1:]:
        msg = f"{said} asks for {unknown[0]}; the ways of pooling that are known are {', '.join(known)}, one of them"
        raise EngineError(msg)
    return known[chosen[0]] if chosen else "cls" if type(config) in MODEL_FOR_MASKED_LM_MAPPING else "last"


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
