"""Tasks that never end, in jobs of a cluster: a script for tests to end.

``python script_to_end.py DIRECTORY BACKEND SETTINGS``, the settings as JSON.
"""

import json
import sys
import time
from pathlib import Path

import workflow_backends


def _work(directory: Path, number: int) -> None:
    (directory / f"running-{number}").touch()
    time.sleep(600)


def main(directory: Path, kind: str, settings: str) -> None:
    resources = workflow_backends.QueueWorkerResources(
        number_of_threads=8
    )  # a node each, so that some jobs wait
    backend = getattr(workflow_backends, kind)(0, 5, resources, directory=directory, **json.loads(settings))
    with backend:
        futures = [backend.submit_task(_work, directory, number) for number in range(5)]
        (directory / "submitted").touch()
        for future in futures:
            future.result()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
