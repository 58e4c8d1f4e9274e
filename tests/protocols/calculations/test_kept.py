import re
from importlib import resources

import pytest

from protocols.calculations.calculation import read_calculation
from protocols.calculations.kept import check_directory, keep_calculation, kept_calculation
from protocols.errors import DirectoryLockedError, InputError
from protocols.estimate import estimate
from protocols.running.locking import DirectoryLock

_TEXT = """\
force_field: argon.xml
substances:
  argon: "[Ar]"
states:
  cold: {temperature: 90 K, pressure: 1 bar}
properties:
  - property: Density
    substance: argon
    state: cold
settings:
  number_of_molecules: 100
  initial_density: 1.3 g/mL
  cutoff: 0.8 nm
  equilibration_time: 0.1 ps
  production_time: 0.2 ps
  output_interval: 0.01 ps
  replicas: 1
backend:
  type: parsl-local
"""


def _written(file, text=_TEXT):
    file.write_text(text)
    return read_calculation(file)


def _estimated(calculation, home):
    keep_calculation(calculation, home)
    estimate(calculation.properties, calculation.force_field, directory=home, settings=calculation.settings)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    _estimated(_written(folder / "argon.yaml"), folder / "argon")
    return folder / "argon"


def test_what_is_kept_reads_back_from_elsewhere(tmp_path, home):
    assert kept_calculation(home).properties == _written(tmp_path / "argon.yaml").properties
    assert (home / "calculation.yaml").read_text(encoding="utf-8") == _TEXT
    with pytest.raises(InputError, match="holds no run of the command line"):
        kept_calculation(tmp_path)


_HARMLESS = {
    "nothing": ("", ""),
    "a target": ("    state: cold\n", "    state: cold\n    target: 0.1 %\n"),
    "a limit": ("settings:", "limits: {rounds: 3}\nsettings:"),
    "longer": ("production_time: 0.2 ps", "production_time: 2 ps"),
    "more replicas": ("replicas: 1", "replicas: 3"),
    "a backend": ("type: parsl-local", "type: multiprocessing\n  number_of_workers: 2"),
    "a property more": ("property: Density", "property: [Density, IsobaricHeatCapacity]"),
    "the same in other words": ("1 bar", "100 kPa"),
}


@pytest.mark.parametrize("change", _HARMLESS.values(), ids=_HARMLESS)
def test_a_calculation_goes_on_in_its_directory_with_what_may_change(tmp_path, home, change):
    check_directory(_written(tmp_path / "argon.yaml", _TEXT.replace(*change)), home)


_OTHER = {
    "a state": ("temperature: 90 K", "temperature: 95 K", "this one does not estimate that"),
    "a property": (
        "property: Density",
        "property: ThermalExpansion",
        "this one does not estimate that",
    ),
    "a setting": ("cutoff: 0.8 nm", "cutoff: 0.7 nm", "its settings.cutoff is 0.8 nm"),
    "a force field": ("force_field: argon.xml", "force_field: ar.xml", "its force_field is argon.xml"),
}


@pytest.mark.parametrize(("old", "new", "told"), _OTHER.values(), ids=_OTHER)
def test_another_calculation_does_not_take_over_a_directory(tmp_path, home, old, new, told):
    _own_force_field(tmp_path / "ar.xml")
    other = _written(tmp_path / "argon.yaml", _TEXT.replace(old, new))
    with pytest.raises(InputError) as caught:
        check_directory(other, home)
    assert str(caught.value) == (
        f"directory: {home} holds another calculation, of Density of [Ar] at 90 K, 1 bar; {told}; run this "
        f"one in a directory of its own with --directory, or delete {home} if it is not needed"
    )


def _own_force_field(file):
    shipped = resources.files("protocols") / "data" / "argon.xml"
    file.write_text(re.sub('epsilon="[^"]*"', 'epsilon="1.1"', shipped.read_text(encoding="utf-8")))


def test_of_several_properties_those_that_would_be_lost_are_named(tmp_path):
    both = _TEXT.replace("state: cold", "state: [cold, warm]").replace(
        "states:\n", "states:\n  warm: {temperature: 95 K, pressure: 1 bar}\n"
    )
    _estimated(_written(tmp_path / "both.yaml", both), tmp_path / "run")
    with pytest.raises(
        InputError, match=r"; this one does not estimate Density of \[Ar\] at 95 K, 1 bar; run"
    ):
        check_directory(_written(tmp_path / "one.yaml"), tmp_path / "run")


def test_the_run_of_a_script_is_not_taken_over_either(tmp_path):
    first = _written(tmp_path / "argon.yaml")
    _estimated(first, tmp_path / "run")
    (tmp_path / "run" / "calculation.yaml").unlink()
    check_directory(first, tmp_path / "run")
    other = _written(tmp_path / "warm.yaml", _TEXT.replace("90 K", "95 K"))
    with pytest.raises(InputError, match="this one does not estimate that"):
        check_directory(other, tmp_path / "run")


def test_what_can_no_longer_be_compared_is_not_taken_over(tmp_path):
    _own_force_field(tmp_path / "ar.xml")
    old = _written(tmp_path / "argon.yaml", _TEXT.replace("argon.xml", "ar.xml"))
    _estimated(old, tmp_path / "run")
    (tmp_path / "ar.xml").unlink()
    with pytest.raises(
        InputError, match=r"it can no longer be read \(.*calculation.yaml:1: force_field: no file"
    ):
        check_directory(_written(tmp_path / "new.yaml"), tmp_path / "run")


def test_a_directory_in_use_is_left_alone(tmp_path, home):
    with DirectoryLock(home), pytest.raises(DirectoryLockedError, match="a run is under way there"):
        check_directory(_written(tmp_path / "argon.yaml"), home)
