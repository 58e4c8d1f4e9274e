"""Every example runs with --fast, prints what it promises, and goes on from its directory."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script, directory):
    return subprocess.run(
        [sys.executable, str(EXAMPLES / script), "--fast", "--directory", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("01_water_density.py", "Density of O at 298.15 K, 1 atm: "),
        ("02_argon_density.py", "Density of [Ar] at 119.8 K, 10.453 bar: "),
    ],
)
def test_an_example_runs_and_runs_again_with_the_same_result(tmp_path, script, name):
    first = run(script, tmp_path / "run")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(name)
    for word in ("standard error: ", "published: ", "platform: CPU", "ns/day"):
        assert word in first.stdout
    assert first.stderr == ""
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("result.json")}
    again = run(script, tmp_path / "run")
    assert again.stdout == first.stdout
    assert {path: path.stat().st_mtime_ns for path in written} == written


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("05_from_amber_files.py", "Density of CCO at 298.15 K, 1 atm: "),
        ("06_from_gromacs_files.py", "Density of O at 300 K, 1 atm: "),
    ],
)
def test_files_of_other_programs_are_used_as_they_are(tmp_path, script, name):
    ran = run(script, tmp_path / "run")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(name)
    assert "standard error: " in ran.stdout
    assert ran.stderr == ""


def test_one_script_gives_all_properties_of_water(tmp_path):
    first = run("03_water_properties.py", tmp_path / "run")
    assert first.returncode == 0, first.stderr
    header, *rows = first.stdout.splitlines()
    assert header.startswith("TIP3P water at 298.15 K, 1 atm")
    assert len({row.split()[0] for row in rows}) == 9
    assert all(float(row.split()[2]) > 0 for row in rows)  # each has an error
    equilibrated = list((tmp_path / "run").glob("OpenMMSimulation-*"))
    assert len(equilibrated) <= 2 * 2 + 2  # two replicas, shared by seven; those at the mean density
    again = run("03_water_properties.py", tmp_path / "run")
    assert again.stdout == first.stdout


def test_ethanol_from_its_smiles(tmp_path, monkeypatch):
    monkeypatch.setenv("ESTIMATE_PROPERTIES_CACHE", str(tmp_path / "cache"))
    first = run("04_ethanol_density.py", tmp_path / "run")
    assert first.returncode == 0, first.stderr
    density, enthalpy, experiment = first.stdout.splitlines()
    assert density.startswith("Density of CCO at 298.15 K, 1 atm: 0.")
    assert enthalpy.startswith("EnthalpyOfVaporization of CCO at 298.15 K, 1 atm: ")
    assert experiment.startswith("experiment: ")
    assert len(list((tmp_path / "run").glob("AssignGaffParameters-*"))) == 1


def test_a_failed_property_is_told_in_one_line_and_by_the_exit_status(tmp_path):
    """A file lies where a simulation keeps its segments, so that it cannot run."""
    home = tmp_path / "run"
    assert run("02_argon_density.py", home).returncode == 0
    for directory in home.glob("OpenMMSimulation-*"):
        for file in directory.glob("*.json"):
            file.unlink()
        (directory / "segments").rename(directory / "old")
        (directory / "segments").write_text("in the way")
    for directory in home.glob("AverageObservable-*"):
        (directory / "result.json").unlink()
    failed = run("02_argon_density.py", home)
    assert failed.returncode == 1
    assert failed.stdout.startswith("Density of [Ar] at 119.8 K, 10.453 bar: failed: OpenMMSimulation-")
    assert failed.stdout.count("\n") == 1
