"""A hook of MkDocs: files beside docs/ that pages link to are on the site, the README as its first page."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}
"""Pages of the repository, and what they are called on the site."""
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages of the repository and the results that any page links to."""
    for source, name in PAGES.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    linked = {path for page in files.documentation_pages() for path in _linked(page.src_uri, _text(page))}
    for path in sorted(linked - PAGES.keys()):
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, /, *, page: Page, **_: object) -> str:
    """Turn links within the repository into links within the site."""
    here = page.file.src_uri

    def moved(link: re.Match[str]) -> str:
        target = _target(here, link[1])
        name = PAGES.get(target, target.removeprefix("docs/"))
        return posixpath.relpath(name, posixpath.dirname(here)) if (ROOT / target).is_file() else link[1]

    return LINK.sub(moved, markdown)


def _linked(page: str, text: str) -> Iterator[str]:
    """Yield the files outside of docs/ that a page links to."""
    for link in LINK.findall(text):
        target = _target(page, link)
        if not target.startswith("docs/") and (ROOT / target).is_file():
            yield target


def _target(page: str, link: str) -> str:
    """Return the path in the repository that a link of a page leads to."""
    folder = "" if page in PAGES.values() else posixpath.join("docs", posixpath.dirname(page))
    return posixpath.normpath(posixpath.join(folder, link))


def _text(page: File) -> str:
    return Path(str(page.abs_src_path)).read_text(encoding="utf-8")
