"""What only some simulations write into their table of observables, as they run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import unit

from protocols.systems.particles import masses

__all__ = ["DALTON_PER_NM3_IN_G_PER_ML", "DensityProfile", "Observer", "SlabTension"]

DALTON_PER_NM3_IN_G_PER_ML = 1.66053906660e-3
_BAR_NM_IN_MN_PER_M = 0.1


class Observer(ABC):
    """More columns of a table.

    Parameters
    ----------
    system
        OpenMM System, to which forces may be added that move nothing.
    """

    @abstractmethod
    def __init__(self, system: Any) -> None: ...

    @property
    @abstractmethod
    def columns(self) -> list[str]:
        """The names of the columns, with units."""

    @abstractmethod
    def values(self, context: Any, state: Any) -> list[float]:
        """Return the values of a frame.

        Parameters
        ----------
        context
            OpenMM Context, to be left as it is.
        state
            OpenMM State with positions.
        """


class SlabTension(Observer):
    """The pressure along each axis, and the tension of two surfaces normal to z.

    gamma = L_z / 2 (P_zz - (P_xx + P_yy) / 2): J. G. Kirkwood and F. P. Buff, J. Chem. Phys. 17, 338 (1949).
    Pressures are OpenMM's, by finite difference of the energy, of molecules that are scaled as rigid.
    """

    def __init__(self, system: Any) -> None:
        # Of frequency 0, it never moves the box; pressure and temperature are not used.
        self._barostat = openmm.MonteCarloAnisotropicBarostat((1, 1, 1), 300, True, True, True, 0)
        system.addForce(self._barostat)

    @property
    def columns(self) -> list[str]:
        """Three pressures and the tension."""
        return [*(f"pressure {axis} (bar)" for axis in ("xx", "yy", "zz")), "surface tension (mN/m)"]

    def values(self, context: Any, state: Any) -> list[float]:
        """Return them for a frame."""
        xx, yy, zz = self._barostat.computeCurrentPressure(context).value_in_unit(unit.bar)
        height = state.getPeriodicBoxVectors()[2][2].value_in_unit(unit.nanometer)
        return [xx, yy, zz, height / 2 * (zz - (xx + yy) / 2) * _BAR_NM_IN_MN_PER_M]


class DensityProfile(Observer):
    """The mass density along z, in slices whose middle is the circular mean of the mass.

    A slab drifts as molecules evaporate at one face and condense at the other: each frame is centred.
    """

    slices = 100

    def __init__(self, system: Any) -> None:
        self._masses: NDArray[np.float64] = masses(system)

    @property
    def columns(self) -> list[str]:
        """One density a slice, from 1 on."""
        return [f"density {number} (g/mL)" for number in range(1, self.slices + 1)]

    def values(self, context: Any, state: Any) -> list[float]:  # noqa: ARG002
        """Return them for a frame."""
        height = state.getPeriodicBoxVectors()[2][2].value_in_unit(unit.nanometer)
        around = state.getPositions(asNumpy=True)._value[:, 2] / height
        middle = np.angle((self._masses * np.exp(2j * np.pi * around)).sum()) / (2 * np.pi)
        where = np.minimum(((around - middle + 0.5) % 1 * self.slices).astype(np.int64), self.slices - 1)
        mass = np.bincount(where, self._masses, self.slices)
        volume = state.getPeriodicBoxVolume()._value / self.slices
        return [float(f"{value:.6g}") for value in mass / volume * DALTON_PER_NM3_IN_G_PER_ML]
