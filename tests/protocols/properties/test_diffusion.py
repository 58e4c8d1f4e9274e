import pytest

from protocols import (
    Density,
    InputError,
    Limits,
    OpenMMForceField,
    SelfDiffusion,
    ShearViscosity,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.dynamics.transport import OpenMMTransportSimulation
from protocols.graphs.protocol import upstream_first
from protocols.quantities import quantity
from protocols.systems.parameterise import BuildOpenMMSystem
from protocols.systems.rescaling import ScaleToDensity

WATER, TIP3P = Substance.pure("O"), OpenMMForceField("tip3p.xml")
ARGON = OpenMMForceField("argon.xml")
STATE = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
VOLUME = ThermodynamicState(temperature="298.15 K")
SETTINGS = SimulationSettings()


def parts(kind, *ends):
    return [each for each in upstream_first(ends) if isinstance(each, kind)]


def test_properties_of_one_state_share_segments_and_the_liquid_of_the_density():
    workflows = [
        kind(WATER, STATE).workflow(TIP3P, SETTINGS) for kind in (SelfDiffusion, ShearViscosity, Density)
    ]
    diffusion, viscosity, density = workflows
    assert diffusion.simulations == viscosity.simulations
    assert viscosity.result in diffusion.result.upstream
    assert density.result in upstream_first([viscosity.result])
    assert len(parts(OpenMMTransportSimulation, diffusion.result, viscosity.result)) == 2


def test_segments_are_accurate_without_a_pressure_and_at_the_mean_density():
    workflow = ShearViscosity(WATER, STATE).workflow(TIP3P, SETTINGS)
    [built] = [
        each for each in upstream_first([workflow.simulations[0][0].system_file.protocol])
        if isinstance(each, BuildOpenMMSystem)
    ]  # fmt: skip
    assert built.interactions.ewald_error_tolerance == 1e-5
    assert built.interactions.hydrogen_mass is None
    for scaled in parts(ScaleToDensity, workflow.result):
        assert scaled.density.protocol == Density(WATER, STATE).workflow(TIP3P, SETTINGS).result
    for [run] in workflow.simulations:
        start = run.state_file.protocol
        assert isinstance(start, OpenMMSimulation)
        assert start.state.pressure is None


def test_a_tolerance_that_is_better_is_kept():
    settings = SimulationSettings(ewald_error_tolerance=1e-6)
    workflow = ShearViscosity(WATER, STATE).workflow(TIP3P, settings)
    assert {
        each.interactions.ewald_error_tolerance for each in parts(BuildOpenMMSystem, workflow.result)
    } == {1e-6}


def test_without_a_pressure_the_box_has_the_initial_density():
    settings = SimulationSettings(initial_density="0.997 g/mL")
    workflow = SelfDiffusion(WATER, VOLUME).workflow(TIP3P, settings)
    assert [each.density for each in parts(ScaleToDensity, workflow.result)] == [quantity("0.997 g/mL")] * 2
    assert all(each.state.pressure is None for each in parts(OpenMMSimulation, workflow.result))


def test_more_rounds_and_replicas_leave_what_there_is():
    few, many = (
        SelfDiffusion(WATER, STATE).workflow(TIP3P, SETTINGS, rounds) for rounds in ((1, 1), (2, 2, 1))
    )
    assert [len(replica) for replica in many.simulations] == [2, 2, 1]
    assert [replica[0] for replica in many.simulations[:2]] == [replica[0] for replica in few.simulations]
    first, second = many.simulations[0]
    assert second.state_file.protocol == first
    assert len({run.seed for replica in many.simulations for run in replica}) == 5
    assert many.simulations[2][0].steps == first.steps


def test_hydrogens_that_are_too_heavy_are_refused():
    with pytest.raises(InputError, match=r"hydrogen_mass: 1\.5 Da is not allowed for SelfDiffusion"):
        SelfDiffusion(WATER, STATE).workflow(TIP3P, SimulationSettings(hydrogen_mass="1.5 dalton"))


def test_diffusion_in_a_mixture_is_that_of_one_component():
    mixture = Substance.mixture({"[Ar]": 0.5, "[39Ar]": 0.5})
    state = ThermodynamicState(temperature="100 K", pressure="20 bar")
    with pytest.raises(InputError, match=r"component: missing; diffusion in .* is of \[39Ar\] or \[Ar\]"):
        SelfDiffusion(mixture, state)
    with pytest.raises(InputError, match=r"component: O is not in"):
        SelfDiffusion(mixture, state, component="O")
    item = SelfDiffusion(mixture, state, "3 %", component="[Ar]")
    assert str(item).startswith("SelfDiffusion of [Ar] in ")
    workflow = item.workflow(ARGON, SETTINGS)
    assert workflow.result.component == 1
    assert workflow.simulations[0][0].components == (128, 128)


def test_a_target_is_met_by_more_segments(tmp_path):
    settings = SimulationSettings(
        number_of_molecules=60, initial_density="1.2 g/mL", cutoff="0.6 nm", timestep="5 fs",
        output_interval="0.1 ps", equilibration_time="1 ps", production_time="2 ps", replicas=2,
        nve_time="1 ps", nve_segments=2, nve_spacing="0.1 ps", stress_interval="50 fs",
        displacement_interval="50 fs",
    )  # fmt: skip
    state = ThermodynamicState(temperature="100 K", pressure="20 bar")
    argon = Substance.pure("[Ar]")
    diffusion, viscosity, density = estimate(
        [SelfDiffusion(argon, state, "0.1 %"), ShearViscosity(argon, state), Density(argon, state)],
        ARGON, directory=tmp_path, settings=settings, limits=Limits(rounds=3),
    )  # fmt: skip
    assert (diffusion.status, diffusion.rounds, diffusion.n_effective) == (Status.unconverged, (3, 3), 12)
    assert "less than their diameter" in diffusion.reason
    assert "the limit of 3 rounds is reached" in diffusion.reason
    in_box = diffusion.details["D_PBC"]
    assert diffusion.value > in_box > quantity("0 nm^2/ns")
    assert diffusion.details["temperature"].to("kelvin").magnitude == pytest.approx(100, abs=15)
    assert viscosity.status is Status.too_short
    assert viscosity.reason.startswith("4 segments of at least 10")
    assert viscosity.value.units == quantity("1 mPa*s").units
    assert viscosity.platform == "CPU"
    assert density.details.keys() == {"longest discarded time", "statistical inefficiency"}
