"""Run any function on workers: futures, resources, cancelling. No simulation; about five seconds.

Expected output (also with --fast, which waits less before it cancels):

    14 squared is 196, the sum of two results 212
    squares in order: [0, 1, 4, 9, 16]
    each worker may use 1 thread
    time limit: task 'too slow' (number 10): it ran longer than its time limit of 1 s
    cancelled: True
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from workflow_backends import ComputeResources, MultiprocessingBackend


def square(number: int) -> int:
    return number * number


def threads(available_resources: ComputeResources) -> int:
    return available_resources.number_of_threads  # the name of the parameter asks for them


def sleep(mark: Path) -> None:
    mark.touch()
    time.sleep(3600)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default=None, help="for a small file (default: a temporary one)")
    parser.add_argument("--fast", action="store_true", help="wait less")
    arguments = parser.parse_args()
    limit = 0.2 if arguments.fast else 1

    with MultiprocessingBackend(2, ComputeResources(number_of_threads=1)) as backend:
        future = backend.submit_task(square, 14)  # returns at once
        total = backend.submit_task(sum, [future, backend.submit_task(square, 4)])  # waits for both
        print(f"14 squared is {future.result()}, the sum of two results {total.result()}")
        print(f"squares in order: {list(backend.map(square, range(5)))}")
        print(f"each worker may use {backend.submit_task(threads).result()} thread")

        limited = backend.options(name="too slow", time_limit=limit)
        try:
            limited.submit_task(time.sleep, 3600).result()
        except TimeoutError as error:
            print(f"time limit: {error}")

        mark = Path(arguments.directory or tempfile.mkdtemp()) / "it runs"
        mark.parent.mkdir(parents=True, exist_ok=True)
        running = backend.submit_task(sleep, mark)
        while not mark.exists():
            time.sleep(0.01)
        running.cancel()  # its worker is interrupted, and two seconds later killed
        print(f"cancelled: {running.cancelled()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
