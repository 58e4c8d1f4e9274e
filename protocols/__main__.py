"""``python -m protocols``: the command line, as ``estimate-properties``."""

from protocols.cli.app import app

__all__: list[str] = []

if __name__ == "__main__":
    app(prog_name="estimate-properties")
