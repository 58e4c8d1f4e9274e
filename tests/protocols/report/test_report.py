import itertools
import json
import re
import shutil
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from protocols import (
    Density,
    InputError,
    Limits,
    OpenMMForceField,
    SimulationSettings,
    Substance,
    ThermodynamicState,
    estimate,
    write_report,
)
from protocols.quantities import with_error
from protocols.report import plots
from protocols.report.machines import _machine
from protocols.report.reading import FinishedProtocol
from protocols.report.series import Curve
from protocols.running.locking import DirectoryLock

_VOID = {"meta", "br", "link", "img", "hr", "input"}
_SETTINGS = SimulationSettings(
    number_of_molecules=100,
    initial_density="1.3 g/mL",
    cutoff="0.8 nm",
    timestep="5 fs",
    equilibration_time="2 ps",
    production_time="5 ps",
    output_interval="0.06 ps",  # times are rounded to whole frames
    replicas=2,
)


def density(temperature, target=None):
    state = ThermodynamicState(temperature=temperature, pressure="1 bar")
    return Density(Substance.pure("[Ar]"), state, target)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A real run: one property with a target, one that explodes."""
    directory = tmp_path_factory.mktemp("report") / "run"
    results = estimate(
        [density("90 K", "0.01 %"), density("1e8 K")],
        OpenMMForceField("argon.xml"),
        directory=directory,
        settings=_SETTINGS,
        limits=Limits(rounds=2),
    )
    return directory, results


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run[0], tmp_path / "copy")


class Page(HTMLParser):
    """The parts of a page that are looked at; refuses what is not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.cells, self.text = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in {"td", "th"}:
            self.cells.append("")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)
        if self.open and {"td", "th"} & set(self.open):
            self.cells[-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def page_of(directory, **arguments):
    return Page(write_report(directory, **arguments).read_text(encoding="utf-8"))


def test_the_table_has_each_property_with_its_numbers(run):
    directory, [good, _] = run
    file = write_report(directory)
    assert file == directory / "report.html"
    cells = [" ".join(cell.split()) for cell in Page(file.read_text(encoding="utf-8")).cells]
    row = cells.index(str(good.property))
    shown = with_error(good.value.magnitude, good.standard_error.magnitude).replace("+/-", "±")
    allowed = good.property.allowed_error(good.value).magnitude
    assert cells[row + 1 : row + 4] == [f"{shown} g/mL", f"{allowed:.2g} g/mL", "not converged"]


def test_a_property_that_failed_stands_out_with_error_protocol_and_directory(run):
    directory, [_, bad] = run
    page = page_of(directory)
    alerts = [each["class"] for each in page.all("div") if each.get("class", "").startswith("alert")]
    assert alerts == ["alert bad", "alert warn"]
    words = page.words
    assert bad.error.cause in words
    assert bad.protocol in words
    assert str(bad.directory) in words


def test_each_property_has_its_pictures_checks_and_provenance(run):
    directory, [good, _] = run
    page = page_of(directory)
    captions = [each["aria-label"] for each in page.all("div") if each.get("role") == "img"]
    assert [caption.partition(".")[0] for caption in captions] == [
        "Rounds",
        "Over time",
        "Distribution",
        "Agreement of replicas",
        "Autocorrelation",
    ]
    assert "time / ps" in page.words
    assert "density / g/mL" in page.words
    for check in good.checks:
        assert check.text.replace("+/-", "±") in page.words
    assert (
        f"statistical inefficiency: {good.details['statistical inefficiency'].magnitude:.6g} ps" in page.words
    )
    record = json.loads((good.directory / "provenance.json").read_text(encoding="utf-8"))
    assert record["process"]["host"] in page.words
    assert f"openmm {record['packages']['openmm']}" in page.words
    records = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in directory.glob("OpenMMSimulation-*/provenance.json")
    ]
    inputs = [each["protocol"]["inputs"] for each in records]
    seeds = [
        str(each["seed"]) for each in inputs if each["state"]["fields"]["temperature"]["quantity"] == "90 K"
    ]
    assert len(seeds) == 6
    assert set(seeds) <= set(page.cells)


def test_simulated_times_are_those_that_were_run_and_not_those_that_were_asked_for(run):
    directory, _ = run
    tables = [np.loadtxt(file, delimiter=",", skiprows=1) for file in directory.glob("*/observables.csv")]
    ran = {f"{table[-1, 1] - table[0, 1] + 0.06:.6g} ps" for table in tables}
    assert ran == {"1.98 ps", "4.98 ps"}
    assert {cell for cell in page_of(directory).cells if re.fullmatch(r"[\d.]+ ps", cell)} == ran


def test_the_file_needs_nothing_else_and_can_be_read_by_machines(run):
    page = page_of(run[0], reference={str(density("90 K")): ("1.378 g/mL", "0.001 g/mL")})
    assert page.elements[0] == ("html", {"lang": "en"})
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action"):
            assert (attributes.get(name) or "#").startswith("#")
        assert "url(http" not in (attributes.get("style") or "")
    assert not {"script", "link", "iframe", "object", "img"} & {tag for tag, _ in page.elements}
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert set(ids.values()) == {1}
    targets = {each["href"][1:] for tag, each in page.elements if tag in {"a", "use"} and "href" in each}
    assert targets <= set(ids)
    assert all(each.get("scope") for each in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_a_reference_stands_beside_the_value_and_in_a_picture(run):
    directory, [good, _] = run
    page = page_of(directory, reference={good.property: ("1378 kg/m^3", "10 kg/m^3")})
    cells = [" ".join(cell.split()) for cell in page.cells]
    assert "1.378 ± 0.010 g/mL" in cells
    difference = good.value.magnitude - 1.378
    error = (good.standard_error.magnitude**2 + 0.01**2) ** 0.5
    assert f"{100 * difference / 1.378:+.2g} % ({abs(difference) / error:.1f} SE)" in cells
    assert "Estimates against references" in page.words


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"Density of X": "1 g/mL"}, "'Density of X' is no property of this run; it has Density of"),
        ({str(density("90 K")): "1 kelvin"}, "has another dimension; give one in g/mL"),
        ({str(density("90 K")): 1.4}, "has no unit; give a quantity in a unit such as g/mL"),
        ({str(density("90 K")): ()}, "give a value and its uncertainty"),
    ],
)
def test_references_that_do_not_fit_are_refused(run, reference, message):
    with pytest.raises(InputError, match=re.escape(message)):
        write_report(run[0], reference=reference)


def test_text_from_a_run_never_becomes_markup(copy):
    file = copy / "estimates.json"
    estimates = json.loads(file.read_text(encoding="utf-8"))
    evil = "</p><script>alert('x')</script> A & <b>B</b>"
    for item in estimates:
        item |= {"property": f"Density of {evil}", "reason": evil, "unit": "g/mL", "notes": [evil]}
        item |= {"checks": [{"name": evil, "passed": False, "text": evil}], "incidents": [evil]}
    file.write_text(json.dumps(estimates))
    for error in copy.glob("*/error.json"):
        error.write_text(json.dumps({"error": evil}))
    page = page_of(copy)
    assert not page.all("script")
    assert not page.all("b")
    assert page.words.count("alert('x')") >= 8


def test_a_check_that_did_not_pass_needs_attention_though_the_value_has_converged(copy):
    file = copy / "estimates.json"
    [first, _] = json.loads(file.read_text(encoding="utf-8"))
    assert all(check["passed"] for check in first["checks"])
    fine = first | {"status": "converged", "reason": ""}
    file.write_text(json.dumps([fine]))
    assert "Needs attention" not in page_of(copy).words
    file.write_text(json.dumps([fine | {"checks": [{"name": "phase", "passed": False, "text": "a gas"}]}]))
    attention = page_of(copy).words.partition("Needs attention")[2].partition("Results")[0]
    assert "phase (check not passed): a gas" in attention
    assert "before you use the value" in attention
    assert "Good enough" not in page_of(copy).words


def test_a_long_label_has_its_unit_in_a_line_of_its_own():
    numbers = np.arange(3.0)
    svg = plots.curve(Curve("mean squared displacement (nm^2)", "lag (ps)", numbers, numbers, numbers))
    assert {"mean squared displacement", "/ nm²", "lag / ps"} <= set(Page(svg).text)


def test_numbers_are_written_with_their_errors_as_people_do(copy):
    file = copy / "estimates.json"
    [first, _] = json.loads(file.read_text(encoding="utf-8"))
    details = {
        "temperature": "100.704 K",
        "temperature standard error": "0.943098 K",
        "pressure": "204.5 bar",
    }
    small = {"value": -7.1e-4, "standard_error": 4e-4, "unit": "1/K", "details": details}
    file.write_text(json.dumps([first | small]))
    page = page_of(copy)
    assert "(-7 ± 4) · 10⁻⁴ 1/K" in page.cells
    assert "temperature: 100.7 ± 0.9 K pressure: 204.5 bar" in page.words


def test_a_simulation_that_moved_names_all_its_platforms():
    outputs = {
        "platform": "CPU",
        "platforms": ["CUDA (a GPU), mixed precision", "CPU (x86), mixed precision"],
    }
    moved = _machine(FinishedProtocol("OpenMMSimulation-1", Path(), {}, outputs))
    assert moved["Platforms in turn"] == "CUDA (a GPU), mixed precision; CPU (x86), mixed precision"
    stayed = outputs | {"platforms": outputs["platforms"][1:]}
    assert "Platforms in turn" not in _machine(FinishedProtocol("OpenMMSimulation-1", Path(), {}, stayed))


def test_a_run_that_goes_on_and_one_that_has_just_begun(copy, tmp_path):
    file = copy / "estimates.json"
    [first, second] = json.loads(file.read_text(encoding="utf-8"))
    kept = ("property", "unit", "round", "value", "status", "reason")  # what older versions wrote
    new = {name: second[name] for name in kept} | {"status": "running", "value": None, "reason": ""}
    file.write_text(json.dumps([first | {"status": "running"}, new]))
    with DirectoryLock(copy):
        words = page_of(copy).words
    assert "2 running" in words
    assert "The run goes on , driven by process" in words
    assert "Still being simulated" in words
    file.unlink()
    assert "This run has no property yet" in page_of(copy, path=tmp_path / "other.html").words
    with pytest.raises(InputError, match="holds no run"):
        write_report(tmp_path / "nowhere")


def test_a_table_that_is_gone_is_named_and_the_rest_is_shown(copy):
    for table in copy.glob("OpenMMSimulation-*/observables.csv"):
        table.unlink()
    words = page_of(copy).words
    assert "cannot be read" in words
    assert "Rounds" in words


def test_without_the_extra_it_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(
        InputError, match=re.escape("jinja2 not installed; pip install 'estimate-properties[report]'")
    ):
        write_report(run[0])
