"""The code of README and docs runs: the blocks of a page one after the other, in a process of their own.

A block whose first line is the comment ``# NAME.py`` runs by itself, as a file of that name.
"""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import real_redis

import protocols.errors
import workflow_backends.errors

_ROOT = Path(__file__).parents[2]
_SCRIPTS = Path(sys.executable).parent
_PAGES = [
    page
    for page in [_ROOT / "README.md", *sorted((_ROOT / "docs").rglob("*.md"))]
    if "```python\n" in page.read_text(encoding="utf-8")
]


def _blocks(page: Path) -> list[str]:
    return re.findall(
        r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def _file_name(block: str) -> str | None:
    named = re.match(r"# (\w+\.py)\n", block)
    return named and named[1]


_FILES = [(page, name) for page in _PAGES for name in map(_file_name, _blocks(page)) if name]


def _run(place: Path, *arguments: str, code: str | None = None) -> str:
    run = subprocess.run(
        [sys.executable, *arguments],
        input=code,
        capture_output=True,
        text=True,
        cwd=place,
        check=False,
        timeout=1100,
        env=os.environ | {"PYTHONPATH": str(_ROOT), "PATH": f"{_SCRIPTS}{os.pathsep}{os.environ['PATH']}"},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture
def services(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start what a page takes for granted."""
    if request.node.callspec.params["page"].name != "backends.md":
        yield
        return
    if reason := real_redis.missing():
        (pytest.fail if os.environ.get("REQUIRE_REDIS") else pytest.skip)(reason)
    with real_redis.Redis() as server:
        monkeypatch.setenv("WORKFLOW_BACKENDS_BROKER", server.url)
        yield


@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("services")
@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    printed = _run(tmp_path, "-", code="\n".join(block for block in _blocks(page) if not _file_name(block)))
    if page.name == "README.md":
        shown = re.fullmatch(r"Density of O at 298\.15 K, 1 atm: (0\.\d+) \+/- (0\.\d+) g/mL\n", printed)
        assert shown is not None, printed
        value, error = map(float, shown.groups())
        assert error <= 0.004
        assert abs(value - 0.9848) <= 3 * (error**2 + 0.0013**2) ** 0.5


@pytest.mark.timeout(200)
@pytest.mark.parametrize(("page", "name"), _FILES, ids=[name for _, name in _FILES])
def test_a_file_of_a_page_runs(page: Path, name: str, tmp_path: Path) -> None:
    [block] = [block for block in _blocks(page) if _file_name(block) == name]
    (tmp_path / name).write_text(block)
    printed = _run(tmp_path, name)
    if name == "monitoring.py":
        assert printed.startswith("[1, 2, 3]\n")
        assert "('exec_done', 3)\n" in printed


def test_the_docs_show_monitoring_as_a_file() -> None:
    assert [name for page, name in _FILES if page.name == "futures.md"] == ["monitoring.py"]


def test_the_page_of_validation_shows_its_records() -> None:
    pages = runpy.run_path(str(_ROOT / "benchmarks" / "validation" / "page.py"))
    text = pages["PAGE"].read_text(encoding="utf-8")
    assert pages["page"](text) == text


def test_the_picture_of_the_layers_is_what_its_script_draws() -> None:
    script = _ROOT / "docs" / "pictures" / "architecture.py"
    assert script.with_suffix(".svg").read_text(encoding="utf-8") == runpy.run_path(str(script))["draw"]()


@pytest.mark.parametrize(
    "module", [protocols.errors, workflow_backends.errors], ids=lambda module: module.__name__
)
def test_every_error_is_explained(module: ModuleType) -> None:
    page = (_ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    assert set(module.__all__) <= set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE))


def test_the_api_shows_every_public_name_once() -> None:
    pages = runpy.run_path(str(_ROOT / "docs" / "api_pages.py"))
    shown = [name for names in pages["names_by_place"]().values() for name in names]
    public = {
        f"{package.__name__}.{name}" for package in (protocols, workflow_backends) for name in package.__all__
    }
    assert len(shown) == len(public - {"workflow_backends.__version__"})
    assert public - set(shown) == {"workflow_backends.__version__", "protocols.estimate"}
    assert "protocols.estimate.estimate" in shown
