"""Surface tensions: one small slab from end to end, and published values."""

import math

import pytest

from protocols import (
    Density,
    InputError,
    Limits,
    OpenMMForceField,
    SimulationSettings,
    Status,
    Substance,
    SurfaceTension,
    ThermodynamicState,
    WorkflowGraph,
    estimate,
)
from workflow_backends import ComputeResources, ParslLocalBackend

ARGON, FORCE_FIELD = Substance.pure("[Ar]"), OpenMMForceField("argon.xml")
COLD = ThermodynamicState(temperature="85 K", pressure="1 bar")
SMALL = SimulationSettings(
    number_of_molecules=100, initial_density="1.3 g/mL", cutoff="0.8 nm", timestep="5 fs",
    equilibration_time="1 ps", production_time="6 ps", output_interval="0.1 ps",
)  # fmt: skip
SIGMA, EPSILON_OVER_K, MASS = 0.3405, 119.8, 39.948  # nm, K, g/mol


def test_a_slab_of_argon_from_end_to_end(tmp_path, backend):
    items = [Density(ARGON, COLD), SurfaceTension(ARGON, COLD)]
    density, tension = estimate(items, FORCE_FIELD, backend, directory=tmp_path, settings=SMALL)
    assert len(list(tmp_path.glob("OpenMMSimulation-*"))) == 4  # the slabs start where the density does
    assert len(list(tmp_path.glob("OpenMMSlabSimulation-*"))) == 4
    assert str(tension.value.units) == "millinewton / meter"
    assert 0 < tension.value.magnitude < 30
    assert tension.standard_error.magnitude > 0
    liquid, vapour = (
        tension.details[f"{name} density"].to("g/mL").magnitude for name in ("liquid", "vapour")
    )
    assert liquid == pytest.approx(density.value.magnitude, rel=0.1)
    assert 0 <= vapour < 0.1
    assert str(tension).startswith("SurfaceTension of [Ar] at 85 K, 1 bar: ")


def test_a_target_is_met_in_rounds(tmp_path):
    item = SurfaceTension(ARGON, COLD, "1 mN/m")
    [result] = estimate(
        [item], FORCE_FIELD, directory=tmp_path, settings=SMALL, limits=Limits(rounds=2)
    )  # a millinewton takes longer
    assert (result.status, result.rounds) == (Status.unconverged, (2, 2))
    assert result.value is not None


def test_a_gas_is_refused(tmp_path):
    hot = ThermodynamicState(temperature="1000 K", pressure="1500 bar")
    settings = SimulationSettings(**(SMALL.model_dump() | {"equilibration_time": "20 ps", "replicas": 1}))
    [result] = estimate([SurfaceTension(ARGON, hot)], FORCE_FIELD, directory=tmp_path, settings=settings)
    assert result.status is Status.failed
    assert "is no slab of liquid beside vapour" in str(result.error)


def test_the_slabs_share_the_equilibration_of_the_density():
    ends = [kind(ARGON, COLD).workflow(FORCE_FIELD, SMALL).result for kind in (Density, SurfaceTension)]
    alone = [len(WorkflowGraph([end])) for end in ends]
    assert len(WorkflowGraph(ends)) == sum(alone) - 2 * 4  # packing, system, minimum and equilibration


def test_without_pressure_there_is_no_liquid_to_start_from():
    item = SurfaceTension(ARGON, ThermodynamicState(temperature="85 K"))
    with pytest.raises(InputError, match="pressure: missing; SurfaceTension needs"):
        item.workflow(FORCE_FIELD, SMALL)


def estimated(substance, state, force_field, directory, settings):
    with ParslLocalBackend(
        number_of_workers=2, resources_per_worker=ComputeResources(number_of_threads=1)
    ) as backend:
        item = SurfaceTension(substance, state)
        [result] = estimate(
            [item], OpenMMForceField(force_field), backend, directory=directory, settings=settings
        )
    print(result, result.details)
    assert result.status is Status.converged, str(result)
    return result


@pytest.mark.validation
@pytest.mark.timeout(2 * 3600)
def test_the_lennard_jones_fluid(tmp_path):
    """About 0.74 to 0.77 at T* = 0.85 with the full potential, and NIST's saturated densities.

    A. Trokhymchuk and J. Alejandre, J. Chem. Phys. 111, 8510 (1999); J. Janecek, J. Phys. Chem. B 110, 6264
    (2006).
    """
    settings = SimulationSettings(
        number_of_molecules=600, initial_density="1.3 g/mL", cutoff="1.0215 nm", timestep="5 fs",
        output_interval="0.2 ps", segment_time="50 ps", equilibration_time="100 ps", production_time="400 ps",
    )  # fmt: skip
    state = ThermodynamicState(temperature=f"{0.85 * EPSILON_OVER_K} K", pressure="3.199 bar")
    result = estimated(ARGON, state, "argon.xml", tmp_path, settings)
    unit = EPSILON_OVER_K * 1.380649e-23 / (SIGMA * 1e-9) ** 2 * 1000  # mN/m
    value, error = (x.to("mN/m").magnitude / unit for x in (result.value, result.standard_error))
    assert error < 0.04
    assert abs(value - 0.755) < 3 * math.hypot(error, 0.01)
    density = SIGMA**3 / (MASS * 1.66053906660e-3)
    liquid, vapour = (result.details[f"{name} density"].to("g/mL").magnitude for name in ("liquid", "vapour"))
    assert liquid * density == pytest.approx(0.7768, abs=0.005)
    assert vapour * density == pytest.approx(0.0096, abs=0.003)


@pytest.mark.validation
@pytest.mark.timeout(24 * 3600)
def test_spce_water(tmp_path):
    """63.6 mN/m at 300 K: C. Vega and E. de Miguel, J. Chem. Phys. 126, 154707 (2007)."""
    settings = SimulationSettings(
        number_of_molecules=512, initial_density="0.95 g/mL", output_interval="0.1 ps", segment_time="20 ps",
        equilibration_time="100 ps", production_time="1 ns",
    )  # fmt: skip
    state = ThermodynamicState(temperature="300 K", pressure="1 atm")
    result = estimated(Substance.pure("O"), state, "spce.xml", tmp_path, settings)
    value, error = (x.to("mN/m").magnitude for x in (result.value, result.standard_error))
    assert error < 3
    assert abs(value - 63.6) < 3 * math.hypot(error, 1.5)
