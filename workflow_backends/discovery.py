"""Backends by name, from a configuration file: ours, and those that other packages register.

A package registers its backends as entry points of the group `ENTRY_POINT_GROUP`.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from workflow_backends.backend import CalculationBackend
from workflow_backends.errors import InvalidConfigurationError, InvalidResourcesError
from workflow_backends.resources import ComputeResources, QueueWorkerResources
from workflow_backends.spelling import did_you_mean

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["ENTRY_POINT_GROUP", "OWN_BACKENDS", "backend_from_config", "config_schema"]

ENTRY_POINT_GROUP = "workflow_backends"
# Known here too, so that they are found where this package is used without having been installed.
OWN_BACKENDS = {
    "celery": "workflow_backends.celery_engine.backend:CeleryBackend",
    "dask-local": "workflow_backends.dask_engine.local:DaskLocalBackend",
    "dask-lsf": "workflow_backends.dask_engine.queues:DaskLSFBackend",
    "dask-pbs": "workflow_backends.dask_engine.queues:DaskPBSBackend",
    "dask-slurm": "workflow_backends.dask_engine.queues:DaskSlurmBackend",
    "multiprocessing": "workflow_backends.multiprocessing_engine:MultiprocessingBackend",
    "parsl-grid-engine": "workflow_backends.parsl_engine.queues:ParslGridEngineBackend",
    "parsl-kubernetes": "workflow_backends.parsl_engine.queues:ParslKubernetesBackend",
    "parsl-local": "workflow_backends.parsl_engine.local:ParslLocalBackend",
    "parsl-lsf": "workflow_backends.parsl_engine.queues:ParslLSFBackend",
    "parsl-pbs": "workflow_backends.parsl_engine.queues:ParslPBSBackend",
    "parsl-slurm": "workflow_backends.parsl_engine.queues:ParslSlurmBackend",
}
_REASONS = {
    "int": "give a whole number",
    "float": "give a number",
    "bool": "give true or false",
    "sequence": "give a list",
}
_CONTAINERS = (tuple, list, dict, Mapping, Sequence)


def backend_from_config(config: Mapping[str, Any], folder: Path | None = None) -> CalculationBackend:
    """Return the backend that a configuration describes; it is not started.

    Parameters
    ----------
    config
        ``type``, the backend's name, and arguments of its constructor under their own names; resources are
        mappings as well: ``{"type": "multiprocessing", "number_of_workers": 2, "resources_per_worker":
        {"number_of_threads": 1}}``.
    folder
        Where relative paths in it begin; None for the current directory.

    Raises
    ------
    InvalidConfigurationError
        An unknown type or key (those that are known are listed), a value that is not allowed, or a package
        that cannot be imported.
    InvalidResourcesError
        What the backend itself refuses.
    """
    if not isinstance(config, Mapping):
        raise InvalidConfigurationError(f"backend: {config!r} is not allowed; give a mapping with a type")
    settings = dict(config)
    name = settings.pop("type", None)
    kind = _find(name)
    checked = _checked(f"backend of type {name!r}", kind, settings)
    if folder is not None:
        checked |= _paths(kind, checked, folder)
    backend: CalculationBackend = kind(**checked)
    return backend


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema, draft 2020-12, of what `backend_from_config` takes.

    The settings of our own backends are described by their type; those of others are left open.
    """
    from pydantic import ConfigDict, create_model  # noqa: PLC0415  # only here is it needed
    from pydantic.json_schema import models_json_schema  # noqa: PLC0415

    closed = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())
    models = []
    for name in OWN_BACKENDS:
        kind = _find(name)
        fields: dict[str, Any] = {"type": (Literal[name], ...)} | _definitions(_parameters(kind)[0])
        models.append(create_model(name, __config__=closed, __doc__=inspect.getdoc(kind), **fields))
    keys, shared = models_json_schema([(model, "validation") for model in models])
    definitions = shared["$defs"]
    for kind in (ComputeResources, QueueWorkerResources):
        definitions[kind.__name__]["additionalProperties"] = False
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"anyOf": [{"enum": list(OWN_BACKENDS)}, {"type": "string"}]}},
        "allOf": [
            {"if": {"properties": {"type": {"const": name}}}, "then": keys[model, "validation"]}
            for name, model in zip(OWN_BACKENDS, models, strict=True)
        ],
        "$defs": definitions,
    }


def _find(name: object) -> Any:
    plugins = [entry for entry in entry_points(group=ENTRY_POINT_GROUP) if entry.name not in OWN_BACKENDS]
    own = [EntryPoint(name, value, ENTRY_POINT_GROUP) for name, value in OWN_BACKENDS.items()]
    found = {entry.value: entry for entry in (*own, *plugins) if entry.name == name}
    if not found:
        known = sorted({*OWN_BACKENDS, *(entry.name for entry in plugins)})
        wrong = "missing" if name is None else f"{name!r} is not known{did_you_mean(str(name), known)}"
        raise InvalidConfigurationError(f"type: {wrong}; known are {', '.join(known)}")
    if len(found) > 1:
        raise InvalidConfigurationError(
            f"type: {name!r} is registered several times, as {', '.join(sorted(found))}; keep one"
        )
    [entry] = found.values()
    try:
        kind = entry.load()
    except Exception as error:  # a plugin may raise anything; the user is told which did
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InvalidConfigurationError(
            f"type: {name!r} cannot be imported from {entry.value}: {reason}"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, CalculationBackend)):
        raise InvalidConfigurationError(f"type: {name!r} is {entry.value}, which is no CalculationBackend")
    return kind


def _checked(backend: str, kind: type[CalculationBackend], settings: dict[Any, Any]) -> dict[str, Any]:
    """Return the settings as the constructor's annotations want them."""
    from pydantic import ConfigDict, ValidationError, create_model  # noqa: PLC0415  # only here is it needed

    fields, open_ended = _parameters(kind)
    unknown = [key for key in settings if key not in fields]
    if unknown and not open_ended:
        raise InvalidConfigurationError(f"{backend}: {_not_known(unknown[0], fields)}")
    allowed = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())
    strict = {name: (_hint(hint), default) for name, (hint, default) in fields.items()}
    model = create_model("Settings", __config__=allowed, **_definitions(strict))
    try:
        values = model.model_validate({name: settings[name] for name in fields if name in settings})
    except ValidationError as error:
        raise InvalidConfigurationError(f"{backend}: {_one_line(error)}") from None
    return {name: getattr(values, name) if name in fields else settings[name] for name in settings}


def _definitions(fields: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Return annotations and defaults as pydantic takes them."""
    return {
        name: (hint, ... if default is inspect.Parameter.empty else default)
        for name, (hint, default) in fields.items()
    }


def _paths(kind: type[CalculationBackend], settings: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Return those of the settings that are paths, as paths from a folder."""
    fields, _ = _parameters(kind)
    given = {name: value for name, value in settings.items() if isinstance(value, str | Path)}
    return {
        name: folder / Path(value).expanduser()
        for name, value in given.items()
        if name in fields and Path in (fields[name][0], *get_args(fields[name][0]))
    }


def _parameters(kind: type[Any]) -> tuple[dict[str, tuple[Any, Any]], bool]:
    """Return the annotation and default of each parameter of a constructor, and whether it takes any other.

    Where it takes any keyword, these are for the constructor of a base class.
    """
    found: dict[str, tuple[Any, Any]] = {}
    for owner in kind.__mro__:
        if "__init__" not in vars(owner):
            continue
        if owner is object:
            return found, True
        constructor = vars(owner)["__init__"]
        hints = get_type_hints(constructor, include_extras=True)
        parameters = list(inspect.signature(constructor).parameters.values())[1:]
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        own = {p.name: (hints.get(p.name, Any), p.default) for p in parameters if p.kind in named}
        found = own | found
        if all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters):
            break
    return found, False


def _hint(hint: Any) -> Any:
    """Return an annotation that takes what a file holds: mappings for resources, and no text for numbers."""
    from pydantic import PlainValidator, StrictBool, StrictInt  # noqa: PLC0415

    if hint in (int, bool):
        return StrictInt if hint is int else StrictBool
    if isinstance(hint, type) and issubclass(hint, ComputeResources):
        return Annotated[Any, PlainValidator(partial(_resources, hint))]
    arguments, origin = tuple(map(_hint, get_args(hint))), get_origin(hint)
    if origin in (Union, types.UnionType):
        return Union[arguments]  # noqa: UP007  # made of a tuple
    return origin[arguments] if origin in _CONTAINERS else hint


def _resources(kind: type[ComputeResources], value: object) -> ComputeResources:
    if isinstance(value, kind):
        return value
    known = inspect.signature(kind).parameters
    if not isinstance(value, Mapping):
        raise InvalidConfigurationError(f"give a mapping of {', '.join(known)}")
    if unknown := [key for key in value if key not in known]:
        raise _InsideError(_not_known(unknown[0], known))
    try:
        return kind(**value)
    except InvalidResourcesError as error:
        raise _InsideError(str(error)) from None


class _InsideError(InvalidConfigurationError):
    """What is wrong inside a value; the message begins with its key there."""


def _not_known(key: object, known: Iterable[str]) -> str:
    inside = "resources_per_worker"
    if inside in known and key in inspect.signature(QueueWorkerResources).parameters:
        return f"{key}: belongs under {inside}"
    return f"{key}: not known{did_you_mean(str(key), known)}; known are {', '.join(known)}"


def _one_line(error: ValidationError) -> str:
    told: dict[object, str] = {}  # one for each key, since each kind that a value may have tells its own
    for problem in error.errors(include_url=False):
        place, cause = problem["loc"], problem.get("ctx", {}).get("error")
        kind = problem["type"].partition("_")[0]
        reason = _REASONS.get(kind, problem["msg"].removeprefix("Value error, "))
        if kind == "missing" and len(place) == 1:
            told.setdefault(place[0], f"{place[0]}: missing")
        elif isinstance(cause, _InsideError):
            told.setdefault(place[0], f"{place[0]}.{cause}")
        else:
            told.setdefault(place[0], f"{place[0]}: {problem['input']!r} is not allowed; {reason}")
    return "; ".join(told.values())
