"""A calculation that is ready to run, read from its YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from protocols.calculations.file import CalculationFile, PropertyEntry
from protocols.calculations.problems import CalculationFileError, Problems
from protocols.campaign import Campaign
from protocols.convergence import Limits
from protocols.data_sets.comparison import Comparison, compare
from protocols.data_sets.measurement import DataSet
from protocols.data_sets.tables import read_data_set
from protocols.errors import InputError
from protocols.estimation import check_densities
from protocols.graphs.plugins import shipped_classes
from protocols.model import Model
from protocols.paths import relative_to
from protocols.properties.base import Property
from protocols.properties.catalogue import find_property
from protocols.quantities import Quantity, describe_quantity
from protocols.result import PropertyResult
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.systems.sources import ParameterSource
from protocols.text import Location, parse_yaml_with_lines
from workflow_backends.backend import CalculationBackend
from workflow_backends.discovery import backend_from_config
from workflow_backends.errors import InvalidResourcesError, PlatformUnavailableError
from workflow_backends.parsl_engine.local import ParslLocalBackend
from workflow_backends.spelling import did_you_mean

__all__ = ["Calculation", "read_calculation"]

_FORMS: dict[str, type[Model]] = {
    "settings": SimulationSettings,
    "limits": Limits,
    "states": ThermodynamicState,
    "properties": PropertyEntry,
}
_SECTIONS = {name: section for section, form in _FORMS.items() for name in form.model_fields}
"""Under which key of the file others belong."""


@dataclass(frozen=True)
class Calculation:
    """Everything that `estimate` takes, and where it runs.

    Parameters
    ----------
    file
        It was read from.
    folder
        In which files that it names are looked for.
    text
        Of the file.
    properties, force_field, settings, limits
        As for `estimate`.
    references
        Values to compare with and their uncertainties, by property.
    data
        The measured values that are asked for; their properties are among the others.
    data_target
        Of these properties.
    backend
        A type and its settings; None measures this machine.
    """

    file: Path
    folder: Path
    text: str
    properties: tuple[Property, ...]
    force_field: ParameterSource
    settings: SimulationSettings
    limits: Limits
    references: dict[Property, tuple[Quantity, Quantity | None]]
    data: DataSet
    data_target: Quantity | None
    backend: dict[str, Any] | None

    def make_backend(self) -> CalculationBackend:
        """Return the backend, not yet started; where none is described, the fastest layout is measured."""
        if self.backend is None:
            return ParslLocalBackend.for_this_machine()
        return backend_from_config(self.backend, self.folder)

    def check_backend(self) -> None:
        """Refuse a backend that cannot be had here, with the line that asks for it; a scheduler is not asked.

        Raises
        ------
        CalculationFileError
            More is asked for than this machine has.
        PlatformUnavailableError
            No GPU works here, or not the platform that is asked for.
        """
        if self.backend is not None:
            with self._with_lines():
                self.make_backend().check()

    @contextmanager
    def started_backend(self) -> Iterator[CalculationBackend]:
        """Start the backend while the block runs; what is refused is told as by `check_backend`."""
        backend = self.make_backend()
        with self._with_lines():
            backend.start()
        with backend:
            yield backend

    @contextmanager
    def _with_lines(self) -> Iterator[None]:
        try:
            yield
        except (InvalidResourcesError, PlatformUnavailableError) as error:
            problem = Problems(self.file, parse_yaml_with_lines(self.text)[1]).of_backend(str(error))
            if isinstance(error, InvalidResourcesError):
                raise CalculationFileError((problem,)) from None
            raise PlatformUnavailableError(str(problem)) from None

    def compare(self, results: Sequence[PropertyResult]) -> tuple[Comparison, ...]:
        """Compare the results, in the order of the properties, with the measured values."""
        target = self.data_target
        found = dict(zip(self.properties, results, strict=True))
        measured = self.data.measurements
        return compare(measured, [found[item.estimated(target)] for item in measured])


def read_calculation(file: Path | str, folder: Path | None = None) -> Calculation:
    """Read and check a calculation's YAML file; nothing is computed.

    Parameters
    ----------
    file
        To be read.
    folder
        To which paths in it are relative; its own unless told.

    Raises
    ------
    CalculationFileError
        Everything that is wrong with it, each with its line.
    """
    path = Path(file)
    folder = path.resolve().parent if folder is None else folder
    with relative_to(folder):
        return _read(path, folder)


def _read(path: Path, folder: Path) -> Calculation:
    text, data, lines = _parsed(path)
    given = {str(key): value for key, value in data.items()} if isinstance(data, dict) else None
    if given is None:
        problems, keys = Problems(path), ", ".join(CalculationFile.model_fields)
        what = "empty" if data is None else f"{data!r:.60}, without keys"
        problems.add(f"it is {what}; give keys and values, such as 'force_field: tip3p.xml'; keys are {keys}")
        problems.refuse()
    problems, form = Problems(path, lines), None
    for key in [key for key in given or {} if key in _SECTIONS and key not in CalculationFile.model_fields]:
        with problems.at(key):
            raise InputError(f"{key}: belongs under {_SECTIONS[key]}, indented")
    with problems.at():
        form = CalculationFile(**{key: value for key, value in (given or {}).items() if key not in _SECTIONS})
    problems.refuse()
    if form is None:  # never: what went wrong has been refused
        raise InputError(f"{path}: it describes no calculation")
    return _Reading(path, folder, text, form, problems).calculation()


def _parsed(path: Path) -> tuple[str, Any, dict[Location, int]]:
    """Return a file's text, its data, and the lines of its keys."""
    problems = Problems(path)
    try:
        text = path.read_text(encoding="utf-8")
        return text, *parse_yaml_with_lines(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8; save it as such"
        problems.add(f"cannot be read: {reason}")
    except InputError as error:
        told = re.fullmatch(r"document: not YAML; line (\d+): (.*)", str(error))
        if told is None:
            problems.add(str(error).removeprefix("document: "))
        else:
            problems.add(f"not YAML: {told[2]}", int(told[1]))
    problems.refuse()
    raise InputError(f"{path}: it describes no calculation")  # never: what went wrong has been refused


class _Reading:
    """Looks up what a file's names mean, and notes what is wrong."""

    def __init__(
        self, path: Path, folder: Path, text: str, form: CalculationFile, problems: Problems
    ) -> None:
        self._path, self._folder, self._text = path, folder, text
        self._form, self._problems = form, problems
        self._places: dict[Property, tuple[str | int, ...]] = {}
        self._references: dict[Property, tuple[Quantity, Quantity | None]] = {}

    def calculation(self) -> Calculation:
        form, force_field = self._form, None
        with self._problems.at("force_field"):
            force_field = _force_field(form.force_field)
        if not form.properties and form.data_set is None:
            self._problems.add(
                "properties: none given; list at least one such as Density, or give a data_set"
            )
        for number, entry in enumerate(form.properties):
            for item in self._of_entry(number, entry):
                self._places[item] = "properties", number
                if entry.reference is not None:
                    self._references[item] = entry.reference, None
        data, target = self._measured()
        if form.backend is not None:
            with self._problems.at("backend"):
                backend_from_config(form.backend, self._folder)
        self._problems.refuse()
        if force_field is None:
            raise InputError("force_field: missing")
        with self._problems.at("settings"):
            check_densities(self._places, form.settings)
        for item, place in self._places.items():
            with self._problems.at(*place):
                Campaign(item, force_field, form.settings, form.limits, directory=None)
        self._problems.refuse()
        return Calculation(
            file=self._path,
            folder=self._folder,
            text=self._text,
            properties=tuple(self._places),
            force_field=force_field,
            settings=form.settings,
            limits=form.limits,
            references=self._references,
            data=data,
            data_target=target,
            backend=form.backend,
        )

    def _measured(self) -> tuple[DataSet, Quantity | None]:
        """Return the data set, whose properties join the others, and their target."""
        entry, data = self._form.data_set, DataSet(measurements=())
        if entry is None:
            return data, None
        with self._problems.at("data_set", "file"):
            data = read_data_set(entry.file)
            if not data.measurements:
                raise InputError(f"{entry.file!r} has no value that can be estimated")
        with self._problems.at("data_set", "target"):
            for measured in data.measurements:
                item = measured.estimated(entry.target)
                self._places.setdefault(item, ("data_set",))
                self._references[item] = measured.value, measured.uncertainty
        return data, entry.target

    def _of_entry(self, number: int, entry: PropertyEntry) -> Iterator[Property]:
        for kind, substance, state in product(entry.property, entry.substance, entry.state):
            with self._problems.at("properties", number):
                known = _known("substance", substance, self._form.substances)
                where = _known("state", state, self._form.states)
                yield _property(kind, entry, known, where)


def _property(name: str, entry: PropertyEntry, substance: Any, state: Any) -> Property:
    kind = find_property(name)
    own = [field for field in kind.model_fields if field not in Property.model_fields]
    taken = [*PropertyEntry.model_fields, *own]
    for key in entry.options:
        if key not in own:
            raise InputError(
                f"{key}: not an input of {name}{did_you_mean(key, taken)}; its inputs are {', '.join(taken)}"
            )
    item = kind(substance, state, entry.target, **entry.options)
    if entry.reference is not None and not entry.reference.is_compatible_with(item.unit):
        raise InputError(
            f"reference: {describe_quantity(entry.reference)} is not allowed; give one in {item.unit}"
        )
    return item


def _known(what: str, name: str, among: dict[str, Any]) -> Any:
    if name not in among:
        known = f"they are {', '.join(among)}" if among else "there are none"
        raise InputError(f"{what}: {name!r} is not among the {what}s{did_you_mean(name, among)}; {known}")
    return among[name]


class _Given(Model):
    """What stands under force_field."""

    force_field: ParameterSource


def _force_field(given: Any) -> ParameterSource:
    """Return the source of parameters that is given."""
    known = shipped_classes(ParameterSource)
    if isinstance(given, dict) and not {"type", "files"} & given.keys():
        raise InputError(f"type: missing; give one of {', '.join(known)}")
    try:
        return _Given(force_field=given).force_field
    except InputError as error:
        hint = did_you_mean(given, known) if isinstance(given, str) else ""
        if isinstance(given, str) and given.endswith(".offxml"):
            hint = f" (did you mean {{type: SmirnoffForceField, name: {given}}}?)"
        elif hint:
            hint = hint.replace("mean '", "mean {type: ").replace("'?", "}?")
        if hint and "no file" in str(error):
            raise InputError(str(error).replace("; looked in", f"{hint}; looked in", 1)) from None
        raise
