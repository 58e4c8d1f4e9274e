import pytest
from rich.cells import cell_len
from rich.console import Console

from protocols.progress import RunningSimulation
from protocols.progress.drawing import View, headline
from protocols.progress.snapshot import Snapshot, Standing

_PROPERTIES = (
    Standing("Density of O at 298.15 K, 1 atm", "running", 3, "0.98765 +/- 0.0031 g/mL", "0.002", 0.41),
    Standing("DielectricConstant of O at 298.15 K, 1 atm", "running", 1, "", "", None),
    Standing("Density of 水水水水水水水水水水水水水水水水水水水水 at 298.15 K", "failed", 1, "", "", None),
    Standing(
        "EnthalpyOfVaporization of CCCCCCCCCCCCCCCCCCC at 298.15 K", "converged", 4, "44 kJ/mol", "1", 1.0
    ),
)
_SIMULATIONS = (RunningSimulation("OpenMMSimulation-fe5fa329c962097d", 0.61, 497.9, 0.2),)


def drawn(width, height, properties=_PROPERTIES, **console):
    snapshot = Snapshot(18, 26, 2, 2, tuple(properties), _SIMULATIONS, 2000.0)
    console = Console(width=width, height=height, **console)
    with console.capture() as capture:
        console.print(View(snapshot))
    return capture.get()


@pytest.mark.parametrize("width", [20, 40, 80, 130])
def test_no_line_is_wider_than_the_terminal_and_numbers_are_whole(width):
    text = drawn(width, 24)
    assert max(map(cell_len, text.splitlines())) <= width
    if width >= 40:
        assert "0.98765 +/- 0.0031 g/mL" in text
        assert "41%" in text
    for word in ("round 3", "failed", "converged"):
        assert word in text


@pytest.mark.parametrize("width", [40, 130])
def test_many_properties_fit_on_the_screen_and_the_rest_is_counted(width):
    text = drawn(width, 12, _PROPERTIES * 25)
    assert len(text.splitlines()) < 12
    assert "more:" in text
    assert "25 failed" in text or width == 40


def test_a_terminal_without_unicode_gets_plain_letters():
    import io

    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=ascii_only, width=80, height=24)
    console.print(View(Snapshot(1, 2, 1, 1, _PROPERTIES[:1], _SIMULATIONS, None)))
    ascii_only.flush()
    assert b"41%" in ascii_only.buffer.getvalue()


def test_the_headline_leaves_out_what_does_not_fit():
    snapshot = Snapshot(18, 26, 1, 2, (), _SIMULATIONS, 7200 * 24)
    assert headline(snapshot, 100) == "18 of 26 protocols, about 2 days left, 1 of 2 workers busy, 498 ns/day"
    assert headline(snapshot, 40) == "18 of 26 protocols, about 2 days left"
    assert headline(snapshot, 20) == "18 of 26 protocols"
    assert headline(Snapshot(0, 0, 0, 2, ()), 40) == "starting"
