from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from protocols.running.workers import BackendWorkers
from workflow_backends.engine import Pool
from workflow_backends.resources import ComputeResources


class Recorder:
    """The part of a backend that workers use; notes what is asked of it."""

    def __init__(self, **pools):
        self.pools = {name: Pool(*pool) for name, pool in pools.items()}
        self.asked = []

    def options(self, name, resources):
        def submit_task(function, *arguments):
            self.asked.append((name, resources))
            future = Future()
            future.add_listener = future.add_done_callback
            return future

        return SimpleNamespace(submit_task=submit_task)


def submit(backend, *, uses_gpu):
    task = SimpleNamespace(label="Step-1", portable=lambda: None)
    BackendWorkers(backend).submit(task, {}, uses_gpu=uses_gpu, done=lambda: None)
    return backend.asked[-1]


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (ComputeResources(), ComputeResources(number_of_gpus=1)),
        (ComputeResources(number_of_threads=8), ComputeResources(number_of_gpus=1)),
        (ComputeResources(), ComputeResources(number_of_threads=4)),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_simulations_go_to_the_pool_with_most_and_all_else_to_the_one_with_least(small, large, order):
    pools = dict(list({"small": (3, small), "large": (2, large)}.items())[::order])
    assert submit(Recorder(**pools), uses_gpu=True) == ("Step-1", large)
    assert submit(Recorder(**pools), uses_gpu=False) == ("Step-1", small)
    assert BackendWorkers(Recorder(**pools)).number_for_simulations == 2


def test_one_pool_does_everything():
    backend = Recorder(workers=(2, ComputeResources()))
    assert submit(backend, uses_gpu=True) == submit(backend, uses_gpu=False)
