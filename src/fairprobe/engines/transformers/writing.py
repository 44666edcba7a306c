"""Texts: many answers are written at once, each in a slot of its own that the next answer takes when it is done."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from transformers import DynamicCache

from fairprobe.engines.tokens import Encoded, Ids, Tokens, cut, length, shared
from fairprobe.engines.transformers.network import NOT_A_NUMBER, Kept, Layer, Network, straight, too_large
from fairprobe.requests import Failed, Generate, Response

SLOTS = {"cpu": 128, "cuda": 256}
"""The most answers that are written at once."""
HELD = 2**31
"""The most bytes that keys and values take; on a GPU half of what is free."""
WORTH = 64
"""The tokens that running a shared beginning once must save."""

Asked = tuple[Generate, Encoded]


def write(network: Network, asked: Sequence[Asked], tokens: Tokens, budget: int) -> Iterator[tuple[int, Response]]:
    """The response to each request with its index, as it is written, greedily or drawn.

    The random numbers of a draw come from its prompt and number alone, one for each token, so that neither the rest
    of the batch nor `max_tokens` changes what is drawn.
    """
    # the longest first: what memory cannot hold is found out early, and a batch pads little
    order = sorted(range(len(asked)), key=lambda index: (-length(*asked[index]), asked[index][1].prompt))
    waiting = [_Answer(index, asked[index], network.ends, tokens) for index in order]
    width = max(length(*each) for each in asked)
    slots = _most(network, width)
    # as many rounds, filled evenly: a last round of a few answers takes as many steps as a full one
    slots = math.ceil(len(asked) / math.ceil(len(asked) / slots))
    desk = _desk(network, slots, width)
    kept: Kept | None = None
    if network.branches and (common := _common(waiting)):
        ran = network.attempt(lambda: network.extend(straight(common), [], None), 1)
        kept = ran[0] if ran else None
    waiting.reverse()
    while waiting or desk.live:
        free = slots - len(desk.live)
        if waiting and desk.takes(free, slots):
            some = min(free, len(waiting), max(1, budget // len(waiting[-1].encoded.prompt)))
            coming = [waiting.pop() for _ in range(some)]
            fine = network.attempt(partial(desk.admit, coming, kept), len(coming))
        else:
            coming = []
            fine = network.attempt(partial(desk.step, last=not waiting), len(desk.live))
        if fine is None:
            lost = [*desk.live, *coming]
            if slots == 1 or len(lost) == 1:
                first, *lost = lost
                yield first.index, too_large(network.device, length(*first.asked))
            # an answer's draws are its own: written again it is the same
            waiting += [answer.again() for answer in reversed(lost)]
            slots = max(1, min(slots, len(lost) + 1) // 2)
            desk = _desk(network, slots, width)
            continue
        for answer in desk.finished():
            network.counts["output_tokens"] += len(answer.written)
            yield answer.index, answer.response()


def _most(network: Network, width: int) -> int:
    """How many answers of `width` tokens memory holds the keys and values of."""
    if network.device.type == "cuda":
        # what torch keeps for itself of earlier batches is free as well
        torch.cuda.empty_cache()
        most, held = SLOTS["cuda"], int(torch.cuda.mem_get_info(network.device)[0]) // 2
    else:
        most, held = SLOTS["cpu"], HELD
    return max(1, min(most, held // (width * network.token_bytes)))


def _desk(network: Network, slots: int, width: int) -> _Slots | _Batch:
    return _Slots(network, slots, width) if network.branches else _Batch(network)


def _common(answers: Sequence[_Answer]) -> Ids:
    """The beginning that all prompts share, short of a token, where running it once is worth a call."""
    prompts = sorted({answer.encoded.prompt for answer in answers})
    end = min(shared(prompts[0], prompts[-1]), min(map(len, prompts)) - 1)
    return prompts[0][:end] if end * (len(prompts) - 1) >= WORTH else ()


class _Answer:
    """One answer while it is written, token by token."""

    def __init__(self, index: int, asked: Asked, ends: frozenset[int], tokens: Tokens) -> None:
        self.index = index
        self.request, self.encoded = self.asked = asked
        self.written: list[int] = []
        self.done = self.broken = False
        self._ends = ends
        self._tokens = tokens
        # a text of n bytes spans at most n tokens, if none of them is empty; four more for those that are
        self._window = max((len(text.encode()) for text in self.request.stop), default=0) + 4
        self._random = random.Random(self.request.seed)

    def again(self) -> _Answer:
        """The same answer before anything was written."""
        return _Answer(self.index, self.asked, self._ends, self._tokens)

    @property
    def place(self) -> int:
        """The position of the last token that was written."""
        return len(self.encoded.prompt) + len(self.written) - 1

    def draw(self) -> float:
        """The next of this answer's own random numbers, in [0, 1)."""
        return self._random.random()

    def add(self, token: int | None) -> None:
        """Take the next token; None says that the model gave no number."""
        if token is None:
            self.done = self.broken = True
            return
        self.written.append(token)
        self.done = token in self._ends or self._stopped() or len(self.written) == self.request.max_tokens

    def _stopped(self) -> bool:
        stop = self.request.stop
        # the tail first: decoding the whole answer at every token would cost the square of its length
        if not stop or cut(self._tokens.text(self.written[-self._window :]), stop) is None:
            return False
        return cut(self._tokens.said(self.written, self.encoded).text or "", stop) is not None

    def response(self) -> Response:
        """The answer as a response; its end token counts among the tokens, and is not in the text."""
        if self.broken:
            return Failed(NOT_A_NUMBER)
        return self._tokens.generated(self.request, self.encoded, self.written, self.written[-1] in self._ends)


class _Slots:
    """Answers in slots, each filled from the left: a column of keys and values is a position of its text."""

    def __init__(self, network: Network, slots: int, width: int) -> None:
        self._network = network
        self._width = width
        self._answers: list[_Answer | None] = [None] * slots
        self._layers: list[tuple[Any, Any]] = []
        self._filling = False

    @property
    def live(self) -> list[_Answer]:
        """The answers that are being written."""
        return [answer for answer in self._answers if answer is not None]

    def takes(self, free: int, slots: int) -> bool:
        """Whether others come: once enough slots are free to be worth a call, until all are taken."""
        self._filling = free > 0 and (self._filling or free >= slots // 4)
        return self._filling

    def admit(self, coming: Sequence[_Answer], kept: Kept | None) -> bool:
        """Read the prompts of answers, on top of what they share, and write the first token of each."""
        depth = kept.depth if kept else 0
        logits, cache = self._network.fill([straight(answer.encoded.prompt[depth:]) for answer in coming], kept)
        places = [slot for slot, answer in enumerate(self._answers) if answer is None][: len(coming)]
        if not self._layers:
            self._layers = [_room(layer, len(self._answers), self._width) for layer in cache.layers]
        for (keys, values), layer in zip(self._layers, cache.layers, strict=True):
            # what an answer before it left there could be no number, which taints even where it is masked
            keys[places], values[places] = 0, 0
            keys[places, :, : layer.keys.shape[2]] = layer.keys
            values[places, :, : layer.values.shape[2]] = layer.values
        for place, answer in zip(places, coming, strict=True):
            self._answers[place] = answer
        _add(logits, coming)
        return True

    def step(self, *, last: bool) -> bool:
        """Write the next tokens of every answer, until one is done; after the `last` prompt empty slots are dropped."""
        if last:
            self._narrow()
        while not any(answer.done for answer in self.live):
            self._next()
        return True

    def _next(self) -> None:
        network = self._network
        # an empty slot rides along: whatever it writes is overwritten by the next prompt
        place = network.tensor([0 if answer is None else answer.place for answer in self._answers])
        ids = network.tensor([[0 if answer is None else answer.written[-1]] for answer in self._answers])
        width = 1 + max(answer.place for answer in self.live)
        columns = torch.arange(width, device=network.device).expand(len(ids), width)
        mask = network.mask((columns <= place[:, None])[:, None], place[:, None], columns)
        cache = DynamicCache()
        cache.layers = [_Slot(keys, values, place, width) for keys, values in self._layers]
        out = network(
            0, ids, attention_mask=mask, position_ids=place[:, None], past_key_values=cache, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        network.counts["head_rows"] += len(ids)
        taken = [slot for slot, answer in enumerate(self._answers) if answer is not None]
        logits = out.logits[:, -1]
        _add((logits if len(taken) == len(logits) else logits[taken]).float(), self.live)

    def finished(self) -> list[_Answer]:
        """The answers that are done, which leave their slots."""
        done = [answer for answer in self.live if answer.done]
        self._answers = [None if answer is None or answer.done else answer for answer in self._answers]
        return done

    def _narrow(self) -> None:
        """Drop the empty slots where half of them are; copying what is kept costs more than a slot that rides along."""
        taken = [slot for slot, answer in enumerate(self._answers) if answer is not None]
        if 2 * len(taken) <= len(self._answers):
            self._layers = [(keys[taken], values[taken]) for keys, values in self._layers]
            self._answers = [self._answers[slot] for slot in taken]


def _room(layer: Any, slots: int, width: int) -> tuple[Any, Any]:
    """Zeros for the keys and values of a layer like this one (slots x heads x columns x size)."""
    return tuple(each.new_zeros(slots, each.shape[1], width, each.shape[3]) for each in (layer.keys, layer.values))


class _Slot(Layer):
    """A layer of the slots for one step: a new key goes to its own column of each slot."""

    def __init__(self, keys: Any, values: Any, place: Any, width: int) -> None:
        super().__init__(keys, values)
        self._place, self._width = place.to(keys.device), width

    def update(self, keys: Any, values: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        slots, heads, columns, _size = self.keys.shape
        lines = torch.arange(slots * heads, device=keys.device).view(slots, heads) * columns + self._place[:, None]
        # by line: to set with an index for slots and one for columns takes several times as long
        for held, new in ((self.keys, keys), (self.values, values)):
            held.view(-1, held.shape[3]).index_copy_(0, lines.flatten(), new.reshape(-1, held.shape[3]))
        return self.keys[:, :, : self._width], self.values[:, :, : self._width]


class _Batch:
    """Answers in a batch of their own from first to last, padded on the left: for models that keep other things too."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.live: list[_Answer] = []
        self._rows: list[_Answer] = []
        self._mask: Any = None
        self._cache: Any = None

    def takes(self, free: int, slots: int) -> bool:
        """Whether others may come: when all are done."""
        return free == slots

    def admit(self, coming: Sequence[_Answer], _: Kept | None) -> bool:
        """Read the prompts of answers and write the first token of each."""
        prompts = [answer.encoded.prompt for answer in coming]
        width = max(map(len, prompts))
        tensor = self._network.tensor
        self.live, self._rows, self._cache = list(coming), list(coming), None
        self._mask = tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        ids = tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts])
        return self._pass(sum(map(len, prompts)), ids, (self._mask.cumsum(-1) - 1).clamp(min=0))

    def step(self, *, last: bool) -> bool:  # noqa: ARG002 - the rows of a batch are given up as they end
        """Write the next token of every answer."""
        kept = [row for row, answer in enumerate(self._rows) if not answer.done]
        if 2 * len(kept) <= len(self._rows):
            self._cache.reorder_cache(self._network.tensor(kept))
            self._rows, self._mask = [self._rows[row] for row in kept], self._mask[kept]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._rows), 1)], dim=1)
        # an answer that is done rides along at a position that every model has
        places = [[0 if answer.done else answer.place] for answer in self._rows]
        ids = self._network.tensor([[answer.written[-1] if answer.written else 0] for answer in self._rows])
        return self._pass(0, ids, self._network.tensor(places))

    def finished(self) -> list[_Answer]:
        """The answers that are done."""
        done = [answer for answer in self.live if answer.done]
        self.live = [answer for answer in self.live if not answer.done]
        return done

    def _pass(self, prefill: int, ids: Any, places: Any) -> bool:
        out = self._network(
            prefill, ids, attention_mask=self._mask, position_ids=places, past_key_values=self._cache, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        self._network.counts["head_rows"] += len(self._rows)
        self._cache = getattr(out, "past_key_values", None)
        taken = [row for row, answer in enumerate(self._rows) if not answer.done]
        _add(out.logits[taken, -1].float(), [self._rows[row] for row in taken])
        if self._cache is None and not all(answer.done for answer in self._rows):
            model = type(self._network.model).__name__
            msg = f"{model} keeps no key-value cache, and writing without one is not supported"
            raise RuntimeError(msg)
        return True


def _add(logits: Any, answers: Sequence[_Answer]) -> None:
    for answer, token in zip(answers, _next_tokens(logits, answers), strict=True):
        answer.add(token)


def _next_tokens(logits: Any, answers: Sequence[_Answer]) -> list[int | None]:
    """The next token of each answer from `logits` (answers x vocabulary), None where they are not finite."""
    best, tokens = logits.max(-1)
    found: list[int | None] = tokens.tolist()
    drawn = [index for index, answer in enumerate(answers) if answer.request.temperature > 0]
    if drawn:
        for index, token in zip(drawn, _drawn(logits[drawn], [answers[index] for index in drawn]), strict=True):
            found[index] = token
    return [token if fine else None for token, fine in zip(found, best.isfinite().tolist(), strict=True)]


def _drawn(logits: Any, answers: Sequence[_Answer]) -> list[int]:
    """A token of each row by its own random number: the first at which the cumulated probability exceeds it."""
    draws = [(answer.request.temperature, answer.draw()) for answer in answers]
    wide = torch.float32 if logits.device.type == "mps" else torch.float64
    heat, number = torch.tensor(draws, dtype=wide, device=logits.device).unbind(1)
    cumulated = (logits.to(wide) / heat[:, None]).softmax(-1).cumsum(-1)
    # the total is 1 but for rounding; a number beyond it would name no token
    aims = number[:, None] * cumulated[:, -1:]
    tokens: list[int] = torch.searchsorted(cumulated, aims, right=True)[:, 0].clamp(max=logits.shape[1] - 1).tolist()
    return tokens
