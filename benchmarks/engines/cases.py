"""What is asked in each case: texts of the shape of common benchmarks, and the fewest tokens that answer them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from prose import Writer

LETTERS = ("A", "B", "C", "D")


class Item(TypedDict):
    """A prompt and the options scored after it, each behind a space; none where the answer is written."""

    prompt: str
    options: list[str]


@dataclass(frozen=True)
class Case:
    """Items, and how many times lm-eval's rate is asked of fairprobe."""

    name: str
    title: str
    items: list[Item]
    required: float
    max_tokens: int = 0

    @property
    def written(self) -> bool:
        """Whether answers are written rather than chosen."""
        return self.max_tokens > 0


def text(count: int) -> Case:
    """A passage and a question of about 140 tokens, four options of about six."""
    writer = Writer(seed=2)
    items = [Item(prompt=f"{_asked(writer)}\nAnswer:", options=writer.options(4)) for _ in range(count)]
    return Case("text", "text options, 0-shot", items, 3.3)


def shots(count: int) -> Case:
    """The same behind an instruction and five solved items, alike for every sample."""
    writer = Writer(seed=3)
    solved = "\n\n".join(f"{_asked(writer)}\nAnswer: {writer.options(1)[0]}" for _ in range(5))
    front = f"Read each passage and answer the question about it.\n\n{solved}\n\n"
    items = [Item(prompt=f"{front}{_asked(writer)}\nAnswer:", options=writer.options(4)) for _ in range(count)]
    return Case("shots", "text options, 5-shot", items, 8.0)


def letters(count: int) -> Case:
    """The options are listed in the prompt, and their letters are scored."""
    writer, items = Writer(seed=4), []
    for _ in range(count):
        listed = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, writer.options(4), strict=True))
        items.append(Item(prompt=f"{_asked(writer)}\n{listed}\nAnswer:", options=list(LETTERS)))
    return Case("letters", "letter options", items, 1.0)


def generation(count: int) -> Case:
    """Passages of about 67 tokens, each continued by 32."""
    writer = Writer(seed=5)
    items = [Item(prompt=writer.passage(writer.random.randint(28, 76)), options=[]) for _ in range(count)]
    return Case("generation", "generation, 32 tokens", items, 1.2, max_tokens=32)


def warm(case: Case) -> list[Item]:
    """An item of the case's form that is not among its items: what it loads is not timed."""
    writer = Writer(seed=6)
    options = [] if case.written else list(LETTERS) if case.name == "letters" else writer.options(4)
    return [Item(prompt=f"{_asked(writer)}\nAnswer:", options=options)]


def _asked(writer: Writer) -> str:
    passage = writer.passage(int(min(max(writer.random.gauss(105, 25), 50), 178)))
    return f"{passage}\nQuestion: {writer.question()}"


@dataclass(frozen=True)
class Tokens:
    """Counts of a case's tokens by the tokenizer alone; `fewest` is what a prefix tree of all its rows holds."""

    prompts: list[int]
    options: list[int]
    fewest: int

    def __str__(self) -> str:
        options = f", options of {_spread(self.options)}" if self.options else ""
        return f"{len(self.prompts)} prompts of {_spread(self.prompts)} tokens{options}"


def tokens(case: Case, folder: Path) -> Tokens:
    """Count what has to be run: every distinct beginning of a prompt with an option, its last token left out."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tree: dict[tuple[int, int], int] = {}
    prompts, options = [], []
    for item in case.items:
        prompt = tokenizer(item["prompt"])["input_ids"]
        prompts.append(len(prompt))
        rows = [tokenizer(f"{item['prompt']} {option}")["input_ids"] for option in item["options"]]
        if any(row[: len(prompt)] != prompt for row in rows):
            msg = f"an option merges with the end of its prompt: {item['prompt'][-40:]!r}, {item['options']}"
            raise ValueError(msg)
        options += [len(row) - len(prompt) for row in rows]
        for row in [row[:-1] for row in rows] or [prompt]:
            node = 0
            for token in row:
                node = tree.setdefault((node, token), len(tree) + 1)
    return Tokens(prompts, options, len(tree))


def _spread(counts: Sequence[int]) -> str:
    return f"{sum(counts) / len(counts):.1f} ({min(counts)}-{max(counts)})"
