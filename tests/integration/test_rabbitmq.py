"""CeleryBackend on a real RabbitMQ: the conformance suite's core with every change, the whole on demand."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from celery_workers import user_workers
from conformance_core import CoreConformance
from real_rabbitmq import RabbitMQ, missing

from workflow_backends import CeleryBackend, ComputeResources
from workflow_backends.testing import BackendConformance
from workflow_backends.testing.base import SuiteBase


@pytest.fixture(scope="module", autouse=True)
def broker() -> Iterator[RabbitMQ]:
    if reason := missing():
        (pytest.fail if os.environ.get("REQUIRE_RABBITMQ") else pytest.skip)(reason)
    with RabbitMQ() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKFLOW_BACKENDS_BROKER", server.url)
        yield server


class _OwnWorkers(SuiteBase):
    def make_backend(self, workers: int = 2, **resources: Any) -> CeleryBackend:
        return CeleryBackend(workers, ComputeResources(**resources))


class _UsersWorkers(SuiteBase):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def workers(cls, broker: RabbitMQ, temporary: Path) -> Iterator[None]:
        with user_workers("suite", 2):
            yield

    def make_backend(self, workers: int = 2, **resources: Any) -> CeleryBackend:
        owned = ComputeResources(**resources)
        return CeleryBackend(workers, owned, queue_name="suite", directory=tempfile.gettempdir())

    def make_pools(self, pools: Mapping[str, tuple[int, ComputeResources]]) -> CeleryBackend:
        return CeleryBackend(pools=pools, queue_name="suite")


class TestCore(_OwnWorkers, CoreConformance):
    pass


@pytest.mark.slow
class TestOwnWorkers(_OwnWorkers, BackendConformance):
    pass


@pytest.mark.slow
class TestUsersWorkers(_UsersWorkers, BackendConformance):
    pass


def test_the_broker_listens_on_the_loopback_alone(broker: RabbitMQ) -> None:
    assert {"127.0.0.1"} <= broker.addresses() <= {"127.0.0.1", "::1"}


def test_nothing_is_left_in_the_broker(broker: RabbitMQ) -> None:
    before = broker.names()
    with CeleryBackend(2) as backend:
        assert backend.submit_task(pow, 2, 5).result(60) == 32
    assert broker.names() == before


def _count(file: Path) -> int:
    with file.open("a", encoding="utf-8") as lines:
        lines.write("a try\n")
    time.sleep(4)
    return os.getppid()


def test_a_task_of_more_than_the_brokers_patience_runs_once_and_its_worker_goes_on(
    broker: RabbitMQ, tmp_path: Path
) -> None:
    settings = {"consumer_timeout": 1000, "channel_tick_interval": 500}  # ms; by default 30 min and one
    broker.evaluate(
        ", ".join(f"application:set_env(rabbit, {name}, {value})" for name, value in settings.items()) + "."
    )
    with user_workers("patient", 1) as workers:
        with CeleryBackend(queue_name="patient", directory=tmp_path) as backend:
            assert backend.submit_task(_count, tmp_path / "tries").result(100) == workers.pid
            assert backend.submit_task(os.getppid).result(100) == workers.pid
    assert (tmp_path / "tries").read_text(encoding="utf-8") == "a try\n"
    assert "acknowledgement on channel 1 timed out" in broker.log()
