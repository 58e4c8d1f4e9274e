"""``python -m workflow_backends doctor``, or ``celery-worker``: see doctor.py and celery_engine/worker.py."""

import sys

from workflow_backends import doctor
from workflow_backends.celery_engine import worker

__all__: list[str] = []

_COMMANDS = {"doctor": doctor.main, "celery-worker": worker.main}

if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in _COMMANDS:
        sys.exit(
            "usage: python -m workflow_backends doctor [--json] [--require NAME] [--no-speed]\n"
            "       python -m workflow_backends celery-worker --queue NAME [--workers N]"
        )
    sys.exit(_COMMANDS[sys.argv[1]](sys.argv[2:]))
