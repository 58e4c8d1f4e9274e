"""Plain data as JSON and YAML text, read strictly: what is wrong is said with its line."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Any, NoReturn, TypeAlias

import yaml

from protocols.errors import InputError

try:
    from yaml import CSafeDumper as _YamlDumper
    from yaml import CSafeLoader as _YamlLoader
except ImportError:  # PyYAML without libyaml: the same, slower
    from yaml import SafeDumper as _YamlDumper  # type: ignore[assignment]
    from yaml import SafeLoader as _YamlLoader  # type: ignore[assignment]

__all__ = ["Location", "json_text", "parse_json", "parse_yaml", "parse_yaml_with_lines", "yaml_text"]

Location: TypeAlias = tuple[str | int, ...]
"""The keys and indices on the way to a value."""

# What people stumble over, by words of libyaml's report.
_HINTS = {
    "cannot start any token": "indent with spaces, not tabs; quote a text that begins with a sign",
    "mapping values are not allowed": "check the indentation of this line and the one before; quote a text "
    "that has a colon in it",
    "did not find expected '-' indicator": "check the indentation of this line",
    "did not find expected key": "check the indentation, and quote a SMILES that begins with [",
    "did not find expected ',' or": "close the bracket, and quote a SMILES that has brackets",
    "could not find expected ':'": "a key is followed by a colon and a space",
    "undefined alias": "quote a text that begins with *",
    "while scanning a quoted scalar": "close the quote",
}


def json_text(data: Any) -> str:
    """Return plain data as JSON, indented."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def yaml_text(data: Any) -> str:
    """Return plain data as YAML, in the order of the data."""
    text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return str(text)


def parse_json(text: str) -> Any:
    """Return the plain data of a JSON text.

    Raises
    ------
    InputError
        It is not JSON, or an object has a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise InputError(f"document: not JSON; line {error.lineno}: {error.msg}") from None
    except RecursionError:
        raise InputError("document: not JSON that can be read; it is nested too deeply") from None


def parse_yaml(text: str) -> Any:
    """Return the plain data of a YAML text.

    Raises
    ------
    InputError
        It is not YAML, or a mapping has a key twice.
    """
    return parse_yaml_with_lines(text)[0]


def parse_yaml_with_lines(text: str) -> tuple[Any, dict[Location, int]]:
    """Return the plain data of a YAML text, and the line, from 1, of every key and item by its location.

    What is a number or a truth value is that of YAML 1.2: NO and 05:00 are texts.

    Raises
    ------
    InputError
        It is not YAML, or a mapping has a key twice.
    """
    try:
        loader = _Loader(text)  # it is a safe one
        try:
            node = loader.get_single_node()
            if node is None:
                return None, {}
            lines = dict(_lines(node, ()))
            return loader.construct_document(node), lines
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        _refuse(error)
    except RecursionError:
        raise InputError("document: not YAML that can be read; it is nested too deeply") from None


def _refuse(error: yaml.YAMLError) -> NoReturn:
    if not isinstance(error, yaml.MarkedYAMLError):  # a character that is not allowed
        raise InputError(f"document: not YAML; {' '.join(str(error).split())}") from None
    in_quotes = error.context == "while scanning a quoted scalar"  # which ends with the file, far below
    mark = error.context_mark if in_quotes else error.problem_mark
    line, problem = mark.line + 1 if mark else "unknown", error.problem or ""
    told = f"{problem} {error.context if in_quotes else ''}"
    hint = next((f"; {hint}" for words, hint in _HINTS.items() if words in told), "")
    raise InputError(f"document: not YAML; line {line}: {problem}{hint}") from None


def _lines(node: yaml.Node, place: Location) -> Iterator[tuple[Location, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, str(key.value))
            yield here, key.start_mark.line + 1
            yield from _lines(value, here)
    if isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*place, index), value.start_mark.line + 1
            yield from _lines(value, (*place, index))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise InputError(f"document: {key!r} is there twice in one object; give it once")
    return data


# The core schema of YAML 1.2, with PyYAML's floats, whose dumper writes 1.0e-05 and .inf.
_TAGS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
}


class _Loader(_YamlLoader):
    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012  # as PyYAML has it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"{key.value!r} is there twice in one mapping; give it once"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^(?:<<)$"), ["<"])


class _Dumper(_YamlDumper):
    """Writes text of several lines, such as a force field, as lines."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
# The dumper quotes what readers of either version of YAML would take for something else than text.
for _name, (_pattern, _first) in _TAGS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), _first)
