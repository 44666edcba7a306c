"""Markdown as its readers see it: links, headings' anchors, and blocks of code, by markdown-it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
PAGES = tuple(
    sorted(
        page
        for pattern in ("*.md", "docs/*.md", "suites/**/*.md", "examples/**/*.md", "requirements/*.md", "reports/*.md")
        for page in ROOT.glob(pattern)
    )
)
"""Every page that people read, but for what is written about the tests."""


class Block(NamedTuple):
    """A block of code: the language that its fence names (none where it is indented), its text, its first line."""

    language: str
    text: str
    line: int


@cache
def parsed(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def inline(page: Path) -> Iterator[Token]:
    for token in parsed(page):
        yield from token.children or ()


def links(page: Path) -> list[str]:
    """Where the links and images of a page lead."""
    found = (token.attrGet("href") or token.attrGet("src") for token in inline(page))
    return [str(target) for target in found if target]


def blocks(page: Path) -> list[Block]:
    """The blocks of code of a page, fenced or indented."""
    return [
        Block(token.info.strip(), token.content, (token.map or [0])[0] + 1)
        for token in parsed(page)
        if token.type in {"fence", "code_block"}
    ]


def anchors(page: Path) -> set[str]:
    """What can stand behind `#` in a link to a page, as GitHub makes it of headings; of HTML every `id`."""
    if page.suffix != ".md":
        return set(re.findall(r'\bid="([^"]+)"', page.read_text(encoding="utf-8")))
    tokens = parsed(page)
    seen: Counter[str] = Counter()
    found = set()
    for token, content in pairwise(tokens):
        if token.type == "heading_open":
            slug = re.sub(r"[^\w\- ]", "", "".join(each.content for each in content.children or ()).lower())
            slug = slug.replace(" ", "-")
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return found
