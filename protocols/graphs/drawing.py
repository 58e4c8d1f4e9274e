"""Drawings of a graph as text: Mermaid, which web pages render, and DOT, the language of Graphviz."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from protocols.graphs.references import references_in

if TYPE_CHECKING:
    from protocols.graphs.protocol import Protocol

__all__ = ["dot", "mermaid"]

_GPU_FILL, _GPU_LINE = "#d5e8d4", "#5b8c51"


class _Arrow(NamedTuple):
    start: str
    end: str
    text: str


def mermaid(protocols: Iterable[Protocol]) -> str:
    """Return a Mermaid flowchart of protocols, each given once and upstream first."""
    numbers = {protocol: f"p{number}" for number, protocol in enumerate(protocols)}
    lines = ["flowchart TD", f"    classDef gpu fill:{_GPU_FILL},stroke:{_GPU_LINE}"]
    for protocol, number in numbers.items():
        style = ":::gpu" if protocol.uses_gpu else ""
        text = "<br>".join(_mermaid_text(line) for line in _title(protocol))
        lines.append(f'    {number}["{text}"]{style}')
    for start, end, text in _arrows({p.identity: number for p, number in numbers.items()}, numbers):
        lines.append(f'    {start} -->|"{_mermaid_text(text)}"| {end}')
    return "\n".join(lines) + "\n"


def dot(protocols: Iterable[Protocol]) -> str:
    """Return a DOT graph of protocols, each given once and upstream first."""
    names = {protocol: _dot_text(protocol.label) for protocol in protocols}
    lines = ["digraph workflow {", "    node [shape=box];"]
    for protocol, name in names.items():
        style = f', style=filled, fillcolor="{_GPU_FILL}", color="{_GPU_LINE}"' if protocol.uses_gpu else ""
        lines.append(f"    {name} [label={_dot_text(*_title(protocol))}{style}];")
    for start, end, text in _arrows({p.identity: name for p, name in names.items()}, names):
        lines.append(f"    {start} -> {end} [label={_dot_text(text)}];")
    return "\n".join([*lines, "}"]) + "\n"


def _title(protocol: Protocol) -> tuple[str, str]:
    return type(protocol).__name__, protocol.identity[:8]


def _arrows(names: dict[str, str], protocols: Iterable[Protocol]) -> Iterator[_Arrow]:
    """Yield every output that is an input of another protocol, once for each pair of fields."""
    for protocol in protocols:
        yield from dict.fromkeys(
            _Arrow(names[reference.identity], names[protocol.identity], f"{reference.name} → {field}")
            for field in type(protocol).model_fields
            for reference in references_in(getattr(protocol, field))
        )


def _mermaid_text(text: str) -> str:
    # Mermaid takes entities with # in place of &; a quote would end the label.
    entities = html.escape(text, quote=False).replace('"', "&quot;").replace("#", "&num;")
    return entities.replace("&", "#")


def _dot_text(*lines: str) -> str:
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'
