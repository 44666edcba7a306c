"""What a loop over `model.generate` costs, one prompt at a time; its texts are those that others must give as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import phase
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def opened(order: Mapping[str, Any], _: int) -> tuple[phase.Ask, Any]:
    """The model and tokenizer as transformers loads them."""
    model = AutoModelForCausalLM.from_pretrained(order["folder"], dtype=torch.float32).eval().to(order["device"])
    tokenizer = AutoTokenizer.from_pretrained(order["folder"])
    counts: Counter[str] = Counter()

    def ask(items: Sequence[Mapping[str, Any]]) -> list[Any]:
        texts = []
        for item in items:
            prompt = tokenizer(item["prompt"], return_tensors="pt").to(model.device)
            given = {"max_new_tokens": order["max_tokens"], "do_sample": False}
            ids = model.generate(prompt["input_ids"], attention_mask=prompt["attention_mask"], **given)
            size = prompt["input_ids"].shape[1]
            steps = ids.shape[1] - size
            counts.update(forward_calls=steps, prefill_tokens=size, padded_tokens=size, head_rows=steps)
            texts.append(tokenizer.decode(ids[0, size:], skip_special_tokens=True))
        return texts

    return ask, lambda: counts


if __name__ == "__main__":
    phase.main(opened, lambda: {name: version(name) for name in ("torch", "transformers")})
