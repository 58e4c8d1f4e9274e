"""The class of a protocol, by the name that a document gives it, and the name of a class.

The protocols of this package have their plain names. A plugin registers more by entry points of the group
`ENTRY_POINT_GROUP`. Every other class that can be imported is written as "package.module:Class".
"""

from __future__ import annotations

import inspect
import sys
from functools import reduce
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from protocols.errors import InputError
from workflow_backends.spelling import did_you_mean

if TYPE_CHECKING:
    from protocols.graphs.protocol import Protocol

__all__ = ["ENTRY_POINT_GROUP", "find_class", "name_of", "shipped_classes"]

ENTRY_POINT_GROUP = "estimate_properties.protocols"

# Where the protocols of this package are, and its sources of parameters; imported when one is asked for.
_MODULES = (
    "protocols.systems.alchemy",
    "protocols.analysis.observables",
    "protocols.analysis.combination",
    "protocols.systems.coordinates",
    "protocols.analysis.fluctuations",
    "protocols.analysis.free_energy",
    "protocols.dynamics.gas",
    "protocols.running.groups",
    "protocols.analysis.interface",
    "protocols.dynamics.minimisation",
    "protocols.systems.combined",
    "protocols.systems.forcefield",
    "protocols.systems.gaff",
    "protocols.systems.molecule_parameters",
    "protocols.systems.smirnoff",
    "protocols.systems.files",
    "protocols.systems.given",
    "protocols.systems.parameterise",
    "protocols.systems.rescaling",
    "protocols.dynamics.simulation",
    "protocols.dynamics.slab",
    "protocols.dynamics.transport",
    "protocols.analysis.transport_coefficients",
    "protocols.dynamics.windows",
)


def shipped_classes(base: type[Any]) -> dict[str, type[Protocol]]:
    """Return this package's own protocols, the concrete subclasses of `base`, by name."""
    public = [getattr(module, name) for module in map(import_module, _MODULES) for name in module.__all__]
    return {item.__name__: item for item in public if _is_concrete(item, base)}


def find_class(name: str, base: type[Any]) -> type[Protocol]:
    """Return the class that a document calls `name`.

    Parameters
    ----------
    name
        Of a protocol of this package, of one that a plugin registers, or "package.module:Class".
    base
        What it must be a subclass of: Protocol.

    Raises
    ------
    InputError
        The name is not known (the message lists those that are), its module or plugin cannot be imported,
        or what it names is no protocol.
    """
    found: Any = (
        _imported(name) if ":" in name else shipped_classes(base).get(name) or _plugged_in(name, base)
    )
    if not _is_concrete(found, base):
        raise InputError(f"type: {name!r} is not a protocol; give a concrete subclass of {base.__name__}")
    return found  # type: ignore[no-any-return]


def name_of(cls: type[Protocol]) -> str:
    """Return the name under which `find_class` finds this class.

    Raises
    ------
    InputError
        Another process could not import the class: it belongs to a script, a notebook or a function.
    """
    if cls.__module__ in _MODULES and cls.__qualname__ in sys.modules[cls.__module__].__all__:
        return cls.__name__
    full = f"{cls.__module__}:{cls.__qualname__}"
    if (
        cls.__module__ == "__main__"
        or _attribute(sys.modules.get(cls.__module__), cls.__qualname__) is not cls
    ):
        raise InputError(
            f"type: {full!r} cannot be written, because nothing else can import it; "
            "put the class at the top level of a module"
        )
    registered = entry_points(group=ENTRY_POINT_GROUP)
    names = [entry.name for entry in registered if f"{entry.module}:{entry.attr}" == full]
    taken = {entry.name for entry in registered if f"{entry.module}:{entry.attr}" != full}
    ours = {name for module in map(import_module, _MODULES) for name in module.__all__}
    return next((name for name in names if name not in taken | ours), full)


def _is_concrete(item: Any, base: type[Any]) -> bool:
    return isinstance(item, type) and issubclass(item, base) and not inspect.isabstract(item)


def _attribute(module: Any, qualified_name: str) -> Any:
    """Return what a dotted name means in a module, or None."""
    return reduce(lambda item, part: getattr(item, part, None), qualified_name.split("."), module)


def _imported(name: str) -> Any:
    module_name, _, qualified_name = name.partition(":")
    try:
        module = import_module(module_name)
    except Exception as error:  # a module may raise anything; the user is told what
        raise InputError(f"type: {name!r} cannot be imported: {_one_line(error)}") from error
    found = _attribute(module, qualified_name)
    if found is None:
        raise InputError(f"type: {name!r} does not exist; the module {module_name} has no {qualified_name!r}")
    return found


def _plugged_in(name: str, base: type[Any]) -> Any:
    registered = entry_points(group=ENTRY_POINT_GROUP)
    places = {entry.value: entry for entry in registered if entry.name == name}
    if not places:
        known = sorted({*shipped_classes(base), *(entry.name for entry in registered)})
        raise InputError(
            f"type: {name!r} is not known{did_you_mean(name, known)}; known are {', '.join(known)}, and any "
            "class as 'package.module:Class'"
        )
    if len(places) > 1:
        raise InputError(
            f"type: {name!r} is registered by several plugins; give one of {', '.join(sorted(places))}"
        )
    [entry] = places.values()
    try:
        return entry.load()
    except Exception as error:  # a plugin may raise anything; the user is told which did
        raise InputError(
            f"type: {name!r} comes from the plugin {_distribution(entry)}, which cannot be imported: "
            f"{_one_line(error)}"
        ) from error


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} ({entry.value})" if entry.dist is not None else entry.value


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
