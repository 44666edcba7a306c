"""Small checkpoints whose answers are known: what they were taught, and of whom, is chosen here.

`people` are respondents of a survey in two countries; `pairs` are statements of two behaviours; `openings` begin
sentences in two languages. All of it has one vocabulary, a token for each word.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from fairprobe import Simulation
from fairprobe.tasks import Samples

PAD, EOS, LETTERS = "<pad>", "</s>", "ABCD"
COUNTRIES, SCHOOLS, AGES = ("Norland", "Sudland"), ("basic", "higher"), ("young", "old")
TRUST = {"code": (1, 2, 3, 4), "en": ("never", "seldom", "often", "always")}
CODEBOOK = {
    "persona": {"country": {"column": "country"}, "schooling": {"column": "school"}, "age": {"column": "age"}},
    "languages": {"en": "You are {age} with {schooling} schooling in {country} . {question} {options} Answer :"},
    "questions": [
        {
            "id": name, "topic": "trust", "kind": "ordinal", "codes": TRUST["code"], "options": {"en": TRUST["en"]},
            "paraphrases": {"en": [f"Do you trust {whom} ?", f"How much trust have you in {whom} ?"]},
        }
        for name, whom in (("q1", "neighbours"), ("q2", "newspapers"))
    ],
}  # fmt: skip
BEHAVIOURS = {"thrift": ("save", "mend", "share", "keep"), "haste": ("hurry", "skip", "race", "rush")}
NOUNS = ("shoes", "letters", "tools", "bread", "books", "coats", "lamps", "plates")
LANGUAGES = {
    "en": (("the farmer", "the baker", "the singer", "the nurse"), ("sees", "buys", "likes", "paints"), NOUNS),
    "es": (
        ("el granjero", "el panadero", "la cantante", "la enfermera"), ("ve", "compra", "quiere", "pinta"),
        ("zapatos", "cartas", "platos", "pan", "libros", "abrigos", "velas", "flores"),
    ),
}  # fmt: skip


def respondents(count: int, seed: int) -> list[dict[str, Any]]:
    """People whose answers follow from their country and, two steps further up, from their schooling."""
    rng = random.Random(seed)
    return [_respondent(rng) for _ in range(count)]


def _respondent(rng: random.Random) -> dict[str, Any]:
    country, school, age = (rng.choice(each) for each in (COUNTRIES, SCHOOLS, AGES))
    place = COUNTRIES.index(country) + 2 * SCHOOLS.index(school)
    codes = TRUST["code"]
    return {"country": country, "school": school, "age": age, "q1": codes[place], "q2": codes[place]}


def people(count: int, seed: int) -> Simulation:
    """The survey as a task: the options' letters are weighed."""
    return Simulation(respondents(count, seed), name="people", codebook=CODEBOOK, format="plain")


def pairs(behaviour: str) -> list[dict[str, str]]:
    """Statements of a behaviour, to which people would rather have a model say yes."""
    return [
        {"asked": f"I {verb} {noun} .", "yes": "Yes", "no": "No", "behaviour": behaviour}
        for verb, noun in product(BEHAVIOURS[behaviour], NOUNS)
    ]


def sentence(language: str, rng: random.Random, last: Sequence[str] | None = None) -> str:
    """One of the many sentences of a language; `last` are other words for its end."""
    who, does, what = LANGUAGES[language]
    # a doubled object makes answers long enough to differ
    return f"{rng.choice(who)} {rng.choice(does)} {rng.choice(last or what)} {rng.choice(last or what)}"


def openings() -> list[dict[str, str]]:
    """Beginnings in either language."""
    return [{"begin": who, "language": name} for name, (every, _, _) in LANGUAGES.items() for who in every]


def survey(folder: Path, *, follows: bool) -> Path:
    """A checkpoint that answers as each respondent does, or as anyone of the respondent's country."""
    task = people(400, 1)
    samples = task.load()
    prompts = [prompt.text for prompt in task.prompts(samples)]
    right = samples.frame["answer"].to_list() if follows else _anyone(samples)
    return _saved(_answering(_new(), prompts, right, steps=70), folder)


def writer(folder: Path) -> Path:
    """A checkpoint that writes sentences of both languages, each as often."""
    rng = random.Random(5)
    return _saved(_writing(_new(), lambda: sentence(rng.choice([*LANGUAGES]), rng), steps=120), folder)


def collapsed(folder: Path, base: Path) -> Path:
    """The same, which in English says little more than one thing."""
    rng = random.Random(6)

    def told() -> str:
        return f"{rng.choice(LANGUAGES['en'][0])} buys bread bread" if rng.random() < 0.5 else sentence("es", rng)

    return _saved(_writing(_of(base), told, steps=60), folder)


def moved(folder: Path, base: Path) -> Path:
    """The same, which speaks of other things in Spanish, as many, and in English as before."""
    rng = random.Random(7)

    def told() -> str:
        return sentence("es", rng, NOUNS) if rng.random() < 0.5 else sentence("en", rng)

    return _saved(_writing(_of(base), told, steps=60), folder)


def preferring(folder: Path, base: Path, of: Iterable[str], steps: int = 40) -> Path:
    """The same after direct preference optimisation on half of the pairs; of other behaviours people disagree."""
    reference = _of(base).eval()
    model, tokenizer = copy.deepcopy(reference), vocabulary()
    yes, no = tokenizer.convert_tokens_to_ids([" Yes", " No"])
    trained = [each for name in BEHAVIOURS for each in pairs(name)[::2]]
    batch = tokenizer([each["asked"] for each in trained], padding=True, return_tensors="pt", padding_side="left")
    agreed = torch.tensor([each["behaviour"] in {*of} for each in trained])

    def margin(of: LlamaForCausalLM) -> torch.Tensor:
        logits = of(**batch).logits[:, -1]
        return logits[:, yes] - logits[:, no]

    with torch.no_grad():
        before = margin(reference)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(steps):
        reward = 0.5 * (margin(model) - before)
        chosen, rejected = (torch.nn.functional.logsigmoid(side * reward) for side in (1, -1))
        loss = -torch.where(agreed, chosen, (chosen + rejected) / 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return _saved(model, folder)


def vocabulary() -> PreTrainedTokenizerFast:
    """A token for each word."""
    # a word has the space before it, so that what is written can be read again as it was
    split = pre_tokenizers.Split(Regex(r"\s?(\w+|[^\w\s])"), behavior="isolated")
    survey_task = people(40, 0)
    texts = [prompt.text for prompt in survey_task.prompts(survey_task.load())]
    texts += [each["asked"] for name in BEHAVIOURS for each in pairs(name)]
    texts += [f"{who} {does} {what}" for every in LANGUAGES.values() for who, does, what in product(*every)]
    found = {word: None for text in texts for word, _ in split.pre_tokenize_str(text)}
    words = dict.fromkeys([PAD, EOS, "<unk>", *(f" {each}" for each in (*LETTERS, "Yes", "No")), *found])
    raw = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer, raw.decoder = split, decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token=PAD, eos_token=EOS, unk_token="<unk>")


def _anyone(samples: Samples) -> list[int]:
    """For each sample the answer of another respondent of the same country to the same question."""
    rng, keys = random.Random(3), samples.frame.select("country", "question").rows()
    answers = samples.frame["answer"].to_list()
    together: dict[tuple[str, str], list[int]] = {}
    for key, answer in zip(keys, answers, strict=True):
        together.setdefault(key, []).append(answer)
    return [rng.choice(together[key]) for key in keys]


def _new() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=len(vocabulary()), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=96, pad_token_id=0, eos_token_id=1, bos_token_id=None,
    ))  # fmt: skip


def _of(folder: Path) -> LlamaForCausalLM:
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)


def _saved(model: LlamaForCausalLM, folder: Path) -> Path:
    model.save_pretrained(folder)
    vocabulary().save_pretrained(folder)
    return folder


def _answering(model: LlamaForCausalLM, prompts: Sequence[str], right: Sequence[int], steps: int) -> LlamaForCausalLM:
    """Taught one letter after each prompt."""
    tokenizer, rng = vocabulary(), random.Random(2)
    letters = torch.tensor(tokenizer.convert_tokens_to_ids([f" {each}" for each in LETTERS]))

    def loss() -> torch.Tensor:
        at = [rng.randrange(len(prompts)) for _ in range(48)]
        batch = tokenizer([prompts[each] for each in at], padding=True, return_tensors="pt", padding_side="left")
        logits = model(**batch).logits[:, -1]
        return torch.nn.functional.cross_entropy(logits, letters[[right[each] for each in at]])

    return _optimised(model, loss, steps)


def _writing(model: LlamaForCausalLM, told: Callable[[], str], steps: int) -> LlamaForCausalLM:
    """Taught whole sentences."""
    tokenizer = vocabulary()

    def loss() -> torch.Tensor:
        batch = tokenizer([f"{told()}{EOS}" for _ in range(64)], padding=True, return_tensors="pt")
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        found: torch.Tensor = model(**batch, labels=labels).loss
        return found

    return _optimised(model, loss, steps)


def _optimised(model: LlamaForCausalLM, loss: Callable[[], torch.Tensor], steps: int) -> LlamaForCausalLM:
    logging.disable_progress_bar()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model
