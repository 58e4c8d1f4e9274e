"""plot_radial_distribution: a picture of a liquid's structure, to look at once."""

from __future__ import annotations

import io
from pathlib import Path

from protocols.analysis.structure import radial_distribution
from protocols.errors import InputError
from protocols.quantities import Length
from protocols.result import PropertyResult
from protocols.running.storage import write_atomically

__all__ = ["plot_radial_distribution"]


def plot_radial_distribution(
    result: PropertyResult,
    path: Path | str,
    selection: str = "all",
    other: str | None = None,
    *,
    largest_distance: Length | str = "0.9 nm",
) -> Path:
    """Draw the radial distribution function of a result's trajectories, to see whether a liquid is one.

    That of a liquid has a first peak of two to four, a few lower ones, and tends to 1. Peaks that stay sharp
    are a crystal's, and one that tends to more than 1 is of a box that has come apart.

    Parameters
    ----------
    result
        Of a property whose settings ask for a trajectory.
    path
        Of the file; its suffix, such as ``.png``, ``.svg`` or ``.pdf``, says which kind.
    selection, other, largest_distance
        As for `radial_distribution`, which gives the numbers.

    Returns
    -------
    Path
        The file. One that is there is replaced.

    Raises
    ------
    InputError
        The result has no trajectory, matplotlib (the extra ``report``) is not installed or does not write
        such a file, or `radial_distribution` refuses.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  # needs the extra
    except ImportError:
        raise InputError(
            "plot_radial_distribution: matplotlib is not installed; pip install 'estimate-properties[report]'"
        ) from None
    figure, file = Figure(figsize=(5, 3.5), layout="constrained"), Path(path)
    known = figure.canvas.get_supported_filetypes()
    kind = file.suffix.removeprefix(".")
    if kind not in known:
        raise InputError(f"path: {str(file)!r} is not allowed; give a suffix of {', '.join(sorted(known))}")
    if not result.trajectory_files:
        raise InputError(
            f"result: {result.property} has kept no trajectory; give SimulationSettings(trajectory='xtc')"
        )
    distances, g = radial_distribution(
        result.trajectory_files,
        result.trajectory_files[0].with_name("topology.pdb"),
        selection,
        other,
        largest_distance=largest_distance,
    ).T
    axes = figure.subplots()
    axes.axhline(1, color="0.7", linewidth=0.8)
    axes.plot(distances, g)
    axes.set(xlabel="distance / nm", ylabel="g", xlim=(0, None), ylim=(0, None))
    axes.set_title(f"{result.property.substance} at {result.property.state}", fontsize=10)
    picture = io.BytesIO()
    figure.savefig(picture, format=kind)
    write_atomically(file, picture.getvalue())
    return file
