import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from openmm import app as app_of_openmm
from typer.testing import CliRunner
from waiting import wait_until

from protocols.cli.app import app
from protocols.status import run_status

EXAMPLES = Path(__file__).parents[3] / "examples" / "files"
_ARGON = """\
force_field: argon.xml
substances:
  argon: "[Ar]"
states:
  cold: {{temperature: 90 K, pressure: 1 bar}}
properties:
  - {{property: Density, substance: argon, state: cold, reference: 1.401 g/mL}}
settings:
  number_of_molecules: 100
  initial_density: 1.3 g/mL
  cutoff: 0.8 nm
  equilibration_time: 0.2 ps
  production_time: {production}
  output_interval: 0.01 ps
  replicas: 1
backend:
  type: parsl-local
"""


@pytest.fixture
def argon(tmp_path):
    file = tmp_path / "argon.yaml"
    file.write_text(_ARGON.format(production="2 ps"))
    return file


def call(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def start(place, *arguments):
    line = [sys.executable, "-m", "protocols", *map(str, arguments)]
    return subprocess.Popen(
        line,
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom protocols.cli.app import app\n"
        "for words in (['--help'], ['run', '--help']):\n"
        "    result = CliRunner().invoke(app, words)\n"
        "    assert result.exit_code == 0 and 'Example' in result.output\n"
        "packages = ('protocols', 'workflow_backends', 'openmm')\n"
        "ours = [m for m in sys.modules if m.partition('.')[0] in packages]\n"
        "print([m for m in ours if m != 'protocols' and not m.startswith('protocols.cli')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["run", "check", "status", "resume", "report", "script", "schema", "doctor"])
def test_every_command_has_help_with_an_example(name):
    shown = call(name, "--help")
    assert shown.exit_code == 0
    assert f"Example: estimate-properties {name}" in " ".join(shown.output.split())
    assert "..." not in next(line for line in call("--help").output.splitlines() if f"  {name} " in line)


@pytest.mark.timeout(300)
def test_ctrl_c_says_how_to_resume_and_resume_goes_on(tmp_path, argon):
    argon.write_text(_ARGON.format(production="100 ns"))
    run = start(tmp_path, "run", argon.name)
    assert wait_until(lambda: list((tmp_path / "argon").glob("OpenMMSimulation-*/progress.json")))
    refused = start(tmp_path, "run", argon.name)
    _, errors = refused.communicate(timeout=90)
    assert (refused.returncode, "a run is under way there" in errors) == (4, True)
    run.send_signal(signal.SIGINT)
    printed, errors = run.communicate(timeout=60)
    assert (run.returncode, printed) == (130, "")
    assert errors == "Stopped. Nothing is lost; go on with: estimate-properties resume argon\n"
    assert run_status(tmp_path / "argon").holder is None
    assert run_status(tmp_path / "argon").interrupted

    kept = tmp_path / "argon" / "calculation.yaml"
    kept.write_text(_ARGON.format(production="2 ps"))
    argon.unlink()
    planned = json.loads(call("check", kept, "--no-speed", "--json").output)
    again = start(tmp_path, "resume", "argon", "--json")
    printed, errors = again.communicate(timeout=200)
    assert (again.returncode, errors) == (3, "")
    [density] = json.loads(printed)["results"]
    assert density["status"] == "too short"
    assert density["value"] > 1

    shown = call("status", tmp_path / "argon", "--all")
    assert shown.exit_code == 0
    assert "OpenMMSimulation" in shown.output
    assert "Density of [Ar] at 90 K, 1 bar: " in shown.output
    written = call("report", tmp_path / "argon", "--output", tmp_path / "argon.html")
    assert written.exit_code == 0
    page = (tmp_path / "argon.html").read_text(encoding="utf-8")
    assert "1.401" in page  # the reference
    assert planned["purposes"] == {"equilibration": 1, "production": 1}
    assert f"Its {planned['simulations']} simulations, after 1 minimisation<" in page
    assert re.findall(r'<th scope="row">(minim|equil|prod)', page) == ["minim", "equil", "prod"]

    argon.write_text(_ARGON.format(production="2 ps").replace("90 K", "95 K"))
    other = start(tmp_path, "run", argon.name)
    printed, errors = other.communicate(timeout=90)
    assert (other.returncode, printed) == (2, "")
    assert "argon holds another calculation, of Density of [Ar] at 90 K, 1 bar; this one does not" in errors
    checked = start(tmp_path, "check", argon.name, "--no-speed")
    assert "run would refuse: directory: argon holds another" in checked.communicate(timeout=90)[0]
    told = json.loads(call("status", tmp_path / "argon", "--json").output)
    assert told["counts"]["running"] == 0


def test_check_shows_the_plan_and_runs_nothing(argon):
    shown = call("check", argon, "--no-speed")
    assert shown.exit_code == 0
    assert "simulations  2: 1 of equilibration, 1 of production; 0.0022 ns in all; sharing" in shown.output
    assert json.loads(call("check", argon, "--no-speed", "--json").output)["simulations"] == 2
    assert list(argon.parent.iterdir()) == [argon]


def test_the_example_that_ships_is_fine_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = Path(__file__).parents[3] / "examples" / "water.yaml"
    shown = call("check", example, "--no-speed")
    assert (shown.exit_code, shown.output.splitlines()[0]) == (0, f"{example} is fine.")


def test_check_refuses_what_run_refuses_in_the_same_words(argon):
    argon.write_text(_ARGON.format(production="2 ps") + "  number_of_workers: 2000\n")
    checked, ran = call("check", argon), call("run", argon, "--directory", argon.parent / "run")
    assert (checked.exit_code, ran.exit_code) == (2, 2)
    assert checked.stderr == ran.stderr
    assert checked.stderr.startswith(f"{argon}:18: backend.number_of_workers: 2000 threads were asked for, ")
    assert list(argon.parent.iterdir()) == [argon]


def test_what_is_wrong_ends_with_2_in_words_and_as_json(argon):
    argon.write_text(_ARGON.format(production="2"))
    told = call("check", argon)
    assert told.exit_code == 2
    assert told.stderr.startswith(f"{argon}:13: settings.production_time: 2 has no unit")
    as_json = json.loads(call("run", argon, "--json").output)
    assert as_json["exit_code"] == 2
    assert as_json["problems"][0]["line"] == 13
    assert as_json["problems"][0]["key"] == "settings.production_time"


_FILES = """\
force_field: {type: AmberFiles, prmtop: one/ethanol.prmtop, inpcrd: one/ethanol.inpcrd}
substances:
  ethanol: CCO
states:
  room: {temperature: 300 K, pressure: 1 bar}
properties:
  - {property: Density, substance: ethanol, state: room}
settings:
  number_of_molecules: 4
  initial_coordinates: boxes/ethanol.pdb
  cutoff: 0.5 nm
  equilibration_time: 0.02 ps
  production_time: 0.04 ps
  output_interval: 0.01 ps
  replicas: 1
backend:
  type: multiprocessing
"""


def test_paths_are_relative_to_the_file_wherever_one_stands(tmp_path, monkeypatch):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (elsewhere, home / "one", home / "boxes"):
        folder.mkdir(parents=True)
    for suffix in ("prmtop", "inpcrd"):
        shutil.copy(EXAMPLES / f"ethanol.{suffix}", home / "one")
    files = Path(__file__).parents[2] / "force_fields" / "files"
    inpcrd = app_of_openmm.AmberInpcrdFile(str(files / "ethanol_box.inpcrd"))
    prmtop = app_of_openmm.AmberPrmtopFile(
        str(files / "ethanol_box.prmtop"), periodicBoxVectors=inpcrd.boxVectors
    )
    with (home / "boxes" / "ethanol.pdb").open("w") as stream:
        app_of_openmm.PDBFile.writeFile(prmtop.topology, inpcrd.positions, stream)
    (home / "ethanol.yaml").write_text(_FILES)

    monkeypatch.chdir(tmp_path)
    assert call("check", "home/ethanol.yaml", "--no-speed").exit_code == 0
    ran = call("run", "home/ethanol.yaml", "--directory", "run", "--json")
    assert ran.exit_code == 3, ran.output  # too short to tell
    monkeypatch.chdir(elsewhere)
    resumed = call("resume", tmp_path / "run", "--json")
    assert resumed.exit_code == 3, resumed.output
    [[first], [second]] = (json.loads(each.stdout)["results"] for each in (ran, resumed))
    assert first["value"] == second["value"]


def test_directories_without_a_run_end_with_2(tmp_path):
    for name in ("status", "resume"):
        assert call(name, tmp_path).exit_code == 2


def test_a_backend_without_a_scheduler_has_no_script(argon):
    told = call("script", argon)
    assert told.exit_code == 2
    assert "type parsl-local has no job script" in told.stderr


@pytest.mark.parametrize("kind", ["parsl-slurm", "dask-slurm"])
def test_the_job_script_of_a_scheduler_is_shown(argon, kind):
    text = _ARGON.format(production="2 ps").replace("parsl-local", f"{kind}\n  queue_name: short")
    argon.write_text(text)
    shown = call("script", argon)
    assert shown.exit_code == 0
    assert shown.stdout.startswith("#!/bin/")
    assert "#SBATCH --partition=short" in shown.stdout
    assert json.loads(call("script", argon, "--json").stdout)["script"].rstrip("\n") + "\n" == shown.stdout


def test_the_schema_is_the_published_one():
    published = EXAMPLES.parents[1] / "docs" / "schema" / "calculation.json"
    assert json.loads(call("schema").stdout) == json.loads(published.read_text(encoding="utf-8"))


def test_the_version_names_what_a_report_of_an_error_needs():
    run = subprocess.run(
        [sys.executable, "-m", "protocols", "--version"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"estimate-properties \S+, openmm \S+, Python \S+\n", run.stdout)
