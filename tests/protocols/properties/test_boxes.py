import numpy as np
import pytest

from protocols import (
    InputError,
    OpenMMForceField,
    SelfDiffusion,
    ShearViscosity,
    SimulationSettings,
    SolvationFreeEnergy,
    Substance,
    SurfaceTension,
    ThermodynamicState,
)
from protocols.graphs.protocol import upstream_first
from protocols.systems.rescaling import ScaleToDensity

ARGON = OpenMMForceField("argon.xml")
PURE, SOLUTION = Substance.pure("[Ar]"), Substance.solution("[Ar]", "[Ar]")
MIXTURE = Substance.mixture({"[Ar]": 0.5, "[39Ar]": 0.5})
VOLUME = ThermodynamicState(temperature="85 K")
STATE = ThermodynamicState(temperature="85 K", pressure="1 bar")


def box(path, edges, tilt=0.0, number=256):
    """Write a PDB file of argon atoms on a lattice in a box of these edges in angstroms."""
    angle = np.degrees(np.arccos(tilt))
    lines = [f"CRYST1{edges[0]:9.3f}{edges[1]:9.3f}{edges[2]:9.3f}  90.00  90.00{angle:7.2f} P 1           1"]
    for i in range(number):
        x, y, z = np.array([i % 8, i // 8 % 8, i // 64]) * np.array(edges) / (8, 8, 4)
        lines.append(
            f"HETATM{i + 1:5d} AR    AR A{i + 1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          AR"
        )
    path.write_text("\n".join([*lines, "END", ""]))
    return SimulationSettings(initial_coordinates=path, number_of_molecules=number, cutoff="0.8 nm")


@pytest.mark.parametrize("item", [SelfDiffusion(PURE, VOLUME), ShearViscosity(PURE, VOLUME),
                                  SolvationFreeEnergy(SOLUTION, VOLUME)])  # fmt: skip
def test_a_constant_volume_without_a_density_is_refused(item):
    with pytest.raises(InputError, match=r"initial_density: missing; .* at 85 K has no pressure and stays"):
        item.workflow(ARGON, SimulationSettings(number_of_molecules=256, cutoff="0.8 nm"))
    settings = SimulationSettings(number_of_molecules=256, cutoff="0.8 nm", initial_density="1.4 g/mL")
    assert item.workflow(ARGON, settings).simulations


def scaled(item, settings):
    result = item.workflow(ARGON, settings).result
    return {str(each.density) for each in upstream_first([result]) if isinstance(each, ScaleToDensity)}


def test_at_constant_volume_a_box_that_is_given_keeps_its_density(tmp_path):
    [density] = scaled(SelfDiffusion(PURE, VOLUME), box(tmp_path / "cube.pdb", (24, 24, 24)))
    assert float(density.split()[0]) == pytest.approx(256 * 39.948 / 6.02214076e23 / 2.4e-7**3, rel=1e-4)


def test_at_constant_volume_a_mixture_keeps_the_volume_of_its_components():
    densities = {"[Ar]": "1.4 g/mL", "[39Ar]": "1.4 g/mL"}
    settings = SimulationSettings(initial_densities=densities, cutoff="0.8 nm")
    assert scaled(SelfDiffusion(MIXTURE, VOLUME, component="[Ar]"), settings) == {"1.4 gram / milliliter"}


@pytest.mark.parametrize(
    ("kind", "edges", "tilt", "message"),
    [
        (SelfDiffusion, (20, 20, 60), 0, "20 x 20 x 60.*SelfDiffusion needs a cubic one"),
        (SelfDiffusion, (24, 24, 24), 0.3, "2.4 x 2.4 x 2.4 nm and oblique.*SelfDiffusion needs a cubic one"),
        (
            ShearViscosity,
            (24, 24, 24),
            0.3,
            "oblique, is not allowed; ShearViscosity needs a rectangular one",
        ),
        (
            SurfaceTension,
            (24, 24, 24),
            0.3,
            "oblique, is not allowed; SurfaceTension needs a rectangular one",
        ),
        (ShearViscosity, (20, 20, 60), 0, None),
        (SurfaceTension, (20, 20, 60), 0, None),
        (SelfDiffusion, (24, 24, 24), 0, None),
    ],
)
def test_a_box_of_the_wrong_shape_is_refused(tmp_path, kind, edges, tilt, message):
    settings = box(tmp_path / "box.pdb", edges, tilt)
    if message is None:
        assert kind(PURE, STATE).workflow(ARGON, settings).simulations
        return
    with pytest.raises(InputError, match=message.replace("20 x 20 x 60", "2 x 2 x 6")):
        kind(PURE, STATE).workflow(ARGON, settings)
