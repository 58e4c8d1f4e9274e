import openmm
import pytest

from protocols.settings import InteractionSettings
from protocols.systems.interactions import interactions_in_words, set_interactions


def system(charge=0.0, depth=1.0, custom=False, **settings):
    made, own = openmm.System(), openmm.NonbondedForce()
    made.addParticle(40.0)
    own.addParticle(charge, 0.3, depth)
    made.addForce(own)
    if custom:
        force = openmm.CustomNonbondedForce("r^-6")
        force.addParticle([])
        made.addForce(force)
    set_interactions(made, InteractionSettings(**settings), periodic=True)
    return made


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "cutoff 0.9 nm, Lennard-Jones truncated there, with long-range correction"),
        ({"charge": 1.0, "cutoff": "8 angstrom", "ewald_error_tolerance": 1e-5},
         "cutoff 0.8 nm, Lennard-Jones truncated there, with long-range correction, Ewald tolerance 1e-05"),
        ({"switching_distance": "0.7 nm", "long_range_correction": False},
         "cutoff 0.9 nm, Lennard-Jones switched off from 0.7 nm, without long-range correction"),
        ({"charge": 1.0, "depth": 0.0}, "cutoff 0.9 nm, Ewald tolerance 0.0005"),
        ({"depth": 0.0, "custom": True, "switching_distance": "0.7 nm"},
         "cutoff 0.9 nm, custom potential switched off from 0.7 nm, with long-range correction"),
    ],
)  # fmt: skip
def test_words_are_of_what_a_system_has(given, words):
    assert interactions_in_words(system(**given)) == words


def test_full_range_knows_neither_truncation_nor_correction():
    made = system(charge=1.0)
    made.getForce(0).setNonbondedMethod(openmm.NonbondedForce.LJPME)
    made.getForce(0).setEwaldErrorTolerance(1e-4)
    assert interactions_in_words(made) == (
        "cutoff 0.9 nm, Lennard-Jones of full range by particle-mesh Ewald, Ewald tolerance 0.0001"
    )
    assert interactions_in_words(openmm.System()) == "no cutoff"
