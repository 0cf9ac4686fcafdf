"""For the site: its links lead to its own pages, and its pages load nothing from elsewhere.

MkDocs knows the files in docs/ alone. CONTRIBUTING.md and CHANGELOG.md become pages too; a link to any other file of
the repository becomes the file's name.
"""  # noqa: INP001  # MkDocs reads this file by its path

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_AT_THE_TOP = ("CONTRIBUTING.md", "CHANGELOG.md")
_LINK = re.compile(r"\[(?P<text>[^\[\]]+)\]\((?!\w+:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LOADS = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=[\"']?(?:https?:)?//[^>]*>")

_log = logging.getLogger("mkdocs.site_links")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand at the top of the repository."""
    for name in _AT_THE_TOP:
        files.append(File.generated(config, name, abs_src_path=str(_root(config) / name)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Have each link lead to a page of the site; one that leads to no file at all is left, and ends the build."""
    folder = "" if page.file.src_uri in _AT_THE_TOP else "docs"

    def mended(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, link["path"]))
        if not (_root(config) / path).exists():
            return link[0]
        page_there = path.removeprefix("docs/")
        if files.get_file_from_path(page_there) is None:
            return link["text"]
        return f"[{link['text']}]({page_there}{link['anchor'] or ''})"

    parts = _FENCED.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(mended, part) for part in parts)


def on_post_page(output: str, *, page: Any, config: MkDocsConfig) -> str:  # noqa: ARG001  # MkDocs gives all three
    """Warn of what a browser would fetch from another host; a strict build ends with that."""
    for tag in _LOADS.findall(output):
        _log.warning("%s loads from another host: %s", page.file.src_uri, tag)
    return output


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent
