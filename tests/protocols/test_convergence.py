from types import SimpleNamespace

import pytest
from openmm import unit

from protocols import Density, InputError, Limits, Status, Substance, ThermodynamicState
from protocols.convergence import Convergence
from protocols.quantities import quantity

STATE = ThermodynamicState(temperature="90 K", pressure="1 bar")
ARGON = Substance.pure("[Ar]")


def density(target):
    return Density(ARGON, STATE, target)


def outputs(error, status=Status.converged, reason=""):
    return SimpleNamespace(
        value=quantity("2 g/mL"),
        standard_error=None if error is None else quantity(f"{error} g/mL"),
        status=status,
        reason=reason,
    )


def judge_all(target, errors, limits=None):
    judge = Convergence(density(target), limits or Limits()).judge
    return [
        judge(outputs(error), rounds=number, steps_after_next=100 * (number + 1))
        for number, error in enumerate(errors, start=1)
    ]


@pytest.mark.parametrize(
    "target", ["0.5 %", "0.01 g/mL", "10 kg/m^3", 0.01 * unit.gram / unit.milliliter, quantity("0.01 g/mL")]
)
def test_relative_and_absolute_targets_mean_the_same_error(target):
    allowed = density(target).allowed_error(quantity("2 g/mL"))
    assert allowed.to("g/mL").magnitude == pytest.approx(0.01)


@pytest.mark.parametrize("target", ["0 %", "-1 %", "3 K", "0.5", 0.01, "nonsense"])
def test_targets_that_mean_nothing_are_refused_by_name(target):
    with pytest.raises(InputError, match="target: "):
        density(target)


def test_a_target_does_not_change_what_is_simulated():
    assert density("1 %").substance == density(None).substance


def test_it_stops_only_after_two_rounds_in_a_row():
    verdicts = judge_all("0.5 %", [0.02, 0.009, 0.011, 0.009, 0.008])
    assert [verdict.finished for verdict in verdicts] == [False, False, False, False, True]
    assert verdicts[-1].status is Status.converged
    assert verdicts[0].reason == "the standard error, 0.02 g/mL, is above the target, 0.01 g/mL"


def test_a_value_that_is_known_exactly_ends_at_once():
    exact = outputs(None, reason="1 exactly")
    verdict = Convergence(density("1 %"), Limits()).judge(exact, rounds=1, steps_after_next=200)
    assert (verdict.finished, verdict.status, verdict.reason) == (True, Status.converged, "1 exactly")


def test_a_met_target_counts_only_with_enough_samples():
    convergence = Convergence(density("0.5 %"), Limits())
    few = outputs(0.001, Status.too_short, "30 of at least 50 effective samples")
    verdicts = [convergence.judge(few, rounds=n, steps_after_next=n) for n in (1, 2, 3)]
    assert not any(verdict.finished for verdict in verdicts)
    assert verdicts[-1].reason == "30 of at least 50 effective samples"


def test_what_longer_runs_do_not_mend_ends_at_once():
    apart = outputs(0.1, Status.unconverged, "a and b overlap by 0.01 of at least 0.03")
    verdict = Convergence(density("1 %"), Limits()).judge(apart, rounds=1, steps_after_next=200)
    assert (verdict.finished, verdict.status, verdict.reason) == (True, Status.unconverged, apart.reason)


def test_limits_end_it_with_the_reason():
    *_, last = judge_all("0.5 %", [0.02] * 3, Limits(rounds=3))
    assert (last.finished, last.status) == (True, Status.unconverged)
    assert last.reason.endswith("is above the target, 0.01 g/mL; the limit of 3 rounds is reached")
    verdicts = judge_all("0.5 %", [0.02] * 4, Limits(steps=350))
    assert [verdict.finished for verdict in verdicts[:3]] == [False, False, True]
    assert "another round would pass the limit of 350 steps" in verdicts[2].reason


def test_convergence_in_the_last_round_is_convergence():
    *_, last = judge_all("0.5 %", [0.002, 0.002], Limits(rounds=2))
    assert last.status is Status.converged


def test_without_a_target_one_round_is_all():
    short = outputs(0.1, Status.too_short, "too few")
    verdict = Convergence(density(None), Limits()).judge(short, rounds=1, steps_after_next=0)
    assert (verdict.finished, verdict.status, verdict.reason) == (True, Status.too_short, "too few")
