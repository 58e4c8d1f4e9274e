"""``python -m workflow_backends doctor``: see doctor.py."""

import sys

from workflow_backends import doctor

__all__: list[str] = []

if __name__ == "__main__":
    if sys.argv[1:2] != ["doctor"]:
        sys.exit("usage: python -m workflow_backends doctor [--json] [--require NAME] [--no-speed]")
    sys.exit(doctor.main(sys.argv[2:]))
