"""What a simulation is for, by what it starts from: plans and reports name and count the same."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["purpose_of"]


def purpose_of(upstream: Iterable[str], *, continues: bool) -> str:
    """Return "equilibration", "production", or "production, goes on".

    Parameters
    ----------
    upstream
        Labels of the protocols that it depends on: what starts from another simulation's state is production.
    continues
        Whether it goes on where the one before ended.
    """
    if not any("Simulation-" in label for label in upstream):
        return "equilibration"
    return "production, goes on" if continues else "production"
