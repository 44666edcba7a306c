"""lm-eval's side: its model class `HFLM`, given the same texts as requests of its own, without its tasks and caches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import phase
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

PAD = 0


class Counted(HFLM):
    """HFLM, which says what it gives its model."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.counts: Counter[str] = Counter()

    def _model_call(self, inps: Any, *args: Any, **kwargs: Any) -> Any:
        logits = super()._model_call(inps, *args, **kwargs)
        self.counts.update(
            forward_calls=1,
            prefill_tokens=int((inps != PAD).sum()),
            padded_tokens=inps.numel(),
            head_rows=logits.shape[0] * logits.shape[1],
        )
        return logits

    def _model_generate(self, context: Any, *args: Any, **kwargs: Any) -> Any:
        rows = super()._model_generate(context, *args, **kwargs)
        steps = rows.shape[1] - context.shape[1]
        self.counts.update(
            forward_calls=steps,
            prefill_tokens=int((context != PAD).sum()),
            padded_tokens=context.numel(),
            head_rows=len(context) * steps,
        )
        return rows


def opened(order: Mapping[str, Any], batch: int) -> tuple[phase.Ask, Any]:
    """HFLM at one batch size; the tokenizer adds nothing to a text, so neither does it."""
    model = Counted(pretrained=order["folder"], dtype="float32", device=order["device"], batch_size=batch)

    def choose(items: Sequence[Mapping[str, Any]]) -> list[Any]:
        pairs = [(item["prompt"], f" {option}") for item in items for option in item["options"]]
        scores = [score for score, _ in model.loglikelihood(_instances("loglikelihood", pairs), disable_tqdm=True)]
        found = iter(scores)
        return [[next(found) for _ in item["options"]] for item in items]

    def write(items: Sequence[Mapping[str, Any]]) -> list[Any]:
        settings = {"until": [], "max_gen_toks": order["max_tokens"], "temperature": 0.0, "do_sample": False}
        asked = [(item["prompt"], settings) for item in items]
        return model.generate_until(_instances("generate_until", asked), disable_tqdm=True)

    return (write if order["max_tokens"] else choose), lambda: model.counts


def _instances(kind: Any, arguments: Sequence[tuple[Any, ...]]) -> list[Instance]:
    return [Instance(kind, doc={}, arguments=each, idx=index) for index, each in enumerate(arguments)]


if __name__ == "__main__":
    phase.main(opened, lambda: {name: version(name) for name in ("lm_eval", "torch", "transformers")})
