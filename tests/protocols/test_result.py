import pickle
from pathlib import Path

import pytest

from protocols.analysis.checks import Check
from protocols.analysis.statistics import Status
from protocols.errors import ExecutionError
from protocols.properties.density import Density
from protocols.quantities import quantity
from protocols.result import PropertyResult
from protocols.state import ThermodynamicState
from protocols.substance import Substance

WATER = Density(Substance.pure("O"), ThermodynamicState(temperature="298.15 K", pressure="1 atm"))


def result(value="0.98412 g/mL", error="0.0024 g/mL", status=Status.converged, **more):
    return PropertyResult(
        WATER, status, "Average-1", Path("run"), quantity(value), error and quantity(error), **more
    )


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (result(), "0.984 +/- 0.002 g/mL"),
        (result(error="0.0014 g/mL"), "0.9841 +/- 0.0014 g/mL"),
        (result(error="0.4 g/mL"), "1.0 +/- 0.4 g/mL"),
        (result(error=None), "0.98412 g/mL (no standard error)"),
        (result(value="1", error=None, reason="1 exactly: no charge"), "1 (1 exactly: no charge)"),
        (result(value="78.21", error="1.4"), "78.2 +/- 1.4"),
        (
            result(status=Status.too_short, reason="9 of at least 50 effective samples"),
            "0.984 +/- 0.002 g/mL (too short: 9 of at least 50 effective samples)",
        ),
    ],
)
def test_a_result_reads_as_one_line(made, text):
    assert str(made) == f"Density of O at 298.15 K, 1 atm: {text}"


def test_a_failed_result_says_so_in_one_line():
    error = ExecutionError("OpenMMSimulation-1", Path("run/OpenMMSimulation-1"), "SimulationError: nan")
    failed = PropertyResult(WATER, Status.failed, "OpenMMSimulation-1", Path("run"), error=error)
    assert str(failed) == (
        "Density of O at 298.15 K, 1 atm: failed: OpenMMSimulation-1 failed in run/OpenMMSimulation-1: "
        "SimulationError: nan"
    )
    assert str(pickle.loads(pickle.dumps(failed))) == str(failed)


def test_a_check_that_failed_stands_in_the_line_and_others_do_not():
    checks = (Check("temperature", True, "298.2 K"), Check("phase", False, "it boiled"))
    made = result(checks=checks, notes=("statistical",))
    assert str(made) == "Density of O at 298.15 K, 1 atm: 0.984 +/- 0.002 g/mL; phase: it boiled"
    assert made.warnings == checks[1:]
    assert pickle.loads(pickle.dumps(made)) == made
