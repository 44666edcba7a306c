"""The pytest face: hooks, each handing over at once. Loading it imports the standard library and pytest only."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from fairprobe.pytest_plugin import candidates, gaps, items, options, terminal
from fairprobe.pytest_plugin.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from fairprobe.measuring import Model


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, None, None]:
    with options.short_names(early_config, parser, args):
        yield


def pytest_configure(config: pytest.Config) -> None:
    options.check_power(config)
    candidates.check(config)
    config.stash[Record.KEY] = record = Record(config)
    config.pluginmanager.register(record, "fairprobe-record")
    config.pluginmanager.register(terminal.Sections(), "fairprobe-sections")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # None leaves it to others
    return options.is_checkpoint(config, collection_path) or None


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> Any:
    return items.collect(collector, name, obj)


def pytest_itemcollected(item: pytest.Item) -> None:
    gaps.settle(item)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    with Record.of(config).refusing():
        Record.of(config).deselect(items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    with Record.of(session.config).refusing():
        Record.of(session.config).plan(session.items)


def pytest_report_collectionfinish(config: pytest.Config) -> Sequence[str]:
    return Record.of(config).plan_lines


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    # nothing is run where only power is asked for; pytest itself stops where modules could not be collected
    goes_on = not session.testsfailed or session.config.option.continue_on_collection_errors
    return (options.asks_nothing(session.config) and goes_on) or None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with items.judging(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return items.annotated(item, call, (yield))


def pytest_report_teststatus(report: pytest.TestReport) -> Any:
    return terminal.status(report)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    yield
    terminal.lines(terminalreporter)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    Record.of(session.config).finish(session)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    Record.of(node.config).prepare_worker(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    terminal.worker_planned(node.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    Record.of(node.config).hear(node)


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    candidates.parametrize(metafunc)


@pytest.fixture(scope="session")
def model(request: pytest.FixtureRequest, pytestconfig: pytest.Config) -> Model:
    """The checkpoint under test, for tests that ask it themselves: `model.generate(["…"])`."""
    return Record.of(pytestconfig).run(getattr(request, "param", None)).role("model")


@pytest.fixture(scope="session")
def baseline(pytestconfig: pytest.Config) -> Model:
    """The checkpoint that the model is compared with, for tests that ask it themselves."""
    return Record.of(pytestconfig).run(candidates.first(pytestconfig)).role("baseline")
