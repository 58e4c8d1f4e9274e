"""A backend of your own, here of plain threads: it estimates a density, and passes the suite for backends.

An engine says how its workers start; `run_task` keeps a worker process for each thread that calls it, and
does the rest: limits, cancelling, deaths. The last class asks of the backend all that is asked of ours.
Needs pytest. Half a minute on two cores.

Expected output with --fast, which runs two of the suite's tests; without it, all 52:

    Density of [Ar] at 90 K, 1 bar: 1.37 +/- 0.02 g/mL (too short: 6 of at least 50 effective samples)
    ..                                                                       [100%]
    2 passed, 50 deselected in 1.17s
"""

import argparse
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from protocols import (
    Density,
    OpenMMForceField,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ComputeResources
from workflow_backends.local import LocalBackend
from workflow_backends.machine import RUN_VARIABLE, kill_marked, run_mark
from workflow_backends.runner import run_task, settle
from workflow_backends.testing import BackendConformance

SETTINGS = SimulationSettings(
    number_of_molecules=100,
    initial_density="1.3 g/mL",
    cutoff="0.8 nm",
    timestep="5 fs",
    equilibration_time="2 ps",
    production_time="20 ps",
)
A_FEW = "callables or available_resources"  # of the suite's tests


class ThreadsEngine:
    def __init__(self, directory, pools, environments):
        self.directory = directory
        self.pools = {
            name: ThreadPoolExecutor(pool.number_of_workers, "task", settle, (0, environments[name]))
            for name, pool in pools.items()
        }

    def submit(self, pool, prefix, call, ticket):
        return self.pools[pool].submit(run_task, call, prefix, ticket)

    def is_lost_block(self, error):  # "is the place where it ran to blame, and not the task?"
        return False

    def failure(self):  # "why can no task run any more?"
        return None

    def stop(self, *, keep_files):
        for pool in self.pools.values():
            pool.shutdown(wait=False)
        kill_marked(RUN_VARIABLE, run_mark(self.directory))
        if not keep_files:
            shutil.rmtree(self.directory, ignore_errors=True)


class ThreadsBackend(LocalBackend):
    def _make_engine(self, directory, pools, environments):
        return ThreadsEngine(directory, pools, environments)


class TestThreads(BackendConformance):
    def make_backend(self, workers=2, **resources):
        return ThreadsBackend(workers, ComputeResources(**resources))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="threads", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a few tests of the suite only")
    arguments = parser.parse_args()

    state = ThermodynamicState(temperature="90 K", pressure="1 bar")
    with ThreadsBackend(2, ComputeResources(number_of_threads=1)) as backend:
        [density] = estimate(
            [Density(Substance.pure("[Ar]"), state)],
            force_field=OpenMMForceField("argon.xml"),
            backend=backend,
            directory=arguments.directory,
            settings=SETTINGS,
        )
    print(density, flush=True)

    options = ["-q", "-p", "no:cacheprovider", *(["-k", A_FEW] if arguments.fast else [])]
    passed = pytest.main([__file__, *options]) == 0
    return 0 if passed and density.status is not Status.failed else 1


if __name__ == "__main__":
    sys.exit(main())
