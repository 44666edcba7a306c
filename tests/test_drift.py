"""Drift is the divergence from the baseline, weighed token by token on what the model itself writes."""

from __future__ import annotations

import json
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from checkpoints import answered, reference
from fairprobe import kl_from_base, mean, measure, scorers
from fairprobe.engines import open_engine, resolve
from fairprobe.errors import BadData, BadExpectation, EngineError, NoCheckpoint
from fairprobe.requests import Choose, Chosen, DoesNotFit, Failed, Generated, Prompt, Weigh, Weighed
from fairprobe.session import Session
from fairprobe.settings import Settings
from fairprobe.store import Origin, Store
from fairprobe.tasks import Drift, Generation

pytestmark = pytest.mark.usefixtures("one_thread")

BEGINNINGS = ("The river ran", "She asked him", "They had been", "A riddle:", "Question: What do bees", "We done")
ROWS = [{"begin": text, "language": "en_us" if number < 3 else "en_in"} for number, text in enumerate(BEGINNINGS)]
RIVER, DRAWS = "The river", 400
PLAIN = Prompt("The river ran", format="plain")


def spoke(response, target, row):
    return 1.0


def said(rows=ROWS, **named):
    given = {"temperature": 1.0, "max_tokens": 6, "scorer": spoke, "name": "said", "format": "plain"}
    return Generation(rows, "{begin}", **{**given, **named})


def refusal(call, *arguments, kind=BadData):
    with pytest.raises(kind) as refused:
        call(*arguments)
    return str(refused.value)


def dressed(prompt):
    """A prompt as the checkpoints' template dresses it, or as it stands."""
    if prompt.format == "plain":
        return prompt.content
    return f"<|system|>{prompt.system}<|end|><|user|>{prompt.content}<|end|><|assistant|>"


class Reference:
    """What transformers itself gives: each token of a text after a prompt, and what may come next."""

    def __init__(self, path):
        self.model, self.tokenizer = reference(path)

    def ids(self, text):
        return self.tokenizer(text)["input_ids"]

    def logs(self, ids):
        with torch.inference_mode():
            return self.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)

    def weigh(self, prompt, text):
        """The log-probability and the id of each token of the joint text from where it is the prompt's no longer."""
        alone, joint = self.ids(prompt), self.ids(prompt + text)
        start = next((at for at, (a, b) in enumerate(zip(alone, joint, strict=False)) if a != b), len(alone))
        logs = self.logs(joint)
        return np.array([float(logs[at - 1, joint[at]]) for at in range(start, len(joint))]), joint[start:]


def k3(ours, theirs):
    """Schulman's estimate for tokens of these log-probabilities: exp(-r) - 1 + r of the log-ratio r."""
    ratio = ours - theirs
    return np.exp(-ratio) - 1 + ratio


@pytest.fixture(scope="module")
def checkpoints(checkpoints_folder, tmp_path_factory):
    """Folders of `plain`, `chat`, and of `spelt`: `chat` with a tokenizer that merges no letters."""
    spelt = shutil.copytree(checkpoints_folder / "chat", tmp_path_factory.mktemp("drift") / "spelt")
    tokenizer = json.loads((spelt / "tokenizer.json").read_text())
    tokenizer["model"]["merges"] = []
    (spelt / "tokenizer.json").write_text(json.dumps(tokenizer))
    return {**{name: checkpoints_folder / name for name in ("plain", "chat")}, "spelt": spelt}


@pytest.fixture(scope="module")
def references(checkpoints):
    return {name: Reference(path) for name, path in checkpoints.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def asked(checkpoints, store):
    """Asks what a claim needs, of `plain` where no other model is named, and gives the session that did."""
    opened = []

    def ask(claim, baseline="chat", **settings):
        run = Session(Settings(**{
            "model": str(checkpoints["plain"]), "baseline": str(checkpoints[baseline]), "store": store, **settings,
        }))  # fmt: skip
        opened.append(run)
        run.check(claim)
        run.ask(run.plan([claim]))
        return run

    yield ask
    for run in opened:
        run.close()


@pytest.fixture(scope="module")
def found(checkpoints, store):
    """The value of a metric of `plain` against a baseline."""

    def found(metric, baseline="chat"):
        table = measure(metric, model=str(checkpoints["plain"]), baseline=str(checkpoints[baseline]), store=store)
        return table["value"].to_list()

    return found


# -- weighing a text


WEIGHED = [
    Weigh(PLAIN, (" past the mill and under the old stone bridge.",)),
    Weigh(PLAIN, ("\n\n  twice  ",)),
    Weigh(PLAIN, (" mill",)),
    Weigh(PLAIN, (" ",)),
    Weigh(Prompt("The river r", format="plain"), ("an past",)),
    Weigh(Prompt("Who told him?", system="Be brief."), ("She told him.",)),
    Weigh(Prompt("Who told him?", system="Be brief."), (" So",)),
]


def test_each_token_is_weighed_as_transformers_does_it(checkpoints, references):
    company = [Choose(each.prompt, (*each.options, "a cow")) for each in WEIGHED if each.options[0].strip()]
    engine = open_engine("transformers", resolve(str(checkpoints["chat"]), "model", {}), {}, {})
    answers = answered(engine, [*WEIGHED, *company])
    for request in WEIGHED:
        values, ids = references["chat"].weigh(dressed(request.prompt), *request.options)
        assert answers[request].loglikelihoods == pytest.approx(values, abs=1e-4)
        assert list(answers[request].ids) == ids
        assert references["chat"].tokenizer.decode(ids).endswith(request.options)
    assert {type(answers[request]) for request in company} == {Chosen}


def test_a_token_that_prompt_and_text_share_is_weighed_whole(references, checkpoints):
    engine = open_engine("transformers", resolve(str(checkpoints["chat"]), "model", {}), {}, {})
    [request] = [each for each in WEIGHED if each.options == ("an past",)]
    whole = references["chat"].ids("The river ran past")
    assert references["chat"].tokenizer.decode(whole[-2:]) == " ran past"
    assert list(answered(engine, [request])[request].ids) == whole[-2:]


def test_a_text_that_does_not_fit_is_not_weighed(checkpoints):
    engine = open_engine("transformers", resolve(str(checkpoints["chat"]), "model", {}), {}, {})
    request = Weigh(PLAIN, (" moo" * 300,))
    assert isinstance(answered(engine, [request])[request], DoesNotFit)


def test_no_text_cannot_be_weighed(checkpoints):
    engine = open_engine("transformers", resolve(str(checkpoints["chat"]), "model", {}), {}, {})
    assert refusal(engine.encode, Weigh(PLAIN, ("",)), kind=EngineError) == (
        "the option '' has no tokens of its own after 'The river ran'"
    )


@pytest.mark.vllm
def test_engines_agree_on_what_a_token_weighs(checkpoints):
    answers = []
    for name in ("transformers", "vllm"):
        engine = open_engine(name, resolve(str(checkpoints["chat"]), "model", {}), {}, {})
        answers.append(answered(engine, WEIGHED))
        engine.close()
    ours, theirs = answers
    for request in WEIGHED:
        assert theirs[request].ids == ours[request].ids
        assert theirs[request].loglikelihoods == pytest.approx(ours[request].loglikelihoods, abs=1e-4)


def test_the_store_tells_a_text_that_is_weighed_from_one_that_is_chosen(tmp_path):
    origin, kept = Origin("tiny", "f", "n"), Store(tmp_path)
    weigh, choose = Weigh(PLAIN, (" mill",)), Choose(PLAIN, (" mill",))
    answers = {weigh: Weighed((-1.5, -0.25), (7, 9), 4), choose: Chosen((-1.75,), (2,), 4)}
    kept.write(origin, {weigh: answers[weigh]})
    assert kept.read(origin, [choose]) == {}
    kept.write(origin, {choose: answers[choose]})
    assert Store(tmp_path).read(origin, [weigh, choose]) == answers
    assert kept.read(origin, [Weigh(PLAIN, ("mill",)), Weigh(Prompt("The river ran"), (" mill",))]) == {}


# -- the divergence


def drifted(*answers, texts=None, **named):
    """The outcomes of one sample whose answers have these log-probabilities and ids by model and baseline."""
    task = Drift(said(ROWS[:1], **named))
    texts = texts or ["moo"] * len(answers)
    sides = {
        role: [[Weighed(tuple(values[at]), tuple(ids[at]), 4) for values, ids in answers]]
        for at, role in enumerate(("model", "baseline"))
    }
    given = [[Generated(text, True, False, 4, 2) for text in texts]]
    return task.followed(task.load(), given, sides)


SAME = ((7, 8), (7, 8))


def test_it_is_the_probability_ratio_less_one_less_its_logarithm():
    half, quarter = math.log(1 / 2), math.log(1 / 4)
    outcomes = drifted((((half, half), (quarter, 0.0)), SAME))
    assert outcomes.scores["nats"].tolist() == pytest.approx([(0.5 - 1 + math.log(2)) + (2 - 1 - math.log(2))])
    assert outcomes.scores["bits"].tolist() == pytest.approx([0.5 / math.log(2)])
    assert (outcomes.scores["tokens"].tolist(), outcomes.scores["bytes"].tolist()) == ([2.0], [3.0])
    assert outcomes.status.tolist() == ["ok"]


LOGS = st.floats(-30.0, 0.0)


@given(LOGS, LOGS)
def test_no_token_brings_the_baseline_nearer_than_it_is(ours, theirs):
    [nats] = drifted((((ours,), (theirs,)), ((7,), (7,)))).scores["nats"]
    assert nats >= 0
    assert nats == pytest.approx(k3(np.array(ours), np.array(theirs)), rel=1e-9, abs=1e-9)


@given(st.lists(st.tuples(LOGS, LOGS), min_size=2, max_size=6))
def test_answers_of_a_sample_are_summed(pairs):
    each = [(((ours,), (theirs,)), ((7,), (7,))) for ours, theirs in pairs]
    together, alone = drifted(*each).scores, [drifted(one).scores for one in each]
    for name in ("nats", "bits", "tokens", "bytes"):
        assert together[name][0] == pytest.approx(sum(scores[name][0] for scores in alone))


def test_it_is_what_both_checkpoints_give_the_models_own_answers(asked, references, found):
    task = Drift(said(samples=2))
    outcomes = asked(kl_from_base(task) < 1).look(task, "model")
    nats, sizes = np.zeros(len(ROWS)), np.zeros(len(ROWS))
    for at, texts in enumerate(outcomes.texts):
        assert len(texts) == 2
        for text in texts:
            (ours, ids), (theirs, same) = (references[name].weigh(BEGINNINGS[at], text) for name in ("plain", "chat"))
            assert ids == same
            nats[at] += k3(ours, theirs).sum()
            sizes[at] += len(ids)
    size = [sum(len(text.encode()) for text in texts) for texts in outcomes.texts]
    assert outcomes.scores["nats"] == pytest.approx(nats, rel=1e-3)
    assert outcomes.scores["tokens"].tolist() == sizes.tolist()
    assert outcomes.scores["bytes"].tolist() == size
    assert found(kl_from_base(task)) == [pytest.approx(nats.sum() / sizes.sum(), rel=1e-3)]
    assert found(kl_from_base(task, "byte")) == [pytest.approx(nats.sum() / math.log(2) / sum(size), rel=1e-3)]
    assert found(kl_from_base(task).by("language")) == pytest.approx(
        [nats[3:].sum() / sizes[3:].sum(), nats[:3].sum() / sizes[:3].sum()], rel=1e-3
    )


@pytest.fixture(scope="module")
def river(checkpoints, tmp_path_factory):
    """Two checkpoints that go on from `RIVER` by a token that is a text of its own, the one more surely."""
    folder, plain = tmp_path_factory.mktemp("river"), Reference(checkpoints["plain"])
    begun, size = plain.ids(RIVER), len(plain.tokenizer)
    texts = [plain.tokenizer.decode([token], skip_special_tokens=True) for token in range(size)]
    fit = torch.tensor(
        [bool(text.strip()) and plain.ids(RIVER + text) == [*begun, token] for token, text in enumerate(texts)]
    )
    with torch.inference_mode():
        state = plain.model.model(torch.tensor([begun])).last_hidden_state[0, -1]
        head = plain.model.lm_head.weight
        head[~fit] = -60 * state / state.square().sum()
        plain.model.save_pretrained(folder / "sure")
        head[fit] *= 0.8
        plain.model.save_pretrained(folder / "unsure")
    for name in ("sure", "unsure"):
        plain.tokenizer.save_pretrained(folder / name)
    ours, theirs = (Reference(folder / name).logs(begun)[-1].numpy() for name in ("sure", "unsure"))
    task = Drift(said([{"begin": RIVER}], samples=DRAWS, max_tokens=1))
    run = Session(Settings(str(folder / "sure"), str(folder / "unsure"), store=folder / "store"))
    run.check(kl_from_base(task) < 1)
    run.ask(run.plan([kl_from_base(task) < 1]))
    yield SimpleNamespace(ours=ours, theirs=theirs, texts=texts, task=task, run=run)
    run.close()


def test_its_mean_over_many_answers_is_the_divergence(river):
    chances, each = np.exp(river.ours), k3(river.ours, river.theirs)
    exact = (chances * (river.ours - river.theirs)).sum()
    error = math.sqrt((chances * (each - exact) ** 2).sum() / DRAWS)
    scores = river.run.look(river.task, "model").scores
    assert scores["tokens"].tolist() == [DRAWS]
    assert error < exact / 5
    assert scores["nats"][0] / DRAWS == pytest.approx(exact, abs=3 * error)
    assert chances @ each == pytest.approx(exact)


def test_it_is_summed_over_the_very_answers_that_were_drawn(river):
    [drawn] = river.run.look(river.task, "model").texts
    each = dict(zip(river.texts, k3(river.ours, river.theirs), strict=True))
    expected = sum(each[text] for text in drawn)
    assert river.run.look(river.task, "model").scores["nats"][0] == pytest.approx(expected, rel=1e-3)


def test_texts_that_are_equal_are_weighed_once(river):
    [drawn] = river.run.look(river.task, "model").texts
    counts = river.run.by_following
    assert 1 < len(set(drawn)) < DRAWS / 2
    assert (counts.wanted, counts.distinct, counts.asked) == (2 * DRAWS, 2 * len(set(drawn)), 2 * len(set(drawn)))


def test_a_model_that_is_its_own_baseline_has_not_moved(asked, found, tmp_path):
    task = Drift(said(name="own"))
    counts = asked(kl_from_base(task) < 1, "plain", store=tmp_path).by_following
    assert counts.asked == counts.cached == counts.distinct / 2 > 0
    assert found(kl_from_base(task), "plain") == found(kl_from_base(task, "byte"), "plain") == [0.0]
    assert found(kl_from_base(task).by("language"), "plain") == [0.0, 0.0]


def test_the_baseline_weighs_what_the_model_wrote_and_writes_nothing(asked, tmp_path):
    run = asked(kl_from_base(Drift(said())) < 1, store=tmp_path)
    assert run.engine("model").counts["output_tokens"] > 0
    assert run.engine("baseline").counts["output_tokens"] == 0
    assert run.engine("baseline").counts["prefill_tokens"] > 0


# -- a baseline of another tokenizer


def test_other_tokens_are_not_compared(found):
    task = Drift(said(name="unlike"))
    assert refusal(found, kl_from_base(task), "spelt") == (
        "kl_from_base(unlike_drift, 'token'): model and baseline make other tokens of the same text, so no divergence "
        "is told by token; write kl_from_base(unlike_drift, 'byte')"
    )


def unlike(asked, references, **named):
    """The outcomes against `spelt`, and by the references the log-ratio of each sample's answers in bits."""
    task = Drift(said(name="unlike", **named))
    outcomes = asked(kl_from_base(task, "byte") < 1, "spelt").look(task, "model")
    ratios = [
        sum(references["plain"].weigh(begin, text)[0].sum() - references["spelt"].weigh(begin, text)[0].sum()
            for text in texts)
        for begin, texts in zip(BEGINNINGS, outcomes.texts, strict=True)
    ]  # fmt: skip
    return outcomes, np.array(ratios) / math.log(2)


def test_other_tokens_tell_the_log_ratio_of_whole_texts_by_byte(asked, references, found):
    outcomes, bits = unlike(asked, references)
    assert outcomes.scores["bits"] == pytest.approx(bits, rel=1e-4)
    assert np.isnan(outcomes.scores["nats"]).all()
    size = sum(len(text.encode()) for texts in outcomes.texts for text in texts)
    assert found(kl_from_base(Drift(said(name="unlike")), "byte"), "spelt") == [pytest.approx(bits.sum() / size)]


def test_other_tokens_tell_the_log_ratio_of_every_answer(asked, references):
    outcomes, bits = unlike(asked, references, samples=3)
    assert outcomes.scores["bits"] == pytest.approx(bits, rel=1e-4)


def test_answers_of_other_tokens_are_there(asked, references):
    outcomes, _ = unlike(asked, references)
    assert outcomes.status.tolist() == ["ok"] * len(ROWS)


# -- what is asked, kept and told


def test_what_a_generation_asks_is_asked_once_for_both():
    task, run = said(), Session(Settings(model="nowhere"))
    plan = run.plan([mean(task, "spoke") > 0.5, kl_from_base(Drift(task)) < 1])
    assert (plan.wanted, plan.distinct) == (12, 6)
    assert list(plan.requests) == ["model"]


def test_a_second_run_finds_every_answer_again(asked):
    claim = kl_from_base(Drift(said(name="again"))) < 1
    first, second = asked(claim), asked(claim)
    assert first.by_following.distinct == second.by_following.cached == 2 * len(ROWS)
    assert second.by_following.asked == 0
    assert second.judge(claim).decision == first.judge(claim).decision


def test_a_run_tells_its_second_rounds(pytester, checkpoints):
    pytester.makepyfile("""
        from fairprobe import Drift, Generation, kl_from_base

        rows = [{"begin": text} for text in ("The river", "She asked", "They had", "The river")]
        said = Generation(rows, "{begin}", temperature=1.0, max_tokens=4, format="plain", name="said")
        test_drift = kl_from_base(Drift(said), "byte") < 1
    """)
    arguments = ["--model", checkpoints["plain"], "--baseline", checkpoints["chat"], "--fairprobe-report=report"]
    pytester.runpytest_inprocess(*arguments)
    results = json.loads((pytester.path / "report/results.json").read_text())
    [second] = results["rounds"]
    assert (results["requests"]["wanted"], results["requests"]["distinct"]) == (4, 3)
    assert (second["reason"], second["wanted"], second["distinct"], second["asked"]) == ("second rounds", 8, 6, 6)
    assert second["prompt_tokens"] > 0


def test_blank_answers_are_not_weighed():
    task = Drift(said(ROWS[:1], samples=2))
    given = [[Generated(text, True, False, 4, 2) for text in (" \n", " mill\n")]]
    assert task.follow(task.load(), given) == [(Weigh(PLAIN, (" mill\n",)),)]
    assert drifted((((-1.0, -2.0), (-1.0, -3.0)), SAME), texts=[" \n", " mill\n"]).scores["bytes"].tolist() == [6.0]


@pytest.mark.parametrize(("answer", "status"), [(None, "missing"), (Failed("no memory"), "error")])
def test_what_was_not_written_has_no_number_and_its_reason(answer, status):
    task = Drift(said(ROWS[:1]))
    outcomes = task.followed(task.load(), [[answer]], {"model": [[]], "baseline": [[]]})
    assert outcomes.status.tolist() == [status]
    assert all(np.isnan(values).all() for values in outcomes.scores.values())


@pytest.mark.parametrize("lost", [None, Failed("no memory"), DoesNotFit(300, 256)])
@pytest.mark.parametrize("role", ["model", "baseline"])
def test_what_was_not_weighed_by_both_has_no_number(role, lost):
    task = Drift(said(ROWS[:1]))
    weighed = {each: [[Weighed((-1.0,), (7,), 4)]] for each in ("model", "baseline")}
    outcomes = task.followed(task.load(), [[Generated(" mill", True, False, 4, 2)]], {**weighed, role: [[lost]]})
    assert outcomes.status.tolist() == ["missing"]
    assert all(np.isnan(values).all() for values in outcomes.scores.values())


def test_who_scores_the_answers_is_no_matter():
    judged = drifted((((-1.0, -2.0), (-1.0, -3.0)), SAME), scorer=scorers.judged_by("a judge", "Is {response} so?"))
    assert judged.status.tolist() == ["ok"]


# -- what is wrong with it


@pytest.mark.parametrize("of", [said(temperature=0.0), said(temperature=0.7), ROWS])
def test_it_is_of_answers_drawn_from_the_model_as_it_is(of):
    assert refusal(Drift, of) == (
        "Drift takes a Generation whose answers are drawn from the model as it is: Drift(Generation(…, "
        f"temperature=1.0)), not {of!r:.80}" + ("" if of is ROWS else f" at temperature={of.temperature}")
    )


def test_a_divergence_is_of_a_drift():
    assert refusal(kl_from_base, said(), kind=BadExpectation) == (
        "kl_from_base(Drift(task)) takes a task whose answers are weighed, not Generation('said', 6 samples); "
        "write Drift(…)"
    )


def test_a_divergence_is_told_by_token_or_by_byte():
    assert "by 'token' or by 'byte'" in refusal(kl_from_base, Drift(said()), "word", kind=BadExpectation)


def test_a_divergence_needs_a_baseline(checkpoints, tmp_path):
    with pytest.raises(NoCheckpoint, match=r"kl_from_base\(said_drift, 'token'\) < 0.0 needs a baseline, and none is"):
        measure(kl_from_base(Drift(said())), model=str(checkpoints["plain"]), store=tmp_path)


@pytest.mark.parametrize("ask", [lambda metric: metric.change(), lambda metric: metric.relative()])
@pytest.mark.parametrize("metric", [kl_from_base, lambda drift: mean(drift, "nats")])
def test_a_divergence_compares_with_the_baseline_already(metric, ask):
    with pytest.raises(BadExpectation, match="compares with the baseline already"):
        ask(metric(Drift(said())))
