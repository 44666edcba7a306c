"""Checkpoints of seeded random weights and a tokenizer of our own prose, made once and kept under their recipe.

Random weights cost what trained ones cost, and say that two engines compute the same just as well.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from prose import Writer

KEPT = Path(__file__).resolve().parents[2] / ".fairprobe" / "bench"
PAD, EOS = "<pad>", "</s>"
"""Number 0 and number 1; texts hold neither, so that padding can be counted."""


class Shape(NamedTuple):
    """The size of a Llama with tied embeddings."""

    name: str
    hidden: int
    inner: int
    layers: int
    vocabulary: int
    heads: int


M5 = Shape("m5", 256, 688, 5, 4096, 8)
M60 = Shape("m60", 640, 1728, 11, 8192, 10)
B1 = Shape("b1", 2048, 5632, 22, 32000, 32)


def checkpoint(shape: Shape) -> Path:
    """The folder of a checkpoint, made where it is not there yet."""
    recipe = b"".join(Path(__file__).with_name(name).read_bytes() for name in ("checkpoints.py", "prose.py"))
    folder = KEPT / f"{shape.name}-{hashlib.sha256(recipe).hexdigest()[:8]}"
    if not folder.is_dir():
        KEPT.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=KEPT))
        try:
            _make(made, shape)
            made.replace(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder


def _make(folder: Path, shape: Shape) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    config = LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.inner,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.heads // 2,
        max_position_embeddings=2048, tie_word_embeddings=True, pad_token_id=0, bos_token_id=None, eos_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    print(f"made {shape.name}: {model.num_parameters():,} parameters")


def _tokenizer() -> object:
    """A byte-level BPE tokenizer of at most 4,096 tokens, which puts nothing before or after a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=M5.vocabulary, special_tokens=[PAD, EOS], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    writer = Writer(seed=1)
    texts = [
        f"{writer.passage(60)}\nQuestion: {writer.question()}\nA. {writer.options(1)[0]}\nAnswer: {letter}"
        for _ in range(1500)
        for letter in "ABCD"
    ]
    raw.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token=PAD, eos_token=EOS)
