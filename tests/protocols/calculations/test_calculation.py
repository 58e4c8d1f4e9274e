import re
from pathlib import Path

import pytest
from rdkit import Chem

from protocols.calculations.calculation import read_calculation
from protocols.calculations.plan import plan_of
from protocols.calculations.problems import CalculationFileError
from protocols.properties.density import Density
from protocols.substance import Component, Substance
from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.machine import available_cpus

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


def test_components_have_counts_roles_and_files(tmp_path, monkeypatch):
    Chem.MolToMolFile(Chem.AddHs(Chem.MolFromSmiles("CO")), str(tmp_path / "methanol.sdf"))
    text = _changed(
        ("tip3p.xml", "{type: GaffForceField}"),
        (
            "  water: O",
            """\
  water: {file: methanol.sdf}
  spiked: {solute: {file: methanol.sdf}, solvent: ethanol}
  many:
    components:
      - {smiles: CCO, mole_fraction: 0.75}
      - {smiles: acetone, mole_fraction: 0.25}
      - {file: methanol.sdf, count: 3, role: solute}
  counted:
    components:
      - {smiles: CCO, count: 200}
      - {smiles: CO, count: 56}""",
        ),
        ("substance: water", "substance: [water, spiked, many, counted]"),
    )
    monkeypatch.chdir("/")
    read = read_calculation(_write(tmp_path, text))
    assert [item.substance for item in read.properties] == [
        Substance.pure("CO"),
        Substance.solution("CO", "CCO"),
        Substance(
            components=(
                Component(smiles="CCO", mole_fraction=0.75),
                Component(smiles="CC(C)=O", mole_fraction=0.25),
                Component(smiles="CO", count=3, role="solute"),
            )
        ),
        Substance(components=(Component(smiles="CCO", count=200), Component(smiles="CO", count=56))),
    ]


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


def test_names_may_look_like_numbers(tmp_path):
    text = _changed(("room:", "300:"), ("state: room", "state: 300"), ("water: O", "1: O"))
    [item] = read_calculation(_write(tmp_path, text.replace("substance: water", "substance: [1]"))).properties
    assert str(item) == "Density of O at 298.15 K, 1 atm"


def test_a_data_set_joins_the_properties_and_gives_references(tmp_path):
    text = _changed(("properties:", "data_set: {file: water.csv, target: 0.2 %}\nproperties:"))
    read = read_calculation(_write(tmp_path, text))
    assert len(read.properties) == len(read.data) == 9  # the density is in both
    value, uncertainty = read.references[read.properties[0]]
    assert (value.m, uncertainty.m) == pytest.approx((0.997047, 3e-6))
    assert {str(item.target) for item in read.properties} == {"0.2 percent"}


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
        "1: force_field: no file 'tip3.xml' (did you mean 'tip3p.xml' or 'tip3pfb.xml'?); looked in ",
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
    "a component without an amount": (
        [("water: O", "water:\n    components:\n      - smiles: O")],
        "5: substances.water.components: component O: give either mole_fraction or count",
    ),
    "a component's misspelt key": (
        [("water: O", "water:\n    components:\n      - {smiles: O, number: 3}")],
        "5: substances.water.components.number: not an input of a component; its inputs are smiles, file, ",
    ),
    "a molecule whose file is nowhere": (
        [("water: O", "water: {file: water.sdf}")],
        "3: substances.water.file: 'water.sdf' cannot be read: ",
    ),
    "a key of a substance that does not exist": (
        [("water: O", "water: {mixtures: {O: 1}}")],
        "3: substances.water: {'mixtures': {'O': 1}} is not a substance (did you mean 'mixture'?); give a ",
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
        "5: states.room.pressure: '1 atmo' is not a quantity: the unit 'atmo' is not known; did you mean "
        "'1 atm'?",
    ),
    "Celsius as the coulomb": (
        [("298.15 K", "25 C")],
        "5: states.room.temperature: 25 C is an electric charge; did you mean '25 degC' or '25 K'?",
    ),
    "Kelvin in small letters": (
        [("298.15 K", "298.15 k")],
        "5: states.room.temperature: 298.15 k is a quantity in k; did you mean '298.15 K'?",
    ),
    "Fahrenheit as the farad": (
        [("298.15 K", "77 F")],
        "5: states.room.temperature: 77 F is a quantity in F; did you mean '77 degF'?",
    ),
    "a negative temperature": (
        [("298.15 K", "-5 K")],
        "5: states.room.temperature: -5 K is not allowed; it must be more than 0 K",
    ),
    "a state in one line": (
        [("{temperature: 298.15 K, pressure: 1 atm}", "298.15 K, 1 atm")],
        "5: states.room: '298.15 K, 1 atm' is not allowed; it must have keys and values, each as ",
    ),
    "a state's key misspelt": (
        [("pressure: 1", "presure: 1")],
        "5: states.room.presure: not an input of ThermodynamicState (did you mean 'pressure'?); ",
    ),
    "substances as a list": (
        [("  water: O", "  - water: O")],
        "2: substances: [{'water': 'O'}] is not allowed; it must have keys and values, each as 'key: value'",
    ),
    "a name that is none of ours": (
        [("water: O", "water: watr")],
        "3: substances.water: smiles: 'watr' does not parse (did you mean 'water'?); give one such as ",
    ),
    "a carbon of five bonds": (
        [("water: O", "water: C(C)(C)(C)(C)C")],
        "3: substances.water: smiles: 'C(C)(C)(C)(C)C' is no possible molecule: Explicit valence for atom ",
    ),
    "a salt": (
        [("water: O", "water: '[Na+].[Cl-]'")],
        "3: substances.water: smiles: '[Na+].[Cl-]' holds several molecules; give each as a component of ",
    ),
    "mole fractions in per cent": (
        [("water: O", "water: {mixture: {O: 50 %, CO: 50 %}}")],
        "3: substances.water: mole_fraction: '50 %' is not allowed; give a number above 0 and at most 1, ",
    ),
    "a mixture that is not called so": (
        [("water: O", "water: {O: 0.5, CO: 0.5}")],
        "3: substances.water: {'O': 0.5, 'CO': 0.5} is not a substance; give a SMILES such as O, a mixture: ",
    ),
    "a property that the substance cannot have": (
        [("Density", "EnthalpyOfMixing")],
        "8: properties.substance: O is not allowed; EnthalpyOfMixing needs a mixture",
    ),
    "a property without the keys of one": (
        [("  - property: Density\n    substance: water\n    state: room\n    target: 0.2 %", "  - Density")],
        "7: properties: 'Density' is not allowed; give 'property: Density', and its substance and state",
    ),
    "properties without a dash": (
        [("  - property", "    property")],
        "6: properties: they are no list; begin each of them with '- '",
    ),
    "a target in words": (
        [("0.2 %", "good")],
        "10: properties.target: 'good' is not a quantity: it must be a number and a unit; give a quantity "
        "such as '0.2 %'",
    ),
    "a setting that is not under settings": (
        [("settings:\n  production", "production")],
        "11: production_time: belongs under settings, indented",
    ),
    "settings without a value": (
        [("  production_time: 200 ps\n", "")],
        "11: settings: an empty value is not allowed; it must have keys and values, each as 'key: value'",
    ),
    "a decimal comma": (
        [("{temperature: 298.15 K, pressure: 1 atm}", "\n    temperature: 298,15 K")],
        "6: states.room.temperature: '298,15 K' is not a quantity: it must be a number and a unit; write ",
    ),
    "a property left empty": (
        [("property: Density", "property:")],
        "7: properties.property: an empty value is not allowed; give a name, or a list of names",
    ),
    "a state in place of its name": (
        [("state: room", "state: {temperature: 298.15 K}")],
        "9: properties.state: {'temperature': '298.15 K'} is not allowed; give a name, or a list of names",
    ),
    "no states": (
        [("states:\n  room: {temperature: 298.15 K, pressure: 1 atm}\n", "")],
        "7: properties.state: 'room' is not among the states; there are none",
    ),
    "constraints that are none": (
        [("production_time: 200 ps", "constraints: none")],
        "12: settings.constraints: 'none' is not allowed; it must be 'HBonds', 'AllBonds' or 'HAngles', or ",
    ),
    "threads of nobody": (
        [("number_of_workers: 1", "number_of_threads: 2")],
        "15: backend.number_of_threads: belongs under resources_per_worker",
    ),
    "commands that are no list": (
        [("parsl-local", "parsl-slurm"), ("number_of_workers: 1", "setup_script_commands: module load cuda")],
        "15: backend.setup_script_commands: 'module load cuda' is not allowed; give a list",
    ),
    "a text that begins with a star": (
        [("water: O", "water: *O")],
        "3: not YAML: found undefined alias; quote a text that begins with *",
    ),
    "a step without a unit": (
        [
            ("Density", "IsobaricHeatCapacity"),
            ("target: 0.2 %", "method: finite difference\n    temperature_step: 5"),
        ],
        "11: properties.temperature_step: 5 has no unit; give a temperature such as '5 K'",
    ),
    "a production shorter than a frame": (
        [("200 ps", "0.1 ps")],
        "12: settings.production_time: 0.1 ps is not allowed; it must be at least the output_interval, 0.4 ",
    ),
    "frames further apart than the end": (
        [("production_time: 200 ps", "output_interval: 500 ps")],
        "12: settings.output_interval: 500 ps is not allowed; it must be at most the equilibration_time, ",
    ),
    "molecules as text": (
        [("production_time: 200 ps", "number_of_molecules: many")],
        "12: settings.number_of_molecules: 'many' is not allowed; it must be a whole number",
    ),
    "a density of a thousand": (
        [("production_time: 200 ps", "initial_density: 950 g/mL")],
        "12: settings.initial_density: 950 g/mL is not allowed; 256 molecules at 950 g/mL fill a box of ",
    ),
    "a cutoff in amperes": (
        [("production_time: 200 ps", "cutoff: 9 A")],
        "12: settings.cutoff: 9 A is a quantity in A; did you mean '9 angstrom'?",
    ),
    "a time limit as a clock shows it": (
        [("settings:", "limits: {time: 05:00}\nsettings:")],
        "11: limits.time: '05:00' is not a quantity: it must be a number and a unit; give a time such as "
        "'2 hours'",
    ),
    "a force field's file without its ending": (
        [("tip3p.xml", "TIP4P-Ew")],
        "1: force_field: no file 'TIP4P-Ew' (did you mean 'tip4pew.xml'?); looked in ",
    ),
    "a force field of OpenFF": (
        [("tip3p.xml", "openff-2.1.0.offxml")],
        "1: force_field: no file 'openff-2.1.0.offxml' (did you mean {type: SmirnoffForceField, name: ",
    ),
    "a force field without a type": (
        [("tip3p.xml", "{file: tip3p.xml}")],
        "1: force_field: type: missing; give one of ",
    ),
    "a quote that is not closed": (
        [("state: room", "state: 'room")],
        "9: not YAML: found unexpected end of stream; close the quote",
    ),
    "a backend without keys": (
        [("backend:\n  type: parsl-local\n  number_of_workers: 1\n", "backend: parsl-local\n")],
        "13: backend: 'parsl-local' is not allowed; it must have keys and values, each as 'key: value'",
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
        "12: settings.number_of_molecules: 50 is not allowed; 50 molecules at 0.95 g/mL fill a box of 1.16 "
        "nm, and the cutoff, 0.9 nm, must be at most half of it; take more molecules or a smaller cutoff",
    ),
    "a setting without a unit": (
        [("200 ps", "200")],
        "12: settings.production_time: 200 has no unit; give a time such as '200 ps'",
    ),
    "a setting that is misspelt": (
        [("production_time", "production_tim")],
        "12: settings.production_tim: not an input of SimulationSettings (did you mean 'production_time'?); ",
    ),
    "a backend that does not exist": (
        [("parsl-local", "slurm")],
        "14: backend.type: 'slurm' is not known (did you mean 'dask-slurm' or 'parsl-slurm'?); known are ",
    ),
    "a backend's key that does not exist": (
        [("number_of_workers: 1", "workers: 1")],
        "15: backend.workers: not known (did you mean 'number_of_workers' or 'workers_per_gpu'?); known are "
        "number_of_workers, resources_per_worker, pools, ",
    ),
    "a thread's key that does not exist": (
        [("number_of_workers: 1", "resources_per_worker: {threads: 4}")],
        "15: backend.resources_per_worker.threads: not known (did you mean 'number_of_threads'?); known are ",
    ),
    "a time limit in words": (
        [
            ("parsl-local", "parsl-slurm"),
            ("number_of_workers: 1", "resources_per_worker: {wallclock_time_limit: 5 hours}"),
        ],
        "15: backend.resources_per_worker.wallclock_time_limit: '5 hours' is not allowed; give 'HH:MM', ",
    ),
    "workers as text": (
        [("number_of_workers: 1", "number_of_workers: two")],
        "15: backend.number_of_workers: 'two' is not allowed; give a whole number",
    ),
    "a backend without a type": (
        [("  type: parsl-local\n", "")],
        "13: backend: type: missing; known are celery, ",
    ),
    "a short name of a force field": (
        [("tip3p.xml", "{type: gaff}")],
        "1: force_field.type: 'gaff' is not known (did you mean 'GaffForceField'?); known are AmberFiles, ",
    ),
    "a density of nothing": (
        [("production_time: 200 ps", "initial_densities: {CO: 0.79 g/mL}")],
        "12: settings.initial_densities: CO is in no property's substance; in them are O",
    ),
    "a limit below one round": (
        [("settings:", "limits: {steps: 100}\nsettings:")],
        "11: limits.steps: 100 is not allowed; one round of Density of O at 298.15 K, 1 atm has 200000 steps",
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
    assert plan.purposes == {"equilibration": 2, "production": 2}
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


def test_a_plan_has_the_replicas_that_workers_would_be_idle_without(tmp_path, monkeypatch):
    monkeypatch.setattr("workflow_backends.local.available_cpus", lambda: 6)
    text = _changed(("number_of_workers: 1", "number_of_workers: 6"))
    assert plan_of(read_calculation(_write(tmp_path, text)), measure=False).simulations == 12
    fixed = text.replace("production_time", "replicas: 2\n  production_time")
    assert plan_of(read_calculation(_write(tmp_path, fixed)), measure=False).simulations == 4


_TOO_MUCH = {
    "number_of_workers": "number_of_workers: {many}",
    "resources_per_worker.number_of_threads": "resources_per_worker: {{number_of_threads: {many}}}",
    "pools.few.number_of_threads": "pools: {{few: [1, {{number_of_threads: {many}}}]}}",
}


@pytest.mark.parametrize(("key", "asked"), _TOO_MUCH.items(), ids=_TOO_MUCH)
def test_more_than_this_machine_has_is_refused_with_the_line_that_asks_for_it(tmp_path, key, asked):
    many = available_cpus() + 1
    file = _write(tmp_path, _changed(("number_of_workers: 1", asked.format(many=many))))
    read = read_calculation(file)
    with pytest.raises(CalculationFileError) as caught:
        read.check_backend()
    assert str(caught.value) == (
        f"{file}:15: backend.{key}: {many} threads were asked for, this machine has {many - 1} CPUs; ask for "
        "fewer workers or threads"
    )
    with pytest.raises(CalculationFileError) as at_start, read.started_backend():
        pass
    assert str(at_start.value) == str(caught.value)


def test_a_platform_that_does_not_work_is_refused_with_its_line(tmp_path):
    file = _write(tmp_path, _changed(("number_of_workers: 1", "resources_per_worker: {platform: Abacus}")))
    read = read_calculation(file)
    told = re.escape(f"{file}:15: backend.resources_per_worker.platform: 'Abacus' is not available; ")
    with pytest.raises(PlatformUnavailableError, match=told):
        read.check_backend()
    with pytest.raises(PlatformUnavailableError, match=told), read.started_backend():
        pass


def test_a_cluster_may_have_what_this_machine_lacks(tmp_path):
    text = _changed(
        ("parsl-local", "parsl-slurm"),
        ("number_of_workers: 1", "resources_per_worker: {number_of_threads: 500, platform: Abacus}"),
    )
    read = read_calculation(_write(tmp_path, text))
    read.check_backend()
    assert plan_of(read, measure=True).seconds is None
