"""CeleryBackend on a real Redis: workers of its own, and workers that the user started."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from celery_workers import user_workers
from processes import named
from real_redis import Redis, missing

from workflow_backends import CeleryBackend, ComputeResources
from workflow_backends.errors import EngineError, InvalidResourcesError
from workflow_backends.testing import BackendConformance


@pytest.fixture(scope="module", autouse=True)
def redis() -> Iterator[Redis]:
    if reason := missing():
        (pytest.fail if os.environ.get("REQUIRE_REDIS") else pytest.skip)(reason)
    with Redis() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKFLOW_BACKENDS_BROKER", server.url)
        yield server


class TestCelery(BackendConformance):
    def make_backend(self, workers: int = 2, **resources: Any) -> CeleryBackend:
        return CeleryBackend(workers, ComputeResources(**resources))


class TestWorkersOfTheUsers(BackendConformance):
    """Two workers, started with the documented command, for all backends of the suite."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def workers(cls, redis: Redis, temporary: Path) -> Iterator[None]:
        with user_workers("suite", 2):
            yield

    def make_backend(self, workers: int = 2, **resources: Any) -> CeleryBackend:
        owned = ComputeResources(**resources)
        return CeleryBackend(workers, owned, queue_name="suite", directory=tempfile.gettempdir())

    def make_pools(self, pools: Mapping[str, tuple[int, ComputeResources]]) -> CeleryBackend:
        return CeleryBackend(pools=pools, queue_name="suite")


def test_nothing_is_left_in_redis_and_the_password_is_shown_nowhere(redis: Redis, tmp_path: Path) -> None:
    before = redis.keys()  # of a script that was killed
    with CeleryBackend(broker=redis.url) as backend:
        assert backend.submit_task(lambda: os.environ.get("WORKFLOW_BACKENDS_BROKER")).result(60) is None
        assert redis.password not in repr(vars(backend))
        assert not named(redis.password)
        with pytest.raises(ZeroDivisionError) as caught:
            backend.submit_task(lambda: 1 / 0).result(60)
        assert redis.password not in "".join(getattr(caught.value, "__notes__", []))
        assert redis.keys() != before
        directory = backend._engine.directory  # type: ignore[union-attr]
        for path in directory.iterdir():
            assert redis.password.encode() not in path.read_bytes() if path.is_file() else True
    assert redis.keys() == before


def test_large_arguments_inputs_and_results_pass_by_the_broker(redis: Redis) -> None:
    data = os.urandom(1 << 20) * 4
    with CeleryBackend() as backend:
        assert backend.submit_task(len, data[:1000]).result(60) == 1000
        before = redis.received()
        made = backend.submit_task(lambda blob: blob + b"!", data)
        assert backend.submit_task(bytes.upper, made).result(60) == (data + b"!").upper()
        assert redis.received() - before < len(data) / 10
        directory = backend._engine.directory  # type: ignore[union-attr]
        assert sum(path.stat().st_size for path in directory.iterdir() if path.is_file()) < len(data)


def test_workers_that_the_user_started_serve_one_backend_after_the_other(
    redis: Redis, tmp_path: Path
) -> None:
    with user_workers("ours", 2) as workers:
        pids = set()
        for _ in range(2):
            with CeleryBackend(2, queue_name="ours", directory=tmp_path) as backend:
                assert backend.submit_task(pow, 2, 5).result(60) == 32
                pids.add(backend.submit_task(os.getppid).result(60))
            assert list(tmp_path.iterdir()) == []
        assert pids == {workers.pid}


def _work_until_second_try(tries: Path) -> int:
    with tries.open("a", encoding="utf-8") as lines:
        lines.write(f"{os.getppid()}\n")
    if len(tries.read_text(encoding="utf-8").splitlines()) == 1:
        time.sleep(600)
    return os.getppid()


def _kill_first(tries: Path) -> int:
    deadline = time.monotonic() + 60
    while not tries.exists() or not tries.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    first = int(tries.read_text(encoding="utf-8"))
    os.kill(first, signal.SIGKILL)
    return first


def test_a_worker_of_celery_that_is_killed_is_replaced_and_its_task_runs_again(tmp_path: Path) -> None:
    with CeleryBackend() as backend:
        future = backend.options(retries=0).submit_task(_work_until_second_try, tmp_path / "tries")
        first = _kill_first(tmp_path / "tries")
        assert future.result(60) != first


def test_a_task_whose_users_worker_was_killed_runs_again_on_another(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with user_workers("two") as one, user_workers("two") as other:
        with CeleryBackend(2, queue_name="two", directory=tmp_path / "runs") as backend:
            future = backend.options(retries=0).submit_task(_work_until_second_try, tmp_path / "tries")
            killed = _kill_first(tmp_path / "tries")
            [dead] = [worker for worker in (one, other) if worker.pid == killed]
            dead.wait()
            assert future.result(60) in {one.pid, other.pid} - {killed}


def test_a_wrong_password_and_a_broker_that_is_gone_are_told_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from workflow_backends.celery_engine import engine

    monkeypatch.setattr(engine, "_BROKER_SILENCE_S", 3.0)
    with Redis() as server:
        wrong = server.url.replace(server.password, "wrong-secret")
        with pytest.raises(EngineError, match=r"the broker redis://\*\*\*@127\.0\.0\.1") as caught:
            CeleryBackend(broker=wrong).start()
        assert "wrong-secret" not in str(caught.value)
        backend = CeleryBackend(broker=server.url).start()
        assert backend.submit_task(abs, -1).result(60) == 1
    try:
        with pytest.raises(EngineError, match=r"the broker redis://\*\*\*@.* does not answer"):
            backend.submit_task(abs, -1).result(60)
    finally:
        backend.stop()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"broker": "redis://example.org:6379/0"}, r"redis://example.org:6379/0 is on another machine"),
        ({"broker": "http://:secret@example.org"}, r"http://\*\*\*@example.org is not allowed"),
        ({"broker": "redis://:secret@here:port"}, "its address cannot be read"),
        ({"queue_name": "a b"}, "queue_name: 'a b'"),
        ({"directory": "/scratch"}, "directory: .*queue_name"),
        ({"queue_name": "ours", "pools": {"a": (1, ComputeResources())}}, "pools: "),
    ],
)
def test_bad_input_is_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidResourcesError, match=message) as caught:
        CeleryBackend(**settings)
    assert "secret" not in str(caught.value)


def test_without_a_broker_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKFLOW_BACKENDS_BROKER")
    with pytest.raises(InvalidResourcesError, match="broker: none was given"):
        CeleryBackend()
    CeleryBackend(broker="redis://example.org", allow_unauthenticated_broker=True)
