"""What is built for others installs cleanly, and is whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import workflow_backends

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("protocols", "workflow_backends")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the source distribution, as pip builds it for those who have no wheel."""
    place = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", place, _ROOT], check=True, capture_output=True)
    assert [path.name for path in place.glob("*.tar.gz")] == [
        f"estimate_properties-{workflow_backends.__version__}.tar.gz"
    ]
    [built] = place.glob("*.whl")
    return built


def test_the_wheel_has_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", *_PACKAGES], cwd=_ROOT, check=True, capture_output=True, text=True
    )
    names = zipfile.ZipFile(wheel).namelist()
    assert sorted(name for name in names if ".dist-info/" not in name) == sorted(listed.stdout.split())
    assert {f"{package}/py.typed" for package in _PACKAGES} <= set(names)


def test_the_wheel_installs_and_works_elsewhere(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    site = Path(next(path for path in sys.path if path.endswith("site-packages")))
    ours = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    (ours / "dependencies.pth").write_text(f"{site}\n", encoding="utf-8")
    pip = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--ignore-installed", wheel]
    subprocess.run(pip, check=True, capture_output=True)
    code = (
        "import protocols, workflow_backends as w; from protocols.data_sets.tables import read_data_set;"
        "backend = w.backend_from_config({'type': 'parsl-local', 'number_of_workers': 1});"
        "print(protocols.__file__, w.__file__, len(read_data_set('water.csv')), type(backend).__name__)"
    )
    found = subprocess.run(
        [python, "-P", "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True, env={}
    )
    ours_protocols, ours_backends, values, backend = found.stdout.split()
    assert Path(ours_protocols).is_relative_to(tmp_path)
    assert Path(ours_backends).is_relative_to(tmp_path)
    assert int(values) > 0
    assert backend == "ParslLocalBackend"
    command = [tmp_path / "venv" / "bin" / "estimate-properties", "--version"]
    version = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, env={})
    assert workflow_backends.__version__ in version.stdout


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ethanol_needs_the_extra_gaff_and_nothing_else(wheel: Path, tmp_path: Path) -> None:
    """A machine without conda, where AmberTools comes with the extra, and no parameters are kept yet."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", f"{wheel}[gaff]"], check=True)
    example = shutil.copy(_ROOT / "examples" / "04_ethanol_density.py", tmp_path)
    run = subprocess.run(
        [python, example, "--fast", "--directory", "run"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    density, vaporization, experiment = run.stdout.splitlines()
    assert density.startswith("Density of CCO at 298.15 K, 1 atm: 0.")
    assert vaporization.startswith("EnthalpyOfVaporization of CCO at 298.15 K, 1 atm: ")
    assert experiment == "experiment: 0.7857 g/mL, 42.3 kJ/mol"
    parameters = next((tmp_path / "run").glob("AssignGaffParameters-*"))
    assert (parameters / "molecule.prmtop").is_file()
