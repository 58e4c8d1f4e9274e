"""How commands end: exit codes, and errors in words or as JSON."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType
from typing import Any

import typer

__all__ = ["Exit", "reporting", "say"]


class Exit(IntEnum):
    """Exit codes of every command."""

    fine = 0
    failed = 1
    bad_input = 2
    not_converged = 3
    cannot_run = 4
    interrupted = 130


def say(text: str, data: Any, *, as_json: bool) -> None:
    """Print text for people, or data for programs."""
    typer.echo(json.dumps(data, indent=1, ensure_ascii=False, default=str) if as_json else text)


@contextmanager
def reporting(*, as_json: bool, after_interruption: Callable[[], str] = str) -> Iterator[None]:
    """End the command with a line of words, and an exit code, where the block raises.

    Parameters
    ----------
    as_json
        Whether errors go to standard output as JSON instead of to standard error as words.
    after_interruption
        Says what to do after Ctrl-C; a request to terminate counts as one.
    """
    from protocols.errors import InputError, ProtocolsError  # noqa: PLC0415  # heavy
    from workflow_backends.errors import InvalidResourcesError, WorkflowBackendError  # noqa: PLC0415

    before = signal.signal(signal.SIGTERM, _as_interruption)
    try:
        yield
    except (InputError, InvalidResourcesError) as error:
        _end(error, Exit.bad_input, as_json=as_json)
    except (ProtocolsError, WorkflowBackendError) as error:
        _end(error, Exit.cannot_run, as_json=as_json)
    except KeyboardInterrupt:
        _end(f"Stopped. {after_interruption()}".strip(), Exit.interrupted, as_json=as_json)
    finally:
        signal.signal(signal.SIGTERM, before)


def _as_interruption(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end(error: object, code: Exit, *, as_json: bool) -> None:
    if as_json:
        problems = [problem._asdict() for problem in getattr(error, "found", ())]
        say("", {"error": str(error), "exit_code": int(code), "problems": problems}, as_json=True)
    else:
        print(error, file=sys.stderr)  # noqa: T201  # typer's echo would colour and wrap it
    raise typer.Exit(code)
