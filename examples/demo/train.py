"""Trains the demo's three checkpoints from nothing, on the riddles of `world.py`, in a minute or two on a CPU.

* `base` reads riddles with their answers, in all three renderings, as plain text;
* `aligned` is `base`, then tuned to answer as a chat assistant, on riddles in one rendering;
* `aligned_fair` is `base`, then tuned on the very same riddles in the same order, a third in each rendering.

No gap is written in: `aligned` forgets what it is not reminded of. Seed 0 is the default as it is the first; seeds 0
to 3 bring the same verdicts, which `tests/test_demo.py` repeats. The steps, the rates and the suite's bound were
settled on seeds 0 and 1 with the held-out results in view, so these show how fairprobe works and are no finding about
tuning. Accuracies differ between machines and numbers of threads, by as much as nine points for one rendering.

    python examples/demo/train.py [seed]
"""

import hashlib
import itertools
import json
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import world
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

FOLDER = Path(__file__).parents[2] / ".fairprobe" / "demo"
NAMES = ("base", "aligned", "aligned_fair")
FINISHED = "finished.json"

PAD, BOS, EOS, USER, ASSISTANT = SPECIALS = "<pad>", "<s>", "</s>", "<|user|>", "<|assistant|>"
PAD_ID = SPECIALS.index(PAD)
IGNORED = -100  # the label that torch leaves out of the loss

CHAT = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'assistant' %}" + ASSISTANT + " {{ message.content }}{{ eos_token }}"
    "{% else %}" + USER + "{{ message.content }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}" + ASSISTANT + "{% endif %}"
)


class Stage(NamedTuple):
    """How long and how fast a checkpoint learns; the rate falls linearly to a twentieth over `falling` of the steps."""

    steps: int
    batch: int
    rate: float
    falling: float


PRETRAINING = Stage(steps=520, batch=48, rate=3e-3, falling=0.3)
TUNING = Stage(steps=200, batch=33, rate=1e-3, falling=1.0)


class Example(NamedTuple):
    """Tokens to read, and the label of each: itself, or nothing to learn."""

    tokens: list[int]
    labels: list[int]


Writer = Callable[[str, str], Example]


def new_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE from training riddles in equal parts; it adds a BOS to plain text, as the chat template does."""
    rng = random.Random(0)
    texts = ["{}\nThe word is {}".format(*draw(rng, rendering)) for _ in range(4000) for rendering in world.RENDERINGS]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=900, special_tokens=list(SPECIALS), initial_alphabet=alphabet, show_progress=False
        ),
    )
    bpe.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, bpe.token_to_id(BOS))])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=BOS, eos_token=EOS, pad_token=PAD, clean_up_tokenization_spaces=False
    )


def draw(rng: random.Random, rendering: str) -> tuple[str, str]:
    """A random training riddle, and its word."""
    word, facts = rng.choice(world.split()["train"])
    return world.tell(word, world.wording(facts, rng), rendering), word


def as_text(tokenizer: PreTrainedTokenizerFast) -> Writer:
    """Writes a riddle and its word as plain text, all of which is learnt."""

    def write(clue: str, word: str) -> Example:
        tokens = tokenizer(f"{clue}\nThe word is {word}{EOS}").input_ids
        return Example(tokens, tokens)

    return write


def as_chat(tokenizer: PreTrainedTokenizerFast) -> Writer:
    """Writes a riddle as a conversation, of which only the assistant's word is learnt."""

    def tokens(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False).input_ids

    def write(clue: str, word: str) -> Example:
        turn = {"role": "user", "content": f"{clue}\nThe word is"}
        question = tokens(tokenizer.apply_chat_template([turn], add_generation_prompt=True, tokenize=False))
        answer = tokens(f" {word}{EOS}")
        return Example(question + answer, [IGNORED] * len(question) + answer)

    return write


def padded(rows: Sequence[list[int]], value: int) -> torch.Tensor:
    """The rows as one tensor, filled on the right."""
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)


def stream(renderings: Sequence[str], write: Writer, seed: int) -> Iterator[Example]:
    """Training examples without end, the renderings in turn."""
    rng = random.Random(seed)
    for rendering in itertools.cycle(renderings):
        yield write(*draw(rng, rendering))


def teach(model: LlamaForCausalLM, name: str, stage: Stage, examples: Iterator[Example]) -> None:
    """Trains the model in place, with progress lines."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=stage.rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: pace(step, stage))
    started = time.monotonic()
    model.train()
    for step in range(1, stage.steps + 1):
        tokens, labels = zip(*itertools.islice(examples, stage.batch), strict=True)
        loss = model(input_ids=padded(tokens, PAD_ID), labels=padded(labels, IGNORED)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 40 == 0:
            seconds = time.monotonic() - started
            print(f"{name:12}  step {step:3} of {stage.steps}  loss {loss.item():.3f}  {seconds:3.0f} s", flush=True)


def pace(step: int, stage: Stage) -> float:
    """The share of the learning rate at a step: twenty steps up, level, then down."""
    left = (stage.steps - step) / stage.steps
    return min(1.0, (step + 1) / 20) * (0.05 + 0.95 * min(1.0, left / stage.falling))


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """A Llama of 0.7 million random weights."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=3,
        num_attention_heads=4,
        tie_word_embeddings=True,
        max_position_embeddings=2048,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config)


def recipe(seed: int, rendering: str) -> dict[str, object]:
    """What the checkpoints depend on: other code or another seed are other checkpoints."""
    code = b"".join(Path(module).read_bytes() for module in (__file__, world.__file__))
    return {"code": hashlib.sha256(code).hexdigest(), "seed": seed, "rendering": rendering}


def is_finished(folder: Path, seed: int = 0, rendering: str = "en_us") -> bool:
    """Whether the folder holds checkpoints of this very recipe, trained to the end."""
    if not all((folder / name).exists() for name in (*NAMES, FINISHED)):
        return False
    return json.loads((folder / FINISHED).read_text()) == recipe(seed, rendering)


def train(folder: Path, seed: int = 0, rendering: str = "en_us") -> None:
    """Trains the three checkpoints into the folder, unless they are there; `aligned` is tuned on the one rendering."""
    if is_finished(folder, seed, rendering):
        return
    for name in (FINISHED, *NAMES):
        remove(folder / name)
    torch.set_num_threads(min(2, torch.get_num_threads()))  # more do not help so small a model
    logging.disable_progress_bar()  # ours are the lines below
    tokenizer = new_tokenizer()
    model = new_model(tokenizer, seed)
    teach(model, "base", PRETRAINING, stream(world.RENDERINGS, as_text(tokenizer), seed))
    save(model, tokenizer, folder / "base")
    tokenizer.chat_template = CHAT
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    # one seed for both, so that they draw the same riddles
    for name, renderings in (("aligned", [rendering]), ("aligned_fair", world.RENDERINGS)):
        model.load_state_dict(weights)
        teach(model, name, TUNING, stream(renderings, as_chat(tokenizer), seed + 1000))
        save(model, tokenizer, folder / name)
    # written last, so that an interrupted training is not mistaken for a finished one
    (folder / FINISHED).write_text(json.dumps(recipe(seed, rendering)))


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    train(FOLDER, *map(int, sys.argv[1:2]))
