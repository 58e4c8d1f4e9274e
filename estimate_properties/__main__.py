"""``python -m estimate_properties``: the command line, as ``estimate-properties``."""

from estimate_properties.app import app

__all__: list[str] = []

if __name__ == "__main__":
    app(prog_name="estimate-properties")
