import re
from dataclasses import replace

import numpy as np
import openmm
import pytest

from protocols.analysis.checks import Check, Replica, SimulatedLiquid, check_liquid, check_segments
from protocols.state import ThermodynamicState
from protocols.substance import Substance

STATE = ThermodynamicState(temperature="300 K", pressure="10 bar")
MIXTURE = Substance.mixture({"[Ar]": 0.5, "[Kr]": 0.5})
EDGE, NUMBER, FRAMES = 3.0, 216, 400


@pytest.fixture
def liquid(tmp_path):
    """Atoms of two kinds that are mixed and moved, at the state that was set."""
    system, force = openmm.System(), openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    system.setDefaultPeriodicBoxVectors(*(np.eye(3) * EDGE))
    for _ in range(NUMBER):
        system.addParticle(40.0)
        force.addParticle(0.0, 0.3, 0.0)
    system.addForce(force)
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    return SimulatedLiquid(
        state=STATE,
        system_file=tmp_path / "system.xml",
        replicas=(Replica((table(tmp_path),), state(tmp_path, seed=1), state(tmp_path, seed=2)),),
        substance=MIXTURE,
        number_of_molecules=NUMBER,
    )


def state(directory, seed, arrange=lambda positions: positions):
    rng = np.random.default_rng(seed)
    lattice = np.stack(np.meshgrid(*3 * [np.arange(6)]), axis=-1).reshape(NUMBER, 3) * EDGE / 6
    positions = rng.permutation(lattice) + rng.normal(0, 0.1, (NUMBER, 3))
    system = openmm.System()
    for _ in positions:
        system.addParticle(1.0)
    reference = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), reference)
    context.setPeriodicBoxVectors(*(np.eye(3) * EDGE))
    context.setPositions(arrange(positions))
    file = directory / f"state-{len(list(directory.iterdir()))}.xml"
    file.write_text(openmm.XmlSerializer.serialize(context.getState(positions=True)))
    return file


def table(directory, temperature=300.0, pressure=10.0, density=1.0):
    rng, frames = np.random.default_rng(7), np.arange(1, FRAMES + 1)
    pressures = pressure + 300 * rng.normal(size=FRAMES)
    pressures[frames % 3 > 0] = np.nan
    columns = {
        "time (ps)": 0.4 * frames,
        "temperature (K)": temperature + 8 * rng.normal(size=FRAMES),
        "density (g/mL)": density * (1 + 0.01 * rng.normal(size=FRAMES)),
        "pressure (bar)": pressures,
    }
    file = directory / f"table-{len(list(directory.iterdir()))}.csv"
    data = np.stack(list(columns.values()), axis=1)
    np.savetxt(file, data, delimiter=",", header=",".join(columns), comments="")
    return file


def changed(liquid, **files):
    return replace(liquid, replicas=(replace(liquid.replicas[0], **files),))


def failed(liquid):
    return [str(check) for check in check_liquid(liquid) if not check.passed]


def test_a_liquid_at_its_state_passes_all(liquid):
    checks = check_liquid(liquid)
    assert [check.name for check in checks] == ["temperature", "pressure", "phase", "mobility", "mixing"]
    assert failed(liquid) == []
    assert checks[0].text.endswith(" K, set to 300 K")


def test_what_was_set_has_no_digits_that_its_error_hides(liquid):
    state = ThermodynamicState(temperature="298.15 K", pressure="101.325 kPa")
    checks = {check.name: check.text for check in check_liquid(replace(liquid, state=state))}
    assert re.search(r"\+/- \d\d bar, set to 1\.01 bar", checks["pressure"])
    assert re.search(r"\+/- 0\.\d+ K, set to 298\.15 K", checks["temperature"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperature": 310.0}, "temperature: 309"),
        ({"pressure": 300.0}, "pressure: "),
        ({"density": 0.02}, "phase: it boiled: 0.02 g/mL at the end, an ideal gas has 0.016 g/mL"),
        ({"density": np.linspace(1.8, 0.9, FRAMES)}, "phase: it boiled: 1.01 g/mL at the end of 1.69 g/mL"),
        (
            {"density": np.linspace(0.8, 1.6, FRAMES)},
            "phase: not one phase: the density went from 0.8",
        ),
    ],
)
def test_what_is_off_is_told_in_one_line(liquid, tmp_path, values, message):
    [line] = failed(changed(liquid, tables=(table(tmp_path, **values),)))
    assert line.startswith(message)
    assert "\n" not in line


def test_small_deviations_of_long_runs_pass(liquid, tmp_path):
    close = table(tmp_path, temperature=302.5, pressure=40.0)
    assert failed(changed(liquid, tables=(close, close))) == []


def test_molecules_that_stay_are_frozen(liquid, tmp_path):
    start = liquid.replicas[0].first_state
    shaken = state(tmp_path, 1, lambda x: x + np.random.default_rng(3).normal(0, 0.02, x.shape))
    [line] = failed(replace(changed(liquid, last_state=shaken), substance=None))
    assert line.startswith("mobility: molecules 0.5 nm apart moved by 0.03")
    assert line.endswith("frozen, glassy, or simulated too briefly")
    assert failed(changed(liquid, last_state=start)) == [
        "mobility: molecules 0.5 nm apart moved by 0 nm in production: frozen, glassy, or simulated too "
        "briefly"
    ]


def test_components_in_two_layers_have_demixed(liquid, tmp_path):
    layers = state(tmp_path, 2, lambda x: x[np.argsort(x[:, 0])])
    [line] = failed(changed(liquid, last_state=layers))
    assert line.startswith("mixing: it demixed: neighbours are ")


def test_a_density_far_from_that_of_packing_is_no_other_phase(liquid, tmp_path):
    assert failed(changed(liquid, tables=(table(tmp_path, density=0.38),))) == []


def test_at_high_pressure_a_liquid_is_as_dense_as_an_ideal_gas(liquid, tmp_path):
    pressed = replace(liquid, state=ThermodynamicState(temperature="300 K", pressure="1000 bar"))
    assert failed(changed(pressed, tables=(table(tmp_path, pressure=1000.0),))) == []


def test_at_constant_volume_neither_pressure_nor_density_but_evenness_is_checked(liquid, tmp_path):
    still = replace(liquid, state=ThermodynamicState(temperature="300 K"), substance=None)
    assert [check.name for check in check_liquid(still)] == ["temperature", "phase", "mobility"]
    assert failed(still) == []
    bubble = state(tmp_path, 2, _around)
    [line] = failed(changed(still, last_state=bubble))
    assert re.match(r"phase: not one phase: the emptiest eighth of the box has \d+% of its share", line)
    slab = replace(still, filled=1 / 3)
    assert [check.name for check in check_liquid(slab)] == ["temperature", "mobility"]


def _around(positions):
    """Pushed out of a sphere of a fifth of the box."""
    away = positions % EDGE - EDGE / 2
    distance = np.linalg.norm(away, axis=1, keepdims=True)
    radius = EDGE * (0.2 * 3 / (4 * np.pi)) ** (1 / 3)
    return EDGE / 2 + away / distance * (distance**3 + radius**3) ** (1 / 3)


def segments(directory, temperatures):
    rows = "".join(f"{number},{value},0.0,10.0,27.0\n" for number, value in enumerate(temperatures))
    file = directory / f"segments-{len(list(directory.iterdir()))}.csv"
    file.write_text(f"segment,temperature (K),energy drift (K),pressure (bar),volume (nm^3)\n{rows}")
    return file


@pytest.mark.parametrize(
    ("temperatures", "problems"),
    [
        (300 + 8 * np.sin(np.arange(20)), []),  # 648 degrees of freedom have a natural 17 K
        (
            313 + 8 * np.sin(np.arange(20)),
            ["temperature: 313 +/- 2 K, set to 300 K, which is too far off"],
        ),
        (
            np.r_[300 + 8 * np.sin(np.arange(20)), 200.0, 400.0],
            ["temperatures: 200 to 400 K in single ones, where 300 K +/- 17 K is natural: too far apart"],
        ),
    ],
)
def test_temperatures_of_segments_in_mean_and_one_by_one(liquid, tmp_path, temperatures, problems):
    first, rest = (segments(tmp_path, part) for part in np.split(temperatures, [8]))
    still = changed(replace(liquid, state=ThermodynamicState(temperature="300 K")), tables=(first, rest))
    checks = check_segments(still)
    assert [check.name for check in checks] == ["temperature", "temperatures", "phase", "mobility", "mixing"]
    assert [str(check) for check in checks if not check.passed] == problems


def test_in_a_slab_molecules_are_nearer_than_the_box_is_large(liquid):
    [found] = [c for c in check_liquid(replace(liquid, filled=1 / 8)) if c.name == "mobility"]
    assert found.text.startswith("molecules 0.25 nm apart")


def test_what_cannot_be_checked_says_so(liquid, tmp_path):
    [check] = check_liquid(changed(liquid, tables=(tmp_path / "gone.csv",)))
    assert check == Check("checks", False, f"not possible: [Errno 2] No such file or directory: "
                                           f"'{tmp_path}/gone.csv'")  # fmt: skip
