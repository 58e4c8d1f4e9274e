"""A hook of MkDocs: the public names on the pages of the API.

A page of ``reference/`` has lines such as ``<!-- names in protocols.analysis -->``. Each is replaced by what
mkdocstrings needs to show the public names that are defined there. A name is shown once: where the module is
named most closely.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
_PACKAGES = ("protocols", "workflow_backends")
_LINE = re.compile(r"<!-- names in ([\w.]+) -->")


def public_names() -> dict[str, str]:
    """Return the public names, such as ``protocols.Density``, and the module that defines each."""
    found = {}
    for package in _PACKAGES:
        for node in ast.parse((DOCS.parent / package / "__init__.pyi").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                module = f"{package}.{node.module}" if node.level else str(node.module)
                names = [alias.name for alias in node.names if not alias.name.startswith("_")]
                found |= {f"{package}.{name}": module for name in names}
    return found


def _where_shown(name: str, module: str) -> str:
    """Return the path that means the name, and not a module that is called the same."""
    return f"{module}.{name.rpartition('.')[2]}" if name == module else name


@cache
def names_by_place() -> dict[str, list[str]]:
    """Return the places that pages name, and the names that each shows, in alphabetical order."""
    pages = (DOCS / "reference").rglob("*.md")
    shown: dict[str, list[str]] = {
        place: [] for page in pages for place in _LINE.findall(page.read_text(encoding="utf-8"))
    }
    for name, module in sorted(public_names().items()):
        places = [place for place in shown if f"{module}.".startswith(f"{place}.")]
        shown[max(places, key=len)].append(_where_shown(name, module))
    return shown


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the lines of a page."""
    return _LINE.sub(lambda line: "\n\n".join(f"::: {name}" for name in names_by_place()[line[1]]), markdown)
