import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from protocols.analysis.statistics import Status
from protocols.data_sets.comparison import _bias, _score, compare
from protocols.data_sets.estimating import estimate_data_set
from protocols.data_sets.measurement import DataSet, Measurement
from protocols.errors import InputError
from protocols.quantities import registry
from protocols.result import PropertyResult
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.forcefield import OpenMMForceField


def _pairs(measured, estimated):
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
    items = [
        Measurement(
            property="Density",
            substance=Substance.pure("O"),
            state=state,
            value=registry.Quantity(value, "g/mL"),
        )
        for value in measured
    ]
    results = [
        PropertyResult(
            item.estimated(),
            Status.failed if value is None else Status.converged,
            "",
            Path(),
            value=None if value is None else registry.Quantity(value * 1000, "kg/m^3"),
        )
        for item, value in zip(items, estimated, strict=True)
    ]
    return items, results


def test_deviations_and_rank_are_those_of_scipy_and_of_hand():
    measured = [0.7, 0.8, 0.9, 1.0, 1.1]
    estimated = [0.72, 0.79, 0.95, 1.2, 1.1]
    [found] = compare(*_pairs([*measured, 2.0], [*estimated, None]))
    errors = np.subtract(estimated, measured)
    assert (found.property, found.unit, found.number, found.missing) == ("Density", "g/mL", 5, 1)
    assert found.rmse.value == pytest.approx(math.sqrt(np.mean(errors**2)))
    assert found.bias.value == pytest.approx(np.mean(errors))
    assert found.kendall_tau.value == pytest.approx(stats.kendalltau(measured, estimated).statistic)
    for score in (found.rmse, found.bias, found.kendall_tau):
        assert score.low <= score.value <= score.high
    assert "1 without an estimate" in str(found)


def test_intervals_cover_the_bias_as_often_as_they_say():
    random, covered = np.random.default_rng(3), 0
    for _ in range(100):
        measured = random.uniform(0.5, 1.5, 30)
        score = _score(_bias, np.stack([measured, measured + random.normal(0.1, 0.05, 30)], axis=1))
        covered += score.low <= 0.1 <= score.high
    assert 86 <= covered <= 100


def test_too_few_pairs_have_no_interval_and_no_rank():
    [found] = compare(*_pairs([1.0], [1.1]))
    assert (found.rmse.low, found.kendall_tau.value) == (None, None)
    [found] = compare(*_pairs([1.0], [None]))
    assert (found.rmse.value, found.number, found.missing) == (None, 0, 1)


def test_a_data_set_is_estimated_and_compared(tmp_path):
    rows = [("87 K", 1.39), ("90 K", 1.378)]
    data = DataSet(
        measurements=tuple(
            Measurement(
                property="Density",
                substance=Substance.pure("[Ar]"),
                state=ThermodynamicState(temperature=temperature, pressure="1 bar"),
                value=registry.Quantity(value, "g/mL"),
            )
            for temperature, value in rows
        )
    )
    settings = SimulationSettings(
        number_of_molecules=100,
        initial_density="1.3 g/mL",
        cutoff="0.8 nm",
        equilibration_time="0.2 ps",
        production_time="1 ps",
        output_interval="0.05 ps",
        replicas=1,
    )
    field = OpenMMForceField("argon.xml")
    found = estimate_data_set(data, field, directory=tmp_path, settings=settings)
    assert [str(result.property) for result in found.results] == [
        f"Density of [Ar] at {temperature}, 1 bar" for temperature, _ in rows
    ]
    deviations = [result.value.m - value for result, (_, value) in zip(found.results, rows, strict=True)]
    assert found.comparisons[0].bias.value == pytest.approx(np.mean(deviations))
    with pytest.raises(InputError, match="no measured value"):
        estimate_data_set(DataSet(measurements=()), field)
