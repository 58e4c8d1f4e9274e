import pkgutil
import subprocess
import sys

import pint
import pytest

import protocols

MODULES = [module.name for module in pkgutil.walk_packages(protocols.__path__, "protocols.")]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_imports_alone(module):
    # The package's own __init__ is kept out, so that it cannot hide a circle.
    code = (
        "import importlib, sys, types; import importlib.util as u;"
        "s = u.find_spec('protocols'); p = types.ModuleType('protocols'); p.__spec__ = s;"
        "p.__path__ = list(s.submodule_search_locations); sys.modules['protocols'] = p;"
        f"importlib.import_module({module!r})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_importing_leaves_pints_application_registry_alone():
    assert pint.get_application_registry().get() is not protocols.quantities.registry
