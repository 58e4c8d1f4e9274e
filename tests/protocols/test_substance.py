import pytest

from protocols.errors import InputError
from protocols.substance import Component, Role, Substance


def test_one_molecule_has_one_identity_however_it_is_written():
    assert Substance.pure("[H]O[H]") == Substance.pure("O")
    assert Substance.mixture({"CO": 0.5, "O": 0.5}) == Substance.mixture({"O": 0.5, "OC": 0.5})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Substance.pure("C(("), "smiles: 'C((' does not parse"),
        (lambda: Substance.pure(""), "smiles: '' does not parse"),
        (lambda: Substance.pure("O.O"), "smiles: 'O.O' holds several molecules"),
        (lambda: Substance.mixture({"O": 0.5}), "mole_fraction: the fractions sum to 0.5"),
        (lambda: Substance.mixture({"O": 0.5, "[OH2]": 0.5}), "components: O is given twice"),
        (lambda: Substance.mixture({"O": -0.5, "C": 1.5}), "mole_fraction: -0.5 is not allowed"),
        (lambda: Component(smiles="O"), "component O: give either mole_fraction or count"),
        (lambda: Substance(components=()), "components: none given"),
        (lambda: Component(smiles="O", mole_fraction=1, role="solute"), "component O: a solute has a count"),
        (
            lambda: Substance(components=(Component(smiles="O", count=1, role="solute"),)),
            "components: solutes only",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(make, message, capfd):
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_counts_follow_mole_fractions_by_largest_remainder():
    mixture = Substance.mixture({"CO": 0.3, "O": 0.7})
    assert dict(zip([c.smiles for c in mixture.components], mixture.counts(11), strict=True)) == {
        "CO": 3,
        "O": 8,
    }


def test_exact_counts_are_kept_and_the_solvent_fills_the_rest():
    solution = Substance(
        components=(Component(smiles="C", count=1), Component(smiles="O", mole_fraction=1.0))
    )
    assert solution.counts(100) == (1, 99)


def test_a_component_without_a_molecule_is_refused():
    with pytest.raises(InputError, match="number_of_molecules: 4 is too few"):
        Substance.mixture({"C": 0.01, "O": 0.99}).counts(4)


def test_mole_fractions_are_those_of_whole_molecules():
    mixture = Substance.mixture({"CO": 0.3, "O": 0.7})
    assert mixture.mole_fractions(11) == {"CO": 3 / 11, "O": 8 / 11}
    assert Substance.pure("O").mole_fractions(7) == {"O": 1.0}


def test_a_solution_is_one_molecule_of_the_solute_and_a_solvent():
    solution = Substance.solution("C", "O")
    assert [(c.smiles, c.role, c.count) for c in solution.components] == [
        ("C", Role.solute, 1),
        ("O", Role.solvent, None),
    ]
    assert solution.counts(100) == (1, 99)
    assert str(solution) == "C in O"
    assert solution != Substance.solution("O", "C")


def test_a_molecule_may_be_its_own_solvent():
    argon = Substance.solution("[Ar]", "[Ar]")
    assert [component.count for component in argon.solutes] == [1]
    assert argon.counts(100) == (1, 99)
    assert argon.mole_fractions(100) == {"[Ar]": 1.0}
    assert str(argon) == "[Ar] in [Ar]"
    assert Substance.model_validate(argon.model_dump(mode="json")) == argon
