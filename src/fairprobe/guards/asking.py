"""Guards of how it was asked: tokens by group, one template for both checkpoints, numbers that hold still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fairprobe.guards.guard import Guard
from fairprobe.guards.shares import Shares
from fairprobe.metrics import Part
from fairprobe.tasks import Outcomes

MOST_TIMES = 1.5


def tokens(shares: Shares) -> Iterator[Guard]:
    """A prompt takes about as many tokens, and an answer's token about as many letters, in every group."""
    if len(shares.labels) < 2 or not shares.part.outcomes.tokens:
        return
    spent, notes = _means(shares, shares.part.outcomes.tokens["prompt"]), []
    if np.isnan(spent).all():
        return  # no prompt fitted
    if _uneven(spent):
        notes.append(f"a prompt takes {_ends(spent, shares)} tokens")
    budget = shares.part.task.budget
    if budget and _uneven(room := _means(shares, budget * _letters_a_token(shares.part.outcomes))):
        notes.append(f"the {budget} tokens that an answer may have are {_ends(room, shares)} letters")
    told = "; ".join(notes)
    yield Guard("tokens", "caveat" if told else "pass", told or f"about {np.nanmean(spent):.0f} tokens a prompt")


def _letters_a_token(outcomes: Outcomes) -> np.ndarray:
    count = outcomes.tokens["answer"]
    letters = np.array([len(text or "") for text in outcomes.responses], dtype=float)
    return np.asarray(np.divide(letters, count, out=np.full(len(count), np.nan), where=count > 0))


def _means(shares: Shares, numbers: np.ndarray) -> np.ndarray:
    used = shares.kept & ~np.isnan(numbers)
    sums = np.bincount(shares.at[used], numbers[used], len(shares.labels))
    counts = np.bincount(shares.at[used], minlength=len(shares.labels))
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))


def _uneven(means: np.ndarray) -> bool:
    held = means[~np.isnan(means)]
    return bool(held.size > 1 and held.min() > 0 and held.max() / held.min() > MOST_TIMES)


def _ends(means: np.ndarray, shares: Shares) -> str:
    high, low = int(np.nanargmax(means)), int(np.nanargmin(means))
    return f"{means[high]:.0f} in {shares.where(high)} and {means[low]:.0f} in {shares.where(low)}"


def template(parts: Sequence[Part]) -> Iterator[Guard]:
    """Both checkpoints were asked in the same words: a change of template is a change of the question."""
    told = {part.role: part.outcomes.template for part in parts if part.task.asks}
    if len(told) < 2:
        return
    if told["model"] == told["baseline"]:
        yield Guard("template", "pass", "both checkpoints have the same chat template, or none")
    else:
        how = {role: "in its chat template" if mark else "in plain text" for role, mark in told.items()}
        same = " (not the model's)" if all(told.values()) else ""
        yield Guard(
            "template", "caveat",
            f"the model is asked {how['model']} and the baseline {how['baseline']}{same}, so a part of the change "
            "may be the template's; format='plain' asks both alike",
        )  # fmt: skip


def noise(parts: Sequence[Part], distance: float | None) -> Iterator[Guard]:
    """What asking again would change is less than what lies between the value and the bound."""
    known = [part.outcomes.unsettled for part in parts if part.outcomes.unsettled is not None]
    if not known or distance is None:
        return
    moved = max(known)
    detail = f"{moved:.1%} of choices fell on another option when asked again"
    fires = moved > 0 and moved >= distance
    detail += f", and the value lies {distance:.1%} from the bound: dtype=float32 settles them" if fires else ""
    yield Guard("noise", "fail" if fires else "pass", detail)
