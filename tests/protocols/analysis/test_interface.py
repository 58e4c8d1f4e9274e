import numpy as np
import pytest

from protocols.analysis.interface import AverageSurfaceTension
from protocols.analysis.statistics import Status
from protocols.errors import SimulationError
from protocols.running.execution import execute_in
from workflow_backends.resources import ComputeResources

PLACES = (np.arange(100) + 0.5) / 100 - 0.5
SLAB = np.where(np.abs(PLACES) < 0.16, 1.2, 0.02)


def table(file, profile, frames=400, seed=1, first_profile=None):
    """Write a slab's table, whose tension is 50 +- 20 mN/m from frame to frame."""
    rng = np.random.default_rng(seed)
    densities = np.tile(profile, (frames, 1)) * rng.uniform(0.9, 1.1, size=(frames, 100))
    if first_profile is not None:
        densities[: frames // 25] = first_profile
    columns = ["time (ps)", "surface tension (mN/m)", *(f"density {n} (g/mL)" for n in range(1, 101))]
    data = np.column_stack([0.4 * np.arange(1, frames + 1), rng.normal(50, 20, frames), densities])
    np.savetxt(file, data, delimiter=",", header=",".join(columns), comments="")
    return file


def averaged(directory, *tables):
    protocol = AverageSurfaceTension(observables_files=tables)
    return execute_in(protocol, directory / "average", ComputeResources())


def test_the_tension_is_averaged_and_both_densities_are_told(tmp_path):
    tables = [table(tmp_path / f"{seed}.csv", SLAB, seed=seed) for seed in (1, 2)]
    outputs = averaged(tmp_path, *tables)
    assert outputs.status is Status.converged, outputs.reason
    value, error = outputs.value.to("mN/m").magnitude, outputs.standard_error.to("mN/m").magnitude
    assert error == pytest.approx(20 / 760**0.5, rel=0.3)
    assert abs(value - 50) < 3.5 * error
    assert outputs.details["liquid density"].to("g/mL").magnitude == pytest.approx(1.2, rel=0.01)
    assert outputs.details["vapour density"].to("g/mL").magnitude == pytest.approx(0.02, rel=0.01)


def test_neither_density_sees_the_surface(tmp_path):
    """A surface that is a tenth of the box wide, of a liquid that is a third of it."""
    profile = 0.61 - 0.59 * np.tanh((np.abs(PLACES) - 0.165) / 0.045)
    outputs = averaged(tmp_path, table(tmp_path / "a.csv", profile))
    assert outputs.details["liquid density"].magnitude == pytest.approx(1.2, rel=0.005)
    assert outputs.details["vapour density"].magnitude == pytest.approx(0.02, rel=0.02)


def test_layers_are_no_surfaces(tmp_path):
    """A small cold slab, with atoms in layers five slices apart."""
    profile = SLAB * (1 + 0.9 * np.cos(2 * np.pi * PLACES / 0.05))
    outputs = averaged(tmp_path, table(tmp_path / "a.csv", profile))
    assert outputs.details["liquid density"].magnitude == pytest.approx(1.2, rel=0.2)


def test_what_is_discarded_of_the_tension_is_left_out_of_the_densities(tmp_path):
    outputs = averaged(tmp_path, table(tmp_path / "a.csv", SLAB, first_profile=np.full(100, 9.0)))
    assert outputs.details["liquid density"].magnitude == pytest.approx(1.2, rel=0.01)


def test_a_continued_replica_is_one(tmp_path):
    tables = (table(tmp_path / "a.csv", SLAB, 200), table(tmp_path / "b.csv", SLAB, 300))
    assert averaged(tmp_path, tables).n_effective == pytest.approx(475, rel=0.1)


NO_SLAB = {
    "boiled": (np.full(100, 0.4) + 0.05 * np.cos(2 * np.pi * PLACES), "it has boiled"),
    "near its critical point": (np.where(np.abs(PLACES) < 0.2, 0.5, 0.3), "near its critical point"),
    "a speck": (np.where(np.abs(PLACES) < 0.03, 1.2, 0.05), "it has boiled"),
    "come apart": (np.where(np.abs(np.abs(PLACES) - 0.18) < 0.08, 1.2, 0.02), "come apart"),
    "filled": (np.where(np.abs(PLACES) < 0.4, 1.2, 0.02), "the liquid fills 80% of the box"),
}


@pytest.mark.parametrize(("profile", "message"), NO_SLAB.values(), ids=NO_SLAB)
def test_a_replica_that_is_no_slab_is_refused(tmp_path, profile, message):
    tables = [table(tmp_path / "a.csv", SLAB), table(tmp_path / "b.csv", profile)]
    with pytest.raises(SimulationError, match=f"^replica 2 is no slab of liquid beside vapour.*{message}"):
        averaged(tmp_path, *tables)
