"""Derivatives by temperature from two liquids: by hand, and against fluctuations."""

import math

import pytest

from protocols import (
    Density,
    InputError,
    IsobaricHeatCapacity,
    OpenMMForceField,
    SimulationSettings,
    Status,
    Substance,
    ThermalExpansion,
    ThermodynamicState,
    WorkflowGraph,
    estimate,
)
from protocols.analysis.observables import read_observable
from protocols.analysis.statistics import pooled_mean
from workflow_backends import ComputeResources, ParslLocalBackend

ARGON, FORCE_FIELD = Substance.pure("[Ar]"), OpenMMForceField("argon.xml")
STATE = ThermodynamicState(temperature="100 K", pressure="20 bar")
GAS_CONSTANT, BAR_NM3 = 8.31446261815324, 60.2214076  # J/mol/K; J/mol
SHORT = SimulationSettings(
    number_of_molecules=100, initial_density="1.3 g/mL", cutoff="0.8 nm", timestep="5 fs",
    equilibration_time="2 ps", production_time="10 ps", output_interval="0.1 ps", replicas=1,
)  # fmt: skip


def means(directory, temperature):
    """Return the means of U + p V in J and of V in nm^3, a molecule."""
    state = ThermodynamicState(temperature=temperature, pressure=STATE.pressure)
    [[run]] = Density(ARGON, state).workflow(FORCE_FIELD, SHORT).simulations
    table = directory / run.label / "observables.csv"
    energy, volume = (read_observable(table, name)[0] / 100 for name in ("potential energy", "volume"))
    return pooled_mean([1000 * energy + 20 * BAR_NM3 * volume]).mean, pooled_mean([volume]).mean


def test_both_properties_are_differences_of_means(tmp_path):
    items = [
        kind(ARGON, STATE, method="finite difference", temperature_step="5 K")
        for kind in (IsobaricHeatCapacity, ThermalExpansion)
    ]
    heat, expansion = estimate(items, FORCE_FIELD, directory=tmp_path, settings=SHORT)
    assert len(list(tmp_path.glob("OpenMMSimulation-*"))) == 4  # equilibration and production of two liquids
    (hot_enthalpy, hot_volume), (cold_enthalpy, cold_volume) = (means(tmp_path, f"{t} K") for t in (105, 95))
    expected = (hot_enthalpy - cold_enthalpy) / 10 + 1.5 * GAS_CONSTANT
    assert heat.value.to("J/mol/K").magnitude == pytest.approx(expected)
    assert expansion.value.to("1/K").magnitude == pytest.approx(math.log(hot_volume / cold_volume) / 10)
    assert "at 105 K: " in heat.reason
    assert "at 95 K: " in heat.reason
    for result in (heat, expansion):
        assert "statistical inefficiency (at 105 K)" in result.details
        assert result.details["longest discarded time (at 95 K)"].to("ps").magnitude >= 0.5
    names = {check.name for check in heat.checks}
    assert {"phase of [Ar] at 105 K, 20 bar", "phase of [Ar] at 95 K, 20 bar"} <= names


def test_the_liquids_are_those_of_densities_at_both_temperatures():
    item = ThermalExpansion(ARGON, STATE, method="finite difference")
    densities = [
        Density(ARGON, ThermodynamicState(temperature=temperature, pressure=STATE.pressure))
        for temperature in ("110 K", "90 K")
    ]
    ends = [each.workflow(FORCE_FIELD, SHORT).result for each in (item, *densities)]
    assert len(WorkflowGraph(ends)) == len(WorkflowGraph(ends[:1])) + 2


@pytest.mark.parametrize(
    ("substance", "force_field", "freedom"),
    [
        (ARGON, "argon.xml", 3),
        (Substance.pure("O"), "tip4pew.xml", 6),
        (Substance.mixture({"[Ar]": 0.75, "[39Ar]": 0.25}), "argon.xml", 3),
    ],
)
def test_the_kinetic_part_is_that_of_free_molecules(substance, force_field, freedom):
    item = IsobaricHeatCapacity(substance, STATE, method="finite difference")
    end = item.workflow(OpenMMForceField(force_field), SimulationSettings(number_of_molecules=400)).result
    assert end.constant.to("J/mol/K").magnitude == pytest.approx(freedom / 2 * GAS_CONSTANT)


def test_flexible_water_has_nine_degrees_of_freedom():
    item = IsobaricHeatCapacity(Substance.pure("O"), STATE, method="finite difference")
    settings = SimulationSettings(rigid_water=False, constraints=None)
    end = item.workflow(OpenMMForceField("tip3p.xml"), settings).result
    assert end.constant.to("J/mol/K").magnitude == pytest.approx(9 / 2 * GAS_CONSTANT)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"temperature_step": "5 K"}, "temperature_step: not used with fluctuations; give method="),
        (
            {"method": "finite difference", "temperature_step": "100 K"},
            "temperature_step: 100 K is not allowed; it must be less than the temperature, 100 K",
        ),
        (
            {"method": "finite difference", "temperature_step": "1 bar"},
            "temperature_step: 1 bar is a pressure",
        ),
        ({"method": "guess"}, "method: 'guess' is not allowed"),
    ],
)
def test_wrong_inputs_are_refused(inputs, message):
    with pytest.raises(InputError, match=message):
        ThermalExpansion(ARGON, STATE, **inputs)


def test_no_other_property_has_a_method():
    with pytest.raises(InputError, match="method: not an input of Density"):
        Density(ARGON, STATE, method="finite difference")


def test_without_pressure_it_is_refused():
    item = ThermalExpansion(ARGON, ThermodynamicState(temperature="90 K"), method="finite difference")
    with pytest.raises(InputError, match="pressure: missing; ThermalExpansion needs"):
        item.workflow(FORCE_FIELD, SHORT)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_both_routes_agree_for_argon(tmp_path):
    settings = SimulationSettings(
        number_of_molecules=150, initial_density="1.3 g/mL", cutoff="0.85 nm", timestep="5 fs",
        output_interval="0.25 ps", segment_time="50 ps", equilibration_time="50 ps", production_time="1 ns",
    )  # fmt: skip
    kinds = (IsobaricHeatCapacity, ThermalExpansion)
    items = [kind(ARGON, STATE) for kind in kinds]
    items += [kind(ARGON, STATE, method="finite difference", temperature_step="4 K") for kind in kinds]
    with ParslLocalBackend(
        number_of_workers=1, resources_per_worker=ComputeResources(number_of_threads=1)
    ) as backend:
        results = estimate(items, FORCE_FIELD, backend, directory=tmp_path, settings=settings)
    for result in results:
        print(result)
        assert result.status is Status.converged, str(result)
        assert result.standard_error.magnitude < 0.08 * result.value.magnitude
    for one, other in zip(results[:2], results[2:], strict=True):
        error = math.hypot(one.standard_error.magnitude, other.standard_error.magnitude)
        assert abs(one.value.magnitude - other.value.magnitude) < 3 * error
