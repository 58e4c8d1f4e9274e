"""Backends from configurations, ours and those of other packages."""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from workflow_backends import (
    CalculationBackend,
    ComputeResources,
    MultiprocessingBackend,
    ParslKubernetesBackend,
    ParslSlurmBackend,
    QueueWorkerResources,
    backend_from_config,
)
from workflow_backends.discovery import ENTRY_POINT_GROUP, OWN_BACKENDS, _find
from workflow_backends.errors import InvalidConfigurationError, InvalidResourcesError

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs another package: a module, and a distribution that registers backends of it."""
    monkeypatch.syspath_prepend(tmp_path)

    def installed(module: str, backends: dict[str, str], source: str) -> None:
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {module}:{attribute}\n" for name, attribute in backends.items())
        (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{lines}")

    return installed


_THEIRS = """
    from workflow_backends import MultiprocessingBackend

    class TheirBackend(MultiprocessingBackend):
        def __init__(self, host: str, port: int = 80, ratio: float = 0.5, loud: bool = False, **settings):
            super().__init__(**settings)
            self.given = (host, port, ratio, loud)
"""


def test_each_of_ours_is_found() -> None:
    for name in OWN_BACKENDS:
        kind = _find(name)
        assert issubclass(kind, CalculationBackend)
        assert not inspect.isabstract(kind)


def test_a_file_describes_a_backend() -> None:
    text = """
    backend:
      type: parsl-slurm
      maximum_number_of_workers: 10
      resources_per_worker:
        number_of_threads: 4
        wallclock_time_limit: "12:00"
      queue_name: main
      setup_script_commands: [module load cuda]
      idle_time_limit: 30
    """
    backend = backend_from_config(yaml.safe_load(text)["backend"])
    assert isinstance(backend, ParslSlurmBackend)
    resources = QueueWorkerResources(4, wallclock_time_limit="12:00")
    mine = ParslSlurmBackend(
        0, 10, resources, "main", setup_script_commands=["module load cuda"], idle_time_limit=30
    )
    assert backend.resources_per_worker == resources
    assert backend.job_script() == mine.job_script()


def test_pools_are_lists_and_resources_may_be_made_already() -> None:
    pools = {"small": [2, {}], "simulations": [1, ComputeResources(platform="Reference")]}
    backend = backend_from_config({"type": "multiprocessing", "pools": pools})
    assert isinstance(backend, MultiprocessingBackend)
    assert {name: (p.number_of_workers, p.resources) for name, p in backend.pools.items()} == {
        "small": (2, ComputeResources()),
        "simulations": (1, ComputeResources(platform="Reference")),
    }


def test_keys_of_a_base_class_are_known() -> None:
    config = {"type": "parsl-kubernetes", "image": "ours:1", "volumes": {"claim": "/data"}, "interface": "lo"}
    config["directory"] = "/data"
    assert isinstance(backend_from_config(config), ParslKubernetesBackend)


def test_a_backend_of_another_package_is_found(install: Install) -> None:
    install("their_package", {"theirs": "TheirBackend"}, _THEIRS)
    backend: Any = backend_from_config({"type": "theirs", "host": "here", "number_of_workers": 2, "ratio": 1})
    assert (backend.given, backend.number_of_workers) == (("here", 80, 1.0, False), 2)
    with pytest.raises(InvalidConfigurationError, match="host: missing"):
        backend_from_config({"type": "theirs"})
    with pytest.raises(InvalidConfigurationError, match="theirs: not known; ") as caught:
        backend_from_config({"type": "theirs", "host": "h", "theirs": 1})
    assert "known are number_of_workers, resources_per_worker, pools, workers_per_gpu, host" in str(
        caught.value
    )


def test_it_cannot_take_a_name_of_ours(install: Install) -> None:
    install("their_package", {"multiprocessing": "TheirBackend"}, _THEIRS)
    assert type(backend_from_config({"type": "multiprocessing"})) is MultiprocessingBackend


def test_a_package_that_cannot_be_used_is_named_with_the_reason(install: Install) -> None:
    install(
        "broken_package", {"broken": "B", "number": "N"}, "N = 3\nB = __import__('not_there') if N > 3 else 1"
    )
    install("missing_part", {"missing": "B"}, "import not_there")
    install("one", {"same": "B"}, "")
    install("two", {"same": "B"}, "")
    for name, reason in {
        "missing": "imported from missing_part:B: ModuleNotFoundError: No module named 'not_there'",
        "number": "'number' is broken_package:N, which is no CalculationBackend",
        "same": "registered several times, as one:B, two:B",
    }.items():
        with pytest.raises(InvalidConfigurationError, match=reason):
            backend_from_config({"type": name})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], r"backend: \[\] is not allowed; give a mapping with a type"),
        ({}, "type: missing; known are celery, dask-local, .*multiprocessing, .*parsl-slurm"),
        (
            {"type": "parsl-slrum"},
            r"type: 'parsl-slrum' is not known \(did you mean 'parsl-slurm'\?\); known are .*parsl-slurm",
        ),
        (
            {"number_of_worker": 2},
            "backend of type 'multiprocessing': number_of_worker: not known "
            r"\(did you mean 'number_of_workers'\?\); known are number_of",
        ),
        ({"number_of_workers": "2"}, "number_of_workers: '2' is not allowed; give a whole number"),
        ({"number_of_workers": True}, "number_of_workers: True is not allowed"),
        ({"resources_per_worker": 2}, "resources_per_worker: 2 is not allowed; give a mapping of number_of_"),
        (
            {"resources_per_worker": {"threads": 2}},
            r"resources_per_worker.threads: not known \(did you mean 'number_of_threads'\?\); known .*plat",
        ),
        (
            {"resources_per_worker": {"number_of_threads": 0}},
            "number_of_threads: 0 is not allowed; give a whole",
        ),
        ({"pools": {"a": [1]}}, r"pools: \[1\] is not allowed"),
        (
            {"number_of_workers": None, "workers_per_gpu": "a"},
            "number_of_workers: None is not allowed; .*; workers_per_gpu: 'a' is not allowed",
        ),
    ],
)
def test_what_is_not_allowed_is_named(config: Any, message: str) -> None:
    if isinstance(config, dict) and config:
        config = {"type": "multiprocessing"} | config
    with pytest.raises(InvalidConfigurationError, match=message) as caught:
        backend_from_config(config)
    assert "\n" not in str(caught.value)


def test_what_the_backend_refuses_comes_in_its_words() -> None:
    with pytest.raises(InvalidResourcesError, match="number_of_workers: 0 is not allowed"):
        backend_from_config({"type": "multiprocessing", "number_of_workers": 0})
