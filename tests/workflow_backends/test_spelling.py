import pytest

from workflow_backends.spelling import did_you_mean

_FORCE_FIELDS = ["AmberFiles", "CombinedForceField", "GaffForceField", "SmirnoffForceField"]
_BACKENDS = ["dask-slurm", "multiprocessing", "parsl-local", "parsl-slurm"]
_PROPERTIES = ["Density", "IsobaricHeatCapacity", "SelfDiffusion"]


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("density", _PROPERTIES, "'Density'"),
        ("Densty", _PROPERTIES, "'Density'"),
        ("HeatCapacity", _PROPERTIES, "'IsobaricHeatCapacity'"),
        ("DiffusionConstant", _PROPERTIES, "'SelfDiffusion'"),
        ("gaff", _FORCE_FIELDS, "'GaffForceField'"),
        ("GAFF2", _FORCE_FIELDS, "'GaffForceField'"),
        ("slurm", _BACKENDS, "'dask-slurm' or 'parsl-slurm'"),
        ("parsl_local", _BACKENDS, "'parsl-local'"),
        ("ParslLocalBackend", _BACKENDS, "'parsl-local'"),
    ],
)
def test_what_was_meant_is_hinted_at(name, known, hint):
    assert did_you_mean(name, known) == f" (did you mean {hint}?)"


@pytest.mark.parametrize("name", ["", "42", "xyz", "BoilingPoint"])
def test_nothing_is_made_up(name):
    assert did_you_mean(name, _PROPERTIES) == ""
