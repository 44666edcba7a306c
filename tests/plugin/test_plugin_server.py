"""`--model=openai:NAME@URL`: a run over a server is told and kept like any other, and what it lost is counted."""

from __future__ import annotations

import pytest

from servers import Reply, scripted

GAP = "test_gap = accuracy(clues).gap('dialect') < 0.5"
LETTERS = "test_level = accuracy(sums).by('level') > 0.5"
MODELS = [Reply({"data": [{"id": "tiny", "owned_by": "someone"}]})]
COW = Reply({
    "choices": [{"message": {"content": "cow"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 1},
})  # fmt: skip


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_a_run_over_a_server_is_told_and_kept(pytester, asking_suite, results):
    asking_suite(GAP)
    with scripted(models=MODELS, chat_completions=[COW]) as server:
        for report in ("first", "second"):
            done = pytester.runpytest_inprocess(f"--model=openai:tiny@{server.url}", f"--fairprobe-report={report}")
            done.assert_outcomes(passed=1)
            # how many tokens that will be only the server knows
            done.stdout.fnmatch_lines(
                ["fairprobe: *; 0 are stored, 24 to ask" if report == "first" else "*24 are stored*"]
            )
        url = server.url
    first, second = results("first"), results("second")
    [checkpoint] = first["checkpoints"]
    assert checkpoint == {
        "role": "model", "name": "tiny", "path": f"openai:tiny@{url}", "revision": None, "template": None,
        "fingerprint": checkpoint["fingerprint"],
    }  # fmt: skip
    assert (first["engine"]["name"], first["engine"]["url"]) == ("openai", url)
    assert first["engine"]["counts"]["model"]["http_requests"] >= 24
    assert (first["requests"]["asked"], second["requests"]["asked"], second["requests"]["cached"]) == (24, 0, 24)
    assert second["engine"]["counts"]["model"]["prefill_tokens"] == 0


def test_what_a_server_could_not_answer_is_counted_by_group(pytester, asking_suite, results):
    asking_suite(GAP)

    def half(body):
        return Reply({}, 503) if "is saying" in body["messages"][-1]["content"] else COW

    with scripted(models=MODELS, chat_completions=half) as server:
        done = pytester.runpytest_inprocess(
            f"--model=openai:tiny@{server.url}", "--fairprobe-engine-arg", "retries=0", "--fairprobe-report=first"
        )
        assert done.ret != 0
    [verdict] = results("first")["verdicts"]
    assert verdict["outcome"] == "invalid"
    assert [group["statuses"].get("error", 0) for group in verdict["groups"]] == [12, 0]
    assert results("first")["requests"]["asked"] == 24
    done.stdout.fnmatch_lines(["engine openai: 12 requests to the model failed; the first: no answer from *: 503: *"])
    with scripted(models=MODELS, chat_completions=[COW]) as well:
        again = pytester.runpytest_inprocess(f"--model=openai:tiny@{well.url}", "--fairprobe-report=second")
        again.assert_outcomes(passed=1)


def test_a_claim_about_likelihoods_is_deselected_where_the_server_gives_none(pytester, asking_suite, results):
    asking_suite(GAP, LETTERS)
    with scripted(models=MODELS, chat_completions=[COW]) as server:
        done = pytester.runpytest_inprocess(f"--model=openai:tiny@{server.url}")
        done.assert_outcomes(passed=1, deselected=1)
    [folder] = (pytester.path / "reports").iterdir()
    assert folder.name.endswith("-tiny")
    [left] = results()["deselected"]
    assert 'scoring="generate"' in left["reason"]


def test_a_server_that_is_not_there_is_named_in_one_paragraph(pytester, asking_suite):
    asking_suite(GAP)
    done = pytester.runpytest_inprocess("--model=openai:tiny@http://127.0.0.1:9/v1")
    assert done.ret != 0
    done.stdout.fnmatch_lines(["*no server answers at http://127.0.0.1:9/v1/*; start it, or correct the address*"])
