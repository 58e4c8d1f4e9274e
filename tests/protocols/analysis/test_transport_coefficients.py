import math

import numpy as np
import pytest
from scipy.signal import lfilter

from protocols.analysis.statistics import Status
from protocols.analysis.transport_coefficients import (
    AverageDiffusion,
    AverageViscosity,
    yeh_hummer_correction,
)
from protocols.errors import InputError
from protocols.quantities import quantity
from protocols.running.execution import execute_in
from workflow_backends.resources import ComputeResources

TEMPERATURE, VOLUME = quantity("300 K"), 8.0  # nm^3
KT = 1.380649e-23 * 300


def table(file, header, rows):
    file.write_text(header + "\n" + "".join(",".join(map(repr, map(float, row))) + "\n" for row in rows))
    return file


def segments_table(file, number):
    rows = [(i, 299 + i % 3, 0.01 * i, 40 + 10 * (i % 3), VOLUME) for i in range(number)]
    header = "segment,temperature (K),energy drift (K),pressure (bar),volume (nm^3)"
    return table(file, header, rows)


def stress_table(file, *, segments, frames, tau, rms, seed):
    """Write tensors whose elements have variance rms^2 and correlation time tau, every 0.02 ps."""
    rng, rho, rows = np.random.default_rng(seed), math.exp(-0.02 / tau), []
    for segment in range(segments):
        noise = rng.normal(scale=math.sqrt(1 - rho**2), size=(frames + 3000, 6))
        xx, yy, zz, *off = rms * lfilter([1], [1, -rho], noise, axis=0)[3000:].T
        trace = (xx + yy + zz) / 3  # normal elements of an isotropic tensor: twice the variance, no trace
        normal = [100 + math.sqrt(2) * (each - trace) for each in (xx, yy, zz)]
        columns = np.stack([np.full(frames, segment), 0.02 * np.arange(frames), *normal, *off], axis=1)
        rows += list(columns)
    header = "segment,time (ps)" + "".join(
        f",pressure {ij} (bar)" for ij in ("xx", "yy", "zz", "xy", "xz", "yz")
    )
    return table(file, header, rows)


def viscosity(directory, *, tau=0.1, segments=12, frames=1001):
    stress = [
        stress_table(directory / f"stress{i}.csv", segments=segments, frames=frames, tau=tau, rms=300, seed=i)
        for i in range(2)
    ]
    about = [segments_table(directory / f"segments{i}.csv", segments) for i in range(2)]
    protocol = AverageViscosity(stress_files=stress, segments_files=about, temperature=TEMPERATURE)
    return execute_in(protocol, directory / "viscosity", ComputeResources())


def test_the_viscosity_of_a_known_stress(tmp_path):
    """V / kT rms^2 tau: 8e-27 m^3 / kT * (3e7 Pa)^2 * 1e-13 s."""
    outputs = viscosity(tmp_path)
    expected = 8e-27 / KT * 9e14 * 1e-13 * 1000
    value, error = outputs.value.to("mPa*s").magnitude, outputs.standard_error.to("mPa*s").magnitude
    assert 0.02 < error / expected < 0.1
    assert abs(value - expected) < 3.5 * error
    assert outputs.status is Status.converged
    assert outputs.n_effective == 24
    assert outputs.details["cutoff"].magnitude == pytest.approx(2.0)
    assert outputs.details["temperature"].magnitude == pytest.approx(300)
    assert outputs.details["temperature standard error"].magnitude == pytest.approx(0.170, rel=0.06)
    assert outputs.details["pressure"].magnitude == pytest.approx(50)
    assert outputs.details["pressure standard error"].magnitude == pytest.approx(1.70, rel=0.06)
    assert outputs.details["lowest temperature of a segment"].magnitude == 299
    assert outputs.details["largest energy drift of a segment"].magnitude == pytest.approx(0.11)
    curve = np.loadtxt(outputs.curve_file, delimiter=",", skiprows=1)
    assert curve[-1, 1] == pytest.approx(value)
    assert curve[5, 1] == pytest.approx(expected * (1 - math.exp(-1)), rel=0.05)


def test_an_integral_that_still_rises_is_told(tmp_path):
    outputs = viscosity(tmp_path, tau=3.0, segments=40)
    assert outputs.status is Status.too_short
    assert "in the second half of the time up to its cutoff; take a longer nve_time" in outputs.reason


def test_segments_of_different_length_are_refused(tmp_path):
    for name, frames in (("a", 501), ("b", 601)):
        stress_table(tmp_path / f"{name}.csv", segments=1, frames=frames, tau=0.1, rms=300, seed=1)
    both, about = (tmp_path / "a.csv", tmp_path / "b.csv"), segments_table(tmp_path / "segments.csv", 2)
    protocol = AverageViscosity(stress_files=(both,), segments_files=(about,), temperature=TEMPERATURE)
    with pytest.raises(InputError, match="differ in length"):
        execute_in(protocol, tmp_path / "out", ComputeResources())


def diffusion(directory, *, coefficient=2.0, segments=6, **inputs):
    """Run over displacements 6 D t with 5 % of noise in D; D in nm^2/ns, lags up to 20 ps."""
    rng, lags, files = np.random.default_rng(5), 0.2 * np.arange(101), []
    for replica in range(2):
        rows = []
        for segment in range(segments):
            curve = 6 * coefficient * (1 + 0.05 * rng.normal()) * lags / 1000
            rows += [(segment, lag, 9 * msd, msd) for lag, msd in zip(lags, curve, strict=True)]
        header = "segment,lag (ps),component 0 (nm^2),component 1 (nm^2)"
        files.append(table(directory / f"displacements{replica}.csv", header, rows))
    about = [segments_table(directory / f"about{i}.csv", segments) for i in range(2)]
    known = {
        "component": 1, "number_of_molecules": 1000, "temperature": TEMPERATURE, "viscosity": "0.8 mPa*s",
        "viscosity_error": "0.08 mPa*s", "viscosity_status": "converged", "viscosity_reason": "",
    }  # fmt: skip
    protocol = AverageDiffusion(displacements_files=files, segments_files=about, **(known | inputs))
    return execute_in(protocol, directory / "diffusion", ComputeResources())


CORRECTION = 2.837297 * KT / (6 * math.pi * 0.8e-3 * 2e-9) * 1e9  # nm^2/ns in a box of 2 nm


def test_diffusion_is_the_slope_and_the_correction_for_the_box(tmp_path):
    outputs = diffusion(tmp_path)
    in_box, error = (outputs.details[name].magnitude for name in ("D_PBC", "D_PBC standard error"))
    assert 0.01 < error < 0.06
    assert abs(in_box - 2.0) < 3.5 * error
    assert outputs.value.to("nm^2/ns").magnitude == pytest.approx(in_box + CORRECTION)
    assert outputs.standard_error.magnitude == pytest.approx(math.hypot(error, 0.1 * CORRECTION))
    assert outputs.details["viscosity"] == quantity("0.8 mPa*s")
    assert outputs.status is Status.converged
    assert outputs.n_effective == 12


def test_the_correction_agrees_with_its_formula_and_needs_a_viscosity():
    assert yeh_hummer_correction(TEMPERATURE, quantity("0.8 mPa*s"), 2.0) == pytest.approx(CORRECTION)
    assert yeh_hummer_correction(TEMPERATURE, quantity("-0.1 mPa*s"), 2.0) == 0


def test_molecules_that_hardly_move_are_told(tmp_path):
    outputs = diffusion(tmp_path, coefficient=0.1)
    assert outputs.status is Status.too_short
    assert outputs.reason == (
        "molecules move by 0.077 nm in 10 ps, less than their diameter of 0.2 nm; take a longer nve_time"
    )


def test_a_weak_viscosity_makes_a_weak_diffusion(tmp_path):
    outputs = diffusion(tmp_path, viscosity_status="too short", viscosity_reason="2 segments of at least 10")
    assert outputs.status is Status.too_short
    assert outputs.reason == "viscosity: 2 segments of at least 10"


def test_without_an_error_of_the_viscosity_there_is_none_of_the_diffusion(tmp_path):
    assert diffusion(tmp_path, viscosity_error=None).standard_error is None
