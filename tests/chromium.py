"""A real Chromium as fixtures, for a module that says `pytest_plugins = ["chromium"]`: any HTML, opened from a file."""

from __future__ import annotations

import contextlib
import os
import shutil
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WANTED = {
    "no Chromium here: apt-get install chromium": CHROMIUM,
    "no Playwright or axe here: pip install -r requirements/browser.txt": (
        find_spec("playwright") and find_spec("axe_playwright_python")
    ),
}


class OpenPage(Protocol):
    """Opens HTML in a window of its own, with the network cut, at a place of the page."""

    def __call__(self, html: str, at: str = "", width: int = 1280, **context: Any) -> Page: ...


# of a module, not of the session: while Playwright lives, nothing else in this process may run an event loop
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    for reason in (reason for reason, found in WANTED.items() if not found):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[OpenPage]:
    numbers = count(1)

    def open_page(html: str, at: str = "", width: int = 1280, **context: Any) -> Page:
        file = tmp_path / f"page-{next(numbers)}.html"
        file.write_text(html, encoding="utf-8")
        options = {"offline": True, "viewport": {"width": width, "height": 900}, **context}
        page = windows.enter_context(contextlib.closing(browser.new_context(**options))).new_page()
        page.goto(file.as_uri() + at)
        return page

    with contextlib.ExitStack() as windows:
        yield open_page
