"""AverageDiffusion and AverageViscosity: from the tables of constant-energy segments to coefficients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protocols.analysis.autocorrelation import standard_error_factor
from protocols.analysis.correlations import CUTOFF, autocorrelation, running_integral, shear_components
from protocols.analysis.independent import independent_mean
from protocols.analysis.observables import ObservablesFiles, read_observable
from protocols.analysis.statistics import SeriesEstimate, Status, flagged
from protocols.constants import BAR_NM3, GAS_CONSTANT
from protocols.dynamics.displacements import FIT_WINDOW, einstein_diffusion
from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.quantities import AnyQuantity, Quantity, Temperature, quantity, registry
from protocols.running.storage import write_atomically
from workflow_backends.resources import ComputeResources

__all__ = ["AverageDiffusion", "AverageViscosity", "yeh_hummer_correction"]

_Array: TypeAlias = NDArray[np.float64]

_ELEMENTS = tuple(f"pressure {ij}" for ij in ("xx", "yy", "zz", "xy", "xz", "yz"))
_DIFFUSION_UNIT, _VISCOSITY_UNIT = "nm^2/ns", "mPa*s"
_MPA_S = float(quantity("1 bar*ps").to(_VISCOSITY_UNIT).magnitude)
_LATE_RISE, _CLEARLY = 0.05, 3.0  # of the value, and in standard errors
_CUBIC = 2.837297


class _Outputs(Protocol.Outputs):
    """The coefficient.

    Parameters
    ----------
    value, standard_error
        The error is that of the scatter between segments; None for a single one.
    n_effective
        The number of segments.
    status, reason
        Whether segments are long enough and there are enough, and if not, why not.
    details
        What else the segments gave, by name.
    curve_file
        Comma-separated table of the averaged curve that the value is read from.
    """

    value: AnyQuantity
    standard_error: AnyQuantity | None
    n_effective: float
    status: Status
    reason: str
    details: dict[str, AnyQuantity]
    curve_file: Path


class AverageViscosity(Protocol):
    """The shear viscosity by Green and Kubo, V / (kB T) times the integral of <P(0) P(t)>.

    P stands for the five independent elements of the traceless symmetric pressure tensor, over which, as over
    all time origins in a segment, is averaged. The integral ends at a tenth of the segment. P. J. Daivis
    and D. J. Evans, J. Chem. Phys. 100, 541 (1994).

    Each segment gives a value, and their scatter the standard error. When the integral still changes in the
    second half of the time, by more than 5 % and three standard errors, segments are too short.

    Parameters
    ----------
    stress_files, segments_files
        Tables of `OpenMMTransportSimulation`: one a replica, or several in order.
    temperature
        At which segments started.

    Raises
    ------
    InputError
        Segments differ in length.
    """

    stress_files: ObservablesFiles
    segments_files: ObservablesFiles
    temperature: Temperature

    class Outputs(_Outputs):
        """As documented there; `curve_file` has the integral by its upper limit."""

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Estimate, and write ``integral.csv``."""
        kt = GAS_CONSTANT * float(self.temperature.to("kelvin").magnitude)
        volumes = _per_segment(self.segments_files, "volume")
        replicas, lags = [], np.zeros(0)
        for files, sizes in zip(self.stress_files, volumes, strict=True):
            tensors, times = _by_segment(files, _ELEMENTS)
            lags = times[: max(2, round(CUTOFF * (len(times) - 1)) + 1)]
            integrals = [
                running_integral(autocorrelation(shear_components(each), len(lags)), times[1])
                for each in tensors
            ]
            replicas.append(_MPA_S * BAR_NM3 / kt * sizes[:, np.newaxis] * np.stack(integrals))
        estimate = flagged(
            independent_mean([curves[:, -1] for curves in replicas]), _why_still_changing(replicas)
        )
        file = directory / "integral.csv"
        _write_curve(file, "viscosity", _VISCOSITY_UNIT, lags, replicas)
        return self.Outputs(
            value=registry.Quantity(estimate.mean, _VISCOSITY_UNIT),
            standard_error=_error(estimate, _VISCOSITY_UNIT),
            n_effective=estimate.n_effective,
            status=estimate.status,
            reason=estimate.reason,
            details={"cutoff": registry.Quantity(float(lags[-1]), "ps")} | _conditions(self.segments_files),
            curve_file=file,
        )


class AverageDiffusion(Protocol):
    """The self-diffusion coefficient by Einstein, corrected for the size of the box.

    D_PBC is a sixth of the slope of the mean squared displacement, fitted between a tenth and a half of each
    segment. To it is added 2.837297 kB T / (6 pi eta L), where eta is the viscosity of the same model and L
    the edge of the cubic box: I.-C. Yeh and G. Hummer, J. Phys. Chem. B 108, 15873 (2004).

    Each segment gives a value, and their scatter the standard error, to which that of the correction is added
    in quadrature. Segments in which molecules do not move by a molecular diameter, (V / N)^(1/3), are too
    short.

    Parameters
    ----------
    displacements_files, segments_files
        Tables of `OpenMMTransportSimulation`: one a replica, or several in order.
    component
        Whose molecules, by its number in the simulation.
    number_of_molecules
        In the box, of all components.
    temperature
        At which segments started.
    viscosity, viscosity_error, viscosity_status, viscosity_reason
        Outputs of `AverageViscosity`.

    Raises
    ------
    InputError
        Segments differ in length.
    """

    displacements_files: ObservablesFiles
    segments_files: ObservablesFiles
    component: Annotated[int, Field(ge=0)] = 0
    number_of_molecules: Annotated[int, Field(ge=1)]
    temperature: Temperature
    viscosity: AnyQuantity
    viscosity_error: AnyQuantity | None
    viscosity_status: Status
    viscosity_reason: str

    class Outputs(_Outputs):
        """As documented there; `curve_file` has the mean squared displacement by lag."""

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Estimate, and write ``displacement.csv``."""
        volume = float(np.mean(np.concatenate(_per_segment(self.segments_files, "volume"))))
        replicas, lags = [], np.zeros(0)
        for files in self.displacements_files:
            curves, lags = _by_segment(files, (f"component {self.component}",))
            replicas.append(np.stack([curve[:, 0] for curve in curves]))
        values = [np.array([einstein_diffusion(lags, curve) for curve in each]) * 1000 for each in replicas]
        in_box = independent_mean(values)
        correction = yeh_hummer_correction(self.temperature, self.viscosity, volume ** (1 / 3))
        weak = self.viscosity_status is not Status.converged
        estimate = flagged(in_box, self._why_short(lags, replicas, volume))
        estimate = flagged(estimate, f"viscosity: {self.viscosity_reason}" if weak else "")
        file = directory / "displacement.csv"
        _write_curve(file, "mean squared displacement", "nm^2", lags, replicas)
        return self.Outputs(
            value=registry.Quantity(estimate.mean + correction, _DIFFUSION_UNIT),
            standard_error=self._error(estimate, correction),
            n_effective=estimate.n_effective,
            status=estimate.status,
            reason=estimate.reason,
            details=self._details(in_box) | _conditions(self.segments_files),
            curve_file=file,
        )

    def _why_short(self, lags: _Array, replicas: Sequence[_Array], volume: float) -> str:
        diameter = (volume / self.number_of_molecules) ** (1 / 3)
        at_end = np.searchsorted(lags, FIT_WINDOW[1] * lags[-1])
        moved = math.sqrt(float(np.concatenate(replicas)[:, at_end].mean()))
        if moved >= diameter:
            return ""
        return (
            f"molecules move by {moved:.2g} nm in {lags[at_end]:.3g} ps, less than their diameter of "
            f"{diameter:.2g} nm; take a longer nve_time"
        )

    def _error(self, estimate: SeriesEstimate, correction: float) -> Quantity | None:
        if estimate.standard_error is None or self.viscosity_error is None:
            return None
        relative = float((self.viscosity_error / self.viscosity).to("dimensionless").magnitude)
        error = math.hypot(estimate.standard_error, correction * relative)
        return registry.Quantity(error, _DIFFUSION_UNIT)

    def _details(self, in_box: SeriesEstimate) -> dict[str, Quantity]:
        details = _with_error("D_PBC", in_box, _DIFFUSION_UNIT) | {"viscosity": self.viscosity}
        if self.viscosity_error is not None:
            details["viscosity standard error"] = self.viscosity_error
        return details


def yeh_hummer_correction(temperature: Quantity, viscosity: Quantity, edge: float) -> float:
    """Return 2.837297 kB T / (6 pi eta L) in nm^2/ns, for an edge in nanometres; 0 unless eta is above 0."""
    eta = float(viscosity.to("bar*ps").magnitude)
    kt = GAS_CONSTANT * float(temperature.to("kelvin").magnitude) / BAR_NM3
    return 1000 * _CUBIC * kt / (6 * math.pi * eta * edge) if eta > 0 else 0.0


def _by_segment(files: Path | tuple[Path, ...], names: Sequence[str]) -> tuple[list[_Array], _Array]:
    """Return columns of each segment, shape (rows, names), and the times or lags in a segment."""
    segments: list[_Array] = []
    for file in files if isinstance(files, tuple) else (files,):
        number, _ = read_observable(file, "segment")
        columns = np.stack([read_observable(file, name)[0] for name in names], axis=1)
        segments += np.split(columns, np.flatnonzero(np.diff(number)) + 1)
    if len({len(each) for each in segments}) > 1:
        raise InputError(f"files: segments in {files} differ in length; give those of one nve_time")
    return segments, read_observable(file, "time" if len(names) > 1 else "lag")[0][: len(segments[0])]


def _per_segment(segments_files: ObservablesFiles, name: str) -> list[_Array]:
    """Return a column of the tables of segments, one series a replica."""
    replicas = [files if isinstance(files, tuple) else (files,) for files in segments_files]
    return [np.concatenate([read_observable(file, name)[0] for file in files]) for files in replicas]


def _why_still_changing(replicas: Sequence[_Array]) -> str:
    curves = np.concatenate(replicas)
    value, change = curves[:, -1].mean(), curves[:, -1] - curves[:, (curves.shape[1] - 1) // 2]
    if value <= 0:
        return "the integral of the correlations is not above 0"
    number = len(change)
    if number < 2:
        return ""
    error = change.std(ddof=1) / math.sqrt(number) * standard_error_factor(number - 1)
    if abs(change.mean()) <= max(_LATE_RISE * value, _CLEARLY * error):
        return ""
    return (
        f"the integral changes by {change.mean() / value:.0%} in the second half of the time up to its "
        "cutoff; take a longer nve_time"
    )


def _conditions(segments_files: ObservablesFiles) -> dict[str, Quantity]:
    """Return temperature and pressure of the segments, and how well they kept their energy."""
    temperatures = _per_segment(segments_files, "temperature")
    drifts = np.concatenate(_per_segment(segments_files, "energy drift"))
    pooled = np.concatenate(temperatures)
    return {
        **_with_error("temperature", independent_mean(temperatures), "kelvin"),
        "lowest temperature of a segment": registry.Quantity(float(pooled.min()), "kelvin"),
        "highest temperature of a segment": registry.Quantity(float(pooled.max()), "kelvin"),
        "largest energy drift of a segment": registry.Quantity(
            float(drifts[np.abs(drifts).argmax()]), "kelvin"
        ),
        **_with_error("pressure", independent_mean(_per_segment(segments_files, "pressure")), "bar"),
    }


def _with_error(name: str, estimate: SeriesEstimate, unit: str) -> dict[str, Quantity]:
    """Return a value as a detail and, where there is one, its standard error as another."""
    details, error = {name: registry.Quantity(estimate.mean, unit)}, _error(estimate, unit)
    return details if error is None else details | {f"{name} standard error": error}


def _write_curve(file: Path, name: str, unit: str, lags: _Array, replicas: Sequence[_Array]) -> None:
    """Write the mean over segments and its standard error."""
    curves = np.concatenate(replicas)
    number = len(curves)
    errors = curves.std(axis=0, ddof=1) / math.sqrt(number) if number > 1 else np.full(len(lags), np.nan)
    rows = zip(lags, curves.mean(axis=0), errors, strict=True)
    header = f"lag (ps),{name} ({unit}),standard error ({unit})\n"
    write_atomically(
        file, header + "".join(f"{lag:.9g},{mean:.9g},{error:.3g}\n" for lag, mean, error in rows)
    )


def _error(estimate: SeriesEstimate, unit: str) -> Quantity | None:
    return None if estimate.standard_error is None else registry.Quantity(estimate.standard_error, unit)
