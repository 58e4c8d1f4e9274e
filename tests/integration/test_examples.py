"""Every example runs with --fast, prints what it promises, and goes on from its directory."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from water_example import only_progress

EXAMPLES = Path(__file__).parents[2] / "examples"
NUMBER = r"-?\d[\d.e-]* \+/- \d[\d.e-]*"
# What the first lines of each look like, as its docstring shows them.
SHOWN = {
    "07_submit_functions.py": [
        "14 squared is 196, the sum of two results 212",
        r"squares in order: \[0, 1, 4, 9, 16\]",
        "each worker may use 1 thread",
        r"time limit: task 'too slow' \(number 10\): .* time limit of 0.2 s",
        "cancelled: True",
    ],
    "08_enthalpy_of_vaporization.py": [
        f"EnthalpyOfVaporization of O at 298.15 K, 1 atm: {NUMBER} kJ/mol.*",
        f"Density of O at 298.15 K, 1 atm: {NUMBER} g/mL.*",
        "measured: .*",
    ],
    "09_dielectric_constant.py": [
        f"DielectricConstant of O at 298.15 K, 1 atm: {NUMBER} .*",
        r"status: not converged, rounds of each replica: \(2, 2\)",
    ],
    "10_mixing.py": [
        f"EnthalpyOfMixing of 0.2 CCO \\+ 0.8 O at 298.15 K, 1 atm: {NUMBER} kJ/mol.*",
        f"ExcessMolarVolume of 0.2 CCO \\+ 0.8 O at 298.15 K, 1 atm: {NUMBER} cm³/mol .*",
        "measured: .*",
    ],
    "11_solvation_free_energy.py": [
        f"SolvationFreeEnergy of CCO in O at 298.15 K, 1 atm: {NUMBER} kJ/mol.*",
        "measured: .*",
    ],
    "12_asyncio_sweep.py": [f"Density of \\[Ar\\] at \\d+ K, 10 bar: {NUMBER} g/mL.*"] * 5,
    "13_interrupt_and_resume.py": [
        r".*: \d+ finished, .*; interrupted: process \d+ on .* has died; go on with .*",
        "the same command again:",
        "EnthalpyOfVaporization of O .*",
        "Density of O .*",
        "measured: .*",
        r"\d+ of \d+ finished protocols were kept as they were",
        r".*: \d+ finished; nobody drives it",
    ],
    "15_two_gpus.py": [
        "a worker sees CUDA_VISIBLE_DEVICES=0",
        "a worker sees CUDA_VISIBLE_DEVICES=1",
        f"Density of O at 298.15 K, 1 atm: {NUMBER} g/mL.*",
        "platform: CPU, .* ns/day for each of the replicas",
    ],
    "16_custom_protocol.py": [
        f"CohesiveEnergyDensity of O at 298.15 K, 1 atm: {NUMBER} MPa.*",
        "measured: 2298 MPa",
    ],
    "17_custom_backend.py": [
        f"Density of \\[Ar\\] at 90 K, 1 bar: {NUMBER} g/mL.*",
        r"\.\. +\[100%\]",
        r"2 passed, \d+ deselected in .*",
    ],
    "18_data_set.py": [
        *["Density of O .*", "    measured: 0.997.*", "EnthalpyOfVaporization of O .*", "    measured: 44.*"],
        *[
            "IsobaricHeatCapacity of O .*",
            "    measured: 75.*",
            "ThermalExpansion of O .*",
            "    measured: .*",
        ],
        *["Density: off by .* g/mL", "EnthalpyOfVaporization: off by .* kJ/mol"],
        *["IsobaricHeatCapacity: off by .*", "ThermalExpansion: off by .*"],
    ],
}


def run(script, directory, *more):
    return subprocess.run(
        [sys.executable, str(EXAMPLES / script), "--fast", "--directory", str(directory), *more],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"},  # 17 runs pytest
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
    assert only_progress(first.stderr)
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
    assert only_progress(ran.stderr)


@pytest.mark.parametrize("script", SHOWN)
def test_an_example_prints_what_its_docstring_shows(tmp_path, script):
    ran = run(script, tmp_path / "run")
    assert ran.returncode == 0, ran.stderr
    assert only_progress(ran.stderr)
    lines = ran.stdout.splitlines()
    assert len(lines) == len(SHOWN[script]), ran.stdout
    for line, shape in zip(lines, SHOWN[script], strict=True):
        assert re.fullmatch(shape, line), line


@pytest.mark.parametrize("script", SHOWN)
def test_a_docstring_shows_lines_of_these_shapes(script):
    text = ast.get_docstring(ast.parse((EXAMPLES / script).read_text(encoding="utf-8")))
    shown = [line[4:] for line in text.splitlines() if line.startswith("    ") and line.strip() != "..."]
    assert shown
    shapes = [shape.replace("0.2 s", "1 s") for shape in SHOWN[script]]
    for line in shown:
        assert any(re.fullmatch(shape, line) for shape in shapes), line


def test_the_job_of_the_slurm_example_is_shown_without_a_scheduler(tmp_path):
    ran = run("14_slurm.py", tmp_path / "run", "--print-job", "--partition", "debug", "--account", "chem-12")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("#!/bin/bash\n#SBATCH")
    for option in ("--partition=debug", "--account=chem-12", "--cpus-per-task=1", "--time=01:00:00"):
        assert f"#SBATCH {option}\n" in ran.stdout
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("script", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_every_docstring_says_what_to_expect(script):
    text = ast.get_docstring(ast.parse((EXAMPLES / script).read_text(encoding="utf-8")))
    assert re.search(r"(Expected output|--print-job)[^\n]*(\n[^\n]+)*:\n\n    \S", text)


def test_the_slurm_example_estimates_as_the_first_does():
    def estimated(script):
        text = (EXAMPLES / script).read_text(encoding="utf-8")
        return re.findall(
            r"^SETTINGS.*?^\)$|^ +\[density\] = estimate.*?^        \)$", text, re.MULTILINE | re.DOTALL
        )

    assert len(estimated("01_water_density.py")) == 2
    assert estimated("14_slurm.py") == estimated("01_water_density.py")


def test_the_table_of_examples_lists_all():
    listed = re.findall(
        r"^\| \[(\d\d)\]\((\S+)\) \|", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [name for _, name in listed] == sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert all(name.startswith(number) for number, name in listed)


def test_the_docs_show_the_backend_of_the_example():
    def classes(text):
        return re.search(r"^class ThreadsEngine.*?(?=^(?:if|def) )", text, re.MULTILINE | re.DOTALL)[0]

    page, example = (
        EXAMPLES.parent / "docs" / "tutorials" / "own-backend.md",
        EXAMPLES / "17_custom_backend.py",
    )
    assert classes(page.read_text(encoding="utf-8")) == classes(example.read_text(encoding="utf-8"))


def test_one_script_gives_all_properties_of_water(tmp_path):
    first = run("03_water_properties.py", tmp_path / "run")
    assert first.returncode == 0, first.stderr
    header, *rows = first.stdout.splitlines()
    assert header.startswith("TIP3P water at 298.15 K, 1 atm")
    assert len({row.split()[0] for row in rows}) == 10
    assert all(float(row.split()[2]) > 0 for row in rows)  # each has an error
    equilibrated = list((tmp_path / "run").glob("OpenMMSimulation-*"))
    assert len(equilibrated) == 2 + 1  # one replica, shared by six; that at the mean density
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
