"""Example 01 on a SLURM cluster: only the backend differs, and what a worker asks of the scheduler.

With --print-job it shows the job script and submits nothing; it needs no scheduler then:

    #!/bin/bash
    #SBATCH --job-name=wb-RUN
    ...
    #SBATCH --cpus-per-task=1
    #SBATCH --mem=1908M
    #SBATCH --time=01:00:00
    ...

Without it, a job starts where there is work for it, and the output is that of example 01.
"""

import argparse
import sys

from protocols import (
    Density,
    OpenMMForceField,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ParslSlurmBackend, QueueWorkerResources

SETTINGS = SimulationSettings(number_of_molecules=256, equilibration_time="10 ps", production_time="80 ps")
FAST = SimulationSettings(
    number_of_molecules=60, cutoff="0.55 nm", equilibration_time="1.2 ps", production_time="4 ps"
)
WORKER = QueueWorkerResources(
    number_of_threads=1, per_thread_memory_limit="2 GB", wallclock_time_limit="1:00"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="water", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a few seconds, to see that it runs")
    parser.add_argument("--print-job", action="store_true", help="show the job script, submit nothing")
    parser.add_argument("--partition", help="the scheduler's default if not given")
    parser.add_argument("--account", help="to be charged")
    arguments = parser.parse_args()

    water = Substance.pure("O")
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
    slurm = ParslSlurmBackend(0, 2, WORKER, queue_name=arguments.partition, account=arguments.account)
    if arguments.print_job:
        print(slurm.job_script())
        return 0

    with slurm as backend:
        [density] = estimate(
            [Density(water, state)],
            force_field=OpenMMForceField("tip3p.xml"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    print(density)
    return 1 if density.status is Status.failed else 0


if __name__ == "__main__":
    sys.exit(main())
