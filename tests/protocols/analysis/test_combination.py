import numpy as np
import pytest

from protocols.analysis.combination import AverageCombination, Logarithm, WeightedSum
from protocols.analysis.observables import AverageObservable
from protocols.analysis.statistics import Status
from protocols.errors import InputError
from protocols.quantities import quantity
from protocols.running.execution import execute_in
from workflow_backends.resources import ComputeResources

COLUMNS = ["step", "time (ps)", "potential energy (kJ/mol)", "volume (nm^3)"]


def table(file, energy, volume):
    steps = np.arange(1, len(energy) + 1)
    rows = np.column_stack([steps, 0.1 * steps, energy, volume])
    np.savetxt(file, rows, delimiter=",", header=",".join(COLUMNS), comments="", fmt="%.17g")
    return file


def average(directory, kind=AverageCombination, **inputs):
    return execute_in(kind(**inputs), directory, ComputeResources())


def test_columns_are_added_frame_by_frame(tmp_path):
    noise, rest = np.random.default_rng(1).normal(size=(2, 2000))
    file = table(tmp_path / "a.csv", -1000 + 50 * noise + rest, 10 - 0.5 * noise)
    both = average(
        tmp_path / "both", observables=["potential energy", "volume"], observables_files=[file],
        coefficients=["0.01 dimensionless", "1 kJ/mol/nm^3"],
    )  # fmt: skip
    alone = average(tmp_path / "alone", AverageObservable, observable="volume", observables_files=[file])
    kept = (0.01 * (-1000 + 50 * noise + rest) + 10 - 0.5 * noise)[len(noise) - round(both.n_effective) :]
    assert both.value.to("kJ/mol").magnitude == pytest.approx(0, abs=1e-3)
    assert both.n_effective == pytest.approx(1900, rel=0.2)
    # What the columns share cancels: a hundredth of the rest is left, which separate errors would not see.
    assert both.standard_error.to("kJ/mol").magnitude == pytest.approx(0.01 / len(kept) ** 0.5, rel=0.1)
    assert alone.standard_error.magnitude > 30 * both.standard_error.magnitude


def test_a_product_in_another_unit_is_converted(tmp_path):
    """2 kJ/mol and 3 nm^3 at 1 bar, 0.18066 kJ/mol."""
    file = table(tmp_path / "a.csv", np.full(20, 2.0), np.full(20, 3.0))
    outputs = average(
        tmp_path / "run", observables=["potential energy", "volume"], observables_files=[file],
        coefficients=["1 dimensionless", "6.02214076e23 bar/mol"],
    )  # fmt: skip
    assert outputs.value.to("kJ/mol").magnitude == pytest.approx(2 + 3 * 0.0602214076)
    assert f"{outputs.value.units:~}" == "kJ / mol"
    assert (outputs.standard_error, outputs.status) == (None, Status.too_short)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"coefficients": ["1 dimensionless"]},
            "coefficients: 1 given; give one for each of the 2 observables",
        ),
        ({"coefficients": ["1 dimensionless", "1 bar"]}, "volume: 1 bar·nm³ cannot be added to 1 kJ/mol"),
        ({"observables": ["potential energy", "dipole"]}, "observable: 'dipole' is not in"),
    ],
)
def test_what_cannot_be_combined_is_refused(tmp_path, changes, message):
    file = table(tmp_path / "a.csv", np.zeros(5), np.zeros(5))
    inputs = {
        "observables": ["potential energy", "volume"],
        "coefficients": ["1 dimensionless", "1 kJ/mol/nm^3"],
        "observables_files": [file],
    } | changes
    with pytest.raises(InputError) as caught:
        average(tmp_path / "run", **inputs)
    assert str(caught.value).startswith(message)


def weighted(directory, **changes):
    inputs = {
        "names": ["liquid", "gas"],
        "weights": ["-2 dimensionless", "1 dimensionless"],
        "values": ["-20 kJ/mol", "1 kcal/mol"],
        "standard_errors": ["0.15 kJ/mol", "0.4 kJ/mol"],
        "n_effective": [500, 80],
        "statuses": ["converged", "converged"],
        "reasons": ["", ""],
        "constant": "2.5 kJ/mol",
    } | changes
    return execute_in(WeightedSum(**inputs), directory, ComputeResources())


def test_independent_averages_add_with_errors_in_quadrature(tmp_path):
    outputs = weighted(tmp_path)
    assert outputs.value.to("kJ/mol").magnitude == pytest.approx(40 + 4.184 + 2.5)
    assert outputs.standard_error.to("kJ/mol").magnitude == pytest.approx(0.5)
    assert (outputs.n_effective, outputs.status, outputs.reason) == (80, Status.converged, "")


def test_a_sum_is_as_weak_as_its_weakest_term(tmp_path):
    outputs = weighted(tmp_path, statuses=["converged", "too short"], reasons=["", "3 effective samples"])
    assert (outputs.status, outputs.reason) == (Status.too_short, "gas: 3 effective samples")


def test_a_term_without_an_error_leaves_the_sum_without_one(tmp_path):
    outputs = weighted(tmp_path, standard_errors=["0.1 kJ/mol", None], statuses=["converged", "too short"])
    assert outputs.standard_error is None


def test_what_is_known_exactly_adds_no_error(tmp_path):
    outputs = weighted(tmp_path / "one", standard_errors=["0.1 kJ/mol", None])
    assert outputs.standard_error.to("kJ/mol").magnitude == pytest.approx(0.2)
    assert weighted(tmp_path / "both", standard_errors=[None, None]).standard_error is None


def test_weights_may_have_units(tmp_path):
    outputs = weighted(
        tmp_path, weights=["2 cm^3/mol/nm^3", "-1 cm^3/mol/nm^3"], values=["4 nm^3", "3000 angstrom^3"],
        standard_errors=["0.03 nm^3", "80 angstrom^3"], constant=None,
    )  # fmt: skip
    assert outputs.value.to("cm^3/mol").magnitude == pytest.approx(5)
    assert outputs.value.units == quantity("1 cm^3/mol").units
    assert outputs.standard_error.to("cm^3/mol").magnitude == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": ["1 dimensionless"]}, "weights: 1 given; give one for each of the 2 names"),
        ({"reasons": ["", "", ""]}, "reasons: 3 given; give one for each of the 2 names"),
        ({"constant": "2 nm"}, "constant: 2 nm cannot be added to 40 kJ/mol"),
        ({"names": []}, "names: "),
    ],
)
def test_sums_that_mean_nothing_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError) as caught:
        weighted(tmp_path, **changes)
    assert str(caught.value).startswith(message)


def test_averages_are_wired_by_their_outputs(tmp_path):
    tables = [table(tmp_path / f"{name}.csv", np.zeros(5), np.zeros(5)) for name in "ab"]
    mixed, pure = (AverageObservable(observable="volume", observables_files=[file]) for file in tables)
    terms = [("mixed", quantity("1 1/mol"), mixed), ("pure", quantity("-1 1/mol"), pure)]
    total = WeightedSum.of_averages(terms)
    assert total.values == (mixed.output.value, pure.output.value)
    assert total.standard_errors == (mixed.output.standard_error, pure.output.standard_error)
    assert total.reasons == (mixed.output.reason, pure.output.reason)
    assert WeightedSum.from_json(total.to_json()) == total


def logarithm(directory, **changes):
    inputs = {
        "value": "8 nm^3", "standard_error": "0.04 nm^3", "n_effective": 70.0, "status": "too short",
        "reason": "short", "reference": "2 nm^3",
    }  # fmt: skip
    return execute_in(Logarithm(**(inputs | changes)), directory, ComputeResources())


def test_a_logarithm_has_the_relative_error(tmp_path):
    outputs = logarithm(tmp_path)
    assert outputs.value.magnitude == pytest.approx(np.log(4))
    assert outputs.standard_error.magnitude == pytest.approx(0.005)
    assert (outputs.n_effective, outputs.status, outputs.reason) == (70, Status.too_short, "short")


def test_a_logarithm_of_what_has_no_error(tmp_path):
    assert logarithm(tmp_path, standard_error=None).standard_error is None


@pytest.mark.parametrize("changes", [{"reference": "1 K"}, {"value": "-8 nm^3"}])
def test_what_has_no_logarithm_is_refused(tmp_path, changes):
    with pytest.raises(InputError, match=r"value: -?8 nm³ has no logarithm relative to"):
        logarithm(tmp_path, **changes)
