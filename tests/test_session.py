"""A session asks each checkpoint once, keeps what it said, and judges it; tiny real checkpoints answer."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from checkpoints import make_checkpoint
from fairprobe import (
    BadData,
    BadExpectation,
    EngineError,
    FairprobeError,
    Generation,
    Model,
    MultipleChoice,
    NoCheckpoint,
    NotShown,
    Recorded,
    StoreError,
    accuracy,
    measure,
    valid_rate,
)
from fairprobe.plan import Plan
from fairprobe.requests import Choose, Failed, Generate, Prompt
from fairprobe.session import Session
from fairprobe.settings import Counts, Settings
from fairprobe.verdict import Defaults

CLUES = Generation(
    [
        {"id": number, "dialect": dialect, "clue": f"{dialect} clue {number}: it swims.", "word": "otter"}
        for number in range(4) for dialect in ("us", "ng")
    ],
    "{clue}", target="word", name="clues", pair="id", max_tokens=3,
)  # fmt: skip
LETTERS = MultipleChoice(
    [
        {"question": f"Which is {number}?", "right": number % 2, "dialect": "us" if number < 4 else "ng"}
        for number in range(8)
    ],
    "{question}",
    options=("cow", "honey"),
    answer="right",
    name="letters",
)


@pytest.fixture
def session(checkpoints_folder, tmp_path):
    """Makes sessions that share one store."""
    opened = []

    def make(model="plain", **settings):
        spec = str(checkpoints_folder / model) if model in {"plain", "chat"} else model
        opened.append(Session(Settings(**{"model": spec, "store": tmp_path / "store", **settings})))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def asked(session, *expectations):
    for expectation in expectations:
        session.check(expectation)
    return session.ask(session.plan(expectations))


def test_it_asks_once_and_a_second_session_asks_nothing(session):
    claims = accuracy(CLUES).gap("dialect") < 0.5, valid_rate(CLUES).by("dialect") > 0.5, accuracy(LETTERS) > 0.1
    first = session()
    counts = asked(first, *claims)
    assert counts == Counts(
        wanted=24, distinct=16, cached=0, asked=16, too_long=0,
        prompt_tokens=counts.prompt_tokens, output_tokens=counts.output_tokens,
    )  # fmt: skip
    encoded = first.engine("model").encode_all(first.plan(claims).requests["model"])
    assert counts.prompt_tokens == first.engine("model").counts["prefill_tokens"]
    assert counts.output_tokens == first.engine("model").counts["output_tokens"]
    assert 0 < counts.prompt_tokens <= sum(len(each.prompt) + sum(map(len, each.continuations)) for each in encoded)
    assert 8 <= counts.output_tokens <= 24
    assert asked(first, *claims) == Counts(wanted=24, distinct=16, cached=16)
    second = session()
    assert asked(second, *claims) == Counts(wanted=24, distinct=16, cached=16)
    for claim in claims:
        assert first.judge(claim) == second.judge(claim)
        assert first.judge(claim).samples == 8


def test_the_baseline_is_asked_after_the_model(session, checkpoints_folder):
    claim = accuracy(LETTERS).change().gap("dialect") < 0.9
    run = session(baseline=str(checkpoints_folder / "chat"))
    counts = asked(run, claim)
    assert (counts.wanted, counts.distinct, counts.asked) == (16, 16, 16)
    verdict = run.judge(claim)
    assert verdict.samples == 8
    assert asked(session(), accuracy(LETTERS) > 0.1) == Counts(wanted=8, distinct=8, cached=8), "the model's are kept"


def test_a_model_that_is_its_own_baseline_is_asked_once(session, checkpoints_folder):
    claim = accuracy(LETTERS).change().gap("dialect") < 0.9
    run = session(baseline=str(checkpoints_folder / "plain"))
    counts = asked(run, claim)
    assert (counts.distinct, counts.asked, counts.cached) == (16, 8, 8)
    assert run.judge(claim).decision.value == 0.0


def test_other_numerics_ask_again(session):
    claim = accuracy(LETTERS) > 0.1
    assert asked(session(), claim).asked == 8
    assert asked(session(engine_arguments={"dtype": "bfloat16"}), claim).asked == 8
    assert asked(session(engine_arguments={"batch_tokens": "64"}), claim).asked == 0


def test_another_template_argument_asks_again(session):
    claim = accuracy(LETTERS) > 0.1
    assert asked(session("chat"), claim).asked == 8
    assert asked(session("chat", template_arguments={"shout": "true"}), claim).asked == 8
    assert asked(session("chat"), claim).asked == 0


def test_a_checkpoint_is_known_by_its_content(session, tmp_path):
    claim = accuracy(LETTERS) > 0.1
    here = make_checkpoint(tmp_path / "here", seed=3)
    there = shutil.copytree(here, tmp_path / "elsewhere" / "there")
    assert asked(session(str(here)), claim).asked == 8
    assert asked(session(str(there)), claim).asked == 0, "the same content in another place"
    make_checkpoint(here, seed=4)
    assert asked(session(str(here)), claim).asked == 8, "other weights in the same place"


def test_what_does_not_fit_is_counted_and_truncated(session):
    rows = [{"clue": "It swims.", "word": "otter", "g": "a"}, {"clue": "It swims. " * 200, "word": "otter", "g": "b"}]
    task = Generation(rows, "{clue}", target="word", name="long", max_tokens=2)
    run = session()
    counts = asked(run, accuracy(task) > 0.1)
    assert (counts.distinct, counts.asked, counts.too_long, counts.cached) == (2, 1, 1, 0)
    assert run.look(task, "model").status.tolist() == ["ok", "truncated"]
    assert run.look(task, "model").scores["exact_match"].tolist()[1] == 0.0
    [lock] = run.store.folder.glob("*.lock")
    lock.unlink()
    again = asked(session(), accuracy(task) > 0.1)
    assert (again.asked, again.too_long, again.cached) == (0, 1, 1)
    assert not lock.exists(), "nothing was left to ask, so a folder that can only be read is enough"


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_engine_keeps_what_it_said(session, stopped):
    claim = accuracy(LETTERS) > 0.1
    run = session()
    engine = run.engine("model")
    answers = engine.answers

    def interrupted(requests):
        for number, answer in enumerate(answers(requests)):
            if number == 3:
                raise stopped
            yield answer

    engine.answers = interrupted
    counts = Counts()
    with pytest.raises(stopped):
        run.ask(run.plan([claim]), counts)
    assert (counts.cached, counts.asked) == (0, 3)
    assert counts.prompt_tokens == engine.counts["prefill_tokens"] > 0
    counts = asked(session(), claim)
    assert (counts.cached, counts.asked) == (3, 5)


def test_a_checkpoint_that_is_swapped_before_it_is_loaded_leaves_no_answers(session, checkpoints_folder, tmp_path):
    place = shutil.copytree(checkpoints_folder / "plain", tmp_path / "place")
    claim = accuracy(LETTERS) > 0.1
    run = session(str(place))
    run.check(claim)
    plan = run.plan([claim])
    run.lacking(plan)
    shutil.copy(make_checkpoint(tmp_path / "other", seed=5) / "model.safetensors", place)
    with pytest.raises(EngineError, match=r"model.safetensors was changed while place was asked"):
        run.ask(plan)
    run.close()
    shutil.copy(checkpoints_folder / "plain" / "model.safetensors", place)
    assert asked(session(str(place)), claim).cached == 0


def test_a_request_that_cannot_be_made_is_an_error_of_its_own_claim(session):
    rows = [{"question": "Which?", "right": 0, "dialect": dialect} for dialect in ("us", "ng")]
    empty = MultipleChoice(rows, "{question}", options=("cow", " "), answer="right", scoring="text", name="empty")
    run = session()
    with pytest.raises(EngineError, match="empty"):
        run.check(accuracy(empty) > 0.1)
    assert asked(run, accuracy(LETTERS) > 0.1).asked == 8


def test_what_it_computed_is_told_role_by_role(session, checkpoints_folder):
    run = session(baseline=str(checkpoints_folder / "chat"))
    assert run.describe_engine() == {}
    first = asked(run, accuracy(LETTERS) > 0.1)
    both = asked(run, accuracy(LETTERS).change() > -0.5)
    told = run.describe_engine()["counts"]
    assert told["model"]["prefill_tokens"] == first.prompt_tokens > 0
    assert told["baseline"]["prefill_tokens"] == both.prompt_tokens > 0


def refusing(run, role, kind):
    run.engine(role).refuses = lambda asked: "it gives no log-likelihoods" if asked is kind else None


def test_what_a_checkpoint_refuses_is_known_before_any_is_asked(session, checkpoints_folder):
    run = session(baseline=str(checkpoints_folder / "chat"))
    refusing(run, "baseline", Choose)
    plan = run.plan([accuracy(LETTERS).change() > 0])
    with pytest.raises(EngineError, match=r"^it gives no log-likelihoods$"):
        run.ask(plan)
    assert run.engine("model").counts["forward_calls"] == 0
    with pytest.raises(EngineError, match="it gives no log-likelihoods"):
        Model(run, "baseline").loglikelihood("Which?", ["cow", "honey"])
    assert Model(run, "baseline").generate(["It swims."], max_tokens=1)


def test_a_claim_that_the_checkpoint_cannot_answer_is_told_with_its_reason(session):
    run = session()
    refusing(run, "model", Choose)
    assert run.unanswerable(accuracy(LETTERS) > 0.5) == "that the model cannot answer: it gives no log-likelihoods"
    assert run.unanswerable((accuracy(CLUES) > 0.5).guard(accuracy(LETTERS) > 0.5)) is not None
    assert run.unanswerable(accuracy(CLUES) > 0.5) is None


def test_what_is_wrong_with_a_checkpoint_or_a_task_is_no_refusal(session):
    assert session("nowhere").unanswerable(accuracy(CLUES) > 0.5) is None
    assert session(engine="nobody's").unanswerable(accuracy(CLUES) > 0.5) is None
    assert session().unanswerable(accuracy(CLUES).change() > 0) is None
    assert session().unanswerable(accuracy(Generation("nowhere.jsonl", "{clue}", target="word")) > 0.5) is None


def test_what_failed_is_missing_from_the_verdict_and_asked_again(session):
    claim = accuracy(LETTERS) > 0.1
    run = session()
    engine = run.engine("model")
    answers = engine.answers
    engine.answers = lambda requests: (
        dict.fromkeys(chunk, Failed("out of memory")) if number == 0 else chunk
        for number, chunk in enumerate(answers(requests))
    )
    asked(run, claim)
    assert sorted(run.look(LETTERS, "model").status) == ["error"] + ["ok"] * 7
    assert run.judge(claim).outcome == "invalid"
    assert asked(session(), claim).asked == 1


def test_some_choices_are_asked_again_and_tell_how_far_numbers_vary(session):
    rows = [{"clue": f"{number} and 1 is", "options": ["2", "3"], "right": number % 2} for number in range(120)]
    claim = accuracy(MultipleChoice(rows, "{clue}", answer="right", scoring="text", name="sums")) > 0.1
    run = session()
    counts = asked(run, claim)
    found = run.describe_engine()["noise"]["model"]
    assert (counts.asked, found["requests"], found["changed"]) == (120, 2, 0)
    assert 0 <= found["nats"] < 1e-4
    # what that cost is counted apart from what the claim cost
    assert run.by_noise.asked == 2
    assert run.engine("model").counts["prefill_tokens"] == counts.prompt_tokens + run.by_noise.prompt_tokens
    again = session()
    assert asked(again, claim).asked == 0
    assert again.describe_engine()["noise"] == {}


def test_what_is_lacking_is_known_before_it_is_asked(session):
    run = session()
    claim = accuracy(LETTERS) > 0.1
    run.check(claim)
    plan = run.plan([claim])
    lacking = run.lacking(plan)
    assert len(lacking["model"]) == 8
    assert run.tokens(lacking) > 8 * 5
    run.ask(plan)
    assert run.lacking(plan) == {"model": []}
    assert run.tokens(run.lacking(plan)) == 0


def test_a_limit_asks_a_part_with_whole_pairs(session):
    run = session(limit=4, defaults=Defaults(limited=True))
    assert asked(run, accuracy(CLUES).gap("dialect") < 0.5).asked == 4
    assert sorted(run.samples(CLUES).frame["dialect"]) == ["ng", "ng", "us", "us"]


def test_a_claim_is_checked_before_anything_is_asked(session):
    run = session()
    for claim in (accuracy(CLUES).gap("accent") < 0.1, accuracy(CLUES).gap("dialect", reference="uk") < 0.1,
                  accuracy(CLUES).where(dialect="us").gap("dialect") < 0.1):  # fmt: skip
        with pytest.raises(BadData):
            run.check(claim)
    with pytest.raises(NoCheckpoint) as refused:
        run.check(accuracy(CLUES).change() > 0)
    assert str(refused.value) == (
        "accuracy(clues).change() > 0.0 needs a baseline, and none is named: pytest … --baseline=path/to/checkpoint"
    )
    with pytest.raises(NoCheckpoint, match="needs a model, and none is named"):
        session(None).check(accuracy(CLUES) > 0)


def test_two_different_tasks_of_one_name_are_refused(session):
    other = Generation(CLUES.data.rows, "{clue}?", target="word", name="clues")
    with pytest.raises(BadData, match="two different tasks are named 'clues'"):
        session().plan([accuracy(CLUES) > 0.1, accuracy(other) > 0.1])


def test_a_folder_that_is_no_store_is_named(session, tmp_path):
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreError, match="--fairprobe-store=DIR"):
        asked(session(), accuracy(LETTERS) > 0.1)


# -- recordings


@pytest.fixture
def recordings(tmp_path):
    for name, share in {"aligned": 0.9, "base": 0.5}.items():
        lines = [f"{number},{group},{float(number < share * 40)}" for group in ("us", "ng") for number in range(40)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["id,dialect,score", *lines]))
    return Recorded(str(tmp_path / "{model}.csv"), name="answers", pair="id")


def test_a_recording_is_judged_without_asking(session, recordings):
    run = session("recorded:aligned", baseline="recorded:base")
    claim = accuracy(recordings).change().by("dialect") > 0.2
    assert asked(run, claim) == Counts()
    verdict = run.judge(claim)
    assert verdict.outcome == "pass"
    assert verdict.decision.value == pytest.approx(0.4)


def test_what_cannot_be_answered_is_told_with_its_reason(session, recordings):
    recorded, live = accuracy(recordings) > 0.5, accuracy(CLUES) > 0.5
    assert session("recorded:aligned").unanswerable(recorded) is None
    assert (
        session("recorded:aligned").unanswerable(live) == "that ask a checkpoint, since --model names recorded answers"
    )
    assert session().unanswerable(live) is None
    assert (
        session().unanswerable(recorded)
        == "that read recorded answers, since --model names none (--model=recorded:NAME)"
    )
    assert session("recorded:gpt").unanswerable(recorded) == "without a recording of 'gpt'"


# -- measure


def test_a_table_holds_the_verdicts_groups(session, checkpoints_folder, tmp_path):
    claim = accuracy(LETTERS).by("dialect") > 0.1
    run = session()
    asked(run, claim)
    groups = run.judge(claim).groups
    for question in (accuracy(LETTERS).by("dialect"), accuracy(LETTERS).gap("dialect"), claim):
        table = measure(question, model=str(checkpoints_folder / "plain"), store=str(tmp_path / "store"))
        assert table.to_dicts() == [
            {"dialect": group.group["dialect"], "value": group.value, "low": group.low, "high": group.high,
             "samples": 4, "clusters": 4, "ok": 4}
            for group in groups
        ]  # fmt: skip


def test_a_metric_alone_is_one_row(recordings):
    table = measure(accuracy(recordings), model="recorded:aligned")
    assert table.select("value", "samples", "clusters", "ok").to_dicts() == [
        {"value": 0.9, "samples": 80, "clusters": 40, "ok": 80}
    ]


def test_a_change_is_measured_against_the_baseline(recordings):
    table = measure(accuracy(recordings).change().by("dialect"), model="recorded:aligned", baseline="recorded:base")
    assert table["dialect"].to_list() == ["ng", "us"]
    assert table["value"].to_list() == pytest.approx([0.4, 0.4])


def test_a_table_keeps_the_confidence_that_a_question_names(recordings):
    wide, narrow = (measure(accuracy(recordings).at(confidence=p), model="recorded:aligned") for p in (0.999, 0.9))
    assert wide["low"][0] < narrow["low"][0] < 0.9 < narrow["high"][0] < wide["high"][0]


def test_data_is_looked_up_under_a_root(tmp_path):
    (tmp_path / "elsewhere.csv").write_text("score\n1\n0\n")
    table = measure(accuracy(Recorded("elsewhere.csv")), model="recorded:any", data=str(tmp_path))
    assert table["value"].to_list() == [0.5]


# -- the fixture's class


def test_a_model_writes_chooses_and_weighs(session):
    run = session()
    model = Model(run)
    assert repr(model).startswith("Model('")
    [one, two] = model.generate(["It swims.", "It flies."], max_tokens=3)
    assert model.generate(["It flies."], max_tokens=3) == [two]
    weighed = model.loglikelihood("Which animal says moo?", ["cow", "honey"])
    assert len(weighed) == 2
    assert max(weighed) < 0
    likeliest = "cow" if weighed[0] > weighed[1] else "honey"
    assert model.choose("Which animal says moo?", ["cow", "honey"]) == likeliest
    [asked_directly] = run.respond("model", [Generate(Prompt("It swims."), 3)])
    assert asked_directly.text == one


def test_a_model_is_asked_the_same_question_once(session):
    model = Model(session())
    first = model.generate(["It swims."], max_tokens=3)
    run = session()
    assert Model(run).generate(["It swims."], max_tokens=3) == first
    assert run.ask(Plan(requests={"model": (Generate(Prompt("It swims."), 3),)})).asked == 0
    assert run.engine("model").counts["forward_calls"] == 0


def test_a_model_takes_a_list_of_texts(session):
    model = Model(session())
    with pytest.raises(BadExpectation) as refused:
        model.generate("It swims.")
    assert str(refused.value) == (
        "model.generate() takes a list of texts, so that they are asked together; this is one: 'It swims.'"
    )
    with pytest.raises(BadExpectation, match=r"model.loglikelihood\(\) takes a list"):
        model.loglikelihood("Which?", "cow")


def test_a_model_that_cannot_answer_says_why(session):
    with pytest.raises(FairprobeError) as refused:
        Model(session()).generate(["It swims. " * 200])
    assert "did not answer: DoesNotFit(tokens=" in str(refused.value)
    with pytest.raises(NoCheckpoint, match="this test needs a baseline, and none is named"):
        Model(session(), "baseline").generate(["It swims."])


def test_not_shown_is_an_assertion():
    assert issubclass(NotShown, AssertionError)


MANY = Generation(
    [
        {"id": number, "dialect": dialect, "clue": f"{dialect} clue {number}: it swims.", "word": "otter"}
        for number in range(80) for dialect in ("us", "ng")
    ],
    "{clue}", target="word", name="many", pair="id", max_tokens=2,
)  # fmt: skip


@pytest.fixture
def answered():
    """A claim that is soon decided."""
    return valid_rate(MANY).by("dialect") > 0.5


def test_a_full_session_asks_for_what_one_that_stopped_early_spared(session, answered):
    early = session(stop="sequential")
    counts = asked(early, answered)
    assert (counts.distinct, counts.spared + counts.asked) == (160, 160)
    assert 0 < counts.asked <= 120
    assert early.judge(answered).outcome == "pass"
    assert len(early.looked[MANY, "model"].samples) == counts.asked
    whole = session()
    assert asked(whole, answered).asked == counts.spared
    assert whole.judge(answered).samples == 160


def test_what_is_stored_already_changes_no_verdict_that_stops_early(session, answered):
    asked(session(), answered)
    stored = session(stop="sequential")
    assert asked(stored, answered).asked == 0
    fresh = session(stop="sequential", store=stored.settings.store / "another")
    asked(fresh, answered)
    one, other = (each.judge(answered) for each in (stored, fresh))
    assert replace(one, seconds=0.0) == replace(other, seconds=0.0)


def test_checkpoints_change_places_once_a_look(session, checkpoints_folder):
    changing = session(stop="sequential", baseline=str(checkpoints_folder / "chat"))
    opened = []
    claim = accuracy(MANY).change().gap("dialect") < 0.9
    changing.check(claim)
    ask = changing._ask
    changing._ask = lambda role, *given: (opened.append(role), ask(role, *given))[1]
    changing.ask(changing.plan([claim]))
    assert opened[:4] == ["model", "baseline", "baseline", "model"]


def test_what_another_worker_asked_meanwhile_is_judged_too(session, answered):
    """Of two that look at the same time the second finds the first's answers in the store."""
    first, second = session(stop="sequential"), session(stop="sequential")
    for each in (first, second):
        each.check(answered)
    # both have looked once; then the first asks on
    asked(first, answered)
    second.ask(second.plan([answered]))
    one, other = (each.judge(answered) for each in (first, second))
    assert replace(one, seconds=0.0) == replace(other, seconds=0.0)


def test_choices_that_are_asked_in_small_parts_are_asked_again_too(session, tmp_path):
    rows = [
        {"id": number, "question": f"Which is {number}?", "right": number % 2, "dialect": dialect}
        for number in range(100) for dialect in ("us", "ng")
    ]  # fmt: skip
    task = MultipleChoice(
        rows, "{question} {dialect}", options=("cow", "honey"), answer="right", name="letters", pair="id"
    )
    whole, early = session(), session(stop="sequential", store=tmp_path / "elsewhere")
    claim = accuracy(task).gap("dialect") < 0.01
    for each in (whole, early):
        asked(each, claim)
    assert whole.noise["model"].requests == 4
    assert early.noise["model"].requests in {3, 4}


def test_one_of_several_sessions_has_its_checkpoint_in_memory(session):
    one, other = session(), session("chat")
    one.beside = other.beside = [one, other]
    asked(one, accuracy(CLUES).gap("dialect") < 0.5)
    closed = []
    one.close = lambda: closed.append("one")
    asked(other, accuracy(CLUES).gap("dialect") < 0.5)
    assert closed == ["one"]
