from typing import Any

import pytest

from workflow_backends.backend import CalculationBackend
from workflow_backends.discovery import backend_from_config
from workflow_backends.errors import InvalidResourcesError, PlatformUnavailableError
from workflow_backends.machine import available_cpus

_LOCAL = ["celery", "dask-local", "multiprocessing", "parsl-local"]
_QUEUES = ["dask-slurm", "parsl-grid-engine", "parsl-lsf", "parsl-pbs", "parsl-slurm"]


def made(**config: Any) -> CalculationBackend:
    if config["type"] == "celery":
        config["broker"] = "redis://127.0.0.1:6379/0"
    return backend_from_config(config)


@pytest.fixture
def nothing_left(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", _LOCAL)
def test_a_check_refuses_what_start_refuses_in_the_same_words(kind: str, nothing_left: None) -> None:
    made(type=kind).check()
    backend = made(type=kind, number_of_workers=available_cpus() + 1)
    with pytest.raises(InvalidResourcesError) as checked:
        backend.check()
    with pytest.raises(InvalidResourcesError) as started:
        backend.start()
    assert str(checked.value) == str(started.value)
    assert "threads were asked for, this machine has" in str(checked.value)
    assert not backend.started


def test_a_check_proves_the_platform(nothing_left: None) -> None:
    made(type="parsl-local", resources_per_worker={"platform": "Reference"}).check()
    with pytest.raises(PlatformUnavailableError, match="platform: 'Abacus' is not available"):
        made(type="parsl-local", resources_per_worker={"platform": "Abacus"}).check()


@pytest.mark.parametrize("kind", _QUEUES)
def test_a_check_asks_no_scheduler(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    made(type=kind, resources_per_worker={"number_of_threads": 500}).check()
    with pytest.raises(InvalidResourcesError, match="interface: 'ib99' is not of this machine"):
        made(type=kind, interface="ib99").check()
