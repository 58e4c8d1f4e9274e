"""Tasks on SLURM that never end, in the directory given: a script for tests to end."""

import sys
import time
from pathlib import Path

from workflow_backends import ParslSlurmBackend, QueueWorkerResources


def _work(directory: Path, number: int) -> None:
    (directory / f"running-{number}").touch()
    time.sleep(600)


def main(directory: Path) -> None:
    resources = QueueWorkerResources(number_of_threads=8)  # a node each, so that some jobs wait
    with ParslSlurmBackend(0, 5, resources, directory=directory) as backend:
        futures = [backend.submit_task(_work, directory, number) for number in range(5)]
        (directory / "submitted").touch()
        for future in futures:
            future.result()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
