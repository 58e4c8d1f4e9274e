"""Plain data as JSON and YAML text, read strictly: what is wrong is said with its line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable
from typing import Any

import yaml

from protocols.errors import InputError

try:
    from yaml import CSafeDumper as _YamlDumper
    from yaml import CSafeLoader as _YamlLoader
except ImportError:  # PyYAML without libyaml: the same, slower
    from yaml import SafeDumper as _YamlDumper  # type: ignore[assignment]
    from yaml import SafeLoader as _YamlLoader  # type: ignore[assignment]

__all__ = ["json_text", "parse_json", "parse_yaml", "yaml_text"]


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
    try:
        return yaml.load(text, Loader=_Loader)  # it is a safe loader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "unknown"
        raise InputError(f"document: not YAML; line {line}: {error.problem}") from None
    except yaml.YAMLError as error:  # a character that is not allowed
        raise InputError(f"document: not YAML; {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InputError("document: not YAML that can be read; it is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise InputError(f"document: {key!r} is there twice in one object; give it once")
    return data


class _Loader(_YamlLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"{key.value!r} is there twice in one mapping; give it once"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(_YamlDumper):
    """Writes text of several lines, such as a force field, as lines."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
