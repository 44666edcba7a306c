"""Expectations as pytest items: which names are collected, how one is run, and what its report carries."""

from __future__ import annotations

import inspect
import re
import sys
import unittest
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import pytest

from fairprobe.errors import BadExpectation, FairprobeError, NotShown
from fairprobe.judging import judge_now
from fairprobe.pytest_plugin import gaps
from fairprobe.pytest_plugin.candidates import Candidate, called, candidates
from fairprobe.pytest_plugin.record import Record

if TYPE_CHECKING:
    from fairprobe.expressions import Expectation


class ExpectationItem(pytest.Item):
    """One expectation: asked with all others, judged alone."""

    def __init__(
        self, *, expectation: Expectation, variable: str, candidate: Candidate | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.expectation = expectation
        self.candidate = candidate
        self.variable = variable
        self.extra_keyword_matches.update(expectation.words)
        for mark in expectation.terms.marks:
            self.add_marker(getattr(pytest.mark, mark.name).with_args(*mark.args, **dict(mark.kwargs)))

    def setup(self) -> None:
        """Ask everything that is planned, once; a clock on single tests does not count that."""
        if self.config.pluginmanager.hasplugin("timeout"):
            self.config.hook.pytest_timeout_cancel_timer(item=self)
        Record.of(self.config).run_of(self, self.expectation).prepare(self)

    def runtest(self) -> None:
        """Judge the expectation; anything but a green verdict raises `NotShown` with its table."""
        raise_unless_green(Record.of(self.config), self, self.expectation)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A verdict and an error of ours speak for themselves; anything else is a bug and shows its traceback."""
        if isinstance(excinfo.value, (NotShown, FairprobeError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """The line of the expectation, and its source as a heading."""
        whom = f"{self.candidate.name}: " if self.candidate else ""
        return self.path, self._line(), f"{whom}{self.expectation!r}"

    def _line(self) -> int | None:
        lines = list(enumerate(self.path.read_text(encoding="utf-8").splitlines()))
        begins = [rf"class\s+{re.escape(node.name)}\b" for node in self.listchain() if isinstance(node, pytest.Class)]
        # two classes may hold one name: what is looked for lies after its class
        for wanted in (*begins, rf"{re.escape(self.variable)}\s*(:.*)?="):
            places = (place for place, (_, line) in enumerate(lines) if re.match(rf"\s*{wanted}", line))
            lines = lines[next(places, len(lines)) :]
        return lines[0][0] if lines else None


ENTRIES = pytest.StashKey[list[dict[str, Any]]]()
TEXT = pytest.StashKey[str]()


def raise_unless_green(record: Record, item: pytest.Item, expectation: Expectation) -> None:
    """Judge, keep the entry for the report, and raise or warn as the mode says."""
    __tracebackhide__ = True  # the reader wants the table, not how it came about
    try:
        judged = record.run_of(item, expectation).judge(expectation, item.nodeid)
    except FairprobeError as error:
        entry = record.error_entry(item, expectation, str(error))
        item.stash.setdefault(ENTRIES, []).append(entry)
        raise
    item.stash.setdefault(ENTRIES, []).append(judged.entry)
    item.stash[TEXT] = text = gaps.told(item, judged.text)
    if judged.entry["red"]:
        raise NotShown(text)
    if judged.entry["outcome"] != "pass" and not isinstance(item, ExpectationItem):
        # three frames of ours lie between this and the test that asked
        warnings.warn(pytest.PytestWarning(text), stacklevel=4)


@contextmanager
def judging(item: pytest.Item) -> Iterator[None]:
    """While a test runs, the truth of an expectation is its verdict."""

    def judge(expectation: Expectation) -> bool:
        __tracebackhide__ = True
        raise_unless_green(Record.of(item.config), item, expectation)
        return True

    token = judge_now.set(judge)
    try:
        yield
    finally:
        judge_now.reset(token)


def annotated(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> pytest.TestReport:
    """The report with what was judged attached as plain data, so that it survives xdist."""
    entries = item.stash.get(ENTRIES, [])
    if isinstance(item, ExpectationItem):
        if report.failed and call.excinfo and isinstance(call.excinfo.value, FairprobeError):
            # pytest asks `repr_failure` about the call only, and would show its own frames
            report.longrepr = str(call.excinfo.value)
        if report.failed and report.when in {"setup", "call"} and not entries:
            entries = [Record.of(item.config).error_entry(item, item.expectation, report.longreprtext)]
        if report.when == "call" and entries:
            _describe(item, report, entries[0])
    if entries and (report.when == "call" or report.failed):
        gap = gaps.gap_of(item)
        for entry in entries:
            entry["line"] = item.location[1] and item.location[1] + 1
            entry["expected_failure"] = hasattr(report, "wasxfail")
            entry["known_gap"] = gap and gap.plain
        vars(report)["fairprobe"] = entries
        item.stash[ENTRIES] = []
    return report


def collect(collector: pytest.Collector, name: str, obj: object) -> Any:
    """The items of a name in a test module or class; an error for an expectation that pytest would not collect."""
    if "fairprobe.relations" in sys.modules:
        # a relation states something without any expression
        import_module("fairprobe.expressions")
    expressions = sys.modules.get("fairprobe.expressions")
    if expressions is None or not isinstance(collector, (pytest.Module, pytest.Class)):
        return None
    if isinstance(obj, type):
        _refuse_lost_class(collector, name, obj, expressions.Expectation)
        return None
    found = _expectations(name, obj, expressions, collector)
    if not found:
        return None
    if not _is_collected(collector, name):
        msg = (
            f"{collector.nodeid}: {name} = {next(iter(found.values()))!r} would not be collected, since its "
            "name does not "
            f"begin as a test's does. Call it test_{name.strip('_')}; or put it into .guard(…) of the test "
            "that needs it."
        )
        raise collector.CollectError(msg)
    for case, expectation in found.items():
        try:
            gaps.check(expectation)
            expressions.since(expectation)
        except BadExpectation as error:
            msg = f"{collector.nodeid}: {name}{case}: {error}"
            raise collector.CollectError(msg) from None
    among: list[Candidate | None] = [*candidates(collector.config)] or [None]
    return [
        ExpectationItem.from_parent(
            collector, name=name + called(case, candidate), expectation=expectation, variable=name, candidate=candidate
        )
        for case, expectation in found.items()
        for candidate in among
        # none is compared with itself
        if candidate is None or candidate.name != expressions.since(expectation)
    ]


def _expectations(name: str, obj: Any, expressions: Any, collector: pytest.Collector) -> Mapping[str, Expectation]:
    """The expectations that a name holds, by case; raises for those in a shape that would lose them."""
    if _is_collected(collector, name):
        obj = _stated(obj, expressions)
    if isinstance(obj, expressions.Expectation):
        return {"": cast("Expectation", obj)}
    if type(obj) is dict and any(isinstance(held, expressions.Expectation) for held in obj.values()):
        if other := [case for case, held in obj.items() if not isinstance(held, expressions.Expectation)]:
            msg = f"{collector.nodeid}: {name}[{other[0]!r}] is no expectation but {obj[other[0]]!r:.80}"
            raise collector.CollectError(msg)
        return {f"[{_shown(str(case))}]": held for case, held in obj.items()}
    wrapped = _held(obj.args, expressions.Expectation) if isinstance(obj, pytest.MarkDecorator) else None
    if wrapped is not None:
        msg = (
            f"{collector.nodeid}: {name} is an expectation wrapped in a mark, which pytest would not collect. "
            f"Write {name} = {_marked(wrapped, obj)}"
        )
        raise collector.CollectError(msg)
    # rows of data are not searched through and through
    lost = _held(obj, expressions.Expectation, depth=2 if _is_collected(collector, name) else 1)
    if lost is not None:
        kind = "dict of containers" if isinstance(obj, dict) else type(obj).__name__
        msg = (
            f"{collector.nodeid}: {name} is a {kind} of expectations, whose cases have no names. "
            f"Write a dict: {name} = {{'en_in': {lost!r}, …}}"
        )
        raise collector.CollectError(msg)
    unbound = isinstance(obj, (expressions.Metric, expressions.Question))
    if unbound and _is_collected(collector, name):
        msg = f"{collector.nodeid}: {name} = {obj!r} has no bound, so it tests nothing. Write {name} = {obj!r} < 0.05"
        raise collector.CollectError(msg)
    return {}


def _stated(obj: Any, expressions: Any) -> Any:
    """What a relation, or a metric of flips without a bound, states, that no case fails; other things as they are."""
    if type(obj) is dict:
        return {case: _stated(held, expressions) for case, held in obj.items()}
    asked = obj._asked() if isinstance(obj, (expressions.Metric, expressions.Question)) else None
    flips = asked is not None and asked.kind == "overall" and getattr(asked.metric, "function", "") == "flip_rate"
    relations = sys.modules.get("fairprobe.relations")
    if not flips and (relations is None or not isinstance(obj, relations.Relational)):
        return obj
    from fairprobe.metrics import found

    return found(asked.metric.task, asked.terms) if asked is not None else found(obj)


def _shown(case: str) -> str:
    """A case's name as pytest shows those of parameters: what moves a cursor or has no shape is escaped."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in case)


def _is_collected(collector: pytest.Collector, name: str) -> bool:
    """Whether pytest would take the name for a test's."""
    return isinstance(collector, (pytest.Module, pytest.Class)) and collector.funcnamefilter(name)


def _held(obj: Any, kind: type, depth: int = 1) -> Any:
    """The first expectation that lies in a container, and in as many more inside it; None where there is none."""
    if isinstance(obj, kind):
        return obj
    # only what is one of these and nothing more: to look into a container of a library's own may do anything
    inner = obj.values() if type(obj) is dict else obj if type(obj) in {list, tuple, set, frozenset} else ()
    return next((found for each in inner if depth and (found := _held(each, kind, depth - 1)) is not None), None)


def _marked(expectation: Expectation, mark: pytest.MarkDecorator) -> str:
    """The line to write for an expectation that a mark was put around."""
    if mark.name == "parametrize":
        return f"{{'case': {expectation!r}, …}}, a dict that names its cases"
    from fairprobe.expressions import Marked

    own = tuple(each for each in mark.args if each is not expectation)
    return f"({expectation!r}).marked({Marked(mark.name, own, tuple(sorted(mark.kwargs.items())))!r})"


def _refuse_lost_class(collector: pytest.Collector, name: str, obj: type, kind: type) -> None:
    """A class that pytest does not collect, or that unittest collects, would lose its expectations."""
    if getattr(obj, "__test__", None) is False or obj.__module__ != _module_name(collector):
        return
    held = [key for key, value in vars(obj).items() if _held(value, kind) is not None]
    if not held:
        return
    assert isinstance(collector, (pytest.Module, pytest.Class))
    lost = (
        not collector.classnamefilter(name) or issubclass(obj, unittest.TestCase) or obj.__init__ is not object.__init__
    )
    if lost:
        msg = (
            f"{collector.nodeid}: class {name} holds the expectation {held[0]} and would not be collected. "
            f"Call it Test{name.removesuffix('Tests').removesuffix('Test')}, without a base class or __init__."
        )
        raise collector.CollectError(msg)


def _module_name(collector: pytest.Collector) -> str | None:
    module = collector.getparent(pytest.Module)
    return None if module is None else inspect.getmodule(module.obj).__name__ if inspect.ismodule(module.obj) else None  # type: ignore[union-attr]


def _describe(item: pytest.Item, report: pytest.TestReport, entry: Mapping[str, Any]) -> None:
    """What JUnit's XML and the letters and sections of the terminal are made of."""
    vars(report)["fairprobe_outcome"] = entry["outcome"]
    vars(report)["fairprobe_text"] = item.stash.get(TEXT, report.longreprtext)
    shown = ("outcome", "value", "low", "high", "comparison", "bound", "confidence", "clusters", "between")
    given = ((name, entry[name]) for name in shown)
    properties: list[tuple[str, object]] = [
        (f"fairprobe_{name}", str(held)) for name, held in given if held is not None
    ]
    report.user_properties += properties
    # JUnit's XML is made of the last report, which is still to come
    item.user_properties += properties
