import csv
import json
from pathlib import Path

import pytest

from protocols import (
    Density,
    DielectricConstant,
    InputError,
    PropertyResult,
    Status,
    Substance,
    ThermodynamicState,
    results_frame,
    write_results,
)
from protocols.analysis.checks import Check
from protocols.quantities import quantity

_WATER = Substance.pure("O")
_STATE = ThermodynamicState(temperature="25 degC", pressure="1 bar")
_RESULTS = [
    PropertyResult(
        Density(_WATER, _STATE, "0.2 %"),
        Status.converged,
        "AverageObservable-1",
        Path("/run/AverageObservable-1"),
        value=quantity("985 kg/m^3"),
        standard_error=quantity("1.5 kg/m^3"),
        n_effective=80.5,
        platform="CPU",
        details={"density of the gas": quantity("0.1 g/mL"), "longest discarded time": quantity("10 ps")},
        checks=(Check("pressure", False, 'too far off, "very"'), Check("phase", True, "fine")),
    ),
    PropertyResult(
        DielectricConstant(_WATER, ThermodynamicState(temperature="300 K")),
        Status.failed,
        "OpenMMSimulation-2",
        Path("/run/OpenMMSimulation-2"),
        error=RuntimeError("a, b"),
    ),
]


def test_json_has_everything(tmp_path):
    good, bad = json.loads(write_results(_RESULTS, tmp_path / "results.json").read_text(encoding="utf-8"))
    assert good["value"] == pytest.approx(0.985)
    assert good["standard_error"] == pytest.approx(0.0015)
    assert good["target"] == pytest.approx(0.00197)
    assert (good["unit"], good["temperature_K"], good["pressure_bar"]) == ("g/mL", 298.15, 1.0)
    assert good["details"] == {"density of the gas": "0.1 g/mL", "longest discarded time": "10 ps"}
    assert [check["passed"] for check in good["checks"]] == [False, True]
    assert (bad["status"], bad["value"], bad["reason"]) == ("failed", None, "a, b")
    assert bad["directory"] == "/run/OpenMMSimulation-2"
    assert bad["pressure_bar"] is None


def test_csv_and_frame_have_the_same_columns(tmp_path):
    with write_results(_RESULTS, tmp_path / "results.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    frame = results_frame(_RESULTS)
    assert list(frame.columns) == list(rows[0])
    assert frame["value"].to_list()[0] == pytest.approx(0.985)
    assert frame["value"].isna().to_list() == [False, True]
    assert rows[0]["warnings"] == 'pressure: too far off, "very"'
    assert rows[0]["details"] == "density of the gas: 0.1 g/mL; longest discarded time: 10 ps"
    assert (rows[1]["value"], rows[1]["details"]) == ("", "")
    assert rows[1]["reason"] == "a, b"


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"give a file that ends in \.json or \.csv"):
        write_results(_RESULTS, tmp_path / "results.txt")
