"""A loaded model: what it computes for rows of tokens that may branch, on top of a trunk that they share."""

from __future__ import annotations

import gc
import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, TypeVar

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from fairprobe.engines.checkpoints import first_line
from fairprobe.engines.tokens import Ids, quiet
from fairprobe.engines.transformers.tree import Row
from fairprobe.errors import EngineError
from fairprobe.requests import Failed

Made = TypeVar("Made")

NOT_A_NUMBER = "the model's logits are not finite (NaN or infinite); try dtype=float32"
Pooling = Literal["last", "cls", "mean"]
COUNTED = ("forward_calls", "prefill_tokens", "padded_tokens", "head_rows", "output_tokens")
FULL, SLIDING = "full_attention", "sliding_attention"
WINDOWS = {
    "sliding_window", "sliding_window_pattern", "_sliding_window_pattern", "use_sliding_window", "max_window_layers",
}  # fmt: skip
"""What a configuration may say of the windows that are known here."""


def too_large(device: Any, tokens: int) -> Failed:
    """That memory cannot hold one request alone."""
    return Failed(f"out of memory on {device} for a single request of {tokens} tokens")


class Kept(NamedTuple):
    """A trunk that was run: its keys and values, and how many tokens they are of."""

    cache: Any
    depth: int


class Network:
    """A model on its device, and a count of the work it does.

    `ends` are the ids that end a text; `branches` says whether its rows may branch and grow on trunks; `pooling` which
    of a text's hidden states is its vector; `token_bytes` how much its keys and values take of a token.
    """

    def __init__(self, model: Any, counts: Counter[str], name: str) -> None:
        self.model = model
        self.counts = counts
        self.name = name
        self.ends: frozenset[int] = frozenset()
        self.branches = False
        self.pooling: Pooling = "last"
        embeddings = model.get_input_embeddings()
        self.vocabulary = int(embeddings.weight.shape[0])
        # the first layer's device takes the input, wherever the other layers lie
        self.device = embeddings.weight.device
        self.dtype = embeddings.weight.dtype
        self.windows = _windows(model.config.get_text_config())
        self.token_bytes: int = _kept_numbers(model.config.get_text_config()) * self.dtype.itemsize
        self._parameters = frozenset(inspect.signature(model.forward).parameters)

    def tensor(self, values: Any) -> Any:
        """Whole numbers on the device that takes the model's input."""
        return torch.tensor(values, dtype=torch.long, device=self.device)

    def __call__(self, prefill: int, ids: Any, **inputs: Any) -> Any:
        """One forward pass over `ids` (rows x tokens), of which `prefill` are tokens of prompts or options."""
        self.counts["forward_calls"] += 1
        self.counts["prefill_tokens"] += prefill
        self.counts["padded_tokens"] += ids.numel() if prefill else 0
        given = {name: value for name, value in inputs.items() if name in self._parameters}
        return self.model(input_ids=ids, return_dict=True, **given)

    def attempt(self, work: Callable[[], Made], rows: int) -> Made | None:
        """What a batch of `rows` gives; None where memory is too small for it. Raises `EngineError` for all else."""
        try:
            with torch.inference_mode(), quiet():
                return work()
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                msg = f"{self.name} failed on a batch of {rows}: {first_line(error)}"
                raise EngineError(msg) from error
        # out of the handler, so that the traceback no longer holds the batch's tensors
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def logits(self, rows: Sequence[Row], positions: Sequence[tuple[int, int]], kept: Kept | None = None) -> Any:
        """The logits (positions x vocabulary) at the named rows and columns, of rows that grow on a kept trunk."""
        return self._logits(rows, positions, kept, past(kept, _Lent, len(rows)) if kept else None)

    def extend(self, row: Row, positions: Sequence[tuple[int, int]], kept: Kept | None) -> tuple[Kept, Any]:
        """A trunk that goes on from another, kept, and its logits at the named columns."""
        cache = past(kept, Layer)
        scores = self._logits([row], positions, kept, cache)
        return Kept(cache, len(row.ids) + (kept.depth if kept else 0)), scores

    def fill(self, rows: Sequence[Row], kept: Kept | None) -> tuple[Any, Any]:
        """The logits (rows x vocabulary) after the last token of each row, and the cache of what was read."""
        cache = past(kept, Layer, len(rows))
        return self._logits(rows, [(number, len(row.ids) - 1) for number, row in enumerate(rows)], kept, cache), cache

    def _logits(self, rows: Sequence[Row], positions: Sequence[tuple[int, int]], kept: Kept | None, cache: Any) -> Any:
        width = max(len(row.ids) for row in rows)
        ids = self.tensor([row.ids + [0] * (width - len(row.ids)) for row in rows])
        inputs = {} if kept is None and all(_is_straight(row) for row in rows) else self._branching(rows, width, kept)
        numbers, columns = self.tensor(positions).unbind(1) if positions else (self.tensor([]), self.tensor([]))
        self.counts["head_rows"] += len(positions)
        prefill = sum(len(row.ids) for row in rows)
        with head_at(self.model, numbers, columns):
            found = self(prefill, ids, past_key_values=cache, use_cache=cache is not None, **inputs).logits
        if found.shape[:2] != (1, len(positions)):
            # a model whose head is out of reach gives all positions
            found = found[numbers, columns][None]
        return found[0].float()

    def _branching(self, rows: Sequence[Row], width: int, kept: Kept | None) -> Mapping[str, Any]:
        """The mask and positions by which a token sees the trunk and its own branch, and nothing else."""
        depth = kept.depth if kept else 0
        padded = [(row.places + [0] * (width - len(row.ids)), row.until + [0] * (width - len(row.ids))) for row in rows]
        places = self.tensor([each for each, _ in padded]) + depth
        until = self.tensor([each for _, each in padded])
        columns = torch.arange(width, device=self.device)
        own = (columns <= columns[:, None]) & (columns[:, None] < until[:, None, :])
        sees = torch.cat([own.new_ones(len(rows), width, depth), own], dim=-1)
        trunk = torch.arange(depth, device=self.device).expand(len(rows), depth)
        return {"position_ids": places, "attention_mask": self.mask(sees, places, torch.cat([trunk, places], dim=1))}

    def mask(self, sees: Any, places: Any, seen: Any) -> Any:
        """The additive mask of what each token sees (rows x tokens x seen), shortened where a layer's window is.

        `places` are the positions of the tokens, `seen` those of what they may see.
        """
        assert self.windows is not None
        near = (
            sees if window is None else sees & (places[:, :, None] - seen[:, None, :] < window)
            for window in self.windows.values()
        )
        masks = [
            torch.zeros(each.shape, dtype=self.dtype, device=self.device)
            .masked_fill_(~each, torch.finfo(self.dtype).min)[:, None]
            for each in near
        ]  # fmt: skip
        # models with layers of several kinds take a mask for each
        return dict(zip(self.windows, masks, strict=True)) if len(masks) > 1 else masks[0]


class Layer(DynamicLayer):  # type: ignore[misc]  # the library has no types
    """A layer of a cache that begins with the keys and values given."""

    def __init__(self, keys: Any, values: Any) -> None:
        super().__init__()
        self.keys, self.values = keys, values
        self.dtype, self.device = keys.dtype, keys.device
        self.is_initialized = True


class _Lent(Layer):
    """The same, lent to rows for one pass: what they add is not kept."""

    def update(self, keys: Any, values: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        return torch.cat([self.keys, keys], dim=-2), torch.cat([self.values, values], dim=-2)


def past(kept: Kept | None, layer: type[Layer], rows: int = 1) -> Any:
    """A trunk's keys and values as the past of every row of a batch, without a copy for each."""
    cache = DynamicCache()
    cache.layers = [
        layer(*(each.expand(rows, *each.shape[1:]) for each in (held.keys, held.values)))
        for held in (kept.cache.layers if kept else ())
    ]
    return cache


def straight(ids: Ids) -> Row:
    """Tokens in a row without a branch."""
    return Row(list(ids), list(range(len(ids))), [len(ids)] * len(ids), [])


def _is_straight(row: Row) -> bool:
    return all(end == len(row.ids) for end in row.until)


@contextmanager
def head_at(model: Any, rows: Any, columns: Any) -> Iterator[None]:
    """Within it the model's head computes logits (1 x positions x vocabulary) at the named positions only.

    What the model does to logits after its head (scaling, capping) goes by element and stays as it is.
    """
    head = model.get_output_embeddings()
    if head is None:
        yield
        return

    def gather(_: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = args[0]
        return (hidden[rows.to(hidden.device), columns.to(hidden.device)][None], *args[1:])

    handle = head.register_forward_pre_hook(gather)
    try:
        yield
    finally:
        handle.remove()


def _windows(config: Any) -> Mapping[str, int | None] | None:
    """How far each kind of layer sees, all the way where None; None where some kind is neither full nor sliding."""
    window = getattr(config, "sliding_window", None)
    # a window of another name is kept to by column, which is not a token's position in a tree or a slot
    others = {name for name, value in config.to_dict().items() if "window" in name and value} - WINDOWS
    kinds = getattr(config, "layer_types", None) or [FULL if window is None else SLIDING]
    if others or getattr(config, "attention_chunk_size", None) or not {FULL, SLIDING}.issuperset(kinds):
        return None
    return {kind: window if kind == SLIDING else None for kind in sorted(set(kinds))}


def _kept_numbers(config: Any) -> int:
    """How many numbers the keys and values of a token are, at most."""
    heads, size = getattr(config, "num_key_value_heads", None), getattr(config, "head_dim", None)
    if heads and not size:
        size = config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * (heads * size if heads else config.hidden_size))


def _is_out_of_memory(error: Exception) -> bool:
    said = ("out of memory", "ALLOC_FAILED", "DefaultCPUAllocator")
    return isinstance(error, MemoryError) or any(each in str(error) for each in said)
