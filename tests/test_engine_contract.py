"""Every engine gives what the model gives one request at a time, and says the same of what it cannot give."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import pytest
import torch

from checkpoints import answered, make_checkpoint, reference
from fairprobe.engines import open_engine, resolve
from fairprobe.requests import Choose, Chosen, DoesNotFit, Embed, Embedded, Generate, Generated, Prompt

ENGINES = [
    "transformers",
    pytest.param("vllm", marks=pytest.mark.vllm),
    pytest.param("openai", marks=pytest.mark.vllm),
]
QUESTIONS = ("Which animal says moo?", "What do bees make?", "Where is the market, and who told him so this morning?")
OPTIONS = ("cow", "honey", "the old stone bridge", "the old mill", "b")
TEXTS = [Choose(Prompt(f"Question: {text}\nAnswer:", format="plain"), OPTIONS) for text in QUESTIONS]
CHATS = [Choose(Prompt(text, system="Be brief."), OPTIONS) for text in QUESTIONS]
LETTERS = [Choose(Prompt(f"{text}\nA. cow\nB. honey\nAnswer:", format="plain"), ("A", "B")) for text in QUESTIONS]
WRITTEN = [Generate(Prompt(text, format="plain"), max_tokens=9) for text in QUESTIONS]
ANSWERED = [Generate(Prompt(text), max_tokens=9) for text in QUESTIONS]
STOPPED = [Generate(Prompt(text, format="plain"), max_tokens=30, stop=("e", "he")) for text in QUESTIONS]
DRAWN = [Generate(Prompt("The", format="plain"), max_tokens=12, temperature=1.0, draw=draw) for draw in range(3)]
TOO_LONG = [Generate(Prompt("moo " * 400, format="plain")), Choose(Prompt("moo " * 400, format="plain"), ("a", "b c"))]
EMBEDDED = [Embed(Prompt(text)) for text in QUESTIONS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("contract") / "chat", chat=True)


@pytest.fixture(scope="module", params=ENGINES)
def asked(request, folder):
    """An engine, and what it answered to all kinds of requests at once."""
    if request.param == "openai":
        from servers import vllm_server

        with vllm_server(folder) as url:
            arguments = {"tokenizer": str(folder)}
            yield _asked(open_engine("auto", resolve(f"openai:tiny@{url}", "model"), arguments, {}))
    else:
        yield _asked(open_engine(request.param, resolve(str(folder), "model"), {}, {}))


def _asked(engine):
    requests = [*TEXTS, *CHATS, *LETTERS, *WRITTEN, *ANSWERED, *STOPPED, *DRAWN, *TOO_LONG]
    if engine.refuses(Embed) is None and engine.describe()["name"] != "openai":
        requests += EMBEDDED
    answers = [pair for chunk in engine.answers(requests + requests) for pair in chunk.items()]
    return SimpleNamespace(engine=engine, requests=requests, pairs=answers, answers=dict(answers))


def dressed(tokenizer, request):
    """The prompt's ids as a user of transformers would make them."""
    prompt = request.prompt
    if prompt.format == "plain":
        return tokenizer(prompt.content)["input_ids"]
    messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
    messages.append({"role": "user", "content": prompt.content})
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return tokenizer(text)["input_ids"]


def loglikelihoods(model, tokenizer, request):
    """Each option by itself: one forward pass over prompt and option, the tokens' log-softmax summed."""
    prompt = dressed(tokenizer, request)
    sums = []
    for option in request.options:
        text = f" {option}" if request.prompt.format == "plain" else option
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            scores = model(torch.tensor([prompt + ids])).logits[0].float().log_softmax(-1)
        sums.append(sum(float(scores[len(prompt) - 1 + step, token]) for step, token in enumerate(ids)))
    return sums


def test_each_distinct_request_is_answered_once(asked):
    assert sorted(map(repr, asked.answers)) == sorted(repr(request) for request, _ in asked.pairs)
    assert set(asked.answers) == set(asked.requests)


def test_options_have_the_models_log_likelihoods(asked, folder):
    model, tokenizer = reference(folder)
    for request in TEXTS + CHATS + LETTERS:
        found = asked.answers[request]
        assert isinstance(found, Chosen)
        assert found.loglikelihoods == pytest.approx(loglikelihoods(model, tokenizer, request), abs=1e-4)
        assert found.prompt_tokens == len(dressed(tokenizer, request))


def test_letters_have_a_mass_and_texts_have_none(asked):
    for request in LETTERS:
        found = asked.answers[request]
        assert found.mass == pytest.approx(math.fsum(map(math.exp, found.loglikelihoods)))
    assert {asked.answers[request].mass for request in TEXTS} == {None}


def test_texts_are_the_models_own_greedy_ones(asked, folder):
    model, tokenizer = reference(folder)
    for request in WRITTEN + ANSWERED:
        prompt = torch.tensor([dressed(tokenizer, request)])
        made = model.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=9, do_sample=False, pad_token_id=0
        )
        ids = made[0, prompt.shape[1] :].tolist()
        assert asked.answers[request] == Generated(
            tokenizer.decode(ids, skip_special_tokens=True), ids[-1] in {1, 5}, request in ANSWERED, prompt.shape[1],
            len(ids),
        )  # fmt: skip


def test_a_stop_text_ends_an_answer_and_is_not_in_it(asked):
    for request in STOPPED:
        found = asked.answers[request]
        assert found.ended
        assert "e" not in found.text


def test_draws_differ_and_are_the_same_when_asked_again(asked):
    assert len({asked.answers[request].text for request in DRAWN}) == len(DRAWN)
    again = answered(asked.engine, DRAWN[::-1])
    assert [again[request].text for request in DRAWN] == [asked.answers[request].text for request in DRAWN]


def test_company_and_order_change_no_number(asked):
    for request, found in answered(asked.engine, [LETTERS[2], TEXTS[1], WRITTEN[0]]).items():
        if isinstance(found, Chosen):
            assert found.loglikelihoods == pytest.approx(asked.answers[request].loglikelihoods, abs=1e-4)
        else:
            assert found == asked.answers[request]


def test_what_does_not_fit_is_said_and_not_asked(asked):
    for request in TOO_LONG:
        found = asked.answers[request]
        assert isinstance(found, DoesNotFit)
        assert found.tokens > found.limit == 256
        assert asked.engine.encode_all([request]) == [found]


def test_vectors_have_length_one_and_are_the_last_tokens(asked, folder):
    from transformers import AutoModel

    model, (_, tokenizer) = AutoModel.from_pretrained(folder).eval(), reference(folder)
    for request in EMBEDDED:
        if request not in asked.answers:
            pytest.skip("this server was started to write, and gives no vectors")
        with torch.inference_mode():
            ids = torch.tensor([tokenizer(request.prompt.content)["input_ids"]])
            vector = torch.nn.functional.normalize(model(ids).last_hidden_state[0, -1], dim=-1).tolist()
        found = asked.answers[request]
        assert isinstance(found, Embedded)
        assert found.vector == pytest.approx(vector, abs=1e-4)


def test_an_engine_says_what_it_takes_and_what_it_cannot_do(asked):
    engine = asked.engine
    assert (engine.takes, engine.loglikelihoods) == ("tokens", True)
    assert engine.refuses(Choose) is engine.refuses(Generate) is None


def test_an_engine_describes_itself_in_plain_json(asked):
    described = json.loads(json.dumps(asked.engine.describe()))
    assert {"name", "version", "arguments"} <= described.keys()
    assert "\n" not in asked.engine.numerics


def test_what_was_computed_is_counted(asked):
    counts = asked.engine.counts
    assert counts["prefill_tokens"] > 0
    assert counts["output_tokens"] >= sum(
        found.output_tokens for found in asked.answers.values() if isinstance(found, Generated)
    )


def test_a_closed_engine_answers_again(asked):
    asked.engine.close()
    asked.engine.close()
    again = answered(asked.engine, LETTERS[:1])
    assert again[LETTERS[0]].loglikelihoods == pytest.approx(asked.answers[LETTERS[0]].loglikelihoods, abs=1e-4)
    asked.engine.close()
