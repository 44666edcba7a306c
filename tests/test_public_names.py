"""What users import is documented, light to import, and of one family of errors."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys

import pytest

import fairprobe
from fairprobe import FairprobeError
from fairprobe.expressions import Expectation, Metric, Question

CALLED = (
    "accuracy",
    "exact_match",
    "mean",
    "valid_rate",
    "Generation",
    "MultipleChoice",
    "Recorded",
    "Score",
    "measure",
)
METHODS = [
    (owner, name)
    for owner, names in {
        Metric: (
            "where",
            "matched",
            "change",
            "gap",
            "by",
            "ratio",
            "at",
            "guard",
            "waive",
            "because",
            "mode",
            "marked",
        ),
        Question: ("at", "guard", "waive", "because", "mode", "marked"),
        Expectation: ("at", "guard", "waive", "because", "mode", "marked"),
    }.items()
    for name in names
]
ERRORS = ("BadData", "BadExpectation", "EngineError", "NoCheckpoint", "StoreError", "UnknownGroup")


def has_example(thing):
    return bool(doctest.DocTestParser().get_examples(inspect.getdoc(thing) or ""))


@pytest.mark.parametrize("name", fairprobe.__all__)
def test_every_name_says_what_it_is(name):
    said = inspect.getdoc(getattr(fairprobe, name))
    assert said
    assert said.splitlines()[0].rstrip().endswith((".", ":"))


@pytest.mark.parametrize("name", CALLED)
def test_what_is_called_has_an_example(name):
    assert has_example(getattr(fairprobe, name))


@pytest.mark.parametrize(("owner", "name"), METHODS, ids=lambda each: getattr(each, "__name__", each))
def test_what_is_written_after_a_metric_has_an_example(owner, name):
    assert has_example(getattr(owner, name))


def test_scorers_have_examples():
    for name in ("exact_match", "contains", "regex"):
        assert has_example(getattr(fairprobe.scorers, name))


def test_the_names_are_sorted_and_all_there():
    assert fairprobe.__all__ == sorted(fairprobe.__all__, key=lambda name: (name.islower(), name))
    assert dir(fairprobe) == sorted([*fairprobe.__all__, "__version__"])
    with pytest.raises(AttributeError, match="module 'fairprobe' has no attribute 'accurracy'"):
        fairprobe.accurracy  # noqa: B018


def test_an_error_is_caught_with_its_family():
    for name in ERRORS:
        assert issubclass(getattr(fairprobe, name), FairprobeError)
    assert issubclass(fairprobe.UnknownGroup, fairprobe.BadData)
    assert not issubclass(fairprobe.NotShown, FairprobeError), "a verdict is no mistake"


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("BadData", ValueError),
        ("BadExpectation", TypeError),
        ("EngineError", RuntimeError),
        ("NoCheckpoint", LookupError),
        ("StoreError", OSError),
        ("UnknownGroup", KeyError),
        ("NotShown", AssertionError),
    ],
)
def test_an_error_is_of_the_kind_that_python_has_for_it(name, builtin):
    error = getattr(fairprobe, name)("what to do")
    assert isinstance(error, builtin)
    assert str(error) == "what to do"


def loaded(code):
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            f"import sys; before = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_it_loads_nothing_but_itself():
    assert loaded("import fairprobe") - set(sys.stdlib_module_names) == {"fairprobe"}


def test_naming_a_metric_loads_no_model_library():
    assert not loaded("from fairprobe import Generation, accuracy") & {
        "torch",
        "transformers",
        "pytest",
        "rich",
        "jinja2",
    }


def test_measuring_loads_no_model_library_before_a_model_is_asked():
    assert not loaded("from fairprobe import measure") & {"torch", "transformers", "pytest"}
