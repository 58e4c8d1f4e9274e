"""The repository's own promises: metadata in step, imports light and in one direction."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import protocols
import workflow_backends
from workflow_backends.discovery import ENTRY_POINT_GROUP, OWN_BACKENDS

_ROOT = Path(__file__).parents[1]
_FILE = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
_PROJECT = _FILE["project"]
_MODULES = sorted(
    module.name
    for package in (workflow_backends, protocols)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
)
_ENGINES = [
    "parsl",
    "celery",
    "distributed",
    "openmm",
    "numpy",
    "pint",
    "pymbar",
    "rdkit",
    "pydantic",
    "rich",
]
_SILENT = [name for name in _ENGINES if name != "pymbar"]  # which prints when it is imported


def test_the_conda_environment_is_in_step_with_the_package() -> None:
    conda = yaml.safe_load((_ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert conda["channels"] == ["conda-forge"]
    wanted = {"ambertools>=23.0", f"python{_PROJECT['requires-python']}", "pip", *_PROJECT["dependencies"]}
    assert set(conda["dependencies"]) == wanted


def test_the_image_is_made_from_what_the_package_is_built_from() -> None:
    text = (_ROOT / "Dockerfile").read_text(encoding="utf-8")
    packages = _FILE["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = {name for line in re.findall(r"^COPY (.+) /source", text, re.MULTILINE) for name in line.split()}
    assert copied == {"pyproject.toml", _PROJECT["readme"], *_PROJECT["license-files"], *packages}
    extras = re.findall(r"/source\[(.+)\]", text)[0].split(",")
    assert set(extras) <= set(_PROJECT["optional-dependencies"])
    assert re.findall(r'^ENTRYPOINT \["(.+)"\]$', text, re.MULTILINE) == list(_PROJECT["scripts"])
    assert f"python:{_PROJECT['requires-python'].removeprefix('>=')}-slim" in text


def test_the_backends_that_are_registered_are_those_that_are_known_without_an_installation() -> None:
    assert _PROJECT["entry-points"] == {ENTRY_POINT_GROUP: OWN_BACKENDS}


def test_the_changelog_knows_the_version_or_what_is_unreleased() -> None:
    text = (_ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## Unreleased" in text or f"## {workflow_backends.__version__}" in text


def test_ci_requires_all_that_tests_may_skip_for() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (_ROOT / "tests").rglob("*.py")]
    known = {name for text in texts for name in re.findall(r'environ\.get\("(REQUIRE_\w+)"\)', text)}
    assert known == set(re.findall(r"\b(REQUIRE_\w+)=1", (_ROOT / ".ci" / "run").read_text(encoding="utf-8")))
    assert "REQUIRE_OPENCL" in known


# Each in a fork of a process that has what we depend on. The package's own __init__ is kept out, so
# that it cannot hide a circle.
_IMPORT_ALONE = """
import contextlib, importlib, importlib.util, os, sys, traceback, types, warnings

def import_alone(module):
    package = module.partition(".")[0]
    spec = importlib.util.find_spec(package)
    stub = sys.modules[package] = types.ModuleType(package)
    stub.__spec__, stub.__path__ = spec, list(spec.submodule_search_locations)
    importlib.import_module(module)

engines, modules = sys.argv[1].split(), sys.argv[2:]
for engine in engines:
    importlib.import_module(engine)
for module in modules:
    with warnings.catch_warnings(action="ignore"):  # that there are threads, of numpy's
        child = os.fork()
    if child == 0:
        try:
            import_alone(module)
        except BaseException:
            print(module, traceback.format_exc(), flush=True)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_every_module_imports_alone() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", _IMPORT_ALONE, " ".join(_SILENT), *_MODULES],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_importing_the_backends_loads_no_engine() -> None:
    code = f"import sys, workflow_backends; print([m for m in {_ENGINES} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_importing_starts_no_thread_and_opens_no_socket() -> None:
    code = (
        "import threading, socket\n"
        "def refuse(*a, **k): raise RuntimeError('a socket was opened')\n"
        "socket.socket.bind = socket.socket.connect = refuse\n"
        "import workflow_backends, protocols\n"
        "print(threading.active_count())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "1"


@pytest.mark.parametrize("package", ["workflow_backends", "protocols"])
def test_no_module_is_much_longer_than_300_lines_or_validates_by_assert(package: str) -> None:
    for path in (_ROOT / package).rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 350, path
        if path.parent.name != "testing":  # which are tests
            assert not [line for line in lines if re.match(r"\s*assert\s", line)], path
