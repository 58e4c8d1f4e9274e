"""How often 95 % intervals hold the truth, through detection, pooling and the stopping rule.

Run as ``python benchmarks/coverage.py PART... [--runs 2000] [--json FILE]`` with parts `mean`, `variance`,
`segments`, `stopping` and `gas`, some 20 minutes of one core in all; each adds its rows to the file.
``--table`` prints what the file has, ``--plot SVG`` draws it, with matplotlib.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from numpy.typing import NDArray
from scipy.signal import lfilter

from protocols import (
    AverageFluctuations,
    AverageObservable,
    Density,
    Limits,
    OpenMMSimulation,
    Status,
    Substance,
    ThermodynamicState,
    execute_in,
)
from protocols.analysis.independent import independent_mean
from protocols.analysis.jackknife import pooled_function
from protocols.analysis.statistics import SeriesEstimate, pooled_mean
from protocols.convergence import Convergence
from protocols.settings import DynamicsSettings
from workflow_backends import ComputeResources

Array = NDArray[np.float64]
Row = dict[str, Any]
Cells = Iterable[tuple[str, int, int]]  # process, length, replicas

LENGTHS = (20, 50, 100, 200, 400, 1000)  # of each replica, in correlation times
REPLICAS = (1, 2, 4)
PROCESSES = ("tau 3", "tau 10", "tau 30", "two times", "from 5 sigma", "slow start")
ARGON = Substance.pure("[Ar]")
PARTICLES, TEMPERATURE = 40, 300.0
PRESSURE = 1.380649e-23 * TEMPERATURE / 1e-27 / 1e5  # in bar, so that kT / p is 1 nm^3


def first_order(rng: np.random.Generator, count: int, length: int, tau: float) -> Array:
    """Return first-order processes of mean 0 and variance 1, shape (count, length)."""
    rho = np.exp(-1 / tau)
    noise = rng.normal(size=(count, length))
    noise[:, 1:] *= np.sqrt(1 - rho**2)
    return np.asarray(lfilter([1], [1, -rho], noise, axis=1))


def process(name: str, rng: np.random.Generator, count: int, length_in_tau: int) -> Array:
    """Return realisations; lengths are in the longest correlation time."""
    match name:
        case "two times":  # a fifth of the variance in a mode that is eight times slower
            fast, slow = (first_order(rng, count, length_in_tau * 24, tau) for tau in (3, 24))
            return np.asarray(np.sqrt(0.8) * fast + np.sqrt(0.2) * slow)
        case "from 5 sigma":  # relaxes to the mean as the process itself does
            series = first_order(rng, count, length_in_tau * 10, 10)
            return np.asarray(series + 5 * np.exp(-np.arange(length_in_tau * 10) / 10))
        case "slow start":  # from 3 sigma, decays in a twentieth of the run
            series = first_order(rng, count, length_in_tau * 10, 10)
            return np.asarray(series + 3 * np.exp(-20 * np.linspace(0, 1, length_in_tau * 10)))
        case _:
            tau = int(name.removeprefix("tau "))
            return first_order(rng, count, length_in_tau * tau, tau)


def summary(estimates: Iterable[tuple[float, float | None, bool]], truth: float) -> Row:
    """Count intervals that hold the truth and runs that are trusted, of values, errors and trust."""
    found = [(abs(value - truth) < 1.96 * (error or 0.0), good) for value, error, good in estimates]
    held, good = np.array(found, dtype=bool).T
    counts = {"held": held, "converged": good, "held_and_converged": held & good}
    return {"runs": len(found)} | {name: int(each.sum()) for name, each in counts.items()}


def of_series(
    part: str, runs: int, estimate: Callable[[Sequence[Array]], SeriesEstimate], cells: Cells
) -> Iterable[Row]:
    """Estimate every process at every length from one, two and four replicas."""
    for name, length, replicas in cells:
        rng = np.random.default_rng([len(name), ord(name[-1]), length, replicas])
        estimates = []
        for _ in range(runs):
            made = estimate(list(process(name, rng, replicas, length)))
            estimates.append((made.mean, made.standard_error, made.status is Status.converged))
        truth = 0.0 if part == "mean" else 1.0
        about = {"part": part, "process": name, "length": length, "replicas": replicas}
        yield about | summary(estimates, truth)


def variance(replicas: Sequence[Array]) -> SeriesEstimate:
    """Estimate a variance as properties from fluctuations do."""
    series = [one[:, np.newaxis] for one in replicas]
    return pooled_function(series, [(0, 0)], lambda _mean, covariance: float(covariance[0, 0]))


def segments(runs: int) -> Iterable[Row]:
    """Estimate from the values of segments that resemble those before them, as diffusion and viscosity do."""
    for resemblance, length, replicas in product((0.0, 0.3, 0.5, 0.8), (10, 20, 100), (2,)):
        rng = np.random.default_rng([round(10 * resemblance), length])
        tau = -1 / np.log(resemblance) if resemblance else 1e-3
        estimates = []
        for _ in range(runs):
            made = independent_mean(list(first_order(rng, replicas, length, tau)))
            estimates.append((made.mean, made.standard_error, made.status is Status.converged))
        about = {"part": "segments", "resemblance": resemblance, "length": length, "replicas": replicas}
        yield about | summary(estimates, 0.0)


def stopping(runs: int) -> Iterable[Row]:
    """Extend two replicas round by round until the error meets a target, as estimate() does."""
    state = ThermodynamicState(temperature="90 K", pressure="1 bar")
    for length, total in ((25, 200), (25, 400), (100, 400), (100, 2000)):
        target = np.sqrt(2 / total)
        item = Density(ARGON, state, f"{target} g/mL")
        estimates, lengths = [], []
        rng = np.random.default_rng([length, total])
        for _ in range(runs):
            judge, rounds = Convergence(item, Limits(rounds=1000)), 0
            series = process("tau 10", rng, 2, 40 * total)
            while True:
                rounds += 1
                made = pooled_mean(list(series[:, : rounds * length * 10]))
                verdict = judge.judge(AverageObservable.Outputs.of(made, "g/mL", 1.0), rounds, 0)
                if verdict.finished:
                    break
            estimates.append((made.mean, made.standard_error, verdict.status is Status.converged))
            lengths.append(2 * rounds * length)
        about = {
            "part": "stopping",
            "round": length,
            "aim": total,
            "length": int(np.median(lengths)),
        }
        yield about | summary(estimates, 0.0)


def ideal_gas(directory: Path) -> tuple[Path, Path]:
    """Write System and State of particles that do not interact; <V> is (N + 1) kT / p."""
    edge = (PARTICLES + 1) ** (1 / 3)
    system, force = openmm.System(), openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)  # without any cutoff there is no box
    force.setCutoffDistance(0.3)
    system.setDefaultPeriodicBoxVectors(*(np.eye(3) * edge))
    for _ in range(PARTICLES):
        system.addParticle(40.0)
        force.addParticle(0.0, 0.3, 0.0)
    system.addForce(force)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(np.random.default_rng(1).uniform(0, edge, (PARTICLES, 3)))
    files = directory / "system.xml", directory / "state.xml"
    files[0].write_text(openmm.XmlSerializer.serialize(system))
    files[1].write_text(openmm.XmlSerializer.serialize(context.getState(positions=True)))
    return files


def gas(runs: int) -> Iterable[Row]:
    """Simulate an ideal gas at constant pressure; volume and compressibility are known exactly."""
    state = ThermodynamicState(temperature=f"{TEMPERATURE} K", pressure=f"{PRESSURE} bar")
    dynamics = DynamicsSettings(
        timestep="4 fs", output_interval="0.02 ps", segment_time="1 ns", barostat_interval=1
    )
    found: dict[tuple[str, int], list[tuple[float, float | None, bool]]] = {}
    effective: list[float] = []
    here = ComputeResources(platform="Reference")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        system_file, state_file = ideal_gas(home)
        for seed in range(1, runs + 1):
            run = OpenMMSimulation(
                system_file=system_file, state_file=state_file, state=state, simulated_time="24 ps",
                dynamics=dynamics, seed=seed,
            )  # fmt: skip
            rows = (
                execute_in(run, home / f"run-{seed}", here)
                .observables_file.read_text(encoding="utf-8")
                .splitlines()
            )
            for part in (1, 6):
                table = home / f"{seed}-{part}.csv"
                table.write_text("\n".join(rows[: len(rows) // part]) + "\n")
                volume = AverageObservable(observable="volume", observables_files=(table,))
                response = AverageFluctuations(
                    response="isothermal compressibility", observables_files=(table,),
                    system_file=system_file, state=state,
                )  # fmt: skip
                for quantity, protocol in (("volume", volume), ("compressibility", response)):
                    made = execute_in(protocol, home / f"{quantity}-{seed}-{part}", here)
                    outcome = (
                        made.value.magnitude,
                        None if made.standard_error is None else made.standard_error.magnitude,
                        made.status is Status.converged,
                    )
                    found.setdefault((quantity, part), []).append(outcome)
                    if (quantity, part) == ("volume", 1):
                        effective.append(made.n_effective)
    truths = {"volume": PARTICLES + 1.0, "compressibility": 1 / PRESSURE}
    for (quantity, part), outcomes in found.items():
        length = round(2 * float(np.median(effective)) / part)
        about = {"part": "gas", "quantity": quantity, "length": length}
        yield about | summary(outcomes, truths[quantity])


def table(rows: Sequence[Row]) -> str:
    """Return the rows as the tables of docs/coverage.md."""
    lines = []
    for part in ("mean", "variance"):
        for name in dict.fromkeys(row["process"] for row in rows if row["part"] == part):
            lines += ["", f"| {name} |" + "".join(f" {n} |" for n in LENGTHS)]
            lines.append("|---" * (len(LENGTHS) + 1) + "|")
            for replicas in REPLICAS:
                cells = {
                    row["length"]: f" {text(row)} |"
                    for row in rows
                    if (row["part"], row.get("process"), row.get("replicas")) == (part, name, replicas)
                }
                label = f"| {replicas} replica{'s' if replicas > 1 else ''} |"
                lines.append(label + "".join(cells.get(length, " |") for length in LENGTHS))
    for row in rows:
        if row["part"] == "stopping":
            lines.append(f"| {row['round']} | {row['length']} | {text(row)} |")
        elif row["part"] == "segments":
            lines.append(f"| {row['resemblance']:g} | {row['replicas']} x {row['length']} | {text(row)} |")
        elif row["part"] == "gas":
            lines.append(f"| {row['quantity']} | {row['length']} | {text(row)} |")
    return "\n".join(lines)


def text(row: Row) -> str:
    """Return percentages: of runs that held the truth; that converged; of these, that held it."""
    few = row["converged"] < 0.05 * row["runs"]  # of which no share is worth telling
    among = "" if few else f", {percent(row, 'held_and_converged', 'converged'):.1f}"
    return f"{percent(row, 'held'):.1f} ({percent(row, 'converged'):.0f}{among})"


def percent(row: Row, name: str, of: str = "runs") -> float:
    """Return a count as a part of another."""
    return 100 * float(row[name]) / float(row[of])


def draw(rows: Sequence[Row], file: Path) -> None:
    """Draw coverage against length, one panel a number of replicas."""
    import matplotlib.pyplot as plt  # noqa: PLC0415

    plt.rcParams.update({"svg.hashsalt": "coverage", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.8), sharey=True, layout="constrained")
    markers = dict(zip((*PROCESSES, "variance"), "os^DvP*", strict=True))
    for axis, replicas in zip(axes, REPLICAS, strict=True):
        axis.axhspan(93, 97, color="#d8ecdf", label="93 to 97 %")
        axis.axvline(200, color="#5b6875", linewidth=0.8, linestyle=":")
        for name, marker in markers.items():
            part = "variance" if name == "variance" else "mean"
            points = [
                (row["length"] * replicas, percent(row, "held"))
                for row in rows
                if row["part"] == part
                and row["replicas"] == replicas
                and (part == "variance" or row["process"] == name)
            ]
            axis.plot(
                *zip(*sorted(points), strict=True), marker=marker, markersize=5, linewidth=1, label=name
            )
        axis.set(xscale="log", xlabel="all replicas, correlation times", ylim=(80, 100))
        axis.set_xticks([50, 200, 1000], ["50", "200", "1000"])
        axis.set_title(f"{replicas} replica{'s' if replicas > 1 else ''}")
        axis.grid(visible=True, linewidth=0.3)
    axes[0].set_ylabel("truth within 1.96 standard errors, %")
    axes[-1].legend(fontsize=8, loc="lower right")
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    """Run the parts that are asked for, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=["mean", "variance", "segments", "stopping", "gas", []])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--gases", type=int, default=300)
    parser.add_argument("--json", type=Path, default=Path("coverage.json"))
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--processes", nargs="+", choices=PROCESSES, default=PROCESSES)
    parser.add_argument("--lengths", nargs="+", type=int, default=LENGTHS)
    parser.add_argument("--replicas", nargs="+", type=int, default=REPLICAS)
    arguments = parser.parse_args()
    cells = list(product(arguments.processes, arguments.lengths, arguments.replicas))
    of_variance = list(product(["tau 10"], arguments.lengths, arguments.replicas))
    todo: dict[str, Callable[[], Iterable[Row]]] = {
        "mean": lambda: of_series("mean", arguments.runs, pooled_mean, cells),
        "variance": lambda: of_series("variance", arguments.runs, variance, of_variance),
        "segments": lambda: segments(arguments.runs),
        "stopping": lambda: stopping(arguments.runs),
        "gas": lambda: gas(arguments.gases),
    }
    for part in arguments.parts:
        for row in todo[part]():
            print(json.dumps(row), flush=True)
            known = json.loads(arguments.json.read_text(encoding="utf-8")) if arguments.json.exists() else []
            arguments.json.write_text(
                "[\n" + ",\n".join(map(json.dumps, [*known, row])) + "\n]\n", encoding="utf-8"
            )
    if arguments.table:
        print(table(json.loads(arguments.json.read_text(encoding="utf-8"))))
    if arguments.plot is not None:
        draw(json.loads(arguments.json.read_text(encoding="utf-8")), arguments.plot)


if __name__ == "__main__":
    main()
