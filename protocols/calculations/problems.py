"""What is wrong with a calculation's file, each problem at its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from protocols.errors import InputError
from protocols.text import Location
from workflow_backends.errors import WorkflowBackendError

__all__ = ["CalculationFileError", "Problem", "Problems"]


class Problem(NamedTuple):
    """One thing that is wrong.

    Parameters
    ----------
    file
        As the user gave it.
    line
        From 1; None for the file as a whole.
    key
        The keys on the way to it, with dots.
    message
        The value and what is allowed.
    """

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(filter(None, (place, self.key, self.message)))


class CalculationFileError(InputError):
    """A file that describes no calculation; a line of the message for each problem.

    Parameters
    ----------
    found
        The problems, in the order of the file.
    """

    def __init__(self, found: tuple[Problem, ...]) -> None:
        super().__init__(found)
        self.found = found

    def __str__(self) -> str:
        return "\n".join(map(str, self.found))


class Problems:
    """Collects problems, so that one reading tells all of them.

    Parameters
    ----------
    file
        As the user gave it.
    lines
        Of its keys and items.
    """

    def __init__(self, file: Path | str, lines: Mapping[Location, int] | None = None) -> None:
        self._file = str(file)
        self._lines = lines or {}
        self._found: dict[Problem, None] = {}

    @contextmanager
    def at(self, *place: str | int) -> Iterator[None]:
        """Note what is raised while the block runs as a problem of this place."""
        try:
            yield
        except InputError as error:
            for inside, message in error.problems or (((), str(error)),):
                self._note((*place, *inside), message)
        except WorkflowBackendError as error:
            problem = self.of_backend(str(error), place)
            self._found[problem] = None

    def add(self, message: str, line: int | None = None) -> None:
        """Note a problem of the file as a whole, or of a line."""
        self._found[Problem(self._file, line, "", message)] = None

    def __len__(self) -> int:
        return len(self._found)

    def refuse(self) -> None:
        """Raise CalculationFileError if there is any problem."""
        if self._found:
            raise CalculationFileError(tuple(sorted(self._found, key=lambda problem: problem.line or 0)))

    def of_backend(self, message: str, place: Location = ("backend",)) -> Problem:
        """Return a problem at the key, or at one of the keys, with which the message of a backend begins."""
        message = re.sub(r"^backend of type '[^']*': ", "", message)
        named = re.match(r"([\w.]+(?: x \w+)*): ", message)
        if named is None:
            return self._problem(place, message)
        names = re.findall(r"\w+", named[1])
        inside = {tuple(map(str, known)): known for known in self._lines if known[: len(place)] == place}
        ways = [(*place, *names), *(way for name in names for way in inside if way[-1] == name)]
        found = next((inside[way] for way in ways if way in inside), None)
        return (
            self._problem(place, message) if found is None else self._problem(found, message[named.end() :])
        )

    def _note(self, place: Location, message: str) -> None:
        self._found[self._problem(*self._sharpened(self._known(place), message))] = None

    def _problem(self, place: Location, message: str) -> Problem:
        key = ".".join(part for part in place if isinstance(part, str))
        return Problem(self._file, self._lines.get(place), key, message)

    def _known(self, place: Location) -> Location:
        """Return as much of the way as is in the file."""
        while place and place not in self._lines:
            place = place[:-1]
        return place

    def _sharpened(self, place: Location, message: str) -> tuple[Location, str]:
        """Take the field with which a message begins for the last part of the way, where it is one."""
        name, colon, rest = message.partition(": ")
        parts = tuple(name.split("."))
        if colon and tuple(map(str, place))[-len(parts) :] == parts:
            return place, rest
        ours = tuple(part for part in place if isinstance(part, str))
        if colon and ours[-len(parts) :] == parts:
            return place, rest
        candidates = ((*place, *parts), (*place, parts[-1]), ("settings", parts[-1]), parts)
        within = next((candidate for candidate in candidates if candidate in self._lines), None)
        return (within, rest) if colon and within is not None else (place, message)
