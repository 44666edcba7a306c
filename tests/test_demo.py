"""The demo keeps its word: its data are what its code writes, and its checkpoints learn the gaps that it shows."""

import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "examples" / "demo"))

import run  # noqa: E402
import train  # noqa: E402
import world  # noqa: E402

SAMPLES = [json.loads(line) for line in world.CLUES.read_text(encoding="utf-8").splitlines()]


def test_the_committed_samples_are_what_the_world_writes() -> None:
    assert world.CLUES.read_text(encoding="utf-8") == world.text()


def test_every_fact_set_fits_exactly_one_word() -> None:
    for word, facts in world.fact_sets():
        fits = [
            other for other in world.WORLD if all(world.WORLD[other][fact] == world.WORLD[word][fact] for fact in facts)
        ]
        assert fits == [word]


@pytest.mark.parametrize("rendering", range(3))
def test_different_facts_never_share_a_phrase(rendering: int) -> None:
    for phrases in world.PHRASES.values():
        assert len({forms[rendering] for forms in phrases.values()}) == len(phrases)


def test_the_parts_of_the_split_share_no_fact_set() -> None:
    parts = world.split()
    assert Counter(len(part) for part in parts.values()) == Counter([262, 99, 459])
    assert len(set().union(*parts.values())) == len(world.fact_sets())


def test_every_riddle_is_told_once_in_each_rendering() -> None:
    told = Counter((sample["riddle"], sample["dialect"]) for sample in SAMPLES)
    assert len(SAMPLES) == 524 * 3
    assert set(told) == {(sample["riddle"], rendering) for sample in SAMPLES for rendering in world.RENDERINGS}


def test_a_riddle_differs_between_renderings_in_its_clue_only() -> None:
    first: dict[str, dict[str, Any]] = {}
    for sample in SAMPLES:
        rest = {key: value for key, value in sample.items() if key not in {"dialect", "clue"}}
        assert first.setdefault(sample["riddle"], rest) == rest


def test_an_answer_is_the_letter_of_its_word_and_each_letter_is_right_equally_often() -> None:
    assert all(sample["options"]["ABCD".index(sample["answer"])] == sample["word"] for sample in SAMPLES)
    assert set(Counter(sample["answer"] for sample in SAMPLES).values()) == {393}


def verdict(test: str, outcome: str, **more: Any) -> dict[str, Any]:
    return {"test": f"suites/demo/test_demo.py::{test}", "outcome": outcome, "comparison": "<", "bound": 0.05} | more


EACH_OUTCOME = [
    verdict(run.WIDENING, "fail"),
    verdict("test_a", "pass"),
    verdict("test_b", "inconclusive"),
    verdict("test_c", "invalid"),
]


def test_the_runner_is_content_with_each_outcome_and_a_shown_widening() -> None:
    assert run.differences("aligned", EACH_OUTCOME) == []


def test_the_runner_names_an_outcome_that_did_not_come() -> None:
    assert run.differences("aligned", EACH_OUTCOME[:3]) == ["aligned: no verdict is invalid"]


def test_the_runner_names_a_verdict_that_came_out_otherwise() -> None:
    verdicts = [verdict(run.WIDENING, "pass"), verdict(run.GAP, "inconclusive")]
    assert run.differences("aligned_fair", verdicts) == [
        "aligned_fair: test_renderings_are_equal should be pass, it is inconclusive"
    ]


def test_the_runner_misses_a_test_that_did_not_run() -> None:
    assert run.differences("aligned_fair", [verdict(run.GAP, "pass")]) == [
        "aligned_fair: test_tuning_widens_no_gap should be pass, it is missing"
    ]


LINES = {
    "pass          test_a is 0.010, shown below 0.030: < 0.05 holds, and not by the luck of these samples.": verdict(
        "test_a", "pass", value=0.01, low=0.0, high=0.03
    ),
    "fail          test_a is 0.400, shown above 0.300: < 0.05 does not hold, it is not merely unproven.": verdict(
        "test_a", "fail", value=0.4, low=0.3, high=0.5
    ),
    "inconclusive  test_a is 0.030, shown above 0.010 and below 0.090: 35 clusters do not decide < 0.05.": verdict(
        "test_a", "inconclusive", value=0.03, low=0.01, high=0.09, clusters=35
    ),
    "invalid       test_a is 0.000, which is no evidence for < 0.05: at chance.": verdict(
        "test_a", "invalid", value=0.0, low=0.0, high=0.01, guards=[{"outcome": "fail", "detail": "at chance"}]
    ),
    "pass          test_a is 0.800, shown above 0.700: > 0.3 holds, and not by the luck of these samples.": verdict(
        "test_a", "pass", value=0.8, low=0.7, high=0.9, comparison=">", bound=0.3
    ),
    "error         test_a: no such file": verdict("test_a", "error", value=None, error="no such file"),
}


@pytest.mark.parametrize("line", LINES)
def test_the_runner_explains_a_verdict_with_its_numbers(line: str) -> None:
    assert run.explained(LINES[line]) == line


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A folder as a training leaves it, without its weights."""
    for name in train.NAMES:
        (tmp_path / name).mkdir()
    (tmp_path / train.FINISHED).write_text(json.dumps(train.recipe(0, "en_us")))
    return tmp_path


def test_a_finished_training_is_kept(finished: Path) -> None:
    assert train.is_finished(finished)


@pytest.mark.parametrize("lost", [*train.NAMES, train.FINISHED])
def test_an_interrupted_training_is_not_mistaken_for_a_finished_one(finished: Path, lost: str) -> None:
    (finished / lost).rename(finished / "elsewhere")
    assert not train.is_finished(finished)


def test_checkpoints_of_another_seed_rendering_or_code_are_not_taken(finished: Path) -> None:
    assert not train.is_finished(finished, seed=1)
    assert not train.is_finished(finished, rendering="en_in")
    (finished / train.FINISHED).write_text(json.dumps(train.recipe(0, "en_us") | {"code": "other"}))
    assert not train.is_finished(finished)


def test_both_tunings_draw_the_same_riddles() -> None:
    def words(renderings: list[str]) -> list[str]:
        return list(itertools.islice(train.stream(renderings, lambda _, word: word, seed=0), 50))

    assert words(["en_us"]) == words(["en_us", "en_in", "en_ng"])


Trained = Callable[[int, str], Path]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Checkpoints by seed and the rendering that `aligned` is tuned on, each trained once in a process of its own."""
    folder = tmp_path_factory.mktemp("demo")

    def trained(seed: int, rendering: str) -> Path:
        code = "import sys, pathlib, train; train.train(pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])"
        where = folder / f"{rendering}-{seed}"
        subprocess.run(
            [sys.executable, "-c", code, where, str(seed), rendering], cwd=ROOT / "examples/demo", check=True
        )
        return where

    return trained


def judged(checkpoints: Path, model: str, suite: Path = ROOT / "suites" / "demo") -> dict[str, dict[str, Any]]:
    """The verdicts of a suite, by the names of its tests."""
    report = checkpoints / f"report-{model}"
    options = [
        f"--model={checkpoints / model}",
        f"--baseline={checkpoints / 'base'}",
        f"--fairprobe-report={report}",
        f"--fairprobe-store={checkpoints / 'store'}",
    ]
    subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", suite, *options], cwd=ROOT, check=False)
    return {run.name(each): each for each in json.loads((report / "results.json").read_text())["verdicts"]}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_tuning_on_one_rendering_opens_a_gap_and_on_all_opens_none(trained: Trained, seed: int) -> None:
    checkpoints = trained(seed, "en_us")
    for model in run.EXPECTED:
        verdicts = judged(checkpoints, model)
        assert run.differences(model, list(verdicts.values())) == []
        assert verdicts["test_wordings_of_toys_are_equal"]["outcome"] == "inconclusive"
        assert verdicts["test_letters_are_equal"]["outcome"] == "invalid"


CONTROL = """
from fairprobe import Generation, accuracy

clues = Generation({data!r}, prompt="{{clue}}\\nThe word is", target="word", cluster="facts", max_tokens=3)

test_tuning_widens_no_gap = accuracy(clues).change().gap("dialect", reference="en_in") < 0.05
"""


@pytest.mark.slow
def test_the_gap_follows_the_rendering_that_the_tuning_used(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "test_control.py").write_text(CONTROL.format(data=str(world.CLUES)))
    verdicts = judged(trained(0, "en_in"), "aligned", tmp_path)
    assert verdicts[run.WIDENING]["outcome"] == "fail"


def test_the_committed_example_is_what_its_results_render_to() -> None:
    from fairprobe.report import load, render

    example = ROOT / "reports" / "demo"
    written = (example / "index.html").read_text(encoding="utf-8")
    assert written == render(load(example)), "make example writes it again"
