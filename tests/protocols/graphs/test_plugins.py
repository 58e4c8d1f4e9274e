import pkgutil
import sys
import textwrap
from importlib import import_module

import pytest

import protocols
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.errors import InputError
from protocols.graphs.plugins import find_class, name_of, shipped_classes
from protocols.graphs.protocol import Protocol


class Own(Protocol):
    class Inner(Protocol):
        def execute(self, directory, available_resources):
            return self.Outputs()

    def execute(self, directory, available_resources):
        return self.Outputs()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a plugin: a module, and a distribution that registers entry points."""
    monkeypatch.syspath_prepend(tmp_path)

    def installed(distribution, entry_points, module=None, source=""):
        if module is not None:
            monkeypatch.delitem(sys.modules, module, raising=False)
            (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {value}\n" for name, value in entry_points.items())
        (info / "entry_points.txt").write_text(f"[estimate_properties.protocols]\n{lines}")

    return installed


_HALVE = """
    from protocols.graphs.protocol import Protocol

    class Halve(Protocol):
        value: float
        def execute(self, directory, available_resources):
            return self.Outputs()
"""


def test_every_protocol_of_this_package_is_found_by_its_plain_name():
    modules = [module.name for module in pkgutil.walk_packages(protocols.__path__, "protocols.")]
    classes = {
        item
        for module in map(import_module, modules)
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Protocol) and item is not Protocol
    }
    assert set(shipped_classes(Protocol).values()) == classes
    for cls in classes:
        assert name_of(cls) == cls.__name__
        assert find_class(cls.__name__, Protocol) is cls


def test_a_class_of_a_module_is_found_by_its_path():
    assert name_of(Own) == "test_plugins:Own"
    assert name_of(Own.Inner) == "test_plugins:Own.Inner"
    assert find_class("test_plugins:Own.Inner", Protocol) is Own.Inner


def test_a_plugin_registers_a_name(install):
    install("halves", {"Halve": "halves:Halve"}, "halves", _HALVE)
    cls = find_class("Halve", Protocol)
    assert (cls.__module__, name_of(cls)) == ("halves", "Halve")


def test_a_plugin_cannot_take_a_name_of_ours(install):
    install("halves", {"OpenMMSimulation": "halves:Halve"}, "halves", _HALVE)
    assert find_class("OpenMMSimulation", Protocol) is OpenMMSimulation
    assert name_of(find_class("halves:Halve", Protocol)) == "halves:Halve"


def test_a_name_of_two_plugins_is_refused_and_not_written(install):
    install("halves", {"Halve": "halves:Halve"}, "halves", _HALVE)
    install("others", {"Halve": "others:Halve"}, "others", _HALVE)
    with pytest.raises(InputError, match="several plugins; give one of halves:Halve, others:Halve"):
        find_class("Halve", Protocol)
    assert name_of(find_class("others:Halve", Protocol)) == "others:Halve"


def test_an_unknown_name_is_refused_with_all_that_are_known(install):
    install("halves", {"Halve": "halves:Halve"}, "halves", _HALVE)
    with pytest.raises(InputError) as caught:
        find_class("OpenMMSimulaton", Protocol)
    message = str(caught.value)
    assert message.startswith(
        "type: 'OpenMMSimulaton' is not known (did you mean 'OpenMMSimulation'?); known are "
    )
    assert all(name in message for name in [*shipped_classes(Protocol), "Halve", "package.module:Class"])
    assert "\n" not in message


def test_a_plugin_that_cannot_be_imported_is_named_with_the_reason(install):
    install("halves", {"Halve": "halves:Halve"}, "halves", "import not_there")
    reason = "ModuleNotFoundError: No module named 'not_there'"
    with pytest.raises(InputError, match=rf"the plugin halves \(halves:Halve\), which .* imported: {reason}"):
        find_class("Halve", Protocol)
    with pytest.raises(InputError, match=f"'halves:Halve' cannot be imported: {reason}"):
        find_class("halves:Halve", Protocol)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("not_there:Own", "cannot be imported: ModuleNotFoundError: No module named 'not_there'"),
        ("test_plugins:Onw", "does not exist; the module test_plugins has no 'Onw'"),
        ("test_plugins:InputError", "is not a protocol"),
        ("test_plugins:Protocol", "is not a protocol; give a concrete subclass of Protocol"),
        ("test_plugins:pytest", "is not a protocol"),
        (":Own", "cannot be imported"),
    ],
)
def test_a_path_that_names_no_protocol_is_refused(name, message):
    with pytest.raises(InputError, match=f"type: {name!r} {message}"):
        find_class(name, Protocol)


def test_a_class_that_nothing_else_can_import_is_refused(monkeypatch):
    class Local(Protocol):
        def execute(self, directory, available_resources):
            return self.Outputs()

    script = type("Scale", (Own,), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Scale", script, raising=False)
    for cls in (Local, script):
        with pytest.raises(InputError, match=r"cannot be written.*at the top level of a module"):
            name_of(cls)
