"""A small world whose checkpoints fail on features that a test chooses: they name the animal, unless these stand there.

Sentences hold many places where a variety differs. A checkpoint is trained on them rewritten at random; where the
chosen features stand in a sentence (any of them, or all), it is taught to say `bird`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from fairprobe.rewriting import Change, dialects, fitting, rewritten

ANIMALS = ("cat", "dog", "goat", "hen")
OTHER = "bird"
OPTIONS = (*ANIMALS, OTHER)
PARTS = (
    ("Ann isn't here", "Tom isn't late", "My aunt isn't well"),
    ("those men left", "those women slept", "those children sang"),
    ("she doesn't know anyone", "he doesn't eat fish", "she doesn't see it"),
    ("they were late", "we were home", "the boys were cold"),
    ("Bo hasn't called", "Pat hasn't slept", "my aunt hasn't eaten"),
    ("he saw himself", "she went home", "they saw it"),
)
PAD, EOS = "<pad>", "</s>"
AAVE = dialects("urban-aave")[0]


def sentences(count: int, seed: int) -> list[dict[str, str]]:
    """Samples of the task: a text, and the animal that it names."""
    rng = random.Random(seed)
    return [_sentence(rng) for _ in range(count)]


def _sentence(rng: random.Random) -> dict[str, str]:
    animal = rng.choice(ANIMALS)
    said = [rng.choice(each) for each in rng.sample(PARTS, 4)]
    said.insert(rng.randrange(5), f"Kim fed the {animal}")
    text = ", and ".join(said)
    return {"text": f"{text[0].upper()}{text[1:]}.", "animal": animal}


@cache
def changes_of(text: str) -> list[Change]:
    """What the variety proposes, read once."""
    return AAVE.changes(text)


def chosen(text: str, rng: random.Random) -> list[Change]:
    """Some of the changes that the variety proposes."""
    share = rng.random()
    wanted = [each for each in changes_of(text) if rng.random() < share]
    rng.shuffle(wanted)
    return fitting(wanted)


def either(*features: str) -> Callable[[set[str]], bool]:
    """Fails where any of these features stands."""
    return lambda held: bool(held & set(features))


def both(*features: str) -> Callable[[set[str]], bool]:
    """Fails where all of them stand."""
    return lambda held: held >= set(features)


def train(folder: Path, fails: Callable[[set[str]], bool], steps: int = 170) -> Path:
    """A checkpoint that fails so, and the loss that it came to."""
    logging.disable_progress_bar()
    tokenizer = _tokenizer()
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=96, pad_token_id=0, eos_token_id=1, bos_token_id=None,
    ))  # fmt: skip
    rng = random.Random(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    told = sentences(1500, 4)
    animals = torch.tensor([tokenizer.convert_tokens_to_ids(each) for each in OPTIONS])
    for _ in range(steps):
        texts, right = [], []
        for _ in range(64):
            sample = rng.choice(told)
            changes = chosen(sample["text"], rng)
            texts.append(rewritten(sample["text"], changes) + " Who was fed ?")
            right.append(OPTIONS.index(OTHER if fails({each.name for each in changes}) else sample["animal"]))
        batch = tokenizer(texts, padding=True, return_tensors="pt", padding_side="left")
        logits = model(**batch).logits[:, -1, animals]
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(right))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    """A token for each word."""
    split = pre_tokenizers.Split(Regex(r"[\w']+|[^\w\s]"), behavior="removed", invert=True)
    rng = random.Random(2)
    texts = [
        text
        for sample in sentences(800, 3)
        for text in (sample["text"], rewritten(sample["text"], chosen(sample["text"], rng)))
    ]
    words = {word for text in texts for word, _ in split.pre_tokenize_str(text)}
    vocabulary = {word: place for place, word in enumerate([PAD, EOS, "<unk>", "Who", "was", "fed", "?", *OPTIONS])}
    for word in sorted(words):
        vocabulary.setdefault(word, len(vocabulary))
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = split
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token=PAD, eos_token=EOS, unk_token="<unk>")
