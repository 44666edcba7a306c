"""The page in a real Chromium, spoken to over its debugging pipe: no sideways scroll, no complaint, no request."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fairprobe.report.page import render
from results_example import results

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium here: apt-get install chromium"
    ),
]


class Browser:
    """A headless Chromium: commands in, results out, events kept."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self.to_browser, self.from_browser = to_browser, from_browser
        self.events: list[dict[str, Any]] = []
        self.buffer, self.last, self.session = b"", 0, None

    def open(self, url: str) -> None:
        """Show a page in a fresh tab and wait until it is loaded."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.send(f"{domain}.enable")
        self.events.clear()
        self.send("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._read()

    def look(self, width: int, scheme: str = "light", media: str = "screen") -> None:
        """Take a width and a colour scheme."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", media=media, features=features)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, run by the debugger: the page itself runs none."""
        return self.send("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page as a picture."""
        data = self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def print(self, path: Path) -> None:
        """The page as it is printed."""
        self.send("Emulation.setEmulatedMedia", media="", features=[])
        path.write_bytes(base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"]))

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the DevTools protocol and its result."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if self.session and not method.startswith("Target."):
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self.last:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _read(self, patience: float = 60.0) -> dict[str, Any]:
        end = time.monotonic() + patience
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.from_browser], [], [], max(0.0, end - time.monotonic()))
            chunk = os.read(self.from_browser, 1 << 20) if ready else b""
            assert chunk, "Chromium said nothing"
            self.buffer += chunk
        raw, _, self.buffer = self.buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        if "method" in message:
            self.events.append(message)
        return message


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A Chromium that lives as long as the block."""
    assert CHROMIUM is not None, "CI must have a Chromium"
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    # Chromium reads commands from 3 and writes answers to 4
    command = f'exec "$0" "$@" 3<&{their_in} 4>&{their_out}'
    process = subprocess.Popen(
        ["bash", "-c", command, CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(their_in, their_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(their_in)
    os.close(their_out)
    try:
        yield Browser(our_out, our_in)
    finally:
        process.terminate()
        process.wait(20)
        os.close(our_out)
        os.close(our_in)


STICKING_OUT = """
[...document.querySelectorAll('main *, header *')]
  .filter(e => !e.closest('.scroll, .command, svg, .skip') && e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.outerHTML.slice(0, 80))
"""
FOLDED = """
[...document.querySelectorAll('details:not([open])')].map(d => d.lastElementChild.getBoundingClientRect().height)
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    page = tmp_path_factory.mktemp("page") / "index.html"
    page.write_text(render(results()), encoding="utf-8")
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        browser.open(page.as_uri())
        yield browser


@pytest.mark.parametrize("width", [1280, 640, 380, 320])
def test_the_page_never_scrolls_sideways(browser: Browser, width: int) -> None:
    browser.look(width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    # what would stick out although nothing scrolls there
    assert browser.evaluate(STICKING_OUT) == []


def test_nothing_is_requested_and_nothing_complains(browser: Browser) -> None:
    asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert len(asked) == 1
    assert asked[0].startswith("file://")
    complaints = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Audits.issueAdded"}
    assert [event for event in browser.events if event["method"] in complaints] == []


def test_the_style_is_applied_under_the_policy(browser: Browser) -> None:
    browser.look(1280)
    assert browser.evaluate("getComputedStyle(document.querySelector('.expectation')).display") == "grid"


CONTRAST = """(() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length == 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const low = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walk.nextNode();) {
    const e = node.parentElement;
    if (!node.textContent.trim() || e.tagName == 'title') continue;
    const style = getComputedStyle(e), svg = e.closest('svg');
    const grounds = [behind(e)];
    if (svg && svg.querySelector('.holds')) grounds.push(parse(getComputedStyle(svg.querySelector('.holds')).fill));
    for (const ground of grounds) {
      const [a, b] = [light(parse(svg ? style.fill : style.color)), light(ground)].sort((x, y) => y - x);
      if ((a + .05) / (b + .05) < 4.5) low.push(e.outerHTML.slice(0, 80));
    }
  }
  return [...new Set(low)];
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_of_level_aa(browser: Browser, scheme: str) -> None:
    browser.look(1280, scheme)
    assert browser.evaluate(CONTRAST) == []


def test_the_keyboard_reaches_the_expectations_first(browser: Browser) -> None:
    browser.look(1280)
    for kind in ("keyDown", "keyUp"):
        browser.send("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert browser.evaluate("document.activeElement.getAttribute('href')") == "#expectations"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    browser.evaluate("document.activeElement.blur()")


def test_folded_parts_are_printed(browser: Browser) -> None:
    browser.look(900, media="print")
    heights = browser.evaluate(FOLDED)
    browser.look(1280)
    assert heights
    assert min(heights) > 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_it_can_be_looked_at(browser: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    """With FAIRPROBE_SCREENSHOTS=folder the pictures stay there."""
    folder = Path(os.environ.get("FAIRPROBE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    browser.look(width, scheme)
    picture = folder / f"page-{width}-{scheme}.png"
    browser.screenshot(picture)
    browser.print(folder / "page.pdf")
    assert picture.stat().st_size > 50_000
