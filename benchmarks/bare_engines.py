"""Dask and Celery without this package, for backend_speed.py: two workers on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests" / "integration"))

# Tasks of bare Celery live in a module that its workers import; pickle, as ours take any argument.
_CELERY_MODULE = """
import os
from celery import Celery

broker = os.environ["WORKFLOW_BACKENDS_BROKER"]
app = Celery("bare", broker=broker, backend=broker)
app.conf.update(task_serializer="pickle", result_serializer="pickle", accept_content=["pickle"])

@app.task
def nothing():
    pass

@app.task
def echo(data):
    return data
"""
_CELERY_WORKER = [
    *(sys.executable, "-m", "celery", "-A", "bare_tasks", "worker", "--concurrency=2", "--loglevel=ERROR"),
    *("--without-gossip", "--without-mingle"),
]

STARTUP = {
    "dask": """
from distributed import Client, LocalCluster
with (
    LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
    Client(cluster) as client,
):
    client.submit(abs, -1).result()
    print(time.perf_counter() - start)
""",
    "celery": f"""
import os, subprocess, sys
from pathlib import Path
Path(directory, "bare_tasks.py").write_text({_CELERY_MODULE!r})
os.chdir(directory)
worker = subprocess.Popen({_CELERY_WORKER!r}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
sys.path.insert(0, directory)
import bare_tasks
bare_tasks.nothing.delay().get()
print(time.perf_counter() - start)
worker.kill()
""",
}


@contextmanager
def broker() -> Iterator[None]:
    """Have a Redis, and its address in the environment."""
    from real_redis import Redis  # noqa: PLC0415  # of the tests

    with Redis() as server:
        os.environ["WORKFLOW_BACKENDS_BROKER"] = server.url
        os.environ["C_FORCE_ROOT"] = "1"  # without which Celery, as root, refuses to unpickle
        yield


@contextmanager
def bare_dask() -> Iterator[Callable[..., Any]]:
    """Yield the submit of a LocalCluster's client."""
    from distributed import Client, LocalCluster  # noqa: PLC0415

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield lambda function, *arguments: client.submit(function, *arguments, pure=False)


class _Result:
    """Celery's result under the name that all others have."""

    def __init__(self, result: Any) -> None:
        self.result = result.get


@contextmanager
def bare_celery() -> Iterator[Callable[..., Any]]:
    """Yield the submit of Celery's tasks, with a worker of two processes."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "bare_tasks.py").write_text(_CELERY_MODULE, encoding="utf-8")
        sys.path.insert(0, directory)
        import bare_tasks  # type: ignore[import-not-found]  # noqa: PLC0415

        worker = subprocess.Popen(
            _CELERY_WORKER, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield lambda function, *data: _Result(getattr(bare_tasks, function.__name__).delay(*data))
        finally:
            worker.terminate()
            worker.wait()
            sys.path.remove(directory)
