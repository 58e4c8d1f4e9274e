"""Surface tensions: one small slab from end to end."""

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

ARGON, FORCE_FIELD = Substance.pure("[Ar]"), OpenMMForceField("argon.xml")
COLD = ThermodynamicState(temperature="85 K", pressure="1 bar")
SMALL = SimulationSettings(
    number_of_molecules=100, initial_density="1.3 g/mL", cutoff="0.8 nm", timestep="5 fs",
    equilibration_time="1 ps", production_time="6 ps", output_interval="0.1 ps",
)  # fmt: skip


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
