"""The published values that this project is measured against, by the name of their group."""

from __future__ import annotations

from lennard_jones import LENNARD_JONES_GROUPS
from molecules import MOLECULE_GROUPS

__all__ = ["GROUPS"]

GROUPS = {group.name: group for group in (*LENNARD_JONES_GROUPS, *MOLECULE_GROUPS)}
