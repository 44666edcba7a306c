"""Pages lead where they say, on GitHub as on the site, and the API's page lacks no name."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

import fairprobe
from pages import PAGES, ROOT, anchors, links

API = re.findall(r"^::: (\S+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)


def named(path: str) -> Any:
    """What a dotted path names: a module, or what one has."""
    module, _, name = path.rpartition(".")
    home = import_module(module)
    return getattr(home, name) if hasattr(home, name) else import_module(path)


def broken(page: Path) -> list[str]:
    """The links of a page to a file or an anchor that does not exist; addresses elsewhere are not looked up."""
    found = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_an_anchor_that_exist(page: Path) -> None:
    assert broken(page) == []


def test_a_link_to_no_file_or_no_heading_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One `two`\n[a](#one-two) [b](#three) [c](nowhere.md) ![d](nothing.png) [e](https://example.org)\n"
    )
    assert broken(page) == ["#three", "nowhere.md", "nothing.png"]


@pytest.mark.parametrize("name", fairprobe.__all__)
def test_every_public_name_stands_in_the_page_of_the_api(name: str) -> None:
    (path,) = [each for each in API if each.rpartition(".")[2] == name and not each.startswith("fairprobe.expressions")]
    assert named(path) is getattr(fairprobe, name)


@pytest.mark.parametrize("path", API)
def test_the_page_of_the_api_names_nothing_that_is_not_there(path: str) -> None:
    assert named(path) is not None


def test_every_page_is_in_the_navigation_of_the_site_or_on_its_way_there() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    in_it = set(re.findall(r": (\S+\.md)$", navigation, re.MULTILINE))
    assert {page.name for page in ROOT.glob("docs/*.md")} - in_it == set()


def test_the_site_is_told_to_load_nothing_from_elsewhere() -> None:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "\n  font: false\n" in settings
    assert not re.search(r"https?://", settings)
