import re
import sys
from dataclasses import replace

import pytest

from protocols import (
    Density,
    InputError,
    OpenMMForceField,
    SimulationSettings,
    Substance,
    ThermodynamicState,
    estimate,
    plot_radial_distribution,
    radial_distribution,
)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    settings = SimulationSettings(
        number_of_molecules=100, initial_density="1.3 g/mL", cutoff="0.8 nm", timestep="5 fs", replicas=1,
        equilibration_time="1 ps", production_time="2 ps", output_interval="0.1 ps", trajectory="xtc",
        trajectory_interval="0.5 ps",
    )  # fmt: skip
    argon = Density(Substance.pure("[Ar]"), ThermodynamicState(temperature="90 K", pressure="1 bar"))
    home = tmp_path_factory.mktemp("argon")
    [result] = estimate([argon], OpenMMForceField("argon.xml"), directory=home, settings=settings)
    return result


def drawn(file):
    """Return the points of the longest line of an SVG, in its own coordinates."""
    lines = re.findall(r' d="([^"]*)"', file.read_text(encoding="utf-8"))
    [numbers] = [re.findall(r"[ML] (\S+) (\S+)", each) for each in [max(lines, key=lambda d: d.count("L"))]]
    return [(float(x), float(y)) for x, y in numbers]


def test_the_picture_has_the_first_shell_where_the_table_has_it(result, tmp_path):
    file = plot_radial_distribution(result, tmp_path / "g.svg", largest_distance="0.7 nm")
    assert file == tmp_path / "g.svg"
    topology = result.trajectory_files[0].with_name("topology.pdb")
    distances, g = radial_distribution(result.trajectory_files, topology, largest_distance="0.7 nm").T
    points = drawn(file)
    (first, _), (last, _) = points[0], points[-1]
    peak, _ = min(points, key=lambda point: point[1])  # down is up in an SVG
    expected = (distances[g.argmax()] - distances[0]) / (distances[-1] - distances[0])
    assert (peak - first) / (last - first) == pytest.approx(expected, abs=0.01)
    assert 0.3 < distances[g.argmax()] < 0.45


def test_the_suffix_says_which_kind_of_picture(result, tmp_path):
    file = plot_radial_distribution(result, tmp_path / "g.png", largest_distance="0.7 nm")
    assert file.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match=r"path: '.*g\.doc' is not allowed; give a suffix of .*png"):
        plot_radial_distribution(result, tmp_path / "g.doc")


def test_without_trajectory_or_matplotlib_it_says_what_to_do(result, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"Density of \[Ar\] .* has kept no trajectory; give Simulation"):
        plot_radial_distribution(replace(result, trajectory_files=()), tmp_path / "g.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match="matplotlib is not installed; pip install 'estimate-properties"):
        plot_radial_distribution(result, tmp_path / "g.png")
