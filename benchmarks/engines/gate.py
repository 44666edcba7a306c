"""What a gate costs in prompt tokens, with prefix sharing, deduplication and early stopping together, beside lm-eval.

Four expectations over one 5-shot task: 1,000 passages, each told to three groups, with four options as texts. lm-eval
runs every option behind its whole prompt, so that its tokens follow from the texts; on some samples it is asked, and
its own count compared. fairprobe's are those that its engine says it computed. Exit status 1 where early stopping takes
more than a tenth of one pass of lm-eval's, or where a verdict is another than the full run's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from prose import Writer

from checkpoints import M5, checkpoint
from fairprobe import MultipleChoice, accuracy, valid_rate
from fairprobe.expressions import Expectation
from fairprobe.requests import Choose
from fairprobe.session import Session
from fairprobe.settings import Counts, Settings

PAIRS, GROUPS, SHOTS = 1000, ("plain", "terse", "wordy"), 5
MOST = 0.10
CHECKED = 6
"""Samples that lm-eval itself is asked."""


def task(count: int) -> MultipleChoice:
    """To random weights a short option is likelier than long ones, and of most `wordy` samples the right is long."""
    writer = Writer(seed=8)
    rows = []
    for number in range(count):
        passage = writer.passage(int(min(max(writer.random.gauss(105, 25), 50), 178)))
        question = writer.question()
        for group in GROUPS:
            options = sorted(writer.options(4), key=lambda option: len(option.split()))
            right = options[-1] if group == "wordy" and writer.random.random() < 0.6 else options[0]
            writer.random.shuffle(options)
            asked = f"In the {group} words of {number}: {question}"
            rows.append({
                "id": number, "group": group, "passage": passage, "asked": asked, "options": options,
                "answer": options.index(right),
            })  # fmt: skip
    return MultipleChoice(
        rows, "{passage}\nQuestion: {asked}\nAnswer:", options="options", answer="answer", scoring="text", pair="id",
        shots=SHOTS, format="plain", name="told",
    )  # fmt: skip


def expectations(told: MultipleChoice) -> list[Expectation]:
    """Four that a gate may state of it."""
    return [
        accuracy(told).gap("group") < 0.1,
        accuracy(told).gap("group", reference="plain") < 0.1,
        accuracy(told).by("group") > 0.1,
        valid_rate(told).by("group") > 0.9,
    ]


def judged(
    folder: Path, store: Path, told: MultipleChoice, stop: Literal["full", "sequential"]
) -> tuple[list[str], Counts]:
    """The verdicts, and what asking cost."""
    session = Session(Settings(
        model=str(folder), engine="transformers", engine_arguments={"dtype": "float32", "device": "cpu"},
        store=store / stop, stop=stop,
    ))  # fmt: skip
    claims = expectations(told)
    for each in claims:
        session.check(each)
    counts = session.ask(session.plan(claims))
    verdicts = [session.judge(each).outcome for each in claims]
    session.close()
    return verdicts, counts


def rows_of(folder: Path, asked: Sequence[Choose]) -> int:
    """The tokens of every option behind its prompt, the last one left out: what lm-eval gives its model.

    Options of one token have the same row, which it runs once.
    """
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    texts = [f"{each.prompt.text} {option}" for each in asked for option in each.options]
    return sum(map(len, {tuple(ids[:-1]) for ids in tokenizer(texts)["input_ids"]}))


def by_lm_eval(peer: Path, folder: Path, asked: Sequence[Choose]) -> int:
    """What lm-eval says that it gave its model."""
    items = [{"prompt": each.prompt.text, "options": list(each.options)} for each in asked]
    order = {
        "folder": str(folder), "device": "cpu", "batches": [4], "warm": items[:1], "items": items, "max_tokens": 0,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        given, came = Path(place) / "order.json", Path(place) / "came.json"
        given.write_text(json.dumps(order), encoding="utf-8")
        script = Path(__file__).with_name("ask_lm_eval.py")
        subprocess.run([peer / "bin" / "python", script, given, came], check=True, stdout=subprocess.DEVNULL)
        return int(json.loads(came.read_text(encoding="utf-8"))[0]["counts"]["prefill_tokens"])


def main() -> int:
    """Count, compare, and say it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lm-eval", type=Path, metavar="VENV")
    options.add_argument("--pairs", type=int, default=PAIRS)
    given = options.parse_args()
    folder, told = checkpoint(M5), task(given.pairs)
    asked = [each for each in chain.from_iterable(told.requests(told.load())) if isinstance(each, Choose)]
    peer = rows_of(folder, asked)
    with tempfile.TemporaryDirectory() as store:
        (whole, full), (early, part) = (judged(folder, Path(store), told, stop) for stop in ("full", "sequential"))
    print(f"{len(asked):,} samples, {SHOTS}-shot, four options as texts, four expectations; prompt tokens:")
    for name, count in (
        ("lm-eval, task by task", 4 * peer), ("lm-eval, one pass", peer), ("fairprobe, full", full.prompt_tokens),
        ("fairprobe, sequential", part.prompt_tokens),
    ):  # fmt: skip
        print(f"  {name:24}{count:>14,}  {count / peer:.4f} of one pass")
    print(f"  asked: {part.asked:,} of {part.distinct:,} requests; verdicts {', '.join(early)}")
    kept = part.prompt_tokens <= MOST * peer and early == whole
    if given.lm_eval:
        some = asked[:: max(1, len(asked) // CHECKED)][:CHECKED]
        own, ours = by_lm_eval(given.lm_eval, folder, some), rows_of(folder, some)
        print(f"  lm-eval's own count on {len(some)} samples: {own:,}; by the texts: {ours:,}")
        kept &= own == ours
    print("kept" if kept else "NOT KEPT")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
