"""The commands and their help; what they do is imported when they are called."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    name="estimate-properties",
    help="Estimate physical properties of liquids by simulation, from one YAML file.",
    epilog="Example: estimate-properties check water.yaml, then estimate-properties run water.yaml",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_File = Annotated[Path, typer.Argument(metavar="FILE.yaml", help="What to compute, and where.")]
_Run = Annotated[Path, typer.Argument(metavar="DIR", help="The directory of a run.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def _show_version(asked: bool) -> None:
    if asked:
        versions = (f"{name} {metadata.version(name)}" for name in ("estimate-properties", "openmm"))
        typer.echo(", ".join((*versions, f"Python {platform.python_version()}")))
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # answered before any command
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show versions and exit.")
    ] = False,
) -> None:
    """Say nothing: the help is that of the application."""


@app.command(
    epilog="Exit codes: 0 all converged, 1 one failed, 2 wrong input, 3 one did not converge, 4 cannot run, "
    "130 stopped. Example: estimate-properties run water.yaml --directory water"
)
def run(
    file: _File,
    directory: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the run is kept.  [default: the file's name without .yaml]"),
    ] = None,
    json: _Json = False,
) -> None:
    """Run a calculation, or go on with it."""
    from protocols.cli.running import run_file  # noqa: PLC0415

    run_file(file, directory, as_json=json)


@app.command(epilog="Example: estimate-properties check water.yaml")
def check(
    file: _File,
    speed: Annotated[bool, typer.Option(help="Measure for some seconds, to tell the time.")] = True,
    json: _Json = False,
) -> None:
    """Check a calculation and show its plan; run nothing."""
    from protocols.cli.checking import check_file  # noqa: PLC0415

    check_file(file, speed=speed, as_json=json)


@app.command(epilog="Example: estimate-properties status water --watch")
def status(
    directory: _Run,
    everything: Annotated[bool, typer.Option("--all", help="List all protocols.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it until the run ends, or Ctrl-C.")] = False,
    json: _Json = False,
) -> None:
    """Show where a run stands, while it goes on or after."""
    from protocols.cli.looking import show_status  # noqa: PLC0415

    show_status(directory, everything=everything, watch=watch, as_json=json)


@app.command(epilog="Example: estimate-properties resume water")
def resume(directory: _Run, json: _Json = False) -> None:
    """Go on with a run from its directory alone."""
    from protocols.cli.running import resume_run  # noqa: PLC0415

    resume_run(directory, as_json=json)


@app.command(epilog="Example: estimate-properties report water")
def report(
    directory: _Run,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="The page.  [default: report.html in DIR]")
    ] = None,
    json: _Json = False,
) -> None:
    """Write a page with results, plots and warnings."""
    from protocols.cli.looking import make_report  # noqa: PLC0415

    make_report(directory, output, as_json=json)


@app.command(epilog="Example: estimate-properties script water.yaml")
def script(file: _File, json: _Json = False) -> None:
    """Print the job script for the scheduler; submit nothing."""
    from protocols.cli.checking import show_script  # noqa: PLC0415

    show_script(file, as_json=json)


@app.command(epilog="Example: estimate-properties schema > calculation.schema.json")
def schema() -> None:
    """Print the JSON schema of calculations, for editors."""
    from protocols.cli.checking import show_schema  # noqa: PLC0415

    show_schema()


@app.command(epilog="Example: estimate-properties doctor")
def doctor(
    speed: Annotated[bool, typer.Option(help="Measure how fast each platform is.")] = True,
    require: Annotated[
        list[str] | None,
        typer.Option(metavar="PLATFORM", help="Exit with 1 unless it works; may be repeated."),
    ] = None,
    json: _Json = False,
) -> None:
    """Show what works on this machine, and how fast."""
    from workflow_backends import doctor as examination  # noqa: PLC0415

    arguments = [*(["--json"] if json else []), *([] if speed else ["--no-speed"])]
    raise typer.Exit(examination.main([*arguments, *(f"--require={name}" for name in require or ())]))
