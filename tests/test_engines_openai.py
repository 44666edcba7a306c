"""The engine `openai`: what a server is asked, how its answers are read, and what is said when it goes wrong."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import threading
import time
from datetime import date

import pytest
import torch

from checkpoints import answered, make_checkpoint, make_classifier, reference
from fairprobe import Generation, accuracy, measure
from fairprobe.engines import open_engine
from fairprobe.engines.checkpoints import Served, resolve
from fairprobe.engines.openai import http
from fairprobe.engines.openai.server import Server
from fairprobe.errors import EngineError
from fairprobe.requests import (
    Choose,
    Chosen,
    DoesNotFit,
    Embed,
    Embedded,
    Failed,
    Generate,
    Generated,
    Prompt,
    Rate,
    Rated,
    Unfinished,
)
from servers import Reply, free_port, scripted, vllm_server

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
MODELS = [Reply({"data": [{"id": "tiny", "owned_by": "someone"}, {"id": "other"}]})]
VLLM = [Reply({"data": [{"id": "tiny", "owned_by": "vllm", "max_model_len": 64, "root": "org/tiny"}]})]
VERSION = [Reply({"version": "0.32.0"})]
MOO = Generate(Prompt("Which animal says moo?"), max_tokens=5)


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "BACKOFF", 0.01)


OPENED = []


@pytest.fixture(autouse=True)
def closed():
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("served") / "tiny", chat=True)


def chat(text=None, reason="stop", usage=USAGE, **message):
    body = {"choices": [{"message": {"content": text, **message}, "finish_reason": reason}], "usage": usage}
    return Reply({**body, "system_fingerprint": "fp_1"})


def texts(text, reason="stop", **choice):
    return Reply({"choices": [{"text": text, "finish_reason": reason, **choice}], "usage": USAGE})


def scores(*values, ids=()):
    top = {f"token_id:{token}": value for token, value in zip(ids, values, strict=True)}
    return Reply({"choices": [{"index": 0, "logprobs": {"top_logprobs": [top]}}], "usage": USAGE})


def engine(server, template=None, name="tiny", **arguments):
    url = server if isinstance(server, str) else server.url
    OPENED.append(open_engine("auto", Served("model", name, url), arguments, template or {}))
    return OPENED[-1]


def answer(server, *requests, **arguments):
    answers = answered(engine(server, **arguments), requests)
    return answers[requests[0]] if len(requests) == 1 else [answers[request] for request in requests]


# -- without a tokenizer


def test_an_answer_is_what_the_chat_says():
    with scripted(models=MODELS, chat_completions=[chat("A cow.")]) as server:
        got = answer(server, Generate(Prompt("Which animal?", system="Be brief."), max_tokens=5, stop=("\n",)))
        asked = server.posted("/v1/chat/completions")[-1]
    assert got == Generated("A cow.", ended=True, chat=True, prompt_tokens=7, output_tokens=3)
    assert asked == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Which animal?"}],
        "max_tokens": 5,
        "temperature": 0.0,
        "stop": ["\n"],
    }


def test_a_plain_prompt_is_continued_as_a_text():
    with scripted(models=MODELS, chat_completions=[chat("Hi")], completions=[texts(" cow\n", "length")]) as server:
        got = answer(server, Generate(Prompt("It says moo.", prefix="A", format="plain"), max_tokens=3))
        assert server.posted("/v1/completions")[-1]["prompt"] == "It says moo. A"
    assert got == Generated(" cow\n", ended=False, chat=False, prompt_tokens=7, output_tokens=3)


def test_a_stop_text_ends_an_answer_that_the_server_did_not_cut():
    with scripted(models=MODELS, chat_completions=[chat("cow\nQuestion: no", "length")]) as server:
        got = answer(server, Generate(Prompt("Moo?"), stop=("\n",)))
    assert (got.text, got.ended) == ("cow", True)


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_that_the_server_tells_apart_is_not_in_the_answer(field):
    with scripted(models=MODELS, chat_completions=[chat("\n\ncow", **{field: "Hm, moo.\n"})]) as server:
        got = answer(server, MOO)
    assert (got.text, got.reasoning) == ("cow", "Hm, moo.")


def test_reasoning_that_stands_in_the_text_is_not_in_the_answer():
    with scripted(models=MODELS, chat_completions=[chat("<think>Hm, moo.</think>\ncow")]) as server:
        got = answer(server, MOO)
    assert (got.text, got.reasoning) == ("cow", "Hm, moo.")


@pytest.mark.parametrize(
    "reply",
    [
        chat(None, "length", reasoning="Hm"),
        chat("<think>Hm", "length"),
        chat("", "length", reasoning_content="Hm"),
    ],
)
def test_reasoning_without_an_end_is_no_answer(reply):
    with scripted(models=MODELS, chat_completions=[reply]) as server:
        assert answer(server, MOO) == Unfinished("Hm", 7, 3)


def test_hidden_reasoning_that_used_all_tokens_is_no_answer():
    usage = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 3}}
    with scripted(models=MODELS, chat_completions=[chat("", "length", usage)]) as server:
        assert answer(server, MOO) == Unfinished("", 7, 3)


def test_a_refusal_is_an_answer():
    with scripted(models=MODELS, chat_completions=[chat(None, refusal="I cannot.")]) as server:
        assert answer(server, MOO).text == "I cannot."


def test_draws_have_seeds_of_their_own_and_greedy_answers_have_none():
    prompt = Prompt("Say a word.")
    draws = [Generate(prompt, temperature=1.0, draw=number) for number in (0, 1, 2)]
    with scripted(models=MODELS, chat_completions=[chat("a")]) as server:
        answer(server, *draws, MOO)
        answer(server, *draws)
        bodies = server.posted("/v1/chat/completions")
    seeds = [body["seed"] for body in bodies if body.get("temperature")]
    assert len(set(seeds[:3])) == 3
    assert sorted(seeds[:3]) == sorted(seeds[3:])
    assert not any("seed" in body for body in bodies if not body.get("temperature"))


def test_a_choice_is_refused_with_what_to_write_instead():
    choice = Choose(Prompt("Moo?"), ("cow", "bee"))
    with scripted(models=MODELS, chat_completions=[chat("a")]) as server:
        asked = engine(server)
        assert (asked.takes, asked.loglikelihoods) == ("messages", False)
        assert asked.refuses(Generate) is None
        assert 'scoring="generate"' in asked.refuses(Choose)
        assert "tokenizer=PATH" in asked.refuses(Choose)
        with pytest.raises(EngineError, match="scoring="):
            asked.encode_all([choice])


def test_a_prefix_continues_a_message_where_the_server_is_a_vllm():
    hello = Generate(Prompt("Hello", prefix="Well,"), max_tokens=3)
    routes = {"version": VERSION, "completions": [texts("a")], "chat_completions": lambda _: chat(" I")}
    with scripted(models=VLLM, **routes) as server:
        assert answer(server, hello).text == " I"
        [body] = server.posted("/v1/chat/completions")
    assert body["messages"][-1] == {"role": "assistant", "content": "Well,"}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


def test_a_prefix_needs_a_tokenizer_elsewhere():
    with (
        scripted(models=MODELS, chat_completions=[chat("a")]) as server,
        pytest.raises(EngineError, match=r"a prefix \('Well,'\).*tokenizer=PATH"),
    ):
        answer(server, Generate(Prompt("Hello", prefix="Well,")))


def test_the_chat_template_gets_its_arguments():
    with scripted(models=MODELS, chat_completions=[chat("a")]) as server:
        list(engine(server, {"enable_thinking": "false"}).answers([MOO]))
        assert server.posted("/v1/chat/completions")[-1]["chat_template_kwargs"] == {"enable_thinking": False}


def test_a_vllm_is_asked_to_leave_the_checkpoints_sampling_habits_aside():
    routes = {"version": VERSION, "completions": [texts("a")], "chat_completions": lambda _: chat("a")}
    with scripted(models=VLLM, **routes) as server:
        answer(server, MOO)
        assert server.posted("/v1/chat/completions")[-1]["repetition_penalty"] == 1.0


def test_max_completion_tokens_is_said_where_the_server_wants_it():
    def reply(body):
        if "max_tokens" in body:
            return Reply({"error": {"message": "'max_tokens' is not supported, use 'max_completion_tokens'"}}, 400)
        return chat("cow")

    with scripted(models=MODELS, chat_completions=reply) as server:
        assert answer(server, MOO).text == "cow"


def test_a_prompt_that_the_server_finds_too_long_does_not_fit():
    said = "This model's maximum context length is 64 tokens. However, your prompt contains at least 65 input tokens"
    replies = [chat("a"), Reply({"error": {"message": said}}, 400)]
    with scripted(models=MODELS, chat_completions=replies) as server:
        assert answer(server, MOO) == DoesNotFit(65, 64)


def test_an_answer_that_the_context_cut_short_does_not_fit():
    usage = {"prompt_tokens": 61, "completion_tokens": 3}
    routes = {"version": VERSION, "completions": [texts("a")], "chat_completions": lambda _: chat("c", "length", usage)}
    with scripted(models=VLLM, **routes) as server:
        assert answer(server, MOO) == DoesNotFit(66, 64)


# -- with a tokenizer


def test_letters_are_scored_by_their_ids_at_one_position(tiny):
    letters = Choose(Prompt("Moo?\nAnswer:", format="plain"), ("A", "B"))
    with scripted(models=MODELS, chat_completions=[chat("a")]) as server:
        asked = engine(server, tokenizer=str(tiny))
        assert (asked.takes, asked.loglikelihoods) == ("tokens", True)
        [encoded] = asked.encode_all([letters])
        ids = [token for (token,) in encoded.continuations]
        server.routes["/v1/completions"] = [scores(-1.0, -2.0, -0.5, ids=[*ids, 99])]
        [got] = answered(asked, [letters]).values()
        [body] = server.posted("/v1/completions")
    assert got == Chosen((-1.0, -2.0), (1, 1), len(encoded.prompt), pytest.approx(math.exp(-1) + math.exp(-2)))
    assert body == {
        "model": "tiny",
        "prompt": list(encoded.prompt),
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": 2,
        "logprob_token_ids": ids,
        "return_tokens_as_token_ids": True,
    }


def prompt_scores(body, option=-0.5):
    """Each token of each prompt has the log-likelihood `option`, as a vLLM writes it."""
    return Reply({
        "choices": [
            {"index": index, "prompt_logprobs": [None, *({str(token): {"logprob": option}} for token in ids[1:])]}
            for index, ids in reversed(list(enumerate(body["prompt"])))
        ],
        "usage": USAGE,
    })  # fmt: skip


def test_long_options_are_scored_as_the_end_of_a_prompt(tiny):
    choice = Choose(Prompt("Answer:", format="plain"), ("A", "the old stone bridge", "A"))
    with scripted(models=MODELS, chat_completions=[chat("a")], completions=prompt_scores) as server:
        got = answer(server, choice, tokenizer=str(tiny))
        [body] = server.posted("/v1/completions")
    assert got.loglikelihoods == tuple(-0.5 * length for length in got.tokens)
    assert got.tokens[0] == got.tokens[2] == 1 < got.tokens[1]
    assert got.mass is None
    assert (body["prompt_logprobs"], len(body["prompt"])) == (0, 2)


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), -9999.0, None])
def test_a_loglikelihood_that_is_no_number_is_a_failure(tiny, value):
    letters = Choose(Prompt("Answer:", format="plain"), ("A", "B"))
    long = Choose(Prompt("Answer:", format="plain"), ("the old stone bridge", "B"))
    with scripted(models=MODELS, chat_completions=[chat("a")]) as server:
        asked = engine(server, tokenizer=str(tiny))
        ids = [token for (token,) in asked.encode_all([letters])[0].continuations]
        server.routes["/v1/completions"] = [scores(-1.0, value, ids=ids)]
        assert "not all there and finite" in answered(asked, [letters])[letters].error
        server.routes["/v1/completions"] = lambda body: prompt_scores(body, value)
        assert "not all there and finite" in answered(asked, [long])[long].error


def test_a_loglikelihood_that_is_not_there_is_a_failure(tiny):
    letters = Choose(Prompt("Answer:", format="plain"), ("A", "B"))
    long = Choose(Prompt("Answer:", format="plain"), ("the old stone bridge", "B"))
    with scripted(models=MODELS, chat_completions=[chat("a")], completions=[texts("a")]) as server:
        for request in (letters, long):
            assert isinstance(answer(server, request, tokenizer=str(tiny)), Failed)
        server.routes["/v1/completions"] = [scores(-1.0, ids=[5])]
        assert "not all there and finite" in answer(server, letters, tokenizer=str(tiny)).error


def test_an_answer_in_token_ids_is_decoded_here(tiny):
    request = Generate(Prompt("Moo?"), max_tokens=5)
    with scripted(models=MODELS, chat_completions=[chat("a")]) as server:
        asked = engine(server, tokenizer=str(tiny))
        [cow] = asked.encode_all([Choose(Prompt("Answer:", format="plain"), ("cow",))])[0].continuations
        server.routes["/v1/completions"] = [texts("ignored", token_ids=[*cow, 1])]
        got = answered(asked, [request])[request]
        [body] = server.posted("/v1/completions")
        assert body["prompt"] == list(asked.encode_all([request])[0].prompt)
    assert (got.text, got.ended, got.chat, got.output_tokens) == (" cow", True, True, len(cow) + 1)
    assert body["return_token_ids"] is True


def test_after_a_stop_text_the_last_token_is_the_answers_own(tiny):
    request = Generate(Prompt("Moo?"), max_tokens=5, stop=("w",))
    with scripted(models=MODELS, chat_completions=[chat("a")]) as server:
        asked = engine(server, tokenizer=str(tiny))
        [cow] = asked.encode_all([Choose(Prompt("Answer:", format="plain"), ("cow",))])[0].continuations
        server.routes["/v1/completions"] = [texts("ignored", token_ids=list(cow), stop_reason="w")]
        got = answered(asked, [request])[request]
    assert (got.text, got.ended) == (" co", True)


def test_a_stop_text_is_not_looked_for_in_the_reasoning(tmp_path):
    thinker = make_checkpoint(tmp_path / "thinker", chat="{{ messages[0].content }}{# <think></think> #}<think>")
    with scripted(models=MODELS, chat_completions=[chat("a")], completions=[texts("a", token_ids=[5])]) as server:
        answer(server, Generate(Prompt("Moo?"), stop=("\n",)), tokenizer=str(thinker))
        assert "stop" not in server.posted("/v1/completions")[-1]


def test_what_exceeds_the_context_is_not_asked(tiny):
    long = Prompt("moo " * 64, format="plain")
    routes = {"version": VERSION, "completions": [texts("a")], "tokenize": [Reply(status=404)]}
    with scripted(models=VLLM, **routes) as server:
        asked = engine(server, tokenizer=str(tiny))
        [got] = answered(asked, [Generate(long, max_tokens=8)]).values()
        assert isinstance(got, DoesNotFit)
        assert got.limit == 64
        assert len(server.posted("/v1/completions")) == 1  # the first contact's


def test_a_scored_option_needs_room_for_the_token_that_follows(tiny):
    routes = {"version": VERSION, "completions": prompt_scores, "tokenize": [Reply(status=404)]}
    request = Choose(Prompt("It is", format="plain"), ("the old stone bridge", "a"))
    with scripted(models=MODELS, chat_completions=[chat("a")]) as server:
        [encoded] = engine(server, tokenizer=str(tiny)).encode_all([request])
        size = len(encoded.prompt) + max(map(len, encoded.continuations))
    for limit, fits in ((size, False), (size + 1, True)):
        card = {"id": "tiny", "owned_by": "vllm", "max_model_len": limit}
        said = {**routes, "completions": lambda body: texts("a") if body["prompt"] == "Hi" else prompt_scores(body)}
        with scripted(models=[Reply({"data": [card]})], **said) as server:
            got = answer(server, request, tokenizer=str(tiny))
            assert got == (got if fits else DoesNotFit(size + 1, size))
            assert isinstance(got, Chosen) is fits


def test_a_vllm_that_serves_a_folder_of_this_machine_needs_no_tokenizer_named(tiny):
    card = {"id": "tiny", "owned_by": "vllm", "root": str(tiny)}
    routes = {"version": VERSION, "completions": [texts("a")], "tokenize": [Reply(status=404)]}
    with scripted(models=[Reply({"data": [card]})], **routes) as server:
        assert engine(server).takes == "tokens"
        before = engine(server).numerics
        (tiny / "config.json").touch()
        assert engine(server).numerics != before


def test_a_tokenizer_that_is_not_the_servers_is_refused(tiny):
    routes = {"version": VERSION, "completions": [texts("a")], "tokenize": [Reply({"tokens": [5, 6, 7]})]}
    with (
        scripted(models=VLLM, **routes) as server,
        pytest.raises(EngineError, match=r"is not that of tiny at .* makes other tokens"),
    ):
        _ = engine(server, tokenizer=str(tiny)).tokens


# -- vectors and ratings


def test_a_vector_has_length_one():
    with scripted(models=MODELS, embeddings=[Reply({"data": [{"embedding": [3.0, 4.0]}], "usage": USAGE})]) as server:
        assert answer(server, Embed(Prompt("a text"))) == Embedded((0.6, 0.8), 7)
        assert server.posted("/v1/embeddings") == [{"model": "tiny", "input": "a text"}]


@pytest.mark.parametrize("vector", [[0.0, 0.0], [float("nan"), 1.0], []])
def test_a_vector_without_a_direction_is_a_failure(vector):
    with scripted(models=MODELS, embeddings=[Reply({"data": [{"embedding": vector}], "usage": USAGE})]) as server:
        assert "no direction" in answer(server, Embed(Prompt("a text"))).error


def test_a_classifier_is_asked_for_raw_scores_at_the_servers_root():
    replies = [Reply({"data": [{"probs": [1.5, -2.0]}], "usage": USAGE})]
    with scripted(models=VLLM, version=VERSION, classify=replies) as server:
        requests = (Rate(Prompt("Moo?"), "A cow."), Rate(Prompt("Moo?", format="plain"), "A cow."))
        assert answer(server, *requests) == [Rated((1.5, -2.0), 7)] * 2
        chatting, plain = sorted(server.posted("/classify"), key=lambda body: "input" in body)
    assert [each["content"] for each in chatting["messages"]] == ["Moo?", "A cow."]
    assert plain == {"model": "tiny", "input": "Moo? A cow.", "use_activation": False}


def test_what_the_server_has_no_route_for_is_refused():
    with scripted(models=VLLM, version=VERSION, completions=lambda _: texts("a")) as server:
        assert "with no " in engine(server).refuses(Rate)
        assert "/v1/embeddings" in engine(server).refuses(Embed)
        assert engine(server).refuses(Generate) is None
    with scripted(models=MODELS, chat_completions=[chat("a")]) as server:
        assert "is no vLLM" in engine(server).refuses(Rate)


# -- patience


def test_a_server_that_is_busy_is_asked_again():
    busy = [chat("a"), Reply({"error": "slow down"}, 429), Reply("oops", 502), Reply(status=0), chat("cow")]
    state = random.getstate()
    with scripted(models=MODELS, chat_completions=busy) as server:
        asked = engine(server)
        assert answered(asked, [MOO])[MOO].text == "cow"
        assert asked.counts == {"prefill_tokens": 7, "output_tokens": 3, "http_requests": 6, "retries": 3}
    assert random.getstate() == state


def test_a_server_says_how_long_to_wait():
    busy = [chat("a"), Reply({}, 429, {"Retry-After": "0.4"}), chat("cow")]
    with scripted(models=MODELS, chat_completions=busy) as server:
        started = time.monotonic()
        assert answer(server, MOO).text == "cow"
        assert time.monotonic() - started >= 0.4


def test_a_server_that_wants_hours_is_not_waited_for():
    busy = [chat("a"), Reply({"message": "quota"}, 429, {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"})]
    with scripted(models=MODELS, chat_completions=busy) as server:
        assert "after 1 attempts; the last: 429: quota" in answer(server, MOO).error


def test_a_request_that_never_succeeds_fails_alone():
    def reply(body):
        return Reply({"error": {"message": "broken"}}, 500) if "moo" in body["messages"][0]["content"] else chat("ok")

    other = Generate(Prompt("Another?"))
    with scripted(models=MODELS, chat_completions=reply) as server:
        failed, fine = answer(server, MOO, other, retries="2")
        assert len(server.posted("/v1/chat/completions")) == 1 + 3 + 1
    assert failed == Failed(f"no answer from {server.url}/chat/completions after 3 attempts; the last: 500: broken")
    assert fine.text == "ok"


def test_a_server_that_does_not_answer_in_time_is_asked_again(monkeypatch):
    def reply(body):
        if body["messages"][0]["content"] != "Hi":
            time.sleep(1.5)
        return chat("late")

    with scripted(models=MODELS, chat_completions=reply) as server:
        got = answer(server, MOO, timeout="1", retries="1")
    assert "after 2 attempts; the last: ReadTimeout" in got.error


def test_a_server_that_is_gone_ends_the_run_and_what_it_said_is_given(monkeypatch):
    monkeypatch.setattr("fairprobe.engines.openai.engine.LOST", 3)
    requests = [Generate(Prompt(f"Moo {number}?")) for number in range(40)]
    replies = [chat("a"), chat("cow"), Reply({}, 503)]
    with scripted(models=MODELS, chat_completions=replies) as server:
        answers = engine(server, parallel="1", retries="0").answers(requests)
        [got] = next(answers).values()
        assert got.text == "cow"
        with pytest.raises(
            EngineError, match=r"3 requests in a row without an answer.*What it answered before is kept"
        ):
            list(answers)


def test_a_request_that_the_server_refuses_fails_with_its_words():
    replies = [chat("a"), Reply({"error": {"message": "no more than 4 stop texts"}}, 400)]
    with scripted(models=MODELS, chat_completions=replies) as server:
        assert answer(server, MOO) == Failed("the server answered 400: no more than 4 stop texts")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply("<html>a proxy</html>"), "not JSON: '<html>a proxy</html>'"),
        (Reply({}), "cannot be read"),
        (Reply({"choices": [], "usage": USAGE}), "cannot be read"),
        (Reply([1]), "cannot be read"),
        (Reply({"choices": [{"message": {"content": "cow"}, "finish_reason": "stop"}]}), "cannot be read"),
        (chat("cow", "abort"), "finish_reason='abort'"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_failure(reply, said):
    with scripted(models=MODELS, chat_completions=[chat("a"), reply]) as server:
        assert said in answer(server, MOO).error


def test_several_requests_are_under_way_at_a_time():
    def reply(body):
        with lock:
            now.append(1)
            most.append(len(now))
        time.sleep(0.05)
        with lock:
            now.pop()
        return chat("cow")

    lock, now, most = threading.Lock(), [], []
    requests = [Generate(Prompt(f"Moo {number}?")) for number in range(40)]
    with scripted(models=MODELS, chat_completions=reply) as server:
        assert len(answer(server, *requests, parallel="4")) == 40
    assert 1 < max(most) <= 4


def test_a_server_that_answers_nonsense_ends_the_run(monkeypatch):
    monkeypatch.setattr("fairprobe.engines.openai.engine.LOST", 3)
    with scripted(models=MODELS, chat_completions=[chat("a"), Reply({"hello": 1})]) as server:
        answers = engine(server, parallel="1").answers([Generate(Prompt(f"Moo {number}?")) for number in range(40)])
        with pytest.raises(EngineError, match=r"3 requests in a row without an answer; the last: .*cannot be read"):
            list(answers)
        assert len(server.posted("/v1/chat/completions")) < 10


def test_a_page_in_place_of_an_answer_is_no_server_of_this_kind():
    with (
        scripted(models=MODELS, chat_completions=[Reply("<html>hello</html>")]) as server,
        pytest.raises(EngineError, match=r"does not answer as an OpenAI-compatible server does: .*hello"),
    ):
        answer(server, MOO)


def test_a_server_that_is_busy_at_first_is_told_as_such():
    with (
        scripted(models=MODELS, chat_completions=[Reply({"error": {"message": "slow down"}}, 429)]) as server,
        pytest.raises(EngineError, match=r"/v1 cannot be asked now: .*429: slow down; run again later"),
    ):
        answer(server, MOO, retries="0")


def test_an_interrupted_run_does_not_wait_for_the_server():
    code = (
        "import sys, time, threading, signal, os, polars\n"
        "from fairprobe.engines import open_engine\n"
        "from fairprobe.engines.checkpoints import Served\n"
        "from fairprobe.requests import Generate, Prompt\n"
        "engine = open_engine('openai', Served('model', 'tiny', sys.argv[1]), {}, {})\n"
        "_ = engine.numerics\n"
        "threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "list(engine.answers([Generate(Prompt('Moo?'))]))\n"
    )
    done = threading.Event()

    def slow(body):
        if body["messages"][-1]["content"] == "Moo?":
            done.wait(60)
        return chat("a")

    with scripted(models=MODELS, chat_completions=slow) as server:
        started = time.monotonic()
        run = subprocess.run([sys.executable, "-c", code, server.url], capture_output=True, text=True, check=False)
        assert "KeyboardInterrupt" in run.stderr
        assert time.monotonic() - started < 30
        done.set()


def test_answers_come_while_others_are_under_way():
    with scripted(models=MODELS, chat_completions=lambda body: chat("cow")) as server:
        answers = engine(server, parallel="2").answers([Generate(Prompt(f"Moo {n}?")) for n in range(50)])
        next(answers)
        assert len(server.posted("/v1/chat/completions")) < 20
        answers.close()


# -- keys and first contact


def test_a_key_comes_from_the_environment_and_is_shown_nowhere(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret")
    echo = Reply({"error": {"message": "sk-secret may not say moo"}}, 400)
    with scripted(models=MODELS, chat_completions=[chat("a"), echo]) as server:
        asked = engine(server, key_env="MY_KEY")
        [got] = answered(asked, [MOO]).values()
        assert server.headers["Authorization"] == "Bearer sk-secret"
        assert got == Failed("the server answered 400: [MY_KEY] may not say moo")
        assert "sk-secret" not in f"{asked.numerics}{asked.describe()}{asked.counts}"


@pytest.mark.parametrize("key", ["sk-secret\n", " sk-secret"])
def test_white_space_around_a_key_is_not_of_it(monkeypatch, key):
    monkeypatch.setenv("MY_KEY", key)
    with scripted(models=MODELS, chat_completions=[chat("a")]) as server:
        answer(server, MOO, key_env="MY_KEY")
        assert server.headers["Authorization"] == "Bearer sk-secret"


@pytest.mark.parametrize("key", ["sk-sécret", "sk\nsecret"])
def test_a_key_that_can_be_none_is_not_shown(monkeypatch, key):
    monkeypatch.setenv("MY_KEY", key)
    with (
        scripted(models=MODELS) as server,
        pytest.raises(EngineError, match=r"the key in MY_KEY holds characters that no key has; set it again$"),
    ):
        answer(server, MOO, key_env="MY_KEY")


def test_a_wrong_key_stops_at_once_and_names_the_variable(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with (
        scripted(models=[Reply({"error": {"message": "Incorrect API key: sk-secret"}}, 401)]) as server,
        pytest.raises(EngineError, match=r"does not accept the key in OPENAI_API_KEY \(401\)") as caught,
    ):
        answer(server, MOO)
    assert "sk-secret" not in str(caught.value)


def test_a_missing_key_is_said_to_be_missing():
    with (
        scripted(models=[Reply({}, 401)]) as server,
        pytest.raises(EngineError, match=r"wants a key \(401\); set OPENAI_API_KEY"),
    ):
        answer(server, MOO)


def test_a_key_that_is_not_allowed_ends_the_run():
    with (
        scripted(models=MODELS, chat_completions=[chat("a"), Reply({"message": "not this model"}, 403)]) as server,
        pytest.raises(EngineError, match=r"forbids this .*OPENAI_API_KEY \(403\): not this model"),
    ):
        answer(server, MOO)


def test_nobody_at_the_address_is_said_at_once():
    port = free_port()
    with pytest.raises(EngineError, match=f"no server answers at http://127.0.0.1:{port}/v1/models .*; start it"):
        answer(f"http://127.0.0.1:{port}/v1", MOO)


def test_a_model_that_is_not_there_is_said_with_those_that_are():
    missing = Reply({"error": {"message": "The model `tinny` does not exist"}}, 404)
    with (
        scripted(models=MODELS, chat_completions=[missing]) as server,
        pytest.raises(EngineError, match=r"for the model 'tinny' \(404: .*\); it has tiny and 1 more"),
    ):
        answer(server, MOO, name="tinny")


def test_an_address_that_is_no_api_is_said():
    with (
        scripted(models=[Reply("<html>Welcome</html>")]) as server,
        pytest.raises(EngineError, match=r"does not answer as an OpenAI-compatible server does: .*not JSON"),
    ):
        answer(server, MOO)


def test_a_server_that_lists_no_models_is_asked_all_the_same():
    with scripted(chat_completions=[chat("cow")]) as server:
        assert answer(server, MOO).text == "cow"


def test_opening_an_engine_asks_nothing_and_the_server_is_met_once():
    with scripted(models=MODELS, chat_completions=[chat("a")]) as server:
        asked = engine(server)
        assert asked.describe()["version"] == "unknown"
        assert asked.counts["http_requests"] == 0
        assert asked.numerics == asked.numerics
        assert asked.counts["http_requests"] == 2
        assert asked.describe()["version"] == "someone"


def test_answers_are_of_the_day_and_of_the_server_that_gave_them():
    with scripted(models=MODELS, chat_completions=[chat("a")]) as server:
        today = json.loads(engine(server).numerics)
        assert (today["date"], today["system_fingerprint"]) == (date.today().isoformat(), "fp_1")
        assert json.loads(engine(server, date="2026-11-20").numerics) == {**today, "date": "2026-11-20"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dtype": "float32"}, "has no argument 'dtype' .*it knows date, key_env, parallel"),
        ({"api_key": "sk"}, "has no argument 'api_key'"),
        ({"parallel": "0"}, "parallel should be a whole number, at least 1; it is '0'"),
        ({"retries": "-1"}, "retries should be a whole number, at least 0"),
        ({"timeout": "soon"}, "timeout should be a whole number"),
        ({"date": "yesterday"}, "date should be a day such as 2026-11-20"),
        ({"tokenizer": "/nowhere"}, "/nowhere holds no tokenizer"),
    ],
)
def test_a_senseless_argument_is_refused(arguments, said):
    with pytest.raises(EngineError, match=said):
        engine("http://127.0.0.1:1/v1", **arguments)


def test_a_run_keeps_what_a_server_answered_that_day(tmp_path):
    rows = [
        {"dialect": dialect, "clue": f"Clue {n} in {dialect}", "word": "cow"}
        for dialect in ("en_us", "en_in")
        for n in range(12)
    ]
    clues = Generation(rows, "{clue}", target="word", name="clues")
    with scripted(models=MODELS, chat_completions=lambda body: chat("cow")) as server:
        for day, asked in (("2026-11-20", 25), ("2026-11-20", 26), ("2026-11-21", 51)):
            table = measure(
                accuracy(clues).by("dialect"), model=f"openai:tiny@{server.url}", store=tmp_path,
                engine_arguments={"date": day},
            )  # fmt: skip
            assert table["value"].to_list() == [1.0, 1.0]
            assert len(server.posted("/v1/chat/completions")) == asked  # one of them is the first contact's


# -- a real vLLM


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("wide") / "wide", chat=True)


@pytest.fixture(scope="module")
def vllm(wide):
    with vllm_server(wide) as url:
        yield url


OPTIONS = ("cow", "honey", "the old stone bridge", "the old mill")
TEXTS = ("Which animal says moo?", "What do bees make?", "Where is the market, and who told him so this morning?")
FORMATS = ("plain", "chat")


def both(wide, url, requests):
    """What the engine `transformers` answers, and what the server does, in the requests' order."""
    here = open_engine("transformers", resolve(str(wide), "model"), {}, {})
    OPENED.append(here)
    there = engine(url)
    assert there.takes == "tokens"
    assert there.encode_all(requests) == here.encode_all(requests)
    mine, theirs = answered(here, requests), answered(there, requests)
    return [mine[request] for request in requests], [theirs[request] for request in requests]


@pytest.mark.vllm
@pytest.mark.parametrize("options", [("A", "B", "C", "D"), OPTIONS])
def test_vllm_gives_options_the_loglikelihoods_that_transformers_does(wide, vllm, options):
    requests = [Choose(Prompt(text, format=form), options) for text in TEXTS for form in FORMATS]
    requests += [Choose(Prompt(text, prefix="Answer:"), options) for text in TEXTS]
    mine, theirs = both(wide, vllm, requests)
    for one, other in zip(mine, theirs, strict=True):
        assert other.loglikelihoods == pytest.approx(one.loglikelihoods, abs=1e-4)
        assert (other.tokens, other.prompt_tokens) == (one.tokens, one.prompt_tokens)
        assert other.mass == (None if one.mass is None else pytest.approx(one.mass, abs=1e-4))


@pytest.mark.vllm
def test_vllm_writes_what_transformers_does(wide, vllm):
    requests = [
        Generate(Prompt(text, format=form), max_tokens=size, stop=stop)
        for text in TEXTS
        for form in FORMATS
        for size, stop in ((1, ()), (40, ()), (40, ("a", "e")))
    ]
    mine, theirs = both(wide, vllm, requests)
    assert mine == theirs


@pytest.mark.vllm
def test_vllm_says_what_it_is_and_draws_the_same_again(vllm):
    asked = engine(vllm)
    said = json.loads(asked.numerics)
    assert (said["owned_by"], said["max_model_len"]) == ("vllm", 256)
    assert asked.describe()["version"] == said["version"]
    assert asked.refuses(Choose) is asked.refuses(Generate) is None
    assert "/v1/embeddings" in asked.refuses(Embed)
    assert "/classify" in asked.refuses(Rate)
    draws = [Generate(Prompt(TEXTS[0]), max_tokens=8, temperature=1.0, draw=number) for number in range(5)]
    first, again = answered(asked, draws), answered(engine(vllm), draws)
    assert first == again
    assert len({answered.text for answered in first.values()}) > 1


@pytest.mark.vllm
def test_vllm_gives_the_same_texts_for_messages_and_prefixes(wide, vllm, monkeypatch):
    # the template of this checkpoint writes no beginning-of-text token, so a chat by messages has none
    monkeypatch.setattr(Server, "folder", None)
    asked = engine(vllm)
    assert asked.takes == "messages"
    plain = [Generate(Prompt(text, format="plain"), max_tokens=12) for text in TEXTS]
    chatting = [Generate(Prompt(TEXTS[0]), max_tokens=5), Generate(Prompt(TEXTS[0], prefix="Well,"), max_tokens=5)]
    answers = answered(asked, [*plain, *chatting])
    here = open_engine("transformers", resolve(str(wide), "model"), {}, {})
    OPENED.append(here)
    mine = answered(here, plain)
    # a server leaves out a character that is not whole at the end
    assert [answers[request].text for request in plain] == [mine[request].text.rstrip("\ufffd") for request in plain]
    assert all(isinstance(answers[request], Generated) and answers[request].chat for request in chatting)
    long = [Generate(Prompt("moo " * 200)), Generate(Prompt("moo " * 300))]
    answers = answered(asked, long)
    assert answers[long[0]] == DoesNotFit(204 + 64, 256)
    assert answers[long[1]] == DoesNotFit(257, 256)
    missing = engine(vllm, name="tinny")
    with pytest.raises(EngineError, match="it has tiny"):
        _ = missing.numerics


def classified(folder, ids):
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].tolist()


@pytest.mark.vllm
def test_vllm_rates_as_transformers_does(tmp_path, wide):
    judge = make_classifier(tmp_path / "judge", wide, labels=3)
    with vllm_server(judge, "--runner", "pooling") as url:
        asked = engine(url)
        assert "/v1/completions" in asked.refuses(Generate)
        requests = [Rate(Prompt(text, format="plain"), "A cow.") for text in TEXTS]
        answers = answered(asked, requests)
        for request in requests:
            [encoded] = asked.encode_all([request])
            assert answers[request].scores == pytest.approx(classified(judge, encoded.prompt), abs=1e-4)
            assert answers[request].prompt_tokens == len(encoded.prompt)


@pytest.mark.vllm
def test_vllm_embeds_as_transformers_does(wide):
    with vllm_server(wide, "--runner", "pooling", "--convert", "embed") as url:
        asked = engine(url)
        requests = [Embed(Prompt(text)) for text in TEXTS]
        answers = answered(asked, requests)
        for request in requests:
            [encoded] = asked.encode_all([request])
            assert answers[request].vector == pytest.approx(last_state(wide, encoded.prompt), abs=1e-4)


def last_state(folder, ids):
    """The last token's last hidden state, of length 1: what vLLM makes of a causal model."""
    model, _ = reference(folder)
    with torch.inference_mode():
        state = model.model(torch.tensor([ids])).last_hidden_state[0, -1]
    return (state / state.norm()).tolist()
