"""Tiny real checkpoints in a folder, made in a fraction of a second: what the engine's tests ask."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from fairprobe.engines import Engine, open_engine, resolve
from fairprobe.requests import Request, Response
from fairprobe.tasks import Outcomes, Task

SENTENCES = (
    "The river ran past the mill and under the old stone bridge.",
    "She asked him where the nearest market was, and he told her.",
    "They had been working in the field since early in the morning.",
    "Question: Which animal says moo?\nAnswer: cow",
    "Question: What do bees make?\nAnswer: honey",
    "We done finished the whole job before the rain came down.",
    "A riddle: what has hands but cannot clap? The word is clock.",
    *[f"Answer: {letter}" for letter in "ABCD"] * 3,  # a letter after a space is one token
)
SPECIAL = ("<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' + message.content | trim + '<|end|>' }}{% endfor %}"
    "{% if shout is defined and shout %}{{ 'LOUD' }}{% endif %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
FAMILIES: dict[str, dict[str, object]] = {
    "llama": {"num_key_value_heads": 2},
    "qwen2": {"num_key_value_heads": 2},
    # a short window, capped logits, tied weights: each has made an engine go wrong
    "gemma2": {"num_key_value_heads": 2, "head_dim": 32, "sliding_window": 8, "final_logit_softcapping": 5.0},
    "mistral": {"num_key_value_heads": 2, "sliding_window": 8},
    # learnt positions, which end where the context does
    "gpt2": {"n_inner": 96},
    "gpt_neox": {},
    # positions from the mask alone; logits scaled after the head; a state beside the key-value cache
    "bloom": {"n_head": 4, "n_layer": 2},
    # a window that a layer keeps to by column; positions that are turned by the longest text in a batch
    "gpt_neo": {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 8},
    "phi3": {
        "num_key_value_heads": 2,
        "original_max_position_embeddings": 64,
        "pad_token_id": 1,
        "rope_scaling": {"type": "longrope", "short_factor": [1.0] * 16, "long_factor": [4.0] * 16},
    },
    "granite": {"num_key_value_heads": 2, "logits_scaling": 3.0},
    "lfm2": {"num_key_value_heads": 2, "layer_types": ["conv", "full_attention"]},
}


def make_tokenizer(*, chat: str | bool = False, bos: bool = True, eos: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of about 400 tokens, without a pad token.

    `chat` is a template, or True for `TEMPLATE`; `bos` and `eos` say what its own encoding puts around a text.
    """
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(SENTENCES, trainer)
    raw.post_processor = processors.TemplateProcessing(
        single=" ".join(["<s>"] * bos + ["$A"] + ["</s>"] * eos), special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")
    if chat:
        tokenizer.chat_template = TEMPLATE if chat is True else chat
    return tokenizer


def make_checkpoint(
    folder: Path,
    *,
    chat: str | bool = False,
    bos: bool = True,
    eos: bool = False,
    seed: int = 0,
    context: int = 256,
    dtype: str = "float32",
    family: str = "llama",
) -> Path:
    """Write a model of some 60,000 seeded random weights and its tokenizer into `folder`, and give `folder` back."""
    tokenizer = make_tokenizer(chat=chat, bos=bos, eos=eos)
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 128,  # heads of 32, the smallest that every engine has a kernel for
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": context,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "initializer_range": 0.3,  # far enough from uniform that a wrong mask or position shows
        **FAMILIES[family],
    }
    config = AutoConfig.for_model(family, **shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    if chat:
        model.generation_config.eos_token_id = [1, SPECIAL.index("<|end|>")]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_classifier(folder: Path, base: Path, *, labels: int, seed: int = 2) -> Path:
    """Write a classifier over the body of the checkpoint in `base`, with seeded random weights for its labels."""
    config = AutoConfig.from_pretrained(base, num_labels=labels)
    config.pad_token_id = 1
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


def make_adapter(folder: Path, base: Path, *, seed: int = 1) -> Path:
    """Write a LoRA adapter with seeded random weights for the checkpoint in `base` into `folder`."""
    from peft import LoraConfig, get_peft_model

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base),
            LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM"),
        )
        model.save_pretrained(folder)
    return folder


def make_hub_cache(folder: Path, checkpoint: Path, name: str, commit: str) -> Path:
    """A cache in the hub's own layout: blobs, a snapshot that links to them, and the name of a branch."""
    repo = folder / f"models--{name.replace('/', '--')}"
    snapshot = repo / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repo / "blobs").mkdir()
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    for file in checkpoint.iterdir():
        shutil.copy(file, repo / "blobs" / file.name)
        (snapshot / file.name).symlink_to(Path("../../blobs") / file.name)
    return folder


def answered(engine: Engine, requests: Sequence[Request]) -> dict[Request, Response]:
    """Everything that an engine answers to requests."""
    return {request: response for chunk in engine.answers(requests) for request, response in chunk.items()}


def asked(folder: Path, task: Task) -> Outcomes:
    """The outcomes of a task put to the checkpoint in a folder."""
    samples = task.load()
    requests = task.requests(samples)
    engine = open_engine("transformers", resolve(str(folder), "model", {}), {}, {})
    found = answered(engine, [request for row in requests for request in row])
    return task.outcomes(samples, [[found[request] for request in row] for row in requests])


def reference(folder: Path, **options: object) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The model and tokenizer as transformers loads them, to compare with."""
    model = AutoModelForCausalLM.from_pretrained(folder, **options).eval()
    return model, AutoTokenizer.from_pretrained(folder)
