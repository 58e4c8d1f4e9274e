from pathlib import Path

import pytest

from protocols.calculations.calculation import kept_calculation, read_calculation
from protocols.calculations.plan import plan_of
from protocols.calculations.problems import CalculationFileError
from protocols.errors import InputError
from protocols.properties.density import Density
from protocols.substance import Substance

_GOOD = """\
force_field: tip3p.xml
substances:
  water: O
states:
  room: {temperature: 298.15 K, pressure: 1 atm}
properties:
  - property: Density
    substance: water
    state: room
    target: 0.2 %
settings:
  production_time: 200 ps
backend:
  type: parsl-local
  number_of_workers: 1
"""


def _write(folder, text=_GOOD):
    file = folder / "water.yaml"
    file.write_text(text)
    return file


def _changed(*pairs):
    text = _GOOD
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def test_a_file_becomes_what_estimate_takes(tmp_path):
    read = read_calculation(_write(tmp_path))
    [item] = read.properties
    assert isinstance(item, Density)
    assert item.substance == Substance.pure("O")
    assert str(item.state) == "298.15 K, 1 atm"
    assert str(item.target) == "0.2 percent"
    assert read.settings.production_time.to("ns").m == pytest.approx(0.2)
    assert read.make_backend().number_of_workers == 1


def test_lists_stand_for_every_combination(tmp_path):
    text = _changed(
        ("property: Density", "property: [Density, DielectricConstant]"),
        ("state: room", "state: [room, warm]"),
        ("pressure: 1 atm}", "pressure: 1 atm}\n  warm: {temperature: 310 K, pressure: 1 bar}"),
    )
    text = text.replace("    target: 0.2 %\n", "")
    names = [str(item) for item in read_calculation(_write(tmp_path, text)).properties]
    assert names == [
        "Density of O at 298.15 K, 1 atm",
        "Density of O at 310 K, 1 bar",
        "DielectricConstant of O at 298.15 K, 1 atm",
        "DielectricConstant of O at 310 K, 1 bar",
    ]


def test_mixtures_solutions_and_force_fields_beside_the_file(tmp_path, monkeypatch):
    source = Path(__file__).parents[2] / "force_fields" / "peroxide.xml"
    (tmp_path / "peroxide.xml").write_text(source.read_text(encoding="utf-8"))
    text = _changed(
        ("tip3p.xml", "[tip3p.xml, peroxide.xml]"),
        ("water: O", "water: {mixture: {O: 0.9, OO: 0.1}}\n  dilute: {solute: OO, solvent: O}"),
    )
    monkeypatch.chdir("/")
    read = read_calculation(_write(tmp_path, text))
    assert str(read.properties[0].substance) == "0.9 O + 0.1 OO"


def test_paths_of_backends_and_of_data_sets_are_relative_to_the_file(tmp_path, monkeypatch):
    text = _changed(
        ("type: parsl-local\n  number_of_workers: 1", "type: parsl-slurm\n  directory: runs"),
        ("properties:", "data_set: {file: mine.csv}\nproperties:"),
    )
    header = "smiles,temperature_K,pressure_bar,property,value,unit\n"
    (tmp_path / "mine.csv").write_text(f"{header}O,300,1,Density,0.9965,g/mL\n")
    monkeypatch.chdir("/")
    read = read_calculation(_write(tmp_path, text))
    assert [value.m for value, _ in read.references.values()] == [0.9965]
    assert f"#SBATCH --output={tmp_path}/runs/" in read.make_backend().job_script()


def test_a_data_set_joins_the_properties_and_gives_references(tmp_path):
    text = _changed(("properties:", "data_set: {file: water.csv, target: 0.2 %}\nproperties:"))
    read = read_calculation(_write(tmp_path, text))
    assert len(read.properties) == len(read.data) == 9  # the density is in both
    value, uncertainty = read.references[read.properties[0]]
    assert (value.m, uncertainty.m) == pytest.approx((0.997047, 3e-6))
    assert {str(item.target) for item in read.properties} == {"0.2 percent"}


def test_what_is_kept_reads_back_from_elsewhere(tmp_path):
    (tmp_path / "old").mkdir()
    read = read_calculation(_write(tmp_path / "old"))
    read.keep(tmp_path / "run")
    assert kept_calculation(tmp_path / "run").properties == read.properties
    assert (tmp_path / "run" / "calculation.yaml").read_text(encoding="utf-8") == _GOOD
    with pytest.raises(InputError, match="holds no run of the command line"):
        kept_calculation(tmp_path)


# What people get wrong, and what they are told: the line, the key, the value, what is allowed.
_BROKEN = {
    "a misspelt key": (
        [("settings:", "setings:")],
        "11: setings: not an input of a calculation (did you mean 'settings'?); its inputs are force_field, ",
    ),
    "no force field": (
        [("force_field: tip3p.xml\n", "")],
        " force_field: missing; a calculation needs it",
    ),
    "a force field that is nowhere": (
        [("tip3p.xml", "tip3.xml")],
        "1: force_field: no file 'tip3.xml'; looked in ",
    ),
    "a file of a force field that is missing": (
        [("tip3p.xml", "{type: AmberFiles, prmtop: a.prmtop}")],
        "1: force_field: inpcrd is missing; AmberFiles needs it",
    ),
    "a file of a force field that is nowhere": (
        [("tip3p.xml", "{type: GromacsFiles, top: a.top, gro: a.gro}")],
        "1: force_field: 'a.top' cannot be read: No such file or directory",
    ),
    "a substance that is no SMILES": (
        [("water: O", "water: H2O")],
        "3: substances.water: smiles: 'H2O' does not parse; give one such as 'O' or '[Ar]'",
    ),
    "brackets without quotes": (
        [("water: O", "water: [Ar]")],
        "3: substances.water: ['Ar'] is a list; a SMILES that begins with [ needs quotes: '[Ar]'",
    ),
    "ions without quotes": (
        [("water: O", "water: [Na+].[Cl-]")],
        "3: not YAML: did not find expected key; check the indentation, and quote a SMILES that begins "
        "with [",
    ),
    "mole fractions that do not sum to 1": (
        [("water: O", "water: {mixture: {O: 0.5, C: 0.4}}")],
        "3: substances.water: mole_fraction: the fractions sum to 0.9; they must sum to 1",
    ),
    "a number without a unit": (
        [("298.15 K", "298.15")],
        "5: states.room.temperature: 298.15 has no unit; give a temperature such as '298.15 K'",
    ),
    "a unit of something else": (
        [("298.15 K", "298.15 kPa")],
        "5: states.room.temperature: 298.15 kPa is a pressure; give a temperature such as '298.15 K'",
    ),
    "a unit that does not exist": (
        [("1 atm", "1 atmo")],
        "5: states.room.pressure: '1 atmo' is not a quantity: 'atmo' is not defined in the unit registry; "
        "give a pressure such as '1 atm'",
    ),
    "a property that does not exist": (
        [("Density", "Densty")],
        "7: properties.property: 'Densty' is not known (did you mean 'Density'?); known are Density, ",
    ),
    "a substance that is not there": (
        [("substance: water", "substance: ethanol")],
        "8: properties.substance: 'ethanol' is not among the substances; they are water",
    ),
    "a state that is missing": (
        [("    state: room\n", "")],
        "7: properties: state: missing; a property needs it",
    ),
    "an input of another property": (
        [("target: 0.2 %", "method: fluctuations")],
        "10: properties.method: not an input of Density; its inputs are property, substance, state, target, ",
    ),
    "a target of another dimension": (
        [("0.2 %", "0.2 kJ/mol")],
        "10: properties.target: 0.2 kJ/mol is not allowed; give a standard error above 0, relative such as "
        "'0.2 %' or in a unit such as g/mL",
    ),
    "a property that needs a pressure": (
        [(", pressure: 1 atm", "")],
        "7: properties: pressure: missing; Density needs a state with a pressure such as '1 atm'",
    ),
    "a substance without parameters": (
        [("water: O", "water: CCO")],
        "1: force_field: tip3p.xml does not cover CCO (",
    ),
    "a box that is too small": (
        [("production_time: 200 ps", "number_of_molecules: 50")],
        "7: properties: cutoff: 0.9 nm is not allowed for 50 molecules at the initial density; it must be at "
        "most half the box edge, ",
    ),
    "a setting without a unit": (
        [("200 ps", "200")],
        "12: settings.production_time: 200 has no unit; give a time such as '2 fs'",
    ),
    "a setting that is misspelt": (
        [("production_time", "production_tim")],
        "12: settings.production_tim: not an input of SimulationSettings (did you mean 'production_time'?); ",
    ),
    "a backend that does not exist": (
        [("parsl-local", "slurm")],
        "14: backend.type: 'slurm' is not known; known are ",
    ),
    "a backend's key that does not exist": (
        [("number_of_workers: 1", "workers: 1")],
        "15: backend.workers: is not known; known are number_of_workers, resources_per_worker, pools, ",
    ),
    "zero workers": (
        [("number_of_workers: 1", "number_of_workers: 0")],
        "15: backend.number_of_workers: 0 is not allowed; give a whole number of at least 1",
    ),
    "a tab": (
        [("  production_time", "\tproduction_time")],
        "12: not YAML: found character that cannot start any token; indent with spaces, not tabs",
    ),
    "wrong indentation": (
        [("    substance: water", "   substance: water")],
        "8: not YAML: did not find expected '-' indicator; check the indentation",
    ),
    "a key given twice": (
        [("substances:", "force_field: spce.xml\nsubstances:")],
        "2: not YAML: 'force_field' is there twice in one mapping; give it once",
    ),
    "a data set that is nowhere": (
        [("properties:", "data_set: {file: liquid.csv}\nproperties:")],
        "6: data_set.file: data set: 'liquid.csv' cannot be read: ",
    ),
    "a data set with an absolute target": (
        [("properties:", "data_set: {file: water.csv, target: 1 kJ/mol}\nproperties:")],
        "6: data_set.target: 1 kJ/mol is not allowed; give a relative one, such as '0.5 %', for properties "
        "of every unit",
    ),
    "nothing to do": (
        [(_GOOD[_GOOD.index("properties:") : _GOOD.index("settings:")], "")],
        " properties: none given; list at least one such as Density",
    ),
}


@pytest.mark.parametrize(("changes", "message"), _BROKEN.values(), ids=_BROKEN)
def test_what_is_wrong_is_told_with_its_line(tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(tmp_path)
    _write(tmp_path, _changed(*changes))
    with pytest.raises(CalculationFileError) as caught:
        read_calculation("water.yaml")
    assert str(caught.value).startswith(f"water.yaml:{message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "water.yaml: it is empty; give keys and values, such as "),
        ("- Density\n", "water.yaml: it is ['Density'], without keys; give keys and values, such as "),
        (None, "water.yaml: cannot be read: No such file or directory"),
    ],
)
def test_what_is_no_calculation_at_all(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        _write(tmp_path, text)
    with pytest.raises(CalculationFileError) as caught:
        read_calculation("water.yaml")
    assert str(caught.value).startswith(message)


def test_everything_that_is_wrong_is_told_at_once_and_in_order(tmp_path):
    text = _changed(("298.15 K", "298.15"), ("200 ps", "200"), ("settings:", "settings:\n  seed: 0"))
    with pytest.raises(CalculationFileError) as caught:
        read_calculation(_write(tmp_path, text))
    assert [(problem.line, problem.key) for problem in caught.value.found] == [
        (5, "states.room.temperature"),
        (12, "settings.seed"),
        (13, "settings.production_time"),
    ]


def test_a_plan_tells_what_is_shared(tmp_path):
    text = _changed(("property: Density", "property: [Density, ThermalExpansion]")).replace(
        "    target: 0.2 %\n", ""
    )
    plan = plan_of(read_calculation(_write(tmp_path, text)), measure=False)
    assert (plan.simulations, plan.simulations_unshared) == (4, 8)
    assert plan.simulated_ns == pytest.approx(2 * 0.22)
    assert plan.seconds is None
    assert plan.bytes_on_disk > 1e5
    assert "sharing saves 4 more" in str(plan)
    assert not any("rounded" in note for note in plan.notes)


def test_a_plan_tells_which_times_are_rounded(tmp_path):
    text = _changed(("settings:", "settings:\n  output_interval: 0.3 ps"))
    plan = plan_of(read_calculation(_write(tmp_path, text)), measure=False)
    assert plan.notes[0] == "simulated time: 20 ps is rounded to 20.1 ps, whole frames of 0.3 ps"


def test_a_number_without_unit_is_one_of_a_property_without_unit(tmp_path):
    text = "force_field: tip3p.xml\nsubstances: {w: O}\nstates: {s: {temperature: 300 K, pressure: 1 atm}}\n"
    entry = "- {property: %s, substance: w, state: s, target: 2, reference: 78.4}\n"
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(f"{text}properties:\n{entry % 'DielectricConstant'}")
    calculation = read_calculation(good)
    [(item, (reference, _))] = calculation.references.items()
    assert (reference.magnitude, str(reference.units)) == (78.4, "dimensionless")
    assert item.target.magnitude == 2
    bad.write_text(f"{text}properties:\n{entry % 'Density'}")
    with pytest.raises(CalculationFileError, match="g/mL"):
        read_calculation(bad)
