"""The page in a real Chromium: what it asks for, how it lies, who can use it, and how soon it is there."""

from __future__ import annotations

import os
import re
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from fairprobe.report.page import render
from results_example import HOSTILE, results

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from chromium import OpenPage

pytest_plugins = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

UNFOLD = "document.querySelectorAll('details').forEach(each => each.open = true)"


@pytest.fixture(scope="module")
def report() -> str:
    return render(results())


# What it asks for


def complaints(page: Page) -> list[str]:
    """What the page wrote to the console, what it threw, and what Chromium's audits hold against it."""
    issues: list[str] = []
    audits = page.context.new_cdp_session(page)
    # issues from before are told as soon as they are asked for
    audits.on("Audits.issueAdded", lambda event: issues.append(event["issue"]["code"]))
    audits.send("Audits.enable")
    return [*(each.text for each in page.console_messages()), *map(str, page.page_errors()), *issues]


def test_it_opens_without_a_network_asks_for_nothing_more_and_complains_of_nothing(
    open_page: OpenPage, report: str
) -> None:
    page = open_page(report)
    assert [request.url for request in page.requests()] == [page.url]
    assert page.url.startswith("file://")
    assert complaints(page) == []


def test_a_page_that_reaches_out_and_runs_a_script_is_found_out(open_page: OpenPage, report: str) -> None:
    page = open_page(report.replace("</main>", "<script>alert(1)</script><img src='http://example.org/a.png'></main>"))
    assert len(page.requests()) == 2
    assert len(complaints(page)) == 4  # the console's and the audits', of each


def test_the_style_is_applied_under_the_policy(open_page: OpenPage, report: str) -> None:
    first = open_page(report).locator(".expectation").first
    assert first.evaluate("each => getComputedStyle(each).display") == "grid"


# How it lies

STICKING_OUT = """
[...document.querySelectorAll('main *, header *')]
  .filter(e => !e.closest('.scroll, .command, svg, .skip') && e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.outerHTML.slice(0, 80))
"""


@pytest.mark.parametrize("zoom", [1, 2])
@pytest.mark.parametrize("width", [1280, 640, 380, 320])
def test_it_never_scrolls_sideways(open_page: OpenPage, report: str, width: int, zoom: int) -> None:
    """A window of 1280 pixels at 200 % is one of 640 with two pixels to each."""
    page = open_page(report, width=width, device_scale_factor=zoom)
    for unfold in ("", UNFOLD):
        page.evaluate(unfold)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # what would stick out although nothing scrolls there
        assert page.evaluate(STICKING_OUT) == []


def brightness(page: Page) -> int:
    colour = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    return max(map(int, re.findall(r"\d+", colour)))


def test_it_is_dark_for_those_who_want_it_dark(open_page: OpenPage, report: str) -> None:
    assert brightness(open_page(report, color_scheme="dark")) < 50
    assert brightness(open_page(report, color_scheme="light")) > 200


# a folded part has a height even where it is not shown: ask whether it is
FOLDED = "[...document.querySelectorAll('details:not([open])')].map(each => each.lastElementChild.checkVisibility())"


def test_folded_parts_are_printed(open_page: OpenPage, report: str) -> None:
    page = open_page(report, width=900)
    assert set(page.evaluate(FOLDED)) == {False}
    page.emulate_media(media="print")
    assert set(page.evaluate(FOLDED)) == {True}


# Who can use it

AXE = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


def violations(page: Page) -> list[str]:
    """What axe-core holds against the page, each with the place and the reason."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{rule['id']} at {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in Axe().run(page, options=AXE).response["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_axe_finds_nothing_to_object_to(open_page: OpenPage, report: str, width: int, scheme: str) -> None:
    page = open_page(report, width=width, color_scheme=scheme)
    assert violations(page) == []
    page.evaluate(UNFOLD)
    assert violations(page) == []


def test_axe_objects_to_a_page_that_is_hard_to_read(open_page: OpenPage) -> None:
    page = open_page("<!doctype html><html lang=en><title>a</title><main><h1 style='color: #999'>Grey</h1></main>")
    assert [each.partition(" ")[0] for each in violations(page)] == ["color-contrast"]


# axe-core leaves text on pictures undecided
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
  for (const e of document.querySelectorAll('svg text')) {
    const picture = e.closest('svg'), holds = picture.querySelector('.holds');
    const grounds = [behind(e), ...(holds ? [parse(getComputedStyle(holds).fill)] : [])];
    for (const ground of grounds) {
      const [a, b] = [light(parse(getComputedStyle(e).fill)), light(ground)].sort((x, y) => y - x);
      if ((a + .05) / (b + .05) < 4.5) low.push(e.outerHTML.slice(0, 80));
    }
  }
  return low;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_text_of_pictures_has_the_contrast_of_level_aa(open_page: OpenPage, report: str, scheme: str) -> None:
    page = open_page(report, color_scheme=scheme)
    assert page.evaluate(CONTRAST) == []
    assert page.locator("svg text").count() > 20


def test_it_needs_no_javascript(open_page: OpenPage, report: str) -> None:
    page = open_page(report, java_script_enabled=False)
    assert page.locator("h1").is_visible()
    assert page.locator(".expectation").last.locator(".finding").is_visible()
    summary = page.query_selector("details:not([open]) > summary:visible")
    assert summary is not None
    folded = summary.query_selector("xpath=following-sibling::*")
    assert folded is not None
    assert not folded.is_visible()
    summary.press("Enter")
    assert folded.is_visible()


def test_the_keyboard_skips_to_the_expectations_first(open_page: OpenPage, report: str) -> None:
    page = open_page(report)
    skip, first = page.locator(".skip"), page.locator("#expectations")
    page.keyboard.press("Tab")
    assert skip.evaluate("each => each == document.activeElement && each.getBoundingClientRect().left >= 0")
    page.keyboard.press("Enter")
    assert page.url.endswith("#expectations")
    assert abs(first.evaluate("each => each.getBoundingClientRect().top")) < 20
    page.keyboard.press("Tab")
    assert first.locator(":focus").count() == 1


STOP = """(() => {
  const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e);
  return {
    place: e == document.body ? -1 : [...document.querySelectorAll('*')].indexOf(e),
    html: e.outerHTML.slice(0, 80),
    seen: box.width > 0 && box.height > 0 && box.left >= 0 && box.right <= innerWidth + 1
      && box.top + scrollY >= 0 && box.top < innerHeight && box.bottom > 0,
    marked: style.outlineStyle != 'none' && parseFloat(style.outlineWidth) >= 2,
  };
})()"""
FOCUSABLE = """
[...document.querySelectorAll('*')].flatMap((e, place) =>
  e.matches('a[href], summary, .scroll') && e.checkVisibility() ? [place] : [])
"""


def stops(page: Page) -> list[dict[str, Any]]:
    """Where the tabulator key stops, from the top of the page to its end."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["place"] >= 0:
        page.keyboard.press("Tab")
        found.append(page.evaluate(STOP))
    return found[:-1]


@pytest.mark.parametrize("width", [1280, 380])
def test_the_keyboard_stops_in_the_order_of_the_page_where_it_can_be_seen(
    open_page: OpenPage, report: str, width: int
) -> None:
    page = open_page(report, width=width)
    found = stops(page)
    assert [each["html"] for each in found if not (each["seen"] and each["marked"])] == []
    places = [each["place"] for each in found]
    assert places == sorted(places)
    assert set(places) >= set(page.evaluate(FOCUSABLE))
    assert page.locator(".scroll").count() > 5


# Where links lead

MARK = "each => getComputedStyle(each, '::before').content"


def test_a_link_to_an_expectation_shows_and_marks_it(open_page: OpenPage, report: str) -> None:
    page = open_page(report, at="#test_dialect_gap")
    target = page.locator("#test_dialect_gap")
    assert 0 <= target.evaluate("each => each.getBoundingClientRect().top") < 50
    assert target.evaluate("each => each.matches(':target')")
    assert target.evaluate(MARK) != "none"
    assert page.locator(".expectation:not(:target)").first.evaluate(MARK) == "none"


def test_a_link_into_a_folded_part_unfolds_it(open_page: OpenPage, report: str) -> None:
    folded = open_page(report).locator("details:not([open]) [id]")
    if not folded.count():
        pytest.skip("nothing in a folded part has an id to link to")
    name = folded.first.get_attribute("id")
    page = open_page(report, at=f"#{quote(name)}")
    target = page.locator(f'[id="{name}"]')
    assert target.evaluate("each => each.closest('details').open")
    assert 0 <= target.evaluate("each => each.getBoundingClientRect().top") < 900


# What filters leave


def shown(page: Page, selector: str) -> int:
    """How many of these can be seen."""
    return sum(each.is_visible() for each in page.locator(selector).all())


def test_a_filter_shows_one_outcome_alone_and_says_so(open_page: OpenPage, report: str) -> None:
    page = open_page(report, java_script_enabled=False)
    assert (shown(page, ".expectation"), shown(page, ".only")) == (9, 0)
    page.locator(".filter", has_text="fail").first.click()
    assert page.url.endswith("#only-fail")
    assert (shown(page, ".expectation"), shown(page, ".expectation.fail")) == (2, 2)
    assert shown(page, ".missed:not(.fail)") == 0
    assert page.locator(".only:visible").inner_text() == "Only outcome fail is shown. Show everything"
    page.locator(".only:visible a").click()
    assert shown(page, ".expectation") == 9


def test_a_group_is_shown_alone_in_tables_and_among_samples(open_page: OpenPage, report: str) -> None:
    page = open_page(report, at="#only-en_in")
    page.evaluate(UNFOLD)
    names = page.locator("table.heatmap tbody tr:visible th").all_inner_texts()
    assert "en_in" in names
    assert {"en_us", "en_sg"}.isdisjoint(names)
    assert "swh" in names, "it is no group of the same columns"
    assert {each.split()[0] for each in page.locator(".sample:visible .who b").all_inner_texts()} >= {"en_in", "swh"}
    assert "en_us" not in page.locator(".sample:visible .who b").all_inner_texts()


def test_a_filter_is_an_address_that_opens_as_it_was(open_page: OpenPage, report: str) -> None:
    page = open_page(report, at="#only-invalid")
    assert shown(page, ".expectation") == shown(page, ".expectation.invalid") == 1
    assert page.locator(".only:visible").evaluate("each => each.getBoundingClientRect().top") >= 0
    page.evaluate("location.hash = '#test_dialect_gap'")
    assert shown(page, ".expectation") == 9


def test_a_link_to_a_sample_shows_and_marks_it(open_page: OpenPage, report: str) -> None:
    page = open_page(report)
    place = page.locator(".sample").nth(1).get_attribute("id")
    page = open_page(report, at=f"#{quote(place or '')}")
    target = page.locator(f'[id="{place}"]')
    assert 0 <= target.evaluate("each => each.getBoundingClientRect().top") < 900
    assert target.evaluate("each => getComputedStyle(each).outlineStyle") == "solid"


# What others wrote


@pytest.mark.parametrize("width", [1280, 380])
@pytest.mark.parametrize(
    "said",
    [f"{HOSTILE} " * 20, "x" * 5000, "\u05e9\u05dc\u05d5\u05dd " * 300, "Z\u0351\u036b\u0343" * 500, "\u202egnp " * 50],
)
def test_hostile_text_runs_nothing_and_breaks_no_layout(open_page: OpenPage, width: int, said: str) -> None:
    run = results()
    for verdict in run["verdicts"][:4]:
        verdict["test"] = f"t.py::test_it[{said}]"
        verdict["caveats"] = verdict["because"] = [said]
        verdict["groups"] = [{**group, "group": {"g": f"{n} {said}"}} for n, group in enumerate(verdict["groups"])]
        verdict["failures"] = [
            {**each, "prompt": said, "response": said, "target": said, "pair": said} for each in verdict["failures"]
        ]
    page = open_page(render(run), width=width)
    assert len(page.requests()) == 1
    assert complaints(page) == []
    page.evaluate(UNFOLD)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(STICKING_OUT) == []


# How soon it is there


def large_page() -> str:
    """Forty verdicts, each on 122 groups, with all that the example has beside."""
    run = results()
    models = [each for each in run["verdicts"] if each["groups"] and each["columns"]]
    run["verdicts"] = [_large(each, n) for n, each in enumerate(islice(cycle(models), 40))]
    return render(run)


def _large(verdict: dict[str, Any], n: int) -> dict[str, Any]:
    (task,) = verdict["tasks"]
    column, group = verdict["columns"][0], verdict["groups"][0]
    return verdict | {
        "test": f"{verdict['test']}_{n}",
        "columns": [column],
        "claim": verdict["claim"].replace(task, f"{task}_{n}"),
        "tasks": [f"{task}_{n}"],
        "groups": [group | {"group": {column: f"group-{i:03}"}} for i in range(122)],
        "between": ["group-000", "group-001"],
        "reference": None,
    }


PAINT = "performance.getEntriesByName('first-contentful-paint').map(paint => paint.startTime)[0]"


def first_paint(page: Page) -> float:
    """Milliseconds from the start of the page to its first text on the screen."""
    page.wait_for_function(PAINT)
    return float(page.evaluate(PAINT))


def test_a_large_page_paints_within_a_second(open_page: OpenPage) -> None:
    html = large_page()
    assert 1_000_000 < len(html.encode()) < 1_500_000
    assert min(first_paint(open_page(html)) for _ in range(3)) < 1000


LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"


def test_a_large_page_is_laid_out_in_a_few_seconds(open_page: OpenPage) -> None:
    page = open_page(large_page())
    page.wait_for_function(LOADED)
    assert page.evaluate(LOADED) < 4000


# To be looked at


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where the pictures stay with FAIRPROBE_SCREENSHOTS=folder; CI keeps them."""
    folder = Path(os.environ.get("FAIRPROBE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 380])
def test_it_can_be_looked_at(open_page: OpenPage, report: str, pictures: Path, width: int, scheme: str) -> None:
    page = open_page(report, width=width, color_scheme=scheme)
    picture = page.screenshot(path=pictures / f"page-{width}-{scheme}.png", full_page=True)
    assert len(picture) > 50_000


def test_it_prints_on_several_pages(open_page: OpenPage, report: str, pictures: Path) -> None:
    printed = open_page(report).pdf(path=pictures / "page.pdf", format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 3
