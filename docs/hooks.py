"""What mkdocs does not do by itself: files beside docs/ that a page links to come along; nothing is loaded from afar.

A file of the repository at `suites/demo/README.md` is in the site at `repository/suites/demo/README.md`, and what it
links to comes along too.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

DOCS, BESIDE = "docs/", "repository/"
# `(target)` or `(target#anchor)` of a link or an image, if it leads to a file and not to an address
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)")
# what a browser fetches to show a page; an <a> is followed by its reader only
LOADED = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?(?:https?:)?//[^\s\"'>]+|@import[^;]*//"
)
ALWAYS = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Files beside docs/ that stand in the navigation."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds every file beside docs/ that a page leads to, at once or by way of others."""
    root = Path(config.config_file_path).parent
    suites = [path.relative_to(root).as_posix() for path in sorted(root.glob("suites/*/README.md"))]
    waiting = [*ALWAYS, *suites, *(path for page in files.documentation_pages() for path in linked(root, page.src_uri))]
    while waiting:
        path = waiting.pop()
        uri = in_site(path)
        if path.startswith(DOCS) or uri in files.src_uris or not (root / path).is_file():
            continue
        files.append(File.generated(config, uri, abs_src_path=str(root / path)))
        waiting += linked(root, uri)
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    """Leads links to files beside docs/ to where the site has them; a link to nothing is left for mkdocs to refuse."""
    here = in_repository(page.file.src_uri)

    def moved(link: re.Match[str]) -> str:
        uri = in_site(target(here, link[0]))
        return posixpath.relpath(uri, posixpath.dirname(page.file.src_uri)) if uri in files.src_uris else link[0]

    # what is folded away is Markdown on GitHub; here it has to be said
    return LINK.sub(moved, markdown).replace("<details>", '<details markdown="1">')


def on_post_build(config: MkDocsConfig) -> None:
    """Refuses a page that would load something from elsewhere."""
    for page in Path(config.site_dir).rglob("*.html"):
        if found := LOADED.search(page.read_text(encoding="utf-8")):
            msg = f"{page} loads {found[0]}; the site is to work without a network"
            raise PluginError(msg)


def linked(root: Path, uri: str) -> Iterator[str]:
    """The files that a page links to, by their paths in the repository."""
    here = in_repository(uri)
    if here.endswith(".md") and (root / here).is_file():
        for link in LINK.findall((root / here).read_text(encoding="utf-8")):
            yield target(here, link)


def target(here: str, link: str) -> str:
    """The path that a link leads to, both in the repository."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(here), link))


def in_site(path: str) -> str:
    """Where a file of the repository is in the site."""
    return path.removeprefix(DOCS) if path.startswith(DOCS) else BESIDE + path


def in_repository(uri: str) -> str:
    """Where a page of the site is in the repository."""
    return uri.removeprefix(BESIDE) if uri.startswith(BESIDE) else DOCS + uri


class Examples(griffe.Extension):
    """Marks the examples of docstrings as code: Markdown takes `>>>` for a quotation in a quotation in a quotation."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each class, function and attribute that is read."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """A docstring whose paragraphs that begin with `>>>` are blocks of code."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(f"```pycon\n{each}\n```" if each.startswith(">>> ") else each for each in paragraphs)
