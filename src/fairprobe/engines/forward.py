"""What a causal language model computes for one batch: log-likelihoods of continuations, and continuations.

Batches are padded on the right for scoring, where a causal model needs no mask for it, and on the left for writing.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

import torch

from fairprobe.engines.tokens import Encoded, Ids
from fairprobe.requests import Chosen, Failed, Generate, Generated, Response

Decode = Callable[[Sequence[int]], str]
NOT_A_NUMBER = "the model's logits are not finite (NaN or infinite); try dtype=float32"


class Network:
    """A loaded model, the ids that end a text, and a count of the work it does."""

    def __init__(self, model: Any, ends: frozenset[int], counts: Counter[str]) -> None:
        self.model = model
        self.ends = ends
        self.counts = counts
        embeddings = model.get_input_embeddings()
        self.vocabulary = int(embeddings.weight.shape[0])
        # the first layer's device takes the input, wherever the other layers lie
        self.device = embeddings.weight.device
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


def choose(network: Network, batch: Sequence[Encoded]) -> list[Response]:
    """The log-likelihoods (nats) of every option of every request, in the requests' order."""
    rows: dict[Ids, int] = {}
    positions: dict[tuple[int, int], int] = {}
    picks: list[tuple[int, int]] = []
    for encoded in batch:
        for row, ids in zip(_rows(encoded), encoded.continuations, strict=True):
            number = rows.setdefault(row, len(rows))
            for place, token in enumerate(ids, start=len(encoded.prompt) - 1):
                picks.append((positions.setdefault((number, place), len(positions)), token))
    values = iter(_loglikelihoods(network, list(rows), list(positions), picks))
    return [
        _chosen(encoded, [math.fsum(islice(values, len(ids))) for ids in encoded.continuations]) for encoded in batch
    ]


def _rows(encoded: Encoded) -> list[Ids]:
    """For each option the tokens to run, its last one left out; an option that begins another shares its row."""
    own = [encoded.prompt + ids[:-1] for ids in encoded.continuations]
    longest = sorted(set(own), key=len, reverse=True)
    return [next(row for row in longest if row[: len(ids)] == ids) for ids in own]


def _loglikelihoods(
    network: Network, rows: list[Ids], positions: list[tuple[int, int]], picks: list[tuple[int, int]]
) -> list[float]:
    """The log-probability of each pick: an index into `positions`, each a row and a place in it, and a token."""
    width = max(map(len, rows))
    ids = network.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    numbers, places = network.tensor(positions).unbind(1)
    with _head_on(network.model, numbers, places):
        logits = network(sum(map(len, rows)), ids, use_cache=False).logits
    network.counts["head_rows"] += len(positions)
    if logits.shape[:2] != (1, len(positions)):
        # a model whose head is out of reach gives all positions
        logits = logits[numbers, places][None]
    scores = logits[0].float()
    where, tokens = torch.tensor(picks, dtype=torch.long, device=scores.device).unbind(1)
    found: list[float] = (scores[where, tokens] - scores.logsumexp(-1)[where]).tolist()
    return found


@contextmanager
def _head_on(model: Any, rows: Any, places: Any) -> Iterator[None]:
    """Within it the model's head computes logits (1 x positions x vocabulary) at the named positions only.

    What the model does to logits after its head (scaling, capping) goes by element and stays as it is.
    """
    head = model.get_output_embeddings()
    if head is None:
        yield
        return

    def gather(_: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = args[0]
        return (hidden[rows.to(hidden.device), places.to(hidden.device)][None], *args[1:])

    handle = head.register_forward_pre_hook(gather)
    try:
        yield
    finally:
        handle.remove()


def _chosen(encoded: Encoded, totals: list[float]) -> Response:
    if not all(map(math.isfinite, totals)):
        return Failed(NOT_A_NUMBER)
    options = encoded.continuations
    single = all(len(ids) == 1 for ids in options) and len(set(options)) == len(options)
    mass = min(1.0, math.fsum(map(math.exp, totals))) if single else None
    return Chosen(tuple(totals), tuple(map(len, options)), len(encoded.prompt), mass)


def generate(network: Network, batch: Sequence[tuple[Generate, Encoded]], decode: Decode) -> list[Response]:
    """A continuation of every prompt, greedy or drawn, in the requests' order.

    The random numbers of a draw come from its prompt and number alone, one for each token, so that neither the rest
    of the batch nor `max_tokens` changes what is drawn.
    """
    answers = [_Answer(request, encoded, network.ends, decode) for request, encoded in batch]
    live = answers
    prompts = [answer.encoded.prompt for answer in live]
    width = max(map(len, prompts))
    ids = network.tensor([[*[0] * (width - len(prompt)), *prompt] for prompt in prompts])
    mask = network.tensor([[*[0] * (width - len(prompt)), *[1] * len(prompt)] for prompt in prompts])
    places, cache, prefill = (mask.cumsum(-1) - 1).clamp(min=0), None, sum(map(len, prompts))
    while True:
        out = network(
            prefill, ids, attention_mask=mask, position_ids=places, past_key_values=cache, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        network.counts["head_rows"] += len(live)
        for answer, token in zip(live, _next_tokens(out.logits[:, -1].float(), live), strict=True):
            answer.add(token)
        unfinished = [index for index, answer in enumerate(live) if not answer.done]
        if not unfinished:
            break
        cache, prefill = getattr(out, "past_key_values", None), 0
        if cache is None:
            msg = f"{type(network.model).__name__} keeps no key-value cache, and writing without one is not supported"
            raise RuntimeError(msg)
        if len(unfinished) <= len(live) // 2:
            # a finished answer rides along until half of them are: copying the cache costs more than a row
            kept = network.tensor(unfinished)
            cache.reorder_cache(kept)
            live, mask = [live[index] for index in unfinished], mask[kept]
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
        ids = network.tensor([[answer.last] for answer in live])
        places = network.tensor([[answer.place] for answer in live])
    network.counts["output_tokens"] += sum(len(answer.tokens) for answer in answers)
    return [answer.response() for answer in answers]


class _Answer:
    """One answer while it is written, token by token."""

    def __init__(self, request: Generate, encoded: Encoded, ends: frozenset[int], decode: Decode) -> None:
        self.request = request
        self.encoded = encoded
        self.tokens: list[int] = []
        self.done = self.ended = self.broken = False
        self._ends = ends
        self._decode = decode
        # a text of n bytes spans at most n tokens, if none of them is empty; four more for those that are
        self._window = max((len(text.encode()) for text in request.stop), default=0) + 4
        seed = hashlib.sha256(repr((request.prompt, request.draw)).encode()).digest()
        self._random = random.Random(seed)

    @property
    def last(self) -> int:
        """The token to feed next; any token once the answer is done."""
        return self.tokens[-1] if self.tokens else 0

    @property
    def place(self) -> int:
        """The position of the last token; one that every model has once the answer is done."""
        return 0 if self.done else len(self.encoded.prompt) + len(self.tokens) - 1

    def draw(self) -> float:
        """The next of this answer's own random numbers, in [0, 1)."""
        return self._random.random()

    def add(self, token: int | None) -> None:
        """Take the next token; None says that the model gave no number."""
        if self.done:
            return
        if token is None:
            self.done = self.broken = True
            return
        self.tokens.append(token)
        self.ended = token in self._ends or self._stopped()
        self.done = self.ended or len(self.tokens) == self.request.max_tokens

    def _stopped(self) -> bool:
        # the tail first: decoding the whole answer at every token would cost the square of its length
        return (
            bool(self.request.stop)
            and self._cut(self._decode(self.tokens[-self._window :])) is not None
            and self._cut(self._decode(self.tokens)) is not None
        )

    def _cut(self, text: str) -> str | None:
        """The text before the first stop text in it, or None where there is none."""
        found = [text.index(stop) for stop in self.request.stop if stop in text]
        return text[: min(found)] if found else None

    def response(self) -> Response:
        """The answer as a response; its end token counts among the tokens, and is not in the text."""
        if self.broken:
            return Failed(NOT_A_NUMBER)
        ids = self.tokens[:-1] if self.tokens[-1] in self._ends else self.tokens
        text = self._decode(ids)
        cut = self._cut(text)
        return Generated(
            text if cut is None else cut, self.ended, self.encoded.chat, len(self.encoded.prompt), len(self.tokens)
        )


def _next_tokens(logits: Any, live: Sequence[_Answer]) -> list[int | None]:
    """The next token of each answer from `logits` (answers x vocabulary), None where they are not finite."""
    best, tokens = logits.max(-1)
    found: list[int | None] = tokens.tolist()
    drawn = [index for index, answer in enumerate(live) if answer.request.temperature > 0 and not answer.done]
    if drawn:
        found = _put(found, drawn, _drawn(logits[drawn], [live[index] for index in drawn]))
    return [token if fine else None for token, fine in zip(found, best.isfinite().tolist(), strict=True)]


class _Draw(NamedTuple):
    temperature: float
    number: float


def _drawn(logits: Any, answers: Sequence[_Answer]) -> list[int]:
    """A token of each row by its own random number: the first at which the cumulated probability exceeds it."""
    draws = [_Draw(answer.request.temperature, answer.draw()) for answer in answers]
    wide = torch.float32 if logits.device.type == "mps" else torch.float64
    heat, number = torch.tensor(draws, dtype=wide, device=logits.device).unbind(1)
    cumulated = (logits.to(wide) / heat[:, None]).softmax(-1).cumsum(-1)
    # the total is 1 but for rounding; a number beyond it would name no token
    aims = number[:, None] * cumulated[:, -1:]
    tokens: list[int] = torch.searchsorted(cumulated, aims, right=True)[:, 0].clamp(max=logits.shape[1] - 1).tolist()
    return tokens


def _put(values: list[int | None], indices: Sequence[int], new: Sequence[int]) -> list[int | None]:
    changed = dict(zip(indices, new, strict=True))
    return [changed.get(index, value) for index, value in enumerate(values)]
