"""The commands and configurations that README and docs show are ones that exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from protocols.cli.app import app

_ROOT = Path(__file__).parents[2]
_PAGES = [_ROOT / "README.md", _ROOT / "examples" / "README.md", *sorted((_ROOT / "docs").rglob("*.md"))]


def _blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in _PAGES:
        pattern = rf"^```{language}\n(.*?)^```$"
        for block in re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            yield page.name, block


def _commands() -> Iterator[list[str]]:
    for _, block in _blocks("(?:bash|shell)"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|[|;]", line.split(" #")[0]):
                yield shlex.split(part)
    for page in _PAGES:
        for quoted in re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8")):
            if quoted.startswith("estimate-properties "):
                yield shlex.split(quoted)


_OURS = [words[1:] for words in _commands() if words and Path(words[0]).name == "estimate-properties"]
_FILES = {
    word
    for words in _commands()
    for word in words
    if re.fullmatch(r"(examples|benchmarks|tests|docs)/[\w./-]+", word)
}


def test_there_are_commands_to_look_at() -> None:
    assert len(_OURS) >= 10
    assert "examples/01_water_density.py" in _FILES


@pytest.mark.parametrize("words", _OURS, ids=" ".join)
def test_a_command_of_ours_has_these_options(words: list[str]) -> None:
    asked = [] if words[0].startswith("-") else words[:1]
    shown = CliRunner().invoke(app, [*asked, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    known = set(re.findall(r"--[a-z-]+", shown.output))
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("name", sorted(_FILES))
def test_a_file_that_is_named_exists(name: str) -> None:
    assert (_ROOT / name).exists()


@pytest.mark.parametrize(("page", "block"), list(_blocks("toml")))
def test_an_entry_point_is_registered_in_a_group_that_is_read(page: str, block: str) -> None:
    [(group, entries)] = tomllib.loads(block)["project"]["entry-points"].items()
    assert group in {"workflow_backends", "estimate_properties.protocols"}, page
    assert all(":" in entry for entry in entries.values())
