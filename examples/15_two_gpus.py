"""Two workers, each with a GPU of its own: what each was given, and the density of water on both at once.

Each worker sees its own device only, by a CUDA_VISIBLE_DEVICES that is set before its process starts. A
backend that is asked for more GPUs than there are refuses to start; with one GPU, --workers-per-gpu 2 lets
both workers share it. About a minute on two GPUs.

--fast needs no GPU, and touches none: it pretends that there are two, by a CUDA_VISIBLE_DEVICES of its own,
and simulates on the CPU. The masks that workers get are real. Expected output:

    a worker sees CUDA_VISIBLE_DEVICES=0
    a worker sees CUDA_VISIBLE_DEVICES=1
    Density of O at 298.15 K, 1 atm: 0.992 +/- 0.016 g/mL (too short: 5 of at least 50 effective samples ...)
    platform: CPU, 164.9 ns/day for each of the replicas
"""

import argparse
import os
import sys
import time

from protocols import (
    Density,
    OpenMMForceField,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ComputeResources, MultiprocessingBackend

WORKER = ComputeResources(number_of_threads=1, number_of_gpus=1, preferred_gpu_toolkit="CUDA")
STAND_IN = ComputeResources(number_of_threads=1, number_of_gpus=1, platform="CPU")

SETTINGS = SimulationSettings(number_of_molecules=2000, production_time="500 ps")
FAST = SimulationSettings(
    number_of_molecules=60,
    cutoff="0.55 nm",
    equilibration_time="0.4 ps",
    production_time="2 ps",
    output_interval="0.1 ps",
)


def mask(seconds: float) -> str:
    time.sleep(seconds)  # so that the other worker takes the other task
    return f"a worker sees CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', 'all')}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="gpus", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a few seconds on the CPU, with no GPU at all")
    parser.add_argument("--workers-per-gpu", type=int, default=1, help="how many share a GPU (default: 1)")
    arguments = parser.parse_args()
    if arguments.fast:
        os.environ["CUDA_VISIBLE_DEVICES"] = "0,1"

    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
    with MultiprocessingBackend(
        2, STAND_IN if arguments.fast else WORKER, workers_per_gpu=arguments.workers_per_gpu
    ) as backend:
        print(*sorted(set(backend.map(mask, [1, 1]))), sep="\n")
        [density] = estimate(
            [Density(Substance.pure("O"), state)],
            force_field=OpenMMForceField("tip3p.xml"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    print(density)
    if density.status is Status.failed:
        return 1
    print(f"platform: {density.platform}, {density.ns_per_day:.1f} ns/day for each of the replicas")
    return 0


if __name__ == "__main__":
    sys.exit(main())
